//! What the user wrote, with spans; possibly incomplete. No order, no numbers,
//! and nothing resolved.

use std::cell::Cell;

use proc_macro2::Span;
use syn::{Attribute, Expr, Ident, LitInt, LitStr, Pat, Path, Token, Type, Visibility};

use crate::options::StepOptions;

/// A whole workflow.
pub(crate) struct Workflow {
    /// Doc comments and other attributes that are passed on.
    pub attrs: Vec<Attribute>,
    pub schedule: Option<Schedule>,
    pub vis: Visibility,
    pub name: Ident,
    pub params: Vec<Param>,
    /// The `T` of the result type `Result<T>`; absent where that was wrong.
    pub result: Option<Type>,
    pub body: Block,
}

pub(crate) struct Param {
    pub name: Ident,
    pub ty: Type,
}

/// `#[schedule("cron", timezone = "…", param = expr, …)]`
pub(crate) struct Schedule {
    pub cron: LitStr,
    pub timezone: Option<LitStr>,
    pub fills: Vec<(Ident, Expr)>,
    pub span: Span,
}

/// The statements of a region, and the value it ends with.
#[derive(Default)]
pub(crate) struct Block {
    pub statements: Vec<Statement>,
}

pub(crate) struct Statement {
    pub options: Options,
    pub binding: Binding,
    pub value: Value,
    /// The token the statement starts with, for messages about all of it.
    pub span: Span,
    /// Set once a mistake in it has been reported, so that the mirror leaves
    /// it out and rustc does not report it again.
    pub broken: Cell<bool>,
}

/// The attributes of a statement.
#[derive(Default)]
pub(crate) struct Options {
    pub after: Vec<Ident>,
    pub limit: Option<LitInt>,
    pub always: Option<Span>,
    pub name: Option<LitStr>,
    /// Retries and time limits, as for a task.
    pub policy: StepOptions,
    /// Where the first of `policy` stands, to say that it does not belong.
    pub policy_span: Option<Span>,
}

/// What a statement does with its value.
pub(crate) enum Binding {
    /// `let pattern: T = …;`
    Let { pat: Pat, ty: Option<Type> },
    /// `x = …;`
    Assign { name: Ident },
    /// `…;`
    Discard,
    /// `…` at the end: the value of the region.
    Tail,
}

/// What stands on the right of a statement.
pub(crate) enum Value {
    Call(Call),
    Sleep { name: Ident, arg: Expr },
    SleepUntil { name: Ident, arg: Expr },
    Signal(Signal),
    For(Box<For>),
    While(Box<While>),
    Branch(Box<Branch>),
    Select(Box<Select>),
    /// `Ok(value)` at the end of a workflow.
    Ok(Box<Value>),
    /// Any other expression.
    Pure(Expr),
    /// What could not be parsed and has been reported.
    Broken,
}

/// `path(args)` or `path(args)?`
pub(crate) struct Call {
    pub path: Path,
    pub args: Vec<Arg>,
    pub paren: syn::token::Paren,
    pub question: Option<Token![?]>,
}

pub(crate) enum Arg {
    Expr(Expr),
    /// A step called where it is used: `summarise(&fetch(url)?)`.
    Step { lend: Option<Token![&]>, call: Call },
}

/// `signal::<T>("name").within("3d")?`
pub(crate) struct Signal {
    pub keyword: Ident,
    pub ty: Type,
    pub name: LitStr,
    pub within: Option<Expr>,
    pub question: Option<Token![?]>,
}

pub(crate) struct For {
    pub keyword: Token![for],
    pub pat: Pat,
    pub items: Expr,
    pub body: Block,
}

pub(crate) struct While {
    pub keyword: Token![while],
    pub condition: Expr,
    pub body: Block,
}

/// `if` chains and `match` alike.
pub(crate) struct Branch {
    pub keyword: Span,
    /// `if` or `match`.
    pub word: &'static str,
    /// What a `match` looks at.
    pub scrutinee: Option<Expr>,
    pub arms: Vec<Arm>,
}

pub(crate) struct Arm {
    pub label: String,
    pub test: Test,
    pub body: Block,
}

/// When an arm is chosen.
pub(crate) enum Test {
    /// `if condition`, with any `let` inside it.
    If(Expr),
    /// The last `else`, written or not.
    Else,
    /// `pattern if guard =>`
    Pattern { pat: Pat, guard: Option<Expr> },
}

pub(crate) struct Select {
    pub keyword: Ident,
    pub arms: Vec<SelectArm>,
}

pub(crate) struct SelectArm {
    pub pat: Pat,
    pub trigger: Statement,
    pub body: Block,
}
