//! `serve`: the console, and the work unless another process does it.

use std::env;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use clap::ArgMatches;
use serde_json::json;

use super::run::stop;
use super::text;
use crate::app::interrupt::Interrupts;
use crate::app::output::Output;
use crate::app::problem::{Code, Problem};
use crate::app::program::{Duty, Program};
use crate::engine::Engine;
use crate::serve::{Console, Server, new_token, router};

/// How often it tries to own a store that another process does.
const TRY: Duration = Duration::from_millis(250);

/// Where a token is taken from that is not made up.
const TOKEN: &str = "WORKFLOW_TOKEN";

/// Serves the console until it is stopped. Unless it only looks, it works as
/// `work` does, as soon as no other process does.
pub(super) async fn serve(
    program: &mut Program,
    matches: &ArgMatches,
    output: &mut Output<'_>,
) -> Result<Code, Problem> {
    let mut interrupts = Interrupts::new();
    let listen = text(matches, "listen");
    let address: SocketAddr = listen.parse().map_err(|_| {
        Problem::usage(format!("`{listen}` is no address to listen at"))
            .help("an address and a port: `127.0.0.1:8080`, `[::1]:0` for any port that is free")
    })?;
    let server = Server::listen(address).await.map_err(|error| {
        Problem::new(Code::Refused, format!("cannot listen at {address}: {error}"))
            .help("`--listen` takes another address, with port 0 for any that is free")
    })?;
    let address = server
        .address()
        .map_err(|error| Problem::new(Code::Refused, format!("cannot tell where it listens: {error}")))?;
    let given = env::var(TOKEN).ok().filter(|token| !token.is_empty());
    let mut console = Console::open(&program.place.path).known(program.workflows.clone(), program.keys());
    let token = match given {
        None if address.ip().is_loopback() => None,
        None => Some((made_up()?, true)),
        Some(token) => Some((token, false)),
    };
    if let Some((token, _)) = &token {
        console = console.token(token);
    }
    let url = format!("http://{address}/");
    let shown = token.as_ref().filter(|(_, is_new)| *is_new).map(|(token, _)| token);
    if output.json {
        output.json(&json!({ "url": url, "token": shown }));
    } else {
        output.line(format!("serving {url}"));
        if let Some(token) = shown {
            output.say(format!("token: {token}; {TOKEN} gives it another one"));
        }
    }
    if !address.ip().is_loopback() {
        output.say("others on the network can read what is sent: put it behind a proxy that encrypts");
    }
    let mut serving = pin!(server.serve(router(console)));
    let engine = tokio::select! {
        () = &mut serving => None,
        engine = work(program, matches.get_flag("look"), output) => engine?,
        () = interrupts.next() => None,
    };
    let Some(engine) = engine else { return Ok(Code::Fine) };
    tokio::select! {
        () = &mut serving => {}
        lost = lost(&engine) => return Err(lost),
        () = interrupts.next() => output.say("stopping: what runs is given time to end; ctrl-c again stops at once"),
    }
    stop(&engine, &mut interrupts).await;
    Ok(Code::Fine)
}

/// An engine that works, as soon as no other process does; never one that only
/// looks.
async fn work(
    program: &mut Program,
    looks: bool,
    output: &mut Output<'_>,
) -> Result<Option<Engine>, Problem> {
    if looks {
        output.say("it only looks: `work` goes on with runs");
        return std::future::pending().await;
    }
    let mut said = false;
    loop {
        if let Some(engine) = program.engine(Duty::Everything).await? {
            output.say("this process works on the store; ctrl-c stops");
            return Ok(Some(engine));
        }
        if !std::mem::replace(&mut said, true) {
            output.say("another process works on the store; this one does once that has gone");
        }
        tokio::time::sleep(TRY).await;
    }
}

/// Waits until the store is taken away.
async fn lost(engine: &Engine) -> Problem {
    let mut looks = tokio::time::interval(TRY);
    loop {
        looks.tick().await;
        if let Some(error) = engine.lost() {
            return error.into();
        }
    }
}

fn made_up() -> Result<String, Problem> {
    new_token().map_err(|error| {
        Problem::new(Code::Refused, format!("no token can be made up: {error}"))
            .help(format!("{TOKEN} gives it one"))
    })
}
