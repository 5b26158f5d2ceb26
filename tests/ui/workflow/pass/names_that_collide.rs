//! Names that the expansion, too, might like to use.

#![allow(non_camel_case_types)]

use workflow_runtime::{task, workflow};

#[task]
async fn env(moved: u64) -> u64 {
    moved
}
#[task]
async fn moved(env: &u64, value: u64) -> u64 {
    *env + value
}
#[task]
async fn start(args: Vec<u64>) -> Vec<u64> {
    args
}
#[task]
async fn begin(item: u64, context: &str) -> u64 {
    item + context.len() as u64
}
#[task]
async fn take(private: &u64) -> u64 {
    *private
}
#[task]
async fn held(_a: u64, _b: &[u64]) -> u64 {
    0
}
#[task]
async fn anything(value: u64) -> u64 {
    value
}

#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub struct Value;
#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub struct Env(u64);
#[task]
async fn values(value: Value, env: Env) -> Env {
    let _ = value;
    env
}

workflow! {
    fn tick(env_: Env, value: Value, args: u64, private: u64) -> Result<u64> {
        let moved_0 = env(args);
        let env = env(private);
        let moved = moved(&env, moved_0);
        let values = values(value, env_);
        let item = begin(moved, "text");
        let list = start(vec![item, env]);
        let index = for value in list {
            let item = anything(value);
            take(&item)
        };
        let pairs: Vec<(u64, u64)> = vec![(1, 2)];
        let tokens = for (value, item) in pairs {
            held(value + item, &index)
        };
        let copy = env + 1;
        let time = take(&copy);
        let mut result = anything(time);
        #[limit(3)]
        while result < 3 && copy > 1 {
            result = moved_by(result, values.0)?;
        }
        let choose = if let Some(value) = index.first().copied() { anything_else(value, &copy) } else { copy };
        let number = match tokens.len() { 0 => copy, __arm => choose };
        let names = sleep_for(&number);
        Ok(names)
    }
}

#[task]
async fn moved_by(result: u64, values: u64) -> std::io::Result<u64> {
    Ok(result + values)
}
#[task]
async fn anything_else(value: u64, copy: &u64) -> u64 {
    value + *copy
}
#[task]
async fn sleep_for(number: &u64) -> u64 {
    *number
}

workflow! {
    #[schedule("0 2 * * *", graph = 1, schedule = tick.to_string())]
    fn region(graph: u64, schedule: String) -> Result<String> {
        let codec = anything(graph);
        let step = schedule.clone();
        Ok(format!("{step}{codec}"))
    }
}

fn main() {
    let _ = tick(Env(1), Value, 1, 2);
    let _ = region(1, String::new());
}
