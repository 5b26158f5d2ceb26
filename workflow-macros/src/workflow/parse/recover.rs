//! Statements from tokens, although some of them do not parse.

use std::cell::Cell;

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use syn::Pat;
use syn::parse::{ParseStream, Parser};

use super::attributes::numbers;
use super::statement::block;
use crate::diagnostics::Errors;
use crate::workflow::ast::*;

/// Parses the statements of a region.
pub(super) fn parse_block(tokens: TokenStream, span: Span, of_workflow: bool, errors: &mut Errors) -> Block {
    if let Ok(stmts) = syn::Block::parse_within.parse2(tokens.clone()) {
        return block(stmts, span, of_workflow, errors);
    }
    // Something in here is wrong. Take it statement by statement, so that one
    // mistake costs one statement.
    let mut statements = Vec::new();
    let chunks = split_statements(tokens);
    let last = chunks.len();
    for (index, chunk) in chunks.into_iter().enumerate() {
        let mut parsed = parse_chunk(chunk, span, of_workflow && index + 1 == last, errors);
        if index + 1 < last {
            for statement in &mut parsed {
                if matches!(statement.target, Target::Tail) {
                    statement.target = Target::Discard;
                }
            }
        }
        statements.append(&mut parsed);
    }
    Block { statements, span }
}

/// Parses the tokens of one statement. Where the mistake is inside the braces
/// of a region, the statement is parsed without what is in them, and then
/// each region by itself.
pub(super) fn parse_chunk(
    chunk: TokenStream,
    span: Span,
    of_workflow: bool,
    errors: &mut Errors,
) -> Vec<Statement> {
    let error = match syn::Block::parse_within.parse2(chunk.clone()) {
        Ok(parsed) => return block(parsed, span, of_workflow, errors).statements,
        Err(error) => error,
    };
    let mut bodies = Vec::new();
    let hollow = chunk.clone().into_iter().map(|token| match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
            let mut empty = Group::new(Delimiter::Brace, TokenStream::new());
            empty.set_span(group.span());
            bodies.push(group);
            TokenTree::Group(empty)
        }
        token => token,
    });
    let hollow = hollow.collect::<TokenStream>();
    if !bodies.is_empty()
        && let Ok(parsed) = syn::Block::parse_within.parse2(hollow)
        && parsed.len() == 1
    {
        let mut statements = block(parsed, span, of_workflow, errors).statements;
        if let [statement] = &mut statements[..] {
            let mut open = regions_of(&mut statement.value);
            if open.len() == bodies.len() {
                for (region, group) in open.iter_mut().zip(bodies) {
                    **region = parse_block(group.stream(), group.span(), of_workflow, errors);
                }
                return statements;
            }
        }
    }
    errors.add(error);
    let mut statement = broken(chunk.clone());
    // The names it binds exist, so that they are not reported as unknown.
    let mut tokens = chunk.into_iter();
    if tokens.any(|token| matches!(&token, TokenTree::Ident(word) if word == "let")) {
        let parser = |input: ParseStream| {
            let pat = Pat::parse_single(input)?;
            input.parse::<TokenStream>()?;
            Ok(pat)
        };
        if let Ok(pat) = parser.parse2(tokens.collect()) {
            statement.target = Target::Let { pat, ty: None };
        }
    }
    vec![statement]
}

/// A statement that has been reported.
pub(super) fn broken(tokens: TokenStream) -> Statement {
    let span = tokens.clone().into_iter().next().map_or_else(Span::call_site, |token| token.span());
    Statement {
        options: StatementOptions { read: numbers(tokens), ..StatementOptions::default() },
        target: Target::Discard,
        value: Value::Broken,
        span,
        broken: Cell::new(true),
    }
}

/// The regions in braces that a value opens, as written.
pub(super) fn regions_of(value: &mut Value) -> Vec<&mut Block> {
    match value {
        Value::For(value) => vec![&mut value.body],
        Value::While(value) => vec![&mut value.body],
        Value::Branch(branch) if branch.scrutinee.is_none() => branch
            .arms
            .iter_mut()
            .filter(|arm| !matches!(arm.test, Test::Else { written: false }))
            .map(|arm| &mut arm.body)
            .collect(),
        _ => Vec::new(),
    }
}

/// Cuts tokens after each `;`, and after the braces of a control expression.
pub(super) fn split_statements(tokens: TokenStream) -> Vec<TokenStream> {
    let mut chunks = vec![];
    let mut chunk: Vec<TokenTree> = vec![];
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let semicolon = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ';');
        let braces =
            matches!(&token, TokenTree::Group(group) if group.delimiter() == proc_macro2::Delimiter::Brace);
        chunk.push(token);
        let control = matches!(
            first_word(&chunk).as_deref(),
            Some("for" | "while" | "loop" | "if" | "match" | "select")
        );
        let goes_on = match tokens.peek() {
            Some(TokenTree::Ident(next)) => next == "else",
            Some(TokenTree::Punct(next)) => matches!(next.as_char(), ';' | '?' | '.'),
            _ => false,
        };
        if semicolon || (braces && control && !goes_on) {
            chunks.push(std::mem::take(&mut chunk).into_iter().collect());
        }
    }
    if !chunk.is_empty() {
        chunks.push(chunk.into_iter().collect());
    }
    chunks
}

/// The first identifier after any attributes.
pub(super) fn first_word(tokens: &[TokenTree]) -> Option<String> {
    let mut tokens = tokens.iter();
    loop {
        match tokens.next()? {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                tokens.next();
            }
            TokenTree::Ident(ident) => return Some(ident.to_string()),
            _ => return None,
        }
    }
}
