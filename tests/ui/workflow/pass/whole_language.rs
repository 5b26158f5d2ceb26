//! One workflow with everything that the language has.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use workflow_runtime::{StepError, task, workflow};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    id: u64,
    customer: Customer,
    lines: Vec<(String, u64)>,
    state: State,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Customer {
    name: String,
    email: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum State {
    New,
    Paid { amount: u64 },
    Shipped(String, u64),
    Lost,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    total: u64,
    names: Vec<String>,
    text: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Verdict {
    approved: bool,
    by: String,
}

impl Verdict {
    fn auto() -> Self {
        Self { approved: true, by: "nobody".to_owned() }
    }
}

const FACTOR: u64 = 3;

mod tasks {
    use super::*;

    #[task(retry(attempts = 3))]
    pub async fn list(day: u64) -> std::io::Result<Vec<Order>> {
        let _ = day;
        Ok(Vec::new())
    }

    #[task]
    pub async fn price(order: Order, factor: &u64) -> std::io::Result<u64> {
        Ok(order.id * factor)
    }
}

#[task]
async fn names(orders: &[Order]) -> Vec<String> {
    orders.iter().map(|order| order.customer.name.clone()).collect()
}
#[task]
async fn discount(price: u64, customer: Customer) -> std::io::Result<u64> {
    let _ = customer;
    Ok(price)
}
#[task]
async fn mail(to: Option<&str>, text: &str) -> std::io::Result<()> {
    let _ = (to, text);
    Ok(())
}
#[task]
async fn number(number: u64) -> u64 {
    number
}
#[task]
async fn pair(number: u64) -> (u64, String) {
    (number, String::new())
}
#[task]
async fn map(pairs: Vec<(String, u64)>) -> BTreeMap<String, u64> {
    pairs.into_iter().collect()
}
#[task]
async fn report(report: Report) -> Report {
    report
}
#[task]
async fn judge(report: &Report, outcome: Result<u64, StepError>) -> Verdict {
    let _ = (report, outcome);
    Verdict::auto()
}
#[task]
async fn maybe(number: u64) -> Option<u64> {
    Some(number)
}
#[task]
async fn close() {}

workflow! {
    /// A child of the other.
    pub fn child(order: Order, factor: u64) -> Result<u64> {
        tasks::price(order, &factor)
    }
}

workflow! {
    /// Everything.
    ///
    /// In one place.
    #[schedule("0 2 * * MON-FRI", timezone = "Europe/Berlin", day = u64::from(tick.day().unsigned_abs()), limit = FACTOR, who = String::from("tick"))]
    pub fn whole(day: u64, limit: u64, who: String) -> Result<Report> {
        // Steps, with and without `?`, with names and without.
        let orders = tasks::list(day)?;
        let outcome = tasks::price(Order { id: 1, customer: Customer { name: who.clone(), email: None }, lines: vec![], state: State::New }, &limit);
        let all = names(&orders);
        let (first, label) = pair(limit);
        let _ = maybe(7);
        close();
        #[name = "second-close"]
        #[after(all, last)]
        close();

        // Pure expressions.
        let count = orders.len() as u64;
        let (low, high) = (count.min(3), count.max(3));
        let total: u64 = orders.iter().filter(|order| matches!(order.state, State::Paid { amount } if amount > low)).map(|order| order.id).sum();
        let text = format!("{who} has {count} of {:>width$}, {total}", label, width = 3);
        let customers: Vec<Customer> = orders.iter().map(|Order { customer, .. }| customer.clone()).collect();
        let head = orders.first();
        let unknown = Customer { name: String::new(), email: None };
        let (range, block) = (low..high, { let low = high + 1; low * 2 });

        // Steps as arguments, attributes that override.
        #[retry(attempts = 5, backoff = exponential("1s", factor = 2, max = "1m"))]
        #[timeout("10s")]
        let nested = discount(tasks::price(orders[0].clone(), &limit)?, unknown)?;
        let wrapped = number(number(nested + block));
        let found = map(vec![(who.clone(), first), (label.clone(), FACTOR)]);

        // `for`, in every form.
        #[limit(8)]
        let priced = for order in orders {
            let quote = tasks::price(order, &limit)?;
            let Order { customer, .. } = order;
            discount(quote, customer)?
        };
        let outcomes = for Customer { name, email } in customers {
            mail(email.as_deref(), &name)
        };
        let lengths = for (key, value) in found {
            number(value + key.len() as u64)
        };
        let tables: Vec<Vec<u64>> = for price in priced {
            let numbers: Vec<u64> = vec![price, range.start];
            for inner in numbers { number(inner) }
        };
        for result in outcomes {
            if result.is_err() { close(); }
        }

        // `if` and `match`, in every form.
        let verdict = if total > 10_000 && count != 0 {
            signal::<Verdict>("review").within("3d")?
        } else if let Some(Order { state: State::Paid { amount }, .. }) = head && amount > limit {
            let by = format!("{amount}");
            Verdict { approved: true, by }
        } else {
            Verdict::auto()
        };
        let chosen = match &orders[..] {
            [] => 0,
            [Order { id, state: State::New | State::Lost, .. }] => number(*id),
            [Order { state: State::Shipped(to, 1..=9), .. }, ..] if to.len() > 2 => {
                mail(None, to)?;
                number(1)
            }
            [one, .., last] => tasks::price(one.clone(), &last.id)?,
            _ => first,
        };
        match verdict {
            Verdict { approved: true, .. } => close(),
            Verdict { by, .. } => { #[name = "refused"] mail(Some(&by), &text)?; }
        }
        let waited = signal::<u64>("number").within(Duration::from_secs(60 * count));
        let bound = match waited {
            Ok(value @ 1..) => number(value),
            Ok(_) => 0,
            Err(_) => limit,
        };

        // `while`.
        let mut left = number(wrapped);
        let mut turns: u64 = 0;
        #[limit(20)]
        while left > 3 && turns < limit {
            let half = number(left / 2);
            left = if half > 3 { number(half) } else { 0 };
            turns = turns + 1;
        }

        // Time.
        sleep("1h30m");
        sleep(Duration::from_secs(left + turns));
        sleep_until(std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(bound));

        // `select!`, a child, and the end.
        let answer = select! {
            Verdict { approved, .. } = signal::<Verdict>("late") => if approved { number(1) } else { 2 },
            price = tasks::price(orders[1].clone(), &limit)? => { price }
            _ = sleep("3d") => number(chosen),
        };
        let below = child(orders[2].clone(), answer)?;
        let inner = for table in tables { for cell in table { let found = maybe(cell); match found { Some(value) => number(value), None => 0 } } };
        let names = all;
        let last = report(Report { total: below + inner.len() as u64 + lengths.iter().sum::<u64>(), names: names.clone(), text, ..Report::default() });
        judge(&last, outcome);
        #[always]
        #[name = "at-last"]
        mail(None, &who)?;
        Ok(last)
    }
}

fn main() {
    let _ = whole(1, 2, String::new());
    assert!(whole::mermaid().contains("flowchart"));
    assert_eq!(whole::review.name(), "review");
    assert_eq!(whole::GRAPH.docs, "Everything.\n\nIn one place.");
}
