//! Plain functions in expressions, and attributes above a workflow that are
//! kept.

#![deny(warnings)]

use workflow_runtime::{task, workflow};

mod plain {
    pub fn twice(number: u64) -> u64 {
        number * 2
    }
}

fn price(number: u64) -> u64 {
    number + 1
}

#[task]
async fn list(length: u64) -> Vec<u64> {
    vec![length]
}

workflow! {
    /// Every call that is no step.
    #[cfg(all())]
    #[allow(unused_variables)]
    #[must_use]
    #[cfg_attr(all(), doc = "More.")]
    pub fn numbers(id: u64) -> Result<u64> {
        let prices = list((price)(id));
        let unused = 3;
        let sum = (price)(id) + (plain::twice)(id) + u64::from(3_u8) + std::cmp::max(id, 2);
        let most = std::cmp::max(id, 3);
        let all: u64 = prices.iter().map(|one| (price)(*one)).sum();
        let texts = list(prices.iter().map(u64::to_string).map(|text| text.len() as u64).sum());
        let converted = list(u64::from(4_u8));
        let platform: u64 = if cfg!(unix) { 1 } else { 2 };
        let text = format!("{}", (price)(most));
        Ok(sum + all + texts[0] + converted[0] + platform + text.len() as u64)
    }
}

workflow! {
    #[cfg(any())]
    pub fn absent(id: u64) -> Result<u64> {
        let prices = list(id);
        Ok(prices[0])
    }
}

fn main() {
    let _ = numbers(1);
}
