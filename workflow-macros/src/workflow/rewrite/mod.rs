//! Expressions as the expansion needs them.
//!
//! A step's value is shared, so in the functions of the expansion its name is
//! a reference, while the user's expression takes the name for the value.
//! This pass puts a `*` before each such name, finds out which names an
//! expression uses, and refuses what cannot stand in a workflow. It knows
//! nothing of steps and graphs.

mod calls;
mod choice;
mod macros;

pub(crate) use calls::handed_over;
pub(crate) use choice::choice;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{Expr, Ident, Pat, Token};

use crate::workflow::certain::impure;
use crate::workflow::parse::ITEM_INSIDE;
use crate::workflow::pattern::pattern_names;
use crate::workflow::spelling::{is_step_call, path_ident};
use crate::workflow::tokens::Owned;

const NOTHING_AWAITS: &str =
    "a workflow holds nothing `async`, since nothing awaits it there\nhelp: make a task of it";

/// What a name is in the expansion.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// A reference to the value.
    Ref,
    /// The value itself, in a local variable.
    Place,
}

/// The names of a workflow that an expression may use.
pub(crate) trait Names {
    fn mode(&self, name: &Ident) -> Option<Mode>;
    /// Whether a step of the workflow calls a task of this name.
    fn is_step(&self, name: &Ident) -> bool;
    /// Whether the expression is evaluated once, and its value stored.
    fn is_decided_once(&self) -> bool;
}

/// An expression made ready.
pub(crate) struct Rewritten {
    pub tokens: TokenStream,
    /// The workflow's names in it, in order, with repetitions.
    pub uses: Vec<Ident>,
    /// Lower-case names that are neither the workflow's nor the expression's.
    pub unknown: Vec<Ident>,
    /// Those of them that are handed over, as functions are.
    pub functions: Vec<Ident>,
    /// What is called or handed over as a plain function. Only rustc knows
    /// whether it is one; see [`plain_functions`](crate::workflow::tokens::plain_functions).
    pub called: Vec<syn::Path>,
    pub errors: Vec<syn::Error>,
}

/// Rewrites an expression. `bound` are names that a pattern around it binds.
pub(crate) fn rewrite(expr: &Expr, names: &dyn Names, bound: &[(Ident, Mode)]) -> Rewritten {
    let mut rewriter = Rewriter {
        names,
        locals: bound.iter().map(|(name, mode)| (name.to_string(), *mode)).collect(),
        uses: Vec::new(),
        unknown: Vec::new(),
        functions: Vec::new(),
        called: Vec::new(),
        errors: Vec::new(),
        closures: 0,
        macros: 0,
        loops: 0,
    };
    let tokens = rewriter.plain(expr).unwrap_or_else(|| {
        let mut expr = expr.clone();
        rewriter.visit_expr_mut(&mut expr);
        expr.into_token_stream()
    });
    let Rewriter { uses, unknown, functions, called, errors, .. } = rewriter;
    Rewritten { tokens, uses, unknown, functions, called, errors }
}

struct Rewriter<'a> {
    names: &'a dyn Names,
    /// Names bound inside the expression, innermost last.
    locals: Vec<(String, Mode)>,
    uses: Vec<Ident>,
    unknown: Vec<Ident>,
    functions: Vec<Ident>,
    called: Vec<syn::Path>,
    errors: Vec<syn::Error>,
    closures: usize,
    /// Macros around that may do anything with what they are given.
    macros: usize,
    loops: usize,
}

impl Rewriter<'_> {
    /// What the name is, if it is one of the workflow's; notes its use.
    fn resolve(&mut self, name: &Ident) -> Option<Mode> {
        let text = name.to_string();
        if let Some((_, mode)) = self.locals.iter().rev().find(|(local, _)| *local == text) {
            return Some(*mode);
        }
        let mode = self.names.mode(name);
        if mode.is_some() {
            self.uses.push(name.clone());
        } else if text.starts_with(|c: char| c.is_lowercase() || c == '_') && text != "self" {
            self.unknown.push(name.clone());
        }
        mode
    }

    /// `name` and `&name`, which most expressions are, without a copy of the
    /// tree.
    fn plain(&mut self, expr: &Expr) -> Option<TokenStream> {
        match expr {
            Expr::Reference(lent) if lent.mutability.is_none() && lent.attrs.is_empty() => {
                let inner = self.plain(&lent.expr)?;
                let mut tokens = lent.and_token.to_token_stream();
                tokens.extend(inner);
                Some(tokens)
            }
            expr => {
                let name = path_ident(expr)?;
                let shared = self.resolve(name) == Some(Mode::Ref);
                Some(if shared { deref(name) } else { name.to_token_stream() })
            }
        }
    }

    fn scoped(&mut self, visit: impl FnOnce(&mut Self)) {
        let outside = self.locals.len();
        visit(self);
        self.locals.truncate(outside);
    }

    fn bind(&mut self, pat: &Pat) {
        let mut idents = Vec::new();
        pattern_names(pat, &mut idents);
        self.locals.extend(idents.into_iter().map(|ident| (ident.to_string(), Mode::Place)));
    }

    /// A value that a constructor takes: a place is copied, as it is where a
    /// task takes one. Elsewhere a move is left to rustc, which refuses it.
    fn hand_over(&mut self, expr: &mut Expr) {
        self.refuse_function(expr);
        let shared = is_place(expr, self.names) && base_name(expr).is_some_and(|name| self.is_shared(name));
        self.visit_expr_mut(expr);
        if shared {
            *expr = Expr::Verbatim(Owned::copied(&expr.to_token_stream(), 0).block());
        }
    }

    fn is_shared(&self, name: &Ident) -> bool {
        let local = self.locals.iter().rev().find(|(local, _)| name == local);
        local.map_or_else(|| self.names.mode(name), |(_, mode)| Some(*mode)) == Some(Mode::Ref)
    }

    /// What gives another value each time is no expression of a workflow.
    fn refuse_impure(&mut self, call: &syn::ExprCall) {
        if self.names.is_decided_once() {
            return;
        }
        if let Some(what) = impure(&call.func) {
            self.error(
                call.func.span(),
                &format!(
                    "`{what}` may give another value each time, and an expression of a workflow is evaluated \
                     wherever it is used, also after a restart\nhelp: call it in a task, and use what the task \
                     returns"
                ),
            );
        }
    }

    fn error(&mut self, span: Span, message: &str) {
        self.errors.push(syn::Error::new(span, message));
    }
}

/// `(*name)`, all at the name's span.
fn deref(ident: &Ident) -> TokenStream {
    quote_spanned!(ident.span()=> (*#ident))
}

impl VisitMut for Rewriter<'_> {
    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        match expr {
            Expr::Path(_) => {
                if let Some(ident) = path_ident(expr).cloned()
                    && self.resolve(&ident) == Some(Mode::Ref)
                {
                    *expr = Expr::Verbatim(deref(&ident));
                }
            }
            Expr::Call(call) => {
                self.refuse_step(call);
                self.refuse_impure(call);
                self.visit_call(call);
            }
            Expr::MethodCall(call) => {
                self.visit_expr_mut(&mut call.receiver);
                for arg in &mut call.args {
                    self.refuse_function(arg);
                    self.visit_expr_mut(arg);
                }
            }
            Expr::Array(array) => {
                for elem in &mut array.elems {
                    self.refuse_function(elem);
                    self.visit_expr_mut(elem);
                }
            }
            Expr::Tuple(tuple) => tuple.elems.iter_mut().for_each(|elem| self.hand_over(elem)),
            Expr::Closure(closure) => self.scoped(|this| {
                if let Some(token) = &closure.asyncness {
                    this.error(token.span(), NOTHING_AWAITS);
                }
                for input in &closure.inputs {
                    this.bind(input);
                }
                this.closures += 1;
                this.visit_expr_mut(&mut closure.body);
                this.closures -= 1;
            }),
            Expr::Async(block) => {
                self.error(block.async_token.span(), NOTHING_AWAITS);
                self.closures += 1;
                self.visit_block_mut(&mut block.block);
                self.closures -= 1;
            }
            Expr::If(expr) => {
                self.scoped(|this| {
                    this.visit_expr_mut(&mut expr.cond);
                    this.visit_block_mut(&mut expr.then_branch);
                });
                if let Some((_, other)) = &mut expr.else_branch {
                    self.visit_expr_mut(other);
                }
            }
            Expr::Let(expr) => {
                self.visit_expr_mut(&mut expr.expr);
                self.bind(&expr.pat);
            }
            Expr::ForLoop(expr) => {
                self.visit_expr_mut(&mut expr.expr);
                self.loops += 1;
                self.scoped(|this| {
                    this.bind(&expr.pat);
                    this.visit_block_mut(&mut expr.body);
                });
                self.loops -= 1;
            }
            Expr::While(_) | Expr::Loop(_) => {
                self.loops += 1;
                self.scoped(|this| visit_mut::visit_expr_mut(this, expr));
                self.loops -= 1;
            }
            Expr::Await(expr) => {
                if self.closures == 0 {
                    self.error(expr.await_token.span, "a workflow does not wait with `.await`\nhelp: remove `.await`; a step starts when the steps it uses are done");
                }
                self.visit_refused(&mut expr.base);
            }
            Expr::Return(expr) if self.closures == 0 => {
                self.error(expr.return_token.span, "a workflow has no `return`\nhelp: end it with `Ok(…)`, and use `if` or `match` to leave steps out");
            }
            Expr::Break(expr) if self.closures + self.loops == 0 => {
                self.error(expr.break_token.span, "nothing breaks out of a loop of a workflow\nhelp: put it into the condition of the `while`");
            }
            Expr::Continue(expr) if self.closures + self.loops == 0 => {
                self.error(
                    expr.continue_token.span,
                    "a loop of a workflow has no `continue`\nhelp: use `if` inside the loop",
                );
            }
            Expr::Try(expr) if self.closures == 0 && matches!(&*expr.expr, Expr::Await(_)) => {
                self.visit_expr_mut(&mut expr.expr);
            }
            Expr::Try(expr) if self.closures == 0 => {
                let message = match &*expr.expr {
                    Expr::Call(call) if is_step_call(call) => self.why_not(),
                    _ => {
                        "`?` cannot stand here, where it might be evaluated never or many times\nhelp: give its value a name first: `let value = …?;`"
                    }
                };
                self.error(expr.question_token.span(), message);
                self.visit_refused(&mut expr.expr);
            }
            Expr::Macro(expr) => self.rewrite_macro(&mut expr.mac),
            Expr::Struct(made) => {
                made.fields.iter_mut().for_each(|field| self.visit_field_value_mut(field));
                if let Some(rest) = &mut made.rest {
                    self.hand_over(rest);
                }
            }
            other => visit_mut::visit_expr_mut(self, other),
        }
    }

    fn visit_arm_mut(&mut self, arm: &mut syn::Arm) {
        self.scoped(|this| {
            this.bind(&arm.pat);
            if let Pat::Guard(guarded) = &mut arm.pat {
                this.visit_expr_mut(&mut guarded.guard);
            }
            this.visit_expr_mut(&mut arm.body);
        });
    }

    fn visit_block_mut(&mut self, block: &mut syn::Block) {
        self.scoped(|this| visit_mut::visit_block_mut(this, block));
    }

    fn visit_local_mut(&mut self, local: &mut syn::Local) {
        if let Some(init) = &mut local.init {
            // `let call = fetch;` hands it over as an argument does.
            self.refuse_function(&init.expr);
            self.visit_expr_mut(&mut init.expr);
            if let Some((_, diverge)) = &mut init.diverge {
                self.visit_expr_mut(diverge);
            }
        }
        self.bind(&local.pat);
    }

    fn visit_macro_mut(&mut self, mac: &mut syn::Macro) {
        self.rewrite_macro(mac);
    }

    fn visit_field_value_mut(&mut self, field: &mut syn::FieldValue) {
        // `Report { total }` becomes `Report { total: total.clone() }`.
        self.hand_over(&mut field.expr);
        if field.colon_token.is_none() && matches!(field.expr, Expr::Verbatim(_)) {
            field.colon_token = Some(Token![:](field.member.span()));
        }
    }

    // Patterns and types hold no values of the workflow.
    fn visit_pat_mut(&mut self, _: &mut Pat) {}
    fn visit_type_mut(&mut self, _: &mut syn::Type) {}

    // It would be an item of each place where the expression is evaluated, and
    // a step in it a call of a function that nothing awaits.
    fn visit_item_mut(&mut self, item: &mut syn::Item) {
        self.error(item.span(), ITEM_INSIDE);
    }
}

/// The name that a place begins with.
fn base_name(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Field(field) => base_name(&field.base),
        Expr::Index(index) => base_name(&index.expr),
        Expr::Paren(inner) => base_name(&inner.expr),
        Expr::Group(inner) => base_name(&inner.expr),
        expr => path_ident(expr),
    }
}

/// Whether an expression names a place (`order`, `order.customer`,
/// `rows[0]`): owned, it is copied; matched, it is looked at in place.
pub(crate) fn is_place(expr: &Expr, names: &dyn Names) -> bool {
    match expr {
        Expr::Path(_) => path_ident(expr).is_some_and(|name| names.mode(name).is_some()),
        Expr::Field(field) => is_place(&field.base, names),
        Expr::Index(index) => is_place(&index.expr, names),
        Expr::Paren(inner) => is_place(&inner.expr, names),
        Expr::Group(inner) => is_place(&inner.expr, names),
        _ => false,
    }
}
