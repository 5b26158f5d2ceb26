//! A run that is driven by somebody else's event loop: nothing but what it says
//! and what it is told, and all values as JSON.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_lite_free::block_on;
use workflow_runtime::execution::{Command, End, Input, Order, PortableRun, TimerId, perform};
use workflow_runtime::run::Timestamp;
use workflow_runtime::testing::{self, Trace};
use workflow_runtime::{Context, Engine, task, workflow};

/// Polls what is always ready.
mod futures_lite_free {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    pub fn block_on<F: Future>(future: F) -> F::Output {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("these tasks do not wait"),
        }
    }
}

static UNDONE: AtomicU32 = AtomicU32::new(0);

#[task]
async fn weigh(id: &str) -> u64 {
    id.len() as u64
}

#[task(retry(attempts = 3, backoff = fixed("10s")))]
async fn fetch(id: String, #[context] cx: &Context) -> Result<String, String> {
    match cx.attempt() {
        3 => Ok(format!("{id}!")),
        attempt => Err(format!("busy {attempt}, {}", cx.step())),
    }
}

#[task]
async fn release(booking: &u64) {
    UNDONE.fetch_add(*booking as u32, Ordering::Relaxed);
}

#[task(undo = release)]
async fn book(grams: u64) -> u64 {
    grams * 10
}

#[task]
async fn halve(grams: u64) -> u64 {
    grams / 2
}

#[task]
async fn ship(address: String, grams: u64) -> Result<u64, String> {
    if address == "nowhere" { Err("no such place".to_owned()) } else { Ok(grams) }
}

workflow! {
    fn parcel(ids: Vec<String>) -> Result<u64> {
        let names = for id in ids {
            let name = fetch(id)?;
            name
        };
        let grams = weigh(&names.concat());
        let booked = if grams > 5 {
            let large = book(grams);
            large
        } else {
            0
        };
        let mut left = booked;
        #[limit(20)]
        while left > 10 {
            left = halve(left);
        }
        let address = signal::<String>("address");
        let shipped = ship(address, left)?;
        Ok(shipped)
    }
}

/// Somebody else's event loop. Time is a number, an attempt is made at once, in
/// "another process" that is sent the order as text.
fn drive(ids: &str, address: &str, begun: Timestamp) -> (End, Trace) {
    let mut run = PortableRun::new(parcel::GRAPH, "elsewhere", format!("[{ids}]").as_bytes()).unwrap();
    let (mut now, mut timers) = (begun, BTreeMap::<Timestamp, VecDeque<TimerId>>::new());
    let mut signal = Some(address);
    run.hear(now, Input::Begun).unwrap();
    loop {
        match run.next_command() {
            Some(Command::Start(order)) => {
                let sent = serde_json::to_string(&order).unwrap();
                let order: Order = serde_json::from_str(&sent).unwrap();
                let outcome = block_on(perform(parcel::GRAPH, &order, Arc::new(())));
                let outcome = serde_json::from_str(&serde_json::to_string(&outcome).unwrap()).unwrap();
                let ended = Input::AttemptEnded { attempt: order.id, outcome, roll: 0.5 };
                run.hear(now, ended).unwrap();
            }
            Some(Command::StartTimer { timer, at }) => timers.entry(at).or_default().push_back(timer),
            Some(Command::Finish(end)) => return (end, run.trace()),
            Some(other) => panic!("{other:?}"),
            None => match (timers.pop_first(), signal.take()) {
                (Some((at, due)), kept) => {
                    (now, signal) = (at, kept);
                    for timer in due {
                        run.hear(now, Input::TimerFired { timer }).unwrap();
                    }
                }
                (None, Some(address)) => {
                    now = begun.after(Duration::from_secs(3600));
                    let value = serde_json::to_vec(address).unwrap();
                    run.hear(now, Input::Signalled { name: "address".to_owned(), key: None, value }).unwrap();
                }
                (None, None) => panic!("the run waits for nothing\n{}", run.trace()),
            },
        }
    }
}

/// The same by the engine of this crate.
fn by_the_engine(ids: &[&str], address: &str) -> (Result<u64, String>, Trace) {
    testing::block_on(async {
        let engine = Engine::in_memory().start().await.unwrap();
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        let run = engine.start(parcel(ids)).await.unwrap();
        // Once everything else is done.
        tokio::time::sleep(Duration::from_secs(3600)).await;
        run.signal(parcel::address, address.to_owned()).await.unwrap();
        run.wait().await;
        let trace = run.trace();
        (run.await.map_err(|error| error.to_string()), trace)
    })
}

#[test]
fn a_run_driven_by_another_loop_goes_as_by_the_engine() {
    for (ids, text, address) in [
        (&["ab", "cde", "f"][..], r#"["ab","cde","f"]"#, "home"),
        (&["ab", "cde", "f"][..], r#"["ab","cde","f"]"#, "nowhere"),
        (&["a"][..], r#"["a"]"#, "home"),
        (&[][..], "[]", "home"),
    ] {
        UNDONE.store(0, Ordering::Relaxed);
        let (result, expected) = by_the_engine(ids, address);
        let undone = UNDONE.swap(0, Ordering::Relaxed);
        let begun = expected.events()[0].at;
        let (end, trace) = drive(text, address, begun);
        assert_eq!(trace.events(), expected.events(), "{trace}\n{expected}");
        assert_eq!(UNDONE.load(Ordering::Relaxed), undone);
        match result {
            Ok(value) => assert_eq!(end, End::Succeeded(value.to_string().into_bytes())),
            Err(_) => assert!(matches!(end, End::Failed(_)), "{end:?}"),
        }
        // Told the same once more it is the same, time by time.
        let (again, second) = drive(text, address, begun);
        assert_eq!((again, second.events()), (end, trace.events()));
    }
    fn is_send(_: impl Send) {}
    is_send(PortableRun::new(parcel::GRAPH, "sent", b"[[]]"));
}

#[test]
fn what_comes_late_or_is_no_value_of_its_step_does_no_harm() {
    let mut run = PortableRun::new(parcel::GRAPH, "late", br#"[["a"]]"#).unwrap();
    run.hear(Timestamp(1), Input::Begun).unwrap();
    let Some(Command::Start(order)) = run.next_command() else { panic!() };
    let ended = |value: &[u8]| Input::AttemptEnded {
        attempt: order.id,
        outcome: workflow_runtime::execution::Outcome::ok(value).unwrap(),
        roll: 0.5,
    };
    // A number is no name: the step has failed, for good, and with it the run.
    run.hear(Timestamp(2), ended(b"7")).unwrap();
    assert!(run.hear(Timestamp(3), ended(br#""a!""#)).is_err());
    let Some(Command::Finish(End::Failed(error))) = run.next_command() else { panic!("{}", run.trace()) };
    assert!(error.to_string().contains("invalid type"), "{error}");
    assert!(PortableRun::new(parcel::GRAPH, "none", b"[7]").is_err());
}
