//! The compiler of the `workflow` engine. Use it through `workflow-runtime`.

use proc_macro::TokenStream;

mod backoff;
mod diagnostics;
mod duration;
mod entries;
mod options;
mod private;
mod resources;
mod task;
mod workflow;

/// Makes a task of a function.
#[proc_macro_attribute]
pub fn task(options: TokenStream, item: TokenStream) -> TokenStream {
    task::expand(options.into(), item.into()).into()
}

/// Makes a workflow.
#[proc_macro]
pub fn workflow(input: TokenStream) -> TokenStream {
    workflow::compile(input.into()).into()
}

/// Makes the fields of a struct the resources of an engine.
#[proc_macro_derive(Resources)]
pub fn resources(input: TokenStream) -> TokenStream {
    resources::expand(input.into()).into()
}
