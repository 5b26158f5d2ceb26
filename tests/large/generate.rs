//! Writes a large workflow: Rust source, the same for the same numbers.

use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The most values that a task of the file takes.
const MOST: usize = 8;
/// How many tasks there are for each number of values.
const VARIANTS: usize = 5;

/// A file with forty-five tasks and one workflow of so many steps and exactly so
/// many dependencies between them. `EXPECTED` is its result.
pub fn file(steps: usize, dependencies: usize) -> String {
    let mut source = tasks();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |end: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % end as u64) as usize
    };
    let mut values: Vec<u64> = Vec::new();
    let mut unused = BTreeSet::new();
    let mut body = String::new();
    let mut left = dependencies;
    for step in 0..steps {
        // What is left over is spread over the steps that are left.
        let average = left.div_ceil(steps - step);
        let spread = average.min(MOST - average.min(MOST)).min(2);
        let wanted = (average + below(2 * spread + 1)).saturating_sub(spread);
        // What the steps after this one can take.
        let later: usize = (step + 1..steps).map(|later| later.min(MOST)).sum();
        let count = wanted.clamp(1, MOST).max(left.saturating_sub(later)).min(left).min(step);
        let mut needs = BTreeSet::new();
        while needs.len() < count {
            // Mostly what is near, so that the graph is deep, and sometimes
            // anything, so that it is not a chain.
            let near = step - 1 - below(step.min(40));
            needs.insert(if below(10) == 0 { below(step) } else { near });
        }
        left -= count;
        let variant = below(VARIANTS);
        let given: Vec<u64> = needs.iter().map(|need| values[*need]).collect();
        values.push(mixed(&given, count, variant));
        for need in &needs {
            unused.remove(need);
        }
        unused.insert(step);
        let arguments: Vec<String> = needs.iter().map(|need| format!("&s{need}")).collect();
        let _ = writeln!(body, "        let s{step} = mix_{count}_{variant}({});", arguments.join(", "));
    }
    assert_eq!(left, 0, "so many dependencies do not fit");
    let result: Vec<String> = unused.iter().map(|step| format!("s{step}")).collect();
    let expected = unused.iter().fold(0, |result, step| result ^ values[*step]);
    let _ = writeln!(source, "pub const EXPECTED: u64 = {expected};\n");
    let _ = writeln!(source, "workflow_runtime::workflow! {{\n    pub fn large() -> Result<u64> {{");
    let _ = writeln!(source, "{body}        Ok({})\n    }}\n}}", result.join(" ^ "));
    source
}

fn tasks() -> String {
    let mut source = String::new();
    for count in 0..=MOST {
        for variant in 0..VARIANTS {
            let parameters: Vec<String> = (0..count).map(|index| format!("v{index}: &u64")).collect();
            let _ = writeln!(
                source,
                "#[allow(clippy::too_many_arguments, clippy::let_and_return)]\n#[workflow_runtime::task]"
            );
            let _ = writeln!(source, "async fn mix_{count}_{variant}({}) -> u64 {{", parameters.join(", "));
            let mutable = if count > 0 { "mut " } else { "" };
            let _ = writeln!(source, "    let {mutable}mixed = {}_u64;", start(count, variant));
            for index in 0..count {
                let _ = writeln!(source, "    mixed = mixed.rotate_left(7).wrapping_mul(31) ^ *v{index};");
            }
            let _ = writeln!(source, "    mixed\n}}\n");
        }
    }
    source
}

fn start(count: usize, variant: usize) -> u64 {
    (count * 100 + variant + 1) as u64
}

/// What the task of so many values gives.
fn mixed(values: &[u64], count: usize, variant: usize) -> u64 {
    values.iter().fold(start(count, variant), |mixed, value| mixed.rotate_left(7).wrapping_mul(31) ^ value)
}
