//! The expansion is quiet under every lint of the user's.

#![deny(warnings, missing_docs, unused, nonstandard_style, rust_2018_idioms, unreachable_pub)]
#![deny(clippy::all, clippy::pedantic)]
// Of the tasks below, not of the expansion.
#![allow(clippy::unused_async, clippy::missing_errors_doc)]

use serde::{Deserialize, Serialize};
use workflow_runtime::{task, workflow};

/// An order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    /// Its number.
    pub id: u64,
}

/// Lists.
#[task]
pub async fn list(day: u64) -> std::io::Result<Vec<Order>> {
    Ok(vec![Order { id: day }])
}

/// Prices.
#[task]
pub async fn price(order: Order, factor: &u64) -> u64 {
    order.id * *factor
}

/// Adds.
#[task]
pub async fn add(prices: &[u64]) -> u64 {
    prices.iter().sum()
}

workflow! {
    /// Prices the orders of a day.
    #[schedule("0 2 * * *", day = 1, urgent = tick.hour() > 3)]
    pub fn nightly(day: u64, urgent: bool) -> Result<u64> {
        let orders = list(day)?;
        let factor = orders.len() as u64;
        #[limit(3)]
        let prices = for order in orders {
            price(order, &factor)
        };
        let total = add(&prices);
        let mut guess = add(&prices);
        #[limit(10)]
        while guess < total {
            guess = guess + 1;
        }
        let answer = match total {
            0 => 0,
            1..=9 if urgent => signal::<u64>("answer"),
            _ => add(&[total, guess]),
        };
        if answer > 1 {
            #[name = "again"]
            list(answer)?;
        }
        #[always]
        add(&prices);
        Ok(answer)
    }
}

fn main() {
    let _ = nightly(1, true);
    let _ = nightly::mermaid();
    let _ = nightly::answer.name();
}
