use workflow_runtime::task;

pub struct Image(Vec<u8>);

#[task(cache = "24h")]
async fn classify(image: &Image, depth: u32) -> String {
    format!("{} bytes, {depth}", image.0.len())
}

fn main() {}
