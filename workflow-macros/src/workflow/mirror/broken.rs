//! What is still known after a mistake: a statement that rests on a name of
//! unknown type is left out, all others are checked.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;

use super::Mirror;
use crate::workflow::ast::{Arg, Fail, FailWith, Target, Test, Value};
use crate::workflow::pattern::pattern_names;

impl Mirror<'_> {
    /// After a mistake nothing is known of what it was to be bound to.
    pub(super) fn forget(&mut self, binding: &Target) {
        let mut names = Vec::new();
        match binding {
            Target::Let { pat, .. } => pattern_names(pat, &mut names),
            Target::Assign { name } | Target::Part { name, .. } => names.push(name.clone()),
            Target::Discard | Target::Tail => {}
        }
        self.broken.extend(names.iter().map(ToString::to_string));
    }

    /// Whether an expression rests on a name that nothing is known of.
    pub(super) fn is_broken(&self, tokens: TokenStream) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(name) => self.broken.contains(&name.to_string()),
            TokenTree::Group(group) => self.is_broken(group.stream()),
            _ => false,
        })
    }

    /// Whether what a statement evaluates by itself rests on a broken name.
    /// The statements of its regions are asked one by one.
    pub(super) fn rests_on_broken(&self, value: &Value) -> bool {
        let head = match value {
            Value::Call(call) => return call.args.iter().any(|arg| self.arg_is_broken(arg)),
            Value::Sleep { arg, .. } | Value::SleepUntil { arg, .. } => arg.to_token_stream(),
            Value::Signal(signal) => {
                let mut head = signal.key.to_token_stream();
                signal.within.to_tokens(&mut head);
                head
            }
            Value::For(value) => value.items.to_token_stream(),
            Value::While(value) => value.condition.to_token_stream(),
            Value::Branch(branch) => {
                let mut head = branch.scrutinee.to_token_stream();
                for arm in &branch.arms {
                    match &arm.test {
                        Test::If(condition) => condition.to_tokens(&mut head),
                        Test::Pattern { guard, .. } => guard.to_tokens(&mut head),
                        Test::Else { .. } => {}
                    }
                }
                head
            }
            Value::Select(select) => {
                return select.arms.iter().any(|arm| self.rests_on_broken(&arm.trigger.value));
            }
            Value::Ok(inner) => return self.rests_on_broken(inner),
            Value::Try { expr, .. } | Value::Pure(expr) => expr.to_token_stream(),
            Value::Else { expr, fail, .. } => {
                let mut head = expr.to_token_stream();
                head.extend(fail_tokens(fail));
                head
            }
            Value::Fail(fail) => fail_tokens(fail),
            Value::Broken => return true,
        };
        self.is_broken(head)
    }

    pub(super) fn arg_is_broken(&self, arg: &Arg) -> bool {
        match arg {
            Arg::Expr(expr) => self.is_broken(expr.to_token_stream()),
            Arg::Step { call, .. } => call.args.iter().any(|arg| self.arg_is_broken(arg)),
        }
    }
}

fn fail_tokens(fail: &Fail) -> TokenStream {
    match &fail.with {
        FailWith::Words(words) => words.tokens.clone(),
        FailWith::Error(error) => error.to_token_stream(),
    }
}
