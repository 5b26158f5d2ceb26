//! The compiler of the `workflow` engine. Use it through `workflow-runtime`.

use proc_macro::TokenStream;

mod diagnostics;
mod duration;
mod options;
mod private;
mod workflow;

/// Makes a task of a function.
#[proc_macro_attribute]
pub fn task(_options: TokenStream, item: TokenStream) -> TokenStream {
    item
}

/// Makes a workflow.
#[proc_macro]
pub fn workflow(input: TokenStream) -> TokenStream {
    workflow::compile(input.into()).into()
}

/// Makes the fields of a struct the resources of an engine.
#[proc_macro_derive(Resources)]
pub fn resources(_input: TokenStream) -> TokenStream {
    TokenStream::new()
}
