//! What stands beside the function: a type of its name that carries the
//! contract. Cannot fail, checks nothing.

mod partners;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Type;
use syn::ext::IdentExt;

use crate::duration::expand_duration;
use crate::private::{Private, call_at};
use crate::task::function::Function;
use crate::task::options::TaskOptions;
use crate::task::signature::{Output, Role, Signature, TaskParam, is_reference, referent};
use crate::task::types;
use partners::{cache_key, implement_reconciled, implement_undone, reconcile};

/// The whole contract.
///
/// ```text
/// enum charge {}
/// impl Task for charge { .. }
/// impl charge { fn call<'task>(order: &'task Order, cents: u64) -> Call<'task, charge> { .. } }
/// impl<R> RunsOn<R> for charge where R: Provides<Bank> {}
/// ```
///
/// The enum and the function share their name, so that one `use` brings both;
/// it comes after the function, so that editors show the function first.
pub(super) fn contract(function: &Function, signature: &Signature, options: &TaskOptions) -> TokenStream {
    let marker = marker(function);
    let task = implement_task(function, signature, options);
    let call = constructor(function, signature);
    let runs_on = runs_on(function, signature, options);
    let undo = options.undo.as_ref().map(|undo| implement_undone(function, signature, undo));
    let reconcile = options.reconcile.as_ref().map(|(by, _)| implement_reconciled(function, by));
    quote!(#marker #task #call #runs_on #undo #reconcile)
}

/// The type of the function's name.
pub(super) fn marker(function: &Function) -> TokenStream {
    let name = &function.signature.ident;
    let visibility = &function.visibility;
    let conditions = function.conditions();
    // All of it at the name: rustc shows the type where the function is, and
    // lints still see that a macro wrote it.
    let at = Span::call_site().located_at(name.span());
    quote_spanned! {at=>
        #(#conditions)*
        #[doc(hidden)]
        #[allow(non_camel_case_types)]
        #visibility enum #name {}
    }
}

/// ```text
/// impl Task for charge {
///     type Args<'task> = (&'task Order, u64);
///     type Return = Result<Receipt, CardError>;
///     type Ok = <Result<Receipt, CardError> as Fallible>::Ok;
///     type Outcome = Result<Self::Ok, StepError>;
///     const DEF: TaskDef = TaskDef { fallible: true, ..plain_task::<Self>("charge") };
///     fn start<'task>(args: Self::Args<'task>, context: &'task Context) -> Running<'task> {
///         let (arg0, arg1) = args;
///         Box::pin(async move {
///             Self::finish(charge(arg0, arg1, Context::resource::<Bank>(context), context).await)
///         })
///     }
///     fn finish(returned: Self::Return) -> Ended {
///         fail_or_succeed::<Self, _>(returned.into_result(), |error| Ask(error).__retryability())
///     }
/// }
/// ```
fn implement_task(function: &Function, signature: &Signature, options: &TaskOptions) -> TokenStream {
    let name = &function.signature.ident;
    let conditions = function.conditions();
    let args = args(signature, types::name_lifetimes);
    let outputs = output_types(name, &signature.output);
    let def = definition(function, signature, options);
    let start = start(function, signature);
    let finish = finish(&signature.output, options);
    let cache_key = options.cache.map(|_| cache_key(signature));
    let kept = kept(signature);
    let undo = options.undo.as_ref().map(|undo| {
        // Where it is called is where rustc says that it does not fit.
        let at = undo.to_token_stream();
        let by = qualified(quote!(Self), quote!(Undone), "By", &at);
        let begin = qualified(by, quote!(Undoes<Self, _>), "begin", &at);
        quote! {
            fn undo<'task>(
                args: Self::Args<'task>,
                output: &'task Self::Ok,
                context: &'task #Private::Context,
            ) -> #Private::Running<'task> {
                #begin(args, output, context)
            }
        }
    });
    let reconcile = options.reconcile.as_ref().map(|(by, _)| reconcile(by));
    quote! {
        #(#conditions)*
        #[automatically_derived]
        #[allow(unused, deprecated, clippy::all, clippy::pedantic, clippy::nursery)]
        impl #Private::Task for #name {
            type Args<'task> = #args;
            #outputs
            const DEF: #Private::TaskDef = #def;
            #start
            #finish
            #cache_key
            #kept
            #undo
            #reconcile
        }
    }
}

/// Nothing, one type, or a tuple.
fn args(signature: &Signature, each: impl Fn(&Type) -> TokenStream) -> TokenStream {
    one_or_tuple(signature.arguments().map(|param| each(&param.ty)))
}

fn one_or_tuple(items: impl Iterator<Item = TokenStream>) -> TokenStream {
    let items: Vec<_> = items.collect();
    match &items[..] {
        [only] => only.clone(),
        items => quote!((#(#items),*)),
    }
}

/// `type Return`, `type Ok` and `type Outcome`. The bound on `Ok` is stated
/// by the trait alone, so an output that cannot be saved is one error:
///
/// ```text
/// async fn report() -> Result<Report, Error>
///                             ^^^^^^ this type is not durable
/// ```
pub(super) fn output_types(name: &Ident, output: &Output) -> TokenStream {
    match output {
        Output::Unit => {
            let unit = quote_spanned!(name.span()=> ());
            quote! { type Return = #unit; type Ok = #unit; type Outcome = #unit; }
        }
        Output::Plain(ty) => quote! { type Return = #ty; type Ok = #ty; type Outcome = #ty; },
        Output::Fallible { ty, ok, .. } => {
            let (first, last) = ends(ok);
            let (open, close) = (quote_spanned!(first=> ::), quote_spanned!(last=> >));
            let ok = qualified(ty, quote!(Fallible), "Ok", ok);
            quote! {
                type Return = #ty;
                type Ok = #ok;
                type Outcome = #open workflow_runtime::__private::Result<Self::Ok, #Private::StepError #close;
            }
        }
    }
}

/// `<ty as trait_>::item`, drawn by rustc as if it stood at `at`: a path is
/// underlined from its first token to its last. The names between keep the
/// macro's own spans, so that an editor at `at` finds only what is the user's.
fn qualified(ty: impl ToTokens, trait_: TokenStream, item: &str, at: &TokenStream) -> TokenStream {
    let (first, last) = ends(at);
    let item = Ident::new(item, last);
    let open = quote_spanned!(first=> <);
    quote!(#open #ty as #Private::#trait_>::#item)
}

/// The spans of the first and the last token.
fn ends(tokens: &TokenStream) -> (Span, Span) {
    let mut spans = tokens.clone().into_iter().map(|token| token.span());
    let first = spans.next().unwrap_or_else(Span::call_site);
    (first, spans.last().unwrap_or(first))
}

/// Only what differs from a plain task is written.
fn definition(function: &Function, signature: &Signature, options: &TaskOptions) -> TokenStream {
    let name = match &options.name {
        Some(name) => name.to_token_stream(),
        None => function.signature.ident.unraw().to_string().to_token_stream(),
    };
    let plain = quote!(#Private::plain_task::<Self>(#name));
    let mut fields = TokenStream::new();
    if let Some(version) = options.version {
        fields.extend(quote!(version: #version,));
    }
    if matches!(signature.output, Output::Fallible { .. }) {
        fields.extend(quote!(fallible: true,));
    }
    if options.transaction.is_some() {
        fields.extend(quote!(transaction: true,));
    } else if function.signature.asyncness.is_none() {
        fields.extend(quote!(blocking: true,));
    }
    if options.at_most_once.is_some() {
        fields.extend(quote!(at_most_once: true,));
    }
    if !options.policy.changes_nothing() {
        let policy = options.policy.expand(quote!(#Private::Policy::DEFAULT));
        fields.extend(quote!(policy: #policy,));
    }
    if let Some(concurrency) = options.concurrency {
        fields.extend(quote!(concurrency: #Private::Option::Some(#concurrency),));
    }
    if let Some((count, per)) = options.rate {
        let per = expand_duration(per);
        fields.extend(quote!(rate: #Private::Option::Some(#Private::Rate { count: #count, per: #per }),));
    }
    if let Some(cache) = options.cache.map(|(cache, _)| expand_duration(cache)) {
        fields.extend(quote!(cache: #Private::Option::Some(#cache),));
    }
    if options.undo.is_some() {
        fields.extend(quote!(undo: #Private::Option::Some(#Private::undo_of::<Self>()),));
    }
    if options.reconcile.is_some() {
        fields.extend(quote!(reconcile: #Private::Option::Some(#Private::reconcile_of::<Self>()),));
    }
    if fields.is_empty() { plain } else { quote!(#Private::TaskDef { #fields ..#plain }) }
}

fn start(function: &Function, signature: &Signature) -> TokenStream {
    let name = &function.signature.ident;
    // Hygienic, so that no argument hides the function or the context.
    let local =
        |name: String, at: &TaskParam| Ident::new(&name, Span::mixed_site().located_at(at.name.span()));
    let context = Ident::new("context", Span::mixed_site());
    let args = Ident::new("args", Span::mixed_site());
    let mut names = Vec::new();
    let mut values = Vec::new();
    for (index, param) in signature.params.iter().enumerate() {
        values.push(match param.role {
            Role::Argument => {
                let name = local(format!("arg{index}"), param).to_token_stream();
                names.push(name.clone());
                name
            }
            Role::Resource => {
                let ty = referent(&param.ty);
                quote!(#Private::Context::resource::<#ty>(#context))
            }
            Role::Context => {
                let mut context = context.clone();
                context.set_span(Span::mixed_site().located_at(ends(&param.ty.to_token_stream()).0));
                context.to_token_stream()
            }
        });
    }
    let names = one_or_tuple(names.into_iter());
    let wait = function.signature.asyncness.map(|_| quote!(.await));
    let body = quote!(Self::finish(#name(#(#values),*)#wait));
    // A future that is not `Send` is reported at the function's name, since
    // the call that rustc blames begins and ends there.
    let at = name.span();
    let future = quote_spanned!(at=> async move { #body });
    let open = quote_spanned!(at=> ::);
    let future = quote_spanned!(at=> (#future));
    let boxed = quote!(#open workflow_runtime::__private::Box::pin #future);
    quote! {
        fn start<'task>(#args: Self::Args<'task>, #context: &'task #Private::Context) -> #Private::Running<'task> {
            let #names = #args;
            #boxed
        }
    }
}

fn finish(output: &Output, options: &TaskOptions) -> TokenStream {
    let Output::Fallible { ty, error, .. } = output else {
        return quote! {
            fn finish(returned: Self::Return) -> #Private::Ended {
                #Private::succeed::<Self>(returned)
            }
        };
    };
    let into_result = qualified(ty, quote!(Fallible), "into_result", &ty.to_token_stream());
    let error_type = qualified(ty, quote!(Fallible), "Error", error);
    let boxed = qualified(&error_type, quote!(TaskError), "boxed", error);
    let opinion = match &options.policy.when {
        Some(when) => {
            // The predicate's type is stated where the predicate stands, so
            // that rustc points there when it has another.
            let (first, _) = ends(&when.to_token_stream());
            let predicate = quote_spanned!(first=> fn(&#error_type) -> ::core::primitive::bool);
            quote! {
                let when: #predicate = #when;
                if when(error) { #Private::Retryability::Retry } else { #Private::Retryability::Fatal }
            }
        }
        None => quote! {
            use #Private::NoOpinion as _;
            #Private::Ask(error).__retryability()
        },
    };
    // The call repeats what the types say. Drawn at the same place, what is
    // wrong with them is one error to rustc too.
    let (first, last) = ends(&ty.to_token_stream());
    let open = quote_spanned!(first=> ::);
    let returned = quote_spanned!(last=> (returned));
    let failed = quote_spanned!(ends(error).1=> (error));
    let arguments = quote! {
        #into_result #returned,
        |error| { #opinion },
        |error| #boxed #failed,
    };
    let arguments = quote_spanned!(last=> (#arguments));
    quote! {
        fn finish(returned: Self::Return) -> #Private::Ended {
            #open workflow_runtime::__private::finish::<Self, _> #arguments
        }
    }
}

/// How the arguments are written down and read again, where their types can.
fn kept(signature: &Signature) -> TokenStream {
    let types: Vec<&Type> = signature.arguments().map(|param| &param.ty).collect();
    let names = (0..types.len()).map(|index| Ident::new(&format!("arg{index}"), Span::mixed_site()));
    if types.is_empty() {
        TokenStream::new()
    } else if types.iter().all(|ty| types::is_of_its_own(referent(ty))) {
        let parts = types.iter().zip(names).enumerate().map(|(index, (ty, name))| {
            let how = if is_reference(ty) { quote!(__lent) } else { quote!(__owned) };
            let ty = referent(ty);
            quote!(#index #name #how (#ty))
        });
        quote!(::workflow_runtime::__kept! { #(#parts),* })
    } else {
        // What borrows inside of what it is cannot be read by itself.
        quote!(::workflow_runtime::__keep! { #(#names),* })
    }
}

/// What a workflow's step is to rustc: a function with the user's parameters
/// that rustc knows by the user's tokens.
fn constructor(function: &Function, signature: &Signature) -> TokenStream {
    let name = &function.signature.ident;
    let visibility = &function.visibility;
    let conditions = function.conditions();
    let deprecation = function.deprecation();
    let names: Vec<_> = signature.arguments().map(|param| &param.name).collect();
    let types = signature.arguments().map(|param| types::name_lifetimes(&param.ty));
    let values = one_or_tuple(names.iter().map(|name| name.to_token_stream()));
    let call = call_at(name.span());
    quote! {
        #(#conditions)*
        #[automatically_derived]
        #[allow(unused, clippy::all, clippy::pedantic, clippy::nursery)]
        impl #name {
            #[doc(hidden)]
            #(#deprecation)*
            #visibility fn #call<'task>(#(#names: #types),*) -> #Private::Call<'task, #name> {
                #Private::Call::new(#values)
            }
        }
    }
}

fn runs_on(function: &Function, signature: &Signature, options: &TaskOptions) -> TokenStream {
    let name = &function.signature.ident;
    let conditions = function.conditions();
    let resources = signature.resources().map(|ty| {
        // The reason that rustc gives is the parameter's type.
        let (first, last) = ends(&ty.to_token_stream());
        let (open, close) = (quote_spanned!(first=> ::), quote_spanned!(last=> >));
        quote!(__Engine: #open workflow_runtime::__private::Provides<#ty #close)
    });
    let undo =
        options.undo.as_ref().map(|_| quote!(<#name as #Private::Undone>::By: #Private::RunsOn<__Engine>,));
    let reconcile = options
        .reconcile
        .as_ref()
        .map(|_| quote!(<#name as #Private::Reconciled>::By: #Private::RunsOn<__Engine>,));
    quote! {
        #(#conditions)*
        #[automatically_derived]
        impl<__Engine> #Private::RunsOn<__Engine> for #name
        where
            #(#resources,)*
            #undo
            #reconcile
        {}
    }
}
