//! How long a cell will take: from finished cells of the same task and method, else from the method's own word.

use crate::cell::Cell;
use crate::method::Suite;
use crate::store::{Store, StoreError};

/// What a cell is expected to take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Wall-clock seconds.
    pub seconds: f64,
    /// Peak memory in bytes.
    pub memory: u64,
    /// Whether it rests on a measurement of the same task and method.
    pub measured: bool,
}

/// Gives estimates.
#[derive(Clone, Debug)]
pub struct Estimator {}

#[expect(
    unused_variables,
    clippy::unimplemented,
    reason = "the signatures come first"
)]
impl Estimator {
    /// Reads the finished runs of the suites at `scale`.
    ///
    /// # Errors
    /// As [`Store::records`].
    pub fn new(registry: &[Suite], store: &Store, scale: &str) -> Result<Self, StoreError> {
        unimplemented!()
    }

    /// What `cell` is expected to take.
    pub fn estimate(&self, registry: &[Suite], cell: &Cell) -> Estimate {
        unimplemented!()
    }
}
