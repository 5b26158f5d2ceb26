//! What pages are made of, read from the store. All of it blocks.

use std::time::{Duration, Instant};

use super::console::Inner;
use super::problem::Trouble;
use super::query::Listed;
use super::view::{ListedRun, Needs, RunList, RunPage, StepPage};
use crate::engine::Outlook;
use crate::exact::Exact;
use crate::failure::StepError;
use crate::inspect::outlook::{Looker, is_doubtful};
use crate::inspect::reader::StoreReader;
use crate::inspect::standing::Standing;
use crate::inspect::story::{self, Story};
use crate::inspect::time::now;
use crate::inspect::trouble;
use crate::inspect::view::{LineView, RegionPicture, RunRow, RunView, StepView, Told, value};
use crate::journal::StoredEvent;
use crate::run::RunState;
use crate::store::{LogFilter, RunFilter, StoredRun};

/// Where counting what needs a person ends.
const COUNTED: usize = 1_000;

/// How long a page takes at most to say what each of its runs does.
const STANDING_TIME: Duration = Duration::from_millis(60);

/// How many runs a search of errors looks at.
const SEARCHED: usize = 5_000;

/// How many of the operators' wishes are told.
const REQUESTS: usize = 100;

/// How many lines of a step are shown.
const LINES: usize = 200;

impl Inner {
    /// Whether the store can be read; one that is not there yet can.
    pub(super) fn is_ready(&self) -> Result<(), Trouble> {
        if let Some(reader) = self.reader()? {
            reader.store.list(&RunFilter { at_most: 1, ..RunFilter::default() })?;
        }
        Ok(())
    }

    /// A page of runs.
    pub(super) fn list(&self, listed: &Listed) -> Result<RunList, Trouble> {
        let Some(reader) = self.reader()? else {
            return Ok(RunList { runs: Vec::new(), next: None, needs: Needs::default() });
        };
        let (runs, next) = page(&reader, listed)?;
        let notice = reader.notice()?;
        let late = Instant::now() + STANDING_TIME;
        let runs = runs.iter().map(|run| {
            let stopped = trouble::stopped(notice.as_ref(), run);
            // What has ended is told by its row.
            let tells = run.end.is_none() && Instant::now() < late;
            let standing = if tells { self.standing(&reader, run)? } else { None };
            Ok::<_, Trouble>(ListedRun { run: RunRow::of(run, stopped), standing })
        });
        Ok(RunList { runs: runs.collect::<Result<_, _>>()?, next, needs: needs(&reader)? })
    }

    /// What a run does or waits for.
    fn standing(&self, reader: &StoreReader, run: &StoredRun) -> Result<Option<String>, Trouble> {
        let story = story::read(&self.workflows, reader, run, true)?;
        let steps = steps(&story);
        Ok(story.history.is_ok().then(|| standing(run, &story, &steps, None).sentence()))
    }

    /// A run, with its whole story.
    pub(super) fn run(&self, id: &str, outlook: Option<&Outlook>) -> Result<RunPage, Trouble> {
        let reader = self.reader()?.ok_or_else(|| no_such_run(id))?;
        let run = reader.open_run(reader.find(id)?)?;
        let story = story::read(&self.workflows, &reader, &run, false)?;
        let lost = reader.store.lost(run.run)?;
        let mut requests = reader.requests(&run.id, REQUESTS)?;
        requests.reverse();
        let told = Told {
            run: &run,
            snapshot: &story.snapshot,
            history: story.history.as_ref().ok(),
            outlook,
            requests: &requests,
            lost: &lost,
        };
        let view = RunView::of(&self.workflows, &told);
        let steps = view.steps.as_deref().unwrap_or_default();
        let stories = story.history.as_ref().map_or(&[][..], |history| &history.steps);
        Ok(RunPage {
            standing: standing(&run, &story, steps, view.blocked.as_deref()).sentence(),
            picture: story.graph.map(|graph| RegionPicture::of(graph, stories)),
            untold: story.history.as_ref().err().cloned(),
            owner: reader.owner()?.map(|owner| owner.pid),
            run: view,
        })
    }

    /// A run that something may be in the way of, which an engine that only
    /// looks can tell.
    pub(super) fn doubtful(&self, id: &str) -> Result<Option<StoredRun>, Trouble> {
        let reader = self.reader()?.ok_or_else(|| no_such_run(id))?;
        let run = reader.find(id)?;
        Ok(is_doubtful(&self.workflows, &run).then_some(run))
    }

    /// What this program would do with such a run.
    pub(super) async fn outlook(&self, run: &StoredRun) -> Result<Outlook, Trouble> {
        let open =
            || self.reader()?.ok_or_else(|| crate::inspect::problem::Problem::usage("there is no store"));
        let looker = Looker::of(&self.workflows, open).await?;
        let outlook = looker.outlook(run).await;
        looker.end().await;
        Ok(outlook?)
    }

    /// A step of a run.
    pub(super) fn step(&self, id: &str, path: &str) -> Result<StepPage, Trouble> {
        let reader = self.reader()?.ok_or_else(|| no_such_run(id))?;
        let run = reader.find(id)?;
        let story = story::read(&self.workflows, &reader, &run, false)?;
        let history = story.history.map_err(Trouble::unavailable)?;
        let step = history.step(path).ok_or_else(|| {
            Trouble::not_found(format!("run {} has not come to a step `{path}`", run.id))
                .help("its page lists the steps")
        })?;
        let (mut arguments, mut output) = (None, None);
        for entry in reader.journal(&run)? {
            let Some(bytes) = &entry.value else { continue };
            if Some(entry.seq) == step.output {
                output = Some(value(&bytes.bytes));
            } else if entry.event.contains("\"given\"")
                && let Ok(StoredEvent::Given { path: of, .. }) = serde_json::from_str(&entry.event)
                && of == path
            {
                arguments = Some(value(&bytes.bytes));
            }
        }
        let (lines, more_lines) = newest_lines(&reader, &run, path)?;
        Ok(StepPage {
            run: run.id.clone(),
            workflow: run.workflow.clone(),
            step: StepView::of(step),
            arguments: arguments.filter(|value: &Exact| !value.is_null()),
            output,
            lines,
            more_lines,
        })
    }
}

fn no_such_run(id: &str) -> Trouble {
    Trouble::not_found(format!("no run has an id that begins with `{id}`: there is no store yet"))
}

/// A page of runs, and where the next one begins.
fn page(reader: &StoreReader, listed: &Listed) -> Result<(Vec<StoredRun>, Option<i64>), Trouble> {
    let at_most = listed.filter.at_most;
    let Some(words) = &listed.error else {
        // One more says whether there is another page.
        let runs = reader.store.list(&RunFilter { at_most: at_most + 1, ..listed.filter.clone() })?;
        return Ok(cut(runs, at_most));
    };
    let (mut found, mut searched) = (Vec::new(), 0);
    let mut filter = RunFilter { at_most: 500, ..listed.filter.clone() };
    loop {
        let runs = reader.store.list(&filter)?;
        let Some(last) = runs.last().map(|run| run.run) else { break };
        searched += runs.len();
        let is_meant = |run: &StoredRun| {
            let error = run.end.as_ref().and_then(|end| end.error.as_ref());
            error.is_some_and(|error| error.to_string().to_lowercase().contains(words))
        };
        found.extend(runs.into_iter().filter(is_meant));
        filter.before = Some(last);
        if found.len() > at_most {
            break;
        }
        if searched >= SEARCHED {
            // The next page goes on from here.
            return Ok((found, Some(last.0)));
        }
    }
    Ok(cut(found, at_most))
}

fn cut(mut runs: Vec<StoredRun>, at_most: usize) -> (Vec<StoredRun>, Option<i64>) {
    let more = runs.len() > at_most;
    runs.truncate(at_most);
    let next = runs.last().filter(|_| more).map(|run| run.run.0);
    (runs, next)
}

fn needs(reader: &StoreReader) -> Result<Needs, Trouble> {
    let filter =
        |states: &[RunState]| RunFilter { states: states.to_vec(), at_most: COUNTED, ..RunFilter::default() };
    let count = |states: &[RunState]| reader.store.count(&filter(states));
    Ok(Needs {
        failed: count(&[RunState::Failed])?,
        blocked: count(&[RunState::Blocked])?,
        suspected: reader.store.count(&RunFilter { suspected: true, ..filter(&[]) })?,
        paused: count(&[RunState::Paused])?,
        waiting: count(&[RunState::Waiting])?,
        running: count(&[RunState::Running, RunState::Undoing, RunState::Cancelling])?,
        counted_up_to: COUNTED,
    })
}

fn steps(story: &Story) -> Vec<StepView> {
    let history = story.history.as_ref();
    history.map(|history| history.steps.iter().map(StepView::of).collect()).unwrap_or_default()
}

fn standing<'a>(
    run: &StoredRun,
    story: &'a Story,
    steps: &'a [StepView],
    blocked: Option<&'a str>,
) -> Standing<'a> {
    let error = run.end.as_ref().and_then(|end| end.error.as_ref()).map(StepError::to_string);
    Standing { snapshot: &story.snapshot, steps, graph: story.graph, blocked, error, now: now() }
}

/// The newest lines of a step, and whether there are more before them. They are
/// stored in order, so those before are walked past.
fn newest_lines(reader: &StoreReader, run: &StoredRun, path: &str) -> Result<(Vec<LineView>, bool), Trouble> {
    let mut filter = LogFilter { path: Some(path.to_owned()), ..LogFilter::default() };
    let (mut lines, mut more) = (Vec::new(), false);
    loop {
        let page = reader.logs(run, &filter)?;
        let Some(last) = page.last() else { break };
        filter.after = Some(last.number);
        lines.extend(page.iter().map(LineView::of));
        if lines.len() > LINES {
            more = true;
            lines.drain(..lines.len() - LINES);
        }
    }
    Ok((lines, more))
}
