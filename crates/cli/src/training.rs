//! Training the open cells, beside other commands that may work on the same store.

use std::path::Path;

use era_harness::record::Failure;
use era_harness::schedule::{self, Job, LocalLauncher, Options};
use era_harness::stop::Stop;
use era_harness::store::{CellState, Store};
use indicatif::MultiProgress;

use crate::again::Again;
use crate::args::{CheckpointEvery, Reproduce};
use crate::fault::Fault;
use crate::progress::{self, Tally};
use crate::selection::{Chosen, Planned};
use crate::survey::Standing;
use crate::text;

/// All that training needs.
pub(crate) struct Training<'a> {
    pub(crate) args: &'a Reproduce,
    pub(crate) chosen: &'a Chosen,
    pub(crate) standings: &'a [Standing],
    pub(crate) store: &'a Store,
    pub(crate) again: &'a Again<'a>,
    pub(crate) jobs: usize,
    pub(crate) stop: Stop,
    pub(crate) bars: &'a MultiProgress,
}

/// How it went.
#[derive(Debug, Default)]
pub(crate) struct Trained {
    /// Number of cells that were finished.
    pub(crate) done: usize,
    /// Cells that failed.
    pub(crate) failed: Vec<(usize, Failure)>,
    /// Number of cells that were stopped, or not begun.
    pub(crate) stopped: usize,
    /// Whether it was interrupted.
    pub(crate) interrupted: bool,
}

impl Trained {
    /// `3 cells finished, 2 with a checkpoint or not begun`.
    pub(crate) fn counts(&self) -> String {
        let finished = text::count(self.done, "cell");
        let failed = match self.failed.len() {
            0 => String::new(),
            failed => format!(", {failed} failed"),
        };
        format!(
            "{finished} finished{failed}, {} to go on with",
            self.stopped
        )
    }
}

impl Training<'_> {
    /// Trains the cells `open`. Those that another command is training come last: their workers wait for it, and take
    /// over what it leaves unfinished.
    pub(crate) fn run(&self, open: &[usize]) -> Result<Trained, Fault> {
        let mut trained = Trained::default();
        let running = |&cell: &usize| matches!(self.standings[cell].state, CellState::Running);
        let is_busy = |cell: &usize| {
            let mut required = self.chosen.cells[*cell].requires.iter();
            running(cell) || required.any(|other| open.contains(other) && running(other))
        };
        let (busy, free): (Vec<usize>, Vec<usize>) = open.iter().partition(|cell| is_busy(cell));
        if !busy.is_empty() {
            let cells = text::count(busy.len(), "cell");
            eprintln!("{cells} being trained by another command: waited for, after all others");
        }
        for cells in [free, busy] {
            match self.stop.requested() {
                true => trained.stopped += cells.len(),
                false => self.round(&cells, &mut trained)?,
            }
        }
        trained.interrupted = self.stop.requested();
        Ok(trained)
    }

    /// Trains cells side by side, and puts new records in the place of old ones.
    fn round(&self, cells: &[usize], trained: &mut Trained) -> Result<(), Fault> {
        if cells.is_empty() {
            return Ok(());
        }
        let jobs = cells
            .iter()
            .map(|&cell| self.job(cell, cells))
            .collect::<Result<Vec<Job>, Fault>>()?;
        let expected = cells.iter().map(|&cell| {
            let Planned { id, name, .. } = &self.chosen.cells[cell];
            (
                id.clone(),
                name.clone(),
                self.standings[cell].estimate.seconds,
            )
        });
        let mut observer = progress::observer(Tally::new(expected, self.jobs), self.bars);
        let options = Options {
            jobs: self.jobs,
            devices: self.chosen.devices.indices.clone(),
            grace: self.args.grace,
            stop: self.stop.clone(),
        };
        let cache = &self.args.selection.folders.cache.cache_dir;
        let launcher = launcher(self.args.checkpoints.checkpoint_every, cache)?;
        let outcome = schedule::run(&jobs, &launcher, observer.as_mut(), &options);
        drop(observer);
        for &job in &outcome.done {
            self.again.adopt(&self.chosen.cells[cells[job]].cell)?;
        }
        trained.done += outcome.done.len();
        trained.stopped += outcome.interrupted.len();
        trained.failed.extend(
            outcome
                .failed
                .into_iter()
                .map(|(job, failure)| (cells[job], failure)),
        );
        Ok(())
    }

    /// The job of a cell that is trained beside `others`, itself among them.
    fn job(&self, cell: usize, others: &[usize]) -> Result<Job, Fault> {
        let planned = &self.chosen.cells[cell];
        let dir = match self.standings[cell].done() {
            true => self.again.prepare(&planned.cell)?,
            false => self
                .store
                .prepare(&self.args.selection.scale, &planned.cell)?,
        };
        Ok(Job {
            cell: planned.cell.clone(),
            dir,
            estimate: self.standings[cell].estimate.seconds,
            time_limit: self.args.time_limit.or(planned.time_limit),
            after: others
                .iter()
                .enumerate()
                .filter(|(_, other)| planned.requires.contains(other))
                .map(|(place, _)| place)
                .collect(),
        })
    }
}

/// Starts workers, which are this same program.
pub(crate) fn launcher(every: CheckpointEvery, cache: &Path) -> Result<LocalLauncher, Fault> {
    let program = std::env::current_exe().map_err(Fault::OwnPath)?;
    let every = match every {
        CheckpointEvery::Time(time) => format!("{}ms", time.as_millis()),
        CheckpointEvery::Asked(times) => format!("{times}x"),
    };
    let arguments = [
        "train",
        "--driven",
        "--checkpoint-every",
        &every,
        "--cache-dir",
    ];
    let arguments = arguments.map(Into::into).into_iter().chain([cache.into()]);
    Ok(LocalLauncher {
        command: std::iter::once(program.into()).chain(arguments).collect(),
        // Memory that a worker frees is wanted again at once: giving it back costs 5 % of a residual network's training.
        env: vec![("MIMALLOC_PURGE_DELAY".into(), "-1".into())],
    })
}
