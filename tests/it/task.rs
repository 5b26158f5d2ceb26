//! What a task is given, what its end means, and how it is undone.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use workflow_runtime::testing::block_on;
use workflow_runtime::{
    Context, Ended, Engine, Error, Resources, Retryability, Retryable, StepError, Task, task, workflow,
};

/// What the tasks did, in their own words.
#[derive(Default)]
struct Diary(Mutex<Vec<String>>);

impl Diary {
    fn note(&self, text: String) {
        self.0.lock().unwrap().push(text);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

struct Unit(&'static str);

#[derive(Resources)]
struct App {
    diary: &'static Diary,
    unit: Unit,
}

async fn engine() -> (Engine<App>, &'static Diary) {
    let diary: &'static Diary = Box::leak(Box::default());
    let app = App { diary, unit: Unit("cents") };
    (Engine::in_memory().resources(app).start().await.unwrap(), diary)
}

#[task]
async fn describe(
    #[context] cx: &Context,
    name: &str,
    #[resource] unit: &Unit,
    amounts: Vec<u64>,
    #[resource] diary: &&'static Diary,
) -> String {
    diary.note(format!("{} attempt {}", cx.step(), cx.attempt()));
    format!("{name}: {amounts:?} {}", unit.0)
}

#[task(blocking)]
fn shout(text: &str, #[resource] unit: &Unit) -> String {
    format!("{} {}", text.to_uppercase(), unit.0)
}

workflow! {
    fn description(name: String, amounts: Vec<u64>) -> Result<String> {
        let described = describe(&name, amounts);
        let shouted = shout(&described);
        Ok(shouted)
    }
}

#[test]
fn parameters_come_from_the_workflow_and_from_the_engine() {
    block_on(async {
        let (engine, diary) = engine().await;
        let text = engine.start(description("tip".to_owned(), vec![1, 2])).await.unwrap().await.unwrap();
        assert_eq!(text, "TIP: [1, 2] CENTS cents");
        assert_eq!(diary.take(), ["description/described attempt 1"]);
    });
}

#[derive(Debug)]
enum CardError {
    Declined,
    Busy,
    Broken,
}

impl std::fmt::Display for CardError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the card is {self:?}")
    }
}

impl std::error::Error for CardError {}

impl Retryable for CardError {
    fn retryability(&self) -> Retryability {
        match self {
            CardError::Declined => Retryability::Fatal,
            CardError::Busy => Retryability::RetryAfter(Duration::from_secs(30)),
            CardError::Broken => Retryability::Retry,
        }
    }
}

#[task]
async fn asks_the_error(error: u8) -> std::result::Result<u64, CardError> {
    Err(match error {
        0 => CardError::Declined,
        1 => CardError::Busy,
        _ => CardError::Broken,
    })
}

fn is_broken(error: &CardError) -> bool {
    matches!(error, CardError::Broken)
}

#[task(retry(attempts = 2, when = is_broken))]
async fn asks_the_predicate() -> std::result::Result<u64, CardError> {
    Ok(1)
}

#[task]
async fn asks_nobody() -> std::io::Result<u64> {
    Ok(1)
}

fn fate<T: Task>(returned: T::Return) -> Retryability {
    match T::finish(returned) {
        Ended::Err(_, retryability) => retryability,
        other => panic!("expected an error, found {other:?}"),
    }
}

#[test]
fn an_error_or_a_predicate_decides_about_another_attempt() {
    let asked = fate::<asks_the_error>;
    assert_eq!(asked(Err(CardError::Declined)), Retryability::Fatal);
    assert_eq!(asked(Err(CardError::Busy)), Retryability::RetryAfter(Duration::from_secs(30)));
    assert_eq!(asked(Err(CardError::Broken)), Retryability::Retry);

    // The predicate is the task's own word, and the last one.
    assert_eq!(fate::<asks_the_predicate>(Err(CardError::Busy)), Retryability::Fatal);
    assert_eq!(fate::<asks_the_predicate>(Err(CardError::Broken)), Retryability::Retry);

    assert_eq!(fate::<asks_nobody>(Err(std::io::ErrorKind::NotFound.into())), Retryability::Retry);
}

#[task(undo = release)]
async fn reserve(room: &str) -> u64 {
    room.len() as u64
}

#[task]
async fn release(reserved: &u64, #[resource] diary: &&'static Diary) {
    diary.note(format!("release {reserved}"));
}

#[task(undo = refund)]
async fn charge(name: &str, cents: u64) -> String {
    format!("{name} paid {cents}")
}

#[task(retry(attempts = 3))]
async fn refund(
    receipt: &str,
    name: &str,
    cents: &u64,
    #[context] cx: &Context,
    #[resource] diary: &&'static Diary,
) -> std::result::Result<(), CardError> {
    if cx.attempt() == 1 {
        return Err(CardError::Broken);
    }
    diary.note(format!("refund {cents} to {name}, since {receipt:?}"));
    Ok(())
}

#[task(undo = delete)]
async fn create() -> String {
    "server-1".to_owned()
}

#[task]
async fn delete(id: &str, #[resource] diary: &&'static Diary) {
    diary.note(format!("delete {id}"));
}

workflow! {
    fn trip(name: String) -> Result<u64> {
        let reserved = reserve(&name);
        #[after(reserved)]
        let receipt = charge(&name, reserved + 1);
        #[after(receipt)]
        let server = create();
        #[after(server)]
        let failed = asks_the_error(0)?;
        let _all = describe_trip(&receipt, &server, failed);
        Ok(failed)
    }
}

#[task]
async fn describe_trip(receipt: &str, server: &str, failed: u64) -> String {
    format!("{receipt} {server} {failed}")
}

#[test]
fn a_task_is_undone_with_its_output_and_its_arguments() {
    block_on(async {
        let (engine, diary) = engine().await;
        let ended = engine.start(trip("Ada".to_owned())).await.unwrap().await;
        assert!(matches!(ended, Err(Error::Failed { .. })), "{ended:?}");
        assert_eq!(diary.take(), ["delete server-1", "refund 4 to Ada, since \"Ada paid 4\"", "release 3"]);
    });
}

#[task]
async fn join(first: std::result::Result<u64, StepError>) -> String {
    match first {
        Ok(value) => value.to_string(),
        Err(error) => error.to_string(),
    }
}

workflow! {
    fn handled() -> Result<String> {
        let first = asks_the_error(2);
        let text = join(first);
        Ok(text)
    }
}

#[test]
fn a_failure_is_told_in_the_error_s_words() {
    block_on(async {
        let (engine, _) = engine().await;
        let text = engine.start(handled()).await.unwrap().await.unwrap();
        assert_eq!(text, "step `handled/first` failed: the card is Broken");
    });
}

/// A bank that books each key once would take an undo with the step's own key
/// for "booked already".
#[test]
fn an_undo_has_an_idempotency_key_of_its_own() {
    #[derive(Resources)]
    struct Keys {
        seen: Arc<Mutex<Vec<String>>>,
    }

    #[task]
    async fn refund(_cents: &u64, #[resource] seen: &Arc<Mutex<Vec<String>>>, #[context] cx: &Context) {
        seen.lock().unwrap().push(cx.idempotency_key());
    }

    #[task(undo = refund)]
    async fn charge(cents: u64, #[resource] seen: &Arc<Mutex<Vec<String>>>, #[context] cx: &Context) -> u64 {
        seen.lock().unwrap().push(cx.idempotency_key());
        cents
    }

    #[task]
    async fn ship() -> Result<(), std::io::Error> {
        Err(std::io::Error::other("no truck"))
    }

    workflow! {
        fn order(cents: u64) -> Result<()> {
            let charged = charge(cents);
            #[after(charged)]
            ship()?;
            Ok(())
        }
    }

    let seen = Arc::new(Mutex::new(Vec::new()));
    let resources = Keys { seen: seen.clone() };
    block_on(async {
        let engine = Engine::in_memory().resources(resources).start().await.unwrap();
        let run = engine.start(order(5)).await.unwrap();
        let id = run.id().to_owned();
        run.await.unwrap_err();
        let charged = format!("{id}/order/charged");
        assert_eq!(*seen.lock().unwrap(), [charged.clone(), format!("{charged}/undo")]);
    });
}
