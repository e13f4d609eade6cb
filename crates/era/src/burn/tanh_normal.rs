//! The tanh-squashed normal policy on tensors.

use super::differentiable::{Reduce, evaluate};
use burn::tensor::Tensor;

/// [`crate::TanhNormal`] on tensors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TanhNormal;

impl TanhNormal {
    /// The action at evaluation, tanh(mean): `[batch, action_dim]`; differentiable.
    pub fn mode(&self, mean: Tensor<2>) -> Tensor<2> {
        mean.tanh()
    }

    /// Actions tanh(mean + e^log_std noise) for given standard normal noise: `[batch, action_dim]`; differentiable in `mean` and
    /// `log_std`.
    pub fn sample(&self, mean: Tensor<2>, log_std: Tensor<2>, noise: Tensor<2>) -> Tensor<2> {
        let [action] = evaluate(
            [mean, log_std, noise],
            [Reduce::Each],
            #[inline(always)]
            |mean, log_std, noise| [crate::TanhNormal.draw(mean, log_std, noise).0],
        );
        action
    }

    /// Actions `[batch, action_dim]` and their log-densities `[batch, 1]`, summed over dimensions.
    ///
    /// The log-density's gradients are total: they pass through the action too.
    pub fn sample_with_log_prob(
        &self,
        mean: Tensor<2>,
        log_std: Tensor<2>,
        noise: Tensor<2>,
    ) -> (Tensor<2>, Tensor<2>) {
        let [action, log_prob] = evaluate(
            [mean, log_std, noise],
            [Reduce::Each, Reduce::Sum],
            #[inline(always)]
            |mean, log_std, noise| {
                let (action, log_prob) = crate::TanhNormal.draw(mean, log_std, noise);
                [action, log_prob]
            },
        );
        (action, log_prob)
    }

    /// The entropy in nats by quadrature, summed over dimensions: `[batch, 1]`; differentiable.
    ///
    /// At least 59 evaluations per dimension: for logging, not for a loss.
    pub fn entropy(&self, mean: Tensor<2>, log_std: Tensor<2>) -> Tensor<2> {
        let unused = log_std.clone();
        let [entropy] = evaluate(
            [mean, log_std, unused],
            [Reduce::Sum],
            #[inline(always)]
            |mean, log_std, _| [crate::TanhNormal.entropy(mean, log_std)],
        );
        entropy
    }
}
