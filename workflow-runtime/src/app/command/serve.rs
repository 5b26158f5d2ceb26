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

/// Where the tokens are taken from of those who may do less.
const OPERATOR: &str = "WORKFLOW_OPERATOR_TOKEN";
const VIEWER: &str = "WORKFLOW_VIEWER_TOKEN";

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
    let token_of = |name| env::var(name).ok().filter(|token| !token.is_empty());
    let given = token_of(TOKEN);
    let mut console = Console::open(&program.place.path).known(program.workflows.clone(), program.keys());
    let token = match given {
        None if address.ip().is_loopback() => None,
        None => Some((made_up()?, true)),
        Some(token) => Some((token, false)),
    };
    if let Some((token, _)) = &token {
        console = console.token(token);
    }
    // Beside that of an admin, without which the console would be open to all.
    for (name, add) in [(OPERATOR, Console::operator_token as fn(_, _) -> _), (VIEWER, Console::viewer_token)]
    {
        let Some(other) = token_of(name) else { continue };
        if token.is_none() {
            return Err(Problem::usage(format!("{name} is set, and {TOKEN} is not"))
                .help(format!("set {TOKEN} too: it is the token of whoever may do everything")));
        }
        console = add(console, other);
    }
    // Whoever is told the address can have something done there.
    let looks = matches.get_flag("look");
    let engine = match looks {
        true => None,
        false => tokio::select! {
            engine = program.engine(Duty::Everything) => engine?,
            () = interrupts.next() => return Ok(Code::Fine),
        },
    };
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
        engine = work(program, engine, looks, output) => engine?,
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
    mut engine: Option<Engine>,
    looks: bool,
    output: &mut Output<'_>,
) -> Result<Option<Engine>, Problem> {
    if looks {
        output.say("it only looks: `work` goes on with runs");
        return std::future::pending().await;
    }
    let mut said = false;
    loop {
        if let Some(engine) = engine {
            output.say("this process works on the store; ctrl-c stops");
            return Ok(Some(engine));
        }
        if !std::mem::replace(&mut said, true) {
            output.say("another process works on the store; this one does once that has gone");
        }
        tokio::time::sleep(TRY).await;
        engine = program.engine(Duty::Everything).await?;
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
