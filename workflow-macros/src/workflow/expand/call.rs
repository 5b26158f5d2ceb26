//! The function of a step that calls a task.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::function::{Prelude, hidden};
use super::{Tables, short};
use crate::private::Private;
use crate::workflow::graph::*;
use crate::workflow::tokens::{Ends, Owned, call_tokens, private_at};

impl Tables<'_> {
    pub(super) fn call(
        &mut self,
        region: RegionId,
        path: &syn::Path,
        paren: &syn::token::Paren,
        args: &[Arg],
        policy: Option<&StepPolicy>,
    ) -> TokenStream {
        let mut lent = Vec::new();
        let mut moves: Vec<usize> = Vec::new();
        let mut consumed: Vec<(usize, TokenStream)> = Vec::new();
        for arg in args {
            match arg {
                Arg::Own { binding, .. } | Arg::Step { lend: None, binding, .. }
                    if self.only_use(region, *binding) =>
                {
                    if let Form::Slot { slot, ty, .. } = &self.graph.bindings[*binding].form {
                        moves.push(self.graph.number(region, *slot));
                        consumed.push((*binding, ty.clone()));
                    }
                }
                Arg::Own { binding, .. } | Arg::Step { binding, .. } => lent.push(*binding),
                Arg::Code { code, .. } => lent.extend(&code.uses),
            }
        }
        let local = args.iter().any(|arg| matches!(arg, Arg::Code { lends: true, .. }));
        let prelude = self.prelude(region, &lent);
        let mut taken = TokenStream::new();
        let mut take = |index: usize, binding: &BindingId, span: Span| {
            let position = consumed.iter().position(|(moved, _)| moved == binding)?;
            let (private, ty) = (private_at(span), &consumed[position].1);
            let moved = hidden("moved");
            let made = quote_spanned!(span=> #private::Take::<#ty>::new(#moved, #position).take());
            let Owned { binding, value } = Owned::made(Ends { first: span, last: span }, index, &made);
            taken.extend(binding);
            Some(value)
        };
        let mut copies = TokenStream::new();
        let mut copy = |index: usize, place: &TokenStream| {
            let Owned { binding, value } = Owned::copied(place, index);
            copies.extend(binding);
            value
        };
        let args = args.iter().enumerate().map(|(index, arg)| match arg {
            Arg::Own { binding, name } => take(index, binding, name.span())
                .unwrap_or_else(|| copy(index, &quote_spanned!(name.span()=> (*#name)))),
            Arg::Step { lend, binding, span } => {
                let name = &self.graph.bindings[*binding].names[0];
                match lend {
                    Some(and) => quote!(#and (*#name)),
                    None => take(index, binding, *span)
                        .unwrap_or_else(|| copy(index, &quote_spanned!(*span=> (*#name)))),
                }
            }
            Arg::Code { code, place: true, .. } => copy(index, &code.tokens),
            Arg::Code { code, .. } => code.tokens.clone(),
        });
        let args = args.collect::<Vec<_>>();
        let call = call_tokens(path, paren, args.into_iter());
        let Prelude { statements, reads } = prelude;
        let (env, moved) = (hidden("env"), hidden("moved"));
        let begin = if local {
            // The task borrows what only this function holds, so the function
            // waits for it. This costs some compile time.
            let span = path.span();
            let private = private_at(span);
            quote_spanned!(span=> #private::Box::pin(async move { #statements #copies #env.begin(#call).await }))
        } else {
            quote!(#statements #copies #env.begin(#call))
        };
        let function = self.name();
        self.functions.extend(quote! {
            fn #function<'env>(#env: &'env #Private::Env, #moved: &mut #Private::Moved) -> #Private::Running<'env> {
                use #Private::TakeByCodec as _;
                #taken
                #begin
            }
        });
        let reads = reads.iter().map(|slot| short(*slot));
        let moves = moves.iter().map(|slot| short(*slot));
        let policy = match policy {
            None => quote!(&<#path as #Private::Task>::CONTRACT.policy),
            Some(StepPolicy { policy, span }) => {
                let name = self.name();
                let private = private_at(*span);
                let task = quote!(<#path as #Private::Task>::CONTRACT);
                let check = quote_spanned!(*span=> #private::check_policy(#task, &#name));
                self.functions.extend(quote! {
                    #[allow(non_upper_case_globals)]
                    const #name: #Private::Policy = #policy;
                    const _: () = #check;
                });
                quote!(&#name)
            }
        };
        quote! {
            #Private::Kind::Task(#Private::TaskStep {
                task: <#path as #Private::Task>::CONTRACT,
                policy: #policy,
                reads: &[#(#reads),*],
                moves: &[#(#moves),*],
                start: #function,
            })
        }
    }

    /// Whether this is the one use of a value of this very region, so that it
    /// may be moved.
    fn only_use(&self, region: RegionId, binding: BindingId) -> bool {
        let binding = &self.graph.bindings[binding];
        binding.region == region && binding.uses == 1 && matches!(binding.form, Form::Slot { pat: None, .. })
    }
}
