//! For which step a signal is meant, of those that may wait for it.

use super::Execution;
use crate::lookup::KnownSignal;
use crate::operation::refused_signal_key;
use crate::run::{Event, Key, SignalId};

/// The most waiting steps that a refusal lists.
const LISTED: usize = 10;

/// What a sender says beside a signal's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Aim {
    /// The signal's key.
    pub(crate) key: Option<String>,
    /// The path of the step.
    pub(crate) step: Option<String>,
}

impl Execution {
    /// The event of a signal that is sent now. The error says why it is not
    /// clear who is meant, and who could be.
    pub(crate) fn aim(&self, known: &KnownSignal, aim: &Aim) -> Result<Event, String> {
        let KnownSignal { name, keyed, .. } = *known;
        if let Some(step) = &aim.step {
            return self.aim_at(name, step, aim.key.as_deref());
        }
        let signal = match &aim.key {
            Some(_) if !keyed => {
                return Err(format!("has no keys for signal `{name}`; leave the key out"));
            }
            Some(key) => match refused_signal_key(key) {
                Some(why) => return Err(format!("does not take this key for signal `{name}`: it {why}")),
                None => SignalId { name, key: Some(key.as_str().into()) },
            },
            None if keyed => {
                let waits = self.waits(name);
                return Err(format!("takes signal `{name}` with a key, which says who is meant{waits}"));
            }
            None => SignalId { name, key: None },
        };
        if self.machine.waiting_for(&signal).nth(1).is_some() {
            let waits = self.waits(name);
            return Err(format!(
                "has several steps that wait for {signal}; name the step that is meant{waits}"
            ));
        }
        Ok(Event::Signalled { signal, step: None })
    }

    /// The same, where the step is named.
    fn aim_at(&self, name: &'static str, step: &str, key: Option<&str>) -> Result<Event, String> {
        let mut awaited = self.awaited(name);
        let found = awaited.find(|(waits, _)| self.machine.path(*waits).as_deref() == Some(step));
        let Some((waits, signal)) = found else {
            let waits = self.waits(name);
            return Err(format!("has no step `{step}` that waits for signal `{name}` now{waits}"));
        };
        if let (Some(key), Some(of)) = (key, &signal.key)
            && key != &**of
        {
            return Err(format!("has step `{step}` wait for {signal}, and not for key `{key}`"));
        }
        if let (Some(_), None) = (key, &signal.key) {
            return Err(format!("has no keys for signal `{name}`; leave the key out"));
        }
        Ok(Event::Signalled { signal: signal.clone(), step: Some(waits) })
    }

    fn awaited(&self, name: &str) -> impl Iterator<Item = (Key, &SignalId)> {
        self.machine.awaited().filter(move |(_, signal)| signal.name == name)
    }

    /// Who waits for a signal of this name, in words.
    fn waits(&self, name: &str) -> String {
        let mut awaited = self.awaited(name);
        let listed: Vec<String> = awaited
            .by_ref()
            .take(LISTED)
            .map(|(step, signal)| {
                let path = self.machine.path(step).unwrap_or_default();
                match &signal.key {
                    Some(key) => format!("\n  `{path}`, key `{key}`"),
                    None => format!("\n  `{path}`"),
                }
            })
            .collect();
        match (listed.len(), awaited.count()) {
            (0, _) => "; nothing waits for it now".to_owned(),
            (_, 0) => format!("; what waits:{}", listed.concat()),
            (_, more) => format!("; what waits:{}\n  and {more} more", listed.concat()),
        }
    }
}
