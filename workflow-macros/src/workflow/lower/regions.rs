//! Lowers what chooses between regions: `if`, `match`, `select!`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{BinOp, Expr, Ident, Pat};

use super::calls::type_of_call;
use super::{Lower, bound_name};
use crate::private::Private;
use crate::workflow::ast::{self, Statement, Target, Test, Value};
use crate::workflow::graph::*;
use crate::workflow::parse::step_in;
use crate::workflow::pattern::pattern_names;
use crate::workflow::rewrite::{Mode, choice, is_place};
use crate::workflow::spelling::path_ident;
use crate::workflow::tokens::{matched, plain, referenced};

impl Lower<'_> {
    pub(super) fn branch(
        &mut self,
        statement: &Statement,
        branch: &ast::Branch,
        name: String,
        region: RegionId,
        expected: Option<&TokenStream>,
    ) -> (Slot, TokenStream) {
        let choose = self.choose(branch, region);
        // An `if` within an arm goes by what the other arms are.
        let told = branch.arms.iter().find_map(|arm| told(&arm.body));
        let expected = expected.or(told.as_ref());
        let mut arms = Vec::new();
        for arm in &branch.arms {
            let body = self.region(Some(region), arm.label.clone(), 0);
            self.follow_tail(statement, region, body);
            let outside = self.scope.len();
            match &arm.test {
                Test::If(condition) => {
                    for part in conjunction(condition) {
                        if let Expr::Let(part) = part {
                            self.bind_matched(body, &part.pat, &part.expr);
                        }
                    }
                }
                Test::Pattern { pat, .. } => {
                    if let Some(scrutinee) = &branch.scrutinee {
                        self.bind_matched(body, pat, scrutinee);
                    }
                }
                Test::Else { .. } => {}
            }
            let unit = arm.body.tail().is_none() && !arm.body.fails();
            let ty = unit.then(|| quote!(()));
            let found = self.block(&arm.body, body, expected).or(ty);
            self.scope.leave(outside);
            arms.push((body, &arm.body, found));
        }
        let ty = self.settle(&arms, expected.cloned(), statement);
        let arms = arms.iter().map(|(region, ..)| *region).collect();
        let kind = Kind::Branch { word: branch.word, choose, arms };
        let span = bound_name(&statement.target).map_or(branch.keyword, Ident::span);
        let slot = self.push_step(statement, name, span, kind, vec![ty.clone()], Failure::FailRun, region);
        (slot, ty)
    }

    /// A choice between expressions whose type is not known, which then is an
    /// expression itself: nothing of it is stored.
    pub(super) fn as_expression(&self, statement: &Statement, branch: &ast::Branch) -> Option<Expr> {
        let Target::Let { pat, .. } = &statement.target else { return None };
        let mutable = matches!(pat, Pat::Ident(pat) if pat.mutability.is_some());
        if mutable || !statement.options.is_empty() {
            return None;
        }
        let tells = |arm: &ast::Arm| {
            let [ast::Statement { target: Target::Tail, value: Value::Pure(tail), .. }] =
                &arm.body.statements[..]
            else {
                // What it binds may tell the type.
                return true;
            };
            let mut bound = Vec::new();
            if let Test::Pattern { pat, .. } = &arm.test {
                pattern_names(pat, &mut bound);
            }
            // A name of the pattern is of another type than what it hides.
            let hides = bound.iter().any(|name| self.lookup(&name.to_string()).is_some());
            !hides && self.type_of(tail).is_some()
        };
        if branch.arms.iter().any(tells) { None } else { choice(branch, self) }
    }

    /// The expression that says which arm is taken, as a number.
    fn choose(&mut self, branch: &ast::Branch, region: RegionId) -> Code {
        let (mut uses, mut computed) = (Vec::new(), false);
        let mut take = |code: Code| {
            uses.extend(code.uses);
            computed |= code.computed;
            code.tokens
        };
        let tokens = if let Some(scrutinee) = &branch.scrutinee {
            let (mode, looked_at) = self.looked_at(scrutinee, region, &[]);
            let looked_at = take(looked_at);
            let arms = branch.arms.iter().enumerate().map(|(index, arm)| {
                let Test::Pattern { pat, guard } = &arm.test else { return quote!(_ => #index,) };
                let guard = guard.as_ref().map(|guard| {
                    if let Some(span) = step_in(guard) {
                        self.error(span, "the guard of an arm is tested while the arm is chosen, and holds no step\nhelp: give the step a name before the `match`, or choose with an `if` inside the arm");
                        return TokenStream::new();
                    }
                    let guard = take(self.code_with(guard, region, &bound_by(pat, mode)));
                    quote!(if #guard)
                });
                quote!(#pat #guard => #index,)
            });
            // The mirror has rustc check that every case is there.
            let mut arms = arms.collect::<TokenStream>();
            arms.extend(quote!(_ => #Private::changed(),));
            matched(branch.keyword, branch.brace, &looked_at, arms)
        } else {
            let mut arms = TokenStream::new();
            for (index, arm) in branch.arms.iter().enumerate() {
                let Test::If(condition) = &arm.test else {
                    arms.extend(quote!(#index));
                    continue;
                };
                // Nested, because `let` chains need the user's crate to be of
                // edition 2024.
                let mut bound = Vec::new();
                let mut heads = Vec::new();
                for part in conjunction(condition) {
                    if let Expr::Let(part) = part {
                        let (mode, looked_at) = self.looked_at(&part.expr, region, &bound);
                        let (pat, looked_at) = (&part.pat, take(looked_at));
                        heads.push(quote!(if let #pat = #looked_at));
                        bound.extend(bound_by(pat, mode));
                    } else {
                        let test = take(self.code_with(part, region, &bound));
                        heads.push(quote!(if #test));
                    }
                }
                let taken = heads
                    .iter()
                    .rev()
                    .fold(quote!(break '__arm #index), |inner, head| quote!(#head { #inner }));
                arms.extend(quote!(#taken));
            }
            quote!('__arm: { #arms })
        };
        Code { uses, tokens, computed }
    }

    /// What a pattern is held against: a place is looked at where it is, any
    /// other value is taken.
    pub(super) fn looked_at(
        &mut self,
        expr: &Expr,
        region: RegionId,
        bound: &[(Ident, Mode)],
    ) -> (Mode, Code) {
        let place = is_place(expr, self);
        let code = self.code_with(expr, region, bound);
        if place { (Mode::Ref, self.wrap(code, |tokens| referenced(&tokens))) } else { (Mode::Place, code) }
    }

    /// Binds the names of an arm's pattern: the expression is evaluated again
    /// where they are used, and fits, because it is pure.
    pub(super) fn bind_matched(&mut self, region: RegionId, pat: &Pat, expr: &Expr) -> Option<BindingId> {
        self.check_pattern(pat, false);
        let mut names = Vec::new();
        pattern_names(pat, &mut names);
        if names.is_empty() {
            return None;
        }
        let by_ref = is_place(expr, self);
        let mut code = self.uncounted(expr);
        if by_ref {
            let tokens = code.tokens;
            code.tokens = quote!(&#tokens);
        }
        let form = Form::Pure { pat: pat.to_token_stream(), ty: None, known: None, code, by_ref };
        Some(self.bind(Binding { names, region, form, mutable: false, uses: 0, crosses: false }))
    }

    /// An arm of the last `if` or `match` of a workflow ends like the workflow.
    fn follow_tail(&mut self, statement: &Statement, region: RegionId, arm: RegionId) {
        if matches!(statement.target, Target::Tail)
            && !matches!(statement.value, Value::Ok(_))
            && self.tails.contains(&region)
        {
            self.tails.push(arm);
        }
    }

    pub(super) fn select(
        &mut self,
        statement: &Statement,
        select: &ast::Select,
        name: String,
        region: RegionId,
        expected: Option<&TokenStream>,
    ) -> (Slot, TokenStream) {
        if select.arms.len() < 2 {
            self.error(select.keyword.span(), "`select!` needs at least two arms to choose from\nhelp: add the other thing to wait for, such as `_ = sleep(\"1h\") => …`");
        }
        let race = self.region(Some(region), String::new(), 0);
        let mut triggers = Vec::new();
        for arm in &select.arms {
            let trigger = &arm.trigger;
            if !matches!(
                trigger.value,
                Value::Call(_) | Value::Signal(_) | Value::Sleep { .. } | Value::SleepUntil { .. }
            ) {
                if !matches!(trigger.value, Value::Broken) {
                    self.error(
                        trigger.span,
                        "an arm of `select!` waits for a step: a task, a `signal` or a `sleep`\nhelp: call one of these before the `=>`",
                    );
                }
                triggers.push((Slot::Extra(0), quote!(())));
                continue;
            }
            let name = match &arm.pat {
                Pat::Ident(pat) => Some(plain(&pat.ident)),
                _ => None,
            };
            let found = self.step(trigger, &trigger.value, race, None);
            if let (Some(name), Some(step)) = (name, self.graph.regions[race].steps.last_mut()) {
                step.name = name;
            }
            triggers.push(found);
        }
        let mut arms = Vec::new();
        for (index, (arm, (_, ty))) in select.arms.iter().zip(triggers).enumerate() {
            let body = self.region(Some(region), index.to_string(), 1);
            self.follow_tail(statement, region, body);
            let outside = self.scope.len();
            if !matches!(arm.pat, Pat::Wild(_)) {
                self.bind_pattern(body, &arm.pat, Slot::Extra(0), ty);
            }
            let found = self.block(&arm.body, body, expected);
            let found =
                found.or_else(|| (arm.body.tail().is_none() && !arm.body.fails()).then(|| quote!(())));
            self.scope.leave(outside);
            arms.push((body, &arm.body, found));
        }
        let ty = self.settle(&arms, expected.cloned(), statement);
        let arms = arms.iter().map(|(region, ..)| *region).collect();
        let kind = Kind::Select { race, arms };
        let span = bound_name(&statement.target).map_or(select.keyword.span(), Ident::span);
        let slot = self.push_step(statement, name, span, kind, vec![ty.clone()], Failure::FailRun, region);
        (slot, ty)
    }

    /// Agrees on one type for the values of some regions: the one written
    /// down, or the first that is known. Fills it in where it was missing.
    pub(super) fn settle(
        &mut self,
        arms: &[(RegionId, &ast::Block, Option<TokenStream>)],
        expected: Option<TokenStream>,
        statement: &Statement,
    ) -> TokenStream {
        let known = expected.or_else(|| arms.iter().find_map(|(_, _, ty)| ty.clone()));
        let discarded = matches!(statement.target, Target::Discard);
        let Some(ty) = known else {
            if arms.iter().all(|(_, block, _)| block.tail().is_none() || block.fails()) {
                return quote!(());
            }
            if discarded {
                for (region, ..) in arms {
                    self.graph.regions[*region].result = RegionValue::Nothing;
                }
                return quote!(());
            }
            let broken = |block: &ast::Block| block.tail().is_some_and(|tail| tail.broken.get());
            if !self.failed && !arms.iter().any(|(_, block, _)| broken(block)) {
                let span = arms
                    .iter()
                    .filter(|(_, block, _)| !block.fails())
                    .find_map(|(_, block, _)| block.tail())
                    .map_or(statement.span, |tail| tail.span);
                let name =
                    bound_name(&statement.target).map_or_else(|| "value".to_owned(), ToString::to_string);
                let help = match &statement.target {
                    Target::Part { .. } => "help: bind the whole to a name before this statement, and write its type: `let value: Type = …;`".to_owned(),
                    _ => format!("help: write it: `let {name}: Type = …`"),
                };
                self.error(
                    span,
                    format!("the type of this value is not known to `workflow!`, and a run saves it\n{help}"),
                );
            }
            return quote!(());
        };
        for (region, ..) in arms {
            if let RegionValue::Compute { ty: missing, .. } = &mut self.graph.regions[*region].result
                && missing.is_empty()
            {
                *missing = ty.clone();
            }
        }
        ty
    }
}

/// The type of a block's value, where the step at its end tells it.
fn told(block: &ast::Block) -> Option<TokenStream> {
    match &block.tail()?.value {
        Value::Call(call) => Some(type_of_call(call, call.question.is_some())),
        Value::Signal(signal) if signal.within.is_none() || signal.question.is_some() => {
            Some(signal.ty.to_token_stream())
        }
        Value::Branch(branch) => branch.arms.iter().find_map(|arm| told(&arm.body)),
        Value::Select(select) => select.arms.iter().find_map(|arm| told(&arm.body)),
        Value::For(value) => told(&value.body).map(|item| quote!(#Private::Vec<#item>)),
        _ => None,
    }
}

/// The parts of `a && b && c`.
fn conjunction(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::Binary(binary) if matches!(binary.op, BinOp::And(_)) => {
            let mut parts = conjunction(&binary.left);
            parts.extend(conjunction(&binary.right));
            parts
        }
        Expr::Paren(inner) if path_ident(&inner.expr).is_none() => conjunction(&inner.expr),
        expr => vec![expr],
    }
}

fn bound_by(pat: &Pat, mode: Mode) -> Vec<(Ident, Mode)> {
    let mut names = Vec::new();
    pattern_names(pat, &mut names);
    names.into_iter().map(|name| (name, mode)).collect()
}
