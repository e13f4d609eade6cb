//! The activation of a bounded Gaussian policy on tensors.

use super::rows::{check_rows, or_panic};
use tch::{TchError, Tensor, nn::Module};

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

    /// The log standard deviations from the raw head output, both `[batch, action_dim]` or with any other dimensions before the last;
    /// differentiable.
    ///
    /// # Panics
    /// Where [`GaussianEra::f_log_std`] returns an error.
    #[track_caller]
    pub fn log_std(&self, raw: &Tensor) -> Tensor {
        or_panic(self.f_log_std(raw))
    }

    /// [`GaussianEra::log_std`] that can fail.
    ///
    /// # Errors
    /// [`TchError::Shape`] when the rows of `raw` are not as long as the activation's dimensions, [`TchError::Kind`] when its type is none of
    /// `Half`, `BFloat16`, `Float` and `Double`, and LibTorch's own.
    pub fn f_log_std(&self, raw: &Tensor) -> Result<Tensor, TchError> {
        let dims = self.reference.action_dim();
        let kind = check_rows("GaussianEra", raw, dims, "action dimension")?;
        let (slope, config) = (self.reference.slope(), self.reference.config());
        let mut log_std = raw.f_softmax(-1, kind)?.f_mul_scalar(slope)?;
        // In place, as the product with a number keeps nothing for its gradient.
        let _ = log_std.f_add_scalar_(config.log_std_max)?;
        // With few dimensions no share is large enough. No share is negative: nothing exceeds log sigma_max.
        if slope + config.log_std_max < config.log_std_min {
            // Passes its gradient at the bound, as the reference does, and none below.
            log_std = log_std.f_clamp_min(config.log_std_min)?;
        }
        log_std.f_to_kind(raw.f_kind()?)
    }
}

impl Module for GaussianEra {
    /// [`GaussianEra::log_std`].
    fn forward(&self, raw: &Tensor) -> Tensor {
        self.log_std(raw)
    }
}
