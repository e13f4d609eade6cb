//! Training the open cells, beside other commands that may work on the same store.

use std::time::Duration;

use era_harness::record::Failure;
use era_harness::schedule::{self, Job, LocalLauncher, Options};
use era_harness::stop::Stop;
use era_harness::store::{CellState, Store, Verify};
use indicatif::MultiProgress;

use crate::again::Again;
use crate::args::{CheckpointEvery, Reproduce};
use crate::fault::Fault;
use crate::progress::{self, Tally};
use crate::selection::{Chosen, Planned};
use crate::survey::Standing;
use crate::text;

/// Time between asking a worker for its last checkpoint and ending it: a full replay buffer is written in a second or
/// two, to a slow disk in ten.
const GRACE: Duration = Duration::from_secs(30);

/// Time between two looks at a cell that another command trains.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

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
    /// Trains the cells `open`. Cells that another command is training are waited for: when that one leaves them
    /// unfinished, they are trained here.
    pub(crate) fn run(&self, open: Vec<usize>) -> Result<Trained, Fault> {
        let mut trained = Trained::default();
        let (mut busy, mut next): (Vec<usize>, Vec<usize>) =
            open.into_iter().partition(|&cell| self.busy(cell));
        loop {
            if !next.is_empty() {
                self.round(&next, &mut trained)?;
            }
            if self.stop.requested() {
                trained.stopped += busy.len();
                trained.interrupted = true;
                return Ok(trained);
            }
            if busy.is_empty() {
                return Ok(trained);
            }
            (busy, next) = self.wait(busy, &mut trained)?;
        }
    }

    fn busy(&self, cell: usize) -> bool {
        matches!(self.standings[cell].state, CellState::Running)
    }

    /// Trains cells side by side, and puts new records in the place of old ones.
    fn round(&self, cells: &[usize], trained: &mut Trained) -> Result<(), Fault> {
        let jobs = cells
            .iter()
            .map(|&cell| self.job(cell))
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
            grace: GRACE,
            stop: self.stop.clone(),
        };
        let outcome = schedule::run(&jobs, &self.launcher()?, observer.as_mut(), &options);
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

    fn job(&self, cell: usize) -> Result<Job, Fault> {
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
        })
    }

    /// Workers are this same program.
    fn launcher(&self) -> Result<LocalLauncher, Fault> {
        let program = std::env::current_exe().map_err(Fault::OwnPath)?;
        let every = match self.args.checkpoints.checkpoint_every {
            CheckpointEvery::Time(time) => format!("{}ms", time.as_millis()),
            CheckpointEvery::Asked(times) => format!("{times}x"),
        };
        let arguments = ["train", "--driven", "--checkpoint-every", &every].map(Into::into);
        Ok(LocalLauncher {
            command: std::iter::once(program.into()).chain(arguments).collect(),
            env: Vec::new(),
        })
    }

    /// Waits until another command has left at least one of the `busy` cells, or until a request to stop. Gives those
    /// still busy, and those left unfinished, which are trained here.
    fn wait(
        &self,
        busy: Vec<usize>,
        trained: &mut Trained,
    ) -> Result<(Vec<usize>, Vec<usize>), Fault> {
        eprintln!(
            "waiting for {} that another command trains",
            text::count(busy.len(), "cell")
        );
        loop {
            let (mut still, mut left) = (Vec::new(), Vec::new());
            for &cell in &busy {
                let planned = &self.chosen.cells[cell];
                match self
                    .store
                    .state(&self.args.selection.scale, &planned.cell, Verify::Full)?
                {
                    CellState::Running => still.push(cell),
                    CellState::Done(_) => trained.done += 1,
                    CellState::Failed(failure) => trained.failed.push((cell, failure)),
                    CellState::Missing | CellState::Partial { .. } | CellState::Damaged(_) => {
                        left.push(cell)
                    }
                }
            }
            if still.len() < busy.len() || self.stop.requested() {
                return Ok((still, left));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }
}
