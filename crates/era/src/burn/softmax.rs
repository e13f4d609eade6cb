//! The activation of a bounded classifier on tensors.

use super::fused::{Activation, fused};
use crate::Inverse;
use crate::inverse::HALLEY_STEPS;
use burn::tensor::{Tensor, activation::softmax};

/// Smallest depth -1 - log h of the composed formula: its square root has a slope there that is finite in `f32`.
///
/// It can only be met for tau near e, as the depth is at least log tau - 1 - log log tau (0.0597 for tau = 4).
const LEAST_DEPTH: f64 = 1e-12;
/// Smallest h of the composed formula, a normal number in `f32`; it can only be met at the lower end of H0's range.
const LEAST_H: f64 = 1e-37;

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

    /// The new logits from the raw ones, both `[batch, classes]`; differentiable.
    ///
    /// In `f32` on Flex computed by the `f64` reference, values and gradients; elsewhere composed of primitives in the tensor's own type.
    /// Nothing is subtracted from a row, see [`crate::SoftmaxEra`].
    ///
    /// # Panics
    /// When the rows of `raw` are not as long as there are classes.
    pub fn logits(&self, raw: Tensor<2>) -> Tensor<2> {
        assert_eq!(
            raw.dims()[1],
            self.reference.classes(),
            "the raw logits must have one column per class"
        );
        fused(&self.reference, &raw).unwrap_or_else(|| self.composed(raw))
    }

    /// The formula in primitives that every backend has.
    fn composed(&self, raw: Tensor<2>) -> Tensor<2> {
        let h = softmax(raw, 1) * self.reference.slope() + self.reference.smallest_h();
        let depth = (-h.clamp_min(LEAST_H).log() - 1.0).clamp_min(LEAST_DEPTH);
        match self.reference.config().inverse {
            Inverse::Approximate => -approximate(depth) - 1.0,
            Inverse::Exact => -exact(depth) - 1.0,
        }
    }
}

fn approximate(depth: Tensor<2>) -> Tensor<2> {
    (depth.clone() * 2.0).sqrt() + depth * 0.75
}

/// The root w of w - log(1 + w) = u: Halley's steps on constants, then one of Newton that the gradient passes.
///
/// With the root found, Newton's step moves nothing but has the derivative (1 + w) / w of the root.
fn exact(depth: Tensor<2>) -> Tensor<2> {
    let target = depth.clone().detach();
    let mut root = approximate(target.clone());
    for _ in 0..HALLEY_STEPS {
        let residual = residual(root.clone(), target.clone());
        let step = (residual.clone() * root.clone() * (root.clone() + 1.0)).mul_scalar(2.0)
            / (root.clone() * root.clone() * 2.0 - residual);
        root = root - step;
    }
    let slope = (root.clone() + 1.0) / root.clone();
    root.clone() - residual(root, depth) * slope
}

/// w - log(1 + w) - u.
fn residual(root: Tensor<2>, depth: Tensor<2>) -> Tensor<2> {
    root.clone() - root.log1p() - depth
}

impl Activation for crate::SoftmaxEra {
    #[inline(always)]
    fn forward(&self, raw: &[f32], out: &mut [f32]) {
        self.logits(raw, out);
    }

    #[inline(always)]
    fn vjp(&self, raw: &[f32], upstream: &[f32], grad_raw: &mut [f32]) {
        self.logits_vjp(raw, upstream, grad_raw);
    }
}
