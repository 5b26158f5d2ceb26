//! What the user wrote, with spans; possibly incomplete. No order, no numbers,
//! and nothing resolved.

use std::cell::Cell;
use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::{Attribute, Expr, Ident, LitStr, Pat, Path, Token, Type, Visibility};

use crate::options::StepOptions;

/// A whole workflow.
pub(crate) struct Workflow {
    /// Doc comments and other attributes that are passed on.
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) schedule: Option<Schedule>,
    pub(crate) vis: Visibility,
    pub(crate) name: Ident,
    pub(crate) params: Vec<Param>,
    /// The `T` of the result type `Result<T>`; absent where that was wrong.
    pub(crate) result: Option<ResultType>,
    /// Whether a mistake in a parameter makes all that uses it wrong too.
    pub(crate) broken: bool,
    pub(crate) body: Block,
}

/// The result type `Result<T>`: its `T`, and what the user calls `Result`.
pub(crate) struct ResultType {
    pub(crate) ty: Type,
    pub(crate) alias: Path,
}

impl ToTokens for ResultType {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.ty.to_tokens(tokens);
    }
}

pub(crate) struct Param {
    pub(crate) name: Ident,
    pub(crate) ty: Type,
}

/// `#[schedule("cron", timezone = "…", param = expr, …)]`
pub(crate) struct Schedule {
    pub(crate) cron: Option<LitStr>,
    pub(crate) every: Option<(Duration, Span)>,
    pub(crate) timezone: Option<LitStr>,
    pub(crate) missed: Option<(Missed, Span)>,
    pub(crate) overlap: Option<Overlap>,
    pub(crate) fills: Vec<(Ident, Expr)>,
    pub(crate) span: Span,
    /// Whether a part of it could not be read, which has been reported: then
    /// nothing is known to be missing.
    pub(crate) broken: bool,
}

impl Schedule {
    pub(crate) fn empty(span: Span) -> Self {
        Self {
            cron: None,
            every: None,
            timezone: None,
            missed: None,
            overlap: None,
            fills: Vec::new(),
            span,
            broken: false,
        }
    }
}

/// `missed = …`
#[derive(Clone, Copy)]
pub(crate) enum Missed {
    Latest,
    None,
    All(u32),
}

/// `overlap = …`
#[derive(Clone, Copy)]
pub(crate) enum Overlap {
    Skip,
    Queue,
    CancelOld,
    Allow,
}

/// The statements of a region, and the value it ends with.
pub(crate) struct Block {
    pub(crate) statements: Vec<Statement>,
    /// The braces around it, if it has any.
    pub(crate) span: Span,
}

pub(crate) struct Statement {
    pub(crate) options: StatementOptions,
    pub(crate) target: Target,
    pub(crate) value: Value,
    /// The token the statement starts with, for messages about all of it.
    pub(crate) span: Span,
    /// Set once a mistake in it has been reported, so that the mirror leaves
    /// it out and rustc does not report it again. Mistakes inside a region
    /// are those of its own statements.
    pub(crate) broken: Cell<bool>,
}

/// The attributes of a statement.
#[derive(Default)]
pub(crate) struct StatementOptions {
    pub(crate) after: Vec<Ident>,
    pub(crate) always: Option<Span>,
    /// The numbers of the attributes that these are, by which it is known
    /// that no other is left.
    pub(crate) read: Vec<usize>,
    /// Name, limit, retries and time limits.
    pub(crate) step: StepOptions,
    /// Where the first of the retries and time limits stands, to say that
    /// they do not belong.
    pub(crate) policy_span: Option<Span>,
}

/// What a statement does with its value.
#[expect(clippy::large_enum_variant, reason = "there are few of them, and they do not live long")]
pub(crate) enum Target {
    /// `let pattern: T = …;`
    Let { pat: Pat, ty: Option<Type> },
    /// `x = …;`
    Assign { name: Ident },
    /// `…;`
    Discard,
    /// `…` at the end: the value of the region.
    Tail,
    /// What stands inside an expression, and was taken out of it: the
    /// expression has the name in its place. `bound` is what the whole
    /// expression is bound to, where the step has its name from there.
    Part { name: Ident, bound: Option<Ident>, form: PartForm },
}

/// What an expression does with the value of a step inside it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum PartForm {
    /// It looks at it, as in `weigh(id)?.grams`.
    Lent,
    /// It has it for itself, as in `weigh(id).unwrap_or(0)`.
    Owned,
}

/// What stands on the right of a statement.
#[expect(clippy::large_enum_variant, reason = "there are few of them, and they do not live long")]
pub(crate) enum Value {
    Call(Call),
    Sleep {
        name: Ident,
        arg: Expr,
    },
    SleepUntil {
        name: Ident,
        arg: Expr,
    },
    Signal(SignalCall),
    For(Box<For>),
    While(Box<While>),
    Branch(Box<Branch>),
    Select(Box<Select>),
    /// `Ok(value)` at the end of a workflow.
    Ok(Box<Value>),
    /// `expression?`: a step that fails at once where it is an error.
    Try {
        expr: Expr,
        question: Token![?],
    },
    /// `let pattern = expression else { fail!(…) };`
    Else {
        keyword: Token![else],
        expr: Expr,
        fail: Fail,
    },
    /// `fail!(…)`: a step that fails.
    Fail(Fail),
    /// Any other expression.
    Pure(Expr),
    /// What could not be parsed and has been reported.
    Broken,
}

/// `path(args)` or `path(args)?`
pub(crate) struct Call {
    pub(crate) path: Path,
    pub(crate) args: Vec<Arg>,
    pub(crate) paren: syn::token::Paren,
    pub(crate) question: Option<Token![?]>,
}

pub(crate) enum Arg {
    Expr(Expr),
    /// A step called where it is used: `summarise(&fetch(url)?)`.
    Step {
        lend: Option<Token![&]>,
        call: Call,
    },
}

/// `signal::<T>("name").keyed(order.id).within("3d")?`
pub(crate) struct SignalCall {
    pub(crate) keyword: Ident,
    pub(crate) ty: Type,
    pub(crate) name: LitStr,
    pub(crate) key: Option<Expr>,
    pub(crate) within: Option<Expr>,
    pub(crate) question: Option<Token![?]>,
}

/// In what words, or with what error, a run fails.
pub(crate) struct Fail {
    pub(crate) keyword: Span,
    pub(crate) with: FailWith,
}

pub(crate) enum FailWith {
    /// What `format!` takes.
    Words(syn::Macro),
    /// A value that is an error.
    Error(Expr),
}

pub(crate) struct For {
    pub(crate) keyword: Token![for],
    pub(crate) pat: Pat,
    pub(crate) items: Expr,
    /// Whether an item is found again by its place, because its type is not
    /// known; set when it is lowered.
    pub(crate) by_place: Cell<bool>,
    pub(crate) body: Block,
}

pub(crate) struct While {
    pub(crate) keyword: Token![while],
    pub(crate) condition: Expr,
    pub(crate) body: Block,
}

/// `if` chains and `match` alike.
pub(crate) struct Branch {
    pub(crate) keyword: Span,
    /// `if` or `match`.
    pub(crate) word: &'static str,
    /// What a `match` looks at.
    pub(crate) scrutinee: Option<Expr>,
    /// The braces of a `match`.
    pub(crate) brace: Span,
    pub(crate) arms: Vec<Arm>,
    /// All of it, where its arms hold no step: it may be an expression.
    pub(crate) pure: Option<Expr>,
    /// Whether it is one, because the type of its value is not known; set when
    /// it is lowered.
    pub(crate) is_pure: Cell<bool>,
}

pub(crate) struct Arm {
    pub(crate) label: String,
    pub(crate) test: Test,
    pub(crate) body: Block,
}

/// When an arm is chosen.
pub(crate) enum Test {
    /// `if condition`, with any `let` inside it.
    If(Expr),
    /// The last `else`.
    Else { written: bool },
    /// `pattern if guard =>`
    Pattern { pat: Pat, guard: Option<Expr> },
}

pub(crate) struct Select {
    pub(crate) keyword: Ident,
    pub(crate) brace: Span,
    pub(crate) arms: Vec<SelectArm>,
}

pub(crate) struct SelectArm {
    pub(crate) pat: Pat,
    pub(crate) trigger: Statement,
    pub(crate) body: Block,
}

impl Workflow {
    /// The attributes above the `fn` that are called so.
    pub(crate) fn attributes(&self, name: &'static str) -> impl Iterator<Item = &Attribute> {
        self.attrs.iter().filter(move |attr| attr.path().is_ident(name))
    }
}

impl Block {
    /// All statements, those of the regions in them included.
    pub(crate) fn each_statement(&self, visit: &mut dyn FnMut(&Statement)) {
        for statement in &self.statements {
            visit(statement);
            statement.value.each_statement(visit);
        }
    }
}

impl Value {
    /// Whether it ends a run by itself: `?` on an expression, `fail!`, and an
    /// `if` or a `match` of which an arm does.
    pub(crate) fn may_fail(&self) -> bool {
        match self {
            Self::Try { .. } | Self::Fail(_) => true,
            Self::Branch(branch) => {
                let mut statements = branch.arms.iter().flat_map(|arm| &arm.body.statements);
                statements.any(|statement| statement.value.may_fail())
            }
            _ => false,
        }
    }

    fn each_statement(&self, visit: &mut dyn FnMut(&Statement)) {
        match self {
            Self::For(value) => value.body.each_statement(visit),
            Self::While(value) => value.body.each_statement(visit),
            Self::Branch(branch) => branch.arms.iter().for_each(|arm| arm.body.each_statement(visit)),
            Self::Select(select) => {
                for arm in &select.arms {
                    visit(&arm.trigger);
                    arm.body.each_statement(visit);
                }
            }
            Self::Ok(inner) => inner.each_statement(visit),
            Self::Call(_)
            | Self::Sleep { .. }
            | Self::SleepUntil { .. }
            | Self::Signal(_)
            | Self::Try { .. }
            | Self::Else { .. }
            | Self::Fail(_)
            | Self::Pure(_)
            | Self::Broken => {}
        }
    }
}
