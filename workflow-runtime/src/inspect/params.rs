//! A workflow's parameters as they are typed: `day=2026-11-20`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};

use serde_json::Value as Json;
use serde_json::value::RawValue;

use super::problem::Problem;
use super::suggest::similar;
use super::text::{cut, plain};
use super::time::count;
use crate::engine::{LARGEST_VALUE, Wanted};
use crate::exact::{Exact, raw};
use crate::held::unquoted;
use crate::operation::By;
use crate::panics::contained;
use crate::task::definition::{Graph, Param};
use crate::value::{Codec, Value};

/// The longest value that an error repeats.
const SHOWN: usize = 60;

/// The parameters of a run that is about to start.
#[derive(Debug)]
pub(crate) struct Params {
    /// In the workflow's order.
    pub(crate) values: Vec<Value>,
    /// By name, for the record and for a process that is asked to start the run.
    pub(crate) json: BTreeMap<String, Box<RawValue>>,
}

impl Params {
    /// Of values that are there already, such as a schedule's.
    pub(crate) fn of(graph: &Graph, values: Vec<Value>) -> Result<Self, Problem> {
        let mut json = BTreeMap::new();
        for (param, value) in graph.params.iter().zip(&values) {
            let encoded = contained(|| (param.codec.encode)(value)).map_err(|panic| panic.to_string());
            let encoded = encoded.and_then(|encoded| encoded.map_err(|error| error.to_string()));
            let read = encoded.and_then(|bytes| written(bytes).ok_or_else(|| "it is no JSON".to_owned()));
            let read =
                read.map_err(|reason| Problem::usage(format!("parameter `{}`: {reason}", param.name)))?;
            json.insert(param.name.to_owned(), read);
        }
        Ok(Self { values, json })
    }

    /// A run with them.
    pub(crate) fn wanted(self, graph: &'static Graph, key: Option<String>, by: By) -> Wanted {
        Wanted { graph, params: self.values, json: self.json, key, backfill: None, by }
    }
}

/// Reads `name=value` arguments. A value is JSON where its parameter's type
/// reads it, and otherwise a text; `@file` and `-` stand for what is in the
/// file and on standard input.
///
/// # Errors
/// One that says everything that is wrong, parameter by parameter.
pub(crate) fn read(graph: &Graph, args: &[String], stdin: &mut dyn Read) -> Result<Params, Problem> {
    let mut wrong = Vec::new();
    let mut given: BTreeMap<&str, Typed> = BTreeMap::new();
    let mut from_stdin = None;
    for arg in args {
        let Some((name, value)) = arg.split_once('=') else {
            wrong.push(format!("`{}` is not of the form name=value", plain(arg)));
            continue;
        };
        if !graph.params.iter().any(|param| param.name == name) {
            let hint = similar(name, graph.params.iter().map(|param| param.name));
            let hint = hint.map(|hint| format!("; a similar one exists: `{hint}`")).unwrap_or_default();
            wrong.push(format!("there is no parameter `{}`{hint}", plain(name)));
        } else if given.contains_key(name) {
            wrong.push(format!("parameter `{name}` is given twice"));
        } else if let Some(first) = from_stdin.filter(|_| value == "-") {
            wrong.push(format!(
                "standard input is read for parameter `{first}` already, so `{name}` has none"
            ));
            given.insert(name, Typed::Unreadable);
        } else {
            if value == "-" {
                from_stdin = Some(name);
            }
            match Typed::take(value, stdin) {
                Ok(value) => _ = given.insert(name, value),
                Err(problem) => {
                    wrong.push(format!("parameter `{name}`: {problem}"));
                    given.insert(name, Typed::Unreadable);
                }
            }
        }
    }
    let mut params = Params { values: Vec::new(), json: BTreeMap::new() };
    for param in graph.params {
        match given.get(param.name) {
            // An `Option` may be left out, as in a struct that serde reads.
            None if is_optional(param) => given_value(&mut params, &mut wrong, param, "null"),
            None => wrong.push(format!("parameter `{}` ({}) is missing", param.name, param.ty)),
            Some(Typed::Unreadable) => {}
            Some(Typed::Text(text)) => given_value(&mut params, &mut wrong, param, text),
        }
    }
    if wrong.is_empty() { Ok(params) } else { Err(problem(graph, wrong)) }
}

fn given_value(params: &mut Params, wrong: &mut Vec<String>, param: &Param, text: &str) {
    match decode(&param.codec, text) {
        Ok((json, value)) => {
            params.values.push(value);
            params.json.insert(param.name.to_owned(), json);
        }
        Err(reason) => wrong.push(misfit(param, text, &reason)),
    }
}

/// `Option<T>`, by whatever path.
fn is_optional(param: &Param) -> bool {
    let path = param.ty.split('<').next().unwrap_or_default();
    path.rsplit("::").next().is_some_and(|name| name.trim() == "Option")
}

/// A value as it is typed, for a type that is not known here: JSON if it is
/// that, and otherwise a text.
pub(crate) fn json(text: &str) -> Box<RawValue> {
    serde_json::from_str(text).unwrap_or_else(|_| raw(&Json::from(text)))
}

/// The value of something that has a type: of `what`, such as a signal.
pub(crate) fn typed(what: &str, codec: &Codec, text: &str) -> Result<Box<RawValue>, Problem> {
    decode(codec, text).map(|(json, _)| json).map_err(|reason| {
        let ty = (codec.type_name)();
        let given = given(ty, text, &reason);
        let reason = unquoted(&reason, text);
        Problem::usage(format!("{what} carries `{ty}`, and was given {given}: {}", plain(&reason)))
    })
}

/// How a workflow's parameters are written, for help texts.
pub(crate) fn usage(graph: &Graph) -> String {
    let params = graph.params.iter().map(|param| match is_optional(param) {
        true => format!("[{}=<{}>]", param.name, param.ty),
        false => format!("{}=<{}>", param.name, param.ty),
    });
    std::iter::once(graph.name.to_owned()).chain(params).collect::<Vec<_>>().join(" ")
}

/// Puts a value that a person typed through a codec. Returns it as JSON too,
/// in the form that was understood.
fn decode(codec: &Codec, text: &str) -> Result<(Box<RawValue>, Value), String> {
    let read = |bytes: &[u8]| match contained(|| (codec.decode)(bytes)) {
        Ok(read) => read.map_err(|error| error.reason()),
        Err(panic) => Err(panic.to_string()),
    };
    // Numbers, lists and the like; also a text in quotes.
    let as_json = match Exact::parse(text) {
        Ok(typed) => Some((typed, read(text.as_bytes()))),
        Err(_) => None,
    };
    if let Some((typed, Ok(value))) = as_json {
        let understood = understood(codec, &value)?;
        return match changed(&typed, &understood) {
            None => Ok((understood, value)),
            Some((typed, kept)) => Err(format!("it would be kept as {kept}, which is not {typed}")),
        };
    }
    let json = Json::from(text.strip_suffix('\n').unwrap_or(text));
    match (read(json.to_string().as_bytes()), as_json) {
        (Ok(value), _) => Ok((understood(codec, &value)?, value)),
        // What is JSON was probably meant as that.
        (Err(_), Some((_, Err(reason)))) | (Err(reason), _) => Err(reason),
    }
}

/// A value as its codec writes it: a secret that was typed as it is becomes
/// one that is hidden wherever it is shown.
fn understood(codec: &Codec, value: &Value) -> Result<Box<RawValue>, String> {
    let encoded = contained(|| (codec.encode)(value)).map_err(|panic| panic.to_string())?;
    let encoded = encoded.map_err(|error| error.reason())?;
    written(encoded).ok_or_else(|| "its type writes it as something that is no JSON".to_owned())
}

/// What a codec has written.
fn written(bytes: Vec<u8>) -> Option<Box<RawValue>> {
    RawValue::from_string(String::from_utf8(bytes).ok()?).ok()
}

/// A number that was typed and is kept as another, such as one with more digits
/// than its type has.
fn changed(typed: &Exact, understood: &RawValue) -> Option<(String, String)> {
    typed.changed_number(&Exact::parse(understood.get()).ok()?)
}

fn misfit(param: &Param, text: &str, reason: &str) -> String {
    let types = [param.ty, (param.codec.type_name)()].concat();
    let given = given(&types, text, reason);
    let reason = unquoted(reason, text);
    format!("parameter `{}` takes `{}`, and was given {given}: {}", param.name, param.ty, plain(&reason))
}

/// What was given in place of a type, as an error repeats it. What was meant
/// as a secret is not repeated, and nor is what has parts: one of them may be
/// one, under whatever name it was typed.
fn given(types: &str, text: &str, reason: &str) -> String {
    let is_secret = types.contains("Secret") || reason.contains("a secret does not fit");
    if is_secret || text.trim_start().starts_with(['{', '[']) {
        "something else".to_owned()
    } else {
        format!("`{}`", shortened(text))
    }
}

/// As much of a value as an error repeats.
fn shortened(text: &str) -> String {
    cut(&plain(text.trim_end()), SHOWN).into_owned()
}

fn problem(graph: &Graph, mut wrong: Vec<String>) -> Problem {
    let help = format!("usage: {}", usage(graph));
    if wrong.len() == 1 {
        return Problem::usage(wrong.remove(0)).help(help);
    }
    let message = format!("{} with the parameters of `{}`:", count(wrong.len(), "problem"), graph.name);
    Problem::usage(message).details(wrong).help(help)
}

/// What was typed after the `=`.
enum Typed {
    Text(String),
    /// It was said already why.
    Unreadable,
}

impl Typed {
    fn take(value: &str, stdin: &mut dyn Read) -> Result<Self, String> {
        if value == "-" {
            let text = read_text(stdin);
            return text.map(Self::Text).map_err(|error| format!("standard input cannot be read: {error}"));
        }
        match value.strip_prefix('@') {
            None => Ok(Self::Text(value.to_owned())),
            Some(file) => File::open(file)
                .and_then(|mut file| read_text(&mut file))
                .map(Self::Text)
                .map_err(|error| format!("file `{}` cannot be read: {error}", plain(file))),
        }
    }
}

/// A whole text, if it is not too long to be a value: a device, or a pipe, may
/// never end.
pub(crate) fn read_text(from: &mut dyn Read) -> io::Result<String> {
    read_at_most(from, LARGEST_VALUE)
}

fn read_at_most(from: &mut dyn Read, most: usize) -> io::Result<String> {
    let mut text = Vec::new();
    from.take(most as u64 + 1).read_to_end(&mut text)?;
    if text.len() > most {
        let words = format!("it is longer than {most} bytes, which is as much as a value may have");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, words));
    }
    String::from_utf8(text).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no text in UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    const fn param(name: &'static str, ty: &'static str, codec: Codec) -> Param {
        Param { name, ty, codec }
    }

    static IMPORT: Graph = Graph {
        name: "import",
        params: &[
            param("day", "jiff::civil::Date", Codec::of::<jiff::civil::Date>()),
            param("source", "String", Codec::of::<String>()),
            param("limit", "Option<u32>", Codec::of::<Option<u32>>()),
        ],
        ..EMPTY
    };

    const EMPTY: Graph = Graph {
        name: "",
        docs: "",
        file: "",
        line: 0,
        params: &[],
        regions: &[],
        output: Codec::of::<()>(),
        schedule: None,
        fingerprint: 0,
    };

    fn import(args: &[&str], stdin: &str) -> Result<Params, String> {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        read(&IMPORT, &args, &mut stdin.as_bytes()).map_err(|problem| problem.to_string())
    }

    #[test]
    fn values_are_json_where_the_type_reads_it_and_texts_otherwise() {
        let params = import(&["limit=7", "source=42", "day=2026-11-20"], "").unwrap();
        assert_eq!(params.values[1].get::<String>().unwrap(), "42");
        assert_eq!(*params.values[2].get::<Option<u32>>().unwrap(), Some(7));
        assert_eq!(
            serde_json::to_string(&params.json).unwrap(),
            r#"{"day":"2026-11-20","limit":7,"source":"42"}"#
        );

        let quoted = import(&[r#"source="a=b""#, "limit=null", r#"day="2026-11-20""#], "").unwrap();
        assert_eq!(quoted.values[1].get::<String>().unwrap(), "a=b");
        assert_eq!(*quoted.values[2].get::<Option<u32>>().unwrap(), None);
    }

    #[test]
    fn values_come_from_files_and_from_standard_input() {
        let params = import(&["day=2026-11-20", "source=-"], "from a pipe\n").unwrap();
        assert_eq!(params.values[1].get::<String>().unwrap(), "from a pipe");
        assert_eq!(*params.values[2].get::<Option<u32>>().unwrap(), None, "it may be left out");
        let error = import(&["limit=null", "day=2026-11-20", "source=@no/such/file"], "").unwrap_err();
        assert!(
            error.starts_with("error: parameter `source`: file `no/such/file` cannot be read: "),
            "{error}"
        );
    }

    #[test]
    fn what_never_ends_is_not_read_to_its_end() {
        let read = |most| read_at_most(&mut io::repeat(b'x'), most).map_err(|error| error.to_string());
        let error = "it is longer than 4096 bytes, which is as much as a value may have";
        assert_eq!(read(4096).unwrap_err(), error);
        assert_eq!(read_at_most(&mut &b"four"[..], 4).unwrap(), "four");
        assert!(read_at_most(&mut &b"\xff"[..], 4).is_err());
    }

    #[test]
    fn standard_input_is_one_value() {
        let error = import(&["day=-", "source=-"], "2026-11-20").unwrap_err();
        assert!(error.contains("standard input is read for parameter `day` already"), "{error}");
    }

    #[test]
    fn an_error_names_the_parameter_its_type_and_what_was_given() {
        let error = import(&["day=2026-13-01", "source=x", "limit=1"], "").unwrap_err();
        assert!(
            error.starts_with(
                "error: parameter `day` takes `jiff::civil::Date`, and was given `2026-13-01`: "
            ),
            "{error}"
        );
        assert!(error.ends_with(
            "\n help: usage: import day=<jiff::civil::Date> source=<String> [limit=<Option<u32>>]"
        ));
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let error = import(&["dya=2026-11-20", "loose", "limit=many", "limit=2"], "").unwrap_err();
        let lines: Vec<_> = error.lines().collect();
        assert_eq!(lines[0], "error: 6 problems with the parameters of `import`:");
        assert_eq!(
            lines[1..],
            [
                "  there is no parameter `dya`; a similar one exists: `day`",
                "  `loose` is not of the form name=value",
                "  parameter `limit` is given twice",
                "  parameter `day` (jiff::civil::Date) is missing",
                "  parameter `source` (String) is missing",
                "  parameter `limit` takes `Option<u32>`, and was given `many`: invalid type: string \"many\", \
                 expected u32",
                " help: usage: import day=<jiff::civil::Date> source=<String> [limit=<Option<u32>>]",
            ]
        );
    }

    #[test]
    fn a_secret_is_hidden_also_from_whoever_reads_what_was_asked_for() {
        let codec = Codec::of::<Secret<String>>();
        assert_eq!(typed("signal `code`", &codec, "hunter2").unwrap().get(), r#"{"$secret":"hunter2"}"#);
        let problem = typed("signal `code`", &Codec::of::<Secret<u8>>(), "hunter2").unwrap_err().to_string();
        assert!(problem.contains("was given something else") && !problem.contains("hunter2"), "{problem}");
    }

    #[test]
    fn a_signals_value_is_json_or_a_text() {
        assert_eq!(json("true").get(), "true");
        assert_eq!(json("approved").get(), r#""approved""#);
    }

    #[test]
    fn a_typed_number_is_kept_as_it_is_or_refused() {
        fn kept<T: crate::Durable>(text: &str) -> Result<String, String> {
            decode(&Codec::of::<T>(), text).map(|(json, _)| json.get().to_owned())
        }
        let largest = u128::MAX.to_string();
        assert_eq!(kept::<u128>(&largest).unwrap(), largest);
        assert_eq!(kept::<i128>(&i128::MIN.to_string()).unwrap(), i128::MIN.to_string());
        assert_eq!(kept::<f64>("1.5777777777770001").unwrap(), "1.5777777777770001");
        assert_eq!(kept::<f64>("1e3").unwrap(), "1000.0");
        assert_eq!(kept::<f64>("-0").unwrap(), "-0.0");
        assert_eq!(kept::<f32>("0.1").unwrap(), "0.1");
        for text in ["1.50", "007", "1e3", "-0.0", &largest] {
            assert_eq!(kept::<String>(text).unwrap(), format!("\"{text}\""));
        }
        let refused = kept::<f64>("9007199254740993").unwrap_err();
        assert_eq!(refused, "it would be kept as 9007199254740992.0, which is not 9007199254740993");
        for text in [&*largest, "0.1000000000000000055511151231257827", "18446744073709551616"] {
            assert!(kept::<Json>(text).is_err(), "{text}");
            assert!(
                kept::<f64>(text).is_err() || kept::<f64>(text).unwrap().contains("18446744073709551616")
            );
        }
        for text in ["1e3", "1.0", "007", "-0", "+5", "0x10", &largest] {
            assert!(kept::<u64>(text).is_err() && kept::<i64>(text).is_err(), "{text}");
        }
        assert!(kept::<f32>("16777217").is_err() && kept::<Vec<(f32, u8)>>("[[16777217,1]]").is_err());
    }
}
