//! `#[task]`: from a function and its options to the function and its
//! contract. Parse, check, expand; every mistake is reported, and the
//! expansion is whole or at least a stub, so that one mistake is one error.

mod check;
mod expand;
mod function;
mod options;
mod signature;
mod stub;
mod types;

use proc_macro2::TokenStream;
use quote::quote;

use crate::diagnostics::Errors;
use function::Function;
use options::TaskOptions;
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
    let options = TaskOptions::read(options, &mut errors);
    let signature = Signature::read(&function, &mut errors);
    options.check(&function, signature.as_ref(), &mut errors);

    let contract = match &signature {
        Some(signature) => expand::contract(&function, signature, &options),
        None => stub::expand(&function),
    };
    let function = function.without_markers();
    quote!(#function #errors #contract)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(options: TokenStream, item: TokenStream) -> Vec<String> {
        let text = expand(options, item).to_string();
        // `compile_error ! { "..." }`, as the user will see it.
        text.split("compile_error ! {")
            .skip(1)
            .map(|rest| rest.split('}').next().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn a_task_without_options_is_small() {
        let function = quote! {
            pub async fn charge(order: &Order, cents: u64, #[resource] bank: &Bank) -> Result<Receipt, CardError> {}
        };
        let expanded = expand(TokenStream::new(), function.clone());
        // Every task pays this; see "generate data, not code" before raising it.
        let size = expanded.to_string().len() - function.to_string().len();
        assert!(size < 2_700, "the contract has {size} characters");
    }

    #[test]
    fn every_mistake_is_reported_at_once() {
        let errors = messages(
            quote!(timeout = "10", retry(attempts = 0), blocking, blocking, colour),
            quote!(
                async unsafe fn charge<T>(&self, (a, b): (T, T), c: &mut T) -> impl Sized {}
            ),
        );
        assert_eq!(errors.len(), 11, "{errors:#?}");
    }

    #[test]
    fn what_is_no_function_is_left_as_it_is() {
        let item = quote!(
            struct Charge {
                cents: u64,
            }
        );
        let expanded = expand(TokenStream::new(), item.clone()).to_string();
        assert!(expanded.starts_with(&item.to_string()));
        assert!(expanded.contains("the `task` attribute belongs on a function"));
    }

    #[test]
    fn a_half_typed_body_is_left_as_it_is() {
        let errors = messages(TokenStream::new(), quote!(async fn charge(order: &Order) { order. }));
        assert_eq!(errors, [""; 0]);
    }

    #[test]
    fn conditions_hold_for_all_that_is_generated() {
        let expanded = expand(
            TokenStream::new(),
            quote!(
                #[cfg(unix)]
                async fn charge() {}
            ),
        )
        .to_string();
        assert_eq!(expanded.matches("# [cfg (unix)]").count(), 5);
    }
}
