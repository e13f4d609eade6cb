//! The activation of a bounded Gaussian policy on tensors.

use super::fused::{Rows, apply, check_rows};
use super::primitives::{affine, at_least, softmax};
use crate::real::Real;
use candle_core::{Module, Result, Shape, Tensor};

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
    /// Computed by the `f64` reference on the CPU, values and gradients; elsewhere composed of primitives in the tensor's own type.
    ///
    /// # Errors
    /// When the rows of `raw` are not as long as the activation's dimensions, or its type is none of `f16`, `bf16`, `f32` and `f64`.
    pub fn log_std(&self, raw: &Tensor) -> Result<Tensor> {
        check_rows::<crate::GaussianEra>(raw, self.reference.action_dim(), "action dimension")?;
        apply(&self.reference, raw, |raw| self.composed(raw))?.to_dtype(raw.dtype())
    }

    /// The formula in primitives that every device has. As the slope is not positive, nothing exceeds log sigma_max.
    pub(super) fn composed(&self, raw: &Tensor) -> Result<Tensor> {
        let config = self.reference.config();
        let log_std = affine(&softmax(raw)?, self.reference.slope(), config.log_std_max)?;
        at_least(&log_std, config.log_std_min)
    }
}

impl Module for GaussianEra {
    /// [`GaussianEra::log_std`].
    fn forward(&self, raw: &Tensor) -> Result<Tensor> {
        self.log_std(raw)
    }
}

impl Rows for crate::GaussianEra {
    const NAME: &'static str = "GaussianEra";

    fn shape(&self, raw: &Shape) -> Shape {
        raw.clone()
    }

    #[inline(always)]
    fn forward<T: Real>(&self, raw: &[T], out: &mut [T]) {
        self.log_std(raw, out);
    }

    #[inline(always)]
    fn vjp<T: Real>(&self, raw: &[T], upstream: &[T], grad_raw: &mut [T]) {
        self.log_std_vjp(raw, upstream, grad_raw);
    }
}
