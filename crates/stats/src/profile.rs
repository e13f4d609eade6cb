//! Performance profiles: which share of runs, or of tasks, scores above τ.

use crate::aggregate::identity;
use crate::bootstrap::{Bootstrap, Estimate, resample};
use crate::scores::Scores;

/// Thresholds that make no profile.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("thresholds must be finite and ascend, unlike number {at}")]
pub struct ThresholdError {
    /// Position of the first threshold that is not above the one before, or not finite.
    pub at: usize,
}

/// The share of runs that score above each threshold (strictly), with pointwise stratified bootstrap bands: rliable's
/// run-score distribution. Every task has the same weight.
///
/// # Errors
/// `thresholds` are not finite or do not ascend.
pub fn score_distribution(
    scores: &Scores,
    thresholds: &[f64],
    bootstrap: &Bootstrap,
) -> Result<Vec<Estimate>, ThresholdError> {
    check(thresholds)?;
    let passed: Vec<usize> = scores
        .values()
        .iter()
        .map(|&score| passed(thresholds, score))
        .collect();
    let total = scores.total_weight() as f64;
    profile(scores, thresholds, bootstrap, |drawn, row| {
        row.fill(0.0);
        for (task, range) in scores.ranges().enumerate() {
            let weight = scores.weight(task) as f64;
            for &position in &drawn[range] {
                add(row, passed[position as usize], weight);
            }
        }
        accumulate(row, total);
    })
}

/// The share of tasks whose mean over runs is above each threshold (strictly), with pointwise stratified bootstrap
/// bands: rliable's average-score distribution.
///
/// # Errors
/// `thresholds` are not finite or do not ascend.
pub fn mean_scores(
    scores: &Scores,
    thresholds: &[f64],
    bootstrap: &Bootstrap,
) -> Result<Vec<Estimate>, ThresholdError> {
    check(thresholds)?;
    profile(scores, thresholds, bootstrap, |drawn, row| {
        row.fill(0.0);
        for range in scores.ranges() {
            let runs = range.len() as f64;
            let sum: f64 = drawn[range]
                .iter()
                .map(|&position| scores.values()[position as usize])
                .sum();
            add(row, passed(thresholds, sum / runs), 1.0);
        }
        accumulate(row, scores.tasks() as f64);
    })
}

fn profile(
    scores: &Scores,
    thresholds: &[f64],
    bootstrap: &Bootstrap,
    shares: impl Fn(&[u32], &mut [f64]) + Sync + Send,
) -> Result<Vec<Estimate>, ThresholdError> {
    let mut values = vec![0.0; thresholds.len()];
    if values.is_empty() {
        return Ok(Vec::new());
    }
    shares(&identity(scores), &mut values);
    if scores.fewest_runs() < 2 {
        return Ok(values
            .into_iter()
            .map(|value| Estimate {
                value,
                interval: None,
            })
            .collect());
    }
    let intervals = bootstrap.intervals(
        values.len(),
        || identity(scores),
        |drawn, rng, row| {
            resample(scores, rng, drawn);
            shares(drawn, row);
        },
    );
    let pairs = values.into_iter().zip(intervals);
    Ok(pairs
        .map(|(value, interval)| Estimate {
            value,
            interval: Some(interval),
        })
        .collect())
}

fn check(thresholds: &[f64]) -> Result<(), ThresholdError> {
    let ascends = |at: usize| at == 0 || thresholds[at - 1] < thresholds[at];
    match (0..thresholds.len()).find(|&at| !thresholds[at].is_finite() || !ascends(at)) {
        Some(at) => Err(ThresholdError { at }),
        None => Ok(()),
    }
}

/// Number of thresholds strictly below `score`.
fn passed(thresholds: &[f64], score: f64) -> usize {
    thresholds.partition_point(|&threshold| threshold < score)
}

/// Notes `weight` at the last of `passed` thresholds; [`accumulate`] hands it down to those before.
fn add(row: &mut [f64], passed: usize, weight: f64) {
    if let Some(last) = passed.checked_sub(1) {
        row[last] += weight;
    }
}

/// Turns weights by last threshold into shares above each threshold.
fn accumulate(row: &mut [f64], total: f64) {
    let mut above = 0.0;
    for share in row.iter_mut().rev() {
        above += *share;
        *share = above / total;
    }
}
