//! The clipped surrogate of PPO on the tokens of responses, which GRPO minimises (Schulman et al. 2017, arXiv 1707.06347; dual clip: Ye et al.
//! 2020, arXiv 1912.09729), as verl's `compute_policy_loss` has it.
//!
//! With ρ = π / π_old of a token and its advantage A,
//!
//! ```text
//! l = max( -A ρ, -A clip(ρ, 1 - low, 1 + high) ),      and min( l, -A c ) where A < 0
//! ```

use crate::batch::{Aggregation, Batch};

/// Log-ratios are held within ± this before they are exponentiated, and have no gradient beyond. That matters only where neither the range
/// nor dual clip has taken it already.
pub const MAX_LOG_RATIO: f64 = 20.0;

/// How far a ratio may go before it earns nothing more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClipRange {
    /// Ratios are clipped below at 1 - `low`; at least 0. From 1 on no ratio is small enough.
    pub low: f64,
    /// Ratios are clipped above at 1 + `high`; at least 0. More than `low` is DAPO's "clip higher".
    pub high: f64,
}

/// A token's loss.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clipped {
    pub(crate) loss: f64,
    /// d loss / d log ρ.
    pub(crate) slope: f64,
    /// Whether the clipped branch is the larger one.
    pub(crate) clipped: bool,
}

impl ClipRange {
    /// max(-A ρ, -A clip(ρ)).
    pub(crate) fn surrogate(self, ratio: f64, advantage: f64) -> Clipped {
        let free = -advantage * ratio;
        let held = -advantage * self.hold(ratio);
        // Not `max`, which would drop a NaN.
        if held > free {
            Clipped {
                loss: held,
                slope: 0.0,
                clipped: true,
            }
        } else {
            // d ρ / d log ρ is ρ itself.
            Clipped {
                loss: free,
                slope: free,
                clipped: false,
            }
        }
    }

    /// `f64::clamp` would panic at a range that is empty.
    fn hold(self, ratio: f64) -> f64 {
        let (least, most) = (1.0 - self.low, 1.0 + self.high);
        if ratio < least {
            least
        } else if ratio > most {
            most
        } else {
            ratio
        }
    }
}

/// The loss of a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Surrogate {
    /// Where ratios are clipped. The ERA paper's runs have 1 on both sides.
    pub clip: ClipRange,
    /// c > 1: with a negative advantage a token's loss is at most -A c, whatever its ratio; infinite for no dual clip. verl's default is 3,
    /// DAPO's 10.
    pub clip_c: f64,
    /// How the tokens' losses become one.
    pub aggregation: Aggregation,
}

/// What a batch showed. Shares and means are over tokens, Σ / (N + 1e-8) whatever the aggregation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SurrogateReport {
    /// The loss.
    pub loss: f64,
    /// Share of the tokens whose ratio the range clips.
    pub clip_fraction: f64,
    /// Share of the tokens that dual clip holds at -A c.
    pub lower_clip_fraction: f64,
    /// Mean of log π_old - log π, held within ±20: the plain estimate of KL(π_old, π). It can be negative.
    pub approx_kl: f64,
}

impl Surrogate {
    /// The loss of a batch; its gradient with respect to each token's log-probability is written to `gradient`, N.
    pub fn evaluate(&self, batch: Batch<'_>, gradient: &mut Vec<f64>) -> SurrogateReport {
        let lengths = batch.lengths();
        let mut losses = Vec::with_capacity(lengths.tokens());
        let (mut clipped, mut lower, mut kl) = (0.0, 0.0, 0.0);
        gradient.clear();
        for (log_ratio, advantage) in batch.log_ratios().zip(batch.tokens().advantage) {
            let held = log_ratio.clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO);
            let mut token = self.clip.surrogate(held.exp(), *advantage);
            clipped += f64::from(token.clipped);
            let most = -advantage * self.clip_c;
            if *advantage < 0.0 && token.loss > most {
                (token.loss, token.slope) = (most, 0.0);
                lower += 1.0;
            }
            if log_ratio.abs() > MAX_LOG_RATIO {
                token.slope = 0.0;
            }
            kl -= held;
            losses.push(token.loss);
            gradient.push(token.slope);
        }
        SurrogateReport {
            loss: self.aggregation.reduce(lengths, &losses, gradient),
            clip_fraction: lengths.mean(clipped),
            lower_clip_fraction: lengths.mean(lower),
            approx_kl: lengths.mean(kl),
        }
    }
}

#[cfg(test)]
mod tests;
