//! Which graph a run followed when it began. Its row says only which one it follows
//! now; each life that began under another says which was followed before.

use super::StoredEvent;

/// The hash of the graph that the first entries of a journal are about, of which
/// these are the texts. `now` is
/// that of the run's row.
pub(crate) fn first_graph<'a>(entries: impl Iterator<Item = &'a str>, now: u64) -> u64 {
    let taken_up = entries.filter(|event| event.contains("taken_up"));
    let read = taken_up.filter_map(|event| serde_json::from_str(event).ok());
    first_graph_of(&read.collect::<Vec<_>>(), now)
}

/// The same, of events that are read already. Only those with which a life
/// began matter.
pub(crate) fn first_graph_of(events: &[StoredEvent], now: u64) -> u64 {
    let before = events.iter().find_map(|event| match event {
        StoredEvent::TakenUp { before, .. } => Some(*before),
        _ => None,
    });
    before.unwrap_or(now)
}
