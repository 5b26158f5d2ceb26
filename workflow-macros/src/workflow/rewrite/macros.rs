//! Macros inside expressions: `format!("{page} of {}", pages.len())`.
//!
//! What a macro takes is tokens, which are read as what they most likely are.

use std::collections::HashSet;

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit_mut::VisitMut;
use syn::{Expr, Ident, Lit, Pat, Token};

use super::{Mode, Rewriter, deref};

/// The macros of the standard library that take nothing but expressions.
const EXPRESSION_MACROS: [&str; 6] = ["format", "vec", "concat", "assert", "assert_eq", "assert_ne"];

impl Rewriter<'_> {
    /// Macro arguments are tokens. Most macros take expressions; for the
    /// others a name is a name unless something next to it says otherwise.
    pub(super) fn rewrite_macro(&mut self, mac: &mut syn::Macro) {
        if self.refuse_select(&mac.path) {
            return;
        }
        let name = mac.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
        if name == "matches"
            && let Ok(tokens) = (|input: ParseStream| self.rewrite_matches(input)).parse2(mac.tokens.clone())
        {
            mac.tokens = tokens;
            return;
        }
        if name == "fail" {
            self.error(mac.path.span(), "`fail!` ends a run, and an expression cannot\nhelp: write it as a statement, in an arm, or in `let … else { fail!(…) }`");
            return;
        }
        let unknown = self.unknown.len();
        let foreign = !EXPRESSION_MACROS.contains(&name.as_str());
        self.macros += usize::from(foreign);
        self.rewrite_arguments(mac);
        self.macros -= usize::from(foreign);
        if !EXPRESSION_MACROS.contains(&name.as_str()) {
            // What looks like an unknown name may mean something to the macro.
            self.unknown.truncate(unknown);
        }
    }

    /// `matches!(expression, pattern if guard)`
    fn rewrite_matches(&mut self, input: ParseStream) -> syn::Result<TokenStream> {
        let mut expr: Expr = input.parse()?;
        let comma: Token![,] = input.parse()?;
        let pat = Pat::parse_multi_with_leading_vert(input)?;
        let mut guard = None;
        if input.peek(Token![if]) {
            guard = Some((input.parse::<Token![if]>()?, input.parse::<Expr>()?));
        }
        let end: Option<Token![,]> = input.parse()?;
        self.visit_expr_mut(&mut expr);
        let mut tokens = quote!(#expr #comma #pat);
        self.scoped(|this| {
            this.bind(&pat);
            if let Some((keyword, mut guard)) = guard {
                this.visit_expr_mut(&mut guard);
                tokens.extend(quote!(#keyword #guard));
            }
        });
        end.to_tokens(&mut tokens);
        Ok(tokens)
    }

    fn rewrite_arguments(&mut self, mac: &mut syn::Macro) {
        let parser = Punctuated::<Expr, Token![,]>::parse_terminated;
        if let Ok(mut args) = parser.parse2(mac.tokens.clone()) {
            for arg in &mut args {
                match arg {
                    // `name = value` in a format macro: the name is none of the workflow's.
                    Expr::Assign(assign) => self.visit_expr_mut(&mut assign.right),
                    Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. }) => self.note_captures(text),
                    arg => self.visit_expr_mut(arg),
                }
            }
            mac.tokens = args.into_token_stream();
        } else {
            let mut own = HashSet::new();
            bound_in(mac.tokens.clone(), &mut own);
            mac.tokens = self.rewrite_tokens(mac.tokens.clone(), &own);
        }
    }

    /// `own` are names that the tokens bind themselves.
    fn rewrite_tokens(&mut self, tokens: TokenStream, own: &HashSet<String>) -> TokenStream {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let punct = |index: Option<usize>, what: char| matches!(index.and_then(|index| tokens.get(index)), Some(TokenTree::Punct(punct)) if punct.as_char() == what);
        let mut rewritten = TokenStream::new();
        for (index, token) in tokens.iter().enumerate() {
            let before = index.checked_sub(1);
            self.refuse_call_in_tokens(&tokens, index);
            self.note_function_in_tokens(&tokens, index, |name| own.contains(&name.to_string()));
            match token {
                TokenTree::Group(group) => {
                    let mut inner = Group::new(group.delimiter(), self.rewrite_tokens(group.stream(), own));
                    inner.set_span(group.span());
                    inner.to_tokens(&mut rewritten);
                }
                // A field, a path, a named argument or a macro.
                TokenTree::Ident(_)
                    if (punct(before, '.') && !punct(index.checked_sub(2), '.'))
                        || punct(before, ':') && punct(index.checked_sub(2), ':')
                        || punct(Some(index + 1), ':')
                        || punct(Some(index + 1), '!') && !punct(Some(index + 2), '=')
                        || punct(Some(index + 1), '=') && !punct(Some(index + 2), '=') =>
                {
                    token.to_tokens(&mut rewritten);
                }
                TokenTree::Ident(ident) => match self.resolve(ident) {
                    Some(Mode::Ref) => rewritten.extend(deref(ident)),
                    _ => ident.to_tokens(&mut rewritten),
                },
                TokenTree::Literal(literal) => {
                    if let Ok(Lit::Str(text)) = syn::parse2(literal.to_token_stream()) {
                        self.note_captures(&text);
                    }
                    literal.to_tokens(&mut rewritten);
                }
                TokenTree::Punct(punct) => punct.to_tokens(&mut rewritten),
            }
        }
        rewritten
    }

    /// `"{name}"` and `"{:>width$}"` use names without saying so in tokens.
    /// A reference prints like the value, so the text may stay.
    fn note_captures(&mut self, text: &syn::LitStr) {
        let value = text.value();
        let words = value.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        for word in words.filter(|word| !word.is_empty() && value.contains('{')) {
            if let Ok(ident) = syn::parse_str::<Ident>(word) {
                let ident = Ident::new(&ident.to_string(), text.span());
                let local = self.locals.iter().any(|(local, _)| *local == word);
                if !local && self.names.mode(&ident).is_some() {
                    self.uses.push(ident);
                }
            }
        }
    }
}

/// The names that tokens seem to bind: between the bars of a closure, and after
/// `let`, `fn` and `for`.
fn bound_in(tokens: TokenStream, names: &mut HashSet<String>) {
    let (mut binds, mut in_bars) = (false, false);
    for token in tokens {
        match token {
            TokenTree::Ident(word) => {
                let text = word.to_string();
                if matches!(text.as_str(), "let" | "fn" | "for") {
                    binds = true;
                } else if binds || in_bars {
                    binds = binds && matches!(text.as_str(), "mut" | "ref");
                    names.insert(text);
                }
            }
            TokenTree::Group(group) => {
                if binds || in_bars {
                    names.extend(words(group.stream()));
                }
                binds = false;
                bound_in(group.stream(), names);
            }
            TokenTree::Punct(punct) => {
                in_bars ^= punct.as_char() == '|';
                binds = false;
            }
            TokenTree::Literal(_) => binds = false,
        }
    }
}

/// All words of tokens.
fn words(tokens: TokenStream) -> Vec<String> {
    let words = tokens.into_iter().map(|token| match token {
        TokenTree::Ident(word) => vec![word.to_string()],
        TokenTree::Group(group) => words(group.stream()),
        _ => Vec::new(),
    });
    words.flatten().collect()
}
