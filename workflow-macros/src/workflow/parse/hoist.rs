//! Steps inside expressions, taken out of them: `weigh(id)?.grams` becomes a
//! step, and an expression over its value.
//!
//! A step comes out to where its expression begins, and so only from places
//! that are evaluated whenever the whole is, and once. Of `ready && check(id)?`
//! and of an `if` inside an expression, the choice comes out, with the step in
//! its arm. What is in a closure or a loop stays, and is refused where the
//! expression is looked at.

use std::cell::Cell;
use std::collections::HashMap;

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::{BinOp, Expr, Token};

use super::first_span;
use super::inside::{holds_step, holds_step_in_arms, in_place};
use super::statement::block;
use super::step::{is_of_signal, is_step};
use super::value::value;
use crate::diagnostics::Errors;
use crate::workflow::ast::*;
use crate::workflow::pattern::pattern_names;
use crate::workflow::tokens::plain;

/// Takes the steps out of all expressions of a workflow, whose tokens these are.
pub(super) fn hoist(body: &mut Block, tokens: &TokenStream, errors: &mut Errors) {
    let mut words = HashMap::new();
    count_words(tokens.clone(), &mut words);
    Hoist { words, errors }.block(body);
}

struct Hoist<'a> {
    /// How often each word stands in the workflow, so that a name can be found
    /// that does not.
    words: HashMap<String, usize>,
    errors: &'a mut Errors,
}

/// Statements that have to stand before one.
#[derive(Default)]
struct Before {
    statements: Vec<Statement>,
    /// Where in them the steps are that the statement's own expressions hold,
    /// and not the expressions of those.
    own: Vec<usize>,
}

impl Hoist<'_> {
    fn block(&mut self, block: &mut Block) {
        let mut statements = Vec::with_capacity(block.statements.len());
        for statement in std::mem::take(&mut block.statements) {
            self.statement(statement, &mut statements);
        }
        block.statements = statements;
    }

    /// Adds the statement to those of its block, after what comes out of it.
    fn statement(&mut self, mut statement: Statement, statements: &mut Vec<Statement>) {
        let mut before = Before::default();
        let is_bound = matches!(statement.target, Target::Let { .. } | Target::Discard);
        self.value(&mut statement.value, is_bound, &mut before);
        self.share_options(&mut statement, &mut before);
        statements.append(&mut before.statements);
        // A block that was opened, and is worth nothing.
        let is_unit = matches!(&statement.value, Value::Pure(Expr::Tuple(tuple)) if tuple.elems.is_empty());
        let is_left = is_unit && matches!(statement.target, Target::Discard) && !statements.is_empty();
        if !is_left || !statement.options.is_empty() {
            statements.push(statement);
        }
    }

    /// The attributes and the name of a statement that is itself no step are
    /// those of the step inside its expression.
    fn share_options(&mut self, statement: &mut Statement, before: &mut Before) {
        let alone = before.own.len() == 1;
        let has_step = !matches!(statement.value, Value::Pure(_))
            && !matches!(&statement.value, Value::Ok(inner) if matches!(**inner, Value::Pure(_)));
        for index in &before.own {
            let part = &mut before.statements[*index];
            part.options.after.clone_from(&statement.options.after);
            part.options.always = statement.options.always;
        }
        if has_step || before.own.is_empty() {
            return;
        }
        statement.options.after.clear();
        statement.options.always = None;
        if !alone {
            if let Some(span) = statement.options.policy_span.take() {
                self.errors.at(span, "this expression holds several steps, and these options are of one\nhelp: give the step a statement of its own: `let value = task(…)?;`");
                statement.options.step = crate::options::StepOptions::default();
            }
            return;
        }
        let bound = match &statement.target {
            Target::Let { pat: syn::Pat::Ident(pat), .. } => Some(pat.ident.clone()),
            _ => None,
        };
        let part = &mut before.statements[before.own[0]];
        if !matches!(statement.target, Target::Assign { .. }) {
            part.options.step = std::mem::take(&mut statement.options.step);
            part.options.policy_span = statement.options.policy_span.take();
        }
        if let Target::Part { bound: known, .. } = &mut part.target {
            *known = bound;
        }
    }

    /// `bound` is whether the value is all that stands after `let name =`.
    fn value(&mut self, value: &mut Value, bound: bool, before: &mut Before) {
        match value {
            Value::Call(call) => self.call(call, before),
            Value::Sleep { arg, .. } | Value::SleepUntil { arg, .. } => {
                self.walk(arg, PartForm::Owned, before)
            }
            Value::Signal(signal) => {
                for expr in [&mut signal.key, &mut signal.within].into_iter().flatten() {
                    self.walk(expr, PartForm::Owned, before);
                }
            }
            Value::For(value) => {
                self.walk(&mut value.items, PartForm::Lent, before);
                self.block(&mut value.body);
            }
            Value::While(value) => self.block(&mut value.body),
            Value::Branch(branch) => self.branch(branch, before),
            Value::Select(select) => {
                for arm in &mut select.arms {
                    // Only what an arm waits for takes part in the race.
                    if let Value::Call(call) = &mut arm.trigger.value {
                        self.name_arguments(call, before);
                    }
                    self.value(&mut arm.trigger.value, false, before);
                    self.block(&mut arm.body);
                }
            }
            Value::Ok(inner) => self.value(inner, false, before),
            Value::Try { expr, question } if !bound => {
                let mut whole = Expr::Try(syn::ExprTry {
                    attrs: Vec::new(),
                    expr: Box::new(expr.clone()),
                    question_token: *question,
                });
                self.walk(&mut whole, PartForm::Owned, before);
                *value = Value::Pure(whole);
            }
            Value::Try { expr, .. } => self.walk(expr, PartForm::Owned, before),
            Value::Else { expr, fail, .. } => {
                self.walk(expr, PartForm::Lent, before);
                self.fail(fail, before);
            }
            Value::Fail(fail) => self.fail(fail, before),
            Value::Pure(expr) => {
                if let Expr::Block(inner) = expr
                    && inner.label.is_none()
                    && holds_step(expr)
                {
                    self.open(expr, before);
                    return;
                }
                match self.choice(expr) {
                    Some(mut choice) => {
                        self.value(&mut choice, false, before);
                        *value = choice;
                    }
                    None => self.walk(expr, PartForm::Owned, before),
                }
            }
            Value::Broken => {}
        }
    }

    fn fail(&mut self, fail: &mut Fail, before: &mut Before) {
        match &mut fail.with {
            FailWith::Words(words) => self.macro_arguments(words, before),
            FailWith::Error(error) => self.walk(error, PartForm::Owned, before),
        }
    }

    fn call(&mut self, call: &mut Call, before: &mut Before) {
        for arg in &mut call.args {
            match arg {
                Arg::Step { call, .. } => self.call(call, before),
                Arg::Expr(expr) => self.walk(expr, PartForm::Owned, before),
            }
        }
    }

    /// Gives each step that is an argument a name.
    fn name_arguments(&mut self, call: &mut Call, before: &mut Before) {
        for arg in &mut call.args {
            let Arg::Step { .. } = arg else { continue };
            let empty = Arg::Expr(Expr::Verbatim(TokenStream::new()));
            if let Arg::Step { lend, call } = std::mem::replace(arg, empty) {
                let start =
                    call.path.segments.first().map_or_else(Span::call_site, |first| first.ident.span());
                let name = self.part(Value::Call(call), start, PartForm::Lent, before);
                *arg = Arg::Expr(match lend {
                    Some(and_token) => Expr::Reference(syn::ExprReference {
                        attrs: Vec::new(),
                        and_token,
                        mutability: None,
                        expr: Box::new(name),
                    }),
                    None => name,
                });
            }
        }
    }

    fn branch(&mut self, branch: &mut Branch, before: &mut Before) {
        if let Some(scrutinee) = &mut branch.scrutinee {
            self.walk(scrutinee, PartForm::Lent, before);
        }
        let later = |arm: &Arm| matches!(&arm.test, Test::If(condition) if holds_step(condition));
        if let Some(index) = branch.arms.iter().skip(1).position(later) {
            // An `else if` is evaluated where all before it were not taken.
            branch.pure = None;
            let arms = branch.arms.split_off(index + 1);
            let span = first_arm_span(&arms).unwrap_or(branch.keyword);
            let mut arms = arms.into_iter().enumerate().map(|(index, arm)| match (index, &arm.test) {
                (0, Test::If(_)) => Arm { label: "then".to_owned(), ..arm },
                (_, Test::If(_)) => Arm { label: format!("else if {index}"), ..arm },
                _ => arm,
            });
            let inner = Branch {
                keyword: span,
                word: "if",
                scrutinee: None,
                brace: span,
                arms: arms.by_ref().collect(),
                pure: None,
                is_pure: Cell::new(false),
            };
            let value = Value::Branch(Box::new(inner));
            let target = if super::statement::is_unit(&value) { Target::Discard } else { Target::Tail };
            let statement = Statement {
                options: StatementOptions::default(),
                target,
                value,
                span,
                broken: Cell::new(false),
            };
            branch.arms.push(Arm {
                label: "else".to_owned(),
                test: Test::Else { written: true },
                body: Block { statements: vec![statement], span },
            });
        }
        if let Some(Arm { test: Test::If(condition), .. }) = branch.arms.first_mut() {
            self.condition(condition, before);
        }
        branch.arms.iter_mut().for_each(|arm| self.block(&mut arm.body));
    }

    /// The condition of an `if`, whose `let`s bind names for what follows them.
    fn condition(&mut self, condition: &mut Expr, before: &mut Before) {
        match condition {
            Expr::Let(part) => self.walk(&mut part.expr, PartForm::Lent, before),
            Expr::Binary(binary) if matches!(binary.op, BinOp::And(_)) && holds_let(&binary.left) => {
                self.condition(&mut binary.left, before);
                // `let Some(page) = found && check(page)?`: the pattern is
                // looked at once for the step, and once for its names.
                if holds_step(&binary.right) && !holds_let(&binary.right) {
                    let mut choice = Expr::Binary(binary.clone());
                    self.walk(&mut choice, PartForm::Owned, before);
                    *binary.right = choice;
                }
            }
            // A step behind the `&&` stays, and is refused.
            Expr::Binary(binary) if matches!(binary.op, BinOp::And(_)) && holds_let(&binary.right) => {
                self.condition(&mut binary.left, before);
            }
            condition => self.walk(condition, PartForm::Owned, before),
        }
    }

    /// `a && step()` as `if a { step() } else { false }`.
    fn choice(&mut self, expr: &Expr) -> Option<Value> {
        let Expr::Binary(binary) = expr else { return None };
        if !holds_step(&binary.right) {
            return None;
        }
        let span = first_span(&binary.right);
        let right = (*binary.right).clone();
        let (then, other) = match binary.op {
            BinOp::And(_) => (right, literal(false, span)),
            BinOp::Or(_) => (literal(true, span), right),
            _ => return None,
        };
        let chosen = Expr::If(syn::ExprIf {
            attrs: Vec::new(),
            if_token: Token![if](span),
            cond: binary.left.clone(),
            then_branch: alone(then, span),
            else_branch: Some((
                Token![else](span),
                Box::new(Expr::Block(syn::ExprBlock {
                    attrs: Vec::new(),
                    label: None,
                    block: alone(other, span),
                })),
            )),
        });
        Some(value(chosen, false, self.errors))
    }

    /// Takes the steps out of an expression, in the order of its evaluation.
    fn walk(&mut self, expr: &mut Expr, form: PartForm, before: &mut Before) {
        if !holds_step(expr) {
            return;
        }
        if is_step(expr) || is_signal(expr) {
            let start = first_span(expr);
            let step = value(take(expr), false, self.errors);
            *expr = self.part(step, start, form, before);
            return;
        }
        if let Some(choice) = self.choice(expr) {
            let start = first_span(expr);
            *expr = self.part(choice, start, form, before);
            return;
        }
        match expr {
            Expr::Paren(inner) => self.walk(&mut inner.expr, form, before),
            Expr::Group(inner) => self.walk(&mut inner.expr, form, before),
            Expr::Try(_) => {
                let start = first_span(expr);
                let tried = value(take(expr), false, self.errors);
                *expr = self.part(tried, start, PartForm::Owned, before);
            }
            Expr::Field(field) => self.walk(&mut field.base, PartForm::Lent, before),
            Expr::Index(index) => {
                self.walk(&mut index.expr, PartForm::Lent, before);
                self.walk(&mut index.index, PartForm::Owned, before);
            }
            Expr::Reference(reference) => self.walk(&mut reference.expr, PartForm::Lent, before),
            Expr::Binary(binary) => {
                use BinOp::{Eq, Ge, Gt, Le, Lt, Ne};
                let compares = matches!(binary.op, Eq(_) | Ne(_) | Lt(_) | Le(_) | Gt(_) | Ge(_));
                let form = if compares { PartForm::Lent } else { PartForm::Owned };
                self.walk(&mut binary.left, form, before);
                self.walk(&mut binary.right, form, before);
            }
            Expr::Unary(unary) => self.walk(&mut unary.expr, PartForm::Owned, before),
            Expr::Cast(cast) => self.walk(&mut cast.expr, PartForm::Owned, before),
            Expr::Tuple(tuple) => self.all(&mut tuple.elems, before),
            Expr::Array(array) => self.all(&mut array.elems, before),
            Expr::Repeat(repeat) => self.walk(&mut repeat.expr, PartForm::Owned, before),
            Expr::Range(range) => {
                for end in [&mut range.start, &mut range.end].into_iter().flatten() {
                    self.walk(end, PartForm::Owned, before);
                }
            }
            Expr::Struct(made) => {
                for field in &mut made.fields {
                    self.walk(&mut field.expr, PartForm::Owned, before);
                }
                if let Some(rest) = &mut made.rest {
                    self.walk(rest, PartForm::Lent, before);
                }
            }
            Expr::Call(call) => {
                if !matches!(&*call.func, Expr::Path(_)) {
                    self.walk(&mut call.func, PartForm::Owned, before);
                }
                self.all(&mut call.args, before);
            }
            Expr::MethodCall(call) => {
                self.walk(&mut call.receiver, PartForm::Owned, before);
                self.all(&mut call.args, before);
            }
            // Refused where the expression is looked at.
            Expr::Macro(mac) if mac.mac.path.is_ident("fail") => {}
            Expr::Macro(mac) if mac.mac.path.is_ident("select") => {
                let start = first_span(expr);
                let chosen = value(take(expr), false, self.errors);
                *expr = self.part(chosen, start, form, before);
            }
            Expr::Macro(mac) => self.macro_arguments(&mut mac.mac, before),
            Expr::If(chosen) if !holds_step_in_arms(chosen) => {
                self.condition(&mut chosen.cond, before);
            }
            Expr::Match(chosen) if !chosen.arms.iter().any(|arm| holds_step(&arm.body)) => {
                self.walk(&mut chosen.expr, PartForm::Lent, before);
            }
            Expr::ForLoop(repeated) if repeated.label.is_none() => self.region(expr, form, before),
            Expr::If(_) | Expr::Match(_) => self.region(expr, form, before),
            Expr::Block(inner) if inner.label.is_none() => self.open(expr, before),
            // Refused where the expression is looked at.
            _ => {}
        }
    }

    fn all(&mut self, exprs: &mut Punctuated<Expr, Token![,]>, before: &mut Before) {
        exprs.iter_mut().for_each(|expr| self.walk(expr, PartForm::Owned, before));
    }

    /// An `if`, a `match` or a `for` inside an expression.
    fn region(&mut self, expr: &mut Expr, form: PartForm, before: &mut Before) {
        let start = first_span(expr);
        let region = value(take(expr), false, self.errors);
        *expr = self.part(region, start, form, before);
    }

    /// `{ let a = step(); a + 1 }`: its statements stand before the whole, and
    /// its value in its place. What it binds must mean nothing elsewhere.
    fn open(&mut self, expr: &mut Expr, before: &mut Before) {
        let Expr::Block(inner) = take(expr) else { return };
        let mut inside = HashMap::new();
        count_words(inner.block.to_token_stream(), &mut inside);
        let span = inner.block.brace_token.span.join();
        let start = inner.block.brace_token.span.open();
        let mut clashes = false;
        let mut inner = block(inner.block.stmts, span, false, self.errors);
        for statement in &inner.statements {
            let Target::Let { pat, .. } = &statement.target else { continue };
            let mut names = Vec::new();
            pattern_names(pat, &mut names);
            for name in names {
                let text = name.to_string();
                if self.words.get(&text) != inside.get(&text) {
                    clashes = true;
                    self.errors.at(name.span(), format!("`{text}` also stands outside of this block, which holds a step\nhelp: give it another name here, or the step a statement before the block"));
                }
            }
        }
        if clashes {
            *expr = self.part(Value::Broken, start, PartForm::Lent, before);
            return;
        }
        let tail = match inner.statements.last() {
            Some(Statement { target: Target::Tail, .. }) => inner.statements.pop(),
            _ => None,
        };
        for statement in inner.statements {
            self.statement(statement, &mut before.statements);
        }
        let unit = || {
            Expr::Tuple(syn::ExprTuple {
                attrs: Vec::new(),
                paren_token: syn::token::Paren(span),
                elems: Punctuated::new(),
            })
        };
        *expr = match tail {
            None => unit(),
            Some(Statement { value: Value::Pure(mut tail), .. }) => {
                self.walk(&mut tail, PartForm::Owned, before);
                tail
            }
            Some(tail) => {
                let value = self.part(tail.value, tail.span, PartForm::Owned, before);
                if let Some(part) = before.statements.last_mut() {
                    part.options = tail.options;
                }
                value
            }
        };
    }

    /// The arguments of a macro that takes nothing but expressions.
    fn macro_arguments(&mut self, mac: &mut syn::Macro, before: &mut Before) {
        if let Some(mut args) = in_place(mac) {
            for arg in args.iter_mut() {
                match arg {
                    // `name = value` in a format macro.
                    Expr::Assign(assign) => self.walk(&mut assign.right, PartForm::Owned, before),
                    arg => self.walk(arg, PartForm::Owned, before),
                }
            }
            mac.tokens = args.tokens();
        }
    }

    /// Puts a step before the whole, and gives the name that stands for it.
    fn part(&mut self, mut value: Value, start: Span, form: PartForm, before: &mut Before) -> Expr {
        let (base, span) = described(&value, start);
        self.value(&mut value, true, before);
        if let Value::Pure(expr) = value {
            return expr;
        }
        let name = self.fresh(&base, span);
        let broken = matches!(value, Value::Broken);
        before.own.push(before.statements.len());
        before.statements.push(Statement {
            options: StatementOptions::default(),
            target: Target::Part { name: name.clone(), bound: None, form },
            value,
            span,
            broken: Cell::new(broken),
        });
        Expr::Path(syn::ExprPath { attrs: Vec::new(), qself: None, path: name.into() })
    }

    /// A name that stands nowhere in the workflow, with the words of what it
    /// stands for: rustc may say it.
    fn fresh(&mut self, base: &str, span: Span) -> Ident {
        let name = (1..)
            .map(
                |number| if number == 1 { format!("{base}_value") } else { format!("{base}_value_{number}") },
            )
            .find(|name| !self.words.contains_key(name))
            .unwrap_or_else(|| base.to_owned());
        self.words.insert(name.clone(), 1);
        Ident::new(&name, span)
    }
}

/// What a part is called after, and where it is.
fn described(value: &Value, start: Span) -> (String, Span) {
    match value {
        Value::Call(call) => {
            let last = call.path.segments.last();
            last.map_or_else(|| ("step".to_owned(), start), |last| (plain(&last.ident), last.ident.span()))
        }
        Value::Signal(signal) => ("signal".to_owned(), signal.keyword.span()),
        Value::Sleep { name, .. } | Value::SleepUntil { name, .. } => ("sleep".to_owned(), name.span()),
        Value::For(value) => ("for".to_owned(), value.keyword.span),
        Value::Branch(branch) => (branch.word.to_owned(), branch.keyword),
        Value::Select(select) => ("select".to_owned(), select.keyword.span()),
        Value::Try { expr, .. } => ("checked".to_owned(), first_span(expr)),
        Value::Fail(fail) => ("failed".to_owned(), fail.keyword),
        _ => ("part".to_owned(), start),
    }
}

fn literal(value: bool, span: Span) -> Expr {
    let lit = syn::Lit::Bool(syn::LitBool { value, span });
    Expr::Lit(syn::ExprLit { attrs: Vec::new(), lit })
}

/// `{ expr }`
fn alone(expr: Expr, span: Span) -> syn::Block {
    syn::Block { brace_token: syn::token::Brace(span), stmts: vec![syn::Stmt::Expr(expr, None)] }
}

fn first_arm_span(arms: &[Arm]) -> Option<Span> {
    match &arms.first()?.test {
        Test::If(condition) => Some(first_span(condition)),
        _ => None,
    }
}

fn is_signal(expr: &Expr) -> bool {
    match expr {
        Expr::MethodCall(method) => {
            (method.method == "within" || method.method == "keyed") && is_of_signal(&method.receiver)
        }
        Expr::Try(tried) => matches!(&*tried.expr, Expr::MethodCall(_)) && is_signal(&tried.expr),
        _ => false,
    }
}

fn holds_let(expr: &Expr) -> bool {
    match expr {
        Expr::Let(_) => true,
        Expr::Binary(binary) if matches!(binary.op, BinOp::And(_)) => {
            holds_let(&binary.left) || holds_let(&binary.right)
        }
        _ => false,
    }
}

/// Leaves nothing in the place of an expression that is about to be replaced.
fn take(expr: &mut Expr) -> Expr {
    std::mem::replace(expr, Expr::Verbatim(TokenStream::new()))
}

fn count_words(tokens: TokenStream, words: &mut HashMap<String, usize>) {
    for token in tokens {
        match token {
            TokenTree::Ident(word) => *words.entry(word.to_string()).or_default() += 1,
            TokenTree::Group(group) => count_words(group.stream(), words),
            TokenTree::Literal(literal) => {
                // `"{name}"` names it too.
                let text = literal.to_string();
                for word in text.split(|c: char| !(c.is_alphanumeric() || c == '_')) {
                    *words.entry(word.to_owned()).or_default() += 1;
                }
            }
            TokenTree::Punct(_) => {}
        }
    }
}
