//! `lock`: the meaning of the workflows, as a file that is committed beside
//! their code.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use serde_json::json;

use crate::app::output::Output;
use crate::app::params::read_text;
use crate::app::problem::{Code, Problem};
use crate::app::program::Program;
use crate::app::short::count;
use crate::blueprint::{LockProblem, check_lock, lock_text};

/// Writes the lock file, or compares it with the program's workflows.
pub(super) fn lock(
    program: &Program,
    matches: &ArgMatches,
    output: &mut Output<'_>,
) -> Result<Code, Problem> {
    let file = matches.get_one::<PathBuf>("file").map_or(Path::new(""), PathBuf::as_path);
    let found = read(file)?.map(|text| check_lock(&text, &program.workflows));
    match (matches.get_flag("check"), found) {
        (true, None) => {
            Err(Problem::new(Code::NotFound, format!("there is no lock file `{}`", file.display()))
                .help(format!("`{}` writes it", program.command_of(&["lock".as_ref(), file.as_os_str()]))))
        }
        (_, Some(Ok(()))) => {
            tell(program, file, false, output);
            Ok(Code::Fine)
        }
        (true, Some(Err(problem))) => {
            Err(Problem::new(Code::Refused, format!("`{}`: {problem}", file.display())))
        }
        // Whatever it is, it is not ours to overwrite.
        (false, Some(Err(problem @ (LockProblem::Foreign(_) | LockProblem::Newer { .. })))) => {
            let message = format!("`{}` is left as it is: {problem}", file.display());
            Err(Problem::new(Code::Refused, message).help("name another file, or remove this one"))
        }
        (false, None | Some(Err(LockProblem::Changed(_)))) => {
            fs::write(file, lock_text(&program.workflows)).map_err(|error| {
                Problem::new(Code::Refused, format!("`{}` cannot be written: {error}", file.display()))
            })?;
            tell(program, file, true, output);
            Ok(Code::Fine)
        }
    }
}

/// The file's text, if there is such a file.
fn read(file: &Path) -> Result<Option<String>, Problem> {
    match fs::File::open(file).and_then(|mut open| read_text(&mut open)) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(Problem::new(Code::Refused, format!("`{}` cannot be read: {error}", file.display())))
        }
    }
}

fn tell(program: &Program, file: &Path, written: bool, output: &mut Output<'_>) {
    let workflows = program.workflows.len();
    if output.json {
        output.json(&json!({ "file": file.to_string_lossy(), "workflows": workflows, "written": written }));
        return;
    }
    let what = if written { "written; commit it" } else { "up to date" };
    output.say(format!("`{}` with {} is {what}", file.display(), count(workflows, "workflow")));
}
