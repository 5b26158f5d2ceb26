//! What the console tells is what the command line tells: of runs in every
//! state, and of those in databases of earlier versions.

use std::fs;
use std::path::Path;

use serde_json::Value as Json;
use workflow_runtime::App;
use workflow_runtime::serve::{Console, router};

use super::world::{World, get};

/// What a command prints.
fn printed(app: App, args: &[&str]) -> Vec<Json> {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = app.run([&["program", "--json"], args].concat(), &mut out, &mut err);
    assert_eq!(code, 0, "{args:?}: {}", String::from_utf8_lossy(&err));
    let out = String::from_utf8(out).unwrap();
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_run_in_any_state_is_told_as_show_tells_it() {
    let world = World::full("same");
    let ids = world.ids();
    assert_eq!(ids.len(), 13);
    let mut states = Vec::new();
    for id in &ids {
        let shown = printed(world.app(), &["show", id]);
        let told = world.get(&format!("/api/v1/runs/{id}")).json();
        assert_eq!(told, shown[0]);
        states.push(told["state"].as_str().unwrap().to_owned());
    }
    states.sort();
    states.dedup();
    let all = ["cancelled", "failed", "paused", "queued", "succeeded", "undoing", "waiting"];
    assert_eq!(states, all, "runs of all these states are compared");
}

#[test]
fn the_list_is_the_one_that_ls_prints() {
    let world = World::full("list");
    let listed = printed(world.app(), &["ls", "--limit", "100"]);
    let told = world.get("/api/v1/runs?limit=100").json();
    let told = told["runs"].as_array().unwrap();
    assert_eq!(told.len(), listed.len());
    for (told, listed) in told.iter().zip(&listed) {
        let mut told = told.clone();
        // A sentence, which a terminal has no room for.
        told.as_object_mut().unwrap().remove("standing").unwrap();
        assert_eq!(told, *listed);
    }
}

/// Of a program that has none of their workflows.
#[test]
fn runs_of_earlier_versions_are_told_as_show_tells_them() {
    let mut compared = 0;
    for version in ["v1", "v2"] {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(version);
        for file in fs::read_dir(fixtures).unwrap() {
            let file = file.unwrap().path();
            if file.extension().is_none_or(|extension| extension != "db") {
                continue;
            }
            let name = format!("{version}-{}", file.file_stem().unwrap().to_string_lossy());
            let store = World::new(&name).store;
            fs::copy(&file, &store).unwrap();
            let values = file.with_extension("db-values");
            if values.exists() {
                copy_all(&values, &store.with_extension("db-values"));
            }
            let (app, console) = (|| App::new().store(&store), || router(Console::open(&store)));
            for run in printed(app(), &["ls", "--limit", "1000"]) {
                let id = run["id"].as_str().unwrap();
                let told = get(console(), &format!("/api/v1/runs/{id}"));
                assert_eq!(told.json(), printed(app(), &["show", id])[0], "{name}");
                let page = get(console(), &format!("/runs/{id}"));
                assert_eq!(page.status, 200, "{name}: {}", page.text);
                compared += 1;
            }
        }
    }
    assert!(compared > 20, "{compared}");
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_all(&entry.path(), &to)
        } else {
            _ = fs::copy(entry.path(), to).unwrap()
        }
    }
}
