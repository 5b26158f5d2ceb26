//! Tokens, and the cookie that a browser has instead.

use std::fmt;

use axum::http::header::{AUTHORIZATION, COOKIE, HOST};
use axum::http::{HeaderMap, HeaderValue};
use sha2::{Digest, Sha256};

/// The name of the cookie.
const NAME: &str = "workflow_token";

/// Who may open the console.
#[derive(Clone, Default)]
pub(in crate::serve) struct Access {
    /// The hash of the token, since what is compared byte by byte is timed.
    token: Option<[u8; 32]>,
}

/// What a request may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::serve) enum Session {
    /// Whatever there is.
    Open,
    /// To give its token first.
    Stranger,
    /// Nothing: it was sent to another name than this machine's, as a page of
    /// somebody else's does that has its name mean this machine.
    Elsewhere,
}

impl Access {
    pub(in crate::serve) fn token(token: &str) -> Self {
        Self { token: Some(hash(token)) }
    }

    /// What a request may do.
    pub(in crate::serve) fn session(&self, headers: &HeaderMap) -> Session {
        match self.token {
            None if is_here(headers) => Session::Open,
            None => Session::Elsewhere,
            Some(token) => {
                let is_given = bearer(headers).is_some_and(|given| hash(given) == token)
                    || cookie(headers).is_some_and(|given| hash(given) == hash(&in_cookie(&token)));
                if is_given { Session::Open } else { Session::Stranger }
            }
        }
    }

    /// The cookie for whoever has given the token; none where it is another.
    pub(in crate::serve) fn sign_in(&self, given: &str, base: &str) -> Option<HeaderValue> {
        let token = self.token.filter(|token| hash(given) == *token)?;
        let (value, path) = (in_cookie(&token), if base.is_empty() { "/" } else { base });
        HeaderValue::from_str(&format!("{NAME}={value}; Path={path}; HttpOnly; SameSite=Strict")).ok()
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// What stands for a token in a cookie: any token's may, whatever it is made of,
/// and the token itself is not on the browser's disk.
fn in_cookie(token: &[u8; 32]) -> String {
    Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find_map(|(name, value)| (name == NAME).then_some(value))
}

/// Whether a request was sent to this machine by one of its own names. A name
/// of somebody else's may be made to mean this machine; the browser still says
/// which it asked for.
fn is_here(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST).and_then(|host| host.to_str().ok()) else { return false };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map(|(name, _)| name),
        None => Some(host.rsplit_once(':').map_or(host, |(name, _)| name)),
    };
    let is_loopback =
        |name: &str| name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    name.is_some_and(|name| name.eq_ignore_ascii_case("localhost") || is_loopback(name))
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.token.is_some() { "a token" } else { "this machine" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> HeaderMap {
        let name = axum::http::HeaderName::try_from(name).unwrap();
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn without_a_token_only_this_machine_is_answered() {
        let session = |host: &str| Access::default().session(&with("host", host));
        for host in
            ["localhost", "localhost:8080", "LOCALHOST:1", "127.0.0.1:8080", "127.9.9.9", "[::1]:80", "[::1]"]
        {
            assert_eq!(session(host), Session::Open, "{host}");
        }
        for host in
            ["example.com", "localhost.example.com", "192.168.0.1:80", "[fe80::1]", "[::1", "", "0.0.0.0"]
        {
            assert_eq!(session(host), Session::Elsewhere, "{host}");
        }
        assert_eq!(Access::default().session(&HeaderMap::new()), Session::Elsewhere);
    }

    #[test]
    fn a_token_is_asked_for_whatever_the_address() {
        let access = Access::token("s3same");
        for (name, value, session) in [
            ("host", "localhost", Session::Stranger),
            ("authorization", "Bearer s3same", Session::Open),
            ("authorization", "Bearer s3sam", Session::Stranger),
            ("authorization", "Basic s3same", Session::Stranger),
            ("cookie", "workflow_token=s3same", Session::Stranger),
        ] {
            assert_eq!(access.session(&with(name, value)), session, "{name}: {value}");
        }
        assert!(access.sign_in("other", "").is_none());
        let cookie = access.sign_in("s3same", "/console").unwrap();
        let (pair, rest) = cookie.to_str().unwrap().split_once(';').unwrap();
        assert_eq!(rest, " Path=/console; HttpOnly; SameSite=Strict");
        assert!(!pair.contains("s3same"));
        assert_eq!(access.session(&with("cookie", &format!("a=b; {pair}"))), Session::Open);
    }
}
