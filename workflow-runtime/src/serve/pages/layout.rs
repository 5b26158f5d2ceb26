//! What all pages have in common.

use maud::{DOCTYPE, Markup, html};

use crate::serve::console::Inner;

/// Where a page is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Here {
    Runs,
    Elsewhere,
}

pub(super) fn layout(inner: &Inner, here: Here, title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · workflows" }
                link rel="stylesheet" href=(inner.at("/console.css"));
                script src=(inner.at("/console.js")) defer {}
            }
            body {
                a.skip href="#main" { "Skip to the page" }
                header.top {
                    a.brand href=(inner.at("/")) { "workflows" }
                    nav aria-label="Pages" {
                        a href=(inner.at("/")) aria-current=[(here == Here::Runs).then_some("page")] { "Runs" }
                    }
                    span.live #live role="status" aria-live="polite" {}
                }
                main #main { (body) }
            }
        }
    }
}
