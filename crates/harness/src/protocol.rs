//! What a worker tells its driver: one JSON object a line on standard output.

use serde::{Deserialize, Serialize};

/// One line from a worker to its driver.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Message {
    /// Training begins.
    Started {
        /// Step of the checkpoint that it goes on from; none when it starts from scratch.
        resumed_at: Option<u64>,
    },
    /// How far the run is.
    Progress(Progress),
}

/// How far a run is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Step reached.
    pub step: u64,
    /// Last step.
    pub of: u64,
    /// What a progress bar shows, in order: `return`, `entropy`…
    pub headline: Vec<(String, f64)>,
}
