//! How actions are drawn from the Gaussian whose entropy the activation fixes.

use era::{Densities, TruncatedNormal};
use era_nn::{standard_normal, standard_uniform, vectorised};
use rand_chacha::ChaCha8Rng;

use crate::normal;
use crate::probe::Family;

/// The policy's distribution. Means are the actor's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PpoDistribution {
    /// As in `ppo`: not bounded, clipped on the way to the environment. The entropy is the activation's exactly, so that an
    /// entropy bonus has no gradient but where a standard deviation is held at its smallest.
    Normal,
    /// Location tanh(mean), truncated to (-1, 1): it loses entropy near the ends.
    TruncatedNormal,
}

impl PpoDistribution {
    /// Draws an action for each mean and log standard deviation.
    pub(super) fn draw(
        self,
        mean: &[f64],
        log_std: &[f64],
        rng: &mut ChaCha8Rng,
        action: &mut [f32],
    ) {
        match self {
            Self::Normal => standard_normal(rng, action),
            Self::TruncatedNormal => standard_uniform(rng, action),
        }
        let policy = TruncatedNormal::default();
        for ((mean, log_std), action) in mean.iter().zip(log_std).zip(action) {
            let noise = f64::from(*action);
            *action = match self {
                Self::Normal => mean + log_std.exp() * noise,
                Self::TruncatedNormal => policy.sample_with_gradient(*mean, *log_std, noise).value,
            } as f32;
        }
    }

    /// Log-densities of actions and entropies, one of each a dimension.
    pub(super) fn densities(self, mean: &[f64], log_std: &[f64], action: &[f32]) -> Densities {
        let action: Vec<f64> = action.iter().copied().map(f64::from).collect();
        let mut densities = Densities::default();
        match self {
            Self::Normal => {
                densities.resize(mean.len());
                let Densities { log_prob, entropy } = &mut densities;
                for (at, action) in action.into_iter().enumerate() {
                    let density = normal::log_prob(mean[at], log_std[at], action);
                    log_prob.value[at] = density.value;
                    log_prob.d_mean[at] = density.d_mean;
                    log_prob.d_log_std[at] = density.d_log_std;
                    entropy.value[at] = era::gaussian_entropy(&[log_std[at]]);
                    entropy.d_log_std[at] = 1.0;
                }
            }
            Self::TruncatedNormal => vectorised(
                #[inline(always)]
                || TruncatedNormal::default().densities(mean, log_std, &action, &mut densities),
            ),
        }
        densities
    }

    /// The action that is most likely.
    pub(super) fn mode(self, mean: f64) -> f32 {
        match self {
            Self::Normal => mean.clamp(-1.0, 1.0) as f32,
            Self::TruncatedNormal => {
                let (low, high) = TruncatedNormal::default().support();
                mean.tanh().clamp(low, high) as f32
            }
        }
    }

    /// What measures it at an evaluation.
    pub(super) fn family(self) -> Family {
        match self {
            Self::Normal => Family::Normal,
            Self::TruncatedNormal => Family::TruncatedNormal,
        }
    }
}
