//! Tokens with their roles, and the cookie that a browser has instead.

use std::fmt;

use axum::http::header::{AUTHORIZATION, COOKIE, HOST};
use axum::http::{HeaderMap, HeaderValue};
use sha2::{Digest, Sha256};

/// The name of the cookie.
const NAME: &str = "workflow_token";

/// What whoever has a token may do, each also what those before may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::serve) enum Role {
    /// Look.
    Viewer,
    /// Start runs, send signals, have runs stop and go on.
    Operator,
    /// Say what became of a step, whatever did.
    Admin,
}

/// Who may open the console.
#[derive(Clone)]
pub(in crate::serve) struct Access {
    /// The hashes of the tokens, since what is compared byte by byte is timed.
    tokens: Vec<([u8; 32], Role)>,
    /// What forms are signed with: random, and another one in each process.
    secret: [u8; 32],
}

/// What a request may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::serve) enum Session {
    /// What its role may.
    Open(Role),
    /// To give its token first.
    Stranger,
    /// Nothing: it was sent to another name than this machine's, as a page of
    /// somebody else's does that has its name mean this machine.
    Elsewhere,
}

impl Default for Access {
    fn default() -> Self {
        let mut secret = [0; 32];
        // Without random numbers no form is ever taken: see `form_token`.
        if let Err(error) = getrandom::fill(&mut secret) {
            tracing::error!(%error, "the system has no random numbers, so the console only shows runs");
        }
        Self { tokens: Vec::new(), secret }
    }
}

impl Access {
    pub(in crate::serve) fn add(&mut self, token: &str, role: Role) {
        self.tokens.push((hash(token), role));
    }

    /// Whether a token is asked for.
    pub(in crate::serve) fn has_tokens(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// What a request may do.
    pub(in crate::serve) fn session(&self, headers: &HeaderMap) -> Session {
        if self.tokens.is_empty() {
            return if is_here(headers) { Session::Open(Role::Admin) } else { Session::Elsewhere };
        }
        let given = bearer(headers).map(hash);
        let kept = cookie(headers).map(hash);
        let is_given = |token: &[u8; 32]| given == Some(*token) || kept == Some(hash(&in_cookie(token)));
        let roles = self.tokens.iter().filter(|(token, _)| is_given(token)).map(|(_, role)| *role);
        roles.max().map_or(Session::Stranger, Session::Open)
    }

    /// The cookie for whoever has given a token; none where it is another.
    pub(in crate::serve) fn sign_in(&self, given: &str, base: &str) -> Option<HeaderValue> {
        let given = hash(given);
        let (token, _) = self.tokens.iter().find(|(token, _)| given == *token)?;
        let (value, path) = (in_cookie(token), if base.is_empty() { "/" } else { base });
        HeaderValue::from_str(&format!("{NAME}={value}; Path={path}; HttpOnly; SameSite=Strict")).ok()
    }

    /// What a form of this console has in it, and no form of somebody else's:
    /// bound to the browser's cookie. None where it could be guessed.
    pub(in crate::serve) fn form_token(&self, headers: &HeaderMap) -> Option<String> {
        if self.secret == [0; 32] {
            return None;
        }
        let mut hasher = Sha256::new();
        hasher.update(self.secret);
        hasher.update(cookie(headers).unwrap_or_default());
        Some(hex(&hasher.finalize()))
    }
}

/// Whether a browser says that a page of somebody else's has sent it here.
pub(in crate::serve) fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none")
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What stands for a token in a cookie: any token's may, whatever it is made of,
/// and the token itself is not on the browser's disk.
fn in_cookie(token: &[u8; 32]) -> String {
    hex(&Sha256::digest(token))
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

impl Role {
    /// As whom something is asked for that is not said to be somebody's.
    pub(in crate::serve) fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tokens", self.tokens.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> HeaderMap {
        let name = axum::http::HeaderName::try_from(name).unwrap();
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    fn tokens() -> Access {
        let mut access = Access::default();
        access.add("s3same", Role::Admin);
        access.add("look", Role::Viewer);
        access
    }

    #[test]
    fn without_a_token_only_this_machine_is_answered() {
        let session = |host: &str| Access::default().session(&with("host", host));
        for host in
            ["localhost", "localhost:8080", "LOCALHOST:1", "127.0.0.1:8080", "127.9.9.9", "[::1]:80", "[::1]"]
        {
            assert_eq!(session(host), Session::Open(Role::Admin), "{host}");
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
        let access = tokens();
        for (name, value, session) in [
            ("host", "localhost", Session::Stranger),
            ("authorization", "Bearer s3same", Session::Open(Role::Admin)),
            ("authorization", "Bearer look", Session::Open(Role::Viewer)),
            ("authorization", "Bearer s3sam", Session::Stranger),
            ("authorization", "Bearer ", Session::Stranger),
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
        assert_eq!(access.session(&with("cookie", &format!("a=b; {pair}"))), Session::Open(Role::Admin));
    }

    #[test]
    fn a_form_is_of_one_process_and_one_browser() {
        let (access, headers) = (tokens(), with("cookie", "workflow_token=1"));
        let own = access.form_token(&headers);
        assert!(own.is_some());
        assert_eq!(access.form_token(&headers), own);
        assert_ne!(access.form_token(&with("cookie", "workflow_token=2")), own);
        assert_ne!(tokens().form_token(&headers), own);
    }
}
