//! Every kind of parameter and of result.

use std::io;

use workflow_runtime::{Context, Task, task};

#[derive(serde::Serialize, serde::Deserialize)]
struct Order {
    id: u64,
}

struct Bank;

#[derive(Debug)]
struct CardError;
impl std::fmt::Display for CardError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no card")
    }
}
impl std::error::Error for CardError {}
impl CardError {
    fn is_transient(&self) -> bool {
        true
    }
}

/// Charges.
#[task(
    retry(attempts = 5, backoff = exponential("200ms", factor = 2, max = "30s"), jitter = 0.2, when = CardError::is_transient, budget = "5m"),
    timeout = "10s",
    deadline = "1m"
)]
async fn charge(
    order: &Order,
    mut cents: u64,
    #[resource] bank: &Bank,
    #[context] cx: &Context,
) -> Result<Order, CardError> {
    let _ = (bank, cx.attempt());
    cents += 1;
    Ok(Order { id: order.id + cents })
}

#[task]
async fn nothing() {}

#[task(blocking, retry(attempts = 3, backoff = list("1s", "5s")), rate = "10/s", concurrency = 4, version = 3, name = "counted", cache = "24h")]
fn count(count: &str) -> u64 {
    count.len() as u64
}

#[task(at_most_once)]
async fn read(_: &[u8], args: Vec<u8>, context: std::borrow::Cow<'_, str>) -> io::Result<u64> {
    Ok(args.len() as u64 + context.len() as u64)
}

fn main() {
    assert_eq!(<charge as Task>::DEF.name, "charge");
    assert_eq!(<charge as Task>::DEF.policy.retry.attempts, 5);
    assert!(<charge as Task>::DEF.fallible);
    assert_eq!(<count as Task>::DEF.name, "counted");
    assert!(<count as Task>::DEF.blocking);
    assert!(<read as Task>::DEF.at_most_once);
    let _ = charge::call(&Order { id: 1 }, 3);
    let _ = nothing::call();
    let _ = count("abc");
    let _ = count::call("abc");
    let _ = read::call(&[], vec![], "".into());
}
