//! What an expression gave once is that in every later process and life of its
//! run: loop variables, conditions, what regions are worth, and what a child
//! workflow is given.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use workflow_runtime::store::Memory;
use workflow_runtime::testing::block_on;
use workflow_runtime::{By, Engine, Operation, Resources, Run, task, workflow};

/// What is done, outside of any run.
#[derive(Default)]
struct World {
    /// What each place was told, each time.
    notes: Mutex<BTreeMap<String, Vec<Vec<u64>>>>,
    /// How many attempts still fail.
    failing: AtomicU64,
}

#[derive(Resources)]
struct App {
    world: Arc<World>,
}

#[derive(Debug, thiserror::Error)]
#[error("not now")]
struct NotNow;

static TICKS: AtomicU64 = AtomicU64::new(1);

/// Another value each time, like a clock.
fn tick() -> u64 {
    TICKS.fetch_add(1, Ordering::SeqCst)
}

static ASKED: AtomicU64 = AtomicU64::new(0);

/// True for the first two who ask.
fn more(_turn: u64) -> bool {
    ASKED.fetch_add(1, Ordering::SeqCst) < 2
}

#[task]
async fn note(place: &str, values: Vec<u64>, #[resource] world: &Arc<World>) {
    world.notes.lock().unwrap().entry(place.to_owned()).or_default().push(values);
}

#[task]
async fn end(values: Vec<u64>, #[resource] world: &Arc<World>) -> Result<Vec<u64>, NotNow> {
    let fails = world.failing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |times| times.checked_sub(1));
    world.notes.lock().unwrap().entry("end".to_owned()).or_default().push(values.clone());
    if fails.is_ok() { Err(NotNow) } else { Ok(values) }
}

fn all(parts: &[&[u64]]) -> Vec<u64> {
    parts.concat()
}

workflow! {
    fn younger(born: u64) -> Result<u64> {
        #[name = "given"]
        note("child before", vec![born]);
        let grown = signal::<u64>("grown");
        #[name = "grown_up"]
        note("child after", vec![born + grown]);
        Ok(born)
    }
}

workflow! {
    fn computed() -> Result<Vec<u64>> {
        let mut turns: u64 = (tick)();
        let mut last: Vec<u64> = Vec::new();
        #[limit(5)]
        while (more)(turns) {
            #[name = "turn"]
            note("turn", vec![turns]);
            turns = (tick)();
            last = (all)(&[&last, &[turns]]);
        }
        let arm: u64 = if (tick)() % 2 == 0 {
            #[name = "even"]
            note("arm", vec![]);
            (tick)()
        } else {
            #[name = "odd"]
            note("arm", vec![]);
            (tick)()
        };
        let two: Vec<u64> = vec![1, 2];
        let items: Vec<u64> = for item in two { (tick)() + item };
        #[name = "seen"]
        note("seen", (all)(&[&last, &[turns, arm], &items]));
        let child = younger((tick)())?;
        let go = signal::<u64>("go");
        #[name = "seen_again"]
        note("seen", (all)(&[&last, &[turns, arm + go], &items]));
        let ended = end((all)(&[&last, &[turns, arm, child + go], &items]))?;
        let result: Vec<u64> = if (tick)() > 0 { (all)(&[&ended, &[arm], &items]) } else { ended };
        Ok(result)
    }
}

async fn engine(store: &Memory, world: &Arc<World>) -> Engine<App> {
    let engine = Engine::with_store(Arc::new(store.clone())).resources(App { world: world.clone() });
    engine.register::<computed>().start().await.unwrap()
}

#[test]
fn what_was_computed_is_the_same_in_every_process_and_life() {
    block_on(async {
        let (store, world) = (Memory::new(), Arc::new(World::default()));
        world.failing.store(2, Ordering::SeqCst);
        let first = engine(&store, &world).await;
        let id = first.start(computed()).await.unwrap().id().to_owned();
        support::settle().await;
        first.shutdown().await;
        let second = engine(&store, &world).await;
        let run: Run<Vec<u64>> = second.run(&id).await.unwrap().typed().unwrap();
        run.signal(younger::grown, 0).await.unwrap();
        support::settle().await;
        drop(run);
        second.shutdown().await;
        let mut third = engine(&store, &world).await;
        let run: Run<Vec<u64>> = third.run(&id).await.unwrap().typed().unwrap();
        run.signal(computed::go, 0).await.unwrap();
        assert!(run.await.is_err());
        for restarts in [true, false] {
            if restarts {
                third.shutdown().await;
                third = engine(&store, &world).await;
            }
            let by = By { actor: "ann".to_owned(), reason: None };
            third.operate(Some(&id), Operation::Retry { step: None }, by).await.unwrap();
            third.run(&id).await.unwrap().wait().await;
        }
        let run: Run<Vec<u64>> = third.run(&id).await.unwrap().typed().unwrap();
        let result = run.await.unwrap();
        let notes = world.notes.lock().unwrap().clone();
        // What was done once is not done again because a condition differs.
        assert_eq!((notes["turn"].len(), notes["arm"].len()), (2, 1), "{notes:#?}");
        assert_eq!((notes["seen"].len(), notes["end"].len()), (2, 3), "{notes:#?}");
        for place in ["seen", "end"] {
            assert!(notes[place].iter().all(|told| *told == notes[place][0]), "{place}: {notes:#?}");
        }
        assert_eq!(notes["child before"], notes["child after"]);
        let (seen, end) = (&notes["seen"][0], &notes["end"][0]);
        let (arm, child) = (seen[3], notes["child before"][0][0]);
        assert_eq!(end[..4], seen[..4]);
        assert_eq!((end[4], &end[5..]), (child, &seen[4..]));
        let mut wanted = end.clone();
        wanted.push(arm);
        wanted.extend(&seen[4..]);
        assert_eq!(result, wanted);
        third.shutdown().await;
    });
}

/// A value that cannot be stored.
#[derive(Clone, Copy)]
struct Mark(u64);

impl Mark {
    fn next() -> Self {
        Self(tick())
    }

    fn number(self) -> u64 {
        self.0
    }
}

/// Lends one of them, another each time.
fn one_of(list: &[u64]) -> &u64 {
    &list[tick() as usize % list.len()]
}

workflow! {
    fn shared(failing: bool) -> Result<Vec<u64>> {
        let now = (tick)();
        let typed: u64 = (tick)();
        let (left, right) = ((tick)(), (tick)());
        let many: Vec<u64> = (1_000..2_000).collect();
        let lent = (one_of)(&many);
        let next = now + 1;
        #[name = "first"]
        note("shared", vec![now, typed, left, right, *lent, next]);
        let two: Vec<u64> = vec![1, 2];
        let items: Vec<u64> = for item in two {
            let at = (tick)();
            #[name = "seen_by_item"]
            note("shared", vec![now, typed, left, right, *lent, next]);
            #[name = "at"]
            note("item", vec![item, at]);
            #[name = "at_again"]
            note("item", vec![item, at]);
            at + item
        };
        let arm: u64 = if now > 0 {
            #[name = "seen_by_arm"]
            note("shared", vec![now, typed, left, right, *lent, next]);
            now
        } else {
            0
        };
        let go = signal::<u64>("go");
        #[name = "second"]
        #[after(go)]
        note("shared", vec![now, typed, left, right, *lent, next]);
        let ended = end(vec![now, typed, left, right, *lent, next + go])?;
        let same = arm == now && items.len() == 2 && !failing;
        let result: Vec<u64> = if same { ended } else { vec![] };
        Ok(result)
    }
}

workflow! {
    fn marked() -> Result<u64> {
        let mark = Mark::next();
        #[name = "first"]
        note("marked", vec![mark.number()]);
        #[name = "second"]
        note("marked", vec![mark.number()]);
        Ok(0)
    }
}

/// All that were noted at a place are one.
fn one_note(world: &World, place: &str, times: usize) -> Vec<u64> {
    let notes = world.notes.lock().unwrap()[place].clone();
    assert_eq!(notes.len(), times, "{place}: {notes:?}");
    assert!(notes.iter().all(|note| *note == notes[0]), "{place}: {notes:?}");
    notes[0].clone()
}

async fn sharing(store: &Memory, world: &Arc<World>) -> Engine<App> {
    let engine = Engine::with_store(Arc::new(store.clone())).resources(App { world: world.clone() });
    engine.register::<shared>().start().await.unwrap()
}

#[test]
fn a_computed_name_that_is_used_twice_is_computed_once() {
    block_on(async {
        let (store, world) = (Memory::new(), Arc::new(World::default()));
        world.failing.store(1, Ordering::SeqCst);
        let first = sharing(&store, &world).await;
        let id = first.start(shared(false)).await.unwrap().id().to_owned();
        support::settle().await;
        let seen = one_note(&world, "shared", 4);
        let items = world.notes.lock().unwrap()["item"].clone();
        for item in 1..=2 {
            let of: Vec<_> = items.iter().filter(|note| note[0] == item).collect();
            assert!(of.len() == 2 && of[0] == of[1], "{items:?}");
        }
        assert_ne!(
            items.iter().find(|note| note[0] == 1).unwrap()[1],
            items.iter().find(|note| note[0] == 2).unwrap()[1]
        );
        first.shutdown().await;

        // After a restart.
        let second = sharing(&store, &world).await;
        let run: Run<Vec<u64>> = second.run(&id).await.unwrap().typed().unwrap();
        run.signal(shared::go, 0).await.unwrap();
        assert!(run.await.is_err());
        assert_eq!(one_note(&world, "shared", 5), seen);
        second.shutdown().await;

        // In another life.
        let third = sharing(&store, &world).await;
        let by = || By { actor: "ann".to_owned(), reason: None };
        third.operate(Some(&id), Operation::Retry { step: None }, by()).await.unwrap();
        let run: Run<Vec<u64>> = third.run(&id).await.unwrap().typed().unwrap();
        assert_eq!(run.await.unwrap(), seen);
        // In a fork, of what came before the step.
        let fork = Operation::Fork { from: "shared/second".to_owned() };
        let forked = third.operate(Some(&id), fork, by()).await.unwrap();
        third.run(&forked).await.unwrap().wait().await;
        assert_eq!(one_note(&world, "shared", 6), seen);
        assert_eq!(one_note(&world, "end", 2), seen);
    });
}

/// Also where nothing is stored, and of a type that cannot be.
#[test]
fn a_computed_name_is_computed_once_in_memory() {
    block_on(async {
        let world = Arc::new(World::default());
        let engine = Engine::in_memory().resources(App { world: world.clone() });
        let engine = engine.register::<shared>().register::<marked>().start().await.unwrap();
        let run = engine.start(shared(false)).await.unwrap();
        run.signal(shared::go, 0).await.unwrap();
        run.await.unwrap();
        one_note(&world, "shared", 5);
        engine.start(marked()).await.unwrap().await.unwrap();
        one_note(&world, "marked", 2);
    });
}

workflow! {
    fn derived(failing: u64) -> Result<u64> {
        let base = end(vec![failing])?;
        let of_base = (all)(&[&base, &[(tick)()]]);
        #[name = "first"]
        note("derived", of_base.clone());
        #[name = "second"]
        note("derived", of_base.clone());
        Ok(0)
    }
}

/// What is made of a step that runs anew is computed anew.
#[test]
fn a_computed_name_is_computed_anew_where_what_it_is_made_of_is() {
    block_on(async {
        let (store, world) = (Memory::new(), Arc::new(World::default()));
        let engine = Engine::with_store(Arc::new(store.clone())).resources(App { world: world.clone() });
        let engine = engine.register::<derived>().start().await.unwrap();
        let run = engine.start(derived(3)).await.unwrap();
        let id = run.id().to_owned();
        run.await.unwrap();
        let before = one_note(&world, "derived", 2);
        let by = By { actor: "ann".to_owned(), reason: None };
        let fork = Operation::Fork { from: "derived/base".to_owned() };
        let forked = engine.operate(Some(&id), fork, by).await.unwrap();
        engine.run(&forked).await.unwrap().wait().await;
        let notes = world.notes.lock().unwrap()["derived"].clone();
        assert!(notes.len() == 4 && notes[2] == notes[3] && notes[2] != before, "{notes:?}");
    });
}

/// What it makes may borrow from a value of the run.
#[test]
fn a_computed_name_that_borrows_may_be_used_twice() {
    #[workflow_runtime::task]
    async fn weigh(id: &u64) -> u64 {
        *id * 2
    }
    workflow_runtime::workflow! {
        fn firsts(orders: Vec<u64>) -> Result<u64> {
            let first = orders.first();
            let is_there = first.is_some();
            let weight = weigh(first.unwrap_or(&0));
            Ok(if is_there { weight } else { 0 })
        }
    }
    let ran = support::drive(firsts(vec![21, 2]), async |_: workflow_runtime::Run<u64>| ());
    assert_eq!(ran.result.unwrap(), 42);
}
