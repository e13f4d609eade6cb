//! What `era train DIR` does: one cell, one process, from `cell.json` to a record.

use std::collections::BTreeMap;
use std::path::Path;

use crate::method::Suite;
use crate::record::Failure;
use crate::run::CheckpointEvery;
use crate::stop::Stop;

/// How a worker behaves. None of it takes part in a cell's identity.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// How often a checkpoint is due.
    pub checkpoint_every: CheckpointEvery,
    /// Speak the progress protocol ([`Message`](crate::protocol::Message)) on standard output.
    pub progress: bool,
    /// Request that ends the run with a checkpoint. The caller links it to signals ([`Stop::on_signals`]) and, when a
    /// driver holds the other end of standard input, to its end ([`Stop::on_end_of_input`]).
    pub stop: Stop,
    /// Versions by name, for the record: `era`, `rustc`, `burn`…
    pub versions: BTreeMap<String, String>,
    /// Commit of the build, for the record.
    pub commit: String,
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
    /// The run failed; `run.json` says so, unless it could not be written.
    Failed(Failure),
}

/// The cell in `dir` could not be run at all.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// Its files cannot be read or written.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
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

/// Trains the cell in `dir` to its end, from its last checkpoint if there is one.
///
/// # Errors
/// The cell cannot be run at all. A run that fails is not an error but [`WorkerOutcome::Failed`].
#[expect(
    unused_variables,
    clippy::unimplemented,
    reason = "the signatures come first"
)]
pub fn train(
    registry: &[Suite],
    dir: &Path,
    options: &WorkerOptions,
) -> Result<WorkerOutcome, WorkerError> {
    unimplemented!()
}
