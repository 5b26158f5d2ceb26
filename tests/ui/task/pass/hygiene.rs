//! The expansion means the same whatever the user's names mean.

#![no_implicit_prelude]
#![allow(dead_code)]

mod plain {
    #[::workflow_runtime::task]
    async fn nothing() {}

    #[::workflow_runtime::task(
        retry(attempts = 2, backoff = list("1s", "5s"), budget = "1m"),
        timeout = "1s",
        deadline = "1m",
        concurrency = 1,
        rate = "10/s",
        undo = unmake
    )]
    async fn make(
        args: &str,
        context: u8,
        #[resource] arg0: &u32,
        #[context] returned: &::workflow_runtime::Context,
    ) -> ::std::result::Result<u8, ::std::io::Error> {
        let _ = (args, arg0, returned);
        ::std::result::Result::Ok(context)
    }

    #[::workflow_runtime::task(cache = "1d")]
    async fn again(args: &str, key: u8, arg0: &u8, arg1: ::std::vec::Vec<u8>) {
        let _ = (args, key, arg0, arg1);
    }

    #[::workflow_runtime::task(at_most_once, reconcile = check)]
    async fn once(args: &str, context: u8) {
        let _ = (args, context);
    }

    #[::workflow_runtime::task]
    async fn check(args: &str, context: u8) -> ::std::option::Option<()> {
        let _ = (args, context);
        ::std::option::Option::Some(())
    }

    #[::workflow_runtime::task(transaction)]
    fn write(args: &str, #[context] context: &::workflow_runtime::Context) {
        let _ = (args, context);
    }

    #[::workflow_runtime::task(blocking)]
    fn unmake(output: &u8, error: &str, when: &u8) {
        let _ = (output, error, when);
    }

    #[derive(::workflow_runtime::Resources)]
    struct App {
        id: u32,
    }
}

mod shadowed {
    struct Result;
    struct Option;
    struct Box;
    struct Vec;
    struct Some;
    struct None;
    struct Ok;
    struct Err;
    struct Send;
    struct Sync;
    struct Duration;
    struct Context;
    struct Task;
    struct Value;
    #[allow(non_camel_case_types)]
    struct bool;
    #[allow(non_camel_case_types)]
    struct u32;
    trait Into {
        fn into_result(&self) {}
        fn retryability(&self) {}
    }
    impl<T> Into for T {}
    mod workflow_runtime {}
    mod core {}
    mod std {}

    fn is_transient(_: &::std::io::Error) -> ::core::primitive::bool {
        true
    }

    #[::workflow_runtime::task(retry(attempts = 2, when = is_transient), timeout = "1s", rate = "1/s", undo = undo)]
    async fn task(task: u8) -> ::std::result::Result<u8, ::std::io::Error> {
        ::std::result::Result::Ok(task)
    }

    #[::workflow_runtime::task]
    async fn undo(undo: &u8, task: &u8) -> ::std::io::Result<()> {
        let _ = (undo, task);
        ::std::result::Result::Ok(())
    }

    #[derive(::workflow_runtime::Resources)]
    struct App {
        id: u8,
        name: &'static str,
    }
}

fn main() {
    // In a function, too.
    #[::workflow_runtime::task]
    async fn local(local: &u8) -> u8 {
        *local
    }
    let _ = local::call(&7);
}
