use workflow_runtime::task;

#[task]
async fn print<T: ToString>(value: T) -> String {
    value.to_string()
}

#[task]
async fn repeat<const N: usize>(text: String) -> String {
    text.repeat(N)
}

#[task]
async fn trim<'a>(text: &'a str) -> String {
    text.trim().to_string()
}

fn main() {
    let _ = print::call(7_u8);
}
