//! The attributes of a workflow, all of them, wherever they stand.
//!
//! syn accepts attributes in dozens of places, of which a workflow reads one:
//! above a statement. So that none is dropped without a word, each of them gets
//! a number before anything is parsed, a statement notes the numbers of those
//! it has read, and any that is left is a mistake.

use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, LitInt, Meta, Token};

use crate::diagnostics::Errors;
use crate::workflow::ast::Block;

/// `#[__workflow_attribute(17, limit(8))]` stands for `#[limit(8)]` while it is parsed.
const NUMBERED: &str = "__workflow_attribute";

/// The attributes that a statement may have.
pub(super) const KNOWN: [&str; 8] =
    ["after", "limit", "name", "always", "retry", "timeout", "deadline", "losses"];

/// All attributes of a workflow but those above its `fn`.
#[derive(Default)]
pub(super) struct Attributes {
    /// The name and where it stands, by number.
    found: Vec<(String, Span)>,
}

impl Attributes {
    /// Numbers the attributes in the tokens of one `workflow!`.
    pub(super) fn number(tokens: TokenStream, errors: &mut Errors) -> (TokenStream, Self) {
        let mut attributes = Self::default();
        let tokens = attributes.visit(&tokens, true, errors).unwrap_or(tokens);
        (tokens, attributes)
    }

    /// Reports those that nothing in the workflow has read.
    pub(super) fn report_unread(self, body: &Block, errors: &mut Errors) {
        let mut read = vec![false; self.found.len()];
        body.each_statement(&mut |statement| {
            for number in &statement.options.read {
                if let Some(read) = read.get_mut(*number) {
                    *read = true;
                }
            }
        });
        for ((name, span), _) in self.found.iter().zip(read).filter(|(_, read)| !read) {
            errors.at(*span, unread(name));
        }
    }

    /// `head` is whether the tokens begin with the attributes of the `fn`,
    /// which are read as they are. `None` where there are no others: the
    /// tokens are then left as they are, with their spans.
    fn visit(&mut self, tokens: &TokenStream, mut head: bool, errors: &mut Errors) -> Option<TokenStream> {
        let (mut visited, mut changed) = (Vec::new(), false);
        let mut tokens = tokens.clone().into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Punct(hash) if hash.as_char() == '#' => {
                    let bang = tokens
                        .next_if(|next| matches!(next, TokenTree::Punct(punct) if punct.as_char() == '!'));
                    let group = tokens.next_if(|next| {
                        matches!(next, TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket)
                    });
                    match (bang, group) {
                        (Some(_), Some(TokenTree::Group(group))) => {
                            changed = true;
                            errors.at(
                                name_of(&group).1,
                                "a workflow has no inner attributes\nhelp: put it above the `fn`, or above the statement that it is for",
                            );
                        }
                        (None, Some(TokenTree::Group(group))) => {
                            visited.push(hash.into());
                            let content = self.visit(&group.stream(), false, errors);
                            changed |= !head || content.is_some();
                            visited.push(match (head, content) {
                                (true, None) => group.into(),
                                (true, Some(content)) => regrouped(&group, content),
                                (false, content) => {
                                    let content = content.unwrap_or_else(|| group.stream());
                                    self.numbered(&group, content)
                                }
                            });
                        }
                        (bang, _) => visited.extend([Some(hash.into()), bang].into_iter().flatten()),
                    }
                }
                TokenTree::Group(group) => {
                    head = false;
                    visited.push(match self.visit(&group.stream(), false, errors) {
                        Some(content) => {
                            changed = true;
                            regrouped(&group, content)
                        }
                        None => group.into(),
                    });
                }
                token => {
                    head = false;
                    visited.push(token);
                }
            }
        }
        changed.then(|| visited.into_iter().collect())
    }

    fn numbered(&mut self, group: &Group, content: TokenStream) -> TokenTree {
        let number = self.found.len();
        let (name, span) = name_of(group);
        self.found.push((name, span));
        let mut inner: TokenStream = TokenTree::from(Literal::usize_unsuffixed(number)).into();
        inner.extend([TokenTree::from(Punct::new(',', proc_macro2::Spacing::Alone))]);
        inner.extend(content);
        let list = Group::new(Delimiter::Parenthesis, inner);
        let mut content = Ident::new(NUMBERED, span).into_token_stream();
        content.extend([TokenTree::from(list)]);
        regrouped(group, content)
    }
}

/// The attribute as it was written.
pub(super) fn written(attribute: Attribute) -> syn::Result<Attribute> {
    let Meta::List(list) = &attribute.meta else { return Ok(attribute) };
    if !list.path.is_ident(NUMBERED) {
        return Ok(attribute);
    }
    let parser = |input: ParseStream| {
        input.parse::<LitInt>()?;
        input.parse::<Token![,]>()?;
        input.parse::<Meta>()
    };
    let meta = parser.parse2(list.tokens.clone())?;
    Ok(Attribute { meta, ..attribute })
}

/// The numbers of all attributes in some tokens, which have been reported as a
/// whole.
pub(super) fn numbers(tokens: TokenStream) -> Vec<usize> {
    let mut found = Vec::new();
    let mut numbered = false;
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                if numbered && let Some(TokenTree::Literal(number)) = group.stream().into_iter().next() {
                    found.extend(number.to_string().parse::<usize>());
                }
                found.extend(numbers(group.stream()));
                numbered = false;
            }
            token => numbered = matches!(token, TokenTree::Ident(word) if word == NUMBERED),
        }
    }
    found
}

/// Tokens without the attributes that have been reported, so that rustc does
/// not report them too.
pub(crate) fn without_numbered(tokens: TokenStream) -> TokenStream {
    let mut left = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(hash) if hash.as_char() == '#' => {
                let numbered = tokens.next_if(|next| match next {
                    TokenTree::Group(group) => name_of(group).0 == NUMBERED,
                    _ => false,
                });
                if numbered.is_none() {
                    left.push(hash.into());
                }
            }
            TokenTree::Group(group) => left.push(regrouped(&group, without_numbered(group.stream()))),
            token => left.push(token),
        }
    }
    left.into_iter().collect()
}

fn regrouped(group: &Group, content: TokenStream) -> TokenTree {
    let mut regrouped = Group::new(group.delimiter(), content);
    regrouped.set_span(group.span());
    regrouped.into()
}

/// What an attribute is called, as far as its tokens tell.
fn name_of(group: &Group) -> (String, Span) {
    match group.stream().into_iter().next() {
        Some(TokenTree::Ident(name)) => (name.to_string(), name.span()),
        other => (String::new(), other.map_or_else(|| group.span(), |token| token.span())),
    }
}

/// What is wrong with an attribute that nothing reads.
pub(super) fn unread(name: &str) -> String {
    match name {
        "cfg" | "cfg_attr" => conditional(),
        "doc" => "documentation belongs above the `fn` of a workflow, since nothing shows it here\nhelp: write the comment with `//`".to_owned(),
        known if KNOWN.contains(&known) => format!(
            "the attribute `{known}` has no effect here: it is read above a statement, and nowhere else\nhelp: put it above the whole statement, before its `let`"
        ),
        other => format!(
            "the attribute `{other}` has no effect here\nhelp: remove it; {}",
            statements_have()
        ),
    }
}

/// What is wrong with `#[cfg(..)]` inside a workflow.
fn conditional() -> String {
    "a workflow has the same steps in every build, so no part of it is conditional\n\
     help: write the whole `fn` twice, each with a `#[cfg(..)]` above it, or choose with `if cfg!(..) { … } else { … }`"
        .to_owned()
}

fn statements_have() -> String {
    format!("a statement of a workflow can have {}", crate::diagnostics::list(&KNOWN))
}
