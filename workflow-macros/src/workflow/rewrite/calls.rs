//! Calls inside expressions. A call of a lower-case name is a step, by the
//! rules of the language, and an expression holds none: were it let through,
//! rustc would call the task's function, whose future nothing awaits.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use syn::visit_mut::VisitMut;
use syn::{Expr, ExprCall, Path};

use super::Rewriter;
use crate::workflow::spelling::{is_constructor, is_lower_case, is_of_type_or_std, is_step_call, path_ident};

const STEP_IN_CLOSURE: &str =
    "a closure cannot hold a step\nhelp: use `for`, which runs a step per item, in parallel";
pub(super) const STEP_IN_EXPRESSION: &str = "a step cannot stand here, where it might run never or many times\nhelp: give it a name first: `let value = task(…);`";
const STEP_IN_MACRO: &str =
    "`workflow!` cannot see what this macro does with it\nhelp: give it a name first: `let value = task(…);`";

/// The steps that the language has itself.
const BUILT_IN: [&str; 3] = ["signal", "sleep", "sleep_until"];

impl Rewriter<'_> {
    /// Reports a call that is a step.
    pub(super) fn refuse_step(&mut self, call: &ExprCall) {
        let Expr::Path(func) = &*call.func else { return };
        if is_step_call(call) {
            self.refuse_call(&func.path);
        }
    }

    /// Reports a path that is called, unless it is one of the workflow's names.
    fn refuse_call(&mut self, path: &Path) {
        let Some(last) = path.segments.last() else { return };
        let span = last.ident.span();
        if let Some(name) = path.get_ident()
            && self.is_bound(name)
        {
            return;
        }
        let single = path.segments.len() == 1;
        self.called.push(path.clone());
        let known = single
            && (BUILT_IN.iter().any(|built_in| last.ident == built_in) || self.names.is_step(&last.ident));
        let message = self.why_not();
        match known {
            true => self.error(span, message),
            false => {
                let name = text(path);
                self.error(
                    span,
                    &format!(
                        "`{name}(…)` is a step, and {message}\nhelp: if `{name}` is a plain function and no task, write `({name})(…)`"
                    ),
                );
            }
        }
    }

    /// Why a step cannot stand where the expression is now.
    pub(super) fn why_not(&self) -> &'static str {
        match (self.closures, self.macros) {
            (0, 0) => STEP_IN_EXPRESSION,
            (0, _) => STEP_IN_MACRO,
            _ => STEP_IN_CLOSURE,
        }
    }

    /// What is called, and with what.
    pub(super) fn visit_call(&mut self, call: &mut ExprCall) {
        self.visit_callee(&mut call.func);
        let constructor = is_constructor(&call.func);
        for arg in &mut call.args {
            if constructor {
                self.hand_over(arg);
            } else {
                self.refuse_function(arg);
                self.visit_expr_mut(arg);
            }
        }
    }

    /// An expression of which it has been reported that it cannot be: that it
    /// is a step is no further mistake.
    pub(super) fn visit_refused(&mut self, expr: &mut Expr) {
        match expr {
            Expr::Call(call) if self.closures == 0 => self.visit_call(call),
            expr => self.visit_expr_mut(expr),
        }
    }

    /// What is called: a function is none of the workflow's names, unless it shadows
    /// one.
    fn visit_callee(&mut self, func: &mut Expr) {
        let name = match &*func {
            Expr::Paren(inner) => {
                if let Expr::Path(inner) = &*inner.expr
                    && self.is_function(inner)
                {
                    self.called.push(inner.path.clone());
                }
                path_ident(&inner.expr)
            }
            Expr::Path(_) => path_ident(func),
            func => {
                self.note_functions(func);
                None
            }
        };
        if name.is_none_or(|name| self.is_bound(name)) {
            self.visit_expr_mut(func);
        }
    }

    /// Has rustc check what a computed callee names, as in `{ fetch }(1)` and
    /// `(fetch as fn(u64) -> _)(1)`.
    pub(super) fn note_functions(&mut self, func: &Expr) {
        struct Paths(Vec<syn::ExprPath>);
        impl VisitMut for Paths {
            fn visit_expr_path_mut(&mut self, path: &mut syn::ExprPath) {
                self.0.push(path.clone());
            }
        }
        let mut found = Paths(Vec::new());
        found.visit_expr_mut(&mut func.clone());
        let functions = found.0.into_iter().filter(|path| self.is_function(path));
        let functions: Vec<Path> = functions.map(|path| path.path).collect();
        self.called.extend(functions);
    }

    /// Reports a function that is handed over by its name, as in
    /// `.map(fetch)`: it may be a task.
    pub(super) fn refuse_function(&mut self, arg: &Expr) {
        let Expr::Path(arg) = arg else { return };
        if !self.is_function(arg) {
            return;
        }
        let path = &arg.path;
        self.called.push(path.clone());
        match path.get_ident() {
            // Whether it has been misspelt is said where all names are known.
            Some(name) => self.functions.push(name.clone()),
            None => {
                let span =
                    path.segments.last().map_or_else(proc_macro2::Span::call_site, |last| last.ident.span());
                self.error(span, &handed_over(&text(path)));
            }
        }
    }

    /// Whether a path looks like one of a function or a task.
    fn is_function(&self, expr: &syn::ExprPath) -> bool {
        let path = &expr.path;
        let own = path.get_ident().is_some_and(|name| self.is_bound(name) || name == "self");
        let lower = path.segments.last().is_some_and(|last| is_lower_case(&last.ident.to_string()));
        expr.qself.is_none() && !own && lower && !is_of_type_or_std(path)
    }

    /// Whether the name is bound in the workflow, or around it in the
    /// expression.
    fn is_bound(&self, name: &Ident) -> bool {
        self.locals.iter().any(|(local, _)| name == local) || self.names.mode(name).is_some()
    }

    /// Reports a call in the tokens of a macro that are no list of
    /// expressions: the name at `index`, if parentheses follow it.
    pub(super) fn refuse_call_in_tokens(&mut self, tokens: &[TokenTree], index: usize) {
        let (Some(TokenTree::Ident(name)), Some(TokenTree::Group(group))) =
            (tokens.get(index), tokens.get(index + 1))
        else {
            return;
        };
        // Keywords are no names to syn.
        let is_name = syn::parse2::<Ident>(TokenTree::Ident(name.clone()).into()).is_ok();
        if group.delimiter() != Delimiter::Parenthesis || !is_name {
            return;
        }
        let mut first = index;
        while let Some(before) = before_colons(tokens, first) {
            first = before;
        }
        let path = tokens[first..=index].iter().cloned().collect();
        let method = matches!(
            first.checked_sub(1).and_then(|before| tokens.get(before)),
            Some(TokenTree::Punct(punct)) if matches!(punct.as_char(), '.' | ':' | '$')
        );
        if let Ok(path) = syn::parse2::<Path>(path)
            && !method
            && !is_of_type_or_std(&path)
            && is_lower_case(&name.to_string())
        {
            self.refuse_call(&path);
        }
    }

    /// Has rustc check a function that the tokens of a macro name to call it,
    /// `(fetch)(1)`, or to hand it over, `.map(fetch)`: it may be a task.
    /// `local` is whether the macro's own tokens bind a name.
    pub(super) fn note_function_in_tokens(
        &mut self,
        tokens: &[TokenTree],
        index: usize,
        local: impl Fn(&Ident) -> bool,
    ) {
        let Some(TokenTree::Group(group)) = tokens.get(index) else { return };
        let group = match group.delimiter() {
            Delimiter::Parenthesis | Delimiter::Brace | Delimiter::None => group.stream(),
            Delimiter::Bracket => return,
        };
        let parenthesis = |at: usize| matches!(tokens.get(at), Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis);
        let dot =
            |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == '.');
        let is_called = parenthesis(index + 1)
            && !matches!(
                index.checked_sub(1).and_then(|before| tokens.get(before)),
                Some(TokenTree::Ident(_))
            );
        let is_argument = parenthesis(index) && index >= 2 && dot(index - 2);
        let parts: Vec<TokenStream> = match (is_called, is_argument) {
            (true, _) => vec![group],
            (_, true) => arguments(group),
            _ => return,
        };
        for part in parts {
            let Ok(path) = syn::parse2::<syn::ExprPath>(part) else { continue };
            if self.is_function(&path) && !path.path.get_ident().is_some_and(&local) {
                self.called.push(path.path);
            }
        }
    }

    /// Reports `select!` inside an expression.
    pub(super) fn refuse_select(&mut self, path: &Path) -> bool {
        let keyword = path.get_ident().filter(|name| *name == "select");
        if let Some(keyword) = keyword {
            self.error(keyword.span(), self.why_not());
        }
        keyword.is_some()
    }
}

/// The name that stands before `::` before the name at `index`.
fn before_colons(tokens: &[TokenTree], index: usize) -> Option<usize> {
    let colon = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
    let before = index.checked_sub(3)?;
    (colon(before + 1) && colon(before + 2) && matches!(tokens[before], TokenTree::Ident(_)))
        .then_some(before)
}

/// Tokens between commas.
fn arguments(tokens: TokenStream) -> Vec<TokenStream> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let comma = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
    tokens.split(comma).map(|part| part.iter().cloned().collect()).collect()
}

/// What is wrong with a function that is handed over.
pub(crate) fn handed_over(name: &str) -> String {
    format!(
        "`{name}` is no value of this workflow, and a task is none: handed over, it would never run\n\
         help: use `for`, which runs a step per item, in parallel\n\
         help: if `{name}` is a plain function and no task, write `|value| ({name})(value)`"
    )
}

/// A path as it is written.
fn text(path: &Path) -> String {
    let segments: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    segments.join("::")
}
