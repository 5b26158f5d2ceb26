//! Statements: what is bound, the attributes, and where a region's value is.

use std::cell::Cell;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{Attribute, Expr, Ident, Pat, Stmt, Token};

use super::attributes::{KNOWN, numbers, unread, written};
use super::recover::broken;
use super::value::value;
use super::{ITEM_INSIDE, first_span};
use crate::diagnostics::Errors;
use crate::workflow::ast::*;
use crate::workflow::spelling::path_ident;

pub(super) fn block(stmts: Vec<Stmt>, span: Span, of_workflow: bool, errors: &mut Errors) -> Block {
    let last = stmts.len();
    let statements = stmts
        .into_iter()
        .enumerate()
        .filter_map(|(index, stmt)| statement(stmt, index + 1 == last, of_workflow, errors))
        .collect();
    Block { statements, span }
}

pub(super) fn statement(stmt: Stmt, last: bool, of_workflow: bool, errors: &mut Errors) -> Option<Statement> {
    match stmt {
        Stmt::Local(local) => {
            let span = local.let_token.span;
            let options = options(local.attrs, errors);
            let (pat, ty) = match local.pat {
                Pat::Type(typed) => (*typed.pat, Some(*typed.ty)),
                pat => (pat, None),
            };
            let Some(init) = local.init else {
                errors.on(&pat, "a binding needs a value\nhelp: write `let x = task(…)?;`");
                return Some(Statement {
                    options,
                    target: Target::Let { pat, ty },
                    ..broken(TokenStream::new())
                });
            };
            let value = match init.diverge {
                Some((keyword, otherwise)) => match failing(*otherwise, errors) {
                    Some(Value::Fail(fail)) => Value::Else { keyword, expr: *init.expr, fail },
                    Some(broken) => broken,
                    None => {
                        errors.at(
                            keyword.span,
                            "the `else` of a `let` says why the run fails, and nothing else\nhelp: write `else { fail!(\"…\") }`; where the run goes on, use `match`, with steps in its arms",
                        );
                        Value::Broken
                    }
                },
                None => value(*init.expr, false, errors),
            };
            Some(Statement {
                options,
                target: Target::Let { pat, ty },
                value,
                span,
                broken: Cell::new(false),
            })
        }
        // A `;` too many.
        Stmt::Expr(Expr::Verbatim(nothing), Some(_)) if nothing.is_empty() => None,
        Stmt::Expr(expr, semicolon) => expression(expr, semicolon.is_some(), last, of_workflow, errors),
        Stmt::Macro(stmt) => {
            let semicolon = stmt.semi_token.is_some();
            let expr = Expr::Macro(syn::ExprMacro { attrs: stmt.attrs, mac: stmt.mac });
            expression(expr, semicolon, last, of_workflow, errors)
        }
        Stmt::Item(item) => {
            errors.at(item.span(), ITEM_INSIDE);
            Some(broken(item.into_token_stream()))
        }
    }
}

/// What a block fails with, if it does that and nothing else.
fn failing(block: Expr, errors: &mut Errors) -> Option<Value> {
    let Expr::Block(block) = block else { return None };
    let mut stmts = block.block.stmts.into_iter();
    let (Some(only), None) = (stmts.next(), stmts.next()) else { return None };
    let expr = match only {
        Stmt::Expr(expr, _) => expr,
        Stmt::Macro(stmt) => Expr::Macro(syn::ExprMacro { attrs: stmt.attrs, mac: stmt.mac }),
        Stmt::Local(_) | Stmt::Item(_) => return None,
    };
    match (&expr, value(expr.clone(), false, errors)) {
        (_, value @ (Value::Fail(_) | Value::Broken)) => Some(value),
        _ => None,
    }
}

pub(super) fn expression(
    mut expr: Expr,
    semicolon: bool,
    last: bool,
    of_workflow: bool,
    errors: &mut Errors,
) -> Option<Statement> {
    let span = first_span(&expr);
    let options = options(take_attrs(&mut expr), errors);
    if let Expr::Binary(binary) = &expr
        && let Some(assign) = spelled_out(binary)
    {
        expr = Expr::Assign(assign);
    }
    if let Expr::Assign(assign) = expr {
        return match path_ident(&assign.left) {
            Some(name) => {
                let target = Target::Assign { name: name.clone() };
                Some(Statement {
                    options,
                    target,
                    value: value(*assign.right, false, errors),
                    span,
                    broken: Cell::new(false),
                })
            }
            None => {
                errors.on(
                    &assign.left,
                    "a workflow assigns whole names\nhelp: make a task that returns the changed value",
                );
                // The name counts as assigned, so that its loop has no second mistake.
                let target = root(&assign.left).map_or(Target::Discard, |name| Target::Assign { name });
                Some(Statement { options, target, ..broken(TokenStream::new()) })
            }
        };
    }
    let value = value(expr, of_workflow && last && !semicolon, errors);
    let tail = last && !semicolon && !is_unit(&value);
    let target = if tail { Target::Tail } else { Target::Discard };
    Some(Statement { options, target, value, span, broken: Cell::new(false) })
}

/// `x += 1` as `x = x + 1`.
fn spelled_out(binary: &syn::ExprBinary) -> Option<syn::ExprAssign> {
    use syn::BinOp as Op;
    macro_rules! plain {
        ($($assigning:ident $op:ident $token:tt)*) => {
            match &binary.op {
                $(Op::$assigning(token) => (Op::$op(syn::Token![$token](token.spans[0])), token.spans[1]),)*
                _ => return None,
            }
        };
    }
    let (op, equals) = plain! {
        AddAssign Add + SubAssign Sub - MulAssign Mul * DivAssign Div / RemAssign Rem %
        BitXorAssign BitXor ^ BitAndAssign BitAnd & BitOrAssign BitOr |
    };
    let right = match &*binary.right {
        right @ (Expr::Binary(_) | Expr::Cast(_) | Expr::Range(_) | Expr::Closure(_) | Expr::Let(_)) => {
            let paren_token = syn::token::Paren(first_span(right));
            Expr::Paren(syn::ExprParen { attrs: Vec::new(), paren_token, expr: Box::new(right.clone()) })
        }
        right => right.clone(),
    };
    let value = syn::ExprBinary { left: binary.left.clone(), op, right: Box::new(right), attrs: Vec::new() };
    Some(syn::ExprAssign {
        attrs: Vec::new(),
        left: binary.left.clone(),
        eq_token: syn::Token![=](equals),
        right: Box::new(Expr::Binary(value)),
    })
}

/// A control expression that stands for nothing, and so ends a region without
/// being its value.
pub(super) fn is_unit(value: &Value) -> bool {
    match value {
        Value::While(_) => true,
        Value::For(value) => value.body.tail().is_none(),
        Value::Branch(value) => value
            .arms
            .iter()
            .any(|arm| matches!(arm.test, Test::Else { .. }) && arm.body.statements.is_empty()),
        _ => false,
    }
}

impl Block {
    pub(crate) fn tail(&self) -> Option<&Statement> {
        self.statements.last().filter(|statement| matches!(statement.target, Target::Tail))
    }

    /// Whether it ends in a `fail!`, and so has no value.
    pub(crate) fn fails(&self) -> bool {
        matches!(self.statements.last(), Some(Statement { value: Value::Fail(_), .. }))
    }
}

pub(super) fn options(attrs: Vec<Attribute>, errors: &mut Errors) -> StatementOptions {
    let mut options = StatementOptions::default();
    for attr in attrs {
        options.read.extend(numbers(attr.to_token_stream()));
        let attr = match written(attr) {
            Ok(attr) => attr,
            Err(error) => {
                errors.add(error);
                continue;
            }
        };
        let path = attr.path();
        let Some(name) = path.get_ident().map(ToString::to_string) else {
            errors.on(path, "a statement of a workflow has no such attribute\nhelp: remove it");
            continue;
        };
        let span = path.span();
        if options.step.read(&attr, errors) {
            if matches!(name.as_str(), "retry" | "timeout" | "deadline" | "losses") {
                options.policy_span.get_or_insert(span);
            }
            continue;
        }
        let result = match name.as_str() {
            "after" => options.read_after(&attr, errors),
            "always" if options.always.is_some() => {
                Err(syn::Error::new(span, "the attribute `always` is given twice\nhelp: remove one of them"))
            }
            "always" => attr.meta.require_path_only().map(|_| options.always = Some(span)),
            "doc" | "cfg" | "cfg_attr" => Err(syn::Error::new(span, unread(&name))),
            unknown => {
                let help = crate::diagnostics::help_with_names(unknown, &KNOWN, "attribute");
                Err(syn::Error::new(
                    span,
                    format!("a step of a workflow has no attribute `{unknown}`\n{help}"),
                ))
            }
        };
        if let Err(error) = result {
            errors.add(error);
        }
    }
    options.step.check(errors);
    options
}

impl StatementOptions {
    /// Whether the statement has no attributes.
    pub(crate) fn is_empty(&self) -> bool {
        self.read.is_empty()
    }

    /// `#[after(a, b)]`
    fn read_after(&mut self, attr: &Attribute, errors: &mut Errors) -> syn::Result<()> {
        let names =
            attr.parse_args_with(syn::punctuated::Punctuated::<Ident, Token![,]>::parse_terminated)?;
        if names.is_empty() {
            errors.at(
                attr.path().span(),
                "this `after` names no step\nhelp: write `#[after(step)]`, or remove it",
            );
        }
        for name in names {
            if self.after.contains(&name) {
                errors.at(name.span(), format!("step `{name}` is named twice\nhelp: remove one of the two"));
            } else {
                self.after.push(name);
            }
        }
        Ok(())
    }
}

/// The name that a place such as `pair.0` belongs to.
pub(super) fn root(expr: &Expr) -> Option<Ident> {
    match expr {
        Expr::Field(field) => root(&field.base),
        Expr::Index(index) => root(&index.expr),
        Expr::Unary(unary) => root(&unary.expr),
        Expr::Paren(inner) => root(&inner.expr),
        expr => path_ident(expr).cloned(),
    }
}

/// The attributes above an expression. syn puts those of `#[a] x = y` on `x`.
pub(super) fn take_attrs(expr: &mut Expr) -> Vec<Attribute> {
    let attrs = match expr {
        Expr::Assign(assign) => return take_attrs(&mut assign.left),
        Expr::Binary(binary) => return take_attrs(&mut binary.left),
        Expr::Cast(cast) => return take_attrs(&mut cast.expr),
        Expr::Array(expr) => &mut expr.attrs,
        Expr::Async(expr) => &mut expr.attrs,
        Expr::Await(expr) => &mut expr.attrs,
        Expr::Block(expr) => &mut expr.attrs,
        Expr::Break(expr) => &mut expr.attrs,
        Expr::Closure(expr) => &mut expr.attrs,
        Expr::Const(expr) => &mut expr.attrs,
        Expr::Continue(expr) => &mut expr.attrs,
        Expr::Field(expr) => &mut expr.attrs,
        Expr::Index(expr) => &mut expr.attrs,
        Expr::Lit(expr) => &mut expr.attrs,
        Expr::Loop(expr) => &mut expr.attrs,
        Expr::Paren(expr) => &mut expr.attrs,
        Expr::Reference(expr) => &mut expr.attrs,
        Expr::Return(expr) => &mut expr.attrs,
        Expr::Struct(expr) => &mut expr.attrs,
        Expr::Tuple(expr) => &mut expr.attrs,
        Expr::Unary(expr) => &mut expr.attrs,
        Expr::Unsafe(expr) => &mut expr.attrs,
        Expr::Try(expr) => &mut expr.attrs,
        Expr::Call(expr) => &mut expr.attrs,
        Expr::MethodCall(expr) => &mut expr.attrs,
        Expr::ForLoop(expr) => &mut expr.attrs,
        Expr::While(expr) => &mut expr.attrs,
        Expr::If(expr) => &mut expr.attrs,
        Expr::Match(expr) => &mut expr.attrs,
        Expr::Macro(expr) => &mut expr.attrs,
        Expr::Path(expr) => &mut expr.attrs,
        _ => return Vec::new(),
    };
    std::mem::take(attrs)
}
