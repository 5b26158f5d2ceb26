//! Tokens to syntax tree. Never fails as a whole: what does not parse is
//! reported and kept as it is, and parsing goes on at the next statement.

use std::cell::Cell;

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::parse::{Parse, ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Attribute, Expr, Ident, Lit, Pat, Path, Stmt, Token, Type, Visibility};

use super::ast::*;
use crate::diagnostics::Errors;

/// Parses the tokens of one `workflow!`, or says why there is not even the
/// head of one.
pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> syn::Result<Workflow> {
    let parser = |input: ParseStream| {
        let workflow = parse_workflow(input, errors)?;
        if !input.is_empty() {
            errors.at(
                input.span(),
                "one `workflow!` holds one workflow\nhelp: give the next one a `workflow!` of its own",
            );
            input.parse::<TokenStream>()?;
        }
        Ok(workflow)
    };
    parser.parse2(tokens)
}

fn parse_workflow(input: ParseStream, errors: &mut Errors) -> syn::Result<Workflow> {
    let mut attrs = input.call(Attribute::parse_outer)?;
    let mut schedule = None;
    attrs.retain(|attr| {
        let is_schedule = attr.path().is_ident("schedule");
        if is_schedule {
            match attr.parse_args_with(|input: ParseStream| parse_schedule(input, attr.path().span())) {
                Ok(_) if schedule.is_some() => errors.at(attr.path().span(), "a workflow has one `schedule`"),
                Ok(parsed) => schedule = Some(parsed),
                Err(error) => errors.add(error),
            }
        }
        !is_schedule
    });
    let vis: Visibility = input.parse()?;
    if input.peek(Token![async]) {
        let keyword: Token![async] = input.parse()?;
        errors.at(
            keyword.span,
            "a workflow is no `async` function\nhelp: remove `async`; steps run in parallel by themselves",
        );
    }
    input.parse::<Token![fn]>().map_err(|error| {
        syn::Error::new(
            error.span(),
            "expected a workflow\nhelp: write `fn name(parameter: Type) -> Result<Type> { … }`",
        )
    })?;
    let name: Ident = input.parse()?;
    if input.peek(Token![<]) {
        let generics: syn::Generics = input.parse()?;
        errors
            .at(generics.span(), "a workflow has no generic parameters: its graph is fixed when it compiles");
    }
    let params = parse_params(input, errors)?;
    let result = parse_result(input, &name, errors)?;
    let body;
    syn::braced!(body in input);
    let body = parse_block(&body, true, errors)?;
    Ok(Workflow { attrs, schedule, vis, name, params, result, body })
}

fn parse_params(input: ParseStream, errors: &mut Errors) -> syn::Result<Vec<Param>> {
    let content;
    syn::parenthesized!(content in input);
    let mut params = Vec::new();
    for arg in content.parse_terminated(syn::FnArg::parse, Token![,])? {
        match arg {
            syn::FnArg::Receiver(receiver) => {
                errors.at(receiver.span(), "a workflow is no method: it has no `self`");
            }
            syn::FnArg::Typed(arg) => {
                if let Type::Reference(ty) = &*arg.ty {
                    errors.at(
                        ty.and_token.span,
                        "a workflow owns its parameters, since a run saves them\nhelp: remove the `&`",
                    );
                }
                match *arg.pat {
                    Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => {
                        params.push(Param { name: pat.ident, ty: *arg.ty });
                    }
                    other => errors.at(other.span(), "a parameter of a workflow is a plain name"),
                }
            }
        }
    }
    Ok(params)
}

fn parse_result(input: ParseStream, name: &Ident, errors: &mut Errors) -> syn::Result<Option<Type>> {
    if !input.peek(Token![->]) {
        errors.at(name.span(), format!("workflow `{name}` has no result type\nhelp: write `-> Result<()>` if there is nothing to return"));
        return Ok(None);
    }
    input.parse::<Token![->]>()?;
    let ty: Type = input.parse()?;
    if let Type::Path(path) = &ty
        && let Some(last) = path.path.segments.last()
        && last.ident == "Result"
        && let syn::PathArguments::AngleBracketed(args) = &last.arguments
        && args.args.len() == 1
        && let Some(syn::GenericArgument::Type(ok)) = args.args.first()
    {
        return Ok(Some(ok.clone()));
    }
    errors.at(ty.span(), "a workflow returns `Result<T>`, because any run can fail\nhelp: write `-> Result<T>`; the error type is the engine's");
    Ok(None)
}

fn parse_schedule(input: ParseStream, span: Span) -> syn::Result<Schedule> {
    let cron = input.parse()?;
    let mut schedule = Schedule { cron, timezone: None, fills: Vec::new(), span };
    while input.peek(Token![,]) {
        input.parse::<Token![,]>()?;
        if input.is_empty() {
            break;
        }
        let name: Ident = input.parse()?;
        input.parse::<Token![=]>()?;
        if name == "timezone" {
            schedule.timezone = Some(input.parse()?);
        } else {
            schedule.fills.push((name, input.parse()?));
        }
    }
    if !input.is_empty() {
        return Err(input.error("expected `,`"));
    }
    Ok(schedule)
}

/// Parses statements up to the end of the input.
fn parse_block(input: ParseStream, of_workflow: bool, errors: &mut Errors) -> syn::Result<Block> {
    if let Ok(stmts) = input.fork().call(syn::Block::parse_within) {
        input.parse::<TokenStream>()?;
        return Ok(block(stmts, of_workflow, errors));
    }
    // Something in here is wrong. Take it statement by statement, so that one
    // mistake costs one statement.
    let mut stmts = Block::default();
    let chunks = split_statements(input.parse()?);
    let last = chunks.len();
    for (index, chunk) in chunks.into_iter().enumerate() {
        match syn::Block::parse_within.parse2(chunk.clone()) {
            Ok(parsed) => {
                let mut parsed = block(parsed, of_workflow, errors).statements;
                if index + 1 < last {
                    for statement in &mut parsed {
                        if matches!(statement.binding, Binding::Tail) {
                            statement.binding = Binding::Discard;
                        }
                    }
                }
                stmts.statements.append(&mut parsed);
            }
            Err(error) => {
                errors.add(error);
                let span = chunk.span();
                stmts.statements.push(Statement {
                    options: Options::default(),
                    binding: Binding::Discard,
                    value: Value::Broken,
                    span,
                    broken: Cell::new(false),
                });
            }
        }
    }
    Ok(stmts)
}

/// Cuts tokens after each `;`, and after the braces of a control expression.
fn split_statements(tokens: TokenStream) -> Vec<TokenStream> {
    let mut chunks = vec![];
    let mut chunk: Vec<TokenTree> = vec![];
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let semicolon = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ';');
        let braces =
            matches!(&token, TokenTree::Group(group) if group.delimiter() == proc_macro2::Delimiter::Brace);
        chunk.push(token);
        let control =
            matches!(first_word(&chunk).as_deref(), Some("for" | "while" | "if" | "match" | "select"));
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
fn first_word(tokens: &[TokenTree]) -> Option<String> {
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

fn block(stmts: Vec<Stmt>, of_workflow: bool, errors: &mut Errors) -> Block {
    let last = stmts.len();
    let statements = stmts
        .into_iter()
        .enumerate()
        .filter_map(|(index, stmt)| statement(stmt, index + 1 == last, of_workflow, errors))
        .collect();
    Block { statements }
}

fn statement(stmt: Stmt, last: bool, of_workflow: bool, errors: &mut Errors) -> Option<Statement> {
    match stmt {
        Stmt::Local(local) => {
            let span = local.let_token.span;
            let options = options(local.attrs, errors);
            let (pat, ty) = match local.pat {
                Pat::Type(typed) => (*typed.pat, Some(*typed.ty)),
                pat => (pat, None),
            };
            let Some(init) = local.init else {
                errors.at(pat.span(), "a binding needs a value: `let x = task(…)?;`");
                return None;
            };
            if let Some((else_token, _)) = init.diverge {
                errors.at(
                    else_token.span,
                    "`let … else` cannot leave a workflow\nhelp: use `match`, with steps in its arms",
                );
            }
            let value = value(*init.expr, false, errors);
            Some(Statement {
                options,
                binding: Binding::Let { pat, ty },
                value,
                span,
                broken: Cell::new(false),
            })
        }
        Stmt::Expr(expr, semicolon) => expression(expr, semicolon.is_some(), last, of_workflow, errors),
        Stmt::Macro(stmt) => {
            let semicolon = stmt.semi_token.is_some();
            let expr = Expr::Macro(syn::ExprMacro { attrs: stmt.attrs, mac: stmt.mac });
            expression(expr, semicolon, last, of_workflow, errors)
        }
        Stmt::Item(item) => {
            errors.at(
                item.span(),
                "a workflow holds steps, no items\nhelp: put the item outside the `workflow!`",
            );
            None
        }
    }
}

fn expression(
    mut expr: Expr,
    semicolon: bool,
    last: bool,
    of_workflow: bool,
    errors: &mut Errors,
) -> Option<Statement> {
    let span = first_span(&expr);
    // syn puts the attributes of `#[a] x = y` on `x`.
    let attrs = match &mut expr {
        Expr::Assign(assign) => take_attrs(&mut assign.left),
        expr => take_attrs(expr),
    };
    let options = options(attrs, errors);
    if let Expr::Assign(assign) = expr {
        return match path_ident(&assign.left) {
            Some(name) => {
                let binding = Binding::Assign { name: name.clone() };
                Some(Statement {
                    options,
                    binding,
                    value: value(*assign.right, false, errors),
                    span,
                    broken: Cell::new(false),
                })
            }
            None => {
                errors.at(
                    assign.left.span(),
                    "a workflow assigns whole names\nhelp: make a task that returns the changed value",
                );
                None
            }
        };
    }
    let value = value(expr, of_workflow && last && !semicolon, errors);
    let tail = last && !semicolon && !is_unit(&value);
    let binding = if tail { Binding::Tail } else { Binding::Discard };
    Some(Statement { options, binding, value, span, broken: Cell::new(false) })
}

/// A control expression that stands for nothing, and so ends a region without
/// being its value.
fn is_unit(value: &Value) -> bool {
    match value {
        Value::While(_) => true,
        Value::For(value) => value.body.tail().is_none(),
        Value::Branch(value) => {
            value.word == "if"
                && value
                    .arms
                    .iter()
                    .any(|arm| matches!(arm.test, Test::Else) && arm.body.statements.is_empty())
        }
        _ => false,
    }
}

impl Block {
    pub(crate) fn tail(&self) -> Option<&Statement> {
        self.statements.last().filter(|statement| matches!(statement.binding, Binding::Tail))
    }
}

fn options(attrs: Vec<Attribute>, errors: &mut Errors) -> Options {
    let mut options = Options::default();
    for attr in attrs {
        let path = attr.path();
        let Some(name) = path.get_ident().map(ToString::to_string) else {
            errors.at(path.span(), "a statement of a workflow has no such attribute");
            continue;
        };
        let span = path.span();
        if options.step.read(&attr, errors) {
            if matches!(name.as_str(), "retry" | "timeout" | "deadline") {
                options.policy_span.get_or_insert(span);
            }
            continue;
        }
        let result = match name.as_str() {
            "after" => attr
                .parse_args_with(syn::punctuated::Punctuated::<Ident, Token![,]>::parse_terminated)
                .map(|names| options.after.extend(names)),
            "always" if options.always.is_some() => {
                Err(syn::Error::new(span, "the attribute `always` is given twice\nhelp: remove one of them"))
            }
            "always" => attr.meta.require_path_only().map(|_| options.always = Some(span)),
            "doc" => Ok(()),
            unknown => {
                let known = ["after", "limit", "name", "always", "retry", "timeout", "deadline"];
                let help = crate::diagnostics::help_with_names(unknown, &known, "attribute");
                Err(syn::Error::new(
                    span,
                    format!("a step of a workflow has no attribute `{unknown}`\n{help}"),
                ))
            }
        };
        if let Err(error) = result {
            errors.add(error);
        }
    }
    options.step.check(errors);
    options
}

/// Sorts an expression into step, region or pure expression.
fn value(expr: Expr, of_workflow: bool, errors: &mut Errors) -> Value {
    match expr {
        Expr::Paren(inner) if inner.attrs.is_empty() => value(*inner.expr, of_workflow, errors),
        Expr::Group(inner) => value(*inner.expr, of_workflow, errors),
        Expr::Try(outer) => match *outer.expr {
            Expr::Call(call) if is_step_call(&call) => call_value(call, Some(outer.question_token), errors),
            Expr::MethodCall(method) if is_signal(&method.receiver) => {
                signal_within(method, Some(outer.question_token), errors)
            }
            inner => Value::Pure(Expr::Try(syn::ExprTry { expr: Box::new(inner), ..outer })),
        },
        Expr::Call(mut call) if of_workflow && is_ok(&call) && call.args.len() == 1 => {
            match call.args.pop() {
                Some(arg) => Value::Ok(Box::new(value(arg, false, errors))),
                None => Value::Pure(Expr::Call(call)),
            }
        }
        Expr::Call(call) if is_step_call(&call) => call_value(call, None, errors),
        Expr::MethodCall(method) if is_signal(&method.receiver) => signal_within(method, None, errors),
        Expr::ForLoop(expr) => {
            if let Some(label) = expr.label {
                errors
                    .at(label.span(), "a `for` of a workflow has no label, because nothing breaks out of it");
            }
            Value::For(Box::new(For {
                keyword: expr.for_token,
                pat: *expr.pat,
                items: *expr.expr,
                body: block(expr.body.stmts, false, errors),
            }))
        }
        Expr::While(expr) => {
            if let Some(label) = expr.label {
                errors.at(
                    label.span(),
                    "a `while` of a workflow has no label, because nothing breaks out of it",
                );
            }
            Value::While(Box::new(While {
                keyword: expr.while_token,
                condition: *expr.cond,
                body: block(expr.body.stmts, false, errors),
            }))
        }
        Expr::If(expr) => Value::Branch(Box::new(branch_of_if(expr, of_workflow, errors))),
        Expr::Match(expr) => {
            let arms = expr
                .arms
                .into_iter()
                .enumerate()
                .map(|(index, arm)| {
                    let (pat, guard) = match arm.pat {
                        Pat::Guard(guarded) => (*guarded.pat, Some(*guarded.guard)),
                        pat => (pat, None),
                    };
                    let body = arm_body(*arm.body, of_workflow, errors);
                    Arm { label: index.to_string(), test: Test::Pattern { pat, guard }, body }
                })
                .collect();
            Value::Branch(Box::new(Branch {
                keyword: expr.match_token.span,
                word: "match",
                scrutinee: Some(*expr.expr),
                arms,
            }))
        }
        Expr::Loop(expr) => {
            errors.at(
                expr.loop_token.span,
                "a workflow has no endless `loop`\nhelp: use `#[limit(n)] while condition { … }`",
            );
            Value::Broken
        }
        Expr::Macro(expr) if expr.mac.path.is_ident("select") => {
            match expr.mac.parse_body_with(|input: ParseStream| parse_select(input, of_workflow, errors)) {
                Ok(arms) => {
                    let keyword = expr.mac.path.get_ident().cloned();
                    Value::Select(Box::new(Select {
                        keyword: keyword.unwrap_or_else(|| Ident::new("select", expr.mac.path.span())),
                        arms,
                    }))
                }
                Err(error) => {
                    errors.add(error);
                    Value::Broken
                }
            }
        }
        other => Value::Pure(other),
    }
}

fn branch_of_if(first: syn::ExprIf, of_workflow: bool, errors: &mut Errors) -> Branch {
    let keyword = first.if_token.span;
    let mut arms = Vec::new();
    let mut next = Some(Expr::If(first));
    while let Some(expr) = next {
        next = match expr {
            Expr::If(expr) => {
                let label =
                    if arms.is_empty() { "then".to_owned() } else { format!("else if {}", arms.len()) };
                let body = block(expr.then_branch.stmts, of_workflow, errors);
                arms.push(Arm { label, test: Test::If(*expr.cond), body });
                expr.else_branch.map(|(_, expr)| *expr)
            }
            other => {
                let body = arm_body(other, of_workflow, errors);
                arms.push(Arm { label: "else".to_owned(), test: Test::Else, body });
                return Branch { keyword, word: "if", scrutinee: None, arms };
            }
        };
    }
    arms.push(Arm { label: "else".to_owned(), test: Test::Else, body: Block::default() });
    Branch { keyword, word: "if", scrutinee: None, arms }
}

fn arm_body(expr: Expr, of_workflow: bool, errors: &mut Errors) -> Block {
    match expr {
        Expr::Block(expr) if expr.label.is_none() => block(expr.block.stmts, of_workflow, errors),
        expr => {
            Block { statements: expression(expr, false, true, of_workflow, errors).into_iter().collect() }
        }
    }
}

/// `pattern = step => value, …`
fn parse_select(input: ParseStream, of_workflow: bool, errors: &mut Errors) -> syn::Result<Vec<SelectArm>> {
    let mut arms = Vec::new();
    while !input.is_empty() {
        let pat = Pat::parse_multi_with_leading_vert(input)?;
        input.parse::<Token![=]>()?;
        let trigger: Expr = input.parse()?;
        input.parse::<Token![=>]>()?;
        let body: Expr = input.parse()?;
        let braces = matches!(body, Expr::Block(_));
        let span = first_span(&trigger);
        let value = value(trigger, false, errors);
        let trigger = Statement {
            options: Options::default(),
            binding: Binding::Discard,
            value,
            span,
            broken: Cell::new(false),
        };
        arms.push(SelectArm { pat, trigger, body: arm_body(body, of_workflow, errors) });
        if input.peek(Token![,]) {
            input.parse::<Token![,]>()?;
        } else if !input.is_empty() && !braces {
            return Err(input.error("expected `,` between the arms of `select!`"));
        }
    }
    Ok(arms)
}

fn call_value(call: syn::ExprCall, question: Option<Token![?]>, errors: &mut Errors) -> Value {
    let name = path_ident(&call.func).map(ToString::to_string);
    let built_in = matches!(name.as_deref(), Some("sleep" | "sleep_until")) || is_signal_path(&call.func);
    if built_in && let Some(question) = question {
        errors.at(question.span(), "this step cannot fail\nhelp: remove the `?`");
    }
    if is_signal_path(&call.func) {
        return match signal(call, errors) {
            Some(signal) => Value::Signal(signal),
            None => Value::Broken,
        };
    }
    match (name.as_deref(), call.args.len()) {
        (Some("sleep"), 1) | (Some("sleep_until"), 1) => {
            let keyword = path_ident(&call.func).cloned();
            let (Some(name), Some(arg)) = (keyword, call.args.into_iter().next()) else {
                return Value::Broken;
            };
            if name == "sleep" { Value::Sleep { name, arg } } else { Value::SleepUntil { name, arg } }
        }
        (Some(word @ ("sleep" | "sleep_until")), _) => {
            let example = if word == "sleep" { "sleep(\"10s\")" } else { "sleep_until(time)" };
            errors.at(call.func.span(), format!("`{word}` takes one argument: `{example}`"));
            Value::Broken
        }
        _ => Value::Call(step_call(call, question, errors)),
    }
}

fn step_call(call: syn::ExprCall, question: Option<Token![?]>, errors: &mut Errors) -> Call {
    let paren = call.paren_token;
    let path = match *call.func {
        Expr::Path(path) => path.path,
        other => Path::from(Ident::new("unknown", other.span())),
    };
    let args = call.args.into_iter().map(|arg| argument(arg, errors)).collect();
    Call { path, args, paren, question }
}

/// A step may stand where its value is used; it is named after its task.
fn argument(arg: Expr, errors: &mut Errors) -> Arg {
    let (lend, inner) = match arg {
        Expr::Reference(reference) if reference.mutability.is_none() && is_step(&reference.expr) => {
            (Some(reference.and_token), *reference.expr)
        }
        other if is_step(&other) => (None, other),
        other => return Arg::Expr(other),
    };
    let (call, question) = match inner {
        Expr::Try(outer) => (*outer.expr, Some(outer.question_token)),
        call => (call, None),
    };
    match call {
        Expr::Call(call) => Arg::Step { lend, call: step_call(call, question, errors) },
        other => Arg::Expr(other),
    }
}

fn is_step(expr: &Expr) -> bool {
    match expr {
        Expr::Try(outer) => matches!(&*outer.expr, Expr::Call(call) if is_step_call(call)),
        Expr::Call(call) => is_step_call(call),
        _ => false,
    }
}

fn signal_within(method: syn::ExprMethodCall, question: Option<Token![?]>, errors: &mut Errors) -> Value {
    let is_within = method.method == "within";
    let span = method.method.span();
    let Expr::Call(call) = *method.receiver else {
        return Value::Broken;
    };
    let Some(mut signal) = signal(call, errors) else {
        return Value::Broken;
    };
    if !is_within || method.args.len() != 1 {
        errors.at(span, "a signal has one option: `signal::<T>(\"name\").within(\"3d\")`");
    }
    signal.within = method.args.into_iter().next();
    signal.question = question;
    Value::Signal(signal)
}

/// `signal::<T>("name")`
fn signal(call: syn::ExprCall, errors: &mut Errors) -> Option<Signal> {
    let Expr::Path(path) = *call.func else { return None };
    let segment = path.path.segments.into_iter().next()?;
    let keyword = segment.ident;
    let ty = match segment.arguments {
        syn::PathArguments::AngleBracketed(args) => args.args.into_iter().find_map(|arg| match arg {
            syn::GenericArgument::Type(ty) => Some(ty),
            _ => None,
        }),
        _ => None,
    };
    let Some(ty) = ty else {
        errors.at(keyword.span(), "a signal has a type\nhelp: write `signal::<T>(\"name\")`, with the type of the value that is sent");
        return None;
    };
    match call.args.into_iter().next() {
        Some(Expr::Lit(syn::ExprLit { lit: Lit::Str(name), .. })) => {
            Some(Signal { keyword, ty, name, within: None, question: None })
        }
        other => {
            let span = other.map_or(keyword.span(), |other| other.span());
            errors.at(span, "a signal has a name, written as a text\nhelp: write `signal::<T>(\"name\")`");
            None
        }
    }
}

fn is_signal(expr: &Expr) -> bool {
    matches!(expr, Expr::Call(call) if is_signal_path(&call.func))
}

fn is_signal_path(func: &Expr) -> bool {
    matches!(func, Expr::Path(path) if path.path.segments.len() == 1 && path.path.segments[0].ident == "signal")
}

fn is_ok(call: &syn::ExprCall) -> bool {
    path_ident(&call.func).is_some_and(|ident| ident == "Ok")
}

/// A call whose last name is in lower case: a step, by the rules of the
/// language. Tuple structs and enum variants are in upper case.
pub(crate) fn is_step_call(call: &syn::ExprCall) -> bool {
    let Expr::Path(path) = &*call.func else { return false };
    path.qself.is_none()
        && path.path.segments.last().is_some_and(|segment| {
            let name = segment.ident.to_string();
            let name = name.strip_prefix("r#").unwrap_or(&name);
            // An associated function such as `Vec::new` is no step.
            let of_type = path.path.segments.iter().rev().nth(1).is_some_and(|owner| {
                owner.ident.to_string().starts_with(char::is_uppercase)
                    || matches!(owner.arguments, syn::PathArguments::AngleBracketed(_))
            });
            !of_type && name.starts_with(|c: char| c.is_lowercase() || c == '_')
        })
}

/// The name in an expression that is only a name.
pub(crate) fn path_ident(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Path(path) if path.qself.is_none() && path.attrs.is_empty() => path.path.get_ident(),
        _ => None,
    }
}

fn take_attrs(expr: &mut Expr) -> Vec<Attribute> {
    let attrs = match expr {
        Expr::Try(expr) => &mut expr.attrs,
        Expr::Call(expr) => &mut expr.attrs,
        Expr::MethodCall(expr) => &mut expr.attrs,
        Expr::ForLoop(expr) => &mut expr.attrs,
        Expr::While(expr) => &mut expr.attrs,
        Expr::If(expr) => &mut expr.attrs,
        Expr::Match(expr) => &mut expr.attrs,
        Expr::Macro(expr) => &mut expr.attrs,
        Expr::Path(expr) => &mut expr.attrs,
        _ => return Vec::new(),
    };
    std::mem::take(attrs)
}

/// Where an expression begins. On stable Rust a joined span is not to be had.
fn first_span(expr: &Expr) -> Span {
    use quote::ToTokens;
    expr.to_token_stream().into_iter().next().map_or_else(Span::call_site, |token| token.span())
}
