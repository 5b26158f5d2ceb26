//! Syntax tree to graph: resolves names, cuts regions, numbers steps and
//! slots. Shape rules (cycles, limits, duplicate names) are in `check`.

use std::collections::{BTreeSet, HashSet};

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, Ident, Pat};

use super::ast::{self, Block, Statement, Value};
use super::graph::*;
use super::parse::path_ident;
use super::rewrite::{Mode, Names, check_pattern, is_place, pattern_names, rewrite};
use crate::diagnostics::{Errors, did_you_mean};
use crate::private::Private;

mod regions;

/// Lowers a workflow. Mistakes in names go to `errors`; what can be lowered is.
pub(crate) fn lower(workflow: &ast::Workflow, errors: &mut Errors) -> Graph {
    let mut declared = Declared::default();
    declared.visit(&workflow.body);
    let mut lower = Lower {
        workflow: &workflow.name,
        graph: Graph::default(),
        errors,
        scope: Vec::new(),
        seen: HashSet::new(),
        declared,
        loops: Vec::new(),
        tails: vec![0],
        failed: false,
    };
    let body = lower.region(None, String::new(), workflow.params.len());
    for (index, param) in workflow.params.iter().enumerate() {
        let ty = param.ty.to_token_stream();
        lower.bind_slot(body, &param.name, Slot::Extra(index), ty);
    }
    let expected = workflow.result.as_ref().map(ToTokens::to_token_stream);
    lower.block(&workflow.body, body, expected.as_ref());
    lower.graph
}

/// What a statement leaves to those after it.
enum Out<'a> {
    /// A slot with a value of a known type.
    Slot(Slot, TokenStream),
    /// A pure expression, not evaluated yet.
    Pure(&'a Expr),
    /// Nothing worth a name.
    Nothing,
}

/// Names that are bound and tasks that are called anywhere in a workflow.
#[derive(Default)]
struct Declared {
    names: HashSet<String>,
    tasks: HashSet<String>,
}

impl Declared {
    fn visit(&mut self, block: &Block) {
        for statement in &block.statements {
            if let ast::Binding::Let { pat, .. } = &statement.binding {
                self.pattern(pat);
            }
            self.value(&statement.value);
        }
    }

    fn pattern(&mut self, pat: &Pat) {
        let mut names = Vec::new();
        pattern_names(pat, &mut names);
        self.names.extend(names.iter().map(ToString::to_string));
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Call(call) => self.tasks.extend(call.path.get_ident().map(ToString::to_string)),
            Value::For(value) => self.visit(&value.body),
            Value::While(value) => self.visit(&value.body),
            Value::Branch(branch) => branch.arms.iter().for_each(|arm| self.visit(&arm.body)),
            Value::Select(select) => select.arms.iter().for_each(|arm| {
                self.value(&arm.trigger.value);
                self.visit(&arm.body);
            }),
            Value::Ok(inner) => self.value(inner),
            _ => {}
        }
    }
}

struct Lower<'a> {
    workflow: &'a Ident,
    graph: Graph,
    errors: &'a mut Errors,
    /// The names in scope, innermost last.
    scope: Vec<(String, BindingId)>,
    /// All names that have been in scope so far.
    seen: HashSet<String>,
    declared: Declared,
    /// The `while` bodies around the current statement and their variables.
    loops: Vec<(RegionId, Vec<String>)>,
    /// The body, and the arms that end like it: a step at their end is the
    /// workflow's result and needs no `?`.
    tails: Vec<RegionId>,
    /// Whether a mistake was found in the current statement.
    failed: bool,
}

impl Names for Lower<'_> {
    fn mode(&self, name: &Ident) -> Option<Mode> {
        let binding = self.lookup(&name.to_string())?;
        Some(match &self.graph.bindings[binding].form {
            Form::Slot { .. } | Form::Pure { by_ref: true, .. } => Mode::Ref,
            Form::Pure { by_ref: false, .. } => Mode::Place,
        })
    }

    fn is_step(&self, name: &Ident) -> bool {
        self.declared.tasks.contains(&name.to_string())
    }
}

impl Lower<'_> {
    fn lookup(&self, name: &str) -> Option<BindingId> {
        self.scope.iter().rev().find(|(bound, _)| bound == name).map(|(_, binding)| *binding)
    }

    fn error(&mut self, span: Span, message: impl std::fmt::Display) {
        self.failed = true;
        self.errors.at(span, message);
    }

    fn region(&mut self, parent: Option<RegionId>, label: String, extras: usize) -> RegionId {
        self.graph.regions.push(Region {
            parent,
            label,
            extras,
            captures: Vec::new(),
            steps: Vec::new(),
            outputs: Vec::new(),
            result: Result::Nothing,
            carried: Vec::new(),
        });
        self.graph.regions.len() - 1
    }

    fn bind(&mut self, binding: Binding) -> BindingId {
        let id = self.graph.bindings.len();
        for name in &binding.names {
            self.seen.insert(name.to_string());
            self.scope.push((name.to_string(), id));
        }
        self.graph.bindings.push(binding);
        id
    }

    fn bind_slot(&mut self, region: RegionId, name: &Ident, slot: Slot, ty: TokenStream) -> BindingId {
        let form = Form::Slot { slot, ty, pat: None };
        self.bind(Binding { names: vec![name.clone()], region, form, mutable: false, uses: 0 })
    }

    /// Binds what a pattern takes out of a slot.
    fn bind_pattern(&mut self, region: RegionId, pat: &Pat, slot: Slot, ty: TokenStream) {
        let mut errors = Vec::new();
        check_pattern(pat, &mut errors);
        self.report(errors);
        let mut names = Vec::new();
        pattern_names(pat, &mut names);
        let plain = match pat {
            Pat::Ident(pat) => pat.subpat.is_none(),
            _ => false,
        };
        let mutable = matches!(pat, Pat::Ident(pat) if pat.mutability.is_some());
        let pat = (!plain).then(|| pat.to_token_stream());
        self.bind(Binding { names, region, form: Form::Slot { slot, ty, pat }, mutable, uses: 0 });
    }

    fn report(&mut self, errors: Vec<syn::Error>) {
        self.failed |= !errors.is_empty();
        errors.into_iter().for_each(|error| self.errors.add(error));
    }

    /// Lowers the statements of a region and sets its result.
    fn block(
        &mut self,
        block: &Block,
        region: RegionId,
        expected: Option<&TokenStream>,
    ) -> Option<TokenStream> {
        let outside = self.scope.len();
        let mut value = None;
        for statement in &block.statements {
            let failed = std::mem::take(&mut self.failed);
            let tail = matches!(statement.binding, ast::Binding::Tail);
            let expected = if tail { expected } else { None };
            let out = self.statement(statement, region, expected);
            if tail {
                value = self.region_value(out, region, expected);
            }
            statement.broken.set(self.failed);
            self.failed |= failed;
        }
        self.scope.truncate(outside);
        value
    }

    /// Sets what a region is worth; its type, where it is known.
    fn region_value(
        &mut self,
        out: Out<'_>,
        region: RegionId,
        expected: Option<&TokenStream>,
    ) -> Option<TokenStream> {
        let (result, ty) = match out {
            Out::Nothing => (Result::Nothing, Some(quote!(()))),
            Out::Slot(slot, ty) => (Result::Slot(slot), Some(ty)),
            Out::Pure(expr) => {
                if let Some(binding) = path_ident(expr).and_then(|name| self.lookup(&name.to_string()))
                    && let Form::Slot { slot, ty, pat: None } = &self.graph.bindings[binding].form
                {
                    let (slot, ty, owner) = (*slot, ty.clone(), self.graph.bindings[binding].region);
                    self.graph.bindings[binding].uses += 1;
                    let slot = self.graph.import(region, owner, slot);
                    (Result::Slot(slot), Some(ty))
                } else {
                    let ty = expected.cloned().or_else(|| self.type_of(expr));
                    let code = self.owned(expr, region);
                    // A missing type is filled in from another arm, or reported.
                    (Result::Compute { code, ty: ty.clone().unwrap_or_default() }, ty)
                }
            }
        };
        self.graph.regions[region].result = result;
        ty
    }

    /// The type of a pure expression, where its tokens alone say it.
    fn type_of(&self, expr: &Expr) -> Option<TokenStream> {
        match expr {
            Expr::Paren(inner) => self.type_of(&inner.expr),
            Expr::Path(_) => {
                let binding = self.lookup(&path_ident(expr)?.to_string())?;
                match &self.graph.bindings[binding].form {
                    Form::Slot { ty, pat: None, .. } | Form::Pure { ty: Some(ty), .. } => Some(ty.clone()),
                    _ => None,
                }
            }
            Expr::Tuple(tuple) => {
                let types = tuple.elems.iter().map(|elem| self.type_of(elem)).collect::<Option<Vec<_>>>()?;
                Some(quote!((#(#types,)*)))
            }
            Expr::MethodCall(call) if call.method == "clone" => self.type_of(&call.receiver),
            Expr::Lit(syn::ExprLit { lit: syn::Lit::Bool(_), .. }) => Some(quote!(bool)),
            _ => None,
        }
    }

    /// An expression in `region`, with the names it uses.
    fn code(&mut self, expr: &Expr, region: RegionId) -> Code {
        self.code_with(expr, region, &[])
    }

    fn code_with(&mut self, expr: &Expr, region: RegionId, bound: &[(Ident, Mode)]) -> Code {
        let code = self.resolve(expr, bound);
        self.count(code, region)
    }

    /// An expression that is evaluated only where something else uses it.
    fn uncounted(&mut self, expr: &Expr) -> Code {
        self.resolve(expr, &[])
    }

    fn resolve(&mut self, expr: &Expr, bound: &[(Ident, Mode)]) -> Code {
        let rewritten = rewrite(expr, self, bound);
        self.report(rewritten.errors);
        for name in rewritten.unknown {
            self.unknown(&name);
        }
        let uses = rewritten.uses.iter().filter_map(|name| self.lookup(&name.to_string())).collect();
        Code { uses, tokens: rewritten.tokens }
    }

    /// Notes the uses of an expression and captures what it needs.
    fn count(&mut self, mut code: Code, region: RegionId) -> Code {
        for used in &code.uses {
            for binding in self.graph.closure(&[*used]) {
                self.graph.bindings[binding].uses += 1;
            }
        }
        code.uses.sort_unstable();
        code.uses.dedup();
        self.graph.slots_of(region, &code.uses);
        code
    }

    /// An expression whose value is handed over: a place is copied.
    fn owned(&mut self, expr: &Expr, region: RegionId) -> Code {
        let place = is_place(expr, self);
        let mut code = self.code(expr, region);
        if place {
            code.tokens = copied(&code.tokens);
        }
        code
    }

    fn unknown(&mut self, name: &Ident) {
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
        } else if let Some(near) = did_you_mean(&text, self.scope.iter().map(|(name, _)| name.as_str())) {
            self.error(
                name.span(),
                format!(
                    "cannot find `{text}` in workflow `{workflow}`\nhelp: a similar name exists: `{near}`"
                ),
            );
        }
        // Otherwise it may be a function or a static; rustc knows.
    }

    fn statement<'s>(
        &mut self,
        statement: &'s Statement,
        region: RegionId,
        expected: Option<&TokenStream>,
    ) -> Out<'s> {
        let (pat, annotated) = match &statement.binding {
            ast::Binding::Let { pat, ty } => (Some(pat), ty.as_ref().map(ToTokens::to_token_stream)),
            _ => (None, None),
        };
        self.check_options(statement);
        let value = match &statement.value {
            Value::Ok(inner) => inner,
            value => value,
        };
        if let Value::Pure(expr) = value {
            return self.pure(statement, expr, region);
        }
        if let Value::Broken = value {
            self.failed = true;
            if let Some(pat) = pat {
                // Its names exist, so that they are not reported as unknown.
                self.bind_pattern(region, pat, Slot::Extra(0), quote!(()));
            }
            return Out::Nothing;
        }
        let carried = match &statement.binding {
            ast::Binding::Assign { name } => self.assigned(name, region),
            _ => None,
        };
        if let Value::While(value) = value {
            self.lower_while(statement, value, region);
            return Out::Nothing;
        }
        let expected = annotated.as_ref().or(expected);
        let (slot, ty) = self.step(statement, value, region, expected);
        if let Some(pat) = pat {
            if !matches!(pat, Pat::Wild(_)) {
                self.bind_pattern(region, pat, slot, ty.clone());
            }
        } else if let Some(name) = carried {
            let binding = self.bind_slot(region, &name, slot, ty.clone());
            self.graph.bindings[binding].mutable = true;
        }
        Out::Slot(slot, ty)
    }

    /// A statement without a step.
    fn pure<'s>(&mut self, statement: &'s Statement, expr: &'s Expr, region: RegionId) -> Out<'s> {
        if !statement.options.after.is_empty() || statement.options.always.is_some() {
            self.error(statement.span, "this is no step, so nothing can be ordered after it or because of it\nhelp: put the attribute on a step");
        }
        match &statement.binding {
            ast::Binding::Let { pat, ty } => {
                if let Expr::Closure(closure) = expr {
                    self.error(closure.inputs_begin.span, "a binding of a workflow holds a value, no closure\nhelp: make a task or a function of it");
                }
                let mutable = matches!(pat, Pat::Ident(pat) if pat.mutability.is_some());
                let by_ref = mutable || is_place(expr, self);
                let mut code = self.uncounted(expr);
                if by_ref {
                    let inner = code.tokens;
                    code.tokens = quote!(&#inner);
                }
                let mut errors = Vec::new();
                check_pattern(pat, &mut errors);
                self.report(errors);
                let mut names = Vec::new();
                pattern_names(pat, &mut names);
                let pat = match pat {
                    Pat::Ident(pat) => pat.ident.to_token_stream(),
                    pat => pat.to_token_stream(),
                };
                let ty = ty.as_ref().map(ToTokens::to_token_stream);
                let form = Form::Pure { pat, ty, code, refutable: false, by_ref };
                self.bind(Binding { names, region, form, mutable, uses: 0 });
                Out::Nothing
            }
            ast::Binding::Assign { name } => {
                let Some(name) = self.assigned(name, region) else { return Out::Nothing };
                let Some(ty) = self.lookup(&name.to_string()).and_then(|binding| self.slot_type(binding))
                else {
                    return Out::Nothing;
                };
                let code = self.owned(expr, region);
                let step_name =
                    statement.options.step.name.as_ref().map_or_else(|| plain(&name), syn::LitStr::value);
                let kind = Kind::Compute { code, ty: ty.clone() };
                let slot = self.push_step(
                    statement,
                    step_name,
                    name.span(),
                    kind,
                    vec![ty.clone()],
                    Failure::FailRun,
                    region,
                );
                let binding = self.bind_slot(region, &name, slot, ty);
                self.graph.bindings[binding].mutable = true;
                Out::Nothing
            }
            ast::Binding::Discard => {
                let code = rewrite(expr, self, &[]);
                if !code.errors.is_empty() {
                    self.report(code.errors);
                    return Out::Nothing;
                }
                self.error(
                    statement.span,
                    "this expression has no effect: an expression is evaluated where a step uses it\nhelp: make a task of it",
                );
                Out::Nothing
            }
            ast::Binding::Tail => Out::Pure(expr),
        }
    }

    fn slot_type(&self, binding: BindingId) -> Option<TokenStream> {
        match &self.graph.bindings[binding].form {
            Form::Slot { ty, pat: None, .. } | Form::Pure { ty: Some(ty), .. } => Some(ty.clone()),
            _ => None,
        }
    }

    /// Checks that the name is a loop variable of the body we are in.
    fn assigned(&mut self, name: &Ident, region: RegionId) -> Option<Ident> {
        let text = name.to_string();
        match self.loops.iter().rev().find(|(_, names)| names.contains(&text)) {
            Some((body, _)) if *body == region => Some(name.clone()),
            Some(_) => {
                self.error(name.span(), format!("`{text}` can only be assigned at the top of the `while` body\nhelp: make the choice the value: `{text} = if … {{ … }} else {{ {text} }};`"));
                None
            }
            None => {
                self.error(
                    name.span(),
                    format!("`{text}` is assigned outside a `while`\nhelp: bind a new name with `let`"),
                );
                None
            }
        }
    }

    fn check_options(&mut self, statement: &Statement) {
        let options = &statement.options;
        let looping = matches!(statement.value, Value::For(_) | Value::While(_));
        if let Some((_, span)) = options.step.limit.filter(|_| !looping) {
            self.error(span, "`limit` belongs on a `for` or a `while`");
        }
        let call = matches!(&statement.value, Value::Call(_))
            || matches!(&statement.value, Value::Ok(inner) if matches!(**inner, Value::Call(_)));
        if let Some(span) = options.policy_span.filter(|_| !call) {
            self.error(span, "retries and time limits belong on a step that calls a task");
        }
    }

    /// Lowers a step or a region; its slot and the type in it.
    fn step(
        &mut self,
        statement: &Statement,
        value: &Value,
        region: RegionId,
        expected: Option<&TokenStream>,
    ) -> (Slot, TokenStream) {
        let bound = bound_name(&statement.binding).map(plain);
        let named = |default: String| {
            let named = statement.options.step.name.as_ref().map(syn::LitStr::value);
            named.or_else(|| bound.clone()).unwrap_or(default)
        };
        match value {
            Value::Call(call) => {
                let tail_of_workflow = matches!(statement.binding, ast::Binding::Tail)
                    && self.tails.contains(&region)
                    && !matches!(statement.value, Value::Ok(_));
                let name = named(task_name(call));
                let path = &call.path;
                let policy = &statement.options.step.policy;
                let policy = (!policy.changes_nothing())
                    .then(|| policy.expand(quote!(<#path as #Private::Task>::CONTRACT.policy)));
                let name_span = bound_name(&statement.binding).map_or_else(|| call.path.span(), Ident::span);
                self.call(statement, call, name, name_span, policy, tail_of_workflow, region)
            }
            Value::Sleep { name, arg } => {
                let until = self.sleep_duration(arg, region);
                let until = self.wrap(until, |tokens| quote!(#Private::Until::After(#tokens)));
                self.unit_step(
                    statement,
                    named("sleep".to_owned()),
                    name.span(),
                    Kind::Sleep { until },
                    region,
                )
            }
            Value::SleepUntil { name, arg } => {
                let until = self.owned(arg, region);
                let until = self.wrap(until, |tokens| quote!(#Private::Until::At(#Private::moment(#tokens))));
                self.unit_step(
                    statement,
                    named("sleep_until".to_owned()),
                    name.span(),
                    Kind::Sleep { until },
                    region,
                )
            }
            Value::Signal(signal) => self.signal(statement, signal, named(signal.name.value()), region),
            Value::For(value) => self.lower_for(statement, value, named("for".to_owned()), region, expected),
            Value::Branch(branch) => {
                self.branch(statement, branch, named(branch.word.to_owned()), region, expected)
            }
            Value::Select(select) => {
                self.select(statement, select, named("select".to_owned()), region, expected)
            }
            Value::While(_) | Value::Ok(_) | Value::Pure(_) | Value::Broken => (Slot::Extra(0), quote!(())),
        }
    }

    fn wrap(&self, code: Code, wrap: impl FnOnce(TokenStream) -> TokenStream) -> Code {
        Code { uses: code.uses, tokens: wrap(code.tokens) }
    }

    fn unit_step(
        &mut self,
        statement: &Statement,
        name: String,
        span: Span,
        kind: Kind,
        region: RegionId,
    ) -> (Slot, TokenStream) {
        let slot = self.push_step(statement, name, span, kind, vec![quote!(())], Failure::FailRun, region);
        (slot, quote!(()))
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a call, each from another place")]
    fn call(
        &mut self,
        statement: &Statement,
        call: &ast::Call,
        name: String,
        name_span: Span,
        policy: Option<TokenStream>,
        fails_run: bool,
        region: RegionId,
    ) -> (Slot, TokenStream) {
        if call.path.is_ident(self.workflow) {
            let workflow = self.workflow;
            self.error(call.path.span(), format!("workflow `{workflow}` calls itself, so its graph would never end\nhelp: use a `while` loop, or `for` over a list"));
        }
        if let Some(segment) = call.path.segments.last()
            && !segment.arguments.is_none()
        {
            self.error(segment.arguments.span(), "a task has no generic parameters");
        }
        let args = call.args.iter().map(|arg| self.arg(statement, arg, region)).collect::<Vec<_>>();
        let path = &call.path;
        let failure = if call.question.is_some() || fails_run { Failure::FailRun } else { Failure::AskTask };
        let ty = match failure {
            Failure::FailRun => quote!(<#path as #Private::Task>::Ok),
            _ => quote!(<#path as #Private::Task>::Outcome),
        };
        let kind = Kind::Call { path: path.clone(), paren: call.paren, args, policy };
        let slot = self.push_step(statement, name, name_span, kind, vec![ty.clone()], failure, region);
        (slot, ty)
    }

    fn arg(&mut self, statement: &Statement, arg: &ast::Arg, region: RegionId) -> Arg {
        let expr = match arg {
            ast::Arg::Expr(expr) => expr,
            ast::Arg::Step { lend, call } => {
                let span = call.path.span();
                let (slot, ty) = self.call(statement, call, task_name(call), span, None, false, region);
                let form = Form::Slot { slot, ty, pat: None };
                let name = Ident::new("step", span.resolved_at(Span::mixed_site()));
                let binding = Binding { names: vec![name], region, form, mutable: false, uses: 1 };
                self.graph.bindings.push(binding);
                return Arg::Step { lend: *lend, binding: self.graph.bindings.len() - 1, span };
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
            self.count(Code { uses: vec![binding], tokens: TokenStream::new() }, region);
            return Arg::Own { binding, name: name.clone() };
        }
        Arg::Code(self.owned(expr, region))
    }

    fn signal(
        &mut self,
        statement: &Statement,
        signal: &ast::Signal,
        name: String,
        region: RegionId,
    ) -> (Slot, TokenStream) {
        let text = signal.name.value();
        match syn::parse_str::<Ident>(&text) {
            Err(_) => self.error(
                signal.name.span(),
                "a signal's name is a Rust name, because the workflow gets a handle of that name",
            ),
            Ok(ident) => {
                let ident = Ident::new(&ident.to_string(), signal.name.span());
                match self.graph.signals.iter().find(|known| known.name == ident) {
                    Some(known) => {
                        let (first, second) = (known.ty.to_token_stream(), signal.ty.to_token_stream());
                        if first.to_string() != second.to_string() {
                            self.error(signal.ty.span(), format!("signal `{text}` has two types: `{first}` and `{second}`\nhelp: use one type, or two signals"));
                        }
                    }
                    None => self.graph.signals.push(Signal { name: ident, ty: signal.ty.clone() }),
                }
            }
        }
        if signal.within.is_none()
            && let Some(question) = signal.question
        {
            self.error(question.span(), "a signal without a time limit cannot fail\nhelp: remove the `?`, or give it `.within(\"3d\")`");
        }
        let within = signal.within.as_ref().map(|expr| self.sleep_duration(expr, region));
        let ty = signal.ty.to_token_stream();
        let (failure, ty) = match (&within, signal.question) {
            (Some(_), None) => (Failure::OfSignal, quote!(#Private::Result<#ty, #Private::StepError>)),
            _ => (Failure::FailRun, ty),
        };
        let kind = Kind::Signal { name: text, ty: signal.ty.clone(), within };
        let span = bound_name(&statement.binding).map_or_else(|| signal.keyword.span(), Ident::span);
        let slot = self.push_step(statement, name, span, kind, vec![ty.clone()], failure, region);
        (slot, ty)
    }

    /// A duration: a literal such as `"3d"`, or an expression.
    fn sleep_duration(&mut self, expr: &Expr, region: RegionId) -> Code {
        if let Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = expr {
            let duration = crate::duration::positive_duration(text, "a wait", self.errors);
            self.failed |= duration.is_none();
            let tokens = crate::duration::expand_duration(duration.unwrap_or_default());
            return Code { uses: Vec::new(), tokens };
        }
        self.owned(expr, region)
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of a step")]
    fn push_step(
        &mut self,
        statement: &Statement,
        name: String,
        span: Span,
        kind: Kind,
        types: Vec<TokenStream>,
        failure: Failure,
        region: RegionId,
    ) -> Slot {
        let mut slots: Vec<Slot> = Vec::new();
        for uses in kind.codes() {
            slots.extend(self.graph.slots_of(region, &uses));
        }
        for opened in kind.regions() {
            slots.extend(self.graph.regions[opened].captures.iter().copied());
        }
        slots.extend(kind.slots());
        let source = kind.source();
        let this = &mut self.graph.regions[region];
        let needs: BTreeSet<StepId> = slots
            .into_iter()
            .filter_map(|slot| match slot {
                Slot::Output(output) => Some(this.outputs[output]),
                Slot::Extra(_) | Slot::Capture(_) => None,
            })
            .collect();
        let output = this.outputs.len();
        let step = this.steps.len();
        this.outputs.extend(types.iter().map(|_| step));
        this.steps.push(Step {
            name,
            span,
            kind,
            needs,
            after: statement.options.after.clone(),
            output,
            types,
            failure,
            always: statement.options.always,
            source,
        });
        Slot::Output(output)
    }
}

/// `own(&place)`, every token where the user's expression stands, so that
/// rustc points there.
pub(crate) fn copied(place: &TokenStream) -> TokenStream {
    spanning(place, "own", quote!(&#place))
}

/// `private::function(inner)`, spanning the user's `original` tokens.
pub(crate) fn spanning(original: &TokenStream, function: &str, inner: TokenStream) -> TokenStream {
    let mut tokens = original.clone().into_iter();
    let first = tokens.next().map_or_else(Span::call_site, |token| token.span());
    let last = tokens.last().map_or(first, |token| token.span());
    let mut arguments = proc_macro2::Group::new(proc_macro2::Delimiter::Parenthesis, inner);
    arguments.set_span(last);
    let private = private_at(first);
    let function = Ident::new(function, first);
    let path = quote_spanned!(first=> #private::#function);
    quote!(#path #arguments)
}

/// The runtime's private module, at a place of the user's: rustc says that an
/// expression begins where its first token does.
pub(crate) fn private_at(span: Span) -> TokenStream {
    quote_spanned!(span=> ::workflow_runtime::__private)
}

/// The name a statement binds its step to.
pub(crate) fn bound_name(binding: &ast::Binding) -> Option<&Ident> {
    match binding {
        ast::Binding::Let { pat: Pat::Ident(pat), .. } => Some(&pat.ident),
        ast::Binding::Assign { name } => Some(name),
        _ => None,
    }
}

/// A name without `r#`.
pub(crate) fn plain(name: &Ident) -> String {
    let text = name.to_string();
    text.strip_prefix("r#").map_or(text.clone(), str::to_owned)
}

fn task_name(call: &ast::Call) -> String {
    call.path.segments.last().map(|segment| plain(&segment.ident)).unwrap_or_default()
}
