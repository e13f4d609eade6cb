//! The activation of a bounded classifier on tensors.

use super::rows::{check_rows, or_panic};
use crate::Inverse;
use std::f64::consts::E;
use tch::{Kind, TchError, Tensor, nn::Module};

/// Below this tau everything is computed in `Double`: the error of -1 - log h grows by the inverse's slope, 5 at this tau and without bound
/// towards e.
const NEAR_E: f64 = 3.5;
/// The smallest depth -1 - log h for such a tau, about that of the last digit of h: the root's slope is finite there.
const LEAST_DEPTH: f64 = 1e-16;
/// Where the reference's exponential ends: logits further below the largest, and classes that are ruled out, count as this far below it.
const LARGEST_GAP: f64 = -690.0;

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

    /// The new logits from the raw ones, both `[batch, classes]` or with any other dimensions before the last; differentiable, see
    /// the [module's documentation](super#how-it-computes).
    ///
    /// Nothing is subtracted from a row, see [`crate::SoftmaxEra`].
    ///
    /// # Panics
    /// Where [`SoftmaxEra::f_logits`] returns an error.
    #[track_caller]
    pub fn logits(&self, raw: &Tensor) -> Tensor {
        or_panic(self.f_logits(raw))
    }

    /// [`SoftmaxEra::logits`] that can fail.
    ///
    /// # Errors
    /// [`TchError::Shape`] when the rows of `raw` are not as long as there are classes, [`TchError::Kind`] when its type is none of `Half`,
    /// `BFloat16`, `Float` and `Double`, and LibTorch's own: a tau below 3.5 needs a device that has `Double`.
    pub fn f_logits(&self, raw: &Tensor) -> Result<Tensor, TchError> {
        let mut kind = check_rows("SoftmaxEra", raw, self.reference.classes(), "class")?;
        let config = self.reference.config();
        if config.tau < NEAR_E {
            kind = Kind::Double;
        }
        let mut height = self.height(raw, kind)?;
        if config.tau < NEAR_E {
            height = height.f_clamp_max(-LEAST_DEPTH)?;
        }
        let logits = match config.inverse {
            Inverse::Approximate => approximate(&height)?,
            Inverse::Exact => exact(&height, kind)?,
        };
        logits.f_to_kind(raw.f_kind()?)
    }

    /// 1 + log h, minus the reference's depth; at most 1 + log m.
    fn height(&self, raw: &Tensor, kind: Kind) -> Result<Tensor, TchError> {
        let (slope, bottom) = (self.reference.slope(), self.reference.smallest_h());
        if bottom > 0.0 {
            let mut h = raw.f_softmax(-1, kind)?.f_mul_scalar(slope * E)?;
            let _ = h.f_add_scalar_(bottom * E)?;
            return h.f_log();
        }
        // At the lower end of H0's range h is as small as a share: its logarithm is a number where it is none itself.
        let raw = raw.f_to_kind(kind)?;
        let largest = raw.f_detach()?.f_amax([-1_i64].as_slice(), true)?;
        let gaps = raw.f_sub(&largest)?.f_clamp_min(LARGEST_GAP)?;
        let height = gaps.f_log_softmax(-1, kind)?;
        let height = height.f_add_scalar(slope.ln() + 1.0)?;
        Ok(height)
    }
}

/// -1 - sqrt(2u) - 3u/4 of a height -u.
fn approximate(height: &Tensor) -> Result<Tensor, TchError> {
    let mut logits = height.f_mul_scalar(0.75)?;
    let _ = logits.f_sub_(&height.f_mul_scalar(-2.0)?.f_sqrt()?)?;
    logits.f_add_scalar_(-1.0)
}

/// -1 - w of a height -u, with the root w of w - log(1 + w) = u.
///
/// Newton's step for it is w' = (1 + 1/w) (u + log(1 + w)) - 1. The last is left to the graph: at the root it moves nothing, and its
/// derivative in u is the root's, 1 + 1/w.
fn exact(height: &Tensor, kind: Kind) -> Result<Tensor, TchError> {
    // From the official approximation, within 21 %, the error is 1.6e-4, then 7e-10, then an f64's rounding.
    let steps = if kind == Kind::Double { 3 } else { 2 };
    let (log, slope) = {
        let _constant = tch::no_grad_guard();
        let mut root = height.f_mul_scalar(-2.0)?;
        let _ = root.f_sqrt_()?;
        let _ = root.f_sub_(&height.f_mul_scalar(0.75)?)?;
        for _ in 0..steps {
            let mut sum = root.f_log1p()?;
            let _ = sum.f_sub_(height)?;
            root = sum.f_addcdiv(&sum, &root)?;
            let _ = root.f_add_scalar_(-1.0)?;
        }
        let log = root.f_log1p()?;
        let _ = root.f_reciprocal_()?;
        let _ = root.f_add_scalar_(1.0)?;
        (log, root)
    };
    height.f_sub(&log)?.f_mul(&slope)
}

impl Module for SoftmaxEra {
    /// [`SoftmaxEra::logits`].
    fn forward(&self, raw: &Tensor) -> Tensor {
        self.logits(raw)
    }
}
