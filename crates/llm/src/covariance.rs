//! Clip-Cov and KL-Cov (Cui et al. 2025, "The Entropy Mechanism of Reinforcement Learning for Reasoning Language Models", arXiv 2505.22617), as
//! verl's `recipe/entropy` has them.
//!
//! Entropy falls where likely tokens have a high advantage. A token's part in it is its share of the covariance over the batch,
//!
//! ```text
//! cov = (A - mean A) (log π - mean log π)
//! ```
//!
//! and a few tokens have most of it. Clip-Cov takes some of them out of the loss, KL-Cov holds the largest near the old policy. Which tokens
//! those are is no part of the gradient. Neither holds log-ratios before they are exponentiated, and neither has dual clip.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::batch::{Aggregation, Batch, TOKEN_EPSILON};
use crate::kl::sign;
use crate::surrogate::ClipRange;

/// cov of each token, N, where means are Σ / (N + `epsilon`).
fn covariances(batch: Batch<'_>, epsilon: f64) -> Vec<f64> {
    let tokens = batch.tokens();
    let count = tokens.log_prob.len() as f64 + epsilon;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / count;
    let (advantage, log_prob) = (mean(tokens.advantage), mean(tokens.log_prob));
    let pairs = tokens.advantage.iter().zip(tokens.log_prob);
    pairs
        .map(|(a, l)| (a - advantage) * (l - log_prob))
        .collect()
}

/// `share` of `tokens`, rounded down, but at least one.
fn at_least_one(share: f64, tokens: usize) -> usize {
    ((share * tokens as f64) as usize).max(1)
}

/// The clipped surrogate without some tokens whose covariance is high: they have neither loss nor gradient, and still count in every mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClipCov {
    /// Where ratios are clipped. verl's script has 1 on both sides.
    pub clip: ClipRange,
    /// Share of all tokens that is taken out, in \[0, 1\]: rounded down, but at least one token (so also at 0), and at most all candidates.
    /// verl's script has 2e-4.
    pub share: f64,
    /// Candidates have a covariance above this; verl's script has 1.
    pub lower: f64,
    /// And below this; verl's script has 5.
    pub upper: f64,
    /// How the tokens' losses become one.
    pub aggregation: Aggregation,
}

/// What a batch showed. Shares and means are over tokens, Σ / (N + 1e-8).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ClipCovReport {
    /// The loss.
    pub loss: f64,
    /// Share of the tokens that were taken out; those that the ratio's range clips are not in it.
    pub clip_fraction: f64,
    /// Mean of log π_old - log π: the plain estimate of KL(π_old, π). It can be negative.
    pub approx_kl: f64,
}

impl ClipCov {
    /// The loss of a batch, without tokens that `rng` chooses among the [`ClipCov::candidates`]; its gradient with respect to each token's
    /// log-probability is written to `gradient`, N.
    pub fn evaluate(
        &self,
        batch: Batch<'_>,
        rng: &mut ChaCha8Rng,
        gradient: &mut Vec<f64>,
    ) -> ClipCovReport {
        let mut candidates = self.candidates(batch);
        let (selected, _) = candidates.partial_shuffle(rng, self.count(batch));
        self.without(batch, selected, gradient)
    }

    /// The tokens that may be taken out, ascending: covariance strictly within the bounds (means Σ / (N + 1e-8)), and not clipped by the
    /// ratio's range already.
    pub fn candidates(&self, batch: Batch<'_>) -> Vec<usize> {
        let covariances = covariances(batch, TOKEN_EPSILON);
        let tokens = batch.log_ratios().zip(batch.tokens().advantage);
        let clipped = tokens.map(|(log_ratio, a)| self.clip.surrogate(log_ratio.exp(), *a).clipped);
        let each = covariances.iter().zip(clipped).enumerate();
        each.filter(|(_, (cov, clipped))| **cov > self.lower && **cov < self.upper && !clipped)
            .map(|(at, _)| at)
            .collect()
    }

    /// How many are taken out where there are as many candidates.
    pub fn count(&self, batch: Batch<'_>) -> usize {
        at_least_one(self.share, batch.lengths().tokens())
    }

    /// The loss without the tokens at the positions `selected`.
    fn without(
        &self,
        batch: Batch<'_>,
        selected: &[usize],
        gradient: &mut Vec<f64>,
    ) -> ClipCovReport {
        let lengths = batch.lengths();
        let tokens = batch.log_ratios().zip(batch.tokens().advantage);
        let (mut losses, slopes): (Vec<f64>, Vec<f64>) = tokens
            .map(|(log_ratio, advantage)| {
                let token = self.clip.surrogate(log_ratio.exp(), *advantage);
                (token.loss, token.slope)
            })
            .unzip();
        *gradient = slopes;
        for &at in selected {
            (losses[at], gradient[at]) = (0.0, 0.0);
        }
        ClipCovReport {
            loss: self.aggregation.reduce(lengths, &losses, gradient),
            clip_fraction: lengths.mean(selected.len() as f64),
            approx_kl: lengths.mean(-batch.log_ratios().sum::<f64>()),
        }
    }
}

/// The plain policy gradient, -A ρ, with a penalty on the tokens of the largest covariance: -A ρ + coefficient |log ρ|. No clipping.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KlCov {
    /// Share of all tokens that is penalised, in \[0, 1\]: rounded down, but at least one token; at 0 none is. verl's script has 2e-3.
    pub share: f64,
    /// Weight of the penalty; verl's script has 1.
    pub coefficient: f64,
    /// How the tokens' losses become one.
    pub aggregation: Aggregation,
}

/// What a batch showed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct KlCovReport {
    /// The loss.
    pub loss: f64,
    /// Mean of |log π - log π_old| over all tokens, Σ / (N + 1e-8).
    pub abs_kl: f64,
    /// How many tokens are penalised.
    pub penalised: usize,
}

impl KlCov {
    /// The loss of a batch; its gradient with respect to each token's log-probability is written to `gradient`, N. A penalised token whose
    /// log-probability did not change has no gradient from the penalty.
    ///
    /// In the first step after sampling π is π_old: the penalty is 0 there and so is its gradient. KL-Cov acts from the second on.
    pub fn evaluate(&self, batch: Batch<'_>, gradient: &mut Vec<f64>) -> KlCovReport {
        self.with(batch, &self.largest(batch), gradient)
    }

    /// The tokens that are penalised, by falling covariance (plain means, Σ / N), the first of equal ones first. NaN counts as the largest.
    pub fn largest(&self, batch: Batch<'_>) -> Vec<usize> {
        if self.share == 0.0 {
            return Vec::new();
        }
        let covariances = covariances(batch, 0.0);
        let mut order: Vec<usize> = (0..covariances.len()).collect();
        // A stable sort: equal ones stay in their order, where PyTorch promises none.
        order.sort_by(|a, b| covariances[*b].total_cmp(&covariances[*a]));
        order.truncate(at_least_one(self.share, covariances.len()));
        order
    }

    /// The loss with a penalty on the tokens at the positions `selected`.
    fn with(&self, batch: Batch<'_>, selected: &[usize], gradient: &mut Vec<f64>) -> KlCovReport {
        let lengths = batch.lengths();
        let log_ratios: Vec<f64> = batch.log_ratios().collect();
        let tokens = log_ratios.iter().zip(batch.tokens().advantage);
        let mut losses: Vec<f64> = tokens
            .map(|(log_ratio, advantage)| -advantage * log_ratio.exp())
            .collect();
        // d ρ / d log ρ is ρ itself.
        gradient.clone_from(&losses);
        for &at in selected {
            losses[at] += self.coefficient * log_ratios[at].abs();
            gradient[at] += self.coefficient * sign(log_ratios[at]);
        }
        KlCovReport {
            loss: self.aggregation.reduce(lengths, &losses, gradient),
            abs_kl: lengths.mean(log_ratios.iter().map(|log_ratio| log_ratio.abs()).sum()),
            penalised: selected.len(),
        }
    }
}

#[cfg(test)]
mod tests;
