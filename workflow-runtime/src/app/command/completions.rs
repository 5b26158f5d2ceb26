//! `completions`: the script that has a shell complete this program's commands.

use std::fmt::Write;

use clap::{ArgMatches, Command};
use clap_complete::Shell;
use serde_json::json;

use crate::app::cli;
use crate::app::output::Output;
use crate::app::problem::{Code, Problem};
use crate::app::program::Program;

/// Prints the script.
pub(super) fn completions(
    program: &Program,
    matches: &ArgMatches,
    output: &mut Output<'_>,
) -> Result<Code, Problem> {
    let Some(shell) = matches.get_one::<Shell>("shell") else {
        return Err(Problem::usage("no shell was named"));
    };
    let script = script(*shell, cli::completed(&program.workflows));
    if output.json {
        output.json(&json!({ "shell": shell.to_string(), "script": script }));
    } else {
        output.lines(script.trim_end());
    }
    Ok(Code::Fine)
}

fn script(shell: Shell, mut command: Command) -> String {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, &name, &mut script);
    let mut script = String::from_utf8_lossy(&script).into_owned();
    if shell == Shell::Fish {
        script += &first_arguments(&name, &command);
    }
    script
}

/// What clap does not do for fish: the values of arguments that have no name,
/// where they come first.
fn first_arguments(name: &str, command: &Command) -> String {
    let uses = format!("__fish_{}_using_subcommand", name.replace('-', "_"));
    let mut lines = String::new();
    for command in command.get_subcommands() {
        let values = command.get_positionals().next().map(clap::Arg::get_possible_values).unwrap_or_default();
        let values: Vec<&str> = values.iter().map(|value| value.get_name()).collect();
        if !values.is_empty() {
            // Words before it: the program and the command.
            let place = format!("{uses} {}; and test (count (commandline -opc)) -eq 2", command.get_name());
            // Writing to a string does not fail.
            let _ = writeln!(lines, "complete -c {name} -n '{place}' -f -a '{}'", values.join(" "));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fish_completes_what_comes_first() {
        let command = cli::completed(&[]).name("my-shop");
        let script = script(Shell::Fish, command);
        for line in [
            "function __fish_my_shop_using_subcommand\n",
            "complete -c my-shop -n '__fish_my_shop_using_subcommand show; and test (count (commandline -opc)) -eq 2' \
             -f -a '@last @failed'\n",
            "-f -a 'bash elvish fish powershell zsh'\n",
        ] {
            assert!(script.contains(line), "{line} in {script}");
        }
    }
}
