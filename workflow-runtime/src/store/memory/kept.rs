//! What a store in memory keeps.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use crate::run::Timestamp;
use crate::store::{
    Answer, Batch, Created, Entry, LogLine, NewRun, Remembered, Request, RunRef, SealedKey, Sleep,
    StoreError, StoredEntry, StoredLine, StoredRequest, StoredRun, Tick, Unfinished,
};

#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) runs: BTreeMap<RunRef, KeptRun>,
    by_id: BTreeMap<String, RunRef>,
    by_key: BTreeMap<String, RunRef>,
    last_run: i64,
    pub(super) blueprints: BTreeMap<u64, Arc<str>>,
    pub(super) remembered: BTreeMap<Vec<u8>, Remembered>,
    pub(super) requests: BTreeMap<i64, StoredRequest>,
    pub(super) last_request: i64,
    /// How far each is, and by which rule.
    pub(super) schedules: BTreeMap<String, (Timestamp, Option<String>)>,
    pub(super) keys: BTreeMap<u32, SealedKey>,
    pub(super) was_encrypted: bool,
    pub(super) lines: BTreeMap<i64, StoredLine>,
    last_line: i64,
}

#[derive(Debug)]
pub(super) struct KeptRun {
    pub(super) run: StoredRun,
    pub(super) journal: Vec<StoredEntry>,
    /// Until when it sleeps, if it does.
    asleep: Option<Option<Timestamp>>,
    /// Since when it sleeps until its next attempt, if it does.
    backoff_since: Option<Timestamp>,
    /// The blueprints that its journal began with.
    followed: BTreeSet<u64>,
}

impl Kept {
    pub(super) fn create(&mut self, new: NewRun) -> Result<Created, StoreError> {
        new.check()?;
        let by_key = new.key.as_ref().and_then(|key| self.by_key.get(key));
        let existing = by_key.or_else(|| self.by_id.get(&new.id)).and_then(|run| self.runs.get(run));
        if let Some(existing) = existing {
            return Ok(Created::Existing(Box::new(existing.run.clone())));
        }
        if let Some(Tick { schedule, at }) = &new.tick
            && let Some((mark, _)) = self.schedules.get(schedule)
            && at <= mark
        {
            return Err(StoreError::StaleTick { schedule: schedule.clone(), at: *at, mark: *mark });
        }
        self.last_run += 1;
        let run = RunRef(self.last_run);
        self.by_id.insert(new.id.clone(), run);
        if let Some(key) = &new.key {
            self.by_key.insert(key.clone(), run);
        }
        let NewRun { id, workflow, key, fingerprint, params, created_at, state, parent, .. } = new;
        let stored = StoredRun {
            run,
            id,
            workflow,
            key,
            fingerprint,
            params,
            parent,
            created_at,
            state,
            asleep: false,
            suspected: 0,
            end: None,
        };
        let mut kept = KeptRun {
            run: stored,
            journal: Vec::new(),
            asleep: None,
            backoff_since: None,
            followed: BTreeSet::new(),
        };
        kept.extend(new.entries);
        self.runs.insert(run, kept);
        if let Some(blueprint) = new.blueprint {
            self.blueprints.entry(fingerprint).or_insert(blueprint);
        }
        if let Some(tick) = new.tick {
            self.mark(tick);
        }
        if let Some((number, answer)) = new.answer {
            self.answer(number, answer);
        }
        Ok(Created::New(run))
    }

    pub(super) fn append(&mut self, batch: Batch) -> Result<(), StoreError> {
        let kept = self.runs.get_mut(&batch.run).ok_or(StoreError::UnknownRun { run: batch.run })?;
        batch.check(kept.journal.len() as u64, kept.run.end.is_some())?;
        kept.extend(batch.entries);
        match batch.sleep {
            Sleep::Unchanged => {}
            Sleep::Awake => (kept.asleep, kept.backoff_since) = (None, None),
            Sleep::Until(until) => (kept.asleep, kept.backoff_since) = (Some(until), None),
            Sleep::Backoff { until, since } => {
                (kept.asleep, kept.backoff_since) = (Some(Some(until)), Some(since));
            }
        }
        if let Some(state) = batch.state {
            (kept.run.state, kept.run.end) = (state, None);
        }
        kept.run.suspected = batch.suspected.unwrap_or(kept.run.suspected);
        if let Some(end) = batch.end {
            (kept.run.state, kept.run.end) = (end.state, Some(end));
            (kept.asleep, kept.backoff_since) = (None, None);
            kept.run.suspected = 0;
        }
        kept.run.asleep = kept.asleep.is_some();
        if let Some((hash, blueprint)) = batch.blueprint {
            kept.followed.insert(kept.run.fingerprint);
            kept.run.fingerprint = hash;
            self.blueprints.entry(hash).or_insert(blueprint);
        }
        let remember = batch.remember.into_iter().map(|remembered| (remembered.key.clone(), remembered));
        self.remembered.extend(remember);
        if let Some((number, answer)) = batch.answer {
            self.answer(number, answer);
        }
        Ok(())
    }

    pub(super) fn unfinished(&self, after: Option<RunRef>) -> impl Iterator<Item = &KeptRun> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let runs = self.runs.range((from, Bound::Unbounded)).map(|(_, kept)| kept);
        runs.filter(|kept| kept.run.end.is_none())
    }

    pub(super) fn remove_ended_before(&mut self, time: Timestamp, at_most: usize) -> usize {
        let runs = self.runs.values().filter_map(|kept| Some((kept.run.end.as_ref()?.at, kept.run.run)));
        let mut ended: Vec<_> = runs.filter(|(at, _)| *at < time).collect();
        ended.sort_unstable();
        ended.truncate(at_most);
        let mut gone = BTreeSet::new();
        for (_, run) in &ended {
            let Some(KeptRun { run, followed, .. }) = self.runs.remove(run) else { continue };
            self.by_id.remove(&run.id);
            self.lines.retain(|_, stored| stored.line.run != run.run);
            run.key.and_then(|key| self.by_key.remove(&key));
            gone.extend(followed);
            gone.insert(run.fingerprint);
            self.requests.retain(|_, request| {
                request.answer.is_none() || request.request.run.as_ref() != Some(&run.id)
            });
        }
        for hash in gone {
            let mut runs = self.runs.values();
            if !runs.any(|kept| kept.run.fingerprint == hash || kept.followed.contains(&hash)) {
                self.blueprints.remove(&hash);
            }
        }
        self.requests.retain(|_, request| {
            let of_a_run = request.request.run.as_ref().is_some_and(|run| self.by_id.contains_key(run));
            of_a_run || request.answer.as_ref().is_none_or(|answer| answer.at >= time)
        });
        ended.len()
    }

    pub(super) fn forget(&mut self, now: Timestamp, at_most: usize) -> usize {
        let old = self.remembered.values().filter(|remembered| remembered.until <= now);
        let old: Vec<_> = old.take(at_most).map(|remembered| remembered.key.clone()).collect();
        for key in &old {
            self.remembered.remove(key);
        }
        old.len()
    }

    pub(super) fn request(&mut self, request: Request) -> i64 {
        self.last_request += 1;
        let number = self.last_request;
        self.requests.insert(number, StoredRequest { number, request, answer: None });
        number
    }

    pub(super) fn log(&mut self, lines: Vec<LogLine>) {
        for line in lines {
            if self.runs.contains_key(&line.run) {
                self.last_line += 1;
                self.lines.insert(self.last_line, StoredLine { number: self.last_line, line });
            }
        }
    }

    /// The first answer counts.
    pub(super) fn answer(&mut self, number: i64, answer: Answer) {
        if let Some(request) = self.requests.get_mut(&number) {
            request.answer.get_or_insert(answer);
        }
    }

    pub(super) fn mark(&mut self, tick: Tick) {
        let (mark, _) = self.schedules.entry(tick.schedule).or_insert((tick.at, None));
        *mark = tick.at.max(*mark);
    }
}

impl KeptRun {
    pub(super) fn is(&self, which: Unfinished) -> bool {
        match which {
            Unfinished::All => true,
            Unfinished::Awake(now) => self.asleep.is_none() || self.wakes_by(now),
            Unfinished::Due(now) => self.wakes_by(now),
            Unfinished::BackingOff(since) => self.backoff_since.is_some_and(|began| began > since),
        }
    }

    fn wakes_by(&self, time: Timestamp) -> bool {
        self.wakes_at().is_some_and(|at| at <= time)
    }

    pub(super) fn wakes_at(&self) -> Option<Timestamp> {
        self.asleep.flatten()
    }

    /// The changes are for people, who cannot look in here.
    fn extend(&mut self, entries: Vec<Entry>) {
        for Entry { at, event, value, changes: _ } in entries {
            let seq = self.journal.len() as u64;
            self.journal.push(StoredEntry { seq, at, event, value });
        }
    }
}
