//! The ratio of two algorithms whose runs are paired.

use crate::aggregate::{Aggregator, identity, values};
use crate::bootstrap::{Bootstrap, Estimate, resample};
use crate::difference::{PairError, check};
use crate::scores::Scores;

/// Runs of which no ratio can be taken.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RatioError {
    /// They cannot be paired.
    #[error(transparent)]
    Pair(#[from] PairError),
    /// What would be divided by is not above zero.
    #[error("a ratio to {0} says nothing: it is not above zero")]
    Denominator(f64),
}

/// The interquartile mean of `left` over that of `right`, with a paired stratified bootstrap interval: run `r` of a task has the same
/// seed in both, and a resample draws both together. Scores need a zero that means something.
///
/// There is no interval where a task has a single run, nor where so many resamples have a denominator at or below zero that an end of it
/// would be infinite.
///
/// # Errors
/// The two have different numbers of tasks, or of runs on a task; the interquartile mean of `right` is not above zero.
pub fn paired(
    left: &Scores,
    right: &Scores,
    bootstrap: &Bootstrap,
) -> Result<Estimate, RatioError> {
    check(left, right)?;
    let (above, below) = (values(left, 1.0).iqm, values(right, 1.0).iqm);
    if below <= 0.0 {
        return Err(RatioError::Denominator(below));
    }
    let value = above / below;
    if left.fewest_runs() < 2 {
        return Ok(Estimate {
            value,
            interval: None,
        });
    }
    let (left_side, right_side) = (Aggregator::new(left, 1.0), Aggregator::new(right, 1.0));
    let intervals = bootstrap.intervals(
        1,
        || {
            (
                identity(left),
                left_side.workspace(),
                right_side.workspace(),
            )
        },
        |(drawn, left_space, right_space), rng, row| {
            resample(left, rng, drawn);
            let ([above, ..], [below, ..]) = (
                left_side.of(drawn, left_space),
                right_side.of(drawn, right_space),
            );
            // What nears zero from above makes the ratio grow without limit, upwards or downwards.
            row[0] = match below > 0.0 {
                true => above / below,
                false => f64::INFINITY.copysign(above),
            };
        },
    );
    let finite = intervals
        .first()
        .filter(|interval| interval.low.is_finite() && interval.high.is_finite());
    Ok(Estimate {
        value,
        interval: finite.copied(),
    })
}
