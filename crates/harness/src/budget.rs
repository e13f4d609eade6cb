//! Which cells fit a time budget.

use std::time::Duration;

/// Splits cells, given their expected seconds, into those that fit `budget` on `jobs` workers and those that do not:
/// the indices kept and the indices left out, each in the given order.
#[expect(
    unused_variables,
    clippy::unimplemented,
    reason = "the signatures come first"
)]
pub fn plan_budget(seconds: &[f64], jobs: usize, budget: Duration) -> (Vec<usize>, Vec<usize>) {
    unimplemented!()
}

/// Expected seconds until all are done on `jobs` workers, longest first.
#[expect(
    unused_variables,
    clippy::unimplemented,
    reason = "the signatures come first"
)]
pub fn makespan(seconds: &[f64], jobs: usize) -> f64 {
    unimplemented!()
}
