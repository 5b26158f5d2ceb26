//! Every coercion that rustc makes at an argument, and temporaries there.

use std::fmt::Display;
use std::path::Path;

use serde::{Deserialize, Serialize};
use workflow_runtime::{task, workflow};

#[derive(Clone, Serialize, Deserialize)]
struct Page {
    body: String,
    title: Option<String>,
    words: Vec<String>,
    inner: Box<Inner>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Inner {
    sizes: [u64; 3],
}

#[task]
async fn load() -> Page {
    Page {
        body: "body".to_owned(),
        title: None,
        words: vec!["one".to_owned()],
        inner: Box::new(Inner { sizes: [1, 2, 3] }),
    }
}

#[task]
async fn boxed() -> Box<Inner> {
    Box::new(Inner { sizes: [1, 2, 3] })
}

#[task]
async fn text(_text: &str) {}
#[task]
async fn words(_words: &[String]) {}
#[task]
async fn sizes(_sizes: &[u64]) {}
#[task]
async fn inner(_inner: &Inner) {}
#[task]
async fn title(_title: Option<&String>) {}
#[task]
async fn short(_title: Option<&str>) {}
#[task]
async fn number(_number: &usize) {}
#[task]
async fn many(numbers: Vec<usize>, number: &usize, text: &str) {
    tokio::task::yield_now().await;
    assert_eq!((numbers.len(), *number > 0, text.is_empty()), (2, true, false));
}
#[task]
async fn show(_what: &(dyn Display + Send + Sync)) {}
#[task]
async fn file(_path: &Path) {}

workflow! {
    fn coercions(name: String, all: Vec<String>, triple: [u64; 3]) -> Result<()> {
        let page = load();
        let one = boxed();
        #[name = "a1"] text(&name);
        #[name = "a2"] text(&page.body);
        #[name = "a3"] text("literal");
        #[name = "a4"] text(page.body.trim());
        #[name = "a5"] text(&page.words[0]);
        #[name = "a6"] text(&format!("{name} and {}", page.body));
        #[name = "a7"] text(&(page.body.clone() + &name));
        #[name = "b1"] words(&all);
        #[name = "b2"] words(&page.words);
        #[name = "b3"] words(&page.words[1..]);
        #[name = "b4"] words(&[]);
        #[name = "b5"] words(&vec![name.clone()]);
        #[name = "c1"] sizes(&triple);
        #[name = "c2"] sizes(&page.inner.sizes);
        #[name = "c3"] sizes(&[1, 2, 3]);
        #[name = "d1"] inner(&one);
        #[name = "d2"] inner(&page.inner);
        #[name = "e1"] title(page.title.as_ref());
        #[name = "e2"] short(page.title.as_deref());
        #[name = "e3"] short(Some("text"));
        #[name = "e4"] short(Some(&name));
        let count = page.words.len();
        #[name = "f1"] number(&count);
        #[name = "f2"] number(&page.words.len());
        #[name = "f3"] many(vec![count, 1], &count, &page.body);
        let shout = name.to_uppercase();
        #[name = "f4"] text(&shout);
        let first = page.words.first();
        #[name = "f5"] title(first);
        let trimmed = page.body.trim();
        #[name = "f6"] text(trimmed);
        let body = &page.body;
        #[name = "f7"] text(body);
        #[name = "g1"] show(&count);
        #[name = "g2"] show(&name);
        #[name = "g3"] file(name.as_ref());
        #[name = "g4"] file(Path::new("a"));
        let (left, right) = (count + 1, count + 2);
        #[name = "h1"] number(&left);
        #[name = "h2"] many(vec![left, right], &right, &format!("{left}"));
        Ok(())
    }
}

#[tokio::main]
async fn main() -> workflow_runtime::Result<()> {
    // Borrows of temporaries live as long as the attempt.
    let engine = workflow_runtime::Engine::in_memory().start().await?;
    let all = vec!["a".to_owned(), "b".to_owned()];
    engine.start(coercions("name".to_owned(), all, [1, 2, 3])).await?.await?;
    Ok(())
}
