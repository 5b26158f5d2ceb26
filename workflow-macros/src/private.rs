//! The one place that knows where generated code finds the runtime.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};

/// Where it is.
pub(crate) const PRIVATE: &str = "::workflow_runtime::__private";

/// Stands for `::workflow_runtime::__private` in a `quote!`: `#Private::Task`.
///
/// The path is absolute and its spans are the macro's own, so that it means
/// the same under every `use` of the user's, and an editor that looks for a
/// definition finds only the user's.
#[derive(Clone, Copy)]
pub(crate) struct Private;

impl ToTokens for Private {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(quote!(::workflow_runtime::__private));
    }
}

/// The associated function of a task's type that takes the task's arguments.
/// One name for all tasks, so that a task can be imported under another one;
/// the span is that of the task's name, so that rustc points there.
pub(crate) fn call_at(span: Span) -> Ident {
    Ident::new("call", span)
}
