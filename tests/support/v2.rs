//! The workflow of the runs in `tests/fixtures/v2/operated.db`: of what version
//! 2 of the schema brought. Never changed, as those in `v1`.

use workflow_runtime::sqlite::{self, params};
use workflow_runtime::{Context, task, workflow};

#[task(cache = "3650d")]
pub async fn price(item: &str) -> u64 {
    100 * item.len() as u64
}

/// The sum of all that was booked until now.
#[task(transaction)]
pub fn book(item: &str, cents: u64, #[context] cx: &Context) -> sqlite::Result<u64> {
    let tx = cx.transaction();
    tx.execute_batch("CREATE TABLE IF NOT EXISTS shop_ledger (item TEXT, cents INTEGER)")?;
    tx.execute("INSERT INTO shop_ledger VALUES (?1, ?2)", params![item, cents.cast_signed()])?;
    let sum: i64 = tx.query_row("SELECT sum(cents) FROM shop_ledger", [], |row| row.get(0))?;
    Ok(sum.cast_unsigned())
}

#[task]
pub async fn print(item: &str, sum: u64, word: &str) -> String {
    format!("{item}: {word}, {sum} in all")
}

workflow! {
    /// Sells something, once somebody has a word for it.
    pub fn sale(item: String) -> Result<String> {
        let cents = price(&item);
        let sum = book(&item, cents)?;
        #[after(sum)]
        let word = signal::<String>("word");
        let receipt = print(&item, sum, &word);
        Ok(receipt)
    }
}
