//! Statements: steps, regions and pure bindings.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::{Expr, Ident, Pat};

use super::calls::task_name;
use super::{Lower, Out, bound_name};
use crate::private::Private;
use crate::workflow::ast::{self, Statement, Value};
use crate::workflow::graph::*;
use crate::workflow::pattern::pattern_names;
use crate::workflow::rewrite::{Names, is_place, rewrite};
use crate::workflow::spelling::{is_lower_case, path_ident};
use crate::workflow::tokens::{moment, plain};

impl Lower<'_> {
    pub(super) fn statement<'s>(
        &mut self,
        statement: &'s Statement,
        region: RegionId,
        expected: Option<&TokenStream>,
    ) -> Out<'s> {
        let (pat, annotated) = match &statement.target {
            ast::Target::Let { pat, ty } => (Some(pat), ty.as_ref().map(ToTokens::to_token_stream)),
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
            } else if let ast::Target::Part { name, .. } = &statement.target {
                self.bind_slot(region, name, Slot::Extra(0), quote!(()));
            }
            return Out::Nothing;
        }
        if let Some(out) = self.failing(statement, value, region) {
            return out;
        }
        let carried = match &statement.target {
            ast::Target::Assign { name } => self.assigned(name, region),
            _ => None,
        };
        if let Value::While(value) = value {
            if pat.is_some() || carried.is_some() {
                self.error(
                    value.keyword.span,
                    "a `while` has no value\nhelp: write it as a statement of its own, and use the names that it assigns",
                );
            }
            self.lower_while(statement, value, region);
            return Out::Nothing;
        }
        let expected = annotated.as_ref().or(expected);
        if expected.is_none()
            && let Value::Branch(branch) = value
            && let Some(whole) = self.as_expression(statement, branch)
        {
            branch.is_pure.set(true);
            let before = self.graph.bindings.len();
            self.pure(statement, &whole, region);
            self.graph.borrowing.extend(before..self.graph.bindings.len());
            return Out::Nothing;
        }
        let (slot, ty) = self.step(statement, value, region, expected);
        if let (ast::Target::Assign { .. }, None) = (&statement.target, &carried)
            && let Some(step) = self.graph.regions[region].steps.last_mut()
        {
            // The name is another step's, but that is not the mistake here.
            step.name.clear();
        }
        if let Some(pat) = pat {
            if !matches!(pat, Pat::Wild(_)) {
                self.check_pattern(pat, true);
                self.bind_checked(region, pat, slot, ty.clone());
            }
        } else if let ast::Target::Part { name, form, .. } = &statement.target {
            let own = *form == ast::PartForm::Owned;
            let form = Form::Slot { slot, ty: ty.clone(), pat: None, own };
            self.bind(Binding {
                names: vec![name.clone()],
                region,
                form,
                mutable: false,
                uses: 0,
                crosses: false,
            });
        } else if let Some(name) = carried {
            let binding = self.bind_slot(region, &name, slot, ty.clone());
            self.graph.bindings[binding].mutable = true;
        }
        Out::Slot(slot, ty)
    }

    /// A statement without a step.
    pub(super) fn pure<'s>(&mut self, statement: &'s Statement, expr: &'s Expr, region: RegionId) -> Out<'s> {
        if !statement.options.after.is_empty() || statement.options.always.is_some() {
            self.error(statement.span, "this is no step, so nothing can be ordered after it or because of it\nhelp: put the attribute on a step");
        }
        if let Some(name) = &statement.options.step.name
            && !matches!(statement.target, ast::Target::Assign { .. })
        {
            self.error(
                name.span(),
                "this is no step, so it has no name\nhelp: remove `name`, or put it on a step",
            );
        }
        match &statement.target {
            ast::Target::Let { pat, ty } => {
                if let Expr::Closure(closure) = expr {
                    self.error(closure.inputs_begin.span, "a binding of a workflow holds a value, no closure\nhelp: make a task or a function of it");
                }
                let mutable = matches!(pat, Pat::Ident(pat) if pat.mutability.is_some());
                let by_ref = mutable || is_place(expr, self);
                let mut code = self.uncounted(expr);
                if !self.failed
                    && let Some(name) = path_ident(expr).filter(|name| self.mode(name).is_none())
                    && is_lower_case(&name.to_string())
                {
                    self.unknown(name, true);
                }
                if by_ref {
                    let inner = code.tokens;
                    code.tokens = quote!(&(#inner));
                }
                self.check_pattern(pat, true);
                let mut names = Vec::new();
                pattern_names(pat, &mut names);
                let pat = match pat {
                    Pat::Ident(pat) => pat.ident.to_token_stream(),
                    pat => pat.to_token_stream(),
                };
                let ty = ty.as_ref().map(ToTokens::to_token_stream);
                let known = ty.clone().or_else(|| self.type_of(expr)).filter(|_| names.len() == 1);
                let form = Form::Pure { pat, ty, known, code, by_ref };
                self.bind(Binding { names, region, form, mutable, uses: 0, crosses: false });
                Out::Nothing
            }
            ast::Target::Assign { name } => {
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
            ast::Target::Discard => {
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
            ast::Target::Tail => Out::Pure(expr),
            // A part is a step.
            ast::Target::Part { .. } => Out::Nothing,
        }
    }

    /// Checks that the name is a loop variable of the body around it.
    pub(super) fn assigned(&mut self, name: &Ident, region: RegionId) -> Option<Ident> {
        let text = name.to_string();
        match self.loops.iter().rev().find(|(_, names, _)| names.contains(&text)) {
            Some((body, ..)) if *body == region => Some(name.clone()),
            Some((.., items)) if self.items > *items => {
                self.error(name.span(), format!("a `for` runs its items side by side, so `{text}` cannot go from one to the next\nhelp: end the body with the value of one item, `let values = for … {{ … }};`, and put them together after it, as in `values.iter().sum()`"));
                None
            }
            Some(_) => {
                self.error(name.span(), format!("`{text}` can only be assigned at the top of the `while` body\nhelp: make the choice the value: `{text} = if … {{ … }} else {{ {text} }};`"));
                None
            }
            None if self.items > 0 => {
                self.error(name.span(), format!("a `for` runs its items side by side, so `{text}` cannot go from one to the next\nhelp: end the body with the value of one item, `let values = for … {{ … }};`, and put them together after it, as in `values.iter().sum()`"));
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

    pub(super) fn check_options(&mut self, statement: &Statement) {
        let options = &statement.options;
        let looping = matches!(statement.value, Value::For(_) | Value::While(_));
        if let Some((_, span)) = options.step.limit.filter(|_| !looping) {
            self.error(span, "`limit` belongs on a `for` or a `while`\nhelp: remove it, or put it above the loop; `#[task(concurrency = 4)]` limits a task");
        }
        let call = matches!(&statement.value, Value::Call(_))
            || matches!(&statement.value, Value::Ok(inner) if matches!(**inner, Value::Call(_)));
        if let Some(span) = options.policy_span.filter(|_| !call) {
            let what =
                if options.step.policy.is_only_losses() { "losses" } else { "retries and time limits" };
            self.error(
                span,
                format_args!("{what} belong on a step that calls a task\nhelp: move it to the steps inside"),
            );
        }
    }

    /// Lowers a step or a region; its slot and the type in it.
    pub(super) fn step(
        &mut self,
        statement: &Statement,
        value: &Value,
        region: RegionId,
        expected: Option<&TokenStream>,
    ) -> (Slot, TokenStream) {
        let bound = bound_name(&statement.target).map(plain);
        let named = |default: String| {
            let named = statement.options.step.name.as_ref().map(syn::LitStr::value);
            named.or_else(|| bound.clone()).unwrap_or(default)
        };
        match value {
            Value::Call(call) => {
                let tail_of_workflow = matches!(statement.target, ast::Target::Tail)
                    && self.tails.contains(&region)
                    && !matches!(statement.value, Value::Ok(_));
                let name = named(task_name(call));
                let path = &call.path;
                let policy = &statement.options.step.policy;
                let policy = (!policy.changes_nothing()).then(|| StepPolicy {
                    policy: policy.expand(quote!(<#path as #Private::Task>::CONTRACT.policy)),
                    waits: policy.says_how_to_wait(),
                    span: statement.options.policy_span.unwrap_or_else(|| path.span()),
                });
                let name_span = bound_name(&statement.target).map_or_else(|| call.path.span(), Ident::span);
                self.call(statement, call, name, name_span, policy, tail_of_workflow, region)
            }
            Value::Sleep { name, arg } => {
                let until = self.sleep_duration(name.span(), arg, region);
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
                self.decides_once = true;
                let until = self.owned(arg, region);
                self.decides_once = false;
                let until = self.wrap(until, |tokens| {
                    let time = moment(name.span(), &tokens);
                    quote!(#Private::Until::At(#time))
                });
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
            Value::While(_)
            | Value::Ok(_)
            | Value::Try { .. }
            | Value::Else { .. }
            | Value::Fail(_)
            | Value::Pure(_)
            | Value::Broken => (Slot::Extra(0), quote!(())),
        }
    }

    pub(super) fn unit_step(
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
}
