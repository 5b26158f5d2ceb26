//! The workflows of the runs in `tests/fixtures/v1`.
//!
//! A run names its workflow by a fingerprint of the source as it is written
//! here, so nothing in a `workflow!` of this file is ever changed, not even
//! reformatted; nor are the types of what the tasks take and return. What the
//! tasks do may change.

use std::collections::HashSet;
use std::future::pending;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use workflow_runtime::{Context, Resources, StepError, task, workflow};

use crate::tasks::{Oops, oops};

/// What lies outside of all processes: who started, and whom it stops.
#[derive(Debug, Default)]
pub struct World {
    closed: HashSet<String>,
    starts: Mutex<Vec<Start>>,
}

/// A task began: for an attempt, or to undo one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    pub run: String,
    pub step: String,
    /// The task and what it is about, such as `reserve tea`.
    pub what: String,
    pub attempt: u32,
    pub idempotency_key: String,
}

impl World {
    /// A world in which whoever comes to one of these gates stays there.
    pub fn with_closed(gates: &[&str]) -> Self {
        Self { closed: gates.iter().map(|gate| (*gate).to_owned()).collect(), starts: Mutex::default() }
    }

    /// Everything that began, in order.
    pub fn starts(&self) -> Vec<Start> {
        self.starts.lock().unwrap().clone()
    }

    /// How many are at closed gates.
    pub fn held(&self) -> usize {
        self.starts().iter().filter(|start| self.closed.contains(&start.what)).count()
    }

    /// A task begins.
    async fn enter(&self, task: &str, about: &str, cx: &Context) {
        let what = format!("{task} {about}");
        let (run, step) = (cx.run_id().to_owned(), cx.step());
        let (attempt, idempotency_key) = (cx.attempt(), cx.idempotency_key());
        let is_closed = self.closed.contains(&what);
        self.starts.lock().unwrap().push(Start { run, step, what, attempt, idempotency_key });
        if is_closed {
            pending::<()>().await;
        }
    }
}

#[derive(Debug, Resources)]
pub struct App {
    pub world: Arc<World>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    pub customer: String,
    pub items: Vec<String>,
    pub fate: Fate,
}

/// What becomes of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fate {
    /// It is fine.
    Fine,
    /// A person says.
    Reviewed { by: String },
    /// Its payment is refused.
    Refused(String),
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub customer: String,
    pub number: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub item: String,
    pub shelf: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub place: Place,
    pub cents: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    pub good: bool,
    pub words: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    pub booking: String,
    pub cents: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    pub lines: Vec<Line>,
    pub told: u64,
    pub parcel: (String, u64),
    pub payment: Payment,
    pub verdict: Verdict,
}

#[task]
pub async fn open_session(customer: &str, #[resource] world: &Arc<World>, #[context] cx: &Context) -> Session {
    world.enter("open", customer, cx).await;
    Session { customer: customer.to_owned(), number: 7 }
}

#[task]
pub async fn close_session(session: &Session, #[resource] world: &Arc<World>, #[context] cx: &Context) {
    world.enter("close", &session.customer, cx).await;
}

/// A few kilobytes, after two failures.
#[task(retry(attempts = 3, backoff = list("5ms", "10ms")))]
pub async fn fetch_catalogue(
    session: &Session,
    #[resource] world: &Arc<World>,
    #[context] cx: &Context,
) -> Result<Vec<String>, Oops> {
    world.enter("fetch", &session.customer, cx).await;
    if cx.attempt() < 3 {
        return Err(oops(format!("no catalogue yet: \"{}\" \u{2028} \\ \u{0}", cx.attempt())));
    }
    Ok((0..40).map(|number| format!("№ {number}: {}", "теплый чай 🍵 ".repeat(3))).collect())
}

#[task(undo = release)]
pub async fn reserve(
    item: &str,
    session: &Session,
    #[resource] world: &Arc<World>,
    #[context] cx: &Context,
) -> Result<Place, Oops> {
    let _ = session;
    world.enter("reserve", item, cx).await;
    Ok(Place { item: item.to_owned(), shelf: (item != "air").then_some(12) })
}

/// Takes the output, and the arguments.
#[task(retry(attempts = 2, backoff = fixed("5ms")))]
pub async fn release(
    place: &Place,
    item: &str,
    session: &Session,
    #[resource] world: &Arc<World>,
    #[context] cx: &Context,
) -> Result<(), Oops> {
    let _ = (place, session);
    world.enter("release", item, cx).await;
    if cx.attempt() == 1 && item == "cake" { Err(oops("the door sticks")) } else { Ok(()) }
}

#[task(concurrency = 1)]
pub async fn price(
    place: &Place,
    catalogue: &[String],
    #[resource] world: &Arc<World>,
    #[context] cx: &Context,
) -> u64 {
    world.enter("price", &place.item, cx).await;
    catalogue.len() as u64 * 3 + place.item.chars().count() as u64
}

/// Fails for some, which nobody minds.
#[task]
pub async fn notify(item: &str, #[resource] world: &Arc<World>, #[context] cx: &Context) -> Result<u64, Oops> {
    world.enter("notify", item, cx).await;
    if item == "cake" { Err(oops("nobody wants to hear of cake")) } else { Ok(1) }
}

#[task]
pub async fn count_told(told: &[Result<u64, StepError>]) -> u64 {
    told.iter().flatten().sum()
}

#[task]
pub async fn add_up(
    sum: u64,
    lines: &[Line],
    #[resource] world: &Arc<World>,
    #[context] cx: &Context,
) -> u64 {
    world.enter("add", &sum.to_string(), cx).await;
    sum + lines.iter().map(|line| line.cents).sum::<u64>()
}

#[task]
pub async fn judge(words: &str, #[resource] world: &Arc<World>, #[context] cx: &Context) -> Verdict {
    world.enter("judge", words, cx).await;
    Verdict { good: true, words: words.to_owned() }
}

#[task(undo = refund)]
pub async fn pay(
    cents: u64,
    fate: &Fate,
    #[resource] world: &Arc<World>,
    #[context] cx: &Context,
) -> Result<Payment, Oops> {
    world.enter("pay", &cents.to_string(), cx).await;
    match fate {
        Fate::Refused(why) => Err(oops(why.clone())),
        _ => Ok(Payment { booking: format!("booking of {cents}"), cents }),
    }
}

#[task]
pub async fn refund(payment: &Payment, #[resource] world: &Arc<World>, #[context] cx: &Context) {
    world.enter("refund", &payment.booking, cx).await;
}

#[task]
pub async fn pack(customer: &str, #[resource] world: &Arc<World>, #[context] cx: &Context) -> String {
    world.enter("pack", customer, cx).await;
    format!("parcel for {customer}")
}

#[task]
pub async fn hand_over(parcel: String, items: u64, #[resource] world: &Arc<World>, #[context] cx: &Context) -> (String, u64) {
    world.enter("hand over", &parcel, cx).await;
    (parcel, items)
}

workflow! {
    /// How an order leaves the house: a child of the other one.
    pub fn shipping(customer: String, items: u64) -> Result<(String, u64)> {
        let parcel = pack(&customer);
        let handed = hand_over(parcel, items);
        Ok(handed)
    }
}

workflow! {
    /// An order, with everything that a journal can show.
    pub fn order(order: Order) -> Result<Summary> {
        let session = open_session(&order.customer);
        let catalogue = fetch_catalogue(&session)?;
        let items: Vec<String> = order.items.clone();
        let subjects: Vec<String> = order.items.clone();

        #[limit(2)]
        let lines: Vec<Line> = for item in items {
            let place = reserve(&item, &session)?;
            let cents = price(&place, &catalogue);
            Line { place, cents }
        };
        let told = for subject in subjects { notify(&subject) };
        let größe = count_told(&told);

        let mut total = add_up(0, &lines);
        #[limit(9)]
        while total < 1_000 {
            total = add_up(total, &lines);
        }

        let verdict = match order.fate {
            Fate::Reviewed { by } => {
                let said = select! {
                    words = signal::<String>("review") => judge(&words),
                    _ = sleep("30d") => judge("too late"),
                    _ = sleep_until(std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(by.len() as u64 * 1_000_000_000_000)) => judge(&by),
                };
                said
            }
            Fate::Fine => if größe > 100 { judge("many") } else { judge("few") },
            Fate::Refused(_) => Verdict { good: false, words: String::new() },
        };

        #[after(told, verdict)]
        let payment = pay(total, &order.fate)?;
        #[after(payment)]
        let parcel = shipping(order.customer.clone(), größe)?;

        #[always]
        close_session(&session);
        Ok(Summary { lines, told: größe, parcel, payment, verdict })
    }
}

#[task]
pub async fn say(words: &str, #[resource] world: &Arc<World>, #[context] cx: &Context) -> String {
    world.enter("say", words, cx).await;
    words.to_owned()
}

#[task]
pub async fn join(left: &str, right: &str, #[resource] world: &Arc<World>, #[context] cx: &Context) -> String {
    world.enter("join", right, cx).await;
    format!("{left} {right}")
}

workflow! {
    /// Sleeps for a month, and then waits for a word that may have come before.
    pub fn nap(name: String) -> Result<String> {
        let evening = say(&name);
        #[after(evening)]
        let night = sleep("30d");
        #[after(night)]
        let word = signal::<String>("word");
        let morning = join(&evening, &word);
        Ok(morning)
    }
}

#[task]
pub async fn add(a: u64, b: u64, #[resource] world: &Arc<World>, #[context] cx: &Context) -> u64 {
    world.enter("add", &format!("{a} {b}"), cx).await;
    a + b
}

workflow! {
    /// Adds what it is told, until it is enough.
    pub fn talk(enough: u64) -> Result<u64> {
        let mut heard = add(0, 0);
        #[limit(5)]
        while heard < enough {
            let more = signal::<u64>("number").within("30d")?;
            heard = add(heard, more);
        }
        Ok(heard)
    }
}

/// Fails three times, and waits a day then.
#[task(retry(attempts = 4, backoff = list("5ms", "5ms", "1d"), jitter = 0.2))]
pub async fn insist(
    name: &str,
    #[resource] world: &Arc<World>,
    #[context] cx: &Context,
) -> Result<u32, Oops> {
    world.enter("insist", name, cx).await;
    if cx.attempt() < 4 { Err(oops(format!("{name} is not at home, {}", cx.attempt()))) } else { Ok(cx.attempt()) }
}

workflow! {
    /// Insists on something.
    pub fn stubborn(name: String) -> Result<u32> {
        let tried = insist(&name)?;
        Ok(tried)
    }
}

#[task(at_most_once)]
pub async fn wire(cents: u64, #[resource] world: &Arc<World>, #[context] cx: &Context) -> String {
    world.enter("wire", &cents.to_string(), cx).await;
    format!("{cents} sent")
}

workflow! {
    /// Sends money, once.
    pub fn transfer(cents: u64) -> Result<String> {
        let cents = add(cents, 1);
        let sent = wire(cents);
        let told = say(&sent);
        Ok(told)
    }
}

workflow! {
    /// One step that stays where it is told to.
    pub fn hold(name: String) -> Result<String> {
        let held = say(&name);
        Ok(held)
    }
}
