//! The difference of two algorithms, whose runs are paired or not.

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
    let values = apart(left, right, gamma);
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

/// Aggregates of `left` minus those of `right`, with stratified bootstrap intervals that resample the two independently: for
/// runs that have nothing in common. The numbers of runs may differ.
///
/// # Errors
/// The two have different numbers of tasks.
pub fn unpaired(
    left: &Scores,
    right: &Scores,
    gamma: f64,
    bootstrap: &Bootstrap,
) -> Result<Aggregates<Estimate>, PairError> {
    check_tasks(left, right)?;
    let values = apart(left, right, gamma);
    if left.fewest_runs() < 2 || right.fewest_runs() < 2 {
        return Ok(estimates(values, &[]));
    }
    let (left_side, right_side) = (Aggregator::new(left, gamma), Aggregator::new(right, gamma));
    let intervals = bootstrap.intervals(
        values.len(),
        || {
            (
                (identity(left), left_side.workspace()),
                (identity(right), right_side.workspace()),
            )
        },
        |((of_left, left_space), (of_right, right_space)), rng, row| {
            resample(left, rng, of_left);
            resample(right, rng, of_right);
            let (a, b) = (
                left_side.of(of_left, left_space),
                right_side.of(of_right, right_space),
            );
            for (value, (a, b)) in row.iter_mut().zip(a.iter().zip(b)) {
                *value = a - b;
            }
        },
    );
    Ok(estimates(values, &intervals))
}

/// The differences of the scores themselves.
fn apart(left: &Scores, right: &Scores, gamma: f64) -> [f64; 4] {
    let (left, right) = (
        values(left, gamma).to_array(),
        values(right, gamma).to_array(),
    );
    std::array::from_fn(|at| left[at] - right[at])
}

/// Whether run for run they are pairs.
pub(crate) fn check(left: &Scores, right: &Scores) -> Result<(), PairError> {
    check_tasks(left, right)?;
    for task in 0..left.tasks() {
        let (left, right) = (left.runs(task).len(), right.runs(task).len());
        if left != right {
            return Err(PairError::Runs { task, left, right });
        }
    }
    Ok(())
}

fn check_tasks(left: &Scores, right: &Scores) -> Result<(), PairError> {
    if left.tasks() == right.tasks() {
        return Ok(());
    }
    Err(PairError::Tasks {
        left: left.tasks(),
        right: right.tasks(),
    })
}
