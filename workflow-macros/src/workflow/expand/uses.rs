//! How the workflow uses each task: what its rows share, named once.
//!
//! ```text
//! const __WORKFLOW_TASK_0: TaskUse = <fetch as Used>::ENDING;
//! type __WorkflowOutput0 = <fetch as Task>::Ok;
//! ```

use std::collections::HashMap;

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::Path;

use crate::private::Private;
use crate::workflow::graph::*;

/// The uses of tasks, each task once for each meaning of its failure.
#[derive(Default)]
pub(super) struct Uses {
    pub(super) items: TokenStream,
    /// For each step of each region that calls a task, the number of its use.
    steps: Vec<Vec<Option<usize>>>,
}

impl Uses {
    pub(super) fn new(graph: &Graph) -> Self {
        let mut known: HashMap<(String, bool), usize> = HashMap::new();
        let mut items = TokenStream::new();
        let mut number = |step: &Step| {
            let Kind::Call { path, .. } = &step.kind else { return None };
            let asks = matches!(step.failure, Failure::AskTask);
            let next = known.len();
            Some(*known.entry((text(path), asks)).or_insert_with(|| {
                items.extend(declare(next, path, asks));
                next
            }))
        };
        let steps =
            graph.regions.iter().map(|region| region.steps.iter().map(&mut number).collect()).collect();
        Self { items, steps }
    }

    /// The constant that the rows of a step's task share.
    pub(super) fn constant(&self, region: RegionId, step: StepId) -> Option<Ident> {
        self.steps[region][step].map(constant)
    }

    /// The type of what a step leaves in its slot.
    pub(super) fn output(&self, region: RegionId, step: StepId) -> Option<Ident> {
        self.steps[region][step].map(output)
    }
}

fn text(path: &Path) -> String {
    path.get_ident().map_or_else(|| path.to_token_stream().to_string(), ToString::to_string)
}

fn constant(number: usize) -> Ident {
    format_ident!("__WORKFLOW_TASK_{number}")
}

fn output(number: usize) -> Ident {
    format_ident!("__WorkflowOutput{number}")
}

fn declare(number: usize, path: &Path, asks: bool) -> TokenStream {
    let (constant, output) = (constant(number), output(number));
    if asks {
        quote! {
            type #output = <#path as #Private::Task>::Outcome;
            const #constant: #Private::TaskUse = #Private::TaskUse {
                codecs: &[#Private::Codec::of::<#output>()],
                ..<#path as #Private::Used>::ASKING
            };
        }
    } else {
        quote! {
            type #output = <#path as #Private::Task>::Ok;
            const #constant: #Private::TaskUse = <#path as #Private::Used>::ENDING;
        }
    }
}
