//! An order as a saga: every step that changes the world says how it is
//! undone, and the engine undoes what is finished when a later step fails.
//!
//! ```text
//! cargo run --example checkout
//! ```
//!
//! Three customers order at a shop whose warehouse, card service and carrier
//! are simulated in memory. One order goes well, though the card service fails
//! twice first; one is so large that a person has to approve it; one cannot be
//! shipped and is rolled back.
//!
//! Look at `undo` and `retry` above `charge`, at `#[always]` and `select!` in
//! the workflow, and at the balances that are printed at the end.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::error::Error;
use std::fmt;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use examples::exit;
use serde::{Deserialize, Serialize};
use workflow_runtime::app::watch;
use workflow_runtime::{Context, Engine, Resources, Run, task, workflow};

/// Orders above this many euros are approved by a person.
const LARGE: u64 = 1_000;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Order {
    customer: String,
    country: String,
    item: String,
    count: u32,
    euros: u64,
}

/// What a person says about a large order.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Verdict {
    Approved { by: String },
    Declined { why: String },
}

// What can go wrong.

#[derive(Debug, thiserror::Error)]
enum StockError {
    #[error("there are only {left} of `{item}`")]
    SoldOut { item: String, left: u32 },
}

#[derive(Debug, thiserror::Error)]
enum CardError {
    #[error("the card service does not answer")]
    Unavailable,
    #[error("the card of {customer} has only {has} €")]
    Insufficient { customer: String, has: u64 },
}

impl CardError {
    fn is_transient(&self) -> bool {
        matches!(self, CardError::Unavailable)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("no carrier goes to {country}")]
struct ShippingError {
    country: String,
}

#[derive(Debug, thiserror::Error)]
#[error("declined: {0}")]
struct Declined(String);

// The tasks. What one does, its `undo` takes back.

#[derive(Debug, Serialize, Deserialize)]
struct Session {
    number: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct Reservation {
    item: String,
    count: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct Receipt {
    booking: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Sale {
    parcel: String,
    approved_by: String,
}

#[task]
async fn open_session(#[resource] bank: &Bank) -> Session {
    Session { number: bank.open_session() }
}

#[task]
async fn close_session(session: &Session, #[resource] bank: &Bank) {
    bank.close_session(session.number);
}

#[task(undo = release)]
async fn reserve(order: &Order, #[resource] warehouse: &Warehouse) -> Result<Reservation, StockError> {
    warehouse.take(&order.item, order.count)?;
    Ok(Reservation { item: order.item.clone(), count: order.count })
}

#[task]
async fn release(reservation: &Reservation, #[resource] warehouse: &Warehouse) {
    warehouse.put_back(&reservation.item, reservation.count);
}

#[task(
    undo = refund,
    timeout = "1s",
    retry(
        attempts = 5,
        backoff = exponential("50ms", factor = 2, max = "1s"),
        jitter = 0.2,
        when = CardError::is_transient,
    ),
)]
async fn charge(
    order: &Order,
    session: &Session,
    #[resource] bank: &Bank,
    #[context] cx: &Context,
) -> Result<Receipt, CardError> {
    // The key is the same on every attempt. Had the bank booked the first one
    // and only its answer been lost, the second would not book again.
    let booking = cx.idempotency_key();
    bank.book(session.number, &booking, &order.customer, order.euros)?;
    Ok(Receipt { booking })
}

#[task]
async fn refund(receipt: &Receipt, #[resource] bank: &Bank) {
    bank.take_back(&receipt.booking);
}

#[task]
async fn heed(verdict: Verdict) -> Result<String, Declined> {
    match verdict {
        Verdict::Approved { by } => Ok(by),
        Verdict::Declined { why } => Err(Declined(why)),
    }
}

#[task]
async fn give_up() -> Result<String, Declined> {
    Err(Declined("nobody has looked at it".to_owned()))
}

#[task]
async fn ship(reservation: &Reservation, country: &str) -> Result<String, ShippingError> {
    match country {
        "Atlantis" => Err(ShippingError { country: country.to_owned() }),
        _ => Ok(format!("{} × {} to {country}", reservation.count, reservation.item)),
    }
}

workflow! {
    /// Sell what one order asks for, or leave everything as it was.
    fn checkout(order: Order) -> Result<Sale> {
        let session = open_session();
        let reservation = reserve(&order)?;

        // Nobody is asked about what is sold out.
        #[after(reservation)]
        let approval = if order.euros > LARGE {
            select! {
                verdict = signal::<Verdict>("verdict") => heed(verdict)?,
                _ = sleep("2s") => give_up()?,
            }
        } else {
            "the shop".to_owned()
        };

        #[after(approval)]
        let receipt = charge(&order, &session)?;

        #[after(receipt)]
        let parcel = ship(&reservation, &order.country)?;

        #[always]
        close_session(&session);

        Ok(Sale { parcel: parcel.clone(), approved_by: approval.clone() })
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let warehouse = Warehouse::with([("teapot", 10), ("grand piano", 2)]);
    let bank = Bank::with([("Ada", 100), ("Grace", 20_000), ("Alan", 100)]);
    println!("Before:\n{bank}{warehouse}");
    let shop = Shop { warehouse: warehouse.clone(), bank: bank.clone() };
    let result = sell(shop).await;
    println!("Afterwards:\n{bank}{warehouse}");
    exit(result)
}

async fn sell(shop: Shop) -> Result<(), Box<dyn Error>> {
    let engine = Engine::in_memory().resources(shop).register::<checkout>().start().await?;

    let run = engine.start(checkout(order("Ada", "France", "teapot", 2, 60))).await?;
    let sale = watch(run).await?;
    println!("Ada gets {}, approved by {}.\n", sale.parcel, sale.approved_by);

    let run = engine.start(checkout(order("Grace", "Japan", "grand piano", 1, 12_000))).await?;
    tokio::spawn(decide(run.clone()));
    let sale = watch(run).await?;
    println!("Grace gets {}, approved by {}.\n", sale.parcel, sale.approved_by);

    let run = engine.start(checkout(order("Alan", "Atlantis", "teapot", 3, 90))).await?;
    match watch(run).await {
        Err(workflow_runtime::Error::Failed { error, .. }) => println!("Alan gets nothing: {error}.\n"),
        other => println!("Alan gets {}.\n", other?.parcel),
    }
    Ok(())
}

fn order(customer: &str, country: &str, item: &str, count: u32, euros: u64) -> Order {
    let [customer, country, item] = [customer, country, item].map(str::to_owned);
    Order { customer, country, item, count, euros }
}

/// The person who approves large orders, after some thought.
async fn decide(run: Run<Sale>) {
    tokio::time::sleep(Duration::from_millis(700)).await;
    // The run may have been cancelled meanwhile.
    let _ = run.signal(checkout::verdict, Verdict::Approved { by: "Edsger".to_owned() }).await;
}

// The world, simulated. Handles, as clients of real services are: a clone is
// the same warehouse.

/// What the tasks borrow: a `#[resource]` is found here by its type.
#[derive(Resources)]
struct Shop {
    warehouse: Warehouse,
    bank: Bank,
}

/// Knows how much of each item is on its shelves.
#[derive(Clone)]
struct Warehouse(Arc<Mutex<BTreeMap<String, u32>>>);

impl Warehouse {
    fn with<const N: usize>(items: [(&str, u32); N]) -> Self {
        Self(Arc::new(Mutex::new(items.map(|(item, count)| (item.to_owned(), count)).into())))
    }

    fn take(&self, item: &str, count: u32) -> Result<(), StockError> {
        let mut shelves = lock(&self.0);
        let left = shelves.get(item).copied().unwrap_or(0);
        let rest =
            left.checked_sub(count).ok_or_else(|| StockError::SoldOut { item: item.to_owned(), left })?;
        shelves.insert(item.to_owned(), rest);
        Ok(())
    }

    fn put_back(&self, item: &str, count: u32) {
        *lock(&self.0).entry(item.to_owned()).or_default() += count;
    }
}

/// Moves money from cards to the shop and back. Does not answer the first two
/// times.
#[derive(Clone)]
struct Bank(Arc<Mutex<Ledger>>);

struct Ledger {
    cards: BTreeMap<String, u64>,
    shop: u64,
    /// Whose card was charged, and with how much, by the key of the booking:
    /// asked twice, the bank books once.
    bookings: HashMap<String, (String, u64)>,
    /// Those that are open.
    sessions: HashSet<u32>,
    sessions_so_far: u32,
    outages: u32,
}

impl Bank {
    fn with<const N: usize>(cards: [(&str, u64); N]) -> Self {
        Self(Arc::new(Mutex::new(Ledger {
            cards: cards.map(|(customer, euros)| (customer.to_owned(), euros)).into(),
            shop: 0,
            bookings: HashMap::new(),
            sessions: HashSet::new(),
            sessions_so_far: 0,
            outages: 2,
        })))
    }

    fn open_session(&self) -> u32 {
        let mut ledger = lock(&self.0);
        ledger.sessions_so_far += 1;
        let number = ledger.sessions_so_far;
        ledger.sessions.insert(number);
        number
    }

    fn close_session(&self, number: u32) {
        lock(&self.0).sessions.remove(&number);
    }

    fn book(&self, session: u32, key: &str, customer: &str, euros: u64) -> Result<(), CardError> {
        let mut ledger = lock(&self.0);
        if ledger.outages > 0 || !ledger.sessions.contains(&session) {
            ledger.outages = ledger.outages.saturating_sub(1);
            return Err(CardError::Unavailable);
        }
        if ledger.bookings.contains_key(key) {
            return Ok(());
        }
        let has = ledger.cards.get(customer).copied().unwrap_or(0);
        let left = has
            .checked_sub(euros)
            .ok_or_else(|| CardError::Insufficient { customer: customer.to_owned(), has })?;
        ledger.cards.insert(customer.to_owned(), left);
        ledger.shop += euros;
        ledger.bookings.insert(key.to_owned(), (customer.to_owned(), euros));
        Ok(())
    }

    fn take_back(&self, key: &str) {
        let mut ledger = lock(&self.0);
        if let Some((customer, euros)) = ledger.bookings.remove(key) {
            ledger.shop -= euros;
            *ledger.cards.entry(customer).or_default() += euros;
        }
    }
}

impl fmt::Display for Warehouse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        lock(&self.0).iter().try_for_each(|(item, count)| writeln!(f, "  {item:<20}{count:>8}"))
    }
}

impl fmt::Display for Bank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ledger = lock(&self.0);
        for (customer, euros) in &ledger.cards {
            writeln!(f, "  {:<20}{euros:>8} €", format!("{customer}'s card"))?;
        }
        writeln!(f, "  {:<20}{:>8} €", "the shop", ledger.shop)?;
        writeln!(f, "  {:<20}{:>8}", "open sessions", ledger.sessions.len())
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The shop's rules, on a clock that jumps: nobody waits two seconds for a
/// person who does not come.
#[cfg(test)]
mod tests {
    use workflow_runtime::testing::{Script, block_on, crash_everywhere};

    use super::*;

    fn world() -> (Warehouse, Bank) {
        (Warehouse::with([("grand piano", 2)]), Bank::with([("Grace", 20_000)]))
    }

    /// Runs Grace's order of one grand piano, to see it fail with `expected`
    /// and everything left as it was.
    fn assert_rolled_back(script: Script, expected: &str) {
        block_on(async {
            let (warehouse, bank) = world();
            let shop = Shop { warehouse: warehouse.clone(), bank: bank.clone() };
            let engine = Engine::in_memory().resources(shop).start().await.unwrap();
            let order = order("Grace", "Japan", "grand piano", 1, 12_000);
            let run = engine.start(checkout(order)).await.unwrap();
            script.play(&run);
            let failure = run.clone().await.unwrap_err();
            assert_eq!(failure.to_string(), expected);

            run.trace().assert_never_started("checkout/receipt");
            let (shelves, cards) = world();
            assert_eq!([warehouse.to_string(), bank.to_string()], [shelves.to_string(), cards.to_string()]);
        });
    }

    #[test]
    fn a_large_order_that_nobody_looks_at_is_given_up() {
        assert_rolled_back(
            Script::new(),
            "run of `checkout` failed: step `checkout/approval[then]/select[1]/give_up` failed: \
             declined: nobody has looked at it",
        );
    }

    #[test]
    fn a_large_order_can_be_declined() {
        let why = "no pianos by parcel".to_owned();
        let script = Script::new().signal(checkout::verdict, Verdict::Declined { why });
        assert_rolled_back(
            script,
            "run of `checkout` failed: step `checkout/approval[then]/select[0]/heed` failed: \
             declined: no pianos by parcel",
        );
    }

    /// The shop's process may die at any moment: the order is what it would
    /// have been, and the customer pays once.
    #[test]
    fn an_order_survives_its_process() {
        let (warehouse, bank) = (Warehouse::with([]), Bank::with([]));
        let (shelves, cards) = (warehouse.clone(), bank.clone());
        let begin = move || {
            *lock(&shelves.0) = std::mem::take(&mut *lock(&world().0.0));
            std::mem::swap(&mut *lock(&cards.0), &mut *lock(&world().1.0));
        };
        let paid = bank.clone();
        let engine =
            move || Engine::in_memory().resources(Shop { warehouse: warehouse.clone(), bank: bank.clone() });
        let invocation = || checkout(order("Grace", "Japan", "grand piano", 1, 12_000));
        let approved = || Verdict::Approved { by: "Edsger".to_owned() };
        let report = crash_everywhere(engine, invocation)
            .before_each(begin)
            .script(move || Script::new().signal(checkout::verdict, approved()))
            .check(move |sale| {
                assert_eq!(sale.as_ref().unwrap().parcel, "1 × grand piano to Japan");
                let paid = lock(&paid.0);
                assert_eq!((paid.cards["Grace"], paid.shop), (8_000, 12_000));
            })
            .run();
        assert!(report.deaths() > 30, "{report:?}");
    }
}
