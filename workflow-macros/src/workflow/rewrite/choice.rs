//! A choice between expressions, as one expression.

use proc_macro2::{Ident, Span};
use syn::punctuated::Punctuated;
use syn::{BinOp, Expr};

use super::{Names, is_place};
use crate::workflow::ast::{Branch, Test};

/// The whole of an `if` or a `match` whose arms hold no step. What it looks at
/// is where a step may have been taken out; a place of the workflow is shared,
/// so a copy of it is looked at, and patterns bind what they would.
pub(crate) fn choice(branch: &Branch, names: &dyn Names) -> Option<Expr> {
    let mut whole = branch.pure.clone()?;
    match (&mut whole, branch.arms.first().map(|arm| &arm.test)) {
        (Expr::Match(whole), _) => *whole.expr = copied(branch.scrutinee.clone()?, names),
        (Expr::If(whole), Some(Test::If(condition))) => {
            *whole.cond = condition.clone();
            copy_looked_at(whole, names);
        }
        _ => return None,
    }
    Some(whole)
}

fn copy_looked_at(chosen: &mut syn::ExprIf, names: &dyn Names) {
    fn condition(expr: &mut Expr, names: &dyn Names) {
        match expr {
            Expr::Let(part) => *part.expr = copied((*part.expr).clone(), names),
            Expr::Binary(binary) if matches!(binary.op, BinOp::And(_)) => {
                condition(&mut binary.left, names);
                condition(&mut binary.right, names);
            }
            _ => {}
        }
    }
    condition(&mut chosen.cond, names);
    if let Some((_, other)) = &mut chosen.else_branch
        && let Expr::If(other) = &mut **other
    {
        copy_looked_at(other, names);
    }
}

/// `place.clone()`
fn copied(expr: Expr, names: &dyn Names) -> Expr {
    if !is_place(&expr, names) {
        return expr;
    }
    let span = Span::call_site();
    Expr::MethodCall(syn::ExprMethodCall {
        attrs: Vec::new(),
        receiver: Box::new(expr),
        dot_token: syn::Token![.](span),
        method: Ident::new("clone", span),
        turbofish: None,
        paren_token: syn::token::Paren(span),
        args: Punctuated::new(),
    })
}
