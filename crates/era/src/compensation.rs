//! What is added to the target for the entropy that bounding the actions costs.

use crate::special;
use serde::{Deserialize, Serialize};

/// delta in H0' = H0 + delta, in nats over all dimensions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Compensation {
    /// delta = 0: the target is that of the Gaussian before bounding (the official code).
    #[default]
    None,
    /// A fixed delta >= 0.
    Constant {
        /// In nats over all dimensions.
        delta: f64,
    },
    /// A delta that follows the measured entropy of the policy.
    Learned(LearnedDelta),
}

impl Compensation {
    /// The present delta, in nats over all dimensions.
    pub fn delta(&self) -> f64 {
        match self {
            Self::None => 0.0,
            Self::Constant { delta } => *delta,
            Self::Learned(learned) => learned.delta(),
        }
    }
}

/// A delta learned by descending L(delta) = E\[delta (H\[pi\] - H0)\] (paper, reported as Eq. 12): it rises while the policy's
/// entropy is below H0 and falls while it is above.
///
/// How delta is kept from becoming negative, its optimiser and its learning rate are not stated in the sources. Here
/// delta = softplus(rho) with a free parameter rho: it cannot become negative, and unlike exp it grows linearly, so that a steady
/// shortfall does not make the step explode. Near 0 it moves slowly (its slope is about delta there): start it where it can act, say
/// at log 2 per dimension.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearnedDelta {
    rho: f64,
}

impl LearnedDelta {
    /// Starts at `delta` > 0 nats over all dimensions; anything smaller than 1e-6 starts there.
    pub fn starting_at(delta: f64) -> Self {
        let delta = delta.max(1e-6);
        // The inverse of softplus, log(e^delta - 1), without overflow.
        Self {
            rho: delta + (-(-delta).exp_m1()).ln(),
        }
    }

    /// delta = log(1 + e^rho), in nats over all dimensions.
    pub fn delta(&self) -> f64 {
        self.rho.max(0.0) + (-self.rho.abs()).exp().ln_1p()
    }

    /// The free parameter rho.
    pub fn rho(&self) -> f64 {
        self.rho
    }

    /// L = delta (entropy - target): `entropy` is the mean entropy of the bounded policy over a batch of states, `target` is H0.
    pub fn loss(&self, entropy: f64, target: f64) -> f64 {
        self.delta() * (entropy - target)
    }

    /// dL/d rho = sigmoid(rho) (entropy - target), the policy held fixed.
    pub fn gradient(&self, entropy: f64, target: f64) -> f64 {
        (entropy - target) / (1.0 + special::exp(-self.rho))
    }

    /// One step of gradient descent on the loss.
    #[must_use]
    pub fn descend(self, entropy: f64, target: f64, learning_rate: f64) -> Self {
        Self {
            rho: self.rho - learning_rate * self.gradient(entropy, target),
        }
    }
}
