//! Writes the workflow of the test `large`. Its size can be changed, to
//! measure what a step costs: see `build-cost.sh`.

#[path = "large/generate.rs"]
mod generate;

fn main() {
    let number = |name: &str, default: usize| {
        println!("cargo::rerun-if-env-changed={name}");
        match std::env::var(name) {
            Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is `{text}`, and no number")),
            Err(_) => default,
        }
    };
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=large/generate.rs");
    println!("cargo::rustc-check-cfg=cfg(without_workflow)");
    let steps = number("LARGE_STEPS", 1_000);
    if steps == 0 {
        println!("cargo::rustc-cfg=without_workflow");
    }
    println!("cargo::rustc-env=LARGE_STEPS={steps}");
    let source = generate::file(steps, steps * 4, steps > 0);
    let out = std::env::var_os("OUT_DIR").expect("cargo sets it");
    std::fs::write(std::path::Path::new(&out).join("large.rs"), source).expect("the file can be written");
}
