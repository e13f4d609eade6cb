//! The activation of a bounded Gaussian policy on tensors.

use super::fused::{Activation, fused};
use burn::tensor::{Tensor, activation::softmax};

/// [`crate::GaussianEra`] on tensors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GaussianEra {
    reference: crate::GaussianEra,
}

impl GaussianEra {
    /// Wraps a checked activation.
    pub fn new(reference: crate::GaussianEra) -> Self {
        Self { reference }
    }

    /// The activation on slices.
    pub fn reference(&self) -> &crate::GaussianEra {
        &self.reference
    }

    /// The log standard deviations from the raw head output, both `[batch, action_dim]`; differentiable.
    ///
    /// # Panics
    /// When the rows of `raw` are not as long as the activation's dimensions.
    pub fn log_std(&self, raw: Tensor<2>) -> Tensor<2> {
        assert_eq!(
            raw.dims()[1],
            self.reference.action_dim(),
            "the raw output must have one column per action dimension"
        );
        fused(&self.reference, &raw).unwrap_or_else(|| self.composed(raw))
    }

    /// The formula in primitives that every backend has.
    fn composed(&self, raw: Tensor<2>) -> Tensor<2> {
        let config = self.reference.config();
        (softmax(raw, 1) * self.reference.slope() + config.log_std_max)
            .clamp(config.log_std_min, config.log_std_max)
    }
}

impl Activation for crate::GaussianEra {
    #[inline(always)]
    fn forward(&self, raw: &[f32], out: &mut [f32]) {
        self.log_std(raw, out);
    }

    #[inline(always)]
    fn vjp(&self, raw: &[f32], upstream: &[f32], grad_raw: &mut [f32]) {
        self.log_std_vjp(raw, upstream, grad_raw);
    }
}
