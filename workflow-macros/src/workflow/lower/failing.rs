//! Lowers what fails by itself: `?` on an expression, `let … else`, `fail!`.
//!
//! Each is a step that checks and stores nothing; where it has passed, the
//! value is a pure binding, which is evaluated where it is used. So the macro
//! need not know its type, and it may borrow.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Expr, Ident, Pat};

use super::{Lower, Out};
use crate::private::Private;
use crate::workflow::ast::{Fail, FailWith, Statement, Target, Value};
use crate::workflow::graph::*;
use crate::workflow::pattern::pattern_names;
use crate::workflow::rewrite::is_place;
use crate::workflow::tokens::{Owned, failure, passed, plain, private_at, tried, words};

impl Lower<'_> {
    /// `None` where the value fails not by itself.
    pub(super) fn failing<'s>(
        &mut self,
        statement: &Statement,
        value: &Value,
        region: RegionId,
    ) -> Option<Out<'s>> {
        match value {
            Value::Try { expr, .. } => {
                self.tried(statement, expr, region);
                Some(Out::Nothing)
            }
            Value::Else { keyword, expr, fail } => {
                self.otherwise(statement, keyword.span, expr, fail, region);
                Some(Out::Nothing)
            }
            Value::Fail(fail) => {
                let code = self.failure(fail, region);
                let code = self.wrap(code, |failure| quote!(#Private::Result::Err(#failure)));
                self.check(statement, None, fail.keyword, code, region);
                Some(if matches!(statement.target, Target::Tail) { Out::Never } else { Out::Nothing })
            }
            _ => None,
        }
    }

    /// A step that fails or leaves nothing; its binding has no name.
    fn check(
        &mut self,
        statement: &Statement,
        bound: Option<&Ident>,
        span: Span,
        code: Code,
        region: RegionId,
    ) -> BindingId {
        let default = if matches!(statement.value, Value::Fail(_)) { "fail" } else { "check" };
        let named = statement.options.step.name.as_ref().map(syn::LitStr::value);
        let name = named.or_else(|| bound.map(plain)).unwrap_or_else(|| default.to_owned());
        let span = bound.map_or(span, Ident::span);
        let (slot, _) = self.unit_step(statement, name, span, Kind::Check { code }, region);
        let form = Form::Slot { slot, ty: quote!(()), pat: None, own: false };
        self.bind(Binding { names: Vec::new(), region, form, mutable: false, uses: 0, crosses: false })
    }

    fn tried(&mut self, statement: &Statement, expr: &Expr, region: RegionId) {
        let mut code = self.uncounted(expr);
        if is_place(expr, self) {
            code.tokens = Owned::copied(&code.tokens, 0).block();
        }
        let (pat, ty) = match &statement.target {
            Target::Let { pat, ty } => (pat.to_token_stream(), ty.as_ref().map(ToTokens::to_token_stream)),
            Target::Part { name, .. } => (name.to_token_stream(), None),
            Target::Assign { .. } | Target::Discard | Target::Tail => (TokenStream::new(), None),
        };
        code.tokens = tried(&code.tokens, ty.as_ref());
        let at = statement.span;
        let checked = self.count(code.clone(), region);
        let checked = self.wrap(checked, |tokens| {
            let private = private_at(at);
            quote_spanned!(at=> #private::checked(#tokens))
        });
        let (mut names, mut mutable) = (Vec::new(), false);
        let mut pat = pat;
        match &statement.target {
            Target::Let { pat: bound, .. } => {
                self.check_pattern(bound, true);
                pattern_names(bound, &mut names);
                if let Pat::Ident(bound) = bound {
                    mutable = bound.mutability.is_some();
                    pat = bound.ident.to_token_stream();
                }
            }
            Target::Part { name, .. } => names.push(name.clone()),
            Target::Assign { .. } | Target::Discard | Target::Tail => {}
        }
        let bound = super::bound_name(&statement.target).cloned();
        let passes = self.check(statement, bound.as_ref(), at, checked, region);
        if names.is_empty() {
            return;
        }
        code.uses.push(passes);
        code.tokens = passed(&code.tokens);
        if mutable {
            let inner = code.tokens;
            code.tokens = quote!(&(#inner));
        }
        let known = ty.clone().filter(|_| names.len() == 1);
        let form = Form::Pure { pat, ty, known, code, by_ref: mutable };
        let binding = self.bind(Binding { names, region, form, mutable, uses: 0, crosses: false });
        self.graph.borrowing.insert(binding);
    }

    fn otherwise(
        &mut self,
        statement: &Statement,
        keyword: Span,
        expr: &Expr,
        fail: &Fail,
        region: RegionId,
    ) {
        let Target::Let { pat, ty } = &statement.target else { return };
        let (_, looked_at) = self.looked_at(expr, region, &[]);
        let failure = self.failure(fail, region);
        let mut uses = looked_at.uses;
        uses.extend(failure.uses);
        let (looked_at, failure) = (looked_at.tokens, failure.tokens);
        let tokens = quote! {
            match #looked_at {
                #pat => #Private::Result::Ok(#Private::Value::new(())),
                _ => #Private::Result::Err(#failure),
            }
        };
        let mut names = Vec::new();
        pattern_names(pat, &mut names);
        let first = names.first().cloned();
        let code = Code { uses, tokens, computed: false };
        let passes = self.check(statement, first.as_ref(), keyword, code, region);
        if let Some(binding) = self.bind_matched(region, pat, expr)
            && let Form::Pure { code, ty: annotated, .. } = &mut self.graph.bindings[binding].form
        {
            code.uses.push(passes);
            *annotated = ty.as_ref().map(ToTokens::to_token_stream);
            self.graph.borrowing.insert(binding);
        }
    }

    /// Why a run fails, as an expression of the runtime's type.
    fn failure(&mut self, fail: &Fail, region: RegionId) -> Code {
        match &fail.with {
            FailWith::Words(mac) => {
                let code = self.code(&words(mac), region);
                self.wrap(code, |tokens| failure(fail.keyword, true, &tokens))
            }
            FailWith::Error(error) => {
                let code = self.owned(error, region);
                self.wrap(code, |tokens| failure(fail.keyword, false, &tokens))
            }
        }
    }
}
