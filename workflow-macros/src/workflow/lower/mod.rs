//! Syntax tree to graph: resolves names, cuts regions, numbers steps and
//! slots. Shape rules (cycles, limits, duplicate names) are in `check`.

use std::collections::{BTreeSet, HashSet};

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{Expr, Ident, Pat};

use crate::diagnostics::Errors;
use crate::workflow::ast::{self, Block, Statement};
use crate::workflow::graph::*;
use crate::workflow::pattern::{check_pattern, pattern_names};
use crate::workflow::rewrite::{Mode, Names};
use crate::workflow::scope::Scope;
use crate::workflow::spelling::path_ident;
use declared::Declared;

mod calls;
mod code;
mod declared;
mod failing;
mod loops;
mod regions;
mod statement;

/// Lowers a workflow. Mistakes in names go to `errors`; what can be lowered is.
pub(crate) fn lower(workflow: &ast::Workflow, errors: &mut Errors) -> Graph {
    let mut declared = Declared::default();
    declared.visit(&workflow.body);
    let mut lower = Lower {
        workflow: &workflow.name,
        graph: Graph::default(),
        errors,
        scope: Scope::default(),
        seen: HashSet::new(),
        declared,
        loops: Vec::new(),
        items: 0,
        tails: vec![0],
        failed: false,
        decides_once: false,
    };
    let body = lower.region(None, String::new(), workflow.params.len());
    for (index, param) in workflow.params.iter().enumerate() {
        let ty = param.ty.to_token_stream();
        lower.bind_slot(body, &param.name, Slot::Extra(index), ty);
    }
    let expected = workflow.result.as_ref().map(ToTokens::to_token_stream);
    lower.block(&workflow.body, body, expected.as_ref());
    lower.graph
}

/// What a statement leaves to those after it.
enum Out<'a> {
    /// A slot with a value of a known type.
    Slot(Slot, TokenStream),
    /// A pure expression, not evaluated yet.
    Pure(&'a Expr),
    /// Nothing worth a name.
    Nothing,
    /// It always fails, and stands for a value of any type.
    Never,
}

struct Lower<'a> {
    workflow: &'a Ident,
    graph: Graph,
    errors: &'a mut Errors,
    scope: Scope<BindingId>,
    /// All names that have been in scope so far.
    seen: HashSet<String>,
    declared: Declared,
    /// The `while` bodies around the current statement, their variables, and
    /// how many `for`s are around them.
    loops: Vec<(RegionId, Vec<String>, usize)>,
    /// How many `for`s are around the current statement.
    items: usize,
    /// The body, and the arms that end like it: a step at their end is the
    /// workflow's result and needs no `?`.
    tails: Vec<RegionId>,
    /// Whether a mistake was found in the current statement.
    failed: bool,
    /// Whether what is lowered is evaluated once, and its value stored: when a
    /// wait ends.
    decides_once: bool,
}

impl Names for Lower<'_> {
    fn mode(&self, name: &Ident) -> Option<Mode> {
        let binding = self.lookup(&name.to_string())?;
        Some(match &self.graph.bindings[binding].form {
            Form::Slot { own: false, .. } | Form::Pure { by_ref: true, .. } => Mode::Ref,
            Form::Slot { own: true, .. } | Form::Pure { by_ref: false, .. } => Mode::Place,
        })
    }

    fn is_step(&self, name: &Ident) -> bool {
        self.declared.tasks.contains(&name.to_string())
    }

    fn is_decided_once(&self) -> bool {
        self.decides_once
    }
}

impl Lower<'_> {
    fn lookup(&self, name: &str) -> Option<BindingId> {
        self.scope.find(name)
    }

    fn error(&mut self, span: Span, message: impl std::fmt::Display) {
        self.failed = true;
        self.errors.at(span, message);
    }

    fn region(&mut self, parent: Option<RegionId>, label: String, extras: usize) -> RegionId {
        self.graph.regions.push(Region {
            parent,
            label,
            extras,
            captures: Vec::new(),
            steps: Vec::new(),
            outputs: Vec::new(),
            result: RegionValue::Nothing,
            carried: Vec::new(),
            checks: Vec::new(),
        });
        self.graph.regions.len() - 1
    }

    fn bind(&mut self, binding: Binding) -> BindingId {
        let id = self.graph.bindings.len();
        for name in &binding.names {
            self.seen.insert(name.to_string());
            self.scope.push(name.to_string(), id);
        }
        self.graph.bindings.push(binding);
        id
    }

    fn bind_slot(&mut self, region: RegionId, name: &Ident, slot: Slot, ty: TokenStream) -> BindingId {
        let form = Form::Slot { slot, ty, pat: None, own: false };
        self.bind(Binding {
            names: vec![name.clone()],
            region,
            form,
            mutable: false,
            uses: 0,
            crosses: false,
        })
    }

    /// Binds what a pattern takes out of a slot.
    fn bind_pattern(&mut self, region: RegionId, pat: &Pat, slot: Slot, ty: TokenStream) {
        self.check_pattern(pat, false);
        self.bind_checked(region, pat, slot, ty);
    }

    fn check_pattern(&mut self, pat: &Pat, mutable: bool) {
        let mut errors = Vec::new();
        check_pattern(pat, mutable, &mut errors);
        self.report(errors);
    }

    fn bind_checked(&mut self, region: RegionId, pat: &Pat, slot: Slot, ty: TokenStream) {
        let mut names = Vec::new();
        pattern_names(pat, &mut names);
        let plain = match pat {
            Pat::Ident(pat) => pat.subpat.is_none(),
            _ => false,
        };
        let mutable = matches!(pat, Pat::Ident(pat) if pat.mutability.is_some());
        let pat = (!plain).then(|| pat.to_token_stream());
        self.bind(Binding {
            names,
            region,
            form: Form::Slot { slot, ty, pat, own: false },
            mutable,
            uses: 0,
            crosses: false,
        });
    }

    fn report(&mut self, errors: Vec<syn::Error>) {
        self.failed |= !errors.is_empty();
        errors.into_iter().for_each(|error| self.errors.add(error));
    }

    /// Lowers the statements of a region and sets its result.
    fn block(
        &mut self,
        block: &Block,
        region: RegionId,
        expected: Option<&TokenStream>,
    ) -> Option<TokenStream> {
        let outside = self.scope.len();
        let mut value = None;
        let failed = std::mem::take(&mut self.failed);
        for statement in &block.statements {
            self.failed = false;
            let tail = matches!(statement.target, ast::Target::Tail);
            let expected = if tail { expected } else { None };
            let out = self.statement(statement, region, expected);
            if tail {
                value = self.region_value(out, region, expected);
            }
            statement.broken.set(self.failed);
        }
        self.failed = failed;
        self.scope.leave(outside);
        value
    }

    /// Sets what a region is worth; its type, where it is known.
    fn region_value(
        &mut self,
        out: Out<'_>,
        region: RegionId,
        expected: Option<&TokenStream>,
    ) -> Option<TokenStream> {
        let (result, ty) = match out {
            Out::Nothing => (RegionValue::Nothing, Some(quote!(()))),
            Out::Never => (RegionValue::Nothing, None),
            Out::Slot(slot, ty) => (RegionValue::Slot(slot), Some(ty)),
            Out::Pure(expr) => {
                if let Some(binding) = path_ident(expr).and_then(|name| self.lookup(&name.to_string()))
                    && let Form::Slot { slot, ty, pat: None, .. } = &self.graph.bindings[binding].form
                {
                    let (slot, ty, owner) = (*slot, ty.clone(), self.graph.bindings[binding].region);
                    self.graph.bindings[binding].uses += 1;
                    let slot = self.graph.import(region, owner, slot);
                    (RegionValue::Slot(slot), Some(ty))
                } else {
                    let ty = expected.cloned().or_else(|| self.type_of(expr));
                    let code = self.owned(expr, region);
                    // A missing type is filled in from another arm, or reported.
                    (RegionValue::Compute { code, ty: ty.clone().unwrap_or_default() }, ty)
                }
            }
        };
        self.graph.regions[region].result = result;
        ty
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of a step")]
    fn push_step(
        &mut self,
        statement: &Statement,
        name: String,
        span: Span,
        kind: Kind,
        types: Vec<TokenStream>,
        failure: Failure,
        region: RegionId,
    ) -> Slot {
        let mut slots: Vec<Slot> = Vec::new();
        for uses in kind.codes() {
            slots.extend(self.graph.slots_of(region, &uses));
        }
        for opened in kind.regions() {
            slots.extend(self.graph.regions[opened].captures.iter().copied());
        }
        slots.extend(kind.slots());
        let source = kind.source();
        let this = &mut self.graph.regions[region];
        // A check that leaves no name holds up what is written after it: that is
        // all that it can be for. What runs however the run ends is held by
        // nothing.
        let held = if statement.options.always.is_none() { &this.checks[..] } else { &[] };
        let needs: BTreeSet<StepId> = slots
            .into_iter()
            .filter_map(|slot| match slot {
                Slot::Output(output) => Some(this.outputs[output]),
                Slot::Extra(_) | Slot::Capture(_) => None,
            })
            .chain(held.iter().copied())
            .collect();
        let output = this.outputs.len();
        let step = this.steps.len();
        this.outputs.extend(types.iter().map(|_| step));
        if matches!(statement.target, ast::Target::Discard) && statement.value.may_fail() {
            this.checks.push(step);
        }
        this.steps.push(Step {
            name,
            span,
            kind,
            needs,
            after: statement.options.after.clone(),
            output,
            types,
            failure,
            always: statement.options.always,
            source,
        });
        Slot::Output(output)
    }
}

/// The name a statement binds its step to.
pub(crate) fn bound_name(binding: &ast::Target) -> Option<&Ident> {
    match binding {
        ast::Target::Let { pat: Pat::Ident(pat), .. } => Some(&pat.ident),
        ast::Target::Assign { name } => Some(name),
        ast::Target::Part { bound, .. } => bound.as_ref(),
        _ => None,
    }
}
