//! What is done to runs from the console: what it would do is told first, and
//! who wanted it and why is kept.

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value as Json, json};
use support::says;
use workflow_runtime::serve::router;

use super::serving::Served;
use super::world::{Answer, World, ask, get};
use crate::app::process::Program;

/// What a form of a page has in it, by name.
fn fields(page: &str) -> Vec<(String, String)> {
    let part = |text: &str, name: &str| {
        let from = text.find(&format!(" {name}=\""))? + name.len() + 3;
        Some(text[from..from + text[from..].find('"')?].to_owned())
    };
    let inputs = page.split("<input").skip(1).map(|rest| &rest[..rest.find('>').unwrap()]);
    inputs
        .filter_map(|input| Some((part(input, "name")?, part(input, "value").unwrap_or_default())))
        .collect()
}

fn encoded(fields: &[(String, String)]) -> String {
    let escaped = |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02x}")).collect() };
    fields.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect::<Vec<_>>().join("&")
}

fn post(router: Router, address: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = Request::post(address).header("host", "localhost");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    ask(router, request.body(Body::from(body.to_owned())).unwrap())
}

const JSON: (&str, &str) = ("content-type", "application/json");

#[test]
fn a_run_s_page_offers_what_can_be_done_to_it() {
    let world = World::full("offered");
    for (workflow, state, offered, not) in [
        ("utter", "failed", &["do=retry", "do=rerun"][..], "do=cancel"),
        ("utter", "succeeded", &["do=rerun"], "do=retry"),
        ("asked", "paused", &["do=resume", "do=cancel"], "do=pause"),
        ("asked", "waiting", &["do=signal&amp;signal=answer", "do=pause", "do=cancel"], "do=retry"),
        ("tried", "waiting", &["do=retry", "do=pause"], "do=adopt"),
    ] {
        let page = world.get(&format!("/runs/{}", world.id(workflow, state))).text;
        says(&page, offered);
        assert!(!page.contains(not), "{workflow} {state}: {not}");
    }
    let undoing = world.id("taken", "undoing");
    let step = world.get(&format!("/runs/{undoing}/step?path=taken/own")).text;
    says(&step, &["do=retry&amp;step=taken%2Fown", "do=undone&amp;step=", "do=give-up&amp;step="]);
}

#[test]
fn what_it_would_do_is_told_before_it_is_done() {
    let world = World::full("told");
    let failed = world.id("counted", "failed");
    let form = world.get(&format!("/runs/{failed}/act?do=retry")).text;
    says(
        &form,
        &["What becomes of the steps", "counted/numbers", "counted/results/one", "Why, for the record"],
    );
    let shown = world.fine(&["retry", &failed, "--dry-run", "--json"]);
    let operation = json!({ "operation": { "retry": { "step": null } } }).to_string();
    let address = format!("/api/v1/runs/{failed}/operations?dry_run=true");
    let told = post(router(world.console()), &address, &[JSON], &operation);
    assert_eq!(
        told.json(),
        serde_json::from_str::<Json>(&shown).unwrap(),
        "the console and the command line agree"
    );
    // Nobody works on the store: it is said, and nothing is left to be done.
    let refused = post(router(world.console()), &address.replace("?dry_run=true", ""), &[JSON], &operation);
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (409, &"refused".into()), "{refused:?}");
    says(&refused.text, &["no process works on the store"]);
    assert_eq!(world.id("counted", "failed"), failed);
}

#[test]
fn a_form_of_somebody_else_is_refused() {
    let world = World::full("forged");
    let id = world.id("asked", "waiting");
    let address = format!("/runs/{id}/act");
    let page = world.get(&format!("{address}?do=cancel")).text;
    // The page of another process, as a new router is one here.
    let forged = encoded(&fields(&page));
    let without = encoded(&fields(&page).into_iter().filter(|(name, _)| name != "form").collect::<Vec<_>>());
    for body in [&forged, &without, "do=cancel&form=", "do=cancel"] {
        let refused = post(router(world.console()), &address, &[], body);
        assert_eq!(refused.status, 403, "{body}: {refused:?}");
    }
    let own = router(world.console());
    let page = get(own.clone(), &format!("{address}?do=cancel")).text;
    let body = encoded(&fields(&page));
    let elsewhere = post(own.clone(), &address, &[("sec-fetch-site", "cross-site")], &body);
    assert_eq!(elsewhere.status, 403);
    // Its own goes through, as far as the store, on which nobody works.
    let through = post(own, &address, &[("sec-fetch-site", "same-origin")], &body);
    assert_eq!(through.status, 409, "{through:?}");
    says(&through.text, &["It was not done", "no process works on the store"]);
    // What a form of somebody else's can send is no document.
    let operation = json!({ "operation": "cancel" }).to_string();
    let api = format!("/api/v1/runs/{id}/operations");
    for headers in [&[("content-type", "text/plain")][..], &[], &[JSON, ("sec-fetch-site", "cross-site")]] {
        assert_eq!(post(router(world.console()), &api, headers, &operation).status, 400, "{headers:?}");
    }
    assert_eq!(world.id("asked", "waiting"), id, "nothing was cancelled");
}

#[test]
fn each_role_may_do_its_own_and_no_more() {
    let world = World::full("roles");
    let console =
        || world.console().token("of-admin").operator_token("of-operator").viewer_token("of-viewer");
    let id = world.id("tried", "waiting");
    let set = json!({ "operation": { "set": { "step": "tried/done", "value": 4 } } }).to_string();
    let retry = json!({ "operation": { "retry": { "step": null } } }).to_string();
    let start = json!({ "workflow": "utter", "params": { "text": "a", "fails": false } }).to_string();
    for (token, may_retry, may_set) in
        [("of-viewer", false, false), ("of-operator", true, false), ("of-admin", true, true)]
    {
        let bearer = format!("Bearer {token}");
        let headers = [JSON, ("authorization", &*bearer)];
        let operations = format!("/api/v1/runs/{id}/operations");
        // Who may is told that nobody works on the store.
        let status = |may: bool| if may { 409 } else { 403 };
        assert_eq!(
            post(router(console()), &operations, &headers, &retry).status,
            status(may_retry),
            "{token}"
        );
        assert_eq!(post(router(console()), &operations, &headers, &set).status, status(may_set), "{token}");
        assert_eq!(
            post(router(console()), "/api/v1/runs", &headers, &start).status,
            status(may_retry),
            "{token}"
        );
        let page = |address: &str| {
            let request = Request::get(address).header("host", "c.example").header("authorization", &*bearer);
            ask(router(console()), request.body(Body::empty()).unwrap())
        };
        assert_eq!(page(&format!("/runs/{id}")).text.contains("do=retry"), may_retry, "{token}");
        assert_eq!(
            page(&format!("/runs/{id}/step?path=tried/done")).text.contains("do=set"),
            may_set,
            "{token}"
        );
        let form = page(&format!("/runs/{id}/act?do=set&step=tried/done"));
        assert_eq!(form.status, if may_set { 200 } else { 403 }, "{token}");
    }
    assert_eq!(post(router(console()), "/api/v1/runs", &[JSON], &start).status, 401);
}

#[test]
fn a_value_is_checked_against_its_type_before_it_is_sent() {
    let world = World::full("typed");
    let own = router(world.console());
    let id = world.id("tried", "waiting");
    let address = format!("/runs/{id}/act");
    let page = get(own.clone(), &format!("{address}?do=set&step=tried/done")).text;
    says(&page, &["<code>u32</code>"]);
    let mut fields = fields(&page);
    fields.push(("value".to_owned(), "many".to_owned()));
    fields.retain(|(name, value)| name != "reason" || !value.is_empty());
    let refused = post(own, &address, &[], &encoded(&fields));
    assert_eq!(refused.status, 400);
    says(&refused.text, &["It was not done", "carries `u32`", ">many</textarea>"]);
    for (body, code) in [
        ("{", "bad_request"),
        ("{\"operation\":\"dance\"}", "bad_request"),
        ("{\"operation\":\"cancel\",\"when\":1}", "bad_request"),
    ] {
        let refused = post(router(world.console()), &format!("/api/v1/runs/{id}/operations"), &[JSON], body);
        assert_eq!((refused.status.as_u16(), refused.json()["code"].as_str()), (400, Some(code)), "{body}");
    }
    let large = format!("{{\"operation\":\"{}\"}}", "x".repeat(2 << 20));
    let refused = post(router(world.console()), &format!("/api/v1/runs/{id}/operations"), &[JSON], &large);
    assert_eq!(refused.status, 413);
}

#[test]
fn a_run_is_started_signalled_and_seen_to_its_end_by_the_api_alone() {
    let program = Program::own("serve-acting");
    let served = Served::of(&program, &[]);
    let start =
        json!({ "workflow": "nightly", "params": { "day": 7 }, "reason": "for a test", "actor": "ada" });
    let made = served.post("/api/v1/runs", "Idempotency-Key: today\r\n", &start);
    let id = made["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    // The same key is the same run.
    assert_eq!(served.post("/api/v1/runs", "Idempotency-Key: today\r\n", &start)["id"], *id);
    served.until("/api/v1/runs", "Waits for the signal");
    let operations = format!("/api/v1/runs/{id}/operations");
    let unknown =
        served.post(&operations, "", &json!({ "operation": { "signal": { "name": "other", "value": 1 } } }));
    assert_eq!(unknown["code"], "refused", "{unknown}");
    let signal = json!({ "operation": { "signal": { "name": "verdict", "value": "good" } }, "actor": "ada", "reason": "looks fine" });
    assert_eq!(served.post(&operations, "", &signal)["id"], *id);
    served.until(&format!("/api/v1/runs/{id}"), "\"state\":\"succeeded\",\"created_at\"");
    let requests = program.story()["requests"].clone();
    let told: Vec<_> = requests
        .as_array()
        .unwrap()
        .iter()
        .map(|asked| (asked["actor"].clone(), asked["reason"].clone()))
        .collect();
    assert!(told.contains(&(json!("ada"), json!("for a test"))), "{requests}");
    assert!(told.contains(&(json!("ada"), json!("looks fine"))), "{requests}");
}
