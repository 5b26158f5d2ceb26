//! The functions of expressions: each repeats, in its prelude, the names that
//! the expression uses.

use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::{TokenStreamExt, format_ident, quote};

use super::{Tables, position, short};
use crate::private::Private;
use crate::workflow::graph::*;

/// The prelude of an expression, and the slots it reads.
pub(super) struct Prelude {
    pub(super) statements: TokenStream,
    pub(super) reads: Vec<usize>,
}

impl Tables<'_> {
    pub(super) fn value(&mut self, region: RegionId, code: &Code, ty: &TokenStream) -> TokenStream {
        let keep = self.keep(code, std::slice::from_ref(ty));
        self.kept_expr(
            region,
            code,
            &quote!(#Private::Value),
            &keep,
            |tokens| quote!({ let value: #ty = #tokens; #Private::Value::new(value) }),
        )
    }

    /// How the values of an expression are kept: not at all where another
    /// evaluation gives the same.
    pub(super) fn keep(&self, code: &Code, types: &[TokenStream]) -> TokenStream {
        if !(code.computed || self.graph.is_computed(&code.uses)) {
            return quote!(#Private::Keep::NOTHING);
        }
        let codecs = types.iter().map(|ty| quote!(#Private::Codec::of::<#ty>()));
        quote!(#Private::Keep { codecs: &[#(#codecs),*], unless_ordered: #Private::Option::None })
    }

    pub(super) fn expr(
        &mut self,
        region: RegionId,
        code: &Code,
        ty: &TokenStream,
        wrap: impl FnOnce(TokenStream) -> TokenStream,
    ) -> TokenStream {
        self.kept_expr(region, code, ty, &quote!(#Private::Keep::NOTHING), wrap)
    }

    /// The same for one whose value is kept.
    pub(super) fn kept_expr(
        &mut self,
        region: RegionId,
        code: &Code,
        ty: &TokenStream,
        keep: &TokenStream,
        wrap: impl FnOnce(TokenStream) -> TokenStream,
    ) -> TokenStream {
        let prelude = self.prelude(region, &code.uses);
        self.function(prelude, ty, keep, wrap(code.tokens.clone()))
    }

    pub(super) fn function(
        &mut self,
        prelude: Prelude,
        ty: &TokenStream,
        keep: &TokenStream,
        body: TokenStream,
    ) -> TokenStream {
        let Prelude { statements, reads } = prelude;
        let (function, env) = (self.name(), hidden("env"));
        self.functions.extend(quote! {
            fn #function(#env: &#Private::Env) -> #ty { #statements #body }
        });
        let reads = reads.iter().map(|slot| short(*slot));
        quote!(#Private::Expr { reads: &[#(#reads),*], eval: #function, keep: #keep })
    }

    pub(super) fn name(&mut self) -> Ident {
        self.count += 1;
        format_ident!("__workflow_{}", self.count)
    }

    /// The names an expression uses, each with its value, in the order in
    /// which they were bound: a later binding shadows an earlier one here as
    /// it does in the workflow.
    pub(super) fn prelude(&self, region: RegionId, uses: &[BindingId]) -> Prelude {
        let mut prelude = Prelude { statements: TokenStream::new(), reads: Vec::new() };
        let env = hidden("env");
        for id in self.graph.closure(uses) {
            let binding = &self.graph.bindings[id];
            prelude.statements.extend(match &binding.form {
                Form::Slot { slot, ty, pat, own } => {
                    let slot = self.find(region, binding.region, *slot);
                    let index = position(&mut prelude.reads, self.graph.number(region, slot));
                    match (pat, binding.names.first(), self.output_of(binding)) {
                        (None, Some(name), _) if *own => quote! {
                            let mut #name = {
                                use #Private::TakeByCodec as _;
                                #Private::Take::<#ty>::of(#env.share(#index)).take()
                            };
                        },
                        // The mirror has rustc check that the pattern always fits.
                        (Some(pat), _, _) => {
                            quote!(let #pat = #env.lend::<#ty>(#index) else { #Private::changed() };)
                        }
                        (None, Some(name), Some(ty)) => {
                            lend(&mut prelude.statements, name, &env, ty, index);
                            continue;
                        }
                        (None, Some(name), None) => quote!(let #name = #env.lend::<#ty>(#index);),
                        (None, None, _) => TokenStream::new(),
                    }
                }
                Form::Pure { pat, ty, code, by_ref, .. } => {
                    let tokens = &code.tokens;
                    let once = self.once(region, id, tokens, ty.as_ref());
                    let tokens = once.as_ref().unwrap_or(tokens);
                    let ty = ty.as_ref().map(|ty| if *by_ref { quote!(: &#ty) } else { quote!(: #ty) });
                    if binding.names.first().is_some_and(|name| *name == pat.to_string()) {
                        quote!(let #pat #ty = #tokens;)
                    } else {
                        quote!(let #pat #ty = (#tokens) else { #Private::changed() };)
                    }
                }
            });
        }
        prelude
    }

    /// The short name of the type of what a binding is bound to, if it is what a
    /// task leaves behind.
    fn output_of(&self, binding: &Binding) -> Option<Ident> {
        let Form::Slot { slot: Slot::Output(output), .. } = &binding.form else { return None };
        self.uses.output(binding.region, self.graph.regions[binding.region].outputs[*output])
    }

    /// Where `region` holds what `slot` of `owner` holds. Lowering has made
    /// the captures.
    pub(super) fn find(&self, region: RegionId, owner: RegionId, slot: Slot) -> Slot {
        if region == owner {
            return slot;
        }
        let this = &self.graph.regions[region];
        let Some(parent) = this.parent else { return slot };
        let outside = self.find(parent, owner, slot);
        Slot::Capture(this.captures.iter().position(|capture| *capture == outside).unwrap_or_default())
    }
}

/// `let name = env.lend::<Output>(index);`, which most of a large expansion
/// is: token by token, since rustc would be asked to join what `quote!` makes.
fn lend(tokens: &mut TokenStream, name: &Ident, env: &Ident, output: Ident, index: usize) {
    let here = Span::call_site();
    let word = |text| Ident::new(text, here);
    let punct = |char| Punct::new(char, Spacing::Alone);
    let index = TokenTree::from(Literal::usize_unsuffixed(index));
    tokens.append(word("let"));
    tokens.append(name.clone());
    tokens.append(punct('='));
    tokens.append(env.clone());
    tokens.append(punct('.'));
    tokens.append(word("lend"));
    tokens.append(Punct::new(':', Spacing::Joint));
    tokens.append(punct(':'));
    tokens.append(punct('<'));
    tokens.append(output);
    tokens.append(punct('>'));
    tokens.append(Group::new(Delimiter::Parenthesis, index.into()));
    tokens.append(punct(';'));
}

/// A local name of the expansion's, which the user's expressions cannot see.
pub(super) fn hidden(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}
