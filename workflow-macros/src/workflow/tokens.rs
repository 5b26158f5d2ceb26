//! Generated tokens that stand where the user's do, so that rustc points
//! there. The mirror and the tables share them: what both show is then the
//! same diagnostic, which rustc prints once. Also the user's tokens as text.

use std::collections::HashSet;

use proc_macro2::{Delimiter, Group, Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};

use crate::private::{Private, call_at};

/// How a place becomes a value of its own, and where that stands.
///
/// The value is bound before it is used, so that what is expected of it does
/// not flow back into how it is made: rustc then says what it says of the
/// user's own tokens, and the mirror and the tables get the same words.
pub(crate) struct Owned {
    /// `let name = …;`
    pub(crate) binding: TokenStream,
    /// The name, where the place stood.
    pub(crate) value: TokenStream,
}

impl Owned {
    /// A copy of a place.
    pub(crate) fn copied(place: &TokenStream, index: usize) -> Self {
        let at = Ends::of(place);
        let (private, lent) = (private_at(at.first), referenced(place));
        Self::made(at, index, &quote_spanned!(at.first=> #private::Clone::clone(#lent)))
    }

    /// In the mirror: a place whose value is handed over.
    pub(crate) fn moved(place: &TokenStream, index: usize) -> Self {
        let at = Ends::of(place);
        let (private, lent) = (private_at(at.first), referenced(place));
        Self::made(at, index, &quote_spanned!(at.first=> #private::moved(#lent)))
    }

    /// Any value that stands for the tokens between the two ends.
    pub(crate) fn made(at: Ends, index: usize, made: &TokenStream) -> Self {
        let Ends { first, last } = at;
        // The user's span, without hygiene: rustc would point at the macro.
        let name = Ident::new(&format!("__workflow_value_{index}"), first);
        let mut zero = Literal::usize_unsuffixed(0);
        zero.set_span(last);
        Self {
            binding: quote_spanned!(first=> let #name = (#made,);),
            value: quote_spanned!(first=> #name.#zero),
        }
    }

    /// The value as an expression.
    pub(crate) fn block(self) -> TokenStream {
        let Self { binding, value } = self;
        let first = Ends::of(&binding).first;
        quote_spanned!(first=> { #binding #value })
    }
}

/// `&place`, beginning where the place does.
pub(crate) fn referenced(place: &TokenStream) -> TokenStream {
    let first = Ends::of(place).first;
    quote_spanned!(first=> &#place)
}

/// The span of some tokens: rustc says that an expression reaches from its
/// first token to its last, and stable Rust cannot join the two before.
#[derive(Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) first: Span,
    pub(crate) last: Span,
}

impl Ends {
    pub(crate) fn of(tokens: &TokenStream) -> Self {
        let mut tokens = tokens.clone().into_iter();
        let first = tokens.next().map_or_else(Span::call_site, |token| token.span());
        let last = tokens.last().map_or(first, |token| token.span());
        Self { first, last }
    }
}

/// A `Duration`, expected because of the keyword.
pub(crate) fn duration(keyword: Span, tokens: &TokenStream) -> TokenStream {
    let ty = quote_spanned!(keyword=> ::core::time::Duration);
    quote_spanned!(keyword=> { let time: #ty = #tokens; time })
}

/// The `SystemTime` of a point in time.
pub(crate) fn moment(keyword: Span, tokens: &TokenStream) -> TokenStream {
    let private = private_at(keyword);
    let mut argument = Group::new(Delimiter::Parenthesis, tokens.clone());
    argument.set_span(keyword);
    quote_spanned!(keyword=> #private::Moment::system_time #argument)
}

/// The key of a signal, as text. A place is borrowed.
pub(crate) fn signal_key(at: Span, tokens: &TokenStream, place: bool) -> TokenStream {
    let private = private_at(at);
    let lent = if place { referenced(tokens) } else { quote!(&(#tokens)) };
    let mut argument = Group::new(Delimiter::Parenthesis, lent);
    argument.set_span(at);
    quote_spanned!(at=> #private::SignalKey::text #argument)
}

/// What `?` asks of an expression, at its place.
pub(crate) fn tried(tokens: &TokenStream, ty: Option<&TokenStream>) -> TokenStream {
    let at = Ends::of(tokens).first;
    let private = private_at(at);
    let mut argument = Group::new(Delimiter::Parenthesis, tokens.clone());
    argument.set_span(at);
    let tried = quote_spanned!(at=> #private::tried #argument);
    match ty {
        Some(ty) => quote_spanned!(at=> #private::of::<#ty>(#tried)),
        None => tried,
    }
}

/// The value of what has been tried, where it was no error.
pub(crate) fn passed(tried: &TokenStream) -> TokenStream {
    let at = Ends::of(tried).first;
    let private = private_at(at);
    quote_spanned!(at=> #private::passed(#tried))
}

/// Why a run fails: in words, or by an error.
pub(crate) fn failure(keyword: Span, words: bool, tokens: &TokenStream) -> TokenStream {
    let at = Ends::of(tokens).first;
    let private = private_at(at);
    if words {
        return quote_spanned!(keyword=> #private::failed_with(#tokens));
    }
    let mut argument = Group::new(Delimiter::Parenthesis, tokens.clone());
    argument.set_span(at);
    quote_spanned!(at=> #private::failed_by #argument)
}

/// `format!` of what `fail!` takes.
pub(crate) fn words(fail: &syn::Macro) -> syn::Expr {
    let mut mac = fail.clone();
    let span = mac.path.segments.first().map_or_else(Span::call_site, |name| name.ident.span());
    mac.path = syn::Path::from(Ident::new("format", span));
    mac.path.leading_colon = None;
    syn::Expr::Macro(syn::ExprMacro { attrs: Vec::new(), mac })
}

/// The runtime's private module, at a place of the user's: rustc says that an
/// expression begins where its first token does.
pub(crate) fn private_at(span: Span) -> TokenStream {
    quote_spanned!(span=> ::workflow_runtime::__private)
}

/// `match looked_at { arms }`, where the user's stands.
pub(crate) fn matched(keyword: Span, brace: Span, looked_at: &TokenStream, arms: TokenStream) -> TokenStream {
    let mut body = Group::new(Delimiter::Brace, arms);
    body.set_span(brace);
    quote_spanned!(keyword=> match #looked_at #body)
}

/// The iterator over the items of a `for`, as rustc names it in messages.
pub(crate) fn iterator(items: &TokenStream) -> TokenStream {
    let first = Ends::of(items).first;
    let mut argument = Group::new(Delimiter::Parenthesis, items.clone());
    argument.set_span(first);
    quote_spanned!(first=> ::core::iter::IntoIterator::into_iter #argument)
}

/// `<price>::price(args)`: the associated function of the task's type has the
/// task's own parameters, so rustc reports as if the function were called.
pub(crate) fn call_tokens(
    path: &syn::Path,
    paren: &syn::token::Paren,
    args: impl Iterator<Item = TokenStream>,
) -> TokenStream {
    let span = path.segments.last().map_or_else(Span::call_site, |segment| segment.ident.span());
    let call = call_at(span);
    let mut arguments = Group::new(Delimiter::Parenthesis, quote!(#(#args),*));
    arguments.set_span(paren.span.join());
    quote_spanned!(span=> <#path>::#call #arguments)
}

/// Has rustc check that these are no tasks: a task that an expression calls as
/// a function returns a future, which nothing awaits.
///
/// A task is a function *and a type* of one name. An import brings what there
/// is of both, and hides what another brings by `*`; so `Called` is the task's
/// type, or the runtime's where the function has none.
pub(crate) fn plain_functions<'a>(paths: impl IntoIterator<Item = &'a syn::Path>) -> TokenStream {
    let mut seen = HashSet::new();
    let mut checks = TokenStream::new();
    for path in paths {
        let mut path = path.clone();
        path.segments.iter_mut().for_each(|segment| segment.arguments = syn::PathArguments::None);
        if !seen.insert(path.to_token_stream().to_string()) {
            continue;
        }
        let span = path.segments.last().map_or_else(Span::call_site, |segment| segment.ident.span());
        let called = Ident::new("__WorkflowCalled", span);
        checks.extend(quote! {
            const _: () = {
                #[allow(unused_imports)]
                use #Private::called::*;
                #[allow(unused_imports, non_camel_case_types)]
                use #path as #called;
                <#called as #Private::PlainFunction>::CHECKED
            };
        });
    }
    checks
}

/// A name as text, without `r#`.
pub(crate) fn plain(name: &Ident) -> String {
    let text = name.to_string();
    text.strip_prefix("r#").map_or(text.clone(), str::to_owned)
}

/// A type as its user would write it.
pub(crate) fn type_text(ty: &syn::Type) -> String {
    let text = ty.to_token_stream().to_string();
    text.replace(" < ", "<")
        .replace(" >", ">")
        .replace(" :: ", "::")
        .replace(":: ", "::")
        .replace("& ", "&")
        .replace(" ,", ",")
}
