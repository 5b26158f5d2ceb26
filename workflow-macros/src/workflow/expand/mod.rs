//! Checked graph to static tables, and to the items that hold them (`items`).
//! Cannot fail, and checks nothing.
//!
//! ```text
//! pub const GRAPH: &Graph = {
//!     fn __workflow_1(env: &Env, moved: &mut Moved) -> Running<'_> { .. }
//!     const __WORKFLOW_STEPS_0: [Step; 2] = [row(..), row(..)];
//!     &Graph { name: "ingest", regions: &[Region { steps: &__WORKFLOW_STEPS_0, .. }], .. }
//! };
//! ```
//!
//! The arguments of a step become an arm of a function, each other expression
//! of the user's a small function, none of them async; everything else is
//! data. What repeats the user's code repeats, in its prelude, the names that
//! the code uses.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};

use crate::private::Private;
use crate::workflow::ast::Workflow;
use crate::workflow::check::Checked;
use crate::workflow::graph::*;
use crate::workflow::picture;
use crate::workflow::tokens::{plain, type_text};

mod call;
mod function;
mod items;
mod once;
mod schedule;
mod uses;

use call::Arms;
use function::hidden;
use items::{items, signals};
use once::Onces;
use uses::Uses;

/// The items of a workflow.
pub(crate) fn workflow(workflow: &Workflow, checked: &Checked) -> TokenStream {
    let graph = checked.graph();
    let picture = picture::svg(&plain(&workflow.name), graph).unwrap_or_default();
    items(workflow, &tables(workflow, checked), &signals(workflow, graph), &picture)
}

/// The items of a workflow with mistakes, over a table without steps: all that
/// uses the workflow still compiles, and only the mistakes are reported.
pub(crate) fn stub(workflow: &Workflow, graph: &Graph) -> TokenStream {
    let table = head(workflow, &TokenStream::new(), 0, &quote!(#Private::Option::None));
    items(workflow, &table, &signals(workflow, graph), "")
}

/// The expression of the workflow's [`Graph`] table.
fn tables(workflow: &Workflow, checked: &Checked) -> TokenStream {
    let graph = checked.graph();
    let mut tables = Tables {
        graph,
        uses: Uses::new(graph),
        onces: Onces::new(graph),
        functions: TokenStream::new(),
        arms: Arms::default(),
        numbers: Vec::new(),
        count: 0,
    };
    let regions: Vec<TokenStream> = (0..graph.regions.len()).map(|id| tables.region(id, workflow)).collect();
    tables.end_arms();
    // Runs of the first schema know their graph by this, so it stays as it was.
    let fingerprint = tables
        .graph
        .regions
        .iter()
        .flat_map(|region| &region.steps)
        .fold(SEED, |hash, step| fingerprint(hash, &format!("{} {}", step.name, step.source)));
    let schedule = match &workflow.schedule {
        Some(_) => tables.schedule(workflow),
        None => quote!(#Private::Option::None),
    };
    let Tables { functions, uses: Uses { items, .. }, numbers, .. } = tables;
    let numbers = parsed(&format!("const {NUMBERS}: &[::core::primitive::u16] = &{numbers:?};"));
    let head = head(workflow, &quote!(#(#regions),*), fingerprint, &schedule);
    quote!({ #items #numbers #functions #head })
}

fn head(workflow: &Workflow, regions: &TokenStream, fingerprint: u64, schedule: &TokenStream) -> TokenStream {
    let name = plain(&workflow.name);
    let docs = docs(workflow);
    let own = &workflow.name;
    let params = workflow.params.iter().map(|param| {
        let name = plain(&param.name);
        let ty = &param.ty;
        let text = type_text(ty);
        quote!(#Private::Param { name: #name, ty: #text, codec: #Private::Codec::of::<#ty>() })
    });
    let line = line(workflow.name.span());
    quote! {
        &#Private::Graph {
            name: #name,
            docs: #docs,
            file: ::core::file!(),
            line: #line,
            params: &[#(#params),*],
            regions: &[#regions],
            output: #Private::output::<#own>(),
            schedule: #schedule,
            fingerprint: #fingerprint,
        }
    }
}

fn docs(workflow: &Workflow) -> String {
    let mut docs = Vec::new();
    for attr in &workflow.attrs {
        if let syn::Meta::NameValue(pair) = &attr.meta
            && pair.path.is_ident("doc")
            && let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &pair.value
        {
            docs.push(text.value().trim().to_owned());
        }
    }
    docs.join("\n")
}

fn line(span: Span) -> u32 {
    // Unit tests have no compiler to ask.
    let line = if proc_macro::is_available() { span.unwrap().start().line() } else { 0 };
    u32::try_from(line).unwrap_or(u32::MAX)
}

const SEED: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a: stable across builds and machines, which `Hash` does not promise.
fn fingerprint(seed: u64, text: &str) -> u64 {
    text.bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

struct Tables<'a> {
    graph: &'a Graph,
    uses: Uses,
    onces: Onces,
    functions: TokenStream,
    arms: Arms,
    /// The numbers of all rows of calls, one list after the other.
    numbers: Vec<usize>,
    count: usize,
}

/// What the table says of a step of any kind.
struct Columns {
    name: String,
    needs: Vec<usize>,
    dependents: Vec<usize>,
    output: usize,
    line: u32,
    fingerprint: u64,
}

impl Tables<'_> {
    fn region(&mut self, id: RegionId, workflow: &Workflow) -> TokenStream {
        let region = &self.graph.regions[id];
        let names = region.step_names();
        let mut dependents: Vec<Vec<StepId>> = vec![Vec::new(); region.steps.len()];
        for (index, step) in region.steps.iter().enumerate() {
            step.needs.iter().for_each(|need| dependents[*need].push(index));
        }
        let mut fingerprints: Vec<u64> = Vec::new();
        let mut steps = TokenStream::new();
        let mut rows = String::new();
        for (index, (step, name)) in region.steps.iter().zip(names).enumerate() {
            // A step means what it says on what it is given.
            let own = fingerprint(SEED, &format!("{} {name} {}", plain(&workflow.name), step.source));
            let beneath = self.graph.beneath(step);
            let own = if beneath.is_empty() { own } else { fingerprint(own, &format!(" where {beneath}")) };
            let own = step.needs.iter().fold(own, |hash, need| {
                let needed = fingerprints.get(*need).copied().unwrap_or_default();
                fingerprint(hash, &needed.to_string())
            });
            fingerprints.push(own);
            let columns = Columns {
                name,
                needs: step.needs.iter().copied().collect(),
                dependents: std::mem::take(&mut dependents[index]),
                output: self.graph.number(id, Slot::Output(step.output)),
                line: line(step.span),
                fingerprint: own,
            };
            match self.call(id, index, &columns) {
                Some(row) => rows.push_str(&row),
                None => {
                    steps.extend(parsed(&std::mem::take(&mut rows)));
                    steps.extend(self.step(id, index, columns));
                }
            }
        }
        steps.extend(parsed(&rows));
        let region = &self.graph.regions[id];
        let label = &region.label;
        let slots = short(region.slots());
        let parent = region.parent.unwrap_or_default();
        let captures = region.captures.iter().map(|slot| short(self.graph.number(parent, *slot)));
        let captures = quote!(&[#(#captures),*]);
        let carried = region.carried.iter().map(|slot| short(self.graph.number(id, *slot)));
        let carried = quote!(&[#(#carried),*]);
        let result = match &region.result {
            RegionValue::Nothing => quote!(#Private::Yield::Nothing),
            RegionValue::Slot(slot) => {
                let slot = short(self.graph.number(id, *slot));
                quote!(#Private::Yield::Slot(#slot))
            }
            RegionValue::Compute { code, ty } => {
                let expr = self.value(id, code, ty);
                quote!(#Private::Yield::Compute(#expr))
            }
        };
        // A constant by itself: rustc takes long over a large one with calls
        // inside another.
        let onces = self.onces(id);
        let table = format_ident!("__WORKFLOW_STEPS_{id}");
        let count = region.steps.len();
        self.functions.extend(quote!(const #table: [#Private::Step; #count] = [#steps];));
        quote! {
            #Private::Region {
                label: #label,
                captures: #captures,
                slots: #slots,
                steps: &#table,
                result: #result,
                carried: #carried,
                onces: &[#onces],
            }
        }
    }

    /// The row of a step that calls no task.
    fn step(&mut self, region: RegionId, id: StepId, columns: Columns) -> TokenStream {
        let Columns { name, needs, dependents, output, line, fingerprint } = columns;
        let (needs, dependents) = (needs.into_iter().map(short), dependents.into_iter().map(short));
        let output = short(output);
        let kind = self.kind(region, id);
        let step = &self.graph.regions[region].steps[id];
        let on_failure = match (&step.failure, &step.kind) {
            (Failure::OfSignal, Kind::Signal { ty, .. }) => quote!(#Private::failure_as_value::<#ty>()),
            _ => quote!(#Private::OnFailure::FailRun),
        };
        let always = step.always.is_some();
        let codecs = step.types.iter().map(|ty| quote!(#Private::Codec::of::<#ty>()));
        quote! {
            #Private::Step {
                name: #name,
                needs: #Private::Numbers::of(&[#(#needs),*]),
                dependents: #Private::Numbers::of(&[#(#dependents),*]),
                output: #output,
                kind: #kind,
                on_failure: #on_failure,
                always: #always,
                codecs: &[#(#codecs),*],
                line: #line,
                fingerprint: #fingerprint,
            },
        }
    }

    fn kind(&mut self, region: RegionId, id: StepId) -> TokenStream {
        let graph = self.graph;
        match &graph.regions[region].steps[id].kind {
            Kind::Call { .. } => unreachable!("a call has a row of its own kind"),
            Kind::Signal { name, ty, key, within } => {
                let mut option = |code: &Option<Code>, ty: TokenStream| match code {
                    Some(code) => {
                        let expr = self.expr(region, code, &ty, |tokens| tokens);
                        quote!(#Private::Option::Some(#expr))
                    }
                    None => quote!(#Private::Option::None),
                };
                let key = option(key, quote!(#Private::String));
                let within = option(within, quote!(#Private::Duration));
                let codec = quote!(&#Private::Codec::of::<#ty>());
                quote!(#Private::Kind::Signal { name: #name, codec: #codec, key: #key, within: #within })
            }
            Kind::Sleep { until } => {
                let expr = self.expr(region, until, &quote!(#Private::Until), |tokens| tokens);
                quote!(#Private::Kind::Sleep(#expr))
            }
            Kind::Map { items, region: body, limit, item, list, codec } => {
                // What is stored and has an order is the same list each time.
                let unless_ordered = if items.computed || graph.is_computed(&items.uses) {
                    quote!(#Private::Option::None)
                } else {
                    quote!(#Private::Option::Some(::core::any::type_name::<#list>))
                };
                let keep = quote! {
                    #Private::Keep {
                        codecs: &[#codec()],
                        unless_ordered: #unless_ordered,
                    }
                };
                let values = quote!(#Private::Vec<#Private::Value>);
                let items = self.kept_expr(region, items, &values, &keep, |tokens| tokens);
                let limit = match limit {
                    Some(limit) => quote!(#Private::Option::Some(#limit)),
                    None => quote!(#Private::Option::None),
                };
                let body = short(*body);
                quote! {
                    #Private::Kind::Map {
                        items: #items,
                        region: #body,
                        limit: #limit,
                        collect: |values| {
                            use #Private::TakeByCodec as _;
                            #Private::collect(values, |value| #Private::Take::<#item>::of(value).take())
                        },
                    }
                }
            }
            Kind::Loop { initial, test, region: body, limit } => {
                let step = &graph.regions[region].steps[id];
                let initial = self.initial(region, initial, &step.types);
                // As a condition, so that rustc says of it what it says of the mirror's.
                let ty = quote!(::core::primitive::bool);
                let keep = self.keep(test, std::slice::from_ref(&ty));
                let test = self.kept_expr(
                    *body,
                    test,
                    &ty,
                    &keep,
                    |tokens| quote!(if #tokens { true } else { false }),
                );
                let body = short(*body);
                quote!(#Private::Kind::Loop { initial: #initial, test: #test, region: #body, limit: #limit })
            }
            Kind::Branch { choose, arms, .. } => {
                let ty = quote!(::core::primitive::usize);
                let keep = self.keep(choose, std::slice::from_ref(&ty));
                let choose = self.kept_expr(region, choose, &ty, &keep, |tokens| tokens);
                let arms = arms.iter().map(|arm| short(*arm));
                quote!(#Private::Kind::Branch { choose: #choose, arms: &[#(#arms),*] })
            }
            Kind::Select { race, arms } => {
                let race = short(*race);
                let arms = arms.iter().map(|arm| short(*arm));
                quote!(#Private::Kind::Select { race: #race, arms: &[#(#arms),*] })
            }
            Kind::Compute { code, ty } => {
                let expr = self.value(region, code, ty);
                quote!(#Private::Kind::Compute(#expr))
            }
            Kind::Check { code } => {
                let checked = quote!(#Private::Checked);
                let expr = self.expr(region, code, &checked, |tokens| tokens);
                quote!(#Private::Kind::Check(#expr))
            }
        }
    }

    fn initial(&mut self, region: RegionId, initial: &[Initial], types: &[TokenStream]) -> TokenStream {
        let mut first = Code::default();
        for initial in initial {
            if let Initial::Compute { code, .. } = initial {
                first.uses.extend(&code.uses);
                first.computed |= code.computed;
            }
        }
        let keep = self.keep(&first, types);
        let mut prelude = self.prelude(region, &first.uses);
        let values: Vec<TokenStream> = initial
            .iter()
            .map(|initial| match initial {
                Initial::Slot(slot) => {
                    let index = position(&mut prelude.reads, self.graph.number(region, *slot));
                    let env = hidden("env");
                    quote!(#env.share(#index))
                }
                Initial::Compute { code, ty } => {
                    let tokens = &code.tokens;
                    quote!({ let value: #ty = #tokens; #Private::Value::new(value) })
                }
            })
            .collect();
        let body = quote!(<[_]>::into_vec(#Private::Box::new([#(#values),*])));
        self.function(prelude, &quote!(#Private::Vec<#Private::Value>), &keep, body)
    }
}

/// The constant that the rows of calls have their numbers from.
const NUMBERS: &str = "__WORKFLOW_NUMBERS";

/// The tokens of what is nothing but names and numbers.
fn parsed(text: &str) -> TokenStream {
    // By rustc itself: `proc_macro2` would look at all of it first.
    let tokens = if proc_macro::is_available() {
        text.parse::<proc_macro::TokenStream>().map(TokenStream::from).ok()
    } else {
        text.parse().ok()
    };
    tokens.expect("names and numbers are tokens")
}

fn position(reads: &mut Vec<usize>, slot: usize) -> usize {
    reads.iter().position(|read| *read == slot).unwrap_or_else(|| {
        reads.push(slot);
        reads.len() - 1
    })
}

/// Slots, steps and regions are counted in `u16`. A table that needs more
/// does not fit a source file.
fn short(number: usize) -> TokenStream {
    let number = u16::try_from(number).unwrap_or(u16::MAX);
    quote!(#number)
}
