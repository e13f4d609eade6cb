//! GSPO (Zheng et al. 2025, "Group Sequence Policy Optimization", arXiv 2507.18071): one ratio a response, clipped as one.
//!
//! A response of n tokens has the ratio of its likelihoods to the power of 1/n,
//!
//! ```text
//! s = exp( 1/n Σ_t (log π - log π_old) ),      L = 1/B Σ_i 1/n_i Σ_t max( -A_t s_i, -A_t clip(s_i, 1 - low, 1 + high) )
//! ```
//!
//! Without the root a long response's ratio would leave every range; with it ratios stay near 1, so the ranges are a thousand times
//! narrower than PPO's (the paper: 3e-4 below, 4e-4 above).

use crate::batch::{Aggregation, Batch};
use crate::surrogate::ClipRange;

/// Log-ratios are held at this before they are exponentiated, as verl does, and have no gradient beyond. There is no bound below.
pub const MAX_LOG_RATIO: f64 = 10.0;

/// The loss of a batch: always the mean over responses of the mean over their tokens, as in the paper and in verl. No dual clip.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gspo {
    /// Where a response's ratio is clipped.
    pub clip: ClipRange,
}

/// What a batch showed. Shares and means are over tokens, Σ / (N + 1e-8).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GspoReport {
    /// The loss.
    pub loss: f64,
    /// Share of the tokens whose response's ratio the range clips: a response counts as often as it has tokens.
    pub clip_fraction: f64,
    /// Mean of log π_old - log π over tokens: the plain estimate of KL(π_old, π). It can be negative.
    pub approx_kl: f64,
}

impl Gspo {
    /// The loss of a batch; its gradient with respect to each token's log-probability is written to `gradient`, N.
    ///
    /// Where the advantages of a response's tokens are equal this is GSPO: every token of a response that is not clipped has the gradient
    /// -A s / (n B), its share of the response's. Where they differ it is the paper's GSPO-token: a token's gradient has its own advantage,
    /// -A_t s / (n B), which is no derivative of the loss then (the ratio's dependence on other tokens is not followed). verl does the same
    /// with a stopped gradient.
    pub fn evaluate(&self, batch: Batch<'_>, gradient: &mut Vec<f64>) -> GspoReport {
        let lengths = batch.lengths();
        let log_ratios: Vec<f64> = batch.log_ratios().collect();
        let mut losses = Vec::with_capacity(lengths.tokens());
        let mut clipped = 0.0;
        gradient.clear();
        for range in lengths.ranges() {
            let log_ratio =
                log_ratios[range.clone()].iter().sum::<f64>() / range.len().max(1) as f64;
            let beyond = log_ratio > MAX_LOG_RATIO;
            let ratio = if beyond { MAX_LOG_RATIO } else { log_ratio }.exp();
            for advantage in &batch.tokens().advantage[range] {
                let token = self.clip.surrogate(ratio, *advantage);
                clipped += f64::from(token.clipped);
                losses.push(token.loss);
                gradient.push(if beyond { 0.0 } else { token.slope });
            }
        }
        GspoReport {
            loss: Aggregation::SeqMeanTokenMean.reduce(lengths, &losses, gradient),
            clip_fraction: lengths.mean(clipped),
            approx_kl: lengths.mean(-log_ratios.iter().sum::<f64>()),
        }
    }
}

#[cfg(test)]
mod tests;
