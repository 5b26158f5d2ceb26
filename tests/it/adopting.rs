//! Blocked runs that an operator adopts: what has finished keeps its result,
//! whatever has changed before it, and runs again only where that is said.
//! Each module is the program of another day.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use support::tasks::{Oops, oops};
use workflow_runtime::definition::Graph;
use workflow_runtime::doctor;
use workflow_runtime::history::WhyNotUndone;
use workflow_runtime::run::RunState;
use workflow_runtime::store::Memory;
use workflow_runtime::testing::block_on;
use workflow_runtime::{
    By, Context, Engine, Error, Operation, Resources, RunsOn, StepError, Workflow, task, workflow,
};

/// What has begun in the world: the paths of steps, and their keys; and whether
/// nothing that is given back arrives.
#[derive(Default)]
struct World(Mutex<Vec<(String, String)>>, AtomicBool);

impl World {
    fn note(&self, cx: &Context) {
        self.0.lock().unwrap().push((cx.step().to_owned(), cx.idempotency_key().to_owned()));
    }

    /// The paths of the steps that have begun, in order; since it was asked
    /// last.
    fn begun(&self) -> Vec<String> {
        let mut begun: Vec<_> = self.0.lock().unwrap().drain(..).map(|(path, _)| path).collect();
        begun.sort();
        begun
    }

    fn keys(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|(_, key)| key.clone()).collect()
    }
}

#[derive(Resources)]
struct App {
    world: Arc<World>,
}

#[task(at_most_once)]
async fn charge(amount: u64, #[context] cx: &Context, #[resource] world: &Arc<World>) -> u64 {
    world.note(cx);
    amount
}

#[task]
async fn look(amount: u64, #[context] cx: &Context, #[resource] world: &Arc<World>) -> u64 {
    world.note(cx);
    amount
}

#[task(undo = give_back)]
async fn hold(amount: u64, #[context] cx: &Context, #[resource] world: &Arc<World>) -> u64 {
    world.note(cx);
    amount
}

#[task]
async fn give_back(_held: &u64, #[context] cx: &Context, #[resource] world: &Arc<World>) {
    world.note(cx);
    if world.1.load(Ordering::SeqCst) {
        std::future::pending::<()>().await;
    }
}

#[task]
async fn odd(number: u64, #[context] cx: &Context, #[resource] world: &Arc<World>) -> Result<u64, Oops> {
    world.note(cx);
    if number % 2 == 1 { Ok(number) } else { Err(oops(format!("{number} is even"))) }
}

mod monday {
    use super::*;
    workflow! {
        pub fn shop(amount: u64) -> Result<u64> {
            let held = hold(amount);
            let pay = charge(held);
            let parts: Vec<u64> = vec![pay, pay + 1];
            let looked = for part in parts {
                let one = look(part);
                one
            };
            let go = signal::<u64>("go");
            let ship = look(go + looked.len() as u64);
            Ok(ship + pay)
        }
    }
}

/// With a step before what has been paid.
mod with_a_step_before {
    use super::*;
    workflow! {
        pub fn shop(amount: u64) -> Result<u64> {
            let risk = look(amount);
            #[after(risk)]
            let held = hold(amount);
            #[after(risk)]
            let pay = charge(held);
            let parts: Vec<u64> = vec![pay, pay + 1];
            let looked = for part in parts {
                let one = look(part);
                one
            };
            #[after(risk)]
            let go = signal::<u64>("go");
            let ship = look(go + looked.len() as u64);
            Ok(ship + pay)
        }
    }
}

mod with_another_name {
    use super::*;
    workflow! {
        pub fn shop(amount: u64) -> Result<u64> {
            let held = hold(amount);
            let payment = charge(held);
            let go = signal::<u64>("go");
            let ship = look(go);
            Ok(ship + payment)
        }
    }
}

mod with_other_items {
    use super::*;
    workflow! {
        pub fn shop(amount: u64) -> Result<u64> {
            let held = hold(amount);
            let pay = charge(held);
            let parts: Vec<u64> = vec![pay + 1, pay];
            let looked = for part in parts {
                let one = look(part);
                one
            };
            let go = signal::<u64>("go");
            let ship = look(go + looked.len() as u64);
            Ok(ship + pay)
        }
    }
}

mod with_a_step_before_that_fails {
    use super::*;
    workflow! {
        pub fn shop(amount: u64) -> Result<u64> {
            let risk = odd(amount + 1)?;
            #[after(risk)]
            let held = hold(amount);
            #[after(risk)]
            let pay = charge(held);
            let go = signal::<u64>("go");
            let ship = look(go);
            Ok(ship + pay)
        }
    }
}

fn by() -> By {
    By { actor: "ann".to_owned(), reason: None }
}

async fn engine<W: Workflow + RunsOn<App>>(store: &Memory, world: &Arc<World>) -> Engine<App> {
    let builder = Engine::with_store(Arc::new(store.clone())).resources(App { world: world.clone() });
    builder.register::<W>().start().await.unwrap()
}

/// A run of Monday's program, which waits for its signal.
fn in_flight() -> (Memory, Arc<World>, String) {
    let (store, world) = (Memory::new(), Arc::new(World::default()));
    let id = block_on(async {
        let engine = engine::<monday::shop>(&store, &world).await;
        let run = engine.start(monday::shop(7)).key("a").await.unwrap();
        while run.state() != RunState::Waiting {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        run.id().to_owned()
    });
    (store, world, id)
}

fn again(steps: &[&str], even_if_done: bool) -> Operation {
    Operation::AdoptAgain { again: steps.iter().map(|step| (*step).to_owned()).collect(), even_if_done }
}

/// Adopts the run under another program and has it end.
fn adopted<W: Workflow + RunsOn<App>>(
    store: &Memory,
    world: &Arc<World>,
    id: &str,
    how: Operation,
) -> Vec<u8> {
    block_on(async {
        let engine = engine::<W>(store, world).await;
        assert!(matches!(engine.run(id).await, Err(Error::Blocked { .. })), "it is blocked");
        engine.operate(Some(id), how, by()).await.unwrap();
        let go = Operation::Signal { name: "go".to_owned(), value: 1.into() };
        engine.operate(Some(id), go, by()).await.unwrap();
        let run = engine.run(id).await.unwrap();
        run.wait().await;
        run.result().unwrap().unwrap()
    })
}

fn refused<W: Workflow + RunsOn<App>>(
    store: &Memory,
    world: &Arc<World>,
    id: &str,
    how: Operation,
) -> String {
    block_on(async {
        let engine = engine::<W>(store, world).await;
        let Err(error) = engine.operate(Some(id), how, by()).await else { panic!("it is adopted") };
        error.to_string()
    })
}

#[test]
fn a_step_before_what_has_finished_does_not_run_that_again() {
    let (store, world, id) = in_flight();
    assert_eq!(world.begun(), ["shop/held", "shop/looked[0]/one", "shop/looked[1]/one", "shop/pay"]);
    let result = adopted::<with_a_step_before::shop>(&store, &world, &id, Operation::Adopt);
    assert_eq!(
        (result.as_slice(), world.begun()),
        (&b"10"[..], vec!["shop/risk".into(), "shop/ship".into()])
    );
}

/// Also in the lives after that one, and when the process dies in between.
#[test]
fn nor_when_the_process_dies_on_the_way() {
    let (store, world, id) = in_flight();
    world.begun();
    block_on(async {
        let engine = engine::<with_a_step_before::shop>(&store, &world).await;
        engine.operate(Some(&id), Operation::Adopt, by()).await.unwrap();
    });
    let result = block_on(async {
        let engine = engine::<with_a_step_before::shop>(&store, &world).await;
        let go = Operation::Signal { name: "go".to_owned(), value: 1.into() };
        engine.operate(Some(&id), go, by()).await.unwrap();
        let run = engine.run(&id).await.unwrap();
        run.wait().await;
        run.result().unwrap().unwrap()
    });
    assert_eq!(result, b"10");
    let begun = world.begun();
    assert!(!begun.iter().any(|path| ["shop/held", "shop/pay"].contains(&&**path)), "{begun:?}");
}

/// It has been done, though this life has not come to it.
#[test]
fn what_has_finished_is_undone_where_the_step_before_it_fails() {
    let (store, world, id) = in_flight();
    world.begun();
    block_on(async {
        let engine = engine::<with_a_step_before_that_fails::shop>(&store, &world).await;
        engine.operate(Some(&id), Operation::Adopt, by()).await.unwrap();
        let run = engine.run(&id).await.unwrap();
        run.wait().await;
        assert_eq!(run.state(), RunState::Failed);
        assert_eq!(world.begun(), ["shop/held", "shop/risk"], "the hold is given back");
        engine.operate(Some(&id), Operation::Retry { step: None }, by()).await.unwrap();
        engine.run(&id).await.unwrap().wait().await;
        assert_eq!(world.begun(), ["shop/risk"]);
    });
}

/// Wherever that is: in an arm, also one that is not chosen any more, in an
/// item or in a workflow.
mod wherever {
    use super::*;

    workflow! {
        fn box_up(amount: u64) -> Result<u64> {
            let kept = if amount > 0 { let held = hold(amount + 1); held } else { 0 };
            Ok(kept)
        }
    }

    pub mod before {
        use super::*;
        workflow! {
            pub fn shop(amount: u64) -> Result<u64> {
                let first = look(amount);
                let chosen = if amount > 3 { let held = hold(first); held } else { 0 };
                let parts: Vec<u64> = vec![1, 2];
                let all = for part in parts {
                    let inner: Vec<u64> = vec![part];
                    let deep = for one in inner {
                        let held = hold(one + 10);
                        held
                    };
                    let count: u64 = deep.len() as u64;
                    count
                };
                let boxed = box_up(first)?;
                let go = signal::<u64>("go");
                Ok(go + boxed + chosen + all.len() as u64)
            }
        }
    }

    pub mod failing {
        use super::*;
        workflow! {
            pub fn shop(amount: u64) -> Result<u64> {
                let risk = odd(amount + 1)?;
                #[after(risk)]
                let first = look(amount);
                let chosen = if amount > 3 { let held = hold(first); held } else { 0 };
                let parts: Vec<u64> = vec![1, 2];
                #[after(risk)]
                let all = for part in parts {
                    let inner: Vec<u64> = vec![part];
                    let deep = for one in inner {
                        let held = hold(one + 10);
                        held
                    };
                    let count: u64 = deep.len() as u64;
                    count
                };
                let boxed = box_up(first)?;
                let go = signal::<u64>("go");
                Ok(go + boxed + chosen + all.len() as u64)
            }
        }
    }

    pub mod choosing_another_arm {
        use super::*;
        workflow! {
            pub fn shop(amount: u64) -> Result<u64> {
                let first = look(amount);
                let chosen = if amount > 99 { let held = hold(first); held } else { 0 };
                let parts: Vec<u64> = vec![1, 2];
                let all = for part in parts {
                    let inner: Vec<u64> = vec![part];
                    let deep = for one in inner {
                        let held = hold(one + 10);
                        held
                    };
                    let count: u64 = deep.len() as u64;
                    count
                };
                let boxed = box_up(first)?;
                #[after(boxed, all)]
                let risk = odd(amount + 1)?;
                let go = signal::<u64>("go");
                Ok(go + boxed + chosen + all.len() as u64 + risk)
            }
        }
    }

    pub mod going_on_with_another_arm {
        use super::*;
        workflow! {
            pub fn shop(amount: u64) -> Result<u64> {
                let first = look(amount);
                let chosen = if amount > 99 { let held = hold(first); held } else { 0 };
                let parts: Vec<u64> = vec![1, 2];
                let all = for part in parts {
                    let inner: Vec<u64> = vec![part];
                    let deep = for one in inner {
                        let held = hold(one + 10);
                        held
                    };
                    let count: u64 = deep.len() as u64;
                    count
                };
                let boxed = box_up(first)?;
                let go = signal::<u64>("go");
                Ok(go + boxed + chosen + all.len() as u64)
            }
        }
    }

    pub mod failing_without_the_arm {
        use super::*;
        workflow! {
            pub fn shop(amount: u64) -> Result<u64> {
                let first = look(amount);
                let boxed = box_up(first)?;
                #[after(boxed)]
                let risk = odd(amount + 1)?;
                let go = signal::<u64>("go");
                Ok(go + boxed + risk)
            }
        }
    }

    pub mod failing_without_undo {
        use super::*;

        #[task]
        async fn hold(amount: u64, #[context] cx: &Context, #[resource] world: &Arc<World>) -> u64 {
            world.note(cx);
            amount
        }

        workflow! {
            pub fn shop(amount: u64) -> Result<u64> {
                let risk = odd(amount + 1)?;
                #[after(risk)]
                let first = look(amount);
                let chosen = if amount > 3 { let held = hold(first); held } else { 0 };
                let boxed = box_up(first)?;
                let go = signal::<u64>("go");
                Ok(go + boxed + chosen)
            }
        }
    }
}

const WHEREVER: [&str; 4] = [
    "shop/all[0]/deep[0]/held",
    "shop/all[1]/deep[0]/held",
    "shop/boxed/kept[then]/held",
    "shop/chosen[then]/held",
];

fn held_wherever() -> (Memory, Arc<World>, String) {
    let (store, world) = (Memory::new(), Arc::new(World::default()));
    let id = block_on(async {
        let engine = engine::<wherever::before::shop>(&store, &world).await;
        let run = engine.start(wherever::before::shop(7)).key("a").await.unwrap();
        while run.state() != RunState::Waiting {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        run.id().to_owned()
    });
    let held: Vec<_> = world.begun().into_iter().filter(|path| path.ends_with("held")).collect();
    assert_eq!(held, WHEREVER);
    (store, world, id)
}

#[test]
fn what_was_never_come_to_is_undone_wherever_it_lies() {
    let (store, world, id) = held_wherever();
    block_on(async {
        let engine = engine::<wherever::failing::shop>(&store, &world).await;
        engine.operate(Some(&id), Operation::Adopt, by()).await.unwrap();
        let run = engine.run(&id).await.unwrap();
        run.wait().await;
        assert_eq!(run.state(), RunState::Failed);
        let undone: Vec<_> = world.begun().into_iter().filter(|path| path.ends_with("held")).collect();
        assert_eq!(undone, WHEREVER);
        // Once.
        engine.operate(Some(&id), Operation::Retry { step: None }, by()).await.unwrap();
        engine.run(&id).await.unwrap().wait().await;
        assert_eq!(world.begun(), ["shop/risk"]);
    });
}

#[test]
fn what_is_in_an_arm_that_is_not_chosen_any_more_is_undone() {
    let (store, world, id) = held_wherever();
    block_on(async {
        let engine = engine::<wherever::choosing_another_arm::shop>(&store, &world).await;
        engine.operate(Some(&id), Operation::Adopt, by()).await.unwrap();
        let run = engine.run(&id).await.unwrap();
        run.wait().await;
        assert_eq!(run.state(), RunState::Failed);
        let undone: Vec<_> = world.begun().into_iter().filter(|path| path.ends_with("held")).collect();
        assert_eq!(undone, WHEREVER);
    });
}

/// What is told of what stands: the paths, and why.
fn not_undone(store: &Memory, graph: &'static Graph) -> Vec<(String, WhyNotUndone)> {
    let report = doctor::examine(store, &[graph]).unwrap();
    assert!(report.is_healthy(), "{report}");
    report.not_undone.into_iter().map(|stands| (stands.step.path, stands.step.why)).collect()
}

/// Adopts the run under a program that fails, and gives the steps that are undone.
fn adopted_to_fail<W: Workflow + RunsOn<App>>(store: &Memory, world: &Arc<World>, id: &str) -> Vec<String> {
    block_on(async {
        let engine = engine::<W>(store, world).await;
        engine.operate(Some(id), Operation::Adopt, by()).await.unwrap();
        let run = engine.run(id).await.unwrap();
        run.wait().await;
        assert_eq!(run.state(), RunState::Failed);
    });
    world.begun().into_iter().filter(|path| path.ends_with("held")).collect()
}

#[test]
fn what_was_undone_does_not_stand_and_the_store_is_well() {
    for graph in [wherever::failing::shop::GRAPH, wherever::choosing_another_arm::shop::GRAPH] {
        let (store, world, id) = held_wherever();
        let undone = if std::ptr::eq(graph, wherever::failing::shop::GRAPH) {
            adopted_to_fail::<wherever::failing::shop>(&store, &world, &id)
        } else {
            adopted_to_fail::<wherever::choosing_another_arm::shop>(&store, &world, &id)
        };
        assert_eq!(undone, WHEREVER);
        assert_eq!(not_undone(&store, graph), []);
    }
}

/// A run that succeeds undoes nothing, so it is told.
#[test]
fn a_hold_in_an_arm_that_is_not_chosen_stands_and_is_told_where_the_run_succeeds() {
    use wherever::going_on_with_another_arm::shop;
    let (store, world, id) = held_wherever();
    adopted::<shop>(&store, &world, &id, Operation::Adopt);
    assert_eq!(world.begun(), [""; 0], "nothing is done, and nothing undone");
    let stands = ("shop/chosen[then]/held".to_owned(), WhyNotUndone::Unused);
    assert_eq!(not_undone(&store, shop::GRAPH), [stands]);
}

#[test]
fn a_hold_whose_step_is_gone_stands_and_is_told_where_the_run_fails() {
    use wherever::failing_without_the_arm::shop;
    let (store, world, id) = held_wherever();
    let undone = adopted_to_fail::<shop>(&store, &world, &id);
    assert_eq!(undone, ["shop/boxed/kept[then]/held"]);
    let gone = ["shop/all[0]/deep[0]/held", "shop/all[1]/deep[0]/held", "shop/chosen[then]/held"];
    assert_eq!(not_undone(&store, shop::GRAPH), gone.map(|path| (path.to_owned(), WhyNotUndone::Gone)));
}

#[test]
fn a_hold_whose_undo_is_gone_stands_and_is_told_where_the_run_fails() {
    use wherever::failing_without_undo::shop;
    let (store, world, id) = held_wherever();
    let undone = adopted_to_fail::<shop>(&store, &world, &id);
    assert_eq!(undone, ["shop/boxed/kept[then]/held"]);
    let gone = ["shop/all[0]/deep[0]/held", "shop/all[1]/deep[0]/held", "shop/chosen[then]/held"];
    assert_eq!(not_undone(&store, shop::GRAPH), gone.map(|path| (path.to_owned(), WhyNotUndone::Gone)));
}

/// What is being undone when the process dies is undone by the next one.
#[test]
fn what_was_never_come_to_is_undone_where_the_process_dies_on_the_way() {
    use wherever::failing::shop;
    let (store, world, id) = held_wherever();
    world.1.store(true, Ordering::SeqCst);
    block_on(async {
        let engine = engine::<shop>(&store, &world).await;
        engine.operate(Some(&id), Operation::Adopt, by()).await.unwrap();
        while world.keys().len() < 2 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    });
    let first = world.begun();
    assert_eq!(first.len(), 2, "the risk, and the first undo: {first:?}");
    world.1.store(false, Ordering::SeqCst);
    block_on(async {
        let engine = engine::<shop>(&store, &world).await;
        engine.run(&id).await.unwrap().wait().await;
    });
    assert_eq!(world.begun(), WHEREVER);
    assert_eq!(not_undone(&store, shop::GRAPH), []);
}

/// An attempt of a task that is not repeated, in an arm, lost with its process.
mod lost {
    use super::*;

    #[task(at_most_once, undo = give_back)]
    async fn pay(amount: u64, #[context] cx: &Context, #[resource] world: &Arc<World>) -> u64 {
        world.note(cx);
        std::future::pending::<()>().await;
        amount
    }

    pub mod before {
        use super::*;
        workflow! {
            pub fn shop(amount: u64) -> Result<u64> {
                let first = look(amount);
                let chosen = if amount > 3 { let held = pay(first); held } else { 0 };
                Ok(chosen)
            }
        }
    }

    pub mod failing {
        use super::*;
        workflow! {
            pub fn shop(amount: u64) -> Result<u64> {
                let risk = odd(amount + 1)?;
                #[after(risk)]
                let first = look(amount);
                let chosen = if amount > 3 { let held = pay(first); held } else { 0 };
                Ok(chosen)
            }
        }
    }

    pub mod going_on {
        use super::*;
        workflow! {
            pub fn shop(amount: u64) -> Result<u64> {
                let first = look(amount);
                let chosen = if amount > 99 { let held = pay(first); held } else { 0 };
                let go = signal::<u64>("go");
                Ok(chosen + go)
            }
        }
    }
}

#[test]
fn what_nobody_knows_in_an_arm_that_was_not_come_to_is_told() {
    let in_doubt = || {
        let (store, world) = (Memory::new(), Arc::new(World::default()));
        let id = block_on(async {
            let engine = engine::<lost::before::shop>(&store, &world).await;
            let run = engine.start(lost::before::shop(7)).key("a").await.unwrap();
            while world.keys().len() < 2 {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            run.id().to_owned()
        });
        world.begun();
        (store, world, id)
    };
    let unknown = [("shop/chosen[then]/held".to_owned(), WhyNotUndone::Unknown)];
    let (store, world, id) = in_doubt();
    assert_eq!(adopted_to_fail::<lost::failing::shop>(&store, &world, &id), [""; 0]);
    assert_eq!(not_undone(&store, lost::failing::shop::GRAPH), unknown);
    let (store, world, id) = in_doubt();
    adopted::<lost::going_on::shop>(&store, &world, &id, Operation::Adopt);
    assert_eq!(not_undone(&store, lost::going_on::shop::GRAPH), unknown);
}

#[test]
fn a_fork_under_changed_code_keeps_what_comes_before_its_step() {
    let (store, world, id) = in_flight();
    world.begun();
    block_on(async {
        let engine = engine::<with_a_step_before::shop>(&store, &world).await;
        let fork = Operation::Fork { from: "shop/go".to_owned() };
        let forked = engine.operate(Some(&id), fork, by()).await.unwrap();
        let go = Operation::Signal { name: "go".to_owned(), value: 1.into() };
        engine.operate(Some(&forked), go, by()).await.unwrap();
        let run = engine.run(&forked).await.unwrap();
        run.wait().await;
        assert_eq!(run.result().unwrap().unwrap(), b"10");
        assert_eq!(world.begun(), ["shop/risk", "shop/ship"]);
        // What comes after the step is done again, also what is done once.
        let fork = Operation::Fork { from: "shop/held".to_owned() };
        let forked = engine.operate(Some(&id), fork, by()).await.unwrap();
        let run = engine.run(&forked).await.unwrap();
        while !world.0.lock().unwrap().iter().any(|(path, _)| path == "shop/looked[1]/one") {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        run.cancel().await.unwrap();
        assert!(world.begun().contains(&"shop/pay".to_owned()));
    });
}

#[test]
fn a_finished_step_runs_again_where_it_is_named() {
    let (store, world, id) = in_flight();
    world.begun();
    let how = again(&["shop/looked[1]/one"], false);
    let result = adopted::<with_a_step_before::shop>(&store, &world, &id, how);
    assert_eq!(result, b"10");
    assert_eq!(world.begun(), ["shop/looked[1]/one", "shop/risk", "shop/ship"]);
}

#[test]
fn what_is_done_once_is_done_again_at_a_second_word_alone() {
    let (store, world, id) = in_flight();
    for (step, why) in [("shop/pay", "at_most_once"), ("shop/held", "undo")] {
        let reason = refused::<with_a_step_before::shop>(&store, &world, &id, again(&[step], false));
        assert!(reason.contains(why) && reason.contains("--even-if-done"), "{reason}");
    }
    let before = world.keys();
    // What it goes over is made of what is paid.
    let how = again(&["shop/pay", "shop/looked"], true);
    let result = adopted::<with_a_step_before::shop>(&store, &world, &id, how);
    assert_eq!(result, b"10");
    let keys = world.keys();
    assert_eq!(world.begun().iter().filter(|path| *path == "shop/pay").count(), 2);
    assert!(keys.iter().all(|key| keys.iter().filter(|other| *other == key).count() == 1), "another key");
    assert!(keys.len() > before.len());
}

#[test]
fn another_name_is_no_second_time() {
    let (store, world, id) = in_flight();
    let reason = refused::<with_another_name::shop>(&store, &world, &id, Operation::Adopt);
    for part in ["shop/pay", "shop/payment", "--again shop/payment --even-if-done"] {
        assert!(reason.contains(part), "{reason}");
    }
    world.begun();
    let how = again(&["shop/payment"], true);
    assert_eq!(adopted::<with_another_name::shop>(&store, &world, &id, how), b"8");
    assert_eq!(world.begun(), ["shop/payment", "shop/ship"]);
}

#[test]
fn results_do_not_go_to_other_items() {
    let (store, world, id) = in_flight();
    let reason = refused::<with_other_items::shop>(&store, &world, &id, Operation::Adopt);
    assert!(reason.contains("`--again shop/looked`"), "{reason}");
    world.begun();
    adopted::<with_other_items::shop>(&store, &world, &id, again(&["shop/looked"], false));
    assert_eq!(world.begun(), ["shop/looked[0]/one", "shop/looked[1]/one", "shop/ship"]);
}

#[test]
fn what_has_no_effect_is_refused() {
    let (store, world, id) = in_flight();
    let refusal =
        |steps: &[&str]| refused::<with_a_step_before::shop>(&store, &world, &id, again(steps, false));
    assert!(refusal(&["shop/ship"]).contains("nothing is left of `shop/ship`"));
    assert!(refusal(&["shop/risk"]).contains("shop/risk"));
    assert!(refusal(&["shop/nothing"]).contains("there is no step `shop/nothing`"));
}

mod children {
    use super::*;

    /// The natural report: what became of each item.
    #[task]
    async fn report(results: &[Result<u64, StepError>]) -> String {
        let words: Vec<String> = results
            .iter()
            .map(|result| match result {
                Ok(value) => value.to_string(),
                Err(error) => error.failure().to_string(),
            })
            .collect();
        words.join(", ")
    }

    #[task]
    async fn say(result: &Result<u64, StepError>) -> String {
        match result {
            Ok(value) => value.to_string(),
            Err(error) => error.failure().to_string(),
        }
    }

    workflow! {
        pub fn fulfil(number: u64) -> Result<u64> {
            let held = hold(number);
            let paid = charge(held);
            let odd = odd(paid)?;
            Ok(odd)
        }
    }

    workflow! {
        /// A child of a child, whose failure is a value in there.
        pub fn nested(number: u64) -> Result<String> {
            let inner = fulfil(number);
            let said = say(&inner);
            Ok(said)
        }
    }

    pub mod monday {
        use super::*;
        workflow! {
            pub fn orders(numbers: Vec<u64>, wanted: bool) -> Result<String> {
                let results = for number in numbers {
                    let one = fulfil(number);
                    one
                };
                let told = report(&results);
                let deep = nested(4)?;
                let arm = if wanted { let lone = fulfil(6); let said = say(&lone); said } else { String::new() };
                let raced = select! {
                    lost = fulfil(8) => { let said = say(&lost); said },
                    _ = sleep("3d") => "too late".to_owned(),
                };
                let go = signal::<u64>("go");
                Ok(format!("{told}; {deep}; {arm}; {raced}; {go}"))
            }
        }
    }

    pub mod tuesday {
        use super::*;
        workflow! {
            pub fn orders(numbers: Vec<u64>, wanted: bool) -> Result<String> {
                let results = for number in numbers {
                    let one = fulfil(number);
                    one
                };
                let told = report(&results);
                let deep = nested(4)?;
                let arm = if wanted { let lone = fulfil(6); let said = say(&lone); said } else { String::new() };
                let raced = select! {
                    lost = fulfil(8) => { let said = say(&lost); said },
                    _ = sleep("3d") => "too late".to_owned(),
                };
                let go = signal::<u64>("go");
                let more = look(go);
                Ok(format!("{told}; {deep}; {arm}; {raced}; {more}"))
            }
        }
    }

    /// The graph of the child is another one.
    pub mod wednesday {
        use super::*;
        workflow! {
            pub fn fulfil(number: u64) -> Result<u64> {
                let held = hold(number);
                let paid = charge(held);
                let odd = odd(paid + 1)?;
                Ok(odd)
            }
        }
        workflow! {
            pub fn orders(numbers: Vec<u64>, wanted: bool) -> Result<String> {
                let results = for number in numbers {
                    let one = fulfil(number);
                    one
                };
                let told = report(&results);
                let deep = nested(4)?;
                let arm = if wanted { let lone = fulfil(6); let said = say(&lone); said } else { String::new() };
                let raced = select! {
                    lost = fulfil(8) => { let said = say(&lost); said },
                    _ = sleep("3d") => "too late".to_owned(),
                };
                let go = signal::<u64>("go");
                Ok(format!("{told}; {deep}; {arm}; {raced}; {go}"))
            }
        }
    }

    /// It ends with a failure, to be gone on with.
    pub mod broken {
        use super::*;
        workflow! {
            pub fn retried(number: u64) -> Result<String> {
                let one = fulfil(number);
                let said = say(&one);
                let go = signal::<u64>("go");
                let last = odd(go)?;
                Ok(format!("{said}, {last}"))
            }
        }
    }

    const RESULT: &str = "1, 2 is even, 3; 4 is even; 6 is even; 8 is even; ";

    async fn waits<T>(run: &workflow_runtime::Run<T>) {
        while run.state() != RunState::Waiting {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }

    fn in_flight() -> (Memory, Arc<World>, String) {
        let (store, world) = (Memory::new(), Arc::new(World::default()));
        let id = block_on(async {
            let engine = engine::<monday::orders>(&store, &world).await;
            let run = engine.start(monday::orders(vec![1, 2, 3], true)).await.unwrap();
            waits(&run).await;
            run.id().to_owned()
        });
        // Three items, and one each of the others; what fails is taken back.
        let begun = world.begun();
        assert_eq!(begun.iter().filter(|path| path.ends_with("/paid")).count(), 6, "{begun:?}");
        (store, world, id)
    }

    async fn end<R: workflow_runtime::Resources>(engine: &Engine<R>, id: &str) -> String {
        let go = Operation::Signal { name: "go".to_owned(), value: 1.into() };
        engine.operate(Some(id), go, by()).await.unwrap();
        let run = engine.run(id).await.unwrap();
        run.wait().await;
        serde_json::from_slice(&run.result().unwrap().unwrap()).unwrap()
    }

    #[test]
    fn the_failure_of_a_child_is_kept_under_a_graph_that_changed_elsewhere() {
        let (store, world, id) = in_flight();
        block_on(async {
            let engine = engine::<tuesday::orders>(&store, &world).await;
            assert_eq!(end(&engine, &id).await, format!("{RESULT}1"));
        });
        assert_eq!(world.begun(), ["orders/more"]);
    }

    #[test]
    fn and_the_process_dies_on_the_way_there() {
        let (store, world, id) = in_flight();
        for _ in 0..2 {
            block_on(async { engine::<tuesday::orders>(&store, &world).await.run(&id).await.unwrap() });
        }
        block_on(async {
            let engine = engine::<tuesday::orders>(&store, &world).await;
            assert_eq!(end(&engine, &id).await, format!("{RESULT}1"));
        });
        assert_eq!(world.begun(), ["orders/more"]);
    }

    #[test]
    fn another_graph_of_the_child_blocks_and_an_adoption_keeps_its_failure() {
        let (store, world, id) = in_flight();
        block_on(async {
            let engine = engine::<wednesday::orders>(&store, &world).await;
            let Err(Error::Blocked { reason, .. }) = engine.run(&id).await else { panic!("it goes on") };
            assert!(
                reason.contains("workflow `orders/results/one` has failed, which is a value"),
                "{reason}"
            );
            engine.operate(Some(&id), Operation::Adopt, by()).await.unwrap();
            assert_eq!(end(&engine, &id).await, format!("{RESULT}1"));
        });
        assert_eq!(world.begun(), Vec::<String>::new());
    }

    #[test]
    fn a_failed_child_runs_again_where_it_is_named() {
        let (store, world, id) = in_flight();
        block_on(async {
            let engine = engine::<wednesday::orders>(&store, &world).await;
            let wanted = again(&["orders/results[1]/one", "orders/told"], false);
            let refused = engine.operate(Some(&id), wanted, by()).await.unwrap_err().to_string();
            assert!(
                refused.contains("orders/results/one/paid") && refused.contains("--even-if-done"),
                "{refused}"
            );
            let wanted = again(&["orders/results[1]/one", "orders/told"], true);
            engine.operate(Some(&id), wanted, by()).await.unwrap();
            assert_eq!(end(&engine, &id).await, format!("{}1", RESULT.replace("2 is even", "3")));
        });
        let again = ["held", "odd", "paid"].map(|step| format!("orders/results[1]/one/{step}"));
        assert_eq!(world.begun(), again);
    }

    #[test]
    fn a_retry_does_not_run_a_failed_child_again() {
        let (store, world) = (Memory::new(), Arc::new(World::default()));
        block_on(async {
            let engine = engine::<broken::retried>(&store, &world).await;
            let run = engine.start(broken::retried(2)).await.unwrap();
            waits(&run).await;
            run.signal(broken::retried::go, 4).await.unwrap();
            run.wait().await;
            world.begun();
            let id = run.id();
            engine.operate(Some(id), Operation::Retry { step: None }, by()).await.unwrap();
            engine.run(id).await.unwrap().wait().await;
            assert_eq!(world.begun(), ["retried/last"]);
            let set = Operation::Set { step: "retried/last".to_owned(), value: 5.into() };
            engine.operate(Some(id), set, by()).await.unwrap();
            let run = engine.run(id).await.unwrap();
            run.wait().await;
            assert_eq!(run.result().unwrap().unwrap(), br#""2 is even, 5""#);
            assert_eq!(world.begun(), Vec::<String>::new());
            // What is settled by hand inside of it opens it again.
            let fork = Operation::Fork { from: "retried/one/odd".to_owned() };
            let forked = engine.operate(Some(id), fork, by()).await.unwrap();
            engine.run(&forked).await.unwrap().wait().await;
            assert!(world.begun().contains(&"retried/one/odd".to_owned()));
        });
    }
}

/// A failed run whose undone step is done again: what is done once is not.
mod undone {
    use super::*;

    workflow! {
        pub fn sale(amount: u64, good: u64) -> Result<u64> {
            let held = hold(amount);
            let pay = charge(held);
            let looked = look(pay);
            let last = odd(good + looked - looked)?;
            Ok(last)
        }
    }

    #[test]
    fn a_retry_does_not_charge_again_for_what_was_undone_before_it() {
        let (store, world) = (Memory::new(), Arc::new(World::default()));
        block_on(async {
            let engine = engine::<sale>(&store, &world).await;
            let run = engine.start(sale(7, 2)).await.unwrap();
            run.wait().await;
            assert_eq!(world.begun(), ["sale/held", "sale/held", "sale/last", "sale/looked", "sale/pay"]);
            let id = run.id();
            for _ in 0..2 {
                engine.operate(Some(id), Operation::Retry { step: None }, by()).await.unwrap();
                engine.run(id).await.unwrap().wait().await;
                let begun = world.begun();
                assert!(!begun.contains(&"sale/pay".to_owned()), "{begun:?}");
                assert!(begun.contains(&"sale/looked".to_owned()), "{begun:?}");
            }
        });
    }
}
