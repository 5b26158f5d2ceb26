//! Compile errors: every mistake is a file, named after it, with the message
//! that its user reads. `TRYBUILD=overwrite cargo test --test ui` writes the
//! messages anew; then read them as that user.

#[test]
fn task() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/task/pass/*.rs");
    cases.compile_fail("ui/task/fail/*.rs");
}

#[test]
fn workflow() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/workflow/pass/*.rs");
    cases.compile_fail("ui/workflow/fail/*.rs");
}
