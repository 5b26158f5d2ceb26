//! What a task with `transaction` writes with: the store's own connection, lent
//! for the time of the task's call.

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::rc::Rc;

use rusqlite::Connection;

use crate::task::context::Context;

thread_local! {
    /// Set on a store's thread while a task has the connection.
    static LENT: RefCell<Option<Rc<Connection>>> = const { RefCell::new(None) };

    /// Says when the statements of that task are to end.
    static STOP: RefCell<Option<Rc<dyn Fn() -> bool>>> = const { RefCell::new(None) };
}

/// The transaction of a task with `transaction`: a SQLite connection whose
/// writes are kept together with the success of the task's step, or not at
/// all. From [`Context::transaction`].
///
/// It derefs to a [`Connection`](crate::sqlite::Connection) of `rusqlite`:
///
/// ```
/// use workflow_runtime::sqlite::{self, params};
/// use workflow_runtime::{Context, Engine, Result, task, workflow};
///
/// #[task(transaction)]
/// fn book(account: String, cents: i64, #[context] cx: &Context) -> sqlite::Result<i64> {
///     let tx = cx.transaction();
///     tx.execute_batch("CREATE TABLE IF NOT EXISTS bookings (account TEXT, cents INTEGER)")?;
///     tx.execute("INSERT INTO bookings VALUES (?1, ?2)", params![account, cents])?;
///     tx.query_row("SELECT sum(cents) FROM bookings WHERE account = ?1", [account], |row| row.get(0))
/// }
///
/// workflow! {
///     fn pay(account: String) -> Result<i64> {
///         let balance = book(account, 250)?;
///         Ok(balance)
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// # let folder = std::env::temp_dir().join(format!("workflow-doc-tx-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder).unwrap();
/// # let path = folder.join("runs.db");
/// let engine = Engine::open(&path).start().await?;
/// assert_eq!(engine.start(pay("ada".to_owned())).await?.await?, 250);
/// # engine.shutdown().await;
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok(())
/// # }
/// ```
///
/// # What to know
///
/// - The engine writes nothing meanwhile, for no run: keep it short, and do in
///   a task before it what has to wait for anything else.
/// - The transaction is the engine's to end. A `COMMIT` or `ROLLBACK` of the
///   task's keeps nothing, and fails the step. Savepoints are the task's own.
/// - The tables are in the engine's file, beside its own. Names that begin
///   with that of your program do not meet those of a later version.
/// - Foreign keys are enforced.
pub struct Transaction<'cx> {
    connection: Rc<Connection>,
    /// It does not outlive the task's call.
    of: PhantomData<&'cx Context>,
}

impl Deref for Transaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").finish_non_exhaustive()
    }
}

impl Context {
    /// The transaction of this attempt, for a task with `transaction`: what is
    /// written with it is kept together with the success of the step.
    ///
    /// # Panics
    /// In any other task, and on another thread than the task was called on.
    #[must_use]
    pub fn transaction(&self) -> Transaction<'_> {
        match lent() {
            Some(connection) => Transaction { connection, of: PhantomData },
            None => panic!(
                "`cx.transaction()` works in a task with `#[task(transaction)]`, on the thread that the task \
                 was called on"
            ),
        }
    }
}

/// How many of SQLite's steps pass between two looks whether a statement is to
/// end: well under a millisecond, and more than a short statement has.
pub(crate) const STEPS: i32 = 4_000;

/// Calls `work`, whose statements end with an error once `stop` says so. A
/// statement is all of it that can be ended from outside.
pub(crate) fn interrupted_by<T>(stop: impl Fn() -> bool + 'static, work: impl FnOnce() -> T) -> T {
    /// Also after a panic.
    struct Reset;
    impl Drop for Reset {
        fn drop(&mut self) {
            STOP.set(None);
        }
    }
    STOP.set(Some(Rc::new(stop)));
    let _reset = Reset;
    work()
}

/// Whether the statement that this thread is at is to end.
pub(crate) fn is_to_stop() -> bool {
    STOP.with_borrow(|stop| stop.as_ref().is_some_and(|stop| stop()))
}

/// The connection, if this thread is in the middle of a transaction of a
/// task's.
pub(crate) fn lent() -> Option<Rc<Connection>> {
    LENT.with_borrow(Clone::clone)
}

/// Lends a connection to whatever `work` calls.
pub(crate) fn lend<T>(connection: &Rc<Connection>, work: impl FnOnce() -> T) -> T {
    /// Also after a panic.
    struct TakeBack;
    impl Drop for TakeBack {
        fn drop(&mut self) {
            LENT.set(None);
        }
    }
    LENT.set(Some(connection.clone()));
    let _take_back = TakeBack;
    work()
}
