//! Whether an expression holds a step, where it would be evaluated with it.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{Expr, Token};

use super::first_span;
use super::step::is_signal_path;
use crate::workflow::spelling::is_step_call;

/// The macros that take expressions, each of which is evaluated once.
const IN_PLACE: [&str; 4] = ["format", "vec", "matches", "fail"];

/// Whether there is a step in it, or a `?`, outside of closures.
pub(super) fn holds_step(expr: &Expr) -> bool {
    step_in(expr).is_some()
}

/// Where the first of them is.
pub(crate) fn step_in(expr: &Expr) -> Option<Span> {
    // A visitor that changes nothing: the other kind would be a second large
    // piece of syn.
    let mut find = Find(None);
    find.visit_expr_mut(&mut expr.clone());
    find.0
}

/// The same of the arms of an `if`.
pub(super) fn holds_step_in_arms(chosen: &syn::ExprIf) -> bool {
    let then =
        Expr::Block(syn::ExprBlock { attrs: Vec::new(), label: None, block: chosen.then_branch.clone() });
    holds_step(&then) || chosen.else_branch.as_ref().is_some_and(|(_, other)| holds_step(other))
}

struct Find(Option<Span>);

impl VisitMut for Find {
    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        if self.0.is_some() {
            return;
        }
        match expr {
            Expr::Path(_) | Expr::Lit(_) | Expr::Closure(_) | Expr::Async(_) | Expr::Const(_) => {}
            Expr::Try(tried) if matches!(&*tried.expr, Expr::Await(_)) => {}
            Expr::Await(_) => {}
            Expr::Try(tried) => {
                self.visit_expr_mut(&mut tried.expr);
                self.0.get_or_insert(tried.question_token.span());
            }
            Expr::Call(call) if is_step_call(call) || is_signal_path(&call.func) => {
                self.0 = Some(first_span(&call.func));
            }
            Expr::Macro(mac) => self.visit_macro_mut(&mut mac.mac),
            expr => visit_mut::visit_expr_mut(self, expr),
        }
    }

    fn visit_macro_mut(&mut self, mac: &mut syn::Macro) {
        if mac.path.is_ident("select") || mac.path.is_ident("fail") {
            self.0 = Some(mac.path.span());
        } else if let Some(mut args) = in_place(mac) {
            args.iter_mut().for_each(|arg| self.visit_expr_mut(arg));
        }
    }

    fn visit_item_mut(&mut self, _: &mut syn::Item) {}
    fn visit_pat_mut(&mut self, _: &mut syn::Pat) {}
    fn visit_type_mut(&mut self, _: &mut syn::Type) {}
}

/// The expressions that a macro takes, and what follows them.
pub(super) struct Arguments {
    exprs: Vec<Expr>,
    between: TokenStream,
    rest: TokenStream,
}

impl Arguments {
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Expr> {
        self.exprs.iter_mut()
    }

    pub(super) fn tokens(&self) -> TokenStream {
        let (between, rest) = (&self.between, &self.rest);
        let mut tokens = TokenStream::new();
        for (index, expr) in self.exprs.iter().enumerate() {
            if index > 0 {
                between.to_tokens(&mut tokens);
            }
            expr.to_tokens(&mut tokens);
        }
        rest.to_tokens(&mut tokens);
        tokens
    }
}

/// The arguments of a macro of which it is known that it evaluates each once.
pub(super) fn in_place(mac: &syn::Macro) -> Option<Arguments> {
    let name = mac.path.segments.last()?.ident.to_string();
    if !IN_PLACE.contains(&name.as_str()) {
        return None;
    }
    if name == "matches" {
        let parser = |input: ParseStream| Ok((input.parse::<Expr>()?, input.parse::<TokenStream>()?));
        let (expr, rest) = parser.parse2(mac.tokens.clone()).ok()?;
        return Some(Arguments { exprs: vec![expr], between: TokenStream::new(), rest });
    }
    let listed = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(mac.tokens.clone());
    if let Ok(listed) = listed {
        let exprs = listed.into_iter().collect();
        return Some(Arguments { exprs, between: quote!(,), rest: TokenStream::new() });
    }
    // `vec![value; count]`
    let parser = |input: ParseStream| {
        let value = input.parse::<Expr>()?;
        let rest = input.parse::<TokenStream>()?;
        Ok((value, rest))
    };
    let (value, rest) = parser.parse2(mac.tokens.clone()).ok()?;
    Some(Arguments { exprs: vec![value], between: TokenStream::new(), rest })
}
