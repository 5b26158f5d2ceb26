//! Checked graph to static tables. Cannot fail, and checks nothing.
//!
//! ```text
//! pub const GRAPH: &Graph = {
//!     fn __workflow_0(env: &Env, moved: &mut Moved) -> Running<'_> {
//!         let page = env.lend::<<fetch as Task>::Ok>(0);
//!         env.begin(<count>::call(&(*page)))
//!     }
//!     &Graph { name: "ingest", regions: &[Region { steps: &[Step { .. }], .. }], .. }
//! };
//! ```
//!
//! Each expression of the user's becomes one small function that is not
//! async; everything else is data. The functions repeat, in their prelude,
//! the names that the expression uses.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::Ident;

use super::ast::{Missed, Overlap, Workflow};
use super::check::{Checked, is_numbered};
use super::graph::*;
use super::lower::plain;
use super::parse::type_text;
use crate::duration::expand_duration;
use crate::private::Private;

mod call;
mod function;

use function::hidden;

/// The expression of the workflow's [`Graph`] table.
pub(crate) fn tables(workflow: &Workflow, checked: &Checked) -> TokenStream {
    let mut tables = Tables { graph: checked.graph(), functions: TokenStream::new(), count: 0 };
    let regions: Vec<TokenStream> =
        (0..tables.graph.regions.len()).map(|id| tables.region(id, workflow)).collect();
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
    let functions = tables.functions;
    let head = head(workflow, &quote!(#(#regions),*), fingerprint, &schedule);
    quote!({ #functions #head })
}

/// A table without steps, for a workflow with mistakes: whatever uses the
/// workflow still compiles, and only the mistakes are reported.
pub(crate) fn stub(workflow: &Workflow) -> TokenStream {
    head(workflow, &TokenStream::new(), 0, &quote!(#Private::Option::None))
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
    functions: TokenStream,
    count: usize,
}

impl Tables<'_> {
    fn region(&mut self, id: RegionId, workflow: &Workflow) -> TokenStream {
        let region = &self.graph.regions[id];
        let names = numbered(region);
        let mut dependents: Vec<Vec<StepId>> = vec![Vec::new(); region.steps.len()];
        for (index, step) in region.steps.iter().enumerate() {
            step.needs.iter().for_each(|need| dependents[*need].push(index));
        }
        let mut fingerprints: Vec<u64> = Vec::new();
        let mut steps = Vec::new();
        for (index, step) in region.steps.iter().enumerate() {
            // A step means what it says on what it is given.
            let own =
                fingerprint(SEED, &format!("{} {} {}", plain(&workflow.name), names[index], step.source));
            let beneath = self.graph.beneath(step);
            let own = if beneath.is_empty() { own } else { fingerprint(own, &format!(" where {beneath}")) };
            let own = step.needs.iter().fold(own, |hash, need| {
                let needed = fingerprints.get(*need).copied().unwrap_or_default();
                fingerprint(hash, &needed.to_string())
            });
            fingerprints.push(own);
            steps.push(self.step(id, index, &dependents[index], &names[index], own));
        }
        let region = &self.graph.regions[id];
        let label = &region.label;
        let slots = short(region.slots());
        let parent = region.parent.unwrap_or_default();
        let captures = region.captures.iter().map(|slot| short(self.graph.number(parent, *slot)));
        let captures = quote!(&[#(#captures),*]);
        let carried = region.carried.iter().map(|slot| short(self.graph.number(id, *slot)));
        let carried = quote!(&[#(#carried),*]);
        let result = match &region.result {
            Result::Nothing => quote!(#Private::Yield::Nothing),
            Result::Slot(slot) => {
                let slot = short(self.graph.number(id, *slot));
                quote!(#Private::Yield::Slot(#slot))
            }
            Result::Compute { code, ty } => {
                let expr = self.value(id, code, ty);
                quote!(#Private::Yield::Compute(#expr))
            }
        };
        quote! {
            #Private::Region {
                label: #label,
                captures: #captures,
                slots: #slots,
                steps: &[#(#steps),*],
                result: #result,
                carried: #carried,
            }
        }
    }

    fn step(
        &mut self,
        region: RegionId,
        id: StepId,
        dependents: &[StepId],
        name: &str,
        fingerprint: u64,
    ) -> TokenStream {
        let step = &self.graph.regions[region].steps[id];
        let needs = step.needs.iter().map(|need| short(*need));
        let dependents = dependents.iter().map(|dependent| short(*dependent));
        let (needs, dependents) = (quote!(&[#(#needs),*]), quote!(&[#(#dependents),*]));
        let output = short(self.graph.number(region, Slot::Output(step.output)));
        let kind = self.kind(region, id);
        let step = &self.graph.regions[region].steps[id];
        let on_failure = match (&step.failure, &step.kind) {
            (Failure::AskTask, Kind::Call { path, .. }) => {
                quote!(<#path as #Private::AskFailure>::ON_FAILURE)
            }
            (Failure::OfSignal, Kind::Signal { ty, .. }) => quote!(#Private::failure_as_value::<#ty>()),
            _ => quote!(#Private::OnFailure::FailRun),
        };
        let always = step.always.is_some();
        let codecs: Vec<TokenStream> = match (&step.failure, &step.kind) {
            // Through the task, which itself says if its output cannot be saved.
            (Failure::FailRun, Kind::Call { path, .. }) => vec![quote!(#Private::output::<#path>())],
            _ => step.types.iter().map(|ty| quote!(#Private::Codec::of::<#ty>())).collect(),
        };
        let line = line(step.span);
        quote! {
            #Private::Step {
                name: #name,
                needs: #needs,
                dependents: #dependents,
                output: #output,
                kind: #kind,
                on_failure: #on_failure,
                always: #always,
                codecs: &[#(#codecs),*],
                line: #line,
                fingerprint: #fingerprint,
            }
        }
    }

    fn kind(&mut self, region: RegionId, id: StepId) -> TokenStream {
        let graph = self.graph;
        match &graph.regions[region].steps[id].kind {
            Kind::Call { path, paren, args, policy } => self.call(region, path, paren, args, policy.as_ref()),
            Kind::Signal { name, ty, within } => {
                let within = match within {
                    Some(code) => {
                        let expr = self.expr(region, code, &quote!(#Private::Duration), |tokens| tokens);
                        quote!(#Private::Option::Some(#expr))
                    }
                    None => quote!(#Private::Option::None),
                };
                quote!(#Private::Kind::Signal { name: #name, codec: &#Private::Codec::of::<#ty>(), within: #within })
            }
            Kind::Sleep { until } => {
                let expr = self.expr(region, until, &quote!(#Private::Until), |tokens| tokens);
                quote!(#Private::Kind::Sleep(#expr))
            }
            Kind::Map { items, region: body, limit, item } => {
                let items =
                    self.expr(region, items, &quote!(#Private::Vec<#Private::Value>), |tokens| tokens);
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
                let initial = self.initial(region, initial);
                // As a condition, so that rustc says of it what it says of the mirror's.
                let test = self.expr(
                    *body,
                    test,
                    &quote!(::core::primitive::bool),
                    |tokens| quote!(if #tokens { true } else { false }),
                );
                let body = short(*body);
                quote!(#Private::Kind::Loop { initial: #initial, test: #test, region: #body, limit: #limit })
            }
            Kind::Branch { choose, arms, .. } => {
                let choose = self.expr(region, choose, &quote!(::core::primitive::usize), |tokens| tokens);
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
        }
    }

    fn initial(&mut self, region: RegionId, initial: &[Initial]) -> TokenStream {
        let uses = initial.iter().flat_map(|initial| match initial {
            Initial::Compute { code, .. } => code.uses.clone(),
            Initial::Slot(_) => Vec::new(),
        });
        let mut prelude = self.prelude(region, &uses.collect::<Vec<_>>());
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
        self.function(prelude, &quote!(#Private::Vec<#Private::Value>), body)
    }

    /// The function that fills the parameters at a tick.
    fn schedule(&mut self, workflow: &Workflow) -> TokenStream {
        let Some(schedule) = &workflow.schedule else { return quote!(#Private::Option::None) };
        let timezone = schedule.timezone.as_ref().map_or_else(|| "UTC".to_owned(), syn::LitStr::value);
        let values = workflow.params.iter().map(|param| {
            let ty = &param.ty;
            let value = schedule.fills.iter().find(|(name, _)| *name == param.name).map(|(_, value)| value);
            quote!({ let value: #ty = #value; #Private::Value::new(value) })
        });
        let tick = Ident::new("tick", Span::call_site());
        let function = self.name();
        self.functions.extend(quote! {
            fn #function(#tick: &#Private::Zoned) -> #Private::Vec<#Private::Value> {
                let _ = #tick;
                <[_]>::into_vec(#Private::Box::new([#(#values),*]))
            }
        });
        let when = match (&schedule.cron, schedule.every) {
            (_, Some((period, _))) => {
                let period = expand_duration(period);
                quote!(#Private::When::Every(#period))
            }
            (cron, None) => quote!(#Private::When::Cron(#cron)),
        };
        let missed = match schedule.missed {
            Some((Missed::None, _)) => quote!(None),
            Some((Missed::All(count), _)) => quote!(All(#count)),
            Some((Missed::Latest, _)) | None => quote!(Latest),
        };
        let overlap = match schedule.overlap {
            Some(Overlap::Skip) => quote!(Skip),
            Some(Overlap::CancelOld) => quote!(CancelOld),
            Some(Overlap::Allow) => quote!(Allow),
            Some(Overlap::Queue) | None => quote!(Queue),
        };
        quote! {
            #Private::Option::Some(#Private::Schedule {
                when: #when,
                timezone: #timezone,
                missed: #Private::Missed::#missed,
                overlap: #Private::Overlap::#overlap,
                fill: #function,
            })
        }
    }
}

/// The names of a region's steps. Steps named after their keyword are told
/// apart by numbers: `if`, `if-2`.
pub(crate) fn numbered(region: &Region) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (index, step) in region.steps.iter().enumerate() {
        let earlier = region.steps[..index].iter().filter(|other| other.name == step.name).count();
        if earlier > 0 && is_numbered(&step.kind, &step.name) {
            names.push(format!("{}-{}", step.name, earlier + 1));
        } else {
            names.push(step.name.clone());
        }
    }
    names
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
