//! The workflows of the examples, with a process that dies at every commit.
//!
//! `checkout` does so in its own tests. `checks` does not: each of its steps is
//! a cargo, and there would be hundreds.

use std::fs;

use workflow_runtime::testing::{Script, crash_everywhere};
use workflow_runtime::{Engine, Error};

use super::{data, folder};

#[allow(dead_code)]
#[path = "../../../examples/nightly.rs"]
mod nightly;
#[allow(dead_code)]
#[path = "../../../examples/quickstart.rs"]
mod quickstart;
#[allow(dead_code)]
#[path = "../../../examples/resume.rs"]
mod resume;
#[allow(dead_code)]
#[path = "../../../examples/shop.rs"]
mod shop;
#[allow(dead_code)]
#[path = "../../../examples/weather.rs"]
mod weather;

/// A few days of two years: what is read is read hundreds of times.
fn days(name: &str) -> (std::path::PathBuf, String) {
    let folder = folder(name);
    let csv = folder.join("days.csv");
    let lines = "2012-01-01,0.0,12.8,5.0\n2012-02-02,10.9,10.6,2.8\n2013-07-03,0.8,31.7,17.2\n";
    fs::write(&csv, format!("date,rain,high,low\n{lines}")).unwrap();
    (folder, csv.to_str().unwrap().to_owned())
}

#[test]
fn quickstart_survives_everything() {
    let (_, csv) = days("crash-quickstart");
    let report = crash_everywhere(Engine::in_memory, move || quickstart::weather(csv.clone()))
        .check(|answer| {
            let words = "Seattle had 2 wet days in four years, and its hottest day was 2013-07-03 (31.7 °C).";
            assert_eq!(answer.as_ref().unwrap(), words);
        })
        .run();
    assert!(report.deaths() > 20, "{report:?}");
}

#[test]
fn weather_survives_everything() {
    let (folder, csv) = days("crash-weather");
    let written = folder.join("output");
    let output = written.clone();
    let report =
        crash_everywhere(Engine::in_memory, move || weather::weather(csv.clone().into(), output.clone()))
            .check(move |report| {
                assert!(report.is_ok());
                let text = fs::read_to_string(written.join("report.md")).unwrap();
                assert!(text.contains("| all  |     3 |"), "{text}");
                // The warnings are those of the arm that was taken.
                assert_eq!(text.matches("**An unusual year:**").count(), 2);
                assert!(written.join("2012.svg").exists() && written.join("2013.svg").exists());
                fs::remove_dir_all(&written).unwrap();
            })
            .run();
    assert!(report.deaths() > 50, "{report:?}");
}

#[test]
fn resume_survives_everything() {
    let (_, csv) = days("crash-resume");
    let report = crash_everywhere(Engine::in_memory, move || resume::survey(csv.clone()))
        .check(|wettest| assert_eq!(wettest.as_ref().unwrap(), "2012-02 with 10.9 mm"))
        .run();
    assert!(report.deaths() > 30, "{report:?}");
}

#[test]
fn the_nightly_report_survives_everything() {
    for (verdict, words) in
        [(nightly::Verdict::Approved, "2026-11-20: "), (nightly::Verdict::Refused, "refused")]
    {
        let engine =
            || Engine::in_memory().mock::<nightly::file_away>(|(day, _)| Ok(format!("file of {day}")));
        let day = jiff::civil::date(2026, 11, 20);
        let report = crash_everywhere(engine, move || nightly::nightly(day, None))
            .script(move || Script::new().signal(nightly::nightly::review, verdict))
            .check(move |told| match told {
                Ok(told) => {
                    assert!(told.starts_with(words) && told.ends_with("(file of 2026-11-20)"), "{told}")
                }
                Err(error) => {
                    assert!(error.to_string().ends_with("the report of 2026-11-20 was refused"), "{error}")
                }
            })
            .run();
        assert!(report.deaths() > 80, "{report:?}");
    }
}

#[test]
fn the_shop_survives_everything() {
    let takings = data("takings.txt").to_str().unwrap().to_owned();
    let sum: u64 =
        fs::read_to_string(&takings).unwrap().lines().map(|line| line.parse::<u64>().unwrap()).sum();
    let report = crash_everywhere(Engine::in_memory, move || shop::takings(takings.clone(), None))
        .check(move |told| assert_eq!(*told.as_ref().unwrap(), sum))
        .run();
    assert!(report.deaths() > 50, "{report:?}");

    for verdict in [shop::Verdict::Approved, shop::Verdict::Refused] {
        let report = crash_everywhere(Engine::in_memory, || shop::payment(12, "Ada".to_owned()))
            .script(move || Script::new().signal(shop::payment::review, verdict))
            .check(move |paid| match verdict {
                shop::Verdict::Approved => assert_eq!(paid.as_ref().unwrap(), "Ada gets 12 €"),
                shop::Verdict::Refused => assert!(matches!(paid, Err(Error::Failed { .. })), "{paid:?}"),
            })
            .run();
        assert!(report.deaths() >= 10, "{report:?}");
    }

    let report = crash_everywhere(Engine::in_memory, || shop::stocktaking("Monday".to_owned())).run();
    assert!(report.deaths() >= 5, "{report:?}");
}
