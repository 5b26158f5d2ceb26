//! A program with runs of every kind, its command line, and its console.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::Value as Json;
use tower::ServiceExt;
use workflow_runtime::serve::{Console, router};
use workflow_runtime::{App, Engine, Secret, task, workflow};

#[derive(Debug)]
pub struct Said(String);

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Said {}

#[task]
async fn say(text: String, fails: bool) -> Result<String, Said> {
    tracing::info!("{text}");
    if fails { Err(Said(text)) } else { Ok(text) }
}

workflow! {
    /// Says something, or fails with it.
    pub fn utter(text: String, fails: bool) -> Result<String> {
        let said = say(text, fails)?;
        Ok(said)
    }
}

#[task(retry(attempts = 5, backoff = fixed("1h")))]
async fn try_for_days(day: u32) -> Result<u32, Said> {
    Err(Said(format!("day {day} is closed")))
}

workflow! {
    /// Is tried again in an hour.
    pub fn tried(day: u32) -> Result<u32> {
        let done = try_for_days(day)?;
        Ok(done)
    }
}

workflow! {
    /// Waits for a person, and goes on without in three days.
    pub fn asked(question: String) -> Result<String> {
        let answer = signal::<String>("answer").within("3d")?;
        let said = say(format!("{question} {answer}"), false)?;
        Ok(said)
    }
}

#[task]
async fn each(number: u32) -> Result<u32, Said> {
    if number == 3 { Err(Said("three is not to be had".to_owned())) } else { Ok(number) }
}

#[task]
async fn all(count: u32) -> Vec<u32> {
    (0..count).collect()
}

workflow! {
    /// Goes through numbers, of which the fourth fails.
    pub fn counted(count: u32) -> Result<usize> {
        let numbers = all(count);
        let results = for number in numbers {
            let one = each(number)?;
            one
        };
        Ok(results.len())
    }
}

workflow! {
    /// Sleeps for a day, and takes one of two ways.
    pub fn slept(long: bool) -> Result<u32> {
        let number = if long {
            sleep("1d");
            let eight: u32 = 8;
            eight
        } else {
            7
        };
        Ok(number)
    }
}

#[task(undo = give_back)]
async fn take(seat: u32) -> u32 {
    seat
}

#[task(retry(attempts = 5, backoff = fixed("1h")))]
async fn give_back(_seat: &u32) -> Result<(), Said> {
    Err(Said("the desk is closed".to_owned()))
}

workflow! {
    /// Fails, and cannot undo what it did for now.
    pub fn taken(seat: u32) -> Result<String> {
        let own = take(seat);
        let said = say(format!("seat {own} is taken"), true)?;
        Ok(said)
    }
}

workflow! {
    /// Has a secret.
    pub fn hidden(user: String, word: Secret<String>) -> Result<Secret<String>> {
        let code = signal::<Secret<String>>("code");
        let told = say(format!("{user} is in"), false)?;
        Ok(Secret::new(format!("{told} {} {}", word.expose(), code.expose())))
    }
}

/// A store of the program's.
pub struct World {
    pub store: PathBuf,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    #[track_caller]
    pub fn json(&self) -> Json {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

impl World {
    pub fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("serve").join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self { store: folder.join("runs.db") }
    }

    /// Runs of every kind, each as far as it goes by itself.
    pub fn full(name: &str) -> Self {
        let world = Self::new(name);
        for run in [
            &["utter", "text=hello", "fails=false"][..],
            &["utter", "text=no route", "fails=true"],
            &["tried", "day=4"],
            &["asked", "question=why?", "--key", "monday"],
            &["counted", "count=3"],
            &["counted", "count=6"],
            &["slept", "long=true"],
            &["slept", "long=false"],
            &["hidden", "user=ada", "word=Mitzi-the-cat"],
            &["asked", "question=is it paused?", "--key", "paused"],
            &["asked", "question=is it cancelled?", "--key", "cancelled"],
        ] {
            world.fine(&[&["start"], run].concat());
        }
        world.fine(&["work", "--drain"]);
        let of_key = |key: &str| {
            let runs = world.fine(&["ls", "--json"]);
            let runs = runs.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
            let run = runs.into_iter().find(|run| run["key"] == key).unwrap();
            run["id"].as_str().unwrap().to_owned()
        };
        world.fine(&["pause", &of_key("paused"), "--reason", "not now", "--as", "ada"]);
        world.fine(&["cancel", &of_key("cancelled"), "--as", "ada"]);
        world.fail_to_undo();
        // Not begun.
        world.fine(&["start", "utter", "text=later", "fails=false"]);
        world
    }

    /// A run that waits for an hour to undo what it did. `work --drain` would
    /// wait for that.
    fn fail_to_undo(&self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let engine =
                Engine::open(&self.store).recover(false).grace(Duration::ZERO).start().await.unwrap();
            let run = engine.start(taken(12)).await.unwrap();
            let has_failed = || run.snapshot().step("taken/own").unwrap().next_attempt_at.is_some();
            for _ in 0..10_000 {
                if has_failed() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert!(has_failed());
            engine.shutdown().await;
        });
    }

    pub fn app(&self) -> App {
        let app = App::new().store(&self.store).register::<utter>().register::<tried>().register::<asked>();
        app.register::<counted>().register::<slept>().register::<taken>().register::<hidden>()
    }

    pub fn console(&self) -> Console {
        let console = Console::open(&self.store).register::<utter>().register::<tried>().register::<asked>();
        console.register::<counted>().register::<slept>().register::<taken>().register::<hidden>()
    }

    /// What a command prints that does what it should.
    #[track_caller]
    pub fn fine(&self, args: &[&str]) -> String {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = self.app().run([&["program"], args].concat(), &mut out, &mut err);
        let (out, err) = (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap());
        assert_eq!(code, 0, "{args:?}: {out}{err}");
        out
    }

    /// The ids of all runs, the newest first.
    pub fn ids(&self) -> Vec<String> {
        let list = self.get("/api/v1/runs").json();
        list["runs"].as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap().to_owned()).collect()
    }

    /// The id of the newest run of a workflow in a state.
    #[track_caller]
    pub fn id(&self, workflow: &str, state: &str) -> String {
        let list = self.get(&format!("/api/v1/runs?workflow={workflow}&state={state}")).json();
        list["runs"][0]["id"].as_str().unwrap_or_else(|| panic!("{list}")).to_owned()
    }

    pub fn get(&self, address: &str) -> Answer {
        get(router(self.console()), address)
    }
}

pub fn get(router: Router, address: &str) -> Answer {
    ask(router, Request::get(address).header("host", "localhost:8080").body(Body::empty()).unwrap())
}

/// Asks a router, on a runtime of its own.
pub fn ask(router: Router, request: Request<Body>) -> Answer {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let response = router.oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        Answer { status: head.status, headers: head.headers, text }
    })
}
