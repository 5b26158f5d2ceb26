//! What stands beside a function that cannot be a task.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt;
use syn::{FnArg, Type, parse_quote};

use crate::diagnostics::Errors;
use crate::private::{Private, call_at};
use crate::task::expand::{marker, output_types};
use crate::task::function::{Function, is_marker};
use crate::task::signature::Output;
use crate::task::types;

/// The contract of a function that cannot be a task, so that the workflows
/// that use it are not blamed too: it takes anything, and returns what it
/// says as far as that can be said.
pub(super) fn expand(function: &Function) -> TokenStream {
    // Beside a method there is no place for a type.
    if function.signature.receiver().is_some() {
        return TokenStream::new();
    }
    let marker = marker(function);
    let name = &function.signature.ident;
    let text = name.unraw().to_string();
    let visibility = &function.visibility;
    let conditions: Vec<_> = function.conditions().collect();
    let outputs = output_types(name, &stub_output(&function.signature));
    let arguments = function.signature.inputs.iter().filter(|input| match input {
        FnArg::Typed(input) => !input.attrs.iter().any(is_marker),
        FnArg::Receiver(_) => false,
    });
    let types: Vec<_> = arguments.enumerate().map(|(index, _)| format_ident!("__T{index}")).collect();
    let call = call_at(name.span());
    quote! {
        #marker
        #(#conditions)*
        #[automatically_derived]
        #[allow(unused, deprecated, clippy::all, clippy::pedantic, clippy::nursery)]
        impl #Private::Task for #name {
            type Args<'task> = ();
            #outputs
            const DEF: #Private::TaskDef = #Private::plain_task::<Self>(#text);
            fn start<'task>(_: (), _: &'task #Private::Context) -> #Private::Running<'task> {
                ::core::unreachable!()
            }
            fn finish(_: Self::Return) -> #Private::Ended {
                ::core::unreachable!()
            }
        }
        #(#conditions)*
        #[automatically_derived]
        #[allow(unused, clippy::all, clippy::pedantic, clippy::nursery)]
        impl #name {
            #[doc(hidden)]
            #visibility fn #call<'task, #(#types),*>(#(_: #types),*) -> #Private::Call<'task, #name> {
                #Private::Call::new(())
            }
        }
        #(#conditions)*
        impl<__Engine> #Private::RunsOn<__Engine> for #name {}
    }
}

/// What is wrong with the return type is reported already.
fn stub_output(signature: &syn::Signature) -> Output {
    let output = Output::read(&signature.output, &mut Errors::default()).unwrap_or(Output::Unit);
    // Its type parameters have a meaning only in the function; that it can
    // fail has one everywhere.
    let own = |ty: &Type| {
        signature.generics.type_params().any(|param| types::mentions(ty.to_token_stream(), &param.ident))
            || signature
                .generics
                .const_params()
                .any(|param| types::mentions(ty.to_token_stream(), &param.ident))
    };
    match output {
        Output::Plain(ty) if own(&ty) => Output::Unit,
        Output::Fallible { ty, ok, error } if own(&ty) => {
            Output::Fallible { ty: parse_quote!(::core::result::Result<(), ::core::fmt::Error>), ok, error }
        }
        output => output,
    }
}
