//! Who may look, what a browser may do, and hostile texts.

use axum::body::Body;
use axum::http::Request;
use workflow_runtime::serve::router;

use super::world::{Answer, World, ask, get};

const PAGES: [&str; 7] =
    ["/", "/runs/@last", "/api/v1/runs", "/api/v1/runs/@last", "/nothing", "/healthz", "/login"];

#[test]
fn a_page_may_load_nothing_from_elsewhere_and_not_be_framed() {
    let world = World::full("headers");
    for page in PAGES {
        let answer = world.get(page);
        let header =
            |name: &str| answer.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default();
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'self';"), "{page}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{page}: {policy}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{page}");
        assert_eq!(header("x-frame-options"), "DENY", "{page}");
        assert_eq!(header("referrer-policy"), "no-referrer", "{page}");
        // What the policy would keep from working.
        for inline in [" style=", " onclick=", "<style", "javascript:", "http://", "https://"] {
            assert!(!answer.text.contains(inline), "{page} has {inline}");
        }
    }
}

#[test]
fn without_a_token_only_requests_to_this_machine_s_own_names_are_answered() {
    let world = World::full("rebound");
    let to = |host: &str, page: &str| {
        ask(router(world.console()), Request::get(page).header("host", host).body(Body::empty()).unwrap())
    };
    for page in ["/", "/runs/@last", "/api/v1/runs", "/console.js"] {
        assert_eq!(to("127.0.0.1:8080", page).status, 200, "{page}");
        let refused = to("rebound.example", page);
        assert_eq!(refused.status, 403, "{page}");
        assert!(!refused.text.contains("utter"), "{page}: {}", refused.text);
    }
    // Who watches over a process asks by whatever name.
    assert_eq!(to("10.0.0.7", "/healthz").status, 200);
    assert_eq!(to("10.0.0.7", "/readyz").status, 200);
}

#[test]
fn with_a_token_nothing_is_told_without_it() {
    let world = World::full("token");
    let router = || router(world.console().token("s3same"));
    let with = |page: &str, name: &str, value: &str| {
        let request = Request::get(page).header("host", "console.example").header(name, value);
        ask(router(), request.body(Body::empty()).unwrap())
    };
    for page in ["/", "/runs/@last", "/api/v1/runs", "/api/v1/runs/@last", "/nothing"] {
        let refused = get(router(), page);
        let (status, is_api) = (refused.status.as_u16(), page.starts_with("/api/"));
        assert_eq!(status, if is_api { 401 } else { 303 }, "{page}");
        assert!(!refused.text.contains("utter"), "{page}");
        assert!(is_api || refused.headers["location"] == "/login", "{page}");
        assert_eq!(with(page, "authorization", "Bearer other").status.as_u16(), status, "{page}");
        assert_ne!(with(page, "authorization", "Bearer s3same").status.as_u16(), status, "{page}");
    }
    let sign_in = |token: &str, site: &str| -> Answer {
        let form = Request::post("/login").header("host", "console.example").header("sec-fetch-site", site);
        ask(router(), form.body(Body::from(format!("token={token}"))).unwrap())
    };
    assert_eq!(sign_in("other", "same-origin").status, 401);
    assert_eq!(sign_in("s3same", "cross-site").status, 403);
    let signed_in = sign_in("s3same", "same-origin");
    assert_eq!(signed_in.status, 303);
    let cookie = signed_in.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let pair = cookie.split(';').next().unwrap();
    assert_eq!(with("/", "cookie", pair).status, 200);
    assert_eq!(with("/", "cookie", "workflow_token=0").status, 303);
}

/// Markup, what orders the letters otherwise, what a terminal obeys, quotes.
const HOSTILE: &str = "<script>alert(1)</script>\u{202e}\u{7}\u{1b}[2J\"' onmouseover=x <img src=x onerror=y> ]]> &amp; </pre>\u{200b}";

#[test]
fn whatever_a_run_says_is_text() {
    let world = World::new("hostile");
    world.fine(&[
        "start",
        "utter",
        &format!("text={HOSTILE}"),
        "fails=true",
        "--key",
        HOSTILE,
        "--as",
        HOSTILE,
        "--reason",
        HOSTILE,
    ]);
    world.fine(&["start", "utter", &format!("text={HOSTILE}"), "fails=false"]);
    world.fine(&["work", "--drain"]);
    let mut pages =
        vec!["/".to_owned(), format!("/?key={}", "%3Cscript%3E%E2%80%AE"), "/?error=%3Cscript".to_owned()];
    for id in world.ids() {
        pages.push(format!("/runs/{id}"));
        pages.push(format!("/runs/{id}?under=%3Cscript%3E"));
        pages.push(format!("/runs/{id}/step?path=utter/said"));
        pages.push(format!("/runs/{id}/step?path=%3Cscript%3E%E2%80%AE"));
        pages.push(format!("/api/v1/runs/{id}"));
    }
    pages.push("/runs/%3Cscript%3E%E2%80%AE".to_owned());
    pages.push("/%3Cscript%3E".to_owned());
    pages.push("/?state=%3Cscript%3E".to_owned());
    let (mut seen, mut told) = (0, 0);
    for page in pages {
        let answer = world.get(&page);
        let is_json = page.starts_with("/api/");
        let hidden = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202e}' | '\u{200b}');
        assert!(!answer.text.contains(hidden), "{page}: {:?}", answer.text);
        if !is_json {
            // The console's own script is the only one.
            assert_eq!(answer.text.matches("<script").count(), 1, "{page}: {}", answer.text);
            assert!(!answer.text.contains("<img"), "{page}: {}", answer.text);
            seen += answer.text.matches("&lt;script&gt;").count();
        } else {
            told += usize::from(answer.json().to_string().contains("\u{202e}"));
        }
    }
    assert!(seen > 10, "it is shown, as text: {seen}");
    assert_eq!(told, 2, "programs are told what it is");
}

#[test]
fn a_secret_is_on_no_page() {
    let world = World::new("secret");
    world.fine(&["start", "hidden", "user=ada", "word=Mitzi-the-cat"]);
    world.fine(&["work", "--drain"]);
    let id = world.id("hidden", "waiting");
    world.fine(&["signal", &id, "code", "Minka-the-cat"]);
    world.fine(&["work", "--drain"]);
    let mut pages = vec!["/".to_owned(), "/api/v1/runs".to_owned()];
    pages.extend([format!("/runs/{id}"), format!("/api/v1/runs/{id}"), format!("/api/v1/runs/{id}/graph")]);
    pages.extend(["hidden/told", "hidden/code"].map(|step| format!("/runs/{id}/step?path={step}")));
    pages.extend(["hidden/told", "hidden/code"].map(|step| format!("/api/v1/runs/{id}/step?path={step}")));
    for page in pages {
        let answer = world.get(&page);
        assert_eq!(answer.status, 200, "{page}");
        assert!(!answer.text.contains("-the-cat"), "{page}: {}", answer.text);
    }
    assert!(world.get(&format!("/runs/{id}")).text.contains("***"));
}

#[test]
fn what_is_too_long_or_not_there_is_a_problem_with_a_code() {
    let world = World::full("problems");
    let long = "x".repeat(9000);
    for (page, status, code) in [
        ("/api/v1/nothing", 404, "not_found"),
        ("/api/v1/runs/@first", 400, "bad_request"),
        (&format!("/api/v1/runs?key={long}"), 413, "too_large"),
        ("/api/v1/runs/..%2f..%2fetc%2fpasswd", 404, "not_found"),
    ] {
        let answer = world.get(page);
        let problem = answer.json();
        assert_eq!((answer.status.as_u16(), &problem["code"]), (status, &code.into()), "{page}: {problem}");
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        assert_eq!(problem["status"], status);
    }
    let posted = Request::put("/api/v1/runs").header("host", "localhost").body(Body::from("{}")).unwrap();
    assert_eq!(ask(router(world.console()), posted).status, 405);
}

#[test]
fn a_long_text_is_cut_on_a_page_and_whole_in_the_api() {
    let world = World::new("long");
    let text = "ü".repeat(60_000);
    world.fine(&["start", "utter", &format!("text={text}"), "fails=false"]);
    world.fine(&["work", "--drain"]);
    let page = world.get("/runs/@last").text;
    assert!(page.len() < 80_000, "{}", page.len());
    assert!(page.contains("more bytes are not shown here"));
    assert_eq!(world.get("/api/v1/runs/@last").json()["result"], text.as_str());
}
