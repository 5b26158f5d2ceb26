//! `#[task]`: from a function and its options to the function and its
//! contract. Parse, check, expand; every mistake is reported, and the
//! expansion is whole or at least a stub, so that one mistake is one error.

mod expand;
mod function;
mod options;
mod signature;
mod types;

use proc_macro2::TokenStream;
use quote::quote;

use crate::diagnostics::Errors;
use function::Function;
use options::Options;
use signature::Signature;

/// The expansion of `#[task(options)] item`.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let function: Function = match syn::parse2(item.clone()) {
        Ok(function) => function,
        // Left as it is, so that an editor still knows what it is.
        Err(error) => {
            let error = function::explain(&item, error).to_compile_error();
            return quote!(#item #error);
        }
    };
    let mut errors = Errors::default();
    let options = Options::read(options, &mut errors);
    let signature = Signature::read(&function, &mut errors);
    options.check(&function, signature.as_ref(), &mut errors);

    let contract = match &signature {
        Some(signature) => expand::contract(&function, signature, &options),
        None => expand::stub(&function),
    };
    let function = function.without_markers();
    quote!(#function #errors #contract)
}
