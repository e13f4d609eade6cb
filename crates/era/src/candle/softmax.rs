//! The activation of a bounded classifier on tensors.

use super::fused::{Rows, apply, check_rows};
use super::primitives::{affine, at_least, ln_1p, softmax};
use crate::Inverse;
use crate::inverse::HALLEY_STEPS;
use crate::real::Real;
use candle_core::{Module, Result, Shape, Tensor};

/// Smallest depth -1 - log h of the composed formula: its square root has a slope there that is finite in `f32`.
///
/// It can only be met for tau near e, as the depth is at least log tau - 1 - log log tau (0.0597 for tau = 4).
const LEAST_DEPTH: f64 = 1e-12;
/// Smallest h of the composed formula, whose inverse times a gradient is a number in `f32`; it can only be met at the lower end of H0's range.
const LEAST_H: f64 = 1e-30;

/// [`crate::SoftmaxEra`] on tensors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SoftmaxEra {
    reference: crate::SoftmaxEra,
}

impl SoftmaxEra {
    /// Wraps a checked activation.
    pub fn new(reference: crate::SoftmaxEra) -> Self {
        Self { reference }
    }

    /// The activation on slices.
    pub fn reference(&self) -> &crate::SoftmaxEra {
        &self.reference
    }

    /// The new logits from the raw ones, both `[batch, classes]` or with any other dimensions before the last; differentiable.
    ///
    /// Computed by the `f64` reference on the CPU, values and gradients; elsewhere composed of primitives in the tensor's own type.
    /// Nothing is subtracted from a row, see [`crate::SoftmaxEra`].
    ///
    /// # Errors
    /// When the rows of `raw` are not as long as there are classes, or its type is none of `f16`, `bf16`, `f32` and `f64`.
    pub fn logits(&self, raw: &Tensor) -> Result<Tensor> {
        check_rows::<crate::SoftmaxEra>(raw, self.reference.classes(), "class")?;
        apply(&self.reference, raw, |raw| self.composed(raw))?.to_dtype(raw.dtype())
    }

    /// The formula in primitives that every device has.
    pub(super) fn composed(&self, raw: &Tensor) -> Result<Tensor> {
        let (slope, bottom) = (self.reference.slope(), self.reference.smallest_h());
        let h = at_least(&affine(&softmax(raw)?, slope, bottom)?, LEAST_H)?;
        let depth = at_least(&h.log()?.affine(-1.0, -1.0)?, LEAST_DEPTH)?;
        let below_one = match self.reference.config().inverse {
            Inverse::Approximate => approximate(&depth)?,
            Inverse::Exact => exact(&depth)?,
        };
        below_one.affine(-1.0, -1.0)
    }
}

fn approximate(depth: &Tensor) -> Result<Tensor> {
    depth
        .affine(2.0, 0.0)?
        .sqrt()?
        .add(&depth.affine(0.75, 0.0)?)
}

/// The root w of w - log(1 + w) = u: Halley's steps on constants, then one of Newton that the gradient passes.
///
/// With the root found, Newton's step moves nothing but has the derivative (1 + w) / w of the root.
fn exact(depth: &Tensor) -> Result<Tensor> {
    let target = depth.detach();
    let mut root = approximate(&target)?;
    for _ in 0..HALLEY_STEPS {
        let residual = residual(&root, &target)?;
        let above = residual.mul(&root)?.mul(&root.affine(1.0, 1.0)?)?;
        let below = root.sqr()?.affine(2.0, 0.0)?.sub(&residual)?;
        root = root.sub(&above.affine(2.0, 0.0)?.div(&below)?)?;
    }
    let slope = root.affine(1.0, 1.0)?.div(&root)?;
    root.sub(&residual(&root, depth)?.mul(&slope)?)
}

/// w - log(1 + w) - u.
fn residual(root: &Tensor, depth: &Tensor) -> Result<Tensor> {
    root.sub(&ln_1p(root)?)?.sub(depth)
}

impl Module for SoftmaxEra {
    /// [`SoftmaxEra::logits`].
    fn forward(&self, raw: &Tensor) -> Result<Tensor> {
        self.logits(raw)
    }
}

impl Rows for crate::SoftmaxEra {
    const NAME: &'static str = "SoftmaxEra";

    fn shape(&self, raw: &Shape) -> Shape {
        raw.clone()
    }

    #[inline(always)]
    fn forward<T: Real>(&self, raw: &[T], out: &mut [T]) {
        self.logits(raw, out);
    }

    #[inline(always)]
    fn vjp<T: Real>(&self, raw: &[T], upstream: &[T], grad_raw: &mut [T]) {
        self.logits_vjp(raw, upstream, grad_raw);
    }
}
