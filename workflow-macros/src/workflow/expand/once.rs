//! Pure bindings whose values are computed once in each frame of their region,
//! since several expressions use them: another evaluation may give another value.
//!
//! ```text
//! let now = (&&&&Computed::new(|| (now)())).__once(env, 0, 0);
//! ```

use std::collections::HashMap;

use proc_macro2::{Spacing, TokenStream, TokenTree};
use quote::quote;

use super::function::hidden;
use super::{Tables, fingerprint, short};
use crate::private::Private;
use crate::workflow::graph::*;
use crate::workflow::tokens::plain;

/// Which bindings these are.
#[derive(Default)]
pub(super) struct Onces {
    /// By region, in order.
    of: Vec<Vec<BindingId>>,
    /// The number of each in its region.
    numbers: HashMap<BindingId, usize>,
}

impl Onces {
    pub(super) fn new(graph: &Graph) -> Self {
        let mut onces = Self { of: vec![Vec::new(); graph.regions.len()], numbers: HashMap::new() };
        for (id, binding) in graph.bindings.iter().enumerate() {
            let Form::Pure { code, .. } = &binding.form else { continue };
            let borrows = graph.borrowing.contains(&id);
            if code.computed && !borrows && (binding.uses > 1 || binding.crosses) {
                let of = &mut onces.of[binding.region];
                onces.numbers.insert(id, of.len());
                of.push(id);
            }
        }
        onces
    }

    /// How many regions with such bindings lie between, the inner one included.
    fn level(&self, graph: &Graph, inner: RegionId, outer: RegionId) -> usize {
        let mut level = 0;
        let mut region = inner;
        while region != outer {
            level += usize::from(!self.of[region].is_empty());
            let Some(parent) = graph.regions[region].parent else { break };
            region = parent;
        }
        level
    }
}

impl Tables<'_> {
    /// The bindings of a region that are computed once, as its table has them:
    /// each by its name and what it is, and the slots it is made of.
    pub(super) fn onces(&self, region: RegionId) -> TokenStream {
        let mut rows = TokenStream::new();
        let mut names: HashMap<String, usize> = HashMap::new();
        for &id in &self.onces.of[region] {
            let binding = &self.graph.bindings[id];
            let Form::Pure { code, .. } = &binding.form else { continue };
            let words: Vec<String> = binding.names.iter().map(plain).collect();
            let hash = fingerprint(super::SEED, &code.tokens.to_string());
            let name = format!("{}-{hash:016x}", words.join(","));
            // The same words may be there twice, one hiding the other.
            let before = names.entry(name.clone()).or_default();
            let name = if *before == 0 { name } else { format!("{name}-{before}") };
            *before += 1;
            let mut reads = Vec::new();
            for used in self.graph.closure(&code.uses) {
                let used = &self.graph.bindings[used];
                if let Form::Slot { slot, .. } = &used.form {
                    let slot = self.find(region, used.region, *slot);
                    super::position(&mut reads, self.graph.number(region, slot));
                }
            }
            let reads = reads.into_iter().map(short);
            rows.extend(quote!(#Private::Once { name: #name, reads: &[#(#reads),*] },));
        }
        rows
    }

    /// The value of a binding, computed once; `None` where every use evaluates
    /// it. `ty` is its type, where it is written.
    pub(super) fn once(
        &self,
        region: RegionId,
        id: BindingId,
        tokens: &TokenStream,
        ty: Option<&TokenStream>,
    ) -> Option<TokenStream> {
        let number = *self.onces.numbers.get(&id)?;
        let level = self.onces.level(self.graph, region, self.graph.bindings[id].region);
        let env = hidden("env");
        let (and, inner) = lent(tokens);
        let compute = match ty {
            Some(ty) => quote!(|| -> #ty { #inner }),
            None => quote!(|| #inner),
        };
        // What is made of nothing borrows nothing. What is made of other values may
        // lend them, as `orders.first()` does, and cannot be kept without them.
        let is_made_of_nothing = match &self.graph.bindings[id].form {
            Form::Pure { code, .. } => code.uses.is_empty(),
            _ => false,
        };
        let cloned = is_made_of_nothing.then(|| quote!(OnceCloned as _,));
        Some(quote! {
            #and ({
                use #Private::{#cloned OnceLent as _, OnceNever as _, OnceStored as _};
                (&&&&#Private::Computed::new(#compute)).__once(#env, #level, #number)
            })
        })
    }
}

/// An expression without the `&` before it, which stands before what was computed
/// then: no function gives back what it lends of its own.
fn lent(tokens: &TokenStream) -> (Option<TokenTree>, TokenStream) {
    let mut inner = tokens.clone().into_iter();
    match inner.next() {
        Some(TokenTree::Punct(and)) if and.as_char() == '&' && and.spacing() == Spacing::Alone => {
            (Some(TokenTree::Punct(and)), inner.collect())
        }
        _ => (None, tokens.clone()),
    }
}
