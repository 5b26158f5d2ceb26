//! stub
use proc_macro2::TokenStream;
use syn::Attribute;
use crate::diagnostics::Errors;
#[derive(Default, Clone)]
pub(crate) struct StepOptions;
impl StepOptions {
    pub(crate) fn parse_attribute(&mut self, _attr: &Attribute, _errors: &mut Errors) {}
}
pub(crate) fn expand_policy(_o: &StepOptions, base: &TokenStream) -> TokenStream { base.clone() }
