//! How the Gaussian that the activation gives is bounded to actions in (-1, 1).

use burn::tensor::Tensor;
use era::burn::{TanhNormal, TruncatedNormal};
use era_nn::{standard_normal, standard_uniform};
use rand_chacha::ChaCha8Rng;

use crate::probe::Family;

/// The policy's distribution. Means are those before tanh, all tensors `[B, act_dim]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distribution {
    /// A normal distribution around tanh(mean), cut off outside the official code's support: +-(1 - 1e-6).
    TruncatedNormal,
    /// tanh of a normal distribution around the mean.
    TanhNormal,
}

impl Distribution {
    /// Draws what a sample is made from: uniforms for the inverse distribution function, or standard normals.
    pub(super) fn draw_noise(self, rng: &mut ChaCha8Rng, noise: &mut [f32]) {
        match self {
            Self::TruncatedNormal => standard_uniform(rng, noise),
            Self::TanhNormal => standard_normal(rng, noise),
        }
    }

    /// Actions for given noise.
    pub(super) fn sample(self, mean: Tensor<2>, log_std: Tensor<2>, noise: Tensor<2>) -> Tensor<2> {
        match self {
            Self::TruncatedNormal => TruncatedNormal::default().sample(mean, log_std, noise),
            Self::TanhNormal => TanhNormal.sample(mean, log_std, noise),
        }
    }

    /// The action at evaluation.
    pub(super) fn mode(self, mean: Tensor<2>) -> Tensor<2> {
        match self {
            Self::TruncatedNormal => TruncatedNormal::default().mode(mean),
            Self::TanhNormal => TanhNormal.mode(mean),
        }
    }

    /// The entropy of each state in nats, `[B, 1]`.
    ///
    /// By quadrature for the tanh-normal.
    pub(super) fn entropy(self, mean: Tensor<2>, log_std: Tensor<2>) -> Tensor<2> {
        match self {
            Self::TruncatedNormal => TruncatedNormal::default().entropy(mean, log_std),
            Self::TanhNormal => TanhNormal.entropy(mean, log_std),
        }
    }

    /// What measures it at an evaluation.
    pub(super) fn family(self) -> Family {
        match self {
            Self::TruncatedNormal => Family::TruncatedNormal,
            Self::TanhNormal => Family::TanhNormal,
        }
    }
}
