//! What stands on the right of a statement: step, region or expression.

use std::cell::Cell;

use proc_macro2::Span;
use syn::parse::ParseStream;
use syn::spanned::Spanned;
use syn::{Attribute, Expr, Ident, Pat, Token};

use super::first_span;
use super::inside::{holds_step, holds_step_in_arms};
use super::statement::{block, expression};
use super::step::{call_value, fail, is_err, is_of_signal, is_ok, signal_with};
use crate::diagnostics::Errors;
use crate::workflow::ast::*;
use crate::workflow::spelling::is_step_call;

/// Sorts an expression into step, region or pure expression.
pub(super) fn value(expr: Expr, of_workflow: bool, errors: &mut Errors) -> Value {
    match expr {
        Expr::Paren(inner) if inner.attrs.is_empty() => value(*inner.expr, of_workflow, errors),
        Expr::Group(inner) => value(*inner.expr, of_workflow, errors),
        Expr::Try(outer) => match *outer.expr {
            Expr::Call(call) if is_step_call(&call) => call_value(call, Some(outer.question_token), errors),
            Expr::MethodCall(method) if is_of_signal(&method.receiver) => {
                signal_with(method, Some(outer.question_token), errors)
            }
            // It is refused, and that alone is said.
            inner @ Expr::Await(_) => Value::Pure(Expr::Try(syn::ExprTry { expr: Box::new(inner), ..outer })),
            Expr::Call(mut call) if is_err(&call) && call.args.len() == 1 => match call.args.pop() {
                Some(error) => Value::Fail(Fail { keyword: call.func.span(), with: FailWith::Error(error) }),
                None => Value::Pure(Expr::Call(call)),
            },
            Expr::Paren(inner) => {
                value(Expr::Try(syn::ExprTry { expr: inner.expr, ..outer }), of_workflow, errors)
            }
            inner => Value::Try { expr: inner, question: outer.question_token },
        },
        Expr::Call(mut call) if of_workflow && is_ok(&call) && call.args.len() == 1 => {
            match call.args.pop() {
                Some(arg) => Value::Ok(Box::new(value(arg, false, errors))),
                None => Value::Pure(Expr::Call(call)),
            }
        }
        Expr::Call(call) if is_step_call(&call) => call_value(call, None, errors),
        Expr::MethodCall(method) if is_of_signal(&method.receiver) => signal_with(method, None, errors),
        Expr::ForLoop(expr) => {
            if let Some(label) = expr.label {
                errors
                    .at(label.span(), "a `for` of a workflow has no label, because nothing breaks out of it");
            }
            Value::For(Box::new(For {
                keyword: expr.for_token,
                pat: *expr.pat,
                items: *expr.expr,
                by_place: Cell::new(false),
                body: block(expr.body.stmts, expr.body.brace_token.span.join(), false, errors),
            }))
        }
        Expr::While(expr) => {
            if let Some(label) = expr.label {
                errors.at(
                    label.span(),
                    "a `while` of a workflow has no label, because nothing breaks out of it",
                );
            }
            Value::While(Box::new(While {
                keyword: expr.while_token,
                condition: *expr.cond,
                body: block(expr.body.stmts, expr.body.brace_token.span.join(), false, errors),
            }))
        }
        Expr::If(expr) => Value::Branch(Box::new(branch_of_if(expr, of_workflow, errors))),
        Expr::Match(expr) => {
            let held = expr.arms.iter().any(|arm| {
                holds_step(&arm.body) || matches!(&arm.pat, Pat::Guard(guarded) if holds_step(&guarded.guard))
            });
            let pure = (!held).then(|| Expr::Match(expr.clone()));
            let arms = expr
                .arms
                .into_iter()
                .enumerate()
                .map(|(index, arm)| {
                    let (pat, guard) = match arm.pat {
                        Pat::Guard(guarded) => (*guarded.pat, Some(*guarded.guard)),
                        pat => (pat, None),
                    };
                    let body = arm_body(*arm.body, of_workflow, errors);
                    Arm { label: index.to_string(), test: Test::Pattern { pat, guard }, body }
                })
                .collect();
            Value::Branch(Box::new(Branch {
                keyword: expr.match_token.span,
                word: "match",
                scrutinee: Some(*expr.expr),
                brace: expr.brace_token.span.join(),
                arms,
                pure,
                is_pure: Cell::new(false),
            }))
        }
        Expr::Loop(expr) => {
            errors.at(
                expr.loop_token.span,
                "a workflow has no endless `loop`\nhelp: use `#[limit(n)] while condition { … }`",
            );
            Value::Broken
        }
        Expr::Macro(expr) if expr.mac.path.is_ident("fail") => fail(expr.mac, errors),
        Expr::Macro(expr) if expr.mac.path.is_ident("select") => {
            match expr.mac.parse_body_with(|input: ParseStream| parse_select(input, of_workflow, errors)) {
                Ok(arms) => {
                    let keyword = expr.mac.path.get_ident().cloned();
                    Value::Select(Box::new(Select {
                        brace: expr.mac.delimiter.span().join(),
                        keyword: keyword.unwrap_or_else(|| Ident::new("select", expr.mac.path.span())),
                        arms,
                    }))
                }
                Err(error) => {
                    errors.add(error);
                    Value::Broken
                }
            }
        }
        other => Value::Pure(other),
    }
}

pub(super) fn branch_of_if(first: syn::ExprIf, of_workflow: bool, errors: &mut Errors) -> Branch {
    let keyword = first.if_token.span;
    let pure = (!holds_step_in_arms(&first)).then(|| Expr::If(first.clone()));
    let is_pure = Cell::new(false);
    let mut arms = Vec::new();
    let mut next = Some(Expr::If(first));
    while let Some(expr) = next {
        next = match expr {
            Expr::If(expr) => {
                let label =
                    if arms.is_empty() { "then".to_owned() } else { format!("else if {}", arms.len()) };
                let span = expr.then_branch.brace_token.span.join();
                let body = block(expr.then_branch.stmts, span, of_workflow, errors);
                arms.push(Arm { label, test: Test::If(*expr.cond), body });
                expr.else_branch.map(|(_, expr)| *expr)
            }
            other => {
                let body = arm_body(other, of_workflow, errors);
                arms.push(Arm { label: "else".to_owned(), test: Test::Else { written: true }, body });
                return Branch { keyword, word: "if", scrutinee: None, brace: keyword, arms, pure, is_pure };
            }
        };
    }
    let body = Block { statements: Vec::new(), span: keyword };
    arms.push(Arm { label: "else".to_owned(), test: Test::Else { written: false }, body });
    // Without an `else` it is worth nothing.
    Branch { keyword, word: "if", scrutinee: None, brace: keyword, arms, pure: None, is_pure }
}

pub(super) fn arm_body(expr: Expr, of_workflow: bool, errors: &mut Errors) -> Block {
    match expr {
        Expr::Block(expr) if expr.label.is_none() => {
            block(expr.block.stmts, expr.block.brace_token.span.join(), of_workflow, errors)
        }
        expr => {
            // Its end: rustc suggests another arm behind it.
            let span = quote::ToTokens::to_token_stream(&expr)
                .into_iter()
                .last()
                .map_or_else(Span::call_site, |token| token.span());
            Block {
                statements: expression(expr, false, true, of_workflow, errors).into_iter().collect(),
                span,
            }
        }
    }
}

/// `pattern = step => value, …`
pub(super) fn parse_select(
    input: ParseStream,
    of_workflow: bool,
    errors: &mut Errors,
) -> syn::Result<Vec<SelectArm>> {
    let mut arms = Vec::new();
    while !input.is_empty() {
        // They are no statement's, and so they are reported.
        input.call(Attribute::parse_outer)?;
        let pat = Pat::parse_multi_with_leading_vert(input)?;
        input.parse::<Token![=]>()?;
        let trigger: Expr = input.parse()?;
        input.parse::<Token![=>]>()?;
        let body: Expr = input.parse()?;
        let braces = matches!(body, Expr::Block(_));
        let span = first_span(&trigger);
        let value = value(trigger, false, errors);
        let trigger = Statement {
            options: StatementOptions::default(),
            target: Target::Discard,
            value,
            span,
            broken: Cell::new(false),
        };
        arms.push(SelectArm { pat, trigger, body: arm_body(body, of_workflow, errors) });
        if input.peek(Token![,]) {
            input.parse::<Token![,]>()?;
        } else if !input.is_empty() && !braces {
            return Err(input.error("expected `,` between the arms of `select!`"));
        }
    }
    Ok(arms)
}
