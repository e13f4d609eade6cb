//! The truncated normal policy on tensors.

use super::differentiable::{Reduce, evaluate};
use burn::tensor::Tensor;

/// [`crate::TruncatedNormal`] on tensors: location tanh(mean), scale e^log_std, on the official support by default.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TruncatedNormal {
    reference: crate::TruncatedNormal,
}

impl TruncatedNormal {
    /// The policy on the support of `reference`.
    pub fn new(reference: crate::TruncatedNormal) -> Self {
        Self { reference }
    }

    /// The policy on slices.
    pub fn reference(&self) -> &crate::TruncatedNormal {
        &self.reference
    }

    /// The action at evaluation, tanh(mean) clipped to the support: `[batch, action_dim]`; differentiable.
    pub fn mode(&self, mean: Tensor<2>) -> Tensor<2> {
        let (low, high) = self.reference.support();
        mean.tanh().clamp(low, high)
    }

    /// Actions for `uniform` in \[0, 1\]: `[batch, action_dim]`; differentiable in `mean` and `log_std`.
    pub fn sample(&self, mean: Tensor<2>, log_std: Tensor<2>, uniform: Tensor<2>) -> Tensor<2> {
        let policy = self.reference;
        let [action] = evaluate(
            [mean, log_std, uniform],
            [Reduce::Each],
            #[inline(always)]
            move |mean, log_std, u| [policy.marginal(mean, log_std).draw(u).action],
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
        uniform: Tensor<2>,
    ) -> (Tensor<2>, Tensor<2>) {
        let policy = self.reference;
        let [action, log_prob] = evaluate(
            [mean, log_std, uniform],
            [Reduce::Each, Reduce::Sum],
            #[inline(always)]
            move |mean, log_std, u| {
                let draw = policy.marginal(mean, log_std).draw(u);
                [draw.action, draw.log_prob]
            },
        );
        (action, log_prob)
    }

    /// The log-densities `[batch, 1]` of given actions, summed over dimensions; differentiable in `mean` and `log_std`, the actions are
    /// constants.
    pub fn log_prob(&self, mean: Tensor<2>, log_std: Tensor<2>, action: Tensor<2>) -> Tensor<2> {
        let policy = self.reference;
        let [log_prob] = evaluate(
            [mean, log_std, action],
            [Reduce::Sum],
            #[inline(always)]
            move |mean, log_std, action| [policy.marginal(mean, log_std).log_prob(action)],
        );
        log_prob
    }

    /// The exact entropy in nats, summed over dimensions: `[batch, 1]`; differentiable.
    pub fn entropy(&self, mean: Tensor<2>, log_std: Tensor<2>) -> Tensor<2> {
        let policy = self.reference;
        let unused = log_std.clone();
        let [entropy] = evaluate(
            [mean, log_std, unused],
            [Reduce::Sum],
            #[inline(always)]
            move |mean, log_std, _| [policy.marginal(mean, log_std).entropy()],
        );
        entropy
    }
}
