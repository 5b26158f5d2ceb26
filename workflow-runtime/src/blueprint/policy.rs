//! Policies and schedules, owned.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::plan::is_default;
use crate::policy;
use crate::task::definition::{self, Missed, Overlap, When};

/// Retries and time limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Policy {
    pub attempts: u32,
    pub backoff: Backoff,
    #[serde(default, with = "exact", skip_serializing_if = "is_default")]
    pub jitter: f64,
    #[serde(default, skip_serializing_if = "is_default")]
    pub budget: Option<Duration>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub timeout: Option<Duration>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub deadline: Option<Duration>,
    #[serde(default = "losses", skip_serializing_if = "are_default_losses")]
    pub losses: u16,
}

fn losses() -> u16 {
    policy::Policy::DEFAULT.losses
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn are_default_losses(number: &u16) -> bool {
    *number == losses()
}

/// The wait between attempts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Backoff {
    Fixed(Duration),
    Linear {
        start: Duration,
        step: Duration,
        max: Duration,
    },
    Exponential {
        start: Duration,
        #[serde(with = "exact")]
        factor: f64,
        max: Duration,
    },
    List(Vec<Duration>),
}

/// So many per period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rate {
    pub count: u32,
    pub per: Duration,
}

/// When a workflow starts by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Schedule {
    pub when: Due,
    pub timezone: String,
    #[serde(with = "MissedForm")]
    pub missed: Missed,
    #[serde(with = "OverlapForm")]
    pub overlap: Overlap,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Due {
    Cron(String),
    Every(Duration),
}

/// How [`Missed`] is written.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Missed", rename_all = "snake_case")]
enum MissedForm {
    Latest,
    None,
    All(u32),
}

/// How [`Overlap`] is written.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Overlap", rename_all = "snake_case")]
enum OverlapForm {
    Skip,
    Queue,
    CancelOld,
    Allow,
}

impl Default for Policy {
    fn default() -> Self {
        Self::of(&policy::Policy::DEFAULT)
    }
}

impl Policy {
    pub fn of(policy: &policy::Policy) -> Self {
        let policy::Policy { retry, timeout, deadline, losses } = *policy;
        let policy::Retry { attempts, backoff, jitter, budget } = retry;
        let backoff = match backoff {
            policy::Backoff::Fixed(delay) => Backoff::Fixed(delay),
            policy::Backoff::Linear { start, step, max } => Backoff::Linear { start, step, max },
            policy::Backoff::Exponential { start, factor, max } => {
                Backoff::Exponential { start, factor, max }
            }
            policy::Backoff::List(delays) => Backoff::List(delays.to_vec()),
        };
        Self { attempts, backoff, jitter, budget, timeout, deadline, losses }
    }

    pub fn make(&self) -> policy::Policy {
        let backoff = match &self.backoff {
            Backoff::Fixed(delay) => policy::Backoff::Fixed(*delay),
            Backoff::Linear { start, step, max } => {
                policy::Backoff::Linear { start: *start, step: *step, max: *max }
            }
            Backoff::Exponential { start, factor, max } => {
                policy::Backoff::Exponential { start: *start, factor: *factor, max: *max }
            }
            Backoff::List(delays) => policy::Backoff::List(delays.clone().leak()),
        };
        let Self { attempts, jitter, budget, timeout, deadline, losses, .. } = *self;
        let retry = policy::Retry { attempts, backoff, jitter, budget };
        policy::Policy { retry, timeout, deadline, losses }
    }
}

impl Schedule {
    pub fn of(schedule: &definition::Schedule) -> Self {
        let when = match schedule.when {
            When::Cron(expression) => Due::Cron(expression.to_owned()),
            When::Every(period) => Due::Every(period),
        };
        let timezone = schedule.timezone.to_owned();
        Self { when, timezone, missed: schedule.missed, overlap: schedule.overlap }
    }
}

/// A number that comes back as exactly the same one, which serde_json does not
/// promise for those with a fraction.
mod exact {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
    pub fn serialize<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| D::Error::custom(format_args!("`{text}` is not a number")))
    }
}
