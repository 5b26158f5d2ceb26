//! Options that contradict each other, or the function.

use proc_macro2::Span;
use syn::spanned::Spanned;

use crate::diagnostics::Errors;
use crate::task::function::Function;
use crate::task::options::TaskOptions;
use crate::task::signature::{Output, Role, Signature};

impl TaskOptions {
    /// Reports all of them.
    pub(super) fn check(&self, function: &Function, signature: Option<&Signature>, errors: &mut Errors) {
        self.policy.check(errors);
        self.policy.check_one_attempt(errors);
        self.check_once(errors);
        self.check_cache(errors);
        self.check_transaction(function, signature, errors);
        self.check_thread(function, errors);
        if let Some(when) = &self.policy.when
            && let Some(Signature { output: Output::Unit | Output::Plain(_), .. }) = signature
        {
            errors.on(
                when,
                "`when` asks an error, and this task returns none\n\
                 help: remove `when`, or return a `Result`",
            );
        }
    }

    fn check_once(&self, errors: &mut Errors) {
        if let (Some((attempts @ 2.., span)), Some(_)) = (self.policy.attempts, self.at_most_once) {
            errors.at(
                span,
                format_args!(
                    "`at_most_once` contradicts {attempts} attempts\n\
                     help: remove `at_most_once`, or write `attempts = 1`\n\
                     note: an attempt that failed may have had its effect"
                ),
            );
        }
        if let (Some((_, span)), Some(_), None) = (self.policy.losses, self.at_most_once, &self.reconcile) {
            errors.at(
                span,
                "`losses` contradicts `at_most_once`\n\
                 help: remove `losses`, or add a `reconcile`\n\
                 note: an attempt that was lost is not repeated, so it is not lost again",
            );
        }
        if let (Some((_, span)), None) = (&self.reconcile, self.at_most_once) {
            errors.at(
                *span,
                "`reconcile` is for a task that is `at_most_once`\n\
                 help: add `at_most_once`, or remove `reconcile`\n\
                 note: an attempt of any other task that is lost to a crash is simply repeated",
            );
        }
    }

    fn check_cache(&self, errors: &mut Errors) {
        let Some((_, span)) = self.cache else { return };
        let mut refuse = |other: &str, why: &str| {
            errors.at(
                span,
                format_args!("`cache` contradicts `{other}`\nhelp: remove one of the two\nnote: {why}"),
            );
        };
        if self.undo.is_some() {
            refuse("undo", "what an earlier run has done is not for a later one to undo");
        }
        if self.at_most_once.is_some() {
            refuse(
                "at_most_once",
                "a task with `cache` returns what its arguments say, so nothing is lost by repeating it",
            );
        }
        if self.transaction.is_some() {
            refuse("transaction", "what is reused writes nothing");
        }
    }

    fn check_transaction(&self, function: &Function, signature: Option<&Signature>, errors: &mut Errors) {
        let Some(span) = self.transaction else { return };
        if let Some(token) = &function.signature.asyncness {
            errors.at(
                token.span(),
                "a transaction is no `async` function\n\
                 help: remove `async`, and do in a task before it what has to wait\n\
                 note: it runs on the thread that writes the store, which waits for it",
            );
        }
        let mut refuse = |at: Span, option: &str, why: &str| {
            errors.at(
                at,
                format_args!("`{option}` contradicts `transaction`\nhelp: remove `{option}`\nnote: {why}"),
            );
        };
        if let Some(at) = self.blocking {
            refuse(at, "blocking", "a transaction runs on the thread that writes the store");
        }
        if let Some((_, at)) = self.policy.timeout {
            refuse(at, "timeout", "a transaction that has begun cannot be stopped; keep it short");
        }
        if let Some(at) = self.at_most_once {
            refuse(at, "at_most_once", "a transaction is done exactly once as it is");
        }
        if let Some(signature) = signature
            && !signature.params.iter().any(|param| param.role == Role::Context)
        {
            errors.at(
                span,
                "a transaction needs the context, which lends the connection\n\
                 help: add the parameter `#[context] cx: &Context`, and write with `cx.transaction()`",
            );
        }
    }

    fn check_thread(&self, function: &Function, errors: &mut Errors) {
        match (&function.signature.asyncness, self.blocking) {
            (Some(_), Some(span)) if self.transaction.is_none() => errors.at(
                span,
                "`blocking` is for functions that are not `async`\nhelp: remove `blocking`, or `async`",
            ),
            (None, None) if self.transaction.is_none() => errors.at(
                function.signature.fn_token.span,
                "a task is `async`, or says that it blocks\n\
                 help: write `async fn`, or `#[task(blocking)]` for a function that computes or waits for long",
            ),
            _ => {}
        }
    }
}
