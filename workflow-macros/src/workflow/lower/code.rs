//! Expressions: the names they use, and the types that their tokens tell.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{Expr, Ident};

use super::Lower;
use crate::diagnostics::did_you_mean;
use crate::workflow::certain::is_certain;
use crate::workflow::graph::*;
use crate::workflow::rewrite::{Mode, handed_over, is_place, rewrite};
use crate::workflow::spelling::path_ident;
use crate::workflow::tokens::Owned;

impl Lower<'_> {
    /// The type of a pure expression, where its tokens alone say it.
    pub(super) fn type_of(&self, expr: &Expr) -> Option<TokenStream> {
        match expr {
            Expr::Paren(inner) => self.type_of(&inner.expr),
            Expr::Path(_) => {
                let binding = self.lookup(&path_ident(expr)?.to_string())?;
                match &self.graph.bindings[binding].form {
                    Form::Slot { ty, pat: None, .. } | Form::Pure { known: Some(ty), .. } => Some(ty.clone()),
                    _ => None,
                }
            }
            Expr::Tuple(tuple) => {
                let types = tuple.elems.iter().map(|elem| self.type_of(elem)).collect::<Option<Vec<_>>>()?;
                Some(quote!((#(#types,)*)))
            }
            Expr::MethodCall(call) if call.method == "clone" => self.type_of(&call.receiver),
            Expr::Lit(syn::ExprLit { lit: syn::Lit::Bool(_), .. }) => Some(quote!(::core::primitive::bool)),
            Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(number), .. }) if !number.suffix().is_empty() => {
                primitive(number.suffix(), number.span())
            }
            Expr::Lit(syn::ExprLit { lit: syn::Lit::Float(number), .. }) if !number.suffix().is_empty() => {
                primitive(number.suffix(), number.span())
            }
            Expr::Cast(cast) => Some(cast.ty.to_token_stream()),
            _ => None,
        }
    }

    pub(super) fn slot_type(&self, binding: BindingId) -> Option<TokenStream> {
        match &self.graph.bindings[binding].form {
            Form::Slot { ty, pat: None, .. } | Form::Pure { known: Some(ty), .. } => Some(ty.clone()),
            _ => None,
        }
    }

    /// An expression in `region`, with the names it uses.
    pub(super) fn code(&mut self, expr: &Expr, region: RegionId) -> Code {
        self.code_with(expr, region, &[])
    }

    pub(super) fn code_with(&mut self, expr: &Expr, region: RegionId, bound: &[(Ident, Mode)]) -> Code {
        let code = self.resolve(expr, bound);
        self.count(code, region)
    }

    /// An expression that is evaluated only where something else uses it.
    pub(super) fn uncounted(&mut self, expr: &Expr) -> Code {
        self.resolve(expr, &[])
    }

    pub(super) fn resolve(&mut self, expr: &Expr, bound: &[(Ident, Mode)]) -> Code {
        let rewritten = rewrite(expr, self, bound);
        self.report(rewritten.errors);
        for name in rewritten.unknown {
            self.unknown(&name, rewritten.functions.contains(&name));
        }
        let uses = rewritten.uses.iter().filter_map(|name| self.lookup(&name.to_string())).collect();
        Code { uses, tokens: rewritten.tokens, computed: !is_certain(expr) }
    }

    /// Notes the uses of an expression and captures what it needs.
    pub(super) fn count(&mut self, mut code: Code, region: RegionId) -> Code {
        for used in &code.uses {
            for binding in self.graph.closure(&[*used]) {
                let binding = &mut self.graph.bindings[binding];
                binding.uses += 1;
                binding.crosses |= binding.region != region;
            }
        }
        code.uses.sort_unstable();
        code.uses.dedup();
        self.graph.slots_of(region, &code.uses);
        code
    }

    /// An expression whose value is handed over: a place is copied.
    pub(super) fn owned(&mut self, expr: &Expr, region: RegionId) -> Code {
        let place = is_place(expr, self);
        let mut code = self.code(expr, region);
        if place {
            code.tokens = Owned::copied(&code.tokens, 0).block();
        }
        code
    }

    pub(super) fn wrap(&self, code: Code, wrap: impl FnOnce(TokenStream) -> TokenStream) -> Code {
        Code { tokens: wrap(code.tokens), uses: code.uses, computed: code.computed }
    }

    /// Says what a name may have been meant to be. `function` is whether it is
    /// handed over, as a function is.
    pub(super) fn unknown(&mut self, name: &Ident, function: bool) {
        let text = name.to_string();
        let workflow = self.workflow;
        if self.seen.contains(&text) {
            self.error(
                name.span(),
                format!("`{text}` is not visible here: it is bound inside another region of `{workflow}`\nhelp: make it the value of that region: `let {text} = if … {{ … }} else {{ … }};`"),
            );
        } else if self.declared.names.contains(&text) {
            self.error(
                name.span(),
                format!("step `{text}` is used before it is bound\nhelp: move its `let` above this statement; the order of the text does not slow anything down"),
            );
        } else if function && self.declared.tasks.contains(&text) {
            self.error(name.span(), handed_over(&text));
        } else if let Some(near) =
            did_you_mean(&text, self.scope.bound().iter().map(|(name, _)| name.as_str()))
        {
            self.error(
                name.span(),
                format!(
                    "cannot find `{text}` in workflow `{workflow}`\nhelp: a similar name exists: `{near}`"
                ),
            );
        } else if function {
            self.error(name.span(), handed_over(&text));
        }
        // Otherwise it may be a function or a static; rustc knows.
    }
}

/// The type of a literal such as `0u64`.
fn primitive(suffix: &str, span: Span) -> Option<TokenStream> {
    let name = Ident::new(suffix, span);
    Some(quote!(::core::primitive::#name))
}
