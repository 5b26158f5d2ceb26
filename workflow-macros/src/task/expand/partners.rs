//! What some tasks have beside what every task has: the task that undoes them,
//! the one that finds out what became of a lost attempt, and the key that
//! their results are found by.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Path, Type};

use super::{ends, one_or_tuple, qualified};
use crate::private::Private;
use crate::task::function::Function;
use crate::task::signature::{Signature, is_reference, referent};
use crate::task::types;

/// The undoing task is named once, here: a mistake in it is one error.
///
/// ```text
/// impl Undone for charge {
///     type By = refund;
///     type Lent<'task, Output> = (&'task Output, &'task Order, &'task u64);
///     fn lend<'task, 'args: 'task, Output>(args: &'task Self::Args<'args>, output: &'task Output) -> .. {
///         let (arg0, arg1) = args;
///         (output, arg0, arg1)
///     }
/// }
/// ```
pub(super) fn implement_undone(function: &Function, signature: &Signature, undo: &Path) -> TokenStream {
    let name = &function.signature.ident;
    let conditions = function.conditions();
    let names: Vec<_> = (0..signature.arguments().count()).map(|index| format_ident!("arg{index}")).collect();
    let (lent, lend) = match names.is_empty() {
        true => (quote!(#Private::NoArguments), quote!(::core::unreachable!())),
        false => {
            let types = signature.arguments().map(|param| lent(&param.ty));
            let pattern = one_or_tuple(names.iter().map(ToTokens::to_token_stream));
            (quote!((&'task __Output, #(#types),*)), quote! { let #pattern = args; (output, #(#names),*) })
        }
    };
    quote! {
        #(#conditions)*
        #[automatically_derived]
        #[allow(unused, clippy::all, clippy::pedantic, clippy::nursery)]
        impl #Private::Undone for #name {
            type By = #undo;
            type Lent<'task, __Output: ?::core::marker::Sized + 'static> = #lent;
            fn lend<'task, 'args: 'task, __Output: ?::core::marker::Sized + 'static>(
                args: &'task Self::Args<'args>,
                output: &'task __Output,
            ) -> Self::Lent<'task, __Output> {
                #lend
            }
        }
    }
}

/// What is borrowed is lent on; what is owned is lent.
fn lent(ty: &Type) -> TokenStream {
    let named = types::name_lifetimes(ty);
    match is_reference(ty) {
        true => named,
        false => quote!(&'task #named),
    }
}

/// As with `undo`: where it is called is where rustc says that it does not
/// fit, once for what it takes and once for what it returns.
pub(super) fn reconcile(by: &Path) -> TokenStream {
    let at = by.to_token_stream();
    let by = || qualified(quote!(Self), quote!(Reconciled), "By", &at);
    let begin = qualified(by(), quote!(Reconciles<Self>), "begin", &at);
    let found = qualified(by(), quote!(Finds<Self>), "found", &at);
    quote! {
        fn reconcile<'task>(
            args: Self::Args<'task>,
            context: &'task #Private::Context,
        ) -> #Private::Running<'task> {
            #Private::reconcile(#begin(args, context), #found)
        }
    }
}

/// The task is named once, here: a mistake in it is one error.
pub(super) fn implement_reconciled(function: &Function, by: &Path) -> TokenStream {
    let name = &function.signature.ident;
    let conditions: Vec<_> = function.conditions().collect();
    // rustc evaluates, and so checks, only a constant that something uses.
    let (first, last) = ends(&by.to_token_stream());
    let open = quote_spanned!(first=> ::);
    let (close, call) = (quote_spanned!(last=> >), quote_spanned!(last=> ()));
    quote! {
        #(#conditions)*
        #[automatically_derived]
        impl #Private::Reconciled for #name {
            type By = #by;
        }
        #(#conditions)*
        const _: () = #open workflow_runtime::__private::check_reconcile::<#name #close #call;
    }
}

/// Every argument is written where its type stands, so that rustc points there
/// when it cannot be.
///
/// ```text
/// fn cache_key(args: &Self::Args<'_>) -> Option<Result<Vec<u8>, CodecError>> {
///     let (arg0, arg1) = args;
///     let mut key = CacheKey::of::<Self>();
///     <Order as CachedBy>::add(arg0, &mut key);
///     <u64 as CachedBy>::add(arg1, &mut key);
///     Some(CacheKey::finish(key))
/// }
/// ```
pub(super) fn cache_key(signature: &Signature) -> TokenStream {
    let (args, key) = (mixed("args"), mixed("key"));
    let names: Vec<_> =
        (0..signature.arguments().count()).map(|index| mixed(&format!("arg{index}"))).collect();
    let pattern = one_or_tuple(names.iter().map(ToTokens::to_token_stream));
    let add = signature.arguments().zip(&names).map(|(param, name)| {
        // What is borrowed is written as itself: rustc then names no lifetime
        // that the user has not.
        let add = qualified(referent(&param.ty), quote!(CachedBy), "add", &param.ty.to_token_stream());
        quote!(#add(#name, &mut #key);)
    });
    quote! {
        fn cache_key<'task>(
            #args: &Self::Args<'task>,
        ) -> #Private::Option<#Private::Result<#Private::Vec<::core::primitive::u8>, #Private::CodecError>> {
            let #pattern = #args;
            let mut #key = #Private::CacheKey::of::<Self>();
            #(#add)*
            #Private::Option::Some(#Private::CacheKey::finish(#key))
        }
    }
}

/// A name that nothing of the user's can be mistaken for.
fn mixed(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}
