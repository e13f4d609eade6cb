//! What a run leaves: `run.json` and rows of metrics.

use serde::{Deserialize, Serialize};

use crate::cell::CellId;

/// The version of `run.json` that this program writes.
pub const RUN_FORMAT: u32 = 1;

/// One value of one metric. In Parquet the columns have these names, in this order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Step of the run (environment step, update, image…) at which it was measured.
    pub step: u64,
    /// Name, for example `eval/return`.
    pub metric: String,
    /// Position in a series (the episode of an evaluation); 0 for a single value.
    pub index: u32,
    /// The value; finite, or the run has failed.
    pub value: f64,
}

/// How a run stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Status {
    /// Being executed, or its process is gone.
    Running,
    /// Stopped by request; it resumes.
    Interrupted,
    /// Finished; `metrics.parquet` is whole.
    Done,
    /// Ended with a fault.
    Failed(Failure),
}

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The kind of fault.
    pub kind: FailureKind,
    /// One line for people.
    pub reason: String,
    /// The last lines that the run wrote to standard error.
    pub tail: Vec<String>,
}

/// The kinds of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// A value that is not finite.
    Diverged,
    /// A panic: a bug.
    Panic,
    /// Ran past its time limit.
    TimedOut,
    /// Ended by a signal from outside (out of memory, `kill`).
    Killed,
    /// Anything that the run itself said.
    Error,
}

/// The machine that ran it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Model of the processor.
    pub cpu: String,
    /// Number of cores.
    pub cores: u32,
    /// Memory in bytes.
    pub memory: u64,
    /// Operating system and architecture, for example `linux x86_64`.
    pub os: String,
}

/// `run.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Version of this format, [`RUN_FORMAT`].
    pub format: u32,
    /// The cell.
    pub cell: CellId,
    /// How it stands.
    pub status: Status,
    /// UTC, RFC 3339.
    pub started: String,
    /// UTC, RFC 3339; of the last change of status.
    pub updated: String,
    /// Seconds of wall-clock time, over all attempts.
    pub wall_seconds: f64,
    /// Seconds of processor time, over all attempts.
    pub cpu_seconds: f64,
    /// Largest resident set in bytes, over all attempts.
    pub peak_memory: u64,
    /// Attempts: 1, and 1 for each resume or retry.
    pub attempts: u32,
    /// The machine of the last attempt.
    pub machine: Machine,
    /// Versions by name: `era`, `rustc`, `burn`, `mujoco`…
    pub versions: std::collections::BTreeMap<String, String>,
    /// Commit that the program was built from, with `-dirty` when the tree had changes; `unknown` outside git.
    pub commit: String,
    /// Number of rows of metrics, when done.
    pub rows: u64,
    /// BLAKE3 of the rows of metrics (not of timings), when done: equal for runs that are equal bit for bit.
    pub metrics_hash: String,
}
