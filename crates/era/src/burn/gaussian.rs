//! The activation on tensors.

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
    pub fn log_std(&self, raw: Tensor<2>) -> Tensor<2> {
        let config = self.reference.config();
        (softmax(raw, 1) * self.reference.slope() + config.log_std_max)
            .clamp(config.log_std_min, config.log_std_max)
    }
}
