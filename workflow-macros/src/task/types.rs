//! What can be seen of a type without knowing what its names mean.
//!
//! Works on tokens: types nest in a dozen ways, references and lifetimes look
//! the same in all of them.

use proc_macro2::{Delimiter, Group, Ident, Punct, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{GenericArgument, Lifetime, PathArguments, Type, TypePath};

/// The lifetime of a task's borrowed arguments. No user's lifetime has this
/// name, and generated lifetimes are not hygienic.
pub(super) fn lifetime() -> Lifetime {
    Lifetime::new("'task", Span::call_site())
}

/// The type with its elided lifetimes spelled out: `&str` is `&'task str`.
pub(super) fn name_lifetimes(ty: &Type) -> TokenStream {
    let mut named = TokenStream::new();
    let mut marks = Vec::new();
    scan(ty.to_token_stream(), &mut named, &mut marks);
    named
}

/// The spans of the elided lifetimes of a type.
pub(super) fn elided_lifetime(ty: &Type) -> Option<Span> {
    find(ty, |mark| matches!(mark, Mark::Elided(_)))
}

/// The span of the `mut` of a `&mut` in a type.
pub(super) fn mutable_reference(ty: &Type) -> Option<Span> {
    find(ty, |mark| matches!(mark, Mark::Mut(_)))
}

/// Whether a type borrows nothing, as far as its tokens tell.
pub(super) fn is_of_its_own(ty: &Type) -> bool {
    fn is_free(tokens: TokenStream) -> bool {
        tokens.into_iter().all(|token| match token {
            TokenTree::Group(group) => is_free(group.stream()),
            TokenTree::Punct(punct) => !matches!(punct.as_char(), '&' | '\''),
            TokenTree::Ident(ident) => ident != "dyn" && ident != "impl",
            TokenTree::Literal(_) => true,
        })
    }
    is_free(ty.to_token_stream())
}

/// The span of the `impl` in a type.
pub(super) fn impl_trait(ty: &Type) -> Option<Span> {
    find(ty, |mark| matches!(mark, Mark::Impl(_)))
}

/// The path of a type called `Result`, and the first and the last of its
/// arguments (or itself where it has none): what is worth pointing at when
/// they are wrong.
pub(super) fn result(ty: &Type) -> Option<(&TypePath, TokenStream, TokenStream)> {
    let path = match ty {
        Type::Path(path) => path,
        Type::Group(group) => return result(&group.elem),
        Type::Paren(paren) => return result(&paren.elem),
        _ => return None,
    };
    let last = path.path.segments.last().filter(|segment| segment.ident == "Result")?;
    let whole = || path.to_token_stream();
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return Some((path, whole(), whole()));
    };
    let mut types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty.to_token_stream()),
        _ => None,
    });
    let ok = types.next().unwrap_or_else(whole);
    let error = types.next().unwrap_or_else(whole);
    Some((path, ok, error))
}

/// Whether a name occurs among the tokens.
pub(super) fn mentions(tokens: TokenStream, name: &Ident) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(word) => word == *name,
        TokenTree::Group(group) => mentions(group.stream(), name),
        _ => false,
    })
}

enum Mark {
    Elided(Span),
    Mut(Span),
    Impl(Span),
}

fn find(ty: &Type, wanted: impl Fn(&Mark) -> bool) -> Option<Span> {
    let mut marks = Vec::new();
    scan(ty.to_token_stream(), &mut TokenStream::new(), &mut marks);
    let (Mark::Elided(span) | Mark::Mut(span) | Mark::Impl(span)) = marks.into_iter().find(wanted)?;
    Some(span)
}

/// Copies a type's tokens with the lifetimes named, and notes what it sees.
fn scan(tokens: TokenStream, named: &mut TokenStream, marks: &mut Vec<Mark>) {
    let mut tokens = tokens.into_iter().peekable();
    // In `fn(&T) -> &T` and `Fn(&T) -> &T` elided lifetimes are the
    // function's own.
    let mut in_function = false;
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(word) => {
                in_function = is_function(&word);
                if word == "impl" {
                    marks.push(Mark::Impl(word.span()));
                }
                named.extend([TokenTree::Ident(word)]);
            }
            TokenTree::Group(group) => {
                if in_function && group.delimiter() == Delimiter::Parenthesis {
                    named.extend([TokenTree::Group(group)]);
                    // `-> &T` belongs to it.
                    while tokens.peek().is_some_and(|next| is_punct(next, &['-', '>', '&'])) {
                        named.extend(tokens.next());
                    }
                    continue;
                }
                let mut inner = TokenStream::new();
                scan(group.stream(), &mut inner, marks);
                let mut copy = Group::new(group.delimiter(), inner);
                copy.set_span(group.span());
                named.extend([TokenTree::Group(copy)]);
            }
            TokenTree::Punct(punct) if punct.as_char() == '&' => {
                let span = punct.span();
                named.extend([TokenTree::Punct(punct)]);
                if !tokens.peek().is_some_and(|next| is_punct(next, &['\''])) {
                    marks.push(Mark::Elided(span));
                    lifetime().to_tokens(named);
                    if let Some(TokenTree::Ident(word)) = tokens.peek()
                        && word == "mut"
                    {
                        marks.push(Mark::Mut(word.span()));
                    }
                }
            }
            TokenTree::Punct(punct) if punct.as_char() == '\'' => match tokens.next() {
                Some(TokenTree::Ident(name)) if name == "_" => {
                    marks.push(Mark::Elided(name.span()));
                    lifetime().to_tokens(named);
                }
                name => {
                    named.extend([TokenTree::Punct(punct)]);
                    named.extend(name);
                    if let Some(TokenTree::Ident(word)) = tokens.peek()
                        && word == "mut"
                    {
                        marks.push(Mark::Mut(word.span()));
                    }
                }
            },
            other => named.extend([other]),
        }
    }
}

fn is_function(word: &Ident) -> bool {
    ["fn", "Fn", "FnMut", "FnOnce"].iter().any(|name| word == name)
}

fn is_punct(token: &TokenTree, any_of: &[char]) -> bool {
    matches!(token, TokenTree::Punct(punct) if any_of.contains(&Punct::as_char(punct)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(ty: &str) -> String {
        let ty: Type = syn::parse_str(ty).unwrap();
        name_lifetimes(&ty).to_string().replace(' ', "")
    }

    #[test]
    fn elided_lifetimes_get_a_name() {
        assert_eq!(named("&str"), "&'taskstr");
        assert_eq!(named("&[&T]"), "&'task[&'taskT]");
        assert_eq!(named("Option<&T>"), "Option<&'taskT>");
        assert_eq!(named("Cow<'_, str>"), "Cow<'task,str>");
        assert_eq!(named("&'static str"), "&'staticstr");
        assert_eq!(named("(u8, &&T)"), "(u8,&'task&'taskT)");
    }

    #[test]
    fn lifetimes_of_functions_stay_their_own() {
        assert_eq!(named("fn(&T) -> &U"), "fn(&T)->&U");
        assert_eq!(named("&dyn Fn(&T) -> bool"), "&'taskdynFn(&T)->bool");
    }

    #[test]
    fn what_a_task_cannot_take_is_seen_at_any_depth() {
        let ty = |text| syn::parse_str::<Type>(text).unwrap();
        assert!(mutable_reference(&ty("&mut T")).is_some());
        assert!(mutable_reference(&ty("Option<&'static mut T>")).is_some());
        assert!(mutable_reference(&ty("&T")).is_none());
        assert!(mutable_reference(&ty("fn(&mut T)")).is_none());
        assert!(impl_trait(&ty("Vec<impl Into<String>>")).is_some());
        assert!(elided_lifetime(&ty("&'static str")).is_none());
    }
}
