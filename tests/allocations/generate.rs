//! Writes the workflows that are too long to be written by hand.

use std::fmt::Write as _;

/// Each step takes what the one before gave.
pub fn chain(steps: usize) -> String {
    let mut body = String::from("        let s0 = one();\n");
    for step in 1..steps {
        let _ = writeln!(body, "        let s{step} = next(s{});", step - 1);
    }
    workflow("chain", &body, &format!("s{}", steps - 1))
}

/// All steps between the first and the last take what the first gave.
pub fn fan_out(steps: usize) -> String {
    let mut body = String::from("        let s0 = one();\n");
    for step in 1..steps - 1 {
        let _ = writeln!(body, "        let s{step} = next(s0);");
    }
    let all: Vec<String> = (1..steps - 1).map(|step| format!("s{step}")).collect();
    let _ = writeln!(body, "        let last = sum(vec![{}]);", all.join(", "));
    workflow("fan_out", &body, "last")
}

fn workflow(name: &str, body: &str, result: &str) -> String {
    format!(
        "workflow_runtime::workflow! {{\n    pub fn {name}() -> Result<u64> {{\n{body}        Ok({result})\n    }}\n}}\n"
    )
}
