//! What is said of a store that its owner cannot write just now.

use serde_json::{Value as Json, json};

use super::text::plain;
use super::time::{local, now, short, utc};
use crate::store::{Notice, StoredRun};

/// Why a run does not go on for now, if it does not.
pub(crate) fn stopped(notice: Option<&Notice>, run: &StoredRun) -> Option<String> {
    let notice = notice.filter(|notice| run.end.is_none() && notice.concerns(run.run))?;
    let again = notice.again_in(now()).map(|left| format!("; tried again in {}", short(left)));
    Some(format!("{}{}", plain(&notice.why), again.unwrap_or_default()))
}

/// `the store cannot be written since 2026-11-21 10:02:11 (8.0 s): … is full`,
/// and what that means.
pub(crate) fn lines(notice: &Notice) -> [String; 2] {
    let (since, now) = (notice.since(now()), now());
    let what = if notice.all { "the store" } else { "some of what is for the store" };
    let lasts = short(now.since(since));
    [
        format!("{what} cannot be written since {} ({lasts}): {}", local(since), plain(&notice.why)),
        "nothing is lost: what is decided waits for it, and goes on by itself once that is over".to_owned(),
    ]
}

/// What those who follow a run are told when it stops for now, and when it goes
/// on.
pub(crate) fn change(stopped: Option<&str>) -> String {
    match stopped {
        Some(why) => format!("stopped for now, nothing is lost, and it goes on by itself: {why}"),
        None => "the store is well again, and the run goes on".to_owned(),
    }
}

/// What keeps a store from being written, as programs read it.
pub(crate) fn json(notice: &Notice) -> Json {
    json!({ "since": utc(notice.since(now())), "error": notice.why, "all": notice.all })
}
