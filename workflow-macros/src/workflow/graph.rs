//! The graph as data: regions, steps, slots, and the expressions between
//! them. No syntax of statements and no checks.
//!
//! It carries tokens: what the user wrote between the steps (expressions,
//! patterns, types) is rewritten by `lower`, and from then on a `TokenStream`
//! that no later stage takes apart. `expand` writes it where it is evaluated,
//! and rustc says what is wrong with it, at the user's own spans.

use std::collections::{BTreeSet, HashMap};

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::{Ident, Path, Token};

/// A workflow's regions and everything its expressions can name.
#[derive(Default)]
pub(crate) struct Graph {
    /// The first is the body.
    pub(crate) regions: Vec<Region>,
    /// In the order they come into being, which is the order in which an
    /// expression's prelude has to repeat them.
    pub(crate) bindings: Vec<Binding>,
    pub(crate) signals: Vec<Signal>,
    /// Pure bindings that each use evaluates, since what they are may borrow.
    pub(crate) borrowing: BTreeSet<BindingId>,
}

pub(crate) struct Region {
    pub(crate) parent: Option<RegionId>,
    pub(crate) label: String,
    /// How many imports the opening step makes itself.
    pub(crate) extras: usize,
    /// The slots of the parent that the region takes over.
    pub(crate) captures: Vec<Slot>,
    pub(crate) steps: Vec<Step>,
    /// For each output slot, the step that fills it.
    pub(crate) outputs: Vec<StepId>,
    pub(crate) result: RegionValue,
    /// The last slot of each loop variable.
    pub(crate) carried: Vec<Slot>,
    /// Steps that what is written after them waits for.
    pub(crate) checks: Vec<StepId>,
}

pub(crate) type RegionId = usize;
pub(crate) type StepId = usize;
pub(crate) type BindingId = usize;

/// A slot of a region. Numbers are given once all captures are known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Slot {
    Extra(usize),
    Capture(usize),
    Output(usize),
}

/// The value of a region.
pub(crate) enum RegionValue {
    Nothing,
    Slot(Slot),
    Compute { code: Code, ty: TokenStream },
}

/// One or more names that expressions can use.
pub(crate) struct Binding {
    pub(crate) names: Vec<Ident>,
    pub(crate) region: RegionId,
    pub(crate) form: Form,
    pub(crate) mutable: bool,
    /// How often expressions and regions use it.
    pub(crate) uses: usize,
    /// Whether an expression of another region uses it, which may be evaluated
    /// many times.
    pub(crate) crosses: bool,
}

pub(crate) enum Form {
    /// The value of a slot, or parts of it through a pattern. `own` where an
    /// expression has it for itself.
    Slot { slot: Slot, ty: TokenStream, pat: Option<TokenStream>, own: bool },
    /// A pure expression, evaluated wherever it is used.
    /// `ty` is the type as written, `known` also one that follows.
    Pure { pat: TokenStream, ty: Option<TokenStream>, known: Option<TokenStream>, code: Code, by_ref: bool },
}

/// An expression with the bindings it uses.
#[derive(Clone, Default)]
pub(crate) struct Code {
    pub(crate) uses: Vec<BindingId>,
    pub(crate) tokens: TokenStream,
    /// Whether another evaluation may give another value.
    pub(crate) computed: bool,
}

pub(crate) struct Signal {
    pub(crate) name: Ident,
    pub(crate) ty: syn::Type,
    pub(crate) keyed: bool,
}

pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) kind: Kind,
    /// Steps of the same region that must end first.
    pub(crate) needs: BTreeSet<StepId>,
    /// As written; resolved once the region is complete.
    pub(crate) after: Vec<Ident>,
    /// The first of its output slots.
    pub(crate) output: usize,
    /// The type of each output slot.
    pub(crate) types: Vec<TokenStream>,
    pub(crate) failure: Failure,
    pub(crate) always: Option<Span>,
    /// The step's statement, for its fingerprint.
    pub(crate) source: String,
}

/// What a failure means, as far as the macro can tell.
pub(crate) enum Failure {
    /// `?`, or a step that cannot fail.
    FailRun,
    /// A call without `?`: rustc knows whether the task is fallible.
    AskTask,
    /// A signal with a time limit and without `?`.
    OfSignal,
}

pub(crate) enum Kind {
    /// `policy` is the step's own, where it overrides the task's.
    Call {
        path: Path,
        paren: syn::token::Paren,
        args: Vec<Input>,
        policy: Option<StepPolicy>,
    },
    Signal {
        name: String,
        ty: Box<syn::Type>,
        key: Option<Code>,
        within: Option<Code>,
    },
    Sleep {
        until: Code,
    },
    Map {
        items: Code,
        region: RegionId,
        limit: Option<u32>,
        /// The type of a result.
        item: TokenStream,
        /// The type of the items.
        list: TokenStream,
        /// How one of them is stored, at the place of the items: what is wrong
        /// with its type is said there, and once.
        codec: TokenStream,
    },
    Loop {
        initial: Vec<Initial>,
        test: Code,
        region: RegionId,
        limit: Option<u32>,
    },
    Branch {
        word: &'static str,
        choose: Code,
        arms: Vec<RegionId>,
    },
    Select {
        race: RegionId,
        arms: Vec<RegionId>,
    },
    Compute {
        code: Code,
        ty: TokenStream,
    },
    /// `?` on an expression, and `fail!`.
    Check {
        code: Code,
    },
}

/// The policy of a step that overrides its task's, as a constant expression.
pub(crate) struct StepPolicy {
    pub(crate) policy: TokenStream,
    /// Whether it says how to wait between attempts.
    pub(crate) waits: bool,
    /// Where the first override stands.
    pub(crate) span: Span,
}

/// The first value of a loop variable.
pub(crate) enum Initial {
    /// A slot as it is.
    Slot(Slot),
    Compute {
        code: Code,
        ty: TokenStream,
    },
}

pub(crate) enum Input {
    /// A plain name: moved on its only use, copied otherwise.
    Own { binding: BindingId, name: Ident },
    /// The result of a step that has no name.
    Step { lend: Option<Token![&]>, binding: BindingId, span: Span },
    /// Any other expression. `lends` if its value may borrow from the function
    /// that evaluates it, and not only from the values of other steps.
    /// A `place` is copied.
    Code { code: Code, lends: bool, place: bool },
}

impl Graph {
    /// The slot of `region` that holds what `slot` of `owner` holds, captured
    /// region by region on the way in.
    pub(crate) fn import(&mut self, region: RegionId, owner: RegionId, slot: Slot) -> Slot {
        if region == owner {
            return slot;
        }
        let Some(parent) = self.regions[region].parent else {
            // Names are in scope only inside the region that owns them, so
            // the walk outwards meets the owner before the body's outside.
            return slot;
        };
        let outside = self.import(parent, owner, slot);
        let captures = &mut self.regions[region].captures;
        let index = captures.iter().position(|capture| *capture == outside).unwrap_or_else(|| {
            captures.push(outside);
            captures.len() - 1
        });
        Slot::Capture(index)
    }

    /// All bindings that an expression rests on, in the order its prelude
    /// repeats them.
    pub(crate) fn closure(&self, uses: &[BindingId]) -> BTreeSet<BindingId> {
        let mut all = BTreeSet::new();
        let mut open = uses.to_vec();
        while let Some(binding) = open.pop() {
            if all.insert(binding)
                && let Form::Pure { code, .. } = &self.bindings[binding].form
            {
                open.extend(&code.uses);
            }
        }
        all
    }

    /// Whether another evaluation of what uses these may give another value.
    pub(crate) fn is_computed(&self, uses: &[BindingId]) -> bool {
        self.closure(uses)
            .into_iter()
            .any(|binding| matches!(&self.bindings[binding].form, Form::Pure { code, .. } if code.computed))
    }

    /// Captures what an expression in `region` needs, and says which slots of
    /// `region` that is.
    pub(crate) fn slots_of(&mut self, region: RegionId, uses: &[BindingId]) -> Vec<Slot> {
        let bindings = self.closure(uses);
        let mut slots = Vec::new();
        for binding in bindings {
            let owner = self.bindings[binding].region;
            if let Form::Slot { slot, .. } = &self.bindings[binding].form {
                let slot = self.import(region, owner, *slot);
                if !slots.contains(&slot) {
                    slots.push(slot);
                }
            }
        }
        slots
    }

    /// What a step rests on that its own words do not say: the pure bindings
    /// it uses, a loop's first values, and what its regions are worth. Empty
    /// where there is nothing of that.
    pub(crate) fn beneath(&self, step: &Step) -> String {
        let mut uses: Vec<BindingId> = step.kind.codes().into_iter().flatten().collect();
        let mut texts = Vec::new();
        if let Kind::Loop { initial, .. } = &step.kind {
            texts.extend(initial.iter().filter_map(|initial| match initial {
                Initial::Compute { code, .. } => Some(code.tokens.to_string()),
                Initial::Slot(_) => None,
            }));
        }
        for region in step.kind.regions() {
            if let RegionValue::Compute { code, .. } = &self.regions[region].result {
                uses.extend(&code.uses);
                texts.push(format!("worth {}", code.tokens));
            }
        }
        for binding in self.closure(&uses) {
            if let Form::Pure { pat, code, .. } = &self.bindings[binding].form {
                texts.push(format!("{pat} = {}", code.tokens));
            }
        }
        texts.join("; ")
    }

    /// The number of a slot in its frame.
    pub(crate) fn number(&self, region: RegionId, slot: Slot) -> usize {
        let region = &self.regions[region];
        match slot {
            Slot::Extra(index) => index,
            Slot::Capture(index) => region.extras + index,
            Slot::Output(index) => region.extras + region.captures.len() + index,
        }
    }
}

impl Region {
    /// How many slots a frame has.
    pub(crate) fn slots(&self) -> usize {
        self.extras + self.captures.len() + self.outputs.len()
    }

    /// The names of its steps. Steps named after their keyword are told apart
    /// by numbers: `if`, `if-2`.
    pub(crate) fn step_names(&self) -> Vec<String> {
        let mut found: HashMap<&str, usize> = HashMap::new();
        let names = self.steps.iter().map(|step| {
            let number = found.entry(&step.name).or_default();
            *number += 1;
            if *number > 1 && step.is_numbered() {
                format!("{}-{number}", step.name)
            } else {
                step.name.clone()
            }
        });
        names.collect()
    }
}

impl Step {
    /// Whether it has the name of its keyword; such names get numbers.
    pub(crate) fn is_numbered(&self) -> bool {
        match &self.kind {
            Kind::Map { .. } => self.name == "for",
            Kind::Loop { .. } => self.name == "while",
            Kind::Branch { word, .. } => self.name == *word,
            Kind::Select { .. } => self.name == "select",
            Kind::Sleep { .. } => self.name == "sleep" || self.name == "sleep_until",
            Kind::Check { .. } => self.name == "check" || self.name == "fail",
            Kind::Call { .. } | Kind::Signal { .. } | Kind::Compute { .. } => false,
        }
    }
}

impl Kind {
    /// The regions a step opens.
    pub(crate) fn regions(&self) -> Vec<RegionId> {
        match self {
            Kind::Map { region, .. } | Kind::Loop { region, .. } => vec![*region],
            Kind::Branch { arms, .. } => arms.clone(),
            Kind::Select { race, arms } => std::iter::once(*race).chain(arms.iter().copied()).collect(),
            _ => Vec::new(),
        }
    }

    /// What the expressions evaluated in the step's own region use.
    pub(crate) fn codes(&self) -> Vec<Vec<BindingId>> {
        match self {
            Kind::Call { args, .. } => args
                .iter()
                .map(|arg| match arg {
                    Input::Own { binding, .. } | Input::Step { binding, .. } => vec![*binding],
                    Input::Code { code, .. } => code.uses.clone(),
                })
                .collect(),
            Kind::Signal { key, within, .. } => {
                key.iter().chain(within).map(|code| code.uses.clone()).collect()
            }
            Kind::Loop { initial, .. } => initial
                .iter()
                .filter_map(|initial| match initial {
                    Initial::Compute { code, .. } => Some(code.uses.clone()),
                    Initial::Slot(_) => None,
                })
                .collect(),
            Kind::Sleep { until: code }
            | Kind::Map { items: code, .. }
            | Kind::Branch { choose: code, .. }
            | Kind::Check { code }
            | Kind::Compute { code, .. } => vec![code.uses.clone()],
            Kind::Select { .. } => Vec::new(),
        }
    }

    /// Slots that are taken as they are.
    pub(crate) fn slots(&self) -> Vec<Slot> {
        match self {
            Kind::Loop { initial, .. } => initial
                .iter()
                .filter_map(|initial| match initial {
                    Initial::Slot(slot) => Some(*slot),
                    Initial::Compute { .. } => None,
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    /// What the step does, as text for its fingerprint. Regions have
    /// fingerprints of their own.
    pub(crate) fn source(&self) -> String {
        match self {
            Kind::Call { path, args, .. } => {
                let args = args.iter().map(|arg| match arg {
                    Input::Own { name, .. } => name.to_string(),
                    Input::Step { lend, .. } => if lend.is_some() { "&step" } else { "step" }.to_owned(),
                    Input::Code { code, .. } => code.tokens.to_string(),
                });
                format!("{}({})", path.to_token_stream(), args.collect::<Vec<_>>().join(", "))
            }
            Kind::Signal { name, ty, key, .. } => {
                let keyed = key.as_ref().map(|key| format!(" keyed {}", key.tokens));
                format!("signal {name}: {}{}", ty.to_token_stream(), keyed.unwrap_or_default())
            }
            // How long a sleep or a signal waits, and how many at a time, is
            // no part of what the step means to a run in flight.
            Kind::Sleep { .. } => "sleep".to_owned(),
            Kind::Map { items, .. } => format!("for {}", items.tokens),
            Kind::Loop { test, .. } => format!("while {}", test.tokens),
            Kind::Branch { word, choose, .. } => format!("{word} {}", choose.tokens),
            Kind::Select { .. } => "select".to_owned(),
            Kind::Compute { code, .. } => format!("= {}", code.tokens),
            Kind::Check { code } => format!("check {}", code.tokens),
        }
    }
}
