//! The items of one workflow: its function, its type with the pictures and
//! signals, and the traits that make it startable and callable as a child.

use std::collections::HashSet;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};

use crate::private::{Private, call_at};
use crate::workflow::ast::Workflow;
use crate::workflow::check::is_reserved;
use crate::workflow::graph::Graph;
use crate::workflow::tasks::tasks;
use crate::workflow::tokens::plain;

/// Everything that stands under the workflow's name.
pub(super) fn items(
    workflow: &Workflow,
    tables: &TokenStream,
    signals: &TokenStream,
    picture: &str,
) -> TokenStream {
    let Workflow { attrs, vis, name, params, .. } = workflow;
    // All of it exists exactly when the function does, and a use of it as a
    // step warns like a use of the function.
    let conditions: Vec<_> = workflow.attributes("cfg").collect();
    let deprecation = workflow.attributes("deprecated");
    let text = plain(name);
    let result = workflow.result.as_ref().map_or_else(|| quote!(()), ToTokens::to_token_stream);
    let names: Vec<&Ident> = params.iter().map(|param| &param.name).collect();
    let types: Vec<&syn::Type> = params.iter().map(|param| &param.ty).collect();
    let (args, pattern) = match (&types[..], &names[..]) {
        ([ty], [name]) => (quote!(#ty), quote!(#name)),
        (types, names) => (quote!((#(#types),*)), quote!((#(#names),*))),
    };
    let values = names.iter().map(|name| quote!(#Private::Value::new(#name)));
    let values = quote!(<[#Private::Value]>::into_vec(#Private::Box::new([#(#values),*])));
    let mut called = Vec::new();
    tasks(&workflow.body, &mut called, &mut HashSet::new());
    // A self-call is an error of its own, and would be a cycle here.
    let resources = Ident::new("R", Span::mixed_site());
    let called = called.iter().filter(|task| !task.is_ident(name));
    let bounds = called.map(|task| quote!(#task: #Private::RunsOn<#resources>,));
    let about = format!("The workflow `{text}`: its graph, its pictures and its signals.");
    let invocation = quote_spanned!(name.span()=> #Private::Invocation<#name>);
    // Raw HTML in a doc comment has to be a block of its own.
    let drawing = (!picture.is_empty()).then(|| {
        let html = format!("<div>{picture}</div>");
        quote!(#[doc = ""] #[doc = #html])
    });
    let call = call_at(name.span());
    // The macro reads `Result` as a word. To rustc that is no use of it, and
    // an import for its sake would be reported as unused.
    let import = workflow.result.as_ref().map(|result| {
        let alias = &result.alias;
        quote!(#[allow(unused_imports)] use #alias as _;)
    });
    quote! {
        #(#attrs)*
        #drawing
        #[allow(clippy::too_many_arguments, clippy::missing_const_for_fn)]
        #vis fn #name(#(#names: #types),*) -> #invocation {
            #Private::Invocation::new(#values)
        }

        #(#conditions)*
        #[doc = #about]
        #drawing
        #[allow(non_camel_case_types, clippy::empty_enums)]
        #vis enum #name {}

        #(#conditions)*
        #[allow(non_upper_case_globals, dead_code, clippy::all, clippy::pedantic, clippy::nursery)]
        impl #name {
            /// The workflow as static data.
            pub const GRAPH: &'static #Private::Graph = <Self as #Private::Workflow>::GRAPH;

            /// The graph as a Mermaid flowchart.
            #[must_use]
            pub fn mermaid() -> #Private::String {
                Self::GRAPH.mermaid()
            }

            /// The graph in Graphviz's language.
            #[must_use]
            pub fn dot() -> #Private::String {
                Self::GRAPH.dot()
            }

            /// The graph as a picture.
            #[must_use]
            pub fn svg() -> &'static ::core::primitive::str {
                <Self as #Private::Workflow>::SVG
            }

            #signals

            #[doc(hidden)]
            #(#deprecation)*
            pub fn #call<'task>(#(#names: #types),*) -> #Private::Call<'task, #name> {
                #Private::Call::new(#pattern)
            }
        }

        #(#conditions)*
        #[allow(unused, irrefutable_let_patterns, clippy::all, clippy::pedantic, clippy::nursery)]
        const _: () = {
            #import

            impl #Private::Workflow for #name {
                const GRAPH: &'static #Private::Graph = #tables;
                const SVG: &'static ::core::primitive::str = #picture;
            }

            impl #Private::Task for #name {
                type Args<'env> = #args;
                type Return = #Private::Result<#result, #Private::StepError>;
                type Ok = #result;
                type Outcome = #Private::Result<#result, #Private::StepError>;
                const DEF: #Private::TaskDef = #Private::child::<Self>(#text);

                fn start<'env>(#pattern: Self::Args<'env>, _: &'env #Private::Context) -> #Private::Running<'env> {
                    #Private::arguments(#values)
                }

                fn finish(returned: Self::Return) -> #Private::Ended {
                    #Private::finish_child::<Self>(returned)
                }
            }

            impl<#resources: #Private::Resources> #Private::RunsOn<#resources> for #name
            where
                #(#bounds)*
            {
            }
        };
    }
}

/// The typed handles of a workflow's signals.
pub(super) fn signals(workflow: &Workflow, graph: &Graph) -> TokenStream {
    let signals = graph.signals.iter().filter(|signal| !is_reserved(workflow, &signal.name));
    let handles = signals.map(|signal| {
        let (name, ty) = (&signal.name, &signal.ty);
        let text = plain(name);
        let docs = format!("The signal `{text}`.");
        let handle = match signal.keyed {
            true => quote!(#Private::KeyedSignal),
            false => quote!(#Private::Signal),
        };
        quote! {
            #[doc = #docs]
            pub const #name: #handle<#ty> = #handle::new(#text);
        }
    });
    handles.collect()
}
