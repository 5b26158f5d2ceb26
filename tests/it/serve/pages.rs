//! What the pages say.

use support::says;

use super::world::World;

#[test]
fn a_store_that_is_not_there_yet_has_no_runs() {
    let world = World::new("empty");
    let page = world.get("/");
    assert_eq!(page.status, 200);
    says(&page.text, &["No runs yet"]);
    assert!(!world.store.exists(), "a look makes no store");
    assert_eq!(world.get("/readyz").status, 200);
    let none = world.get("/api/v1/runs/0199");
    assert_eq!((none.status.as_u16(), &none.json()["code"]), (404, &"not_found".into()));
}

#[test]
fn the_list_says_what_needs_a_person_and_what_each_run_does() {
    let world = World::full("runs");
    let page = world.get("/").text;
    says(
        &page,
        &[
            r#"<span class="count">2</span><span class="word"><span class="shape" aria-hidden="true">✗</span>failed"#,
            "Waits for the signal <code>answer</code> since ",
            "; then the run fails",
            "Waits to attempt <code>done</code> again in ",
            "after: day 4 is closed",
            "Sleeps until ",
            "Is paused, and starts nothing more until it is resumed",
            "Is undoing what was done",
            "Has not begun",
            "step <code>utter/said</code> failed: no route",
            "monday",
        ],
    );
}

#[test]
fn the_address_holds_the_filter_and_a_page_leads_to_the_next() {
    let world = World::full("filter");
    let ids = |address: &str| {
        let list = world.get(address).json();
        let ids = list["runs"].as_array().unwrap().iter().map(|run| run["id"].to_string());
        (ids.collect::<Vec<_>>(), list["next"].as_i64())
    };
    let (all, next) = ids("/api/v1/runs");
    assert_eq!(next, None);
    let (mut paged, mut before) = (Vec::new(), None);
    loop {
        let more = before.map(|before: i64| format!("&before={before}")).unwrap_or_default();
        let (page, next) = ids(&format!("/api/v1/runs?limit=4{more}"));
        paged.extend(page);
        before = next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(paged, all, "no run twice, none left out");
    for (query, count) in [
        ("workflow=counted", 2),
        ("state=failed", 2),
        ("state=failed&state=succeeded", 5),
        ("key=mon", 1),
        ("key=p&state=paused", 1),
        ("error=NO%20ROUTE", 1),
        ("error=nothing", 0),
        ("suspected=true", 0),
        ("workflow=none", 0),
    ] {
        assert_eq!(ids(&format!("/api/v1/runs?{query}")).0.len(), count, "{query}");
        let page = world.get(&format!("/?{query}"));
        assert_eq!(page.text.matches("<td class=\"what\">").count(), count, "{query}");
    }
    let page = world.get("/?workflow=counted&limit=1").text;
    says(&page, &["value=\"counted\"", "href=\"/?workflow=counted&amp;limit=1&amp;before="]);
    for query in
        ["state=odd", "limit=0", "limit=501", "limit=many", "before=x", "suspected=maybe", "colour=red"]
    {
        let refused = world.get(&format!("/api/v1/runs?{query}"));
        assert_eq!(
            (refused.status.as_u16(), &refused.json()["code"]),
            (400, &"bad_request".into()),
            "{query}"
        );
        assert_eq!(world.get(&format!("/?{query}")).status, 400, "{query}");
    }
}

#[test]
fn a_run_s_page_says_how_it_stands_and_draws_its_graph() {
    let world = World::full("run");
    let failed = world.id("counted", "failed");
    let page = world.get(&format!("/runs/{failed}")).text;
    says(
        &page,
        &[
            "step <code>counted/results[3]/one</code> failed: three is not to be had",
            "for each",
            "aria-label=\"one (each): 1 failed, ",
            "[3]/one",
            "count",
            "<code>6</code>",
        ],
    );
    // Opened, the worst comes first.
    let items = world.get(&format!("/runs/{failed}?under=counted/results/one")).text;
    let table = &items[items.find("<table class=\"steps\">").unwrap()..];
    let first = table.find("results[3]/one").unwrap();
    assert!(table.find("results[0]/one").is_none_or(|other| first < other), "{table}");
    // An arm that was not taken is faded.
    let slept = world.id("slept", "succeeded");
    says(&world.get(&format!("/runs/{slept}")).text, &["class=\"region skipped\"", "<pre>7</pre>"]);
    // Who asked for what, and why.
    let paused = world.id("asked", "paused");
    says(&world.get(&format!("/runs/{paused}")).text, &["<strong>ada</strong>", "pause", "(not now)"]);
    let undoing = world.id("taken", "undoing");
    says(&world.get(&format!("/runs/{undoing}")).text, &["undoing, next attempt in "]);
}

#[test]
fn a_part_of_an_id_is_enough_where_no_other_run_has_it() {
    let world = World::full("ids");
    let id = world.ids().remove(0);
    assert_eq!(world.get(&format!("/api/v1/runs/{}", &id[..id.len() - 1])).json()["id"], id.as_str());
    let several = world.get("/api/v1/runs/0");
    assert_eq!(several.status, 404);
    assert!(several.json()["help"].as_array().unwrap().len() > 2, "{several:?}");
    assert_eq!(world.get("/runs/ffff").status, 404);
    assert_eq!(world.get("/runs/@last").status, 200);
}

#[test]
fn a_step_s_page_has_every_attempt_its_output_and_what_it_said() {
    let world = World::full("step");
    let done = world.id("utter", "succeeded");
    let step = world.get(&format!("/api/v1/runs/{done}/step?path=utter/said")).json();
    assert_eq!(step["output"], "hello");
    assert_eq!(step["step"]["attempts"][0]["outcome"], "ok");
    let page = world.get(&format!("/runs/{done}/step?path=utter/said")).text;
    says(&page, &["<strong>Attempt 1</strong>: ok after ", "<pre>hello</pre>"]);
    let tried = world.id("tried", "waiting");
    let page = world.get(&format!("/runs/{tried}/step?path=tried/done")).text;
    says(&page, &["next attempt in ", "<pre>day 4 is closed</pre>"]);
    assert_eq!(world.get(&format!("/runs/{done}/step?path=utter/other")).status, 404);
    assert_eq!(world.get(&format!("/runs/{done}/step")).status, 400);
}

#[test]
fn a_console_under_another_address_leads_to_its_own_pages() {
    use workflow_runtime::serve::router;
    let world = World::full("under");
    let app = axum::Router::new().nest("/console", router(world.console().under("/console/")));
    let page = super::world::get(app, "/console");
    assert_eq!(page.status, 200, "{page:?}");
    says(&page.text, &["href=\"/console/console.css\"", "href=\"/console/runs/", "action=\"/console\""]);
    assert!(!page.text.contains("href=\"/runs/") && !page.text.contains("action=\"/\""), "{}", page.text);
}
