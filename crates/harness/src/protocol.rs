//! What a worker tells its driver: one JSON object a line on standard output.

use std::fmt;
use std::io::{self, Write};

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

impl Message {
    /// The message on a line of a worker's standard output; none where a library printed something else.
    pub fn from_line(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }
}

/// Tells the driver. That nobody listens any more is no fault of the run: it is stopped by the end of its input.
pub(crate) fn tell(message: &Message) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{}", serde_json::json!(message)).and_then(|()| out.flush());
}

/// Says something on standard error. Unlike `eprintln!` it does not panic when the driver that read it is gone.
pub(crate) fn warn(text: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{text}");
}
