//! The user's statements as plain Rust that is compiled and never run.
//!
//! ```text
//! const _: () = {
//!     fn __workflow_mirror() -> Result<Report, StepError> {
//!         let day = anything::<&Date>();
//!         let listing = held(<fetch_listing>::fetch_listing(moved(&(*day))).outcome()?);
//!         ..
//!     }
//! };
//! ```
//!
//! rustc's type checker finds wrong types, typos and unused names in it, at
//! the user's own tokens and in its own words, and the editor completes and
//! explains. Names are references here as they are in the tables, so that a
//! mistake that both show is the same diagnostic, which rustc prints once.

use std::collections::HashSet;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Expr, Ident, Pat};

use super::ast::{Arg, Binding, Block, Branch, Call, Statement, Test, Value, Workflow};
use super::expand::call_tokens;
use super::lower::spanning;
use super::rewrite::{Mode, Names, is_place, pattern_names, rewrite};
use crate::private::Private;

/// The mirror of a workflow. Empty where a mistake that is already reported
/// would make rustc report others that are none.
pub(crate) fn mirror(workflow: &Workflow) -> TokenStream {
    let Some(result) = &workflow.result else { return TokenStream::new() };
    let mut mirror = Mirror { scope: Vec::new(), result };
    let params = workflow.params.iter().map(|param| {
        mirror.scope.push((param.name.to_string(), Mode::Ref));
        let (name, ty) = (&param.name, &param.ty);
        quote!(let #name = #Private::anything::<&'static #ty>();)
    });
    let params = params.collect::<TokenStream>();
    let Some(body) = mirror.block(&workflow.body, true) else { return TokenStream::new() };
    quote! {
        const _: () = {
            #[allow(dead_code, unreachable_code, irrefutable_let_patterns, clippy::all, clippy::pedantic, clippy::nursery)]
            fn __workflow_mirror() -> #Private::Result<#result, #Private::StepError> {
                #params
                #body
            }
        };
    }
}

struct Mirror<'a> {
    scope: Vec<(String, Mode)>,
    result: &'a syn::Type,
}

impl Names for Mirror<'_> {
    fn mode(&self, name: &Ident) -> Option<Mode> {
        self.scope.iter().rev().find(|(bound, _)| name == bound).map(|(_, mode)| *mode)
    }

    // Lowering has reported steps in closures.
    fn is_step(&self, _: &Ident) -> bool {
        false
    }
}

impl Mirror<'_> {
    /// `None` when a mistake inside leaves nothing to check.
    fn block(&mut self, block: &Block, tail: bool) -> Option<TokenStream> {
        let outside = self.scope.len();
        let mut tokens = TokenStream::new();
        for statement in &block.statements {
            tokens.extend(self.statement(statement, tail)?);
        }
        self.scope.truncate(outside);
        Some(tokens)
    }

    fn statement(&mut self, statement: &Statement, tail: bool) -> Option<TokenStream> {
        let ends_workflow = tail && matches!(statement.binding, Binding::Tail);
        // A mistake may well be a misspelt use of any of them.
        let used = self.scope.iter().filter(|_| statement.broken.get()).map(|(name, _)| {
            let name =
                syn::parse_str::<Ident>(name).unwrap_or_else(|_| Ident::new_raw(name, Span::call_site()));
            quote!(let _ = &#name;)
        });
        let used = used.collect::<TokenStream>();
        let value = match (&statement.value, statement.broken.get()) {
            (Value::Call(call), true) => {
                let path = &call.path;
                let result =
                    if call.question.is_some() || ends_workflow { quote!(Ok) } else { quote!(Outcome) };
                quote!(#Private::anything::<<#path as #Private::Task>::#result>())
            }
            (_, true) => return None,
            (Value::Pure(expr), false) => return Some(self.pure(&statement.binding, expr)),
            (value, false) => self.value(value, ends_workflow)?,
        };
        // To run after a step is to use it.
        let after = statement.options.after.iter().filter(|name| self.mode(name).is_some());
        let after = after.map(|name| quote!(let _ = &#name;)).collect::<TokenStream>();
        let tokens = match &statement.binding {
            Binding::Let { pat, ty } => {
                let value = match ty {
                    Some(ty) => quote!({ let value: #ty = #value; #Private::held(value) }),
                    None => quote!(#Private::held(#value)),
                };
                self.bind(pat, Mode::Ref);
                quote!(let #pat = #value;)
            }
            Binding::Assign { name } => quote!(#name = #Private::held(#value);),
            Binding::Discard => quote!(#value;),
            Binding::Tail => value,
        };
        Some(quote!(#used #after #tokens))
    }

    fn bind(&mut self, pat: &Pat, mode: Mode) {
        let mut names = Vec::new();
        pattern_names(pat, &mut names);
        self.scope.extend(names.iter().map(|name| (name.to_string(), mode)));
    }

    fn pure(&mut self, binding: &Binding, expr: &Expr) -> TokenStream {
        match binding {
            Binding::Let { pat, ty } => {
                let mutable = matches!(pat, Pat::Ident(pat) if pat.mutability.is_some());
                let by_ref = mutable || is_place(expr, self);
                let tokens = self.expr(expr);
                self.bind(pat, if by_ref { Mode::Ref } else { Mode::Place });
                if by_ref {
                    let ty = ty.as_ref().map(|ty| quote!(: &#ty));
                    quote!(let #pat #ty = &#tokens;)
                } else {
                    let ty = ty.as_ref().map(|ty| quote!(: #ty));
                    quote!(let #pat #ty = #tokens;)
                }
            }
            Binding::Assign { name } => {
                let value = self.owned(expr);
                quote!(#name = #Private::held(#value);)
            }
            Binding::Discard => self.expr(expr),
            Binding::Tail => self.owned(expr),
        }
    }

    fn expr(&self, expr: &Expr) -> TokenStream {
        rewrite(expr, self, &[]).tokens
    }

    /// A value that is handed over. Whether it may be moved or has to be
    /// copied is the tables' question.
    fn owned(&self, expr: &Expr) -> TokenStream {
        let tokens = self.expr(expr);
        if is_place(expr, self) { moved(&tokens) } else { tokens }
    }

    fn value(&mut self, value: &Value, ends_workflow: bool) -> Option<TokenStream> {
        Some(match value {
            Value::Call(call) => {
                let tokens = self.call(call);
                match &call.question {
                    None if ends_workflow => {
                        quote!(#Private::Result::<_, #Private::StepError>::Ok(#tokens.value()))
                    }
                    question => quote!(#tokens.outcome() #question),
                }
            }
            Value::Ok(inner) => {
                let inner = match &**inner {
                    Value::Pure(expr) => self.owned(expr),
                    inner => self.value(inner, false)?,
                };
                let result = self.result;
                quote!({ let value: #result = #inner; #Private::Result::<_, #Private::StepError>::Ok(value) })
            }
            Value::Sleep { arg, .. } => {
                let duration = self.duration(arg);
                quote!({ #duration })
            }
            Value::SleepUntil { arg, .. } => {
                let time = self.owned(arg);
                quote!({ let _ = #Private::moment(#time); })
            }
            Value::Signal(signal) => {
                let ty = &signal.ty;
                let within = signal.within.as_ref().map(|within| self.duration(within));
                let question = &signal.question;
                if within.is_some() {
                    quote!({ #within #Private::anything::<#Private::Result<#ty, #Private::StepError>>() #question })
                } else {
                    quote!(#Private::anything::<#ty>())
                }
            }
            Value::For(value) => {
                let items = self.owned(&value.items);
                let outside = self.scope.len();
                self.bind(&value.pat, Mode::Ref);
                let body = self.block(&value.body, false)?;
                self.scope.truncate(outside);
                let pat = &value.pat;
                let keyword = value.keyword;
                // A hygienic name: the user's statements cannot see it.
                let values = Ident::new("values", Span::mixed_site());
                let item = Ident::new("item", Span::mixed_site());
                quote!({
                    let mut #values = #Private::Vec::new();
                    #keyword #item in #items {
                        let #pat = #Private::held(#item);
                        #values.push({ #body });
                    }
                    #values
                })
            }
            Value::While(value) => {
                let condition = self.expr(&value.condition);
                let body = self.block(&value.body, false)?;
                let keyword = value.keyword;
                quote!(#keyword #condition { #body })
            }
            Value::Branch(branch) => self.branch(branch, ends_workflow)?,
            Value::Select(select) => {
                let mut arms = TokenStream::new();
                for (index, arm) in select.arms.iter().enumerate() {
                    let trigger = self.value(&arm.trigger.value, false)?;
                    let outside = self.scope.len();
                    self.bind(&arm.pat, Mode::Ref);
                    let body = self.block(&arm.body, ends_workflow)?;
                    self.scope.truncate(outside);
                    let pat = &arm.pat;
                    let test = if index + 1 == select.arms.len() { quote!(_) } else { quote!(#index) };
                    arms.extend(quote!(#test => { let #pat = #Private::held(#trigger); #body }));
                }
                quote!(match #Private::anything::<usize>() { #arms })
            }
            Value::Pure(expr) => self.owned(expr),
            Value::Broken => return None,
        })
    }

    fn duration(&self, expr: &Expr) -> TokenStream {
        if matches!(expr, Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(_), .. })) {
            return TokenStream::new();
        }
        let tokens = self.owned(expr);
        quote!(let _: #Private::Duration = #tokens;)
    }

    fn call(&self, call: &Call) -> TokenStream {
        let args = call.args.iter().map(|arg| match arg {
            Arg::Expr(expr) => self.owned(expr),
            Arg::Step { lend, call } => {
                let inner = self.call(call);
                let question = &call.question;
                quote!(#lend #inner.outcome() #question)
            }
        });
        call_tokens(&call.path, &call.paren, args)
    }

    fn branch(&mut self, branch: &Branch, ends_workflow: bool) -> Option<TokenStream> {
        if let Some(scrutinee) = &branch.scrutinee {
            let (mode, looked_at) = self.looked_at(scrutinee);
            let mut arms = TokenStream::new();
            for arm in &branch.arms {
                let Test::Pattern { pat, guard } = &arm.test else { continue };
                let outside = self.scope.len();
                self.bind(pat, mode);
                let guard = guard.as_ref().map(|guard| {
                    let guard = self.expr(guard);
                    quote!(if #guard)
                });
                let body = self.block(&arm.body, ends_workflow)?;
                self.scope.truncate(outside);
                arms.extend(quote!(#pat #guard => { #body }));
            }
            let keyword = quote_spanned!(branch.keyword=> match);
            return Some(quote!(#keyword #looked_at { #arms }));
        }
        let keyword = quote_spanned!(branch.keyword=> if);
        let mut tokens = TokenStream::new();
        for (index, arm) in branch.arms.iter().enumerate() {
            let outside = self.scope.len();
            if index > 0 {
                tokens.extend(quote!(else));
            }
            if let Test::If(condition) = &arm.test {
                // `let` chains print as the user wrote them: they compile
                // where the user's edition has them.
                let condition = self.condition(condition);
                tokens.extend(quote!(#keyword #condition));
            }
            let body = self.block(&arm.body, ends_workflow)?;
            self.scope.truncate(outside);
            tokens.extend(quote!({ #body }));
        }
        Some(tokens)
    }

    fn condition(&mut self, expr: &Expr) -> TokenStream {
        match expr {
            Expr::Binary(binary) if matches!(binary.op, syn::BinOp::And(_)) => {
                let left = self.condition(&binary.left);
                let right = self.condition(&binary.right);
                let op = &binary.op;
                quote!(#left #op #right)
            }
            Expr::Let(condition) => {
                let (mode, looked_at) = self.looked_at(&condition.expr);
                self.bind(&condition.pat, mode);
                let pat = &condition.pat;
                quote!(let #pat = #looked_at)
            }
            expr => self.expr(expr),
        }
    }

    fn looked_at(&self, expr: &Expr) -> (Mode, TokenStream) {
        let tokens = self.expr(expr);
        if is_place(expr, self) { (Mode::Ref, quote!(&#tokens)) } else { (Mode::Place, tokens) }
    }
}

fn moved(place: &TokenStream) -> TokenStream {
    spanning(place, "moved", quote!(&#place))
}

/// The tasks a workflow calls, each once, for the resources it needs.
pub(crate) fn tasks(block: &Block, found: &mut Vec<syn::Path>, seen: &mut HashSet<String>) {
    for statement in &block.statements {
        tasks_of(&statement.value, found, seen);
    }
}

fn tasks_of(value: &Value, found: &mut Vec<syn::Path>, seen: &mut HashSet<String>) {
    match value {
        Value::Call(call) => task_of_call(call, found, seen),
        Value::For(value) => tasks(&value.body, found, seen),
        Value::While(value) => tasks(&value.body, found, seen),
        Value::Branch(branch) => branch.arms.iter().for_each(|arm| tasks(&arm.body, found, seen)),
        Value::Select(select) => select.arms.iter().for_each(|arm| {
            tasks_of(&arm.trigger.value, found, seen);
            tasks(&arm.body, found, seen);
        }),
        Value::Ok(inner) => tasks_of(inner, found, seen),
        _ => {}
    }
}

fn task_of_call(call: &Call, found: &mut Vec<syn::Path>, seen: &mut HashSet<String>) {
    if seen.insert(call.path.to_token_stream().to_string()) {
        found.push(call.path.clone());
    }
    for arg in &call.args {
        if let Arg::Step { call, .. } = arg {
            task_of_call(call, found, seen);
        }
    }
}
