//! `next` and `backfill`: the times of schedules.

use clap::ArgMatches;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::{Value as Json, json};

use super::text;
use crate::app::ids::Runs;
use crate::app::line::{Line, plain};
use crate::app::operator::{self, Creator};
use crate::app::output::Output;
use crate::app::params::Params;
use crate::app::problem::{Code, Problem};
use crate::app::program::Program;
use crate::app::short::{count, short};
use crate::app::style::Style;
use crate::engine::{Span, Wanted, fill, span};
use crate::schedule::{self, Ticks, is_ahead, to_jiff};
use crate::store::RunFilter;
use crate::task::definition::{Graph, Missed, Overlap, Schedule, When};

/// How many times are told.
const TIMES: usize = 5;

/// Tells when workflows start by themselves.
pub(super) fn next(
    program: &Program,
    matches: &ArgMatches,
    output: &mut Output<'_>,
) -> Result<Code, Problem> {
    let wanted = text(matches, "workflow");
    let graphs = match wanted {
        "" => program.workflows.clone(),
        name => vec![program.graph(name)?],
    };
    let mut told = false;
    for graph in graphs {
        let Some(rule) = &graph.schedule else { continue };
        let times = schedule::next(graph, Timestamp::now(), TIMES)?;
        let stored =
            known(program, graph.name, &times).and_then(|had| Ok((had, ahead(program, graph.name)?)));
        // When a schedule is due is known without a store.
        let (had, ahead) = stored.unwrap_or_else(|problem| {
            output.say(format!("note: which of these times have had their runs is not known\n{problem}"));
            (vec![None; times.len()], None)
        });
        if output.json {
            let times: Vec<_> =
                times.iter().zip(&had).map(|(tick, run)| time_of_run(tick, run.as_deref())).collect();
            let line = json!({
                "workflow": graph.name,
                "when": when(rule),
                "timezone": rule.timezone,
                "missed": missed(rule.missed),
                "overlap": overlap(rule.overlap),
                "times": times,
                "ahead": ahead.map(|mark| mark.to_string()),
            });
            output.json(&line);
        } else {
            if told {
                output.line("");
            }
            tell(graph, rule, times.iter().zip(&had), output);
            if let Some(mark) = ahead {
                output.say(format!(
                    "note: `{}` was seen to up to {}, by a clock that was ahead; the next `{}` begins it anew from now, and what has run does not run again",
                    graph.name,
                    mark.strftime("%Y-%m-%d %H:%M:%S UTC"),
                    program.command(&["work"])
                ));
            }
        }
        told = true;
    }
    match (told, wanted) {
        (true, _) => {}
        (false, "") => output.say("no workflow of this program has a schedule"),
        (false, name) => return Err(unscheduled(name)),
    }
    Ok(Code::Fine)
}

/// The times come with the ids of the runs that they have already.
fn tell<'a>(
    graph: &Graph,
    rule: &Schedule,
    times: impl ExactSizeIterator<Item = (&'a Zoned, &'a Option<String>)>,
    output: &mut Output<'_>,
) {
    let line = Line::new().styled(Style::Strong, graph.name);
    output.line(line.text(format_args!("  {} ({})", when(rule), rule.timezone)));
    if times.len() == 0 {
        output.line("  never again");
    }
    for (time, run) in times {
        let utc = time.timestamp().strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
        let has = run.as_ref().map(|run| format!("  has its run already: {run}"));
        let line = Line::new().text(format_args!("  {}  ", time.strftime("%a %Y-%m-%d %H:%M:%S %:z")));
        output.line(line.styled(Style::Dim, utc).text(has.unwrap_or_default()));
    }
}

/// The mark of a schedule, where it is still to come: the clock was ahead when
/// it was set.
fn ahead(program: &Program, workflow: &str) -> Result<Option<Timestamp>, Problem> {
    if !program.place.path.exists() {
        return Ok(None);
    }
    let stored = program.reader()?.store.schedules()?;
    let mark =
        stored.into_iter().find(|stored| stored.schedule == workflow).map(|stored| to_jiff(stored.mark));
    Ok(mark.filter(|mark| is_ahead(*mark, Timestamp::now())))
}

fn time_of_run(tick: &Zoned, run: Option<&str>) -> Json {
    let mut told = time(tick);
    if let Some(run) = run {
        told["run"] = json!(run);
    }
    told
}

fn unscheduled(name: &str) -> Problem {
    Problem::new(Code::NotFound, format!("workflow `{}` has no schedule", plain(name)))
        .help("`#[schedule(..)]` above its `fn` gives it one")
}

fn when(rule: &Schedule) -> String {
    match rule.when {
        When::Cron(text) => text.to_owned(),
        When::Every(period) => format!("every {}", short(period)),
    }
}

fn missed(missed: Missed) -> Json {
    match missed {
        Missed::Latest => json!("latest"),
        Missed::None => json!("none"),
        Missed::All(most) => json!({ "all": most }),
    }
}

fn overlap(overlap: Overlap) -> &'static str {
    match overlap {
        Overlap::Skip => "skip",
        Overlap::Queue => "queue",
        Overlap::CancelOld => "cancel_old",
        Overlap::Allow => "allow",
    }
}

fn time(time: &Zoned) -> Json {
    json!({ "local": time.to_string(), "utc": time.timestamp().to_string() })
}

/// The most runs that one command starts.
const MOST: usize = 10_000;

/// Starts the runs of a schedule's past times, each under the key that the
/// schedule would have given it, so that none is there twice.
pub(super) async fn backfill(
    program: &mut Program,
    matches: &ArgMatches,
    output: &mut Output<'_>,
) -> Result<Code, Problem> {
    let graph = program.graph(text(matches, "workflow"))?;
    let (Some(rule), Some(ticks)) = (&graph.schedule, Ticks::of(graph)?) else {
        return Err(unscheduled(graph.name));
    };
    let zone = match rule.timezone {
        "UTC" => TimeZone::UTC,
        name => TimeZone::get(name).map_err(|error| Problem::usage(error.to_string()))?,
    };
    let moment = |name: &str| parse_time(text(matches, name), name, &zone);
    let (from, to) = (moment("from")?, moment("to")?);
    if from >= to {
        return Err(Problem::usage("`--from` is not earlier than `--to`")
            .help("`--to` is where it ends, itself left out"));
    }
    let too_many =
        || Problem::usage(format!("that is more than {MOST} runs")).help("ask for a shorter time at once");
    let Span { ticks: due, to_come } = span(&ticks, from, to, Timestamp::now(), MOST).ok_or_else(too_many)?;
    let to_come = to_come.map(|tick| tick.strftime("%a %Y-%m-%d %H:%M:%S %:z").to_string());
    if let (true, Some(first)) = (due.is_empty(), &to_come) {
        return Err(Problem::new(Code::Refused, format!("nothing is made up for: {first} is still to come"))
            .help("a schedule starts its runs when they are due, where `work` is there; `backfill` is for times that have passed"));
    }
    let dry = matches.get_flag("dry-run");
    let at_a_time = matches.get_one::<usize>("at-a-time").copied().unwrap_or(1);
    let known = known(program, graph.name, &due)?;
    let mut creator = None;
    let by = operator::by(matches);
    let (mut made, mut there, mut refused) = (0, 0, 0);
    for (tick, known) in due.iter().zip(known) {
        let key = schedule::key(graph.name, tick);
        let wanted = || {
            let params = Params::of(graph, fill(rule, tick)?).map_err(|problem| problem.to_string())?;
            let wanted = params.wanted(graph, Some(key.clone()), by.clone());
            Ok::<_, String>(Wanted { backfill: Some(at_a_time), ..wanted })
        };
        let outcome = match known {
            Some(id) => {
                there += 1;
                ("is there", Some(id), None)
            }
            None => match wanted() {
                Err(reason) => {
                    refused += 1;
                    ("refused", None, Some(reason))
                }
                Ok(_) if dry => {
                    made += 1;
                    ("would be started", None, None)
                }
                Ok(wanted) => {
                    let creator = match &mut creator {
                        Some(creator) => creator,
                        none => none.insert(Creator::of(program).await?),
                    };
                    let created = creator.create(program, wanted).await;
                    made += usize::from(created.is_ok());
                    ("created", Some(created?), None)
                }
            },
        };
        tell_tick(tick, &key, outcome, output);
    }
    let here = matches!(creator, Some(Creator::Here(_)));
    if let Some(creator) = creator {
        creator.end().await;
    }
    let verb = if dry { "would be started" } else { "created" };
    output.say(format!("{} {verb}, {there} there already", count(made, "run")));
    if let Some(first) = to_come {
        output.say(format!("{first} and what follows it are still to come, and left out"));
    }
    if here {
        output.say(format!("`{}` goes on with them, {at_a_time} at a time", program.command(&["work"])));
    }
    if refused > 0 {
        let what = if refused == 1 { "time has".to_owned() } else { "times have".to_owned() };
        return Err(Problem::new(Code::Refused, format!("{refused} {what} no run: see `refused` above"))
            .help(
                "correct what fills the parameters in `#[schedule(..)]`, and ask again: what is there stays",
            ));
    }
    Ok(Code::Fine)
}

/// What became of a time: in a word, with the id of its run, or why it has
/// none.
type Told = (&'static str, Option<String>, Option<String>);

fn tell_tick(tick: &Zoned, key: &str, (what, id, why): Told, output: &mut Output<'_>) {
    if output.json {
        output.json(&json!({ "tick": time(tick), "key": key, "id": id, "what": what, "why": why }));
    } else {
        let id = id.map(|id| format!("  {id}")).unwrap_or_default();
        let why = why.map(|why| format!(": {}", plain(&why))).unwrap_or_default();
        output.line(format!("{}  {what}{id}{why}", tick.strftime("%a %Y-%m-%d %H:%M:%S %:z")));
    }
}

/// The ids of the runs that are there already.
fn known(program: &Program, workflow: &str, due: &[Zoned]) -> Result<Vec<Option<String>>, Problem> {
    // Nothing ran before there was a store.
    if !program.place.path.exists() {
        return Ok(vec![None; due.len()]);
    }
    let reader = program.reader()?;
    let ids = due.iter().map(|tick| {
        let key = Some(schedule::key(workflow, tick));
        let found = reader.list(&RunFilter { key, at_most: 1, ..RunFilter::default() })?;
        Ok(found.into_iter().next().map(|run| run.id))
    });
    ids.collect()
}

/// An instant, or a date and maybe a time of day in the schedule's zone.
fn parse_time(text: &str, name: &str, zone: &TimeZone) -> Result<Timestamp, Problem> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(instant);
    }
    let civil = text.parse::<DateTime>().ok().and_then(|time| time.to_zoned(zone.clone()).ok());
    civil.map(|time| time.timestamp()).ok_or_else(|| {
        Problem::usage(format!("`--{name} {}` is no time", plain(text)))
            .help("a date is `2026-11-20`, a time `2026-11-20T02:00`, an instant `2026-11-20T02:00:00Z`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_the_schedules_zone() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let read = |text| parse_time(text, "from", &zone).map(|at| at.to_string());
        assert_eq!(read("2026-11-20").unwrap(), "2026-11-19T23:00:00Z");
        assert_eq!(read("2026-07-20T02:30").unwrap(), "2026-07-20T00:30:00Z");
        assert_eq!(read("2026-11-20T02:00:00Z").unwrap(), "2026-11-20T02:00:00Z");
        assert_eq!(
            read("yesterday").unwrap_err().to_string().lines().next(),
            Some("error: `--from yesterday` is no time")
        );
    }
}
