//! Databases of earlier versions under today's code: see
//! `tests/fixtures/README.md`.

mod migrate;
mod operated;
mod write;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use support::v1::*;
use workflow_runtime::run::{RunState, StepState, Wait};
use workflow_runtime::testing::{FixtureReport, FixtureTest, resume_fixture};
use workflow_runtime::{Cause, Engine, EngineBuilder, Error};

/// Every folder of fixtures, with databases of the same names.
const VERSIONS: [&str; 2] = ["v1", "v2"];

fn fixture(version: &str, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(version).join(name).with_extension("db")
}

fn engine(world: &Arc<World>) -> EngineBuilder<App> {
    let engine = Engine::in_memory().resources(App { world: world.clone() });
    let engine = engine.register::<order>().register::<shipping>().register::<nap>().register::<talk>();
    engine.register::<stubborn>().register::<transfer>().register::<hold>()
}

/// Resumes the database of this name, of every version.
#[track_caller]
fn each(
    name: &str,
    script: impl Fn(FixtureTest<App>) -> FixtureTest<App>,
    check: impl Fn(&FixtureReport, &World),
) {
    for version in VERSIONS {
        let world = Arc::new(World::default());
        let report = script(resume_fixture(fixture(version, name), engine(&world))).run();
        println!("{version}: {report}");
        check(&report, &world);
        assert!(
            report.health().is_healthy() && report.health().not_followed.is_empty(),
            "{}",
            report.health()
        );
    }
}

/// What ran for a run, in order.
fn whats(world: &World, report: &FixtureReport, key: &str) -> Vec<String> {
    let id = report.run(key).id();
    world.starts().into_iter().filter(|start| start.run == id).map(|start| start.what).collect()
}

/// A line of an order.
fn line(item: &str, shelf: Option<u32>) -> Line {
    let place = Place { item: item.to_owned(), shelf };
    Line { place, cents: 120 + item.len() as u64 }
}

#[test]
fn what_has_ended_is_as_it_ended_and_nothing_of_it_runs() {
    each(
        "ended",
        |test| test,
        |report, world| {
            assert_eq!(world.starts(), []);
            assert_eq!(report.runs().len(), 5);
            assert!(
                report.runs().iter().all(|run| run.state() == run.stored_state() && run.waits().count() == 0)
            );

            let summary = report.run("succeeded 🦀 e\u{301}").result::<Summary>().unwrap();
            assert_eq!(summary.lines, [line("tea", Some(12)), line("cake", Some(12)), line("air", None)]);
            assert_eq!(summary.told, 2);
            assert_eq!(summary.parcel, ("parcel for Ödön 🦀".to_owned(), 2));
            assert_eq!(summary.verdict, Verdict { good: true, words: "gut, 好的".to_owned() });
            assert_eq!(summary.payment, Payment { booking: "booking of 1110".to_owned(), cents: 1110 });

            let failed = report.run("failed");
            let Err(Error::Failed { error, .. }) = failed.result::<Summary>() else { panic!("{report}") };
            assert_eq!((error.step(), error.attempts()), ("order/payment", 1));
            assert_eq!(error.failure().messages, ["the card is \"red\""]);
            failed.trace().assert_state("order/lines[1]/place", StepState::Undone);
            failed.trace().assert_state("order/close_session", StepState::Succeeded { cached: false });

            assert!(matches!(report.run("cancelled").result::<Summary>(), Err(Error::Cancelled { .. })));
            let Err(Error::Failed { error, .. }) = report.run("limit").result::<u64>() else {
                panic!("{report}")
            };
            assert_eq!((error.step(), error.failure().cause), ("talk/while", Cause::Limit));
            let nameless = report.runs().iter().find(|run| run.key().is_none()).unwrap();
            assert_eq!(report.run(nameless.id()).result::<String>().unwrap(), "nobody's");
        },
    );
}

#[test]
fn what_waits_goes_on_when_its_time_and_its_signals_come() {
    let script = |test: FixtureTest<App>| {
        let test = test.signal_to("review", order::review, "gut".to_owned());
        let test = test.signal_to("nap", nap::word, "morning".to_owned());
        test.signal(talk::number, 4).signal(talk::number, 5)
    };
    each("waiting", script, |report, world| {
        let summary = report.run("review").result::<Summary>().unwrap();
        assert_eq!(summary.verdict.words, "gut");
        assert_eq!(whats(world, report, "review")[..2], ["judge gut", "pay 1235"].map(str::to_owned));
        assert_eq!(report.run("nap").result::<String>().unwrap(), "Ada morning");
        assert_eq!(report.run("nap").started(), ["nap/morning"]);
        assert_eq!(report.run("nap, told before").result::<String>().unwrap(), "Bo 早安");
        // It has heard 3 before.
        assert_eq!(report.run("talk").result::<u64>().unwrap(), 12);
        assert_eq!(whats(world, report, "talk"), ["add 3 4", "add 7 5"]);
        // The attempts before count.
        assert_eq!(report.run("stubborn").result::<u32>().unwrap(), 4);
        let attempts: Vec<_> =
            world.starts().into_iter().filter(|start| start.what == "insist Cleo").collect();
        assert_eq!(attempts.len(), 1);
        assert!(report.runs().iter().all(|run| run.stored_state() == RunState::Waiting));
    });
}

#[test]
fn what_nobody_tells_anything_waits_until_its_time_is_over() {
    each(
        "waiting",
        |test| test,
        |report, _| {
            assert_eq!(report.run("review").result::<Summary>().unwrap().verdict.words, "too late");
            let Err(Error::Failed { error, .. }) = report.run("talk").result::<u64>() else {
                panic!("{report}")
            };
            assert_eq!((error.step(), error.failure().cause), ("talk/while[1]/more", Cause::Timeout));
            let nap = report.run("nap");
            assert_eq!(nap.state(), RunState::Waiting);
            let waits: Vec<_> = nap.waits().map(|step| (step.path.as_str(), step.state)).collect();
            assert_eq!(waits, [("nap/word", StepState::Waiting(Wait::Signal { until: None }))]);
            assert!(nap.to_string().ends_with("`nap` of waiting: waiting; `nap/word` waiting for a signal"));
        },
    );
}

#[test]
fn what_was_interrupted_goes_on_and_has_lost_no_attempt() {
    each(
        "interrupted",
        |test| test,
        |report, world| {
            let summary = report.run("slots").result::<Summary>().unwrap();
            assert_eq!(summary.lines.len(), 3);
            // Those that were before the interruption are not among them.
            let mut slots = whats(world, report, "slots");
            slots.truncate(4);
            slots.sort();
            assert_eq!(slots, ["price air", "price cake", "price tea", "reserve air"]);
            assert_eq!(report.run("hold").result::<String>().unwrap(), "hello");
            assert_eq!(whats(world, report, "undoing"), ["release milk", "close Bo"]);
            assert!(matches!(report.run("undoing").result::<Summary>(), Err(Error::Failed { .. })));
            assert_eq!(whats(world, report, "always"), ["close Cleo"]);
            assert_eq!(report.run("always").result::<Summary>().unwrap().lines, [line("jam", Some(12))]);
        },
    );
}

#[test]
fn what_was_killed_goes_on_where_it_was() {
    each(
        "killed",
        |test| test,
        |report, world| {
            let one = report.run("one");
            assert_eq!(one.result::<Summary>().unwrap().lines.len(), 3);
            assert_eq!(one.started()[0], "order/lines[1]/place");
            let starts =
                |path| one.trace().states(path).iter().filter(|state| **state == StepState::Running).count();
            assert_eq!([starts("order/lines[1]/place"), starts("order/lines[0]/place")], [3, 1]);
            // What was lost does not count.
            assert_eq!(one.trace().attempts("order/lines[1]/place"), 1);
            assert_eq!(report.run("two").started()[0], "order/parcel/parcel");
            assert_eq!(report.run("two").result::<Summary>().unwrap().parcel.0, "parcel for Bo");
            assert_eq!(report.run("turning").started()[0], "order/while[1]/total");
            assert_eq!(report.run("turning").result::<Summary>().unwrap().payment.cents, 1_000);
            assert_eq!(whats(world, report, "undoing"), ["release milk", "close Cleo"]);
            assert!(matches!(report.run("undoing").result::<Summary>(), Err(Error::Failed { .. })));
            assert!(matches!(report.run("cancelling").result::<String>(), Err(Error::Cancelled { .. })));
            assert_eq!(whats(world, report, "cancelling"), Vec::<String>::new());
            // Two losses were noted, and the third was the kill: it goes on.
            assert_eq!(report.run("thrice").result::<String>().unwrap(), "thrice");
            assert_eq!(whats(world, report, "thrice"), ["say thrice"]);
        },
    );
}

#[test]
fn what_may_have_been_done_is_not_done_again() {
    each(
        "unknown",
        |test| test,
        |report, world| {
            assert_eq!(world.starts(), []);
            for key in ["found", "lost"] {
                let waits: Vec<_> =
                    report.run(key).waits().map(|step| (step.path.as_str(), step.state)).collect();
                assert_eq!(waits, [("transfer/sent", StepState::OutcomeUnknown)]);
            }
        },
    );
}

#[test]
fn what_stands_in_the_log_alone_is_there() {
    each(
        "log",
        |test| test,
        |report, world| {
            assert_eq!(report.run("inside").result::<String>().unwrap(), "inside");
            assert_eq!(report.run("outside").result::<String>().unwrap(), "outside");
            assert_eq!(whats(world, report, "inside"), ["say inside"]);
        },
    );
}

#[test]
fn every_attempt_of_a_step_has_one_idempotency_key_also_in_another_version() {
    each(
        "killed",
        |test| test,
        |report, world| {
            let mut keys = HashMap::new();
            for start in world.starts() {
                let earlier = keys.insert((start.run.clone(), start.what), start.idempotency_key.clone());
                assert!(earlier.is_none_or(|earlier| earlier == start.idempotency_key));
            }
            assert!(keys.len() > 10, "{report}");
        },
    );
}

#[test]
fn a_run_of_a_workflow_that_is_not_there_is_left_as_it_is() {
    let test = resume_fixture(fixture("v1", "log"), Engine::in_memory());
    let report = test.run();
    let inside = report.run("inside");
    assert_eq!((inside.stored_state(), inside.state()), (RunState::Running, RunState::Blocked));
    assert_eq!(inside.blocked().unwrap(), "there is no workflow `hold` in this program; it has none");
}

#[test]
fn a_fixture_stays_as_it_is() {
    let contents = |folder: &Path| {
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = files.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
        files.sort();
        files
    };
    for version in VERSIONS {
        let folder = fixture(version, "log").parent().unwrap().to_owned();
        let before = contents(&folder);
        let _ = resume_fixture(fixture(version, "log"), engine(&Arc::default())).run();
        assert!(contents(&folder) == before, "a fixture of {version} has changed");
    }
}

#[test]
#[should_panic(expected = "cannot be copied")]
fn a_fixture_that_is_not_there_is_said_so() {
    let _ = resume_fixture(fixture("v0", "none"), Engine::in_memory()).run();
}
