//! The command line as data: every command, its arguments and its help.

use std::ffi::OsString;
use std::num::ParseIntError;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::PossibleValuesParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::line::plain;
use super::output::Output;
use super::params;
use super::problem::{Code, Problem};
use crate::task::definition::Graph;

const IDS: &str = "\
Runs are named by their id, by as much of its beginning as no other run has, by @last (the newest) or by \
@failed (the newest that failed).

Exit codes: 0 all is well, 1 the run failed, 2 the command line is wrong, 3 not found or ambiguous, 4 refused or \
blocked, 5 the store cannot be used, 130 interrupted.";

/// Reads a command line. What is wrong with it, and what help was asked for,
/// has been written when this returns an error.
pub(super) fn parse(
    workflows: &[&'static Graph],
    args: &[OsString],
    output: &mut Output<'_>,
) -> Result<ArgMatches, Code> {
    command(workflows).try_get_matches_from(args).map_err(|error| {
        let text = error.render().to_string();
        if !error.use_stderr() {
            output.lines(text.trim_end());
            return Code::Fine;
        }
        // The arguments could not be read, so it is looked for.
        if args.iter().any(|arg| arg == "--json") {
            output.write_json();
        }
        if error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
            output.problem(&problem(&text));
        } else if output.json {
            output.problem(&Problem::usage("no command was given").help("`--help` lists them"));
        } else {
            text.trim_end().lines().for_each(|line| output.say(line));
        }
        Code::Usage
    })
}

/// What is wrong with a command line, in this program's form: of clap's text,
/// the message, its tips and the usage.
fn problem(text: &str) -> Problem {
    let text = text.strip_prefix("error: ").unwrap_or(text).trim_end();
    let mut parts = text.split("\n\n").map(str::trim);
    let message: Vec<&str> = parts.next().unwrap_or_default().lines().map(str::trim).collect();
    let mut problem = Problem::usage(ticked(&message.join(" ")));
    for part in parts {
        let tips = part.lines().filter_map(|line| line.trim().strip_prefix("tip: "));
        problem = problem.helps(tips.map(ticked));
        if let Some(usage) = part.strip_prefix("Usage: ") {
            problem = problem.help(format!("usage: {}", plain(usage)));
        }
    }
    problem.help("`--help` says more")
}

/// Names as this program writes them: `run` for 'run'.
fn ticked(text: &str) -> String {
    plain(&text.replace('\'', "`")).into_owned()
}

/// All commands.
pub(super) fn command(workflows: &[&'static Graph]) -> Command {
    let name = std::env::current_exe().ok();
    let name =
        name.as_deref().and_then(|path| path.file_stem()).map(|name| name.to_string_lossy().into_owned());
    Command::new(name.unwrap_or_else(|| "program".to_owned()))
        .about("Runs the workflows of this program")
        .after_help(IDS)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .arg(
            Arg::new("store")
                .long("store")
                .value_name("FILE")
                .help("Where runs are kept [env: WORKFLOW_STORE]")
                .value_parser(value_parser!(PathBuf))
                .global(true),
        )
        .arg(flag("json", "Write results as JSON").global(true))
        .subcommands(starting(workflows))
        .subcommands(serving())
        .subcommands(looking())
        .subcommands(operating())
        .subcommands(keeping())
}

/// The same for a shell that completes it. Here the names are all that may
/// stand in their places; to run a command, they are looked up, which gives the
/// better errors.
pub(super) fn completed(workflows: &[&'static Graph]) -> Command {
    let names: Vec<&str> = workflows.iter().map(|graph| graph.name).collect();
    command(workflows).mut_subcommands(|command| {
        command.mut_args(|arg| match arg.get_id().as_str() {
            "workflow" => arg.value_parser(PossibleValuesParser::new(&names)),
            "run" => arg.value_parser(["@last", "@failed"]),
            _ => arg,
        })
    })
}

fn starting(workflows: &[&'static Graph]) -> [Command; 3] {
    let known: Vec<String> = workflows.iter().map(|graph| format!("  {}", params::usage(graph))).collect();
    let help = format!(
        "Values are JSON where the parameter's type reads it, and texts otherwise. name=@FILE reads a file, name=- \
         standard input.\n\nWorkflows:\n{}",
        known.join("\n")
    );
    let start = |name: &'static str| {
        Command::new(name)
            .arg(workflow().required(true))
            .arg(Arg::new("params").value_name("NAME=VALUE").num_args(0..).help("Its parameters"))
            .arg(option("key", "KEY", "Start at most one run with this key; the same key is the same run"))
            .arg(option("as", "NAME", "Who asks for it, if not the login name"))
            .arg(option("reason", "TEXT", "Why, for the record"))
            .after_help(help.clone())
    };
    [
        start("run").about("Start a run and show it until it ends"),
        start("start").about("Start a run and print its id, without waiting for it"),
        Command::new("work").about("Go on with unfinished runs and start scheduled ones, until stopped").arg(
            flag(
                "drain",
                "Stop by itself once every run has ended, or waits for somebody or for more than a minute",
            ),
        ),
    ]
}

#[cfg(not(feature = "serve"))]
fn serving() -> [Command; 0] {
    []
}

#[cfg(feature = "serve")]
fn serving() -> [Command; 1] {
    [Command::new("serve")
        .about("Show runs in a browser, and go on with them unless another process does")
        .arg(
            option("listen", "ADDRESS", "Where; on any but this machine's own, a token is asked for")
                .default_value("127.0.0.1:8080"),
        )
        .arg(flag("look", "Only show runs: start and go on with none"))
        .after_help("The environment variable WORKFLOW_TOKEN sets the token; without it, one is made up where it is needed. WORKFLOW_OPERATOR_TOKEN and WORKFLOW_VIEWER_TOKEN are those of people who may do less.")]
}

fn looking() -> [Command; 7] {
    [
        Command::new("ls")
            .about("List runs, the newest first")
            .arg(option("workflow", "NAME", "Only runs of this workflow"))
            .arg(
                option("state", "STATE", "Only runs in this state; may be given several times")
                    .action(ArgAction::Append),
            )
            .arg(
                option("limit", "N", "At most so many")
                    .value_parser(at_least_one::<usize>)
                    .default_value("20"),
            ),
        Command::new("show")
            .about("Explain a run: its steps, why it waits, what failed, its result")
            .arg(run())
            .arg(flag("all", "Show every step, also of what is done")),
        Command::new("watch").about("Show a run until it ends, whoever works on it").arg(run()),
        Command::new("logs")
            .about("Print what the attempts of a run said")
            .arg(run())
            .arg(option("step", "STEP", "Only those of this step, and of the steps within it"))
            .arg(option("attempt", "N", "Only those of the Nth attempt").value_parser(at_least_one::<u32>))
            .arg(flag("follow", "Go on until the run ends")),
        Command::new("graph").about("Print the graph of a workflow").arg(workflow().required(true)).arg(
            option("format", "FORMAT", "How")
                .value_parser(["mermaid", "dot", "svg", "json"])
                .default_value("mermaid"),
        ),
        Command::new("next").about("The next times of the schedules").arg(workflow()),
        Command::new("backfill")
            .about("Start the runs of a schedule's past times")
            .arg(workflow().required(true))
            .arg(option("from", "TIME", "The first time").required(true))
            .arg(option("to", "TIME", "The end; its time is left out").required(true))
            .arg(option("as", "NAME", "Who asks for them, if not the login name"))
            .arg(option("reason", "TEXT", "Why, for the record"))
            .arg(
                option("at-a-time", "N", "How many of them may be unfinished at a time, 1 if not given")
                    .value_parser(at_least_one::<usize>),
            )
            .arg(flag("dry-run", "Only say which runs would be started")),
    ]
}

fn operating() -> [Command; 10] {
    let operation = |name: &'static str, about: &'static str| {
        Command::new(name)
            .about(about)
            .arg(run())
            .arg(option("reason", "TEXT", "Why, for the record"))
            .arg(option("as", "NAME", "Who does it, if not the login name"))
    };
    // What makes a run go on shows it.
    let going_on = |name, about| {
        operation(name, about).arg(flag("detach", "Do not show the run; the next `work` goes on with it"))
    };
    let step = |help: &'static str| Arg::new("step").value_name("STEP").help(help).required(true);
    let value = |help: &'static str| {
        Arg::new("value").value_name("JSON").help(help).required(true).allow_negative_numbers(true)
    };
    [
        going_on("cancel", "Stop a run; what is finished is undone where its task says how")
            .arg(looks().conflicts_with("detach")),
        operation("pause", "Start nothing more of a run until it is resumed"),
        going_on("resume", "Go on with a paused or interrupted run"),
        going_on("retry", "Go on with a failed run from the steps that failed")
            .arg(option("step", "STEP", "Of a run that has not ended: only this step, now"))
            .arg(looks().conflicts_with("detach")),
        going_on("rerun", "Start a new run with the same parameters").arg(looks().conflicts_with("detach")),
        going_on("fork", "Start a new run that keeps the results of all steps before one")
            .arg(option("from", "STEP", "The first step that runs anew").required(true))
            .arg(looks().conflicts_with("detach")),
        operation("signal", "Send a run a signal")
            .arg(Arg::new("name").value_name("NAME").help("The signal's name").required(true))
            .arg(value("Its value, as JSON or as a text"))
            .arg(option("key", "KEY", "The key of the step that is meant, where the signal is keyed"))
            .arg(option(
                "step",
                "STEP",
                "The path of the step that is meant, where several wait for the signal",
            )),
        operation("set", "Settle a step by hand: it has this value")
            .arg(step("The step's path"))
            .arg(value("Its value, as JSON or as a text").required(false).required_unless_present("undone"))
            .arg(
                flag("undone", "It was undone by hand: of a step that is being undone")
                    .conflicts_with("value"),
            )
            .arg(looks()),
        operation("give-up", "Give up the undo of a step: what it did stands")
            .arg(step("The step's path"))
            .arg(looks()),
        going_on("adopt", "Go on with a blocked run under this program's code, keeping what has finished")
            .arg(
                option(
                    "again",
                    "STEP",
                    "Run this step again, though it has finished; may be given several times",
                )
                .action(ArgAction::Append),
            )
            .arg(
                flag(
                    "even-if-done",
                    "Also what is not done twice otherwise: at_most_once, transaction, undo",
                )
                .requires("again"),
            )
            .arg(looks().conflicts_with("detach")),
    ]
}

fn keeping() -> [Command; 4] {
    [
        Command::new("check").about("Compare this program's workflows with every unfinished run"),
        Command::new("lock")
            .about("Write down what the workflows mean, so that a change of it is seen in review")
            .arg(flag("check", "Only say whether the file is up to date"))
            .arg(
                Arg::new("file")
                    .value_name("FILE")
                    .help("The file")
                    .value_parser(value_parser!(PathBuf))
                    .default_value("workflows.lock"),
            ),
        Command::new("doctor").about("Check the store"),
        Command::new("completions").about("Print completions for a shell").arg(
            Arg::new("shell")
                .value_name("SHELL")
                .help("Which shell")
                .value_parser(value_parser!(clap_complete::Shell))
                .required(true),
        ),
    ]
}

fn looks() -> Arg {
    flag("dry-run", "Only say what would be kept, what would run and what would be undone")
}

fn run() -> Arg {
    Arg::new("run").value_name("RUN").help("The run's id, its beginning, @last or @failed").required(true)
}

fn workflow() -> Arg {
    Arg::new("workflow").value_name("WORKFLOW").help("The workflow's name")
}

fn option(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

/// A number of which none would mean nothing.
fn at_least_one<T: FromStr<Err = ParseIntError> + Default + PartialEq>(text: &str) -> Result<T, String> {
    let number = text.parse().map_err(|error: ParseIntError| error.to_string())?;
    if number == T::default() { Err("it has to be at least 1".to_owned()) } else { Ok(number) }
}

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).help(help).action(ArgAction::SetTrue)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(args: &[&str]) -> String {
        let args: Vec<OsString> = args.iter().map(|arg| (*arg).into()).collect();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = parse(&[], &args, &mut Output::new(&mut out, &mut err)).unwrap_err();
        assert_eq!((code, out.len()), (Code::Usage, 0));
        String::from_utf8(err).unwrap()
    }

    #[test]
    fn what_is_wrong_is_said_as_everything_else_is() {
        let walk = wrong(&["shop", "wrok"]);
        let lines: Vec<_> = walk.lines().collect();
        assert_eq!(lines[0], "error: unrecognized subcommand `wrok`");
        assert!(lines[1].starts_with(" help: ") && lines[1].contains("`work`"), "{walk}");
        assert!(lines[2].starts_with(" help: usage: "), "{walk}");
        assert_eq!(lines[3..], [" help: `--help` says more"]);
        let missing = wrong(&["shop", "show"]);
        assert!(
            missing.starts_with(
                "error: the following required arguments were not provided: <RUN>\n help: usage: "
            ),
            "{missing}"
        );
        let option = wrong(&["shop", "ls", "--limit", "many"]);
        assert!(option.starts_with("error: invalid value `many` for `--limit <N>`: "), "{option}");
        for (command, option) in [("ls", "limit"), ("logs", "attempt")] {
            let none = wrong(&["shop", command, &format!("--{option}=0")]);
            let refused = format!("error: invalid value `0` for `--{option} <N>`: it has to be at least 1\n");
            assert!(none.starts_with(&refused), "{none}");
        }
        for args in [&["shop", "ls", "--limti", "--json"][..], &["shop", "--json"]] {
            let json: serde_json::Value = serde_json::from_str(&wrong(args)).unwrap();
            assert_eq!(json["code"], 2, "{json}");
        }
        assert!(wrong(&["shop"]).contains("Commands:"), "all there is");
    }

    #[test]
    fn the_commands_do_not_contradict_each_other() {
        command(&[]).debug_assert();
    }
}
