//! The user's statements as plain Rust that is compiled and never run.
//!
//! ```text
//! const _: () = {
//!     fn __workflow_mirror() -> Result<Report, StepError> {
//!         let day = anything::<&Date>();
//!         let _ = (day,);
//!         let listing = held(anything::<<fetch_listing as Task>::Outcome>()?);
//!         let __workflow_value_1 = (moved(&((*listing).pages)),);
//!         let total = held(<count>::call(__workflow_value_1.0).outcome());
//!         ..
//!     }
//! };
//! ```
//!
//! rustc's type checker finds wrong types, typos and unused names in it, at
//! the user's own tokens and in its own words, and the editor completes and
//! explains. Names are references here as they are in the tables, so that a
//! mistake that both show is the same diagnostic, which rustc prints once.
//! Arguments that are nothing but names it leaves to the tables, if there are
//! any: type-checking them twice was a tenth of what a step costs to check.

use std::cell::RefCell;
use std::collections::HashSet;

use proc_macro2::{Delimiter, Group, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, Ident, Pat};

use crate::private::Private;
use crate::workflow::ast::{
    Arg, Block, Branch, Call, Fail, FailWith, PartForm, ResultType, Statement, Target, Test, Value, Workflow,
};
use crate::workflow::pattern::pattern_names;
use crate::workflow::rewrite::{Mode, Names, choice, is_place, rewrite};
use crate::workflow::scope::Scope;
use crate::workflow::spelling::path_ident;
use crate::workflow::tokens::{
    Ends, Owned, call_tokens, duration, failure, iterator, matched, moment, passed, plain_functions,
    private_at, referenced, signal_key, tried, words,
};

mod broken;

/// The mirror of a workflow. Empty where a mistake that is already reported
/// would make rustc report others that are none.
pub(crate) fn mirror(workflow: &Workflow, quiet: bool) -> TokenStream {
    let Some(result) = workflow.result.as_ref().filter(|_| !workflow.broken) else {
        return TokenStream::new();
    };
    let mut mirror = Mirror {
        scope: Scope::default(),
        moves: TokenStream::new(),
        count: 0,
        broken: HashSet::new(),
        result,
        checked: !quiet,
        called: RefCell::new(Vec::new()),
    };
    let params = workflow.params.iter().map(|param| {
        mirror.scope.push(param.name.to_string(), Mode::Ref);
        let (name, ty) = (&param.name, &param.ty);
        quote!(let #name = #Private::anything::<&'static #ty>();)
    });
    let params = params.collect::<TokenStream>();
    let (body, ends) = mirror.statements(&workflow.body, true);
    // A workflow that ends too early, or in a mistake, has been reported.
    let end = (!ends || workflow.body.tail().is_none()).then(|| quote!(#Private::anything()));
    // What a mistake leaves unused is no mistake of its own.
    let quiet = quiet.then(|| quote!(unused,));
    let span = Ends::of(&result.to_token_stream()).first;
    let private = private_at(span);
    let returned = quote_spanned!(span=> #private::Result<#result, #private::StepError>);
    if let Some(schedule) = &workflow.schedule {
        schedule.fills.iter().for_each(|(_, fill)| drop(mirror.expr(fill)));
    }
    let called = mirror.called.into_inner();
    let plain_functions = plain_functions(&called);
    let conditions = workflow.attributes("cfg");
    // What the user says of lints is about the body, which is here.
    let lints = ["allow", "warn", "deny"].into_iter().flat_map(|level| workflow.attributes(level));
    quote! {
        #(#conditions)*
        const _: () = {
            #plain_functions
            #[allow(#quiet dead_code, unreachable_code, irrefutable_let_patterns, clippy::all, clippy::pedantic, clippy::nursery)]
            #(#lints)*
            fn __workflow_mirror() -> #returned {
                #params
                #body
                #end
            }
        };
    }
}

struct Mirror<'a> {
    scope: Scope<Mode>,
    /// Arguments of the current statement that are handed over.
    moves: TokenStream,
    count: usize,
    /// Names whose type rustc cannot know, after a mistake.
    broken: HashSet<String>,
    result: &'a ResultType,
    /// Whether the tables are there, whose arms check arguments too.
    checked: bool,
    /// What expressions call as plain functions.
    called: RefCell<Vec<syn::Path>>,
}

/// What of a call the mirror looks at.
#[derive(Clone, Copy, PartialEq)]
enum Ask {
    /// What the step's name stands for without `?`.
    Outcome,
    /// What the step leaves behind.
    Value,
}

impl Names for Mirror<'_> {
    fn mode(&self, name: &Ident) -> Option<Mode> {
        self.scope.find(&name.to_string())
    }

    // Lowering has reported steps in closures.
    fn is_step(&self, _: &Ident) -> bool {
        false
    }

    /// What is wrong with an expression was said when it was lowered.
    fn is_decided_once(&self) -> bool {
        true
    }
}

impl Mirror<'_> {
    /// `None` when a mistake inside leaves nothing to check.
    fn block(&mut self, block: &Block, tail: bool) -> Option<TokenStream> {
        let (tokens, ends) = self.statements(block, tail);
        ends.then_some(tokens)
    }

    /// The statements of a region, and whether they end as they should.
    fn statements(&mut self, block: &Block, tail: bool) -> (TokenStream, bool) {
        let outside = self.scope.len();
        let mut tokens = TokenStream::new();
        let mut complete = true;
        for statement in &block.statements {
            match self.statement(statement, tail) {
                Some(statement) => tokens.extend(statement),
                None => {
                    complete &= !matches!(statement.target, Target::Tail);
                    self.forget(&statement.target);
                }
            }
        }
        self.scope.leave(outside);
        (tokens, complete)
    }

    fn statement(&mut self, statement: &Statement, tail: bool) -> Option<TokenStream> {
        let ends_workflow = tail && matches!(statement.target, Target::Tail);
        let broken =
            statement.broken.get() || (!self.broken.is_empty() && self.rests_on_broken(&statement.value));
        let value = match (&statement.value, broken) {
            (Value::Call(call), true) => {
                let path = &call.path;
                let result =
                    if call.question.is_some() || ends_workflow { quote!(Ok) } else { quote!(Outcome) };
                let value = quote!(#Private::anything::<<#path as #Private::Task>::#result>());
                if ends_workflow { quote!(#Private::Result::Ok(#value)) } else { value }
            }
            (_, true) => return None,
            (Value::Pure(expr), false) => return Some(self.pure(&statement.target, expr)),
            (Value::Branch(branch), false) if branch.is_pure.get() => {
                let whole = choice(branch, self)?;
                return Some(self.pure(&statement.target, &whole));
            }
            (Value::Else { expr, fail, .. }, false) => {
                return Some(self.otherwise(statement, expr, fail));
            }
            (Value::Try { expr, .. }, false) => {
                let ty = match &statement.target {
                    Target::Let { ty, .. } => ty.as_ref().map(ToTokens::to_token_stream),
                    _ => None,
                };
                passed(&tried(&self.owned(expr), ty.as_ref()))
            }
            (value, false) => self.value(value, ends_workflow)?,
        };
        let moves = std::mem::take(&mut self.moves);
        // To run after a step is to use it.
        let after = statement.options.after.iter().filter(|name| self.mode(name).is_some());
        let after = after.map(|name| quote!(let _ = &#name;)).collect::<TokenStream>();
        let is_tried = matches!(statement.value, Value::Try { .. });
        let tokens = match &statement.target {
            Target::Let { pat, .. } if is_tried => {
                let mutable = matches!(pat, Pat::Ident(pat) if pat.mutability.is_some());
                self.bind(pat, if mutable { Mode::Ref } else { Mode::Place });
                let lent = mutable.then(|| quote!(&));
                quote_spanned!(statement.span=> let #pat = #lent #value;)
            }
            Target::Part { name, form, .. } => {
                let own = is_tried || *form == PartForm::Owned;
                self.scope.push(name.to_string(), if own { Mode::Place } else { Mode::Ref });
                self.broken.remove(&name.to_string());
                match own {
                    true => quote!(#[allow(unused_mut)] let mut #name = #value;),
                    false => quote!(let #name = #Private::held(#value);),
                }
            }
            Target::Let { pat, ty } => {
                let value = match ty {
                    Some(ty) => quote!({ let value: #ty = #value; #Private::held(value) }),
                    None => quote!(#Private::held(#value)),
                };
                self.bind(pat, Mode::Ref);
                quote_spanned!(statement.span=> let #pat = #value;)
            }
            Target::Assign { name } => quote!(#name = #Private::held(#value);),
            Target::Discard => quote_spanned!(statement.span=> #value;),
            Target::Tail => value,
        };
        Some(quote!(#after #moves #tokens))
    }

    fn bind(&mut self, pat: &Pat, mode: Mode) {
        let mut names = Vec::new();
        pattern_names(pat, &mut names);
        for name in &names {
            self.broken.remove(&name.to_string());
        }
        names.iter().for_each(|name| self.scope.push(name.to_string(), mode));
    }

    fn pure(&mut self, binding: &Target, expr: &Expr) -> TokenStream {
        match binding {
            Target::Let { pat, ty } => {
                let mutable = matches!(pat, Pat::Ident(pat) if pat.mutability.is_some());
                let place = is_place(expr, self);
                let by_ref = mutable || place;
                let tokens = self.expr(expr);
                self.bind(pat, if by_ref { Mode::Ref } else { Mode::Place });
                if by_ref {
                    let ty = ty.as_ref().map(|ty| quote!(: &#ty));
                    let end = Ends::of(&tokens).last;
                    let tokens = if place { referenced(&tokens) } else { quote!(&(#tokens)) };
                    quote_spanned!(end=> let #pat #ty = #tokens;)
                } else {
                    let ty = ty.as_ref().map(|ty| quote!(: #ty));
                    let end = Ends::of(&tokens).last;
                    quote_spanned!(end=> let #pat #ty = #tokens;)
                }
            }
            Target::Assign { name } => {
                let value = self.owned(expr);
                quote!(#name = #Private::held(#value);)
            }
            Target::Discard => self.expr(expr),
            Target::Tail => self.owned(expr),
            // A part is a step.
            Target::Part { .. } => TokenStream::new(),
        }
    }

    /// `let pattern = expression else { fail!(…) };`
    fn otherwise(&mut self, statement: &Statement, expr: &Expr, fail: &Fail) -> TokenStream {
        let Target::Let { pat, ty } = &statement.target else { return TokenStream::new() };
        let fails = self.fail(fail);
        let (mode, looked_at) = self.looked_at(expr);
        self.bind(pat, mode);
        let ty = ty.as_ref().map(|ty| if mode == Mode::Ref { quote!(: &#ty) } else { quote!(: #ty) });
        quote_spanned!(statement.span=> let #pat #ty = #looked_at else { #fails };)
    }

    /// The end of a run, which is of any type.
    fn fail(&mut self, fail: &Fail) -> TokenStream {
        let failure = match &fail.with {
            FailWith::Words(mac) => failure(fail.keyword, true, &self.expr(&words(mac))),
            FailWith::Error(error) => failure(fail.keyword, false, &self.owned(error)),
        };
        quote!(return #Private::ended(#failure))
    }

    fn expr(&self, expr: &Expr) -> TokenStream {
        let rewritten = rewrite(expr, self, &[]);
        self.called.borrow_mut().extend(rewritten.called);
        rewritten.tokens
    }

    /// A value that is handed over. Whether it may be moved or has to be
    /// copied is the tables' question.
    fn owned(&self, expr: &Expr) -> TokenStream {
        let tokens = self.expr(expr);
        if is_place(expr, self) { Owned::moved(&tokens, 0).block() } else { tokens }
    }

    fn value(&mut self, value: &Value, ends_workflow: bool) -> Option<TokenStream> {
        Some(match value {
            Value::Call(call) => {
                if call.question.is_none() && ends_workflow {
                    let result = self.result;
                    let value = self.call(call, Ask::Value);
                    quote!({ let value: #result = #value; #Private::Result::<_, #Private::StepError>::Ok(value) })
                } else {
                    let question = &call.question;
                    let outcome = self.call(call, Ask::Outcome);
                    quote!(#outcome #question)
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
            Value::Sleep { name, arg } => {
                let duration = self.duration(name.span(), arg);
                quote_spanned!(name.span()=> { #duration })
            }
            Value::SleepUntil { name, arg } => {
                let time = moment(name.span(), &self.owned(arg));
                quote_spanned!(name.span()=> { let _ = #time; })
            }
            Value::Signal(signal) => {
                let ty = &signal.ty;
                let within =
                    signal.within.as_ref().map(|within| self.duration(signal.keyword.span(), within));
                let key = signal.key.as_ref().map(|key| {
                    let tokens = signal_key(key.span(), &self.expr(key), is_place(key, self));
                    quote!(let _ = #tokens;)
                });
                let question = &signal.question;
                if within.is_some() {
                    quote!({ #key #within #Private::anything::<#Private::Result<#ty, #Private::StepError>>() #question })
                } else {
                    quote!({ #key #Private::anything::<#ty>() })
                }
            }
            Value::For(value) => {
                let (by_place, lent) = (value.by_place.get(), is_place(&value.items, self));
                let items = match (by_place, lent) {
                    (true, true) => referenced(&self.expr(&value.items)),
                    (true, false) => self.expr(&value.items),
                    (false, _) => self.owned(&value.items),
                };
                let items = iterator(&items);
                let at = value.items.span();
                let private = private_at(at);
                let outside = self.scope.len();
                self.bind(&value.pat, if by_place && !lent { Mode::Place } else { Mode::Ref });
                let body = self.block(&value.body, false);
                self.scope.leave(outside);
                let body = body?;
                let pat = &value.pat;
                // A hygienic name: the user's statements cannot see it.
                let values = Ident::new("values", Span::mixed_site());
                let item = Ident::new("item", Span::mixed_site());
                // Without hygiene: rustc would point at the macro.
                let iterator = Ident::new("__workflow_items", at);
                let next = quote_spanned!(at=> #private::Iterator::next(&mut #iterator));
                let bound = if by_place { quote!(#item) } else { quote!(#Private::held(#item)) };
                quote!({
                    let mut #values = #Private::Vec::new();
                    let mut #iterator = #items;
                    while let #Private::Option::Some(#item) = #next {
                        let #pat = #bound;
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
                    let moves = std::mem::take(&mut self.moves);
                    let outside = self.scope.len();
                    self.bind(&arm.pat, Mode::Ref);
                    let body = self.block(&arm.body, ends_workflow);
                    self.scope.leave(outside);
                    let Some(body) = body else { continue };
                    let pat = &arm.pat;
                    let test = if index + 1 == select.arms.len() { quote!(_) } else { quote!(#index) };
                    arms.extend(quote!(#test => { #moves let #pat = #Private::held(#trigger); #body }));
                }
                let span = select.keyword.span();
                let number = quote!(#Private::anything::<::core::primitive::usize>());
                matched(span, select.brace, &number, arms)
            }
            Value::Pure(expr) => self.owned(expr),
            Value::Fail(fail) => self.fail(fail),
            // Statements of their own.
            Value::Try { .. } | Value::Else { .. } | Value::Broken => return None,
        })
    }

    fn duration(&self, keyword: Span, expr: &Expr) -> TokenStream {
        if matches!(expr, Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(_), .. })) {
            return TokenStream::new();
        }
        let tokens = duration(keyword, &self.owned(expr));
        quote!(let _ = #tokens;)
    }

    /// The use of a task, and what is asked of it, at the user's call.
    fn call(&mut self, call: &Call, ask: Ask) -> TokenStream {
        if let Some(names) = self.plain_names(call).filter(|_| self.checked) {
            return self.checked_call(call, &names, ask);
        }
        let mut args = Vec::new();
        for arg in &call.args {
            args.push(match arg {
                Arg::Expr(expr) if is_place(expr, self) => {
                    self.count += 1;
                    let Owned { binding, value } = Owned::moved(&self.expr(expr), self.count);
                    self.moves.extend(binding);
                    value
                }
                Arg::Expr(expr) => self.expr(expr),
                Arg::Step { lend, call } => {
                    let outcome = self.call(call, Ask::Outcome);
                    let question = &call.question;
                    quote!(#lend #outcome #question)
                }
            });
        }
        let used = call_tokens(&call.path, &call.paren, args.into_iter());
        let end = call.paren.span.close();
        let ask = Ident::new(if ask == Ask::Outcome { "outcome" } else { "value" }, end);
        quote_spanned!(end=> #used.#ask())
    }

    /// The arguments of a call that are nothing but names, lent or handed over.
    fn plain_names<'c>(&self, call: &'c Call) -> Option<Vec<&'c Ident>> {
        let names = call.args.iter().map(|arg| {
            let Arg::Expr(expr) = arg else { return None };
            let expr = match expr {
                Expr::Reference(lent) if lent.mutability.is_none() => &lent.expr,
                expr => expr,
            };
            path_ident(expr).filter(|name| self.mode(name) == Some(Mode::Ref))
        });
        names.collect()
    }

    /// A call whose arguments the step's arm gives the same names in the same
    /// way, so that rustc need not look at them twice. What is left is that
    /// the names are used, and what the call is worth.
    fn checked_call(&mut self, call: &Call, names: &[&Ident], ask: Ask) -> TokenStream {
        if !names.is_empty() {
            self.moves.extend(quote!(let _ = (#(#names,)*);));
        }
        let path = &call.path;
        let span = path.segments.last().map_or_else(Span::call_site, |segment| segment.ident.span());
        let private = private_at(span);
        let mut nothing = Group::new(Delimiter::Parenthesis, TokenStream::new());
        nothing.set_span(call.paren.span.join());
        let worth = Ident::new(if ask == Ask::Outcome { "Outcome" } else { "Ok" }, span);
        quote_spanned!(span=> #private::anything::<<#path as #private::Task>::#worth> #nothing)
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
                let body = self.block(&arm.body, ends_workflow);
                self.scope.leave(outside);
                let body = braced(arm.body.span, body?);
                arms.extend(quote!(#pat #guard => #body));
            }
            return Some(matched(branch.keyword, branch.brace, &looked_at, arms));
        }
        let keyword = quote_spanned!(branch.keyword=> if);
        let mut tokens = TokenStream::new();
        for (index, arm) in branch.arms.iter().enumerate() {
            let outside = self.scope.len();
            if let Test::Else { written: false } = &arm.test {
                break;
            }
            if index > 0 {
                tokens.extend(quote!(else));
            }
            if let Test::If(condition) = &arm.test {
                // `let` chains print as the user wrote them: they compile
                // where the user's edition has them.
                let condition = self.condition(condition);
                tokens.extend(quote!(#keyword #condition));
            }
            let body = self.block(&arm.body, ends_workflow);
            self.scope.leave(outside);
            tokens.extend(braced(arm.body.span, body?));
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
        if is_place(expr, self) { (Mode::Ref, referenced(&tokens)) } else { (Mode::Place, tokens) }
    }
}

/// `{ body }`, with the user's braces.
fn braced(span: Span, body: TokenStream) -> TokenStream {
    let mut group = Group::new(Delimiter::Brace, body);
    group.set_span(span);
    group.into_token_stream()
}
