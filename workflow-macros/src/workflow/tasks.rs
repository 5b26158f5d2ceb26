//! The tasks that a workflow calls.

use std::collections::HashSet;

use quote::ToTokens;

use crate::workflow::ast::{Arg, Block, Call, Value};

/// The tasks a workflow calls, each once, for the resources it needs.
pub(crate) fn tasks(block: &Block, found: &mut Vec<syn::Path>, seen: &mut HashSet<String>) {
    for statement in &block.statements {
        tasks_of(&statement.value, found, seen);
    }
}

fn tasks_of(value: &Value, found: &mut Vec<syn::Path>, seen: &mut HashSet<String>) {
    match value {
        Value::Call(call) => task_of_call(call, found, seen),
        Value::For(value) => tasks(&value.body, found, seen),
        Value::While(value) => tasks(&value.body, found, seen),
        Value::Branch(branch) => branch.arms.iter().for_each(|arm| tasks(&arm.body, found, seen)),
        Value::Select(select) => select.arms.iter().for_each(|arm| {
            tasks_of(&arm.trigger.value, found, seen);
            tasks(&arm.body, found, seen);
        }),
        Value::Ok(inner) => tasks_of(inner, found, seen),
        _ => {}
    }
}

fn task_of_call(call: &Call, found: &mut Vec<syn::Path>, seen: &mut HashSet<String>) {
    if seen.insert(call.path.to_token_stream().to_string()) {
        found.push(call.path.clone());
    }
    for arg in &call.args {
        if let Arg::Step { call, .. } = arg {
            task_of_call(call, found, seen);
        }
    }
}
