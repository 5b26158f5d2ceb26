//! Steps that call a task: a row of the table each, and an arm of a function.
//!
//! ```text
//! fn __workflow_1<'env>(env: &'env Env, moved: &mut Moved) -> Running<'env> {
//!     match env.arm() {
//!         0 => env.begin(<fetch>::call()),
//!         _ => {
//!             let page = env.lend::<__WorkflowOutput0>(0);
//!             env.begin(<count>::call(&(*page)))
//!         }
//!     }
//! }
//! row(__WORKFLOW_TASK_1, "words", __WORKFLOW_NUMBERS, [1, 2, 2, 3, 3], (__workflow_1, 1), 1, 12, 4711)
//! ```

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::function::{Prelude, hidden};
use super::{Columns, NUMBERS, Tables};
use crate::private::{PRIVATE, Private};
use crate::workflow::graph::*;
use crate::workflow::tokens::{Ends, Owned, call_tokens, private_at};

/// How many steps share a function: rustc's work for each function is spread,
/// and none gets large.
const ARMS: usize = 32;

/// The function under way.
#[derive(Default)]
pub(super) struct Arms {
    name: Option<Ident>,
    bodies: Vec<TokenStream>,
}

impl Tables<'_> {
    /// The row of a step that calls a task, as text: rustc reads numbers from
    /// text faster than this macro makes tokens of them.
    pub(super) fn call(&mut self, region: RegionId, id: StepId, columns: &Columns) -> Option<String> {
        let step = &self.graph.regions[region].steps[id];
        let Kind::Call { path, paren, args, policy } = &step.kind else { return None };
        let mut used = self.uses.constant(region, id)?.to_string();
        let mut lent = Vec::new();
        let mut moves: Vec<usize> = Vec::new();
        let mut consumed: Vec<(usize, TokenStream)> = Vec::new();
        for arg in args {
            match arg {
                Input::Own { binding, .. } | Input::Step { lend: None, binding, .. }
                    if self.only_use(region, *binding) =>
                {
                    if let Form::Slot { slot, ty, .. } = &self.graph.bindings[*binding].form {
                        moves.push(self.graph.number(region, *slot));
                        consumed.push((*binding, ty.clone()));
                    }
                }
                Input::Own { binding, .. } | Input::Step { binding, .. } => lent.push(*binding),
                Input::Code { code, .. } => lent.extend(&code.uses),
            }
        }
        let keeps = args.iter().any(|arg| match arg {
            Input::Own { binding, .. } => self.graph.is_computed(&[*binding]),
            Input::Code { code, .. } => code.computed || self.graph.is_computed(&code.uses),
            Input::Step { .. } => false,
        });
        let local = args.iter().any(|arg| matches!(arg, Input::Code { lends: true, .. }));
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
            Input::Own { binding, name } => take(index, binding, name.span())
                .unwrap_or_else(|| copy(index, &quote_spanned!(name.span()=> (*#name)))),
            Input::Step { lend, binding, span } => {
                let name = &self.graph.bindings[*binding].names[0];
                match lend {
                    Some(and) => quote!(#and (*#name)),
                    None => take(index, binding, *span)
                        .unwrap_or_else(|| copy(index, &quote_spanned!(*span=> (*#name)))),
                }
            }
            Input::Code { code, place: true, .. } => copy(index, &code.tokens),
            Input::Code { code, .. } => code.tokens.clone(),
        });
        let args = args.collect::<Vec<_>>();
        let call = call_tokens(path, paren, args.into_iter());
        let Prelude { statements, reads } = prelude;
        let env = hidden("env");
        let begin = if local {
            // The task borrows what only this function holds, so the function
            // waits for it. This costs some compile time.
            let span = path.span();
            let private = private_at(span);
            quote_spanned!(span=> #private::Box::pin(async move { #statements #copies #env.begin(#call).await }))
        } else {
            quote!(#statements #copies #env.begin(#call))
        };
        let (function, arm) = self.arm(quote!(#taken #begin));
        if let Some(StepPolicy { policy, waits, span }) = policy {
            let name = self.name();
            let private = private_at(*span);
            let task = quote!(<#path as #Private::Task>::CONTRACT);
            let check = quote_spanned!(*span=> #private::check_policy(#task, &#name, #waits));
            self.functions.extend(quote! {
                #[allow(non_upper_case_globals)]
                const #name: #Private::Policy = #policy;
                const _: () = #check;
            });
            used = format!("{PRIVATE}::TaskUse {{ policy: &{name}, ..{used} }}");
        }
        let Columns { name, needs, dependents, output, line, fingerprint } = columns;
        let from = self.numbers.len();
        let ends = [needs, dependents, &reads, &moves].map(|numbers| {
            self.numbers.extend(numbers);
            self.numbers.len()
        });
        let [needs, dependents, reads, moves] = ends;
        let row = format!(
            "{PRIVATE}::row({used}, {name:?}, {NUMBERS}, [{from}, {needs}, {dependents}, {reads}, {moves}], \
             ({function}, {arm}), {output}, {line}, {fingerprint})"
        );
        let row = if keeps { format!("{PRIVATE}::keeping({row})") } else { row };
        Some(if step.always.is_some() {
            format!("{PRIVATE}::Step {{ always: true, ..{row} }},")
        } else {
            format!("{row},")
        })
    }

    /// Adds an arm to the function under way.
    fn arm(&mut self, body: TokenStream) -> (Ident, usize) {
        if self.arms.bodies.len() == ARMS {
            self.end_arms();
        }
        let function = match &self.arms.name {
            Some(name) => name.clone(),
            None => {
                let name = self.name();
                self.arms.name.insert(name).clone()
            }
        };
        self.arms.bodies.push(body);
        (function, self.arms.bodies.len() - 1)
    }

    /// Writes the function under way.
    pub(super) fn end_arms(&mut self) {
        let Arms { name: Some(name), bodies } = std::mem::take(&mut self.arms) else { return };
        let (env, moved) = (hidden("env"), hidden("moved"));
        let last = bodies.len() - 1;
        let arms = bodies.iter().enumerate().map(|(arm, body)| {
            let arm = u16::try_from(arm).ok().filter(|arm| usize::from(*arm) < last);
            let arm = arm.map_or_else(|| quote!(_), |arm| quote!(#arm));
            quote!(#arm => { #body })
        });
        self.functions.extend(quote! {
            fn #name<'env>(#env: &'env #Private::Env, #moved: &mut #Private::Moved) -> #Private::Running<'env> {
                use #Private::TakeByCodec as _;
                match #env.arm() { #(#arms)* }
            }
        });
    }

    /// Whether this is the one use of a value of this very region, so that it
    /// may be moved.
    fn only_use(&self, region: RegionId, binding: BindingId) -> bool {
        let binding = &self.graph.bindings[binding];
        binding.region == region && binding.uses == 1 && matches!(binding.form, Form::Slot { pat: None, .. })
    }
}
