//! Calls of tasks and their arguments, signals, and waits.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::{Expr, Ident};

use super::{Lower, bound_name};
use crate::private::Private;
use crate::workflow::ast::{self, Statement};
use crate::workflow::graph::*;
use crate::workflow::rewrite::{Mode, Names, is_place};
use crate::workflow::spelling::path_ident;
use crate::workflow::tokens::{duration, plain, signal_key};

impl Lower<'_> {
    #[expect(clippy::too_many_arguments, reason = "the parts of a call, each from another place")]
    pub(super) fn call(
        &mut self,
        statement: &Statement,
        call: &ast::Call,
        name: String,
        name_span: Span,
        policy: Option<StepPolicy>,
        fails_run: bool,
        region: RegionId,
    ) -> (Slot, TokenStream) {
        if call.path.is_ident(self.workflow) {
            let workflow = self.workflow;
            self.error(call.path.span(), format!("workflow `{workflow}` calls itself, so its graph would never end\nhelp: use a `while` loop, or `for` over a list"));
        }
        let args = call.args.iter().map(|arg| self.arg(statement, arg, region)).collect::<Vec<_>>();
        let path = &call.path;
        let failure = if call.question.is_some() || fails_run { Failure::FailRun } else { Failure::AskTask };
        let ty = type_of_call(call, matches!(failure, Failure::FailRun));
        let kind = Kind::Call { path: path.clone(), paren: call.paren, args, policy };
        let slot = self.push_step(statement, name, name_span, kind, vec![ty.clone()], failure, region);
        (slot, ty)
    }

    pub(super) fn arg(&mut self, statement: &Statement, arg: &ast::Arg, region: RegionId) -> Input {
        let expr = match arg {
            ast::Arg::Expr(expr) => expr,
            ast::Arg::Step { lend, call } => {
                let span = call.path.span();
                let (slot, ty) = self.call(statement, call, task_name(call), span, None, false, region);
                let form = Form::Slot { slot, ty, pat: None, own: false };
                // Several of them may stand in one call.
                let name = format!("step_{}", self.graph.bindings.len());
                let name = Ident::new(&name, span.resolved_at(Span::mixed_site()));
                let binding =
                    Binding { names: vec![name], region, form, mutable: false, uses: 1, crosses: false };
                self.graph.bindings.push(binding);
                return Input::Step { lend: *lend, binding: self.graph.bindings.len() - 1, span };
            }
        };
        if let Expr::Reference(reference) = expr
            && let Some(mutability) = reference.mutability
        {
            self.error(mutability.span, "a step shares its values, so a task cannot change them in place\nhelp: return the changed value from the task");
        }
        if let Some(name) = path_ident(expr)
            && let Some(binding) = self.lookup(&name.to_string())
            && self.mode(name) == Some(Mode::Ref)
        {
            self.count(Code { uses: vec![binding], ..Code::default() }, region);
            return Input::Own { binding, name: name.clone() };
        }
        let (lends, place) = (self.lends(expr), is_place(expr, self));
        Input::Code { code: self.code(expr, region), lends, place }
    }

    /// Whether the value of an argument may borrow what only the function
    /// holds that evaluates it: a pure binding, or a temporary. Says yes
    /// where it cannot know, except of what is hardly ever borrowed.
    pub(super) fn lends(&self, expr: &Expr) -> bool {
        const OWNED: [&str; 8] =
            ["clone", "to_owned", "to_string", "to_vec", "into_owned", "len", "is_empty", "sum"];
        match expr {
            Expr::Lit(_) | Expr::Binary(_) | Expr::Unary(_) | Expr::Cast(_) => false,
            Expr::Paren(inner) => self.lends(&inner.expr),
            Expr::Group(inner) => self.lends(&inner.expr),
            Expr::Reference(reference) => !self.outlives(&reference.expr),
            Expr::Path(_) => {
                let binding = path_ident(expr).and_then(|name| self.lookup(&name.to_string()));
                binding.is_some_and(|binding| self.rests_on_locals(binding))
            }
            Expr::Field(field) => self.lends(&field.base),
            Expr::Index(index) => self.lends(&index.expr),
            Expr::MethodCall(call) if OWNED.contains(&call.method.to_string().as_str()) => false,
            Expr::MethodCall(call) => {
                !self.outlives(&call.receiver) || call.args.iter().any(|arg| self.lends(arg))
            }
            Expr::Call(call) => call.args.iter().any(|arg| self.lends(arg)),
            Expr::Tuple(tuple) => tuple.elems.iter().any(|elem| self.lends(elem)),
            Expr::Array(array) => array.elems.iter().any(|elem| self.lends(elem)),
            Expr::Struct(value) => value.fields.iter().any(|field| self.lends(&field.expr)),
            Expr::Macro(mac) => !mac.mac.path.is_ident("format") && mac.mac.tokens.to_string().contains('&'),
            _ => true,
        }
    }

    /// Whether an expression is a place that lives as long as the step: the
    /// value of another step, a parameter, a constant.
    pub(super) fn outlives(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Lit(_) => true,
            Expr::Path(_) => path_ident(expr).is_none_or(|name| {
                let made_here = |binding: BindingId| {
                    let binding = &self.graph.bindings[binding];
                    // A variable that no loop has assigned yet is an expression.
                    binding.mutable && matches!(binding.form, Form::Pure { .. })
                };
                self.mode(name) != Some(Mode::Place) && !self.lookup(&name.to_string()).is_some_and(made_here)
            }),
            Expr::Field(field) => self.outlives(&field.base),
            Expr::Index(index) => self.outlives(&index.expr),
            Expr::Paren(inner) => self.outlives(&inner.expr),
            Expr::Array(array) => array.elems.iter().all(|elem| matches!(elem, Expr::Lit(_))),
            _ => false,
        }
    }

    /// Whether a pure binding may itself borrow from a pure binding.
    pub(super) fn rests_on_locals(&self, binding: BindingId) -> bool {
        let Form::Pure { code, .. } = &self.graph.bindings[binding].form else { return false };
        code.uses.iter().any(|used| {
            let form = &self.graph.bindings[*used].form;
            matches!(form, Form::Pure { by_ref: false, .. } | Form::Slot { own: true, .. })
                || self.rests_on_locals(*used)
        })
    }

    pub(super) fn signal(
        &mut self,
        statement: &Statement,
        signal: &ast::SignalCall,
        name: String,
        region: RegionId,
    ) -> (Slot, TokenStream) {
        let text = signal.name.value();
        let keyword = || syn::parse_str::<Ident>(&format!("r#{text}"));
        match syn::parse_str::<Ident>(&text).or_else(|_| keyword()) {
            Err(_) => self.error(signal.name.span(), "a signal's name is a Rust name, because the workflow gets a handle of that name\nhelp: use letters, digits and `_`"),
            Ok(ident) => {
                let mut ident = ident;
                ident.set_span(signal.name.span());
                match self.graph.signals.iter().find(|known| known.name == ident) {
                    Some(known) => {
                        let (first, second) = (known.ty.to_token_stream(), signal.ty.to_token_stream());
                        if known.keyed != signal.key.is_some() {
                            self.error(signal.name.span(), format!("signal `{text}` has a key at one place and none at another\nhelp: give each `.keyed(..)`, or use two signals"));
                        } else if first.to_string() != second.to_string() {
                            self.error(signal.ty.span(), format!("signal `{text}` has two types: `{first}` and `{second}`\nhelp: use one type, or two signals"));
                        }
                    }
                    None => {
                        let (ty, keyed) = (signal.ty.clone(), signal.key.is_some());
                        self.graph.signals.push(Signal { name: ident, ty, keyed });
                    }
                }
            }
        }
        if signal.within.is_none()
            && let Some(question) = signal.question
        {
            self.error(question.span(), "a signal without a time limit cannot fail\nhelp: remove the `?`, or give it `.within(\"3d\")`");
        }
        let within =
            signal.within.as_ref().map(|expr| self.sleep_duration(signal.keyword.span(), expr, region));
        let key = signal.key.as_ref().map(|expr| {
            let place = is_place(expr, self);
            self.decides_once = true;
            let code = self.code(expr, region);
            self.decides_once = false;
            self.wrap(code, |tokens| signal_key(expr.span(), &tokens, place))
        });
        let ty = signal.ty.to_token_stream();
        let (failure, ty) = match (&within, signal.question) {
            (Some(_), None) => (Failure::OfSignal, quote!(#Private::Result<#ty, #Private::StepError>)),
            _ => (Failure::FailRun, ty),
        };
        let kind = Kind::Signal { name: text, ty: Box::new(signal.ty.clone()), key, within };
        let span = bound_name(&statement.target).map_or_else(|| signal.keyword.span(), Ident::span);
        let slot = self.push_step(statement, name, span, kind, vec![ty.clone()], failure, region);
        (slot, ty)
    }

    /// A duration: a literal such as `"3d"`, or an expression.
    pub(super) fn sleep_duration(&mut self, keyword: Span, expr: &Expr, region: RegionId) -> Code {
        if let Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = expr {
            let duration = crate::duration::positive_duration(text, "a wait", self.errors);
            self.failed |= duration.is_none();
            let tokens = crate::duration::expand_duration(duration.unwrap_or_default());
            return Code { tokens, ..Code::default() };
        }
        self.decides_once = true;
        let code = self.owned(expr, region);
        self.decides_once = false;
        self.wrap(code, |tokens| duration(keyword, &tokens))
    }
}

pub(super) fn task_name(call: &ast::Call) -> String {
    call.path.segments.last().map(|segment| plain(&segment.ident)).unwrap_or_default()
}

/// What a call leaves behind, or stands for.
pub(super) fn type_of_call(call: &ast::Call, fails_run: bool) -> TokenStream {
    let path = &call.path;
    match fails_run {
        true => quote!(<#path as #Private::Task>::Ok),
        false => quote!(<#path as #Private::Task>::Outcome),
    }
}
