//! The difference of two algorithms whose runs are paired.

use crate::aggregate::{Aggregates, Aggregator, estimates, identity, values};
use crate::bootstrap::{Bootstrap, Estimate, resample};
use crate::scores::Scores;

/// Runs that cannot be paired.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PairError {
    /// Another number of tasks.
    #[error("{left} tasks cannot be paired with {right}")]
    Tasks {
        /// Tasks of the one.
        left: usize,
        /// Tasks of the other.
        right: usize,
    },
    /// Another number of runs on a task.
    #[error("{left} runs cannot be paired with {right} on task {task}")]
    Runs {
        /// Position of the task, from 0.
        task: usize,
        /// Runs of the one.
        left: usize,
        /// Runs of the other.
        right: usize,
    },
}

/// Aggregates of `left` minus those of `right`, with paired stratified bootstrap intervals: run `r` of a task has the
/// same seed in both, and a resample draws both together, so that what a seed does to both does not widen the interval.
///
/// # Errors
/// The two have different numbers of tasks, or of runs on a task.
pub fn paired(
    left: &Scores,
    right: &Scores,
    gamma: f64,
    bootstrap: &Bootstrap,
) -> Result<Aggregates<Estimate>, PairError> {
    check(left, right)?;
    let (of_left, of_right) = (
        values(left, gamma).to_array(),
        values(right, gamma).to_array(),
    );
    let values: [f64; 4] = std::array::from_fn(|at| of_left[at] - of_right[at]);
    if left.fewest_runs() < 2 {
        return Ok(estimates(values, &[]));
    }
    let (left_side, right_side) = (Aggregator::new(left, gamma), Aggregator::new(right, gamma));
    let intervals = bootstrap.intervals(
        values.len(),
        || {
            (
                identity(left),
                left_side.workspace(),
                right_side.workspace(),
            )
        },
        |(drawn, left_space, right_space), rng, row| {
            resample(left, rng, drawn);
            let (a, b) = (
                left_side.of(drawn, left_space),
                right_side.of(drawn, right_space),
            );
            for (value, (a, b)) in row.iter_mut().zip(a.iter().zip(b)) {
                *value = a - b;
            }
        },
    );
    Ok(estimates(values, &intervals))
}

/// Whether run for run they are pairs.
pub(crate) fn check(left: &Scores, right: &Scores) -> Result<(), PairError> {
    if left.tasks() != right.tasks() {
        return Err(PairError::Tasks {
            left: left.tasks(),
            right: right.tasks(),
        });
    }
    for task in 0..left.tasks() {
        let (left, right) = (left.runs(task).len(), right.runs(task).len());
        if left != right {
            return Err(PairError::Runs { task, left, right });
        }
    }
    Ok(())
}
