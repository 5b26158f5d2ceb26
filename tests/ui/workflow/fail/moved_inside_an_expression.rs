use workflow_runtime::{task, workflow};

#[task]
async fn print(_words: Vec<String>) {}

workflow! {
    fn words(word: String) -> Result<()> {
        print(vec![word, word]);
        Ok(())
    }
}

fn main() {}
