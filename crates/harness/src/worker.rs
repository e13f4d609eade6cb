//! What `era train DIR` does: one cell, one process, from `cell.json` to a record.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use crate::cell::Cell;
use crate::files;
use crate::method::{Method, Suite, TrainError};
use crate::protocol::warn;
use crate::record::{Failure, FailureKind, RUN_FORMAT, RunRecord, Status};
use crate::run::{self, CheckpointEvery, Run, RunOptions};
use crate::sealed::{self, Seal};
use crate::stop::Stop;
use crate::store::{self, CellState, Lock, StoreError, Verify, inspect};
use machine::Usage;

mod machine;
mod panics;
#[cfg(test)]
pub(crate) mod tests;

/// How a worker behaves. None of it takes part in a cell's identity.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// How often a checkpoint is due.
    pub checkpoint_every: CheckpointEvery,
    /// Speak the progress protocol ([`Message`](crate::protocol::Message)) on standard output.
    pub progress: bool,
    /// Request that ends the run with a checkpoint. The caller links it to signals ([`Stop::on_signals_of_worker`]) and, when a
    /// driver holds the other end of standard input, to its end ([`Stop::on_end_of_input`]).
    pub stop: Stop,
    /// Versions by name, for the record: `era`, `rustc`, `burn`…
    pub versions: BTreeMap<String, String>,
    /// Commit of the build, for the record.
    pub commit: String,
    /// Folder of what runs make for others to read.
    pub cache: PathBuf,
    /// Number of the device among those of the cell's engine.
    pub device_index: usize,
}

/// How a worker ended.
#[derive(Clone, Debug, PartialEq)]
pub enum WorkerOutcome {
    /// The cell was trained to its end.
    Done,
    /// The cell was finished before; nothing was run.
    AlreadyDone,
    /// Stopped by request, with a checkpoint.
    Interrupted {
        /// Step of the checkpoint.
        step: u64,
    },
    /// Another process is training this cell; nothing was run.
    Busy,
    /// The run failed; `run.json` says so.
    Failed(Failure),
}

/// The cell could not be run at all, or its record could not be written. Reads after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// Its files cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The folder holds no cell.
    #[error("train {folder}: there is no cell.json in it")]
    NoCell {
        /// The folder.
        folder: String,
    },
    /// No suite of this build has the method.
    #[error("train {cell}: this build has no method `{method}` in suite `{suite}`")]
    UnknownMethod {
        /// The cell.
        cell: String,
        /// Suite of the cell.
        suite: String,
        /// Method of the cell.
        method: String,
    },
    /// The method has changed since the cell was made.
    #[error(
        "train {cell}: it was made for revision {made_for} of `{method}`, this build has revision {built}; plan it again"
    )]
    Revision {
        /// The cell.
        cell: String,
        /// Method of the cell.
        method: String,
        /// Revision in `cell.json`.
        made_for: u32,
        /// Revision of this build.
        built: u32,
    },
}

impl From<files::FileError> for WorkerError {
    fn from(error: files::FileError) -> Self {
        Self::Store(error.into())
    }
}

/// Trains the cell in `dir` to its end, from its last checkpoint if there is one.
///
/// A cell that failed is taken up again: after divergence or a panic from scratch, because the same state would lead to
/// the same end and whoever tries again has changed the program; after anything else (killed, out of time, disk full)
/// from its last checkpoint. What is damaged is said on standard error and trained again.
///
/// # Errors
/// The cell cannot be run at all, or its record cannot be written. A run that fails is not an error but
/// [`WorkerOutcome::Failed`].
pub fn train(
    registry: &[Suite],
    dir: &Path,
    options: &WorkerOptions,
) -> Result<WorkerOutcome, WorkerError> {
    let cell = store::read_cell(dir)?.ok_or_else(|| WorkerError::NoCell {
        folder: dir.display().to_string(),
    })?;
    let method = method_of(registry, &cell)?;
    let Some(_lock) = Lock::take(dir)? else {
        return Ok(WorkerOutcome::Busy);
    };
    match inspect::state_unlocked(dir, &cell, Verify::Full)? {
        CellState::Done(_) => {
            // Left over when the process ended between its last two writes.
            run::clean_up(dir)?;
            return Ok(WorkerOutcome::AlreadyDone);
        }
        CellState::Failed(Failure {
            kind: FailureKind::Diverged | FailureKind::Panic,
            ..
        }) => run::clean_up(dir)?,
        CellState::Damaged(reason) => {
            warn(format_args!("{}: {reason}; it is trained again", cell.id()));
        }
        CellState::Missing
        | CellState::Running
        | CellState::Partial { .. }
        | CellState::Failed(_) => {}
    }
    let attempt = Attempt::begin(dir, &cell, options)?;
    let trained = panics::caught(|| run_method(method, &cell, dir, options));
    let (status, seal, outcome) = match trained {
        Ok(Ok(seal)) => (Status::Done, seal, WorkerOutcome::Done),
        Ok(Err(TrainError::Interrupted { step })) => (
            Status::Interrupted,
            no_seal(),
            WorkerOutcome::Interrupted { step },
        ),
        Ok(Err(error)) => failed(kind(&error), error.to_string()),
        Err(panic) => failed(FailureKind::Panic, panic),
    };
    attempt.end(dir, status, seal)?;
    if outcome == WorkerOutcome::Done {
        run::clean_up(dir)?;
    }
    Ok(outcome)
}

/// The method of `cell`, at the revision that the cell was made for.
fn method_of(registry: &[Suite], cell: &Cell) -> Result<&'static dyn Method, WorkerError> {
    let suite = registry.iter().find(|suite| suite.name == cell.suite);
    let method = suite.and_then(|suite| {
        suite
            .methods
            .iter()
            .find(|method| method.name() == cell.method)
    });
    let id = || cell.id().to_string();
    match method {
        None => Err(WorkerError::UnknownMethod {
            cell: id(),
            suite: cell.suite.clone(),
            method: cell.method.clone(),
        }),
        Some(method) if method.revision() != cell.revision => Err(WorkerError::Revision {
            cell: id(),
            method: cell.method.clone(),
            made_for: cell.revision,
            built: method.revision(),
        }),
        Some(method) => Ok(*method),
    }
}

fn run_method(
    method: &dyn Method,
    cell: &Cell,
    dir: &Path,
    options: &WorkerOptions,
) -> Result<Seal, TrainError> {
    let options = RunOptions {
        checkpoint_every: options.checkpoint_every,
        progress: options.progress,
        stop: options.stop.clone(),
        cache: options.cache.clone(),
        device_index: options.device_index,
    };
    let mut run = Run::new(dir, cell, options);
    method.train(cell, &mut run)?;
    Ok(run.seal()?)
}

fn failed(kind: FailureKind, reason: String) -> (Status, Seal, WorkerOutcome) {
    // The last lines of standard error are with the driver, which adds them.
    let failure = Failure {
        kind,
        reason,
        tail: Vec::new(),
    };
    (
        Status::Failed(failure.clone()),
        no_seal(),
        WorkerOutcome::Failed(failure),
    )
}

fn kind(error: &TrainError) -> FailureKind {
    match error {
        TrainError::Diverged { .. } => FailureKind::Diverged,
        _ => FailureKind::Error,
    }
}

fn no_seal() -> Seal {
    Seal {
        rows: 0,
        hash: String::new(),
    }
}

/// One attempt at a cell, and the record of it.
struct Attempt {
    record: RunRecord,
    began: Instant,
    used_before: Usage,
}

impl Attempt {
    /// Records that an attempt begins.
    fn begin(dir: &Path, cell: &Cell, options: &WorkerOptions) -> Result<Self, WorkerError> {
        // A damaged record was said above; its times are lost.
        let before = match store::read_run(dir) {
            Ok(record) => record,
            Err(StoreError::Damaged { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let now = utc_now();
        let record = RunRecord {
            format: RUN_FORMAT,
            cell: cell.id(),
            status: Status::Running,
            started: before
                .as_ref()
                .map_or_else(|| now.clone(), |record| record.started.clone()),
            updated: now,
            wall_seconds: before.as_ref().map_or(0.0, |record| record.wall_seconds),
            cpu_seconds: before.as_ref().map_or(0.0, |record| record.cpu_seconds),
            peak_memory: before.as_ref().map_or(0, |record| record.peak_memory),
            attempts: before.as_ref().map_or(0, |record| record.attempts) + 1,
            machine: machine::machine(),
            versions: options.versions.clone(),
            commit: options.commit.clone(),
            rows: 0,
            metrics_hash: String::new(),
        };
        store::write_run(dir, &record)?;
        // The sealed files of a record that turned out damaged: no reader may take them for this attempt's.
        files::remove_file(&dir.join(sealed::METRICS))?;
        files::remove_file(&dir.join(sealed::TIMINGS))?;
        Ok(Self {
            record,
            began: Instant::now(),
            used_before: Usage::now(),
        })
    }

    /// Records how it ended.
    fn end(mut self, dir: &Path, status: Status, seal: Seal) -> Result<(), WorkerError> {
        let used = Usage::now();
        self.record.status = status;
        self.record.updated = utc_now();
        self.record.wall_seconds += self.began.elapsed().as_secs_f64();
        self.record.cpu_seconds += used.cpu_seconds - self.used_before.cpu_seconds;
        self.record.peak_memory = self.record.peak_memory.max(used.peak_memory);
        self.record.rows = seal.rows;
        self.record.metrics_hash = seal.hash;
        Ok(store::write_run(dir, &self.record)?)
    }
}

/// The time in UTC as RFC 3339, in seconds.
pub(crate) fn utc_now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}
