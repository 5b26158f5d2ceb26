//! Everything at once, and killed again and again: runs that sleep, values
//! beside the database, signals, results that are remembered, and what operators
//! want from another process than the one that owns the store. In clear, and
//! encrypted with one key after the other.
//!
//! `WORKFLOW_KILLS=300 cargo test -p tests --test it storm` kills more often.

pub mod errands;
mod operators;

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use support::Random;
use workflow_runtime::run::RunState;
use workflow_runtime::store::{Encrypted, Key, KeyRing, RunFilter, Sqlite, Store};

use crate::files::{Scratch, assert_sound, beside, copy, look, values};
use errands::page;
use operators::{Client, Outside, Seen};

const CHILD: &str = "WORKFLOW_STORM_CHILD";

/// How many keys there have been, where the values are encrypted.
const KEYS: &str = "WORKFLOW_STORM_KEYS";

/// What the children run; nothing when it is not one of them that asks.
#[test]
fn child() {
    if let Some(folder) = std::env::var_os(CHILD) {
        let keys = std::env::var(KEYS).ok().map(|keys| ring(keys.parse().unwrap()));
        errands::work(Path::new(&folder), keys);
    }
}

/// So many keys, the newest first.
fn ring(keys: u64) -> KeyRing {
    let key = |number: u64| (format!("key {number}"), Key::from_bytes([number as u8; 32]));
    let (name, newest) = key(keys);
    (1..keys).map(key).fold(KeyRing::new(name, newest), |ring, (name, key)| ring.and(name, key))
}

/// What is wired, of a run of `errand`.
pub fn wired(number: u64) -> u64 {
    (number + 1..=number + 3).map(|part| page(part).len() as u64 + part).sum()
}

#[test]
fn promise_08_runs_of_every_kind_survive_kill_9_and_what_is_asked_is_done_once() {
    storm("storm", false);
}

#[test]
fn promise_08_encrypted_runs_survive_kill_9_and_changes_of_the_key() {
    storm("storm-encrypted", true);
}

fn storm(name: &str, encrypted: bool) {
    let kills = std::env::var("WORKFLOW_KILLS").ok().map_or(8, |kills| kills.parse::<u64>().unwrap());
    let scratch = Scratch::new(name);
    let mut storm = Storm::new(&scratch, 1 + kills / 16, encrypted);
    let mut random = Random::new(kills);
    for _ in 0..kills {
        let child = storm.spawn();
        storm.live_for(child, Duration::from_millis(random.below(450)));
        storm.examine(&scratch.path("copy.db"));
    }
    let child = storm.spawn();
    storm.live_until_done(child);
    storm.examine(&scratch.path("copy.db"));
    storm.assert_ended();
    assert_sound(&storm.database);
}

struct Storm {
    folder: PathBuf,
    database: PathBuf,
    clients: Vec<Client>,
    encrypted: bool,
    children: u64,
    /// How often each step had started when its success was seen.
    done: HashMap<(String, String), usize>,
}

/// How often each step has started, by run and path.
pub fn starts(folder: &Path) -> HashMap<(String, String), usize> {
    let mut starts = HashMap::new();
    for line in fs::read_to_string(folder.join("effects")).unwrap_or_default().lines() {
        let words: Vec<&str> = line.split(' ').collect();
        if let ["start", run, path, _] = words[..] {
            *starts.entry((run.to_owned(), path.to_owned())).or_default() += 1;
        }
    }
    starts
}

/// Promise 6, as it is at any moment: written once by each step that is
/// noted, and by each that succeeded.
pub fn check_bookings(database: &Path) -> usize {
    let db = look(database).unwrap();
    // The first booking makes the table.
    let Ok(mut booked) = db.prepare("SELECT run || '/' || step FROM storm_bookings ORDER BY 1") else {
        return 0;
    };
    let mut noted = db.prepare("SELECT key FROM effects ORDER BY 1").unwrap();
    let mut ended =
        db.prepare("SELECT id || '/' || path FROM steps WHERE path LIKE '%/booked' AND task IS NOT NULL AND state = 'succeeded'").unwrap();
    let texts = |statement: &mut rusqlite::Statement<'_>| {
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.collect::<Result<Vec<_>, _>>().unwrap()
    };
    let booked = texts(&mut booked);
    assert_eq!(booked, texts(&mut noted));
    assert!(booked.is_sorted_by(|a, b| a < b), "a step has written twice: {booked:?}");
    for step in texts(&mut ended) {
        assert!(booked.contains(&step), "{step} succeeded, and its writes are gone");
    }
    booked.len()
}

/// A child that does not outlive the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Storm {
    fn new(scratch: &Scratch, rounds: u64, encrypted: bool) -> Self {
        let mut clients = Vec::new();
        for number in (0..rounds).map(|round| 4 * round) {
            for number in [number, number + 1, number + 2] {
                let end = page(number).len() as u64 + wired(number);
                clients.push(Client::new("errand", number, ("succeeded", Some(end))));
            }
            for number in [number, number + 1] {
                let end = page(number).len() as u64 + number + 7;
                clients.push(Client::new("asked", number, ("succeeded", Some(end))));
                clients.push(Client::new("stuck", number, ("succeeded", Some(number + 1))));
            }
            clients.push(Client::new("endless", number, ("cancelled", None)));
            clients.push(Client::new("patient", number, ("succeeded", Some(number))));
        }
        let (folder, database) = (scratch.path(""), scratch.path("runs.db"));
        Self { folder, database, clients, encrypted, children: 0, done: HashMap::new() }
    }

    /// How many keys there have been: every other child brings one.
    fn keys(&self) -> Option<u64> {
        self.encrypted.then(|| self.children.div_ceil(2))
    }

    fn spawn(&mut self) -> Killed {
        self.children += 1;
        let log = File::create(self.folder.join("child.log")).unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "storm::child", "--nocapture"])
            .env(CHILD, &self.folder)
            .envs(self.keys().map(|keys| (KEYS, keys.to_string())))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        Killed(child.unwrap())
    }

    /// The operators go on with what they want; true when all have it.
    fn operate(&mut self) -> bool {
        let keys = self.keys().map(ring);
        let Some(outside) = Outside::of(&self.database, keys.as_ref()) else { return false };
        let seen = Seen::of(&self.database).unwrap();
        // Each of them is asked.
        let done = self.clients.iter_mut().map(|client| client.go_on(&self.folder, &outside, &seen));
        done.filter(|done| !done).count() == 0
    }

    /// Kills the child after a time, whatever it is at.
    fn live_for(&mut self, mut child: Killed, time: Duration) {
        let killed_at = Instant::now() + time;
        // Every look of a visitor ends with the look, so that the next process
        // may be the first one to open the files, or not.
        while Instant::now() < killed_at {
            self.look_on(&mut child);
        }
    }

    fn live_until_done(&mut self, mut child: Killed) {
        let begun = Instant::now();
        while !self.look_on(&mut child) {
            assert!(begun.elapsed() < Duration::from_secs(120), "the runs do not get to their ends");
        }
    }

    fn look_on(&mut self, child: &mut Killed) -> bool {
        if child.0.try_wait().unwrap().is_some() {
            panic!("a child ended by itself: {}", fs::read_to_string(self.folder.join("child.log")).unwrap());
        }
        let done = self.operate();
        // Another process does the work, so there is nothing to steer here.
        std::thread::sleep(Duration::from_millis(5));
        done
    }

    /// What a child has left, examined on a copy, so that the next child finds
    /// it as it was left.
    fn examine(&mut self, copied: &Path) {
        let Some(seen) = Seen::of(&self.database) else { return };
        let starts = starts(&self.folder);
        for step in seen.succeeded().filter(|(_, path)| !path.starts_with("stuck/")) {
            // Regions and waits are no tasks.
            let Some(starts) = starts.get(step) else { continue };
            let before = *self.done.entry(step.clone()).or_insert(*starts);
            assert_eq!(*starts, before, "{step:?} started again after its success was committed");
        }
        copy(&self.database, copied);
        assert_sound(copied);
        check_bookings(copied);
        for ending in ["", "-wal", "-shm", ".lock"] {
            drop(fs::remove_file(beside(copied, ending)));
        }
        fs::remove_dir_all(beside(copied, "-values")).ok();
    }

    fn assert_ended(&self) {
        let store: Arc<dyn Store> = Arc::new(Sqlite::open(&self.database).unwrap());
        let store = match self.keys().map(ring) {
            Some(keys) => Arc::new(Encrypted::open(store, &keys).unwrap()),
            None => store,
        };
        let (seen, starts) = (Seen::of(&self.database).unwrap(), starts(&self.folder));
        let effects = fs::read_to_string(self.folder.join("effects")).unwrap();
        let started =
            |id: &str, path: &str| starts.get(&(id.to_owned(), path.to_owned())).copied().unwrap_or(0);
        let mut bookings = 0;
        for Client { workflow, number, id, end: (state, result), requests, heard, .. } in &self.clients {
            let id = id.as_deref().unwrap();
            let run = store.find(id).unwrap().pop().unwrap();
            let value = run.end.as_ref().and_then(|end| end.result.as_ref());
            let value = value.map(|value| serde_json::from_slice::<u64>(&value.bytes).unwrap());
            assert_eq!((run.state.to_string().as_str(), value), (*state, *result), "{workflow} {number}");
            // Each request, that to start it included, is answered once and done
            // once.
            let asked = store.requests(Some(id), 99).unwrap();
            assert_eq!(asked.len(), *requests, "{workflow} {number}: {asked:#?}");
            assert!(asked.iter().all(|asked| asked.answer.as_ref().unwrap().result.is_ok()), "{asked:#?}");
            let journal = store.journal(run.run).unwrap();
            for (event, times) in heard {
                let named = format!("\"event\":\"{event}\"");
                let heard = journal.iter().filter(|entry| entry.event.contains(&named)).count();
                assert_eq!(heard, *times, "{workflow} {number}: {event}\n{journal:#?}");
            }
            match *workflow {
                "errand" => {
                    bookings += 3;
                    assert!(started(id, "errand/wired") <= 1, "wired twice");
                    // The run itself has left the result, with the success.
                    assert_eq!(started(id, "errand/again"), 0, "nobody remembers the price");
                    assert_eq!(seen.state(id, "errand/again"), Some("cached"));
                    for path in ["errand/first", "errand/told"] {
                        assert!(started(id, path) >= 1, "{path} never ran");
                    }
                }
                "endless" => {
                    assert_eq!(run.state, RunState::Cancelled);
                    assert!(effects.contains(&format!("undo{number} {id}")), "it was not undone");
                    assert_eq!(started(id, "endless/told"), 0);
                }
                "stuck" => assert!(effects.contains(&format!("undo{number} {id}")), "it was not undone"),
                "patient" => assert!(started(id, "patient/insisted") >= 2, "it was not tried again"),
                _ => assert!(started(id, "asked/told") >= 1),
            }
        }
        // One run for each that was wanted.
        let all = RunFilter { at_most: usize::MAX, ..RunFilter::default() };
        assert_eq!(store.list(&all).unwrap().len(), self.clients.len());
        assert!(store.open_requests().unwrap().is_empty());
        store.close();
        assert_eq!(check_bookings(&self.database), bookings);
        let beside = beside(&self.database, "-values");
        let is_clear = |value: &PathBuf| fs::read(beside.join(value)).unwrap().starts_with(b"\"page ");
        assert_eq!(values(&self.database).iter().any(is_clear), !self.encrypted);
    }
}
