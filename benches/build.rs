//! Writes the graphs down as workflows.

use std::fmt::Write as _;

#[path = "src/plan.rs"]
mod plan;

use plan::{Plan, Work};

fn workflow(name: &str, plan: &Plan) -> String {
    let mut source = format!("workflow_runtime::workflow! {{\n    pub fn {name}() -> Result<u64> {{\n");
    for (step, needs) in plan.needs.iter().enumerate() {
        let work = if plan.work(step) == Work::Compute { "compute" } else { "add" };
        let names: Vec<String> = needs.iter().map(|need| format!("s{need}")).collect();
        let call = match needs.len() {
            0 => "source()".to_owned(),
            1 => format!("{work}_one({})", names[0]),
            2 => format!("{work}_two({}, {})", names[0], names[1]),
            _ => format!("join(vec![{}])", names.join(", ")),
        };
        let _ = writeln!(source, "        let s{step} = {call};");
    }
    let _ = writeln!(source, "        Ok(s{})\n    }}\n}}", plan.needs.len() - 1);
    source
}

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/plan.rs");
    let plans = [
        ("chain", Plan::chain(1_000)),
        ("fan_out", Plan::fan_out(1_000)),
        ("layered", Plan::layered(10, 100, Work::Add)),
        ("diamond", Plan::fan_out(2)),
        ("ten", Plan::chain(10)),
        ("compute", Plan::layered(10, 100, Work::Compute)),
    ];
    let source: String = plans.iter().map(|(name, plan)| workflow(name, plan)).collect();
    let out = std::env::var_os("OUT_DIR").expect("cargo sets it");
    std::fs::write(std::path::Path::new(&out).join("workflows.rs"), source).expect("the file can be written");
}
