//! What a workflow declares anywhere, to say more of a name that is unknown
//! where it is used.

use std::collections::HashSet;

use syn::Pat;

use crate::workflow::ast::{self, Block, Value};
use crate::workflow::pattern::pattern_names;

/// Names that are bound and tasks that are called anywhere in a workflow.
#[derive(Default)]
pub(super) struct Declared {
    pub(super) names: HashSet<String>,
    pub(super) tasks: HashSet<String>,
}

impl Declared {
    pub(super) fn visit(&mut self, block: &Block) {
        for statement in &block.statements {
            if let ast::Target::Let { pat, .. } = &statement.target {
                self.pattern(pat);
            }
            self.value(&statement.value);
        }
    }

    fn pattern(&mut self, pat: &Pat) {
        let mut names = Vec::new();
        pattern_names(pat, &mut names);
        self.names.extend(names.iter().map(ToString::to_string));
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Call(call) => self.call(call),
            Value::For(value) => self.visit(&value.body),
            Value::While(value) => self.visit(&value.body),
            Value::Branch(branch) => branch.arms.iter().for_each(|arm| self.visit(&arm.body)),
            Value::Select(select) => select.arms.iter().for_each(|arm| {
                self.value(&arm.trigger.value);
                self.visit(&arm.body);
            }),
            Value::Ok(inner) => self.value(inner),
            _ => {}
        }
    }

    fn call(&mut self, call: &ast::Call) {
        self.tasks.extend(call.path.get_ident().map(ToString::to_string));
        for arg in &call.args {
            if let ast::Arg::Step { call, .. } = arg {
                self.call(call);
            }
        }
    }
}
