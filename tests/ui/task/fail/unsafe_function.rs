use workflow_runtime::task;

#[task]
async unsafe fn charge() {}

#[task(blocking)]
extern "C" fn count() {}

fn main() {}
