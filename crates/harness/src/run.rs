//! The run context: what a method gets from the harness while it trains.

use std::collections::BTreeMap;

use crate::seed::Streams;

/// What a method gets from the harness while it trains.
#[derive(Debug)]
pub struct Run {}

/// State of a run at a step: named arrays, and small values as JSON.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint {
    /// Step of the run after which the state was taken.
    pub step: u64,
    /// Small values (counters, the learner's own clock).
    pub meta: BTreeMap<String, serde_json::Value>,
    /// Arrays by name.
    pub arrays: BTreeMap<String, Array>,
}

/// One array of a checkpoint, row major.
#[derive(Clone, Debug, PartialEq)]
pub enum Array {
    /// 32-bit floats.
    F32(Vec<usize>, Vec<f32>),
    /// 64-bit floats.
    F64(Vec<usize>, Vec<f64>),
    /// Whole numbers.
    U64(Vec<usize>, Vec<u64>),
    /// Bytes.
    U8(Vec<usize>, Vec<u8>),
}

/// How often a checkpoint is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointEvery {
    /// When this much time has passed since the last one.
    Time(std::time::Duration),
    /// When asked this many times since the last one: for tests, where a clock would decide too much.
    Asked(u64),
}

/// The run's own folder could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] crate::files::FileError),
}

#[expect(
    unused_variables,
    clippy::unimplemented,
    reason = "the signatures come first; owner: run"
)]
impl Run {
    /// The random streams of this run.
    pub fn streams(&self) -> Streams {
        unimplemented!()
    }

    /// Records metrics at `step`; a value that is not finite fails the run as diverged.
    /// Only values that are equal in every execution of the cell belong here.
    ///
    /// # Errors
    /// `Diverged`, or the folder cannot be written.
    pub fn log(&mut self, step: u64, metrics: &[(&str, f64)]) -> Result<(), crate::TrainError> {
        unimplemented!()
    }

    /// Records a series (one value an episode, a response, a class…) at `step`.
    ///
    /// # Errors
    /// As [`Run::log`].
    pub fn log_series(
        &mut self,
        step: u64,
        metric: &str,
        values: &[f64],
    ) -> Result<(), crate::TrainError> {
        unimplemented!()
    }

    /// Records what depends on the machine and the clock (steps per second); kept apart from the metrics.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn log_timing(
        &mut self,
        step: u64,
        timings: &[(&str, f64)],
    ) -> Result<(), crate::TrainError> {
        unimplemented!()
    }

    /// Tells the driver how far the run is: `headline` is what its progress bar shows (`return`, `entropy`).
    pub fn progress(&mut self, step: u64, of: u64, headline: &[(&str, f64)]) {
        unimplemented!()
    }

    /// The last good checkpoint of this cell, when it was interrupted; metrics after its step are dropped.
    ///
    /// # Errors
    /// The folder cannot be read. A damaged checkpoint is not an error: it is said, and the one before is taken.
    pub fn resume(&mut self) -> Result<Option<Checkpoint>, crate::TrainError> {
        unimplemented!()
    }

    /// Whether a checkpoint should be written now: some time has passed since the last, or the run was cancelled.
    /// Cheap enough to ask every step.
    pub fn checkpoint_due(&self) -> bool {
        unimplemented!()
    }

    /// Writes a checkpoint (temporary name, sync, rename; the last two are kept).
    ///
    /// # Errors
    /// The folder cannot be written; `Interrupted` after it was written when the run was cancelled.
    pub fn save(&mut self, checkpoint: &Checkpoint) -> Result<(), crate::TrainError> {
        unimplemented!()
    }

    /// Whether the run was asked to stop: then `checkpoint_due` is true, and `save` returns `Interrupted`.
    pub fn cancelled(&self) -> bool {
        unimplemented!()
    }
}
