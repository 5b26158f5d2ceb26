//! Writes the workflows of the tests `large` and `allocations`. The size of the
//! first can be changed, to measure what a step costs: see `build-cost.sh`.

use std::path::Path;

#[path = "large/generate.rs"]
mod large;
#[path = "allocations/generate.rs"]
mod shapes;

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
    println!("cargo::rerun-if-changed=allocations/generate.rs");
    let steps = number("LARGE_STEPS", 1_000);
    println!("cargo::rustc-env=LARGE_STEPS={steps}");
    let out = std::env::var_os("OUT_DIR").expect("cargo sets it");
    let write = |name: &str, source: String| {
        std::fs::write(Path::new(&out).join(name), source).expect("the file can be written");
    };
    write("large.rs", large::file(steps, steps * 4));
    write("shapes.rs", shapes::chain(1_000) + &shapes::fan_out(1_000));
}
