//! Counts the allocations of the shapes, on one thread. A program of its own:
//! an allocator that counts would slow the others down.
//!
//! Prints a line for each shape and contestant, with tabs in between.

use benches::memory::contestants;
use benches::shape::Shape;

fn main() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    for shape in Shape::ALL {
        for contestant in contestants() {
            let Some(once) = runtime.block_on((contestant.prepare)(shape)) else { continue };
            // The second run: what is made once for all runs is there then.
            runtime.block_on(once());
            let counted = allocation_counter::measure(|| {
                runtime.block_on(once());
            });
            let a_step = counted.count_total as f64 / shape.steps() as f64;
            println!("{}\t{}\t{a_step}", shape.name(), contestant.name);
        }
    }
}
