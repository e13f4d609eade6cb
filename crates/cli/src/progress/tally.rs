//! Counts of cells, and the time that is left.

use std::collections::BTreeMap;
use std::time::Instant;

use era_harness::CellId;
use era_harness::budget;
use era_harness::protocol::Progress;
use era_harness::schedule::{Job, JobResult};

use crate::text;

/// How far the cells of one command are.
#[derive(Debug)]
pub(crate) struct Tally {
    names: BTreeMap<CellId, String>,
    /// Expected seconds of the cells that are not begun.
    waiting: BTreeMap<CellId, f64>,
    pub(super) running: Vec<Running>,
    cells: usize,
    done: usize,
    failed: usize,
    jobs: usize,
    began: Instant,
}

/// A cell that is trained now.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) id: CellId,
    pub(super) name: String,
    pub(super) progress: Option<Progress>,
    estimate: f64,
    began: Instant,
    /// When the first progress came, and its step: what is before was done by an earlier attempt, or is start-up.
    first: Option<(Instant, u64)>,
}

impl Running {
    /// The part that is done, from 0 to 1.
    pub(super) fn part(&self) -> f64 {
        let of = |progress: &Progress| progress.step as f64 / progress.of.max(1) as f64;
        self.progress.as_ref().map_or(0.0, of).min(1.0)
    }

    /// Seconds to its end: by its own pace once that is known, else by what was expected.
    fn left(&self, now: Instant) -> f64 {
        let elapsed = |since| now.duration_since(since).as_secs_f64();
        let expected = (self.estimate * (1.0 - self.part()) - elapsed(self.began)).max(0.0);
        let (Some(progress), Some((since, step))) = (&self.progress, self.first) else {
            return expected;
        };
        let steps = progress.step.saturating_sub(step) as f64;
        match steps > 0.0 && elapsed(since) > 0.5 {
            true => progress.of.saturating_sub(progress.step) as f64 * elapsed(since) / steps,
            false => expected,
        }
    }
}

impl Tally {
    /// Nothing is begun; `cells` gives identity, short name and expected seconds of each.
    pub(crate) fn new(cells: impl Iterator<Item = (CellId, String, f64)>, jobs: usize) -> Self {
        let (mut names, mut waiting) = (BTreeMap::new(), BTreeMap::new());
        for (id, name, seconds) in cells {
            names.insert(id.clone(), name);
            waiting.insert(id, seconds);
        }
        Self {
            cells: names.len(),
            names,
            waiting,
            running: Vec::new(),
            done: 0,
            failed: 0,
            jobs,
            began: Instant::now(),
        }
    }

    /// The short name of a cell.
    pub(super) fn name(&self, job: &Job) -> String {
        let id = job.cell.id();
        self.names.get(&id).cloned().unwrap_or(id.0)
    }

    pub(super) fn start(&mut self, job: &Job) {
        let id = job.cell.id();
        let estimate = self.waiting.remove(&id).unwrap_or(job.estimate);
        self.running.push(Running {
            name: self.name(job),
            id,
            progress: None,
            estimate,
            began: Instant::now(),
            first: None,
        });
    }

    pub(super) fn progress(&mut self, job: &Job, progress: &Progress) {
        let id = job.cell.id();
        if let Some(running) = self.running.iter_mut().find(|running| running.id == id) {
            running.first.get_or_insert((Instant::now(), progress.step));
            running.progress = Some(progress.clone());
        }
    }

    pub(super) fn end(&mut self, job: &Job, result: &JobResult) {
        let id = job.cell.id();
        self.waiting.remove(&id);
        self.running.retain(|running| running.id != id);
        match result {
            JobResult::Done => self.done += 1,
            JobResult::Failed(_) => self.failed += 1,
            JobResult::Interrupted => {}
        }
    }

    /// `3/12 cells, 1 failed, about 2m10s left, 40s gone`: what matters most comes first.
    pub(super) fn line(&self) -> String {
        let mut line = format!("{}/{} cells", self.done + self.failed, self.cells);
        if self.failed > 0 {
            line = format!("{line}, {} failed", self.failed);
        }
        let (left, gone) = (self.left(), self.began.elapsed().as_secs_f64());
        let (left, gone) = (text::time(left), text::time(gone));
        format!("{line}, about {left} left, {gone} gone")
    }

    /// The part of all cells that has ended, or is done of the running ones, from 0 to 1.
    pub(super) fn part(&self) -> f64 {
        let running: f64 = self.running.iter().map(Running::part).sum();
        ((self.done + self.failed) as f64 + running) / self.cells.max(1) as f64
    }

    /// Seconds until all have ended.
    fn left(&self) -> f64 {
        let now = Instant::now();
        let running = self.running.iter().map(|running| running.left(now));
        let seconds: Vec<f64> = running.chain(self.waiting.values().copied()).collect();
        budget::makespan(&seconds, self.jobs)
    }

    /// How long the widest name is, in columns.
    pub(super) fn widest(&self) -> usize {
        self.names
            .values()
            .map(|name| console::measure_text_width(name))
            .max()
            .unwrap_or(0)
    }
}
