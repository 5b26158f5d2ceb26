//! The annotated function as it stands. The body is not parsed: it is the
//! user's, it is long, and it may be half typed.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, FnArg, Signature, Visibility};

pub(super) struct Function {
    pub(super) attributes: Vec<Attribute>,
    pub(super) visibility: Visibility,
    pub(super) signature: Signature,
    body: TokenStream,
}

impl Parse for Function {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        Ok(Self {
            attributes: input.call(Attribute::parse_outer)?,
            visibility: input.parse()?,
            signature: input.parse()?,
            body: input.parse()?,
        })
    }
}

impl Function {
    /// The function as the user would have written it without this macro.
    pub(super) fn without_markers(mut self) -> Self {
        for input in &mut self.signature.inputs {
            if let FnArg::Typed(input) = input {
                input.attrs.retain(|attribute| !is_marker(attribute));
            }
        }
        self
    }

    /// The attributes that what stands beside the function needs too: it
    /// exists exactly when the function does.
    pub(super) fn conditions(&self) -> impl Iterator<Item = &Attribute> {
        self.attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"))
    }

    /// A use of the task warns like a use of the function.
    pub(super) fn deprecation(&self) -> impl Iterator<Item = &Attribute> {
        self.attributes.iter().filter(|attribute| attribute.path().is_ident("deprecated"))
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self { attributes, visibility, signature, body } = self;
        tokens.extend(quote!(#(#attributes)* #visibility #signature #body));
    }
}

/// `#[resource]` and `#[context]` mean something to this macro only.
pub(super) fn is_marker(attribute: &Attribute) -> bool {
    attribute.path().is_ident("resource") || attribute.path().is_ident("context")
}

/// Why the item is not a function: that it is another thing, which is the
/// user's mistake, or that it does not parse, which is syn's to explain.
pub(super) fn explain(item: &TokenStream, error: syn::Error) -> syn::Error {
    const OTHER: [&str; 10] =
        ["struct", "enum", "union", "trait", "impl", "mod", "type", "static", "use", "macro_rules"];
    for token in item.clone() {
        match token {
            TokenTree::Ident(word) if word == "fn" => return error,
            TokenTree::Ident(word) if OTHER.iter().any(|other| word == other) => {
                return syn::Error::new(
                    word.span(),
                    "the `task` attribute belongs on a function\n\
                     help: write it above an `async fn`, or above a `fn` as `#[task(blocking)]`",
                );
            }
            _ => {}
        }
    }
    error
}
