//! Keywords as names.

#![allow(non_camel_case_types)]

use workflow_runtime::{task, workflow};

#[task]
async fn r#match(r#type: u64) -> u64 {
    r#type
}

#[task]
async fn r#loop(r#in: &u64, r#ref: u64) -> u64 {
    *r#in + r#ref
}

workflow! {
    fn r#move(r#type: u64, r#where: Vec<u64>) -> Result<u64> {
        let r#fn = r#match(r#type);
        let r#dyn = r#loop(&r#fn, r#type);
        let r#impl = for r#struct in r#where {
            r#match(r#struct)
        };
        #[after(r#fn)]
        let r#use = r#match(r#dyn);
        let r#pub = r#impl.len() as u64;
        let r#enum = match r#use {
            r#mod if r#mod > 3 => r#match(r#mod),
            _ => r#match(r#pub),
        };
        let mut r#mut = r#match(r#enum);
        #[limit(2)]
        while r#mut > 3 {
            r#mut = r#match(r#mut);
        }
        let r#trait = signal::<u64>("extern");
        Ok(r#mut + r#trait + format!("{}", r#use).len() as u64)
    }
}

workflow! {
    fn r#static() -> Result<u64> {
        r#move(1, Vec::new())
    }
}

fn main() {
    let names: Vec<&str> = r#move::GRAPH.regions[0].steps.iter().map(|step| step.name).collect();
    assert_eq!(names, ["fn", "dyn", "impl", "use", "enum", "mut", "while", "trait"]);
    assert_eq!(r#move::GRAPH.name, "move");
    let _ = r#move(1, vec![1]);
    let _ = r#static();
}
