//! Rule 2: arguments are handed over or lent, and coerced as by any call.

use support::run;
use support::tasks::*;
use workflow_runtime::{Context, task, workflow};

/// Neither `Clone` nor, once it was read back, the original.
#[derive(serde::Serialize, serde::Deserialize)]
struct Token {
    id: u64,
    #[serde(skip)]
    original: bool,
}

/// What a task has seen of a token.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Seen {
    id: u64,
    original: bool,
    attempt: u32,
}

#[task]
async fn make(id: u64) -> Token {
    Token { id, original: true }
}

#[task]
async fn consume(token: Token, fails: u32, #[context] cx: &Context) -> Result<Seen, Oops> {
    let seen = Seen { id: token.id, original: token.original, attempt: cx.attempt() };
    if cx.attempt() <= fails { Err(oops(format!("{seen:?}"))) } else { Ok(seen) }
}

#[task]
async fn look(token: &Token) -> Seen {
    Seen { id: token.id, original: token.original, attempt: 0 }
}

workflow! {
    fn moved_once() -> Result<Seen> {
        let token = make(7);
        let seen = consume(token, 0)?;
        Ok(seen)
    }
}

#[test]
fn a_value_that_is_not_clone_is_moved_on_its_only_use() {
    assert_eq!(*run(moved_once()).value(), Seen { id: 7, original: true, attempt: 1 });
}

workflow! {
    fn moved_with_retries(fails: u32) -> Result<Seen> {
        let token = make(7);
        #[retry(attempts = 3)]
        let seen = consume(token, fails)?;
        Ok(seen)
    }
}

#[test]
fn a_value_that_a_retry_may_need_is_copied_through_the_codec() {
    // Only the last attempt may have the original.
    for fails in 0..3 {
        let ran = run(moved_with_retries(fails));
        assert_eq!(*ran.value(), Seen { id: 7, original: fails == 2, attempt: fails + 1 });
    }
    let ran = run(moved_with_retries(3));
    let last = Seen { id: 7, original: true, attempt: 3 };
    assert_eq!(ran.failure().failure().to_string(), format!("{last:?}"));
}

workflow! {
    fn lent_often() -> Result<Vec<Seen>> {
        let token = make(7);
        let one = look(&token);
        let two = look(&token);
        Ok(vec![one.clone(), two.clone()])
    }
}

#[test]
fn a_lent_value_is_the_value_itself() {
    let seen = Seen { id: 7, original: true, attempt: 0 };
    assert_eq!(*run(lent_often()).value(), [seen.clone(), seen]);
}

/// Counts how often it was cloned.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Cloned(u32);

impl Clone for Cloned {
    fn clone(&self) -> Self {
        Self(self.0 + 1)
    }
}

#[task]
async fn fresh() -> Cloned {
    Cloned(0)
}

#[task]
async fn clones(cloned: Cloned) -> u32 {
    cloned.0
}

workflow! {
    fn handed_over_once() -> Result<u32> {
        let value = fresh();
        let count = clones(value);
        Ok(count)
    }
}

workflow! {
    fn handed_over_twice() -> Result<(u32, u32)> {
        let value = fresh();
        let first = clones(value);
        let second = clones(value);
        Ok((first, second))
    }
}

#[test]
fn a_name_hands_over_a_copy_and_the_value_on_its_last_use() {
    assert_eq!(*run(handed_over_once()).value(), 0);
    assert_eq!(*run(handed_over_twice()).value(), (1, 1));
}

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Page {
    title: String,
    body: Vec<u8>,
    links: Vec<String>,
    parent: Option<Box<Page>>,
}

#[task]
async fn fetch() -> Page {
    let front = Page { title: "front".into(), body: vec![9], links: vec![], parent: None };
    Page {
        title: "page".into(),
        body: b"text".to_vec(),
        links: vec!["a".into(), "b".into()],
        parent: Some(Box::new(front)),
    }
}

#[task]
async fn boxed() -> Box<Page> {
    Box::new(Page { title: "boxed".into(), body: vec![], links: vec![], parent: None })
}

#[task]
async fn bytes(bytes: &[u8]) -> usize {
    bytes.len()
}

#[task]
async fn text(text: &str) -> String {
    format!("<{text}>")
}

#[task]
async fn words(words: &[String]) -> String {
    words.join("+")
}

#[task]
async fn page(page: &Page) -> String {
    page.title.clone()
}

#[task]
async fn array() -> [u8; 3] {
    [1, 2, 3]
}

trait Area: Sync {
    fn area(&self) -> u64;
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Square(u64);

impl Area for Square {
    fn area(&self) -> u64 {
        self.0 * self.0
    }
}

#[task]
async fn square() -> Square {
    Square(4)
}

#[task]
async fn area(of: &dyn Area) -> u64 {
    of.area()
}

workflow! {
    fn coerced() -> Result<Vec<String>> {
        let fetched = fetch();
        let packed = boxed();
        let fixed = array();
        let owned = say("owned");
        let shape = square();

        let vec_to_slice = bytes(&fetched.body);
        let array_to_slice = bytes(&fixed);
        let literal_to_slice = bytes(&[1, 2]);
        let string_to_str = text(&owned);
        let field_to_str = text(&fetched.title);
        let literal_to_str = text("literal");
        let field_to_slice = words(&fetched.links);
        let box_to_page = page(&packed);
        let path_of_fields = page(fetched.parent.as_ref().expect("it has one"));
        let value_to_dyn = area(&shape);
        let index_to_str = text(&fetched.links[1]);
        let part_to_slice = bytes(&fetched.body[1..]);

        Ok(vec![
            vec_to_slice.to_string(),
            array_to_slice.to_string(),
            literal_to_slice.to_string(),
            string_to_str.clone(),
            field_to_str.clone(),
            literal_to_str.clone(),
            field_to_slice.clone(),
            box_to_page.clone(),
            path_of_fields.clone(),
            value_to_dyn.to_string(),
            index_to_str.clone(),
            part_to_slice.to_string(),
        ])
    }
}

#[test]
fn lent_arguments_are_coerced_as_by_any_call() {
    let expected =
        ["4", "3", "2", "<owned>", "<page>", "<literal>", "a+b", "boxed", "front", "16", "<b>", "3"];
    assert_eq!(*run(coerced()).value(), expected);
}

#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Order {
    id: u64,
    customer: String,
    lines: Vec<u64>,
}

#[task]
async fn order() -> Order {
    Order { id: 4, customer: "Ada".into(), lines: vec![3, 5] }
}

#[task]
async fn bill(id: u64, customer: String, lines: Vec<u64>, count: usize, both: Vec<String>) -> String {
    format!("{id} {customer} {lines:?} {count} {both:?}")
}

workflow! {
    fn expressions_as_arguments() -> Result<String> {
        let order = order();
        let greeting = say("hello");
        let billed = bill(
            order.id * 10 + 2,
            order.customer,
            order.lines,
            order.lines.len() + 1,
            vec![greeting.clone(), order.customer.to_uppercase()],
        );
        Ok(billed)
    }
}

#[test]
fn an_argument_may_be_any_expression_over_earlier_names() {
    assert_eq!(*run(expressions_as_arguments()).value(), r#"42 Ada [3, 5] 3 ["hello", "ADA"]"#);
}

const LIMIT: u64 = 30;
static NAME: &str = "static";

workflow! {
    fn constants() -> Result<String> {
        let sum = add(&LIMIT, &12);
        let named = say(NAME);
        Ok(format!("{named} {sum}"))
    }
}

#[test]
fn constants_and_statics_are_arguments() {
    assert_eq!(run(constants()).value(), "static 42");
}
