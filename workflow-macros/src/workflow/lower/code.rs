//! Expressions: the names they use, and the types that their tokens tell.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::punctuated::Punctuated;
use syn::{Expr, Ident, Token};

use super::Lower;
use crate::diagnostics::did_you_mean;
use crate::private::Private;
use crate::workflow::certain::is_certain;
use crate::workflow::graph::*;
use crate::workflow::rewrite::{Mode, handed_over, is_place, rewrite};
use crate::workflow::spelling::path_ident;
use crate::workflow::tokens::Owned;

impl Lower<'_> {
    /// The type of a pure expression, where its tokens alone say it.
    pub(super) fn type_of(&self, expr: &Expr) -> Option<TokenStream> {
        match expr {
            Expr::Paren(inner) => self.type_of(&inner.expr),
            Expr::Path(_) => {
                let binding = self.lookup(&path_ident(expr)?.to_string())?;
                match &self.graph.bindings[binding].form {
                    Form::Slot { ty, pat: None, .. } | Form::Pure { known: Some(ty), .. } => Some(ty.clone()),
                    _ => None,
                }
            }
            Expr::Tuple(tuple) => {
                let types = tuple.elems.iter().map(|elem| self.type_of(elem)).collect::<Option<Vec<_>>>()?;
                Some(quote!((#(#types,)*)))
            }
            Expr::Group(inner) => self.type_of(&inner.expr),
            Expr::Unary(syn::ExprUnary { op: syn::UnOp::Not(_) | syn::UnOp::Neg(_), expr, .. }) => {
                self.type_of(expr)
            }
            Expr::Binary(binary) => self.type_of_binary(binary),
            Expr::MethodCall(call) => self.type_of_method(call),
            Expr::Call(call) => self.type_of_made(call),
            Expr::Struct(made) => type_of_path(&made.path),
            Expr::Macro(mac) if mac.mac.path.is_ident("format") => Some(quote!(#Private::String)),
            Expr::Macro(mac) if mac.mac.path.is_ident("matches") => Some(quote!(::core::primitive::bool)),
            Expr::Macro(mac) if mac.mac.path.is_ident("vec") => {
                let elems = mac.mac.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated).ok()?;
                let elem = elems.iter().find_map(|elem| self.type_of(elem))?;
                Some(quote!(#Private::Vec<#elem>))
            }
            Expr::Array(array) => {
                let elem = array.elems.iter().find_map(|elem| self.type_of(elem))?;
                let count = array.elems.len();
                Some(quote!([#elem; #count]))
            }
            Expr::If(chosen) => {
                let then = type_of_tail(&chosen.then_branch).and_then(|tail| self.type_of(tail));
                then.or_else(|| self.type_of(&chosen.else_branch.as_ref()?.1))
            }
            Expr::Block(block) => self.type_of(type_of_tail(&block.block)?),
            Expr::Lit(syn::ExprLit { lit: syn::Lit::Bool(_), .. }) => Some(quote!(::core::primitive::bool)),
            Expr::Lit(syn::ExprLit { lit: syn::Lit::Char(_), .. }) => Some(quote!(::core::primitive::char)),
            Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(number), .. }) if !number.suffix().is_empty() => {
                primitive(number.suffix(), number.span())
            }
            Expr::Lit(syn::ExprLit { lit: syn::Lit::Float(number), .. }) if !number.suffix().is_empty() => {
                primitive(number.suffix(), number.span())
            }
            Expr::Cast(cast) => Some(cast.ty.to_token_stream()),
            _ => None,
        }
    }

    /// Of an operator: where one side is a plain number, it is of the other's
    /// type.
    fn type_of_binary(&self, binary: &syn::ExprBinary) -> Option<TokenStream> {
        use syn::BinOp as Op;
        let name = match &binary.op {
            Op::Eq(_)
            | Op::Ne(_)
            | Op::Lt(_)
            | Op::Le(_)
            | Op::Gt(_)
            | Op::Ge(_)
            | Op::And(_)
            | Op::Or(_) => {
                return Some(quote!(::core::primitive::bool));
            }
            Op::Add(_) => "Add",
            Op::Sub(_) => "Sub",
            Op::Mul(_) => "Mul",
            Op::Div(_) => "Div",
            Op::Rem(_) => "Rem",
            Op::BitAnd(_) => "BitAnd",
            Op::BitOr(_) => "BitOr",
            Op::BitXor(_) => "BitXor",
            Op::Shl(_) | Op::Shr(_) => return self.type_of(&binary.left),
            _ => return None,
        };
        let (left, right) = match (self.type_of(&binary.left), self.type_of(&binary.right)) {
            (Some(left), Some(right)) => (left, right),
            (Some(left), None) if is_plain_number(&binary.right) => (left.clone(), left),
            (None, Some(right)) if is_plain_number(&binary.left) => (right.clone(), right),
            _ => return None,
        };
        let at = first_span(&binary.left.to_token_stream());
        let name = Ident::new(name, at);
        Some(quote_spanned!(at=> <#left as ::core::ops::#name<#right>>::Output))
    }

    /// Of a method of the standard library that everybody knows.
    fn type_of_method(&self, call: &syn::ExprMethodCall) -> Option<TokenStream> {
        let method = call.method.to_string();
        if let Some(generics) = &call.turbofish
            && matches!(method.as_str(), "sum" | "product" | "collect" | "into")
        {
            let ty = generics.args.first()?.to_token_stream();
            return (!holds_underscore(ty.clone())).then_some(ty);
        }
        Some(match method.as_str() {
            "clone" | "abs" | "pow" | "max" | "min" | "clamp" | "saturating_add" | "saturating_sub"
            | "saturating_mul" | "wrapping_add" | "wrapping_sub" | "wrapping_mul" | "div_ceil" => {
                let argument = || self.type_of(call.args.first().filter(|_| method != "pow")?);
                return self.type_of(&call.receiver).or_else(argument);
            }
            "unwrap_or" => return self.type_of(call.args.first()?),
            "to_string" | "to_uppercase" | "to_lowercase" | "repeat" if call.args.len() <= 1 => {
                quote!(#Private::String)
            }
            "to_owned" if is_text(&call.receiver) => quote!(#Private::String),
            "len" | "count" if call.args.is_empty() => quote!(::core::primitive::usize),
            "is_empty" | "is_some" | "is_none" | "is_ok" | "is_err" | "contains" | "contains_key"
            | "starts_with" | "ends_with" | "any" | "all" => quote!(::core::primitive::bool),
            _ => return None,
        })
    }

    /// Of `Some(x)`, `String::from(x)` and `u64::from(x)`.
    fn type_of_made(&self, call: &syn::ExprCall) -> Option<TokenStream> {
        let Expr::Path(path) = &*call.func else { return None };
        if path.path.is_ident("Some") {
            let inner = self.type_of(call.args.first()?)?;
            return Some(quote!(#Private::Option<#inner>));
        }
        let mut segments = path.path.segments.iter().rev();
        let (last, owner) = (segments.next()?, segments.next()?);
        let makes = match last.ident.to_string().as_str() {
            "from" | "default" => true,
            "new" => owner.ident == "String",
            _ => false,
        };
        let known = !matches!(owner.ident.to_string().as_str(), "Vec" | "Option" | "Box" | "Arc" | "Cow");
        if !makes || !known || path.qself.is_some() || !owner.arguments.is_none() {
            return None;
        }
        let mut ty = path.path.clone();
        ty.segments.pop();
        ty.segments.pop_punct();
        Some(ty.to_token_stream())
    }

    pub(super) fn slot_type(&self, binding: BindingId) -> Option<TokenStream> {
        match &self.graph.bindings[binding].form {
            Form::Slot { ty, pat: None, .. } | Form::Pure { known: Some(ty), .. } => Some(ty.clone()),
            _ => None,
        }
    }

    /// An expression in `region`, with the names it uses.
    pub(super) fn code(&mut self, expr: &Expr, region: RegionId) -> Code {
        self.code_with(expr, region, &[])
    }

    pub(super) fn code_with(&mut self, expr: &Expr, region: RegionId, bound: &[(Ident, Mode)]) -> Code {
        let code = self.resolve(expr, bound);
        self.count(code, region)
    }

    /// An expression that is evaluated only where something else uses it.
    pub(super) fn uncounted(&mut self, expr: &Expr) -> Code {
        self.resolve(expr, &[])
    }

    pub(super) fn resolve(&mut self, expr: &Expr, bound: &[(Ident, Mode)]) -> Code {
        let rewritten = rewrite(expr, self, bound);
        self.report(rewritten.errors);
        for name in rewritten.unknown {
            self.unknown(&name, rewritten.functions.contains(&name));
        }
        let uses = rewritten.uses.iter().filter_map(|name| self.lookup(&name.to_string())).collect();
        Code { uses, tokens: rewritten.tokens, computed: !is_certain(expr) }
    }

    /// Notes the uses of an expression and captures what it needs.
    pub(super) fn count(&mut self, mut code: Code, region: RegionId) -> Code {
        for used in &code.uses {
            for binding in self.graph.closure(&[*used]) {
                let binding = &mut self.graph.bindings[binding];
                binding.uses += 1;
                binding.crosses |= binding.region != region;
            }
        }
        code.uses.sort_unstable();
        code.uses.dedup();
        self.graph.slots_of(region, &code.uses);
        code
    }

    /// An expression whose value is handed over: a place is copied.
    pub(super) fn owned(&mut self, expr: &Expr, region: RegionId) -> Code {
        let place = is_place(expr, self);
        let mut code = self.code(expr, region);
        if place {
            code.tokens = Owned::copied(&code.tokens, 0).block();
        }
        code
    }

    pub(super) fn wrap(&self, code: Code, wrap: impl FnOnce(TokenStream) -> TokenStream) -> Code {
        Code { tokens: wrap(code.tokens), uses: code.uses, computed: code.computed }
    }

    /// Says what a name may have been meant to be. `function` is whether it is
    /// handed over, as a function is.
    pub(super) fn unknown(&mut self, name: &Ident, function: bool) {
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
        } else if function && self.declared.tasks.contains(&text) {
            self.error(name.span(), handed_over(&text));
        } else if let Some(near) =
            did_you_mean(&text, self.scope.bound().iter().map(|(name, _)| name.as_str()))
        {
            self.error(
                name.span(),
                format!(
                    "cannot find `{text}` in workflow `{workflow}`\nhelp: a similar name exists: `{near}`"
                ),
            );
        } else if function {
            self.error(name.span(), handed_over(&text));
        }
        // Otherwise it may be a function or a static; rustc knows.
    }
}

/// Of `Report { .. }` and `Shape::Square { .. }`.
fn type_of_path(path: &syn::Path) -> Option<TokenStream> {
    let is_type = |segment: &syn::PathSegment| segment.ident.to_string().starts_with(char::is_uppercase);
    let mut path = path.clone();
    if path.segments.iter().rev().nth(1).is_some_and(is_type) {
        path.segments.pop();
        path.segments.pop_punct();
    }
    Some(path.to_token_stream())
}

fn type_of_tail(block: &syn::Block) -> Option<&Expr> {
    match block.stmts.last()? {
        syn::Stmt::Expr(tail, None) => Some(tail),
        _ => None,
    }
}

/// A number without a type of its own.
fn is_plain_number(expr: &Expr) -> bool {
    match expr {
        Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(number), .. }) => number.suffix().is_empty(),
        Expr::Lit(syn::ExprLit { lit: syn::Lit::Float(number), .. }) => number.suffix().is_empty(),
        Expr::Paren(inner) => is_plain_number(&inner.expr),
        Expr::Unary(inner) => is_plain_number(&inner.expr),
        Expr::Binary(binary) => is_plain_number(&binary.left) && is_plain_number(&binary.right),
        _ => false,
    }
}

fn is_text(expr: &Expr) -> bool {
    matches!(expr, Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(_), .. }))
}

fn holds_underscore(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        proc_macro2::TokenTree::Ident(name) => name == "_",
        proc_macro2::TokenTree::Group(group) => holds_underscore(group.stream()),
        _ => false,
    })
}

fn first_span(tokens: &TokenStream) -> Span {
    tokens.clone().into_iter().next().map_or_else(Span::call_site, |token| token.span())
}

/// The type of a literal such as `0u64`.
fn primitive(suffix: &str, span: Span) -> Option<TokenStream> {
    let name = Ident::new(suffix, span);
    Some(quote!(::core::primitive::#name))
}
