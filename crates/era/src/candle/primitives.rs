//! Formulas out of candle's operations, for devices on which there is no kernel of ours.
//!
//! Only operations whose gradients are right are used. Among those that are avoided: candle's maximum and minimum halve the gradient where
//! both sides are equal, the largest of a row passes the whole gradient to each of equal elements, and an affine map with the
//! factor 0 cuts the graph.

use candle_core::{D, Result, Tensor};

/// The softmax along the last dimension, taken relative to the row's maximum, whose own gradient would cancel.
pub(super) fn softmax(raw: &Tensor) -> Result<Tensor> {
    let mass = relative(raw)?.exp()?;
    mass.broadcast_div(&mass.sum_keepdim(D::Minus1)?)
}

/// Each row less its maximum, which is taken for a constant.
pub(super) fn relative(raw: &Tensor) -> Result<Tensor> {
    raw.broadcast_sub(&raw.detach().max_keepdim(D::Minus1)?)
}

/// x * factor + shift; in the graph for any factor.
pub(super) fn affine(x: &Tensor, factor: f64, shift: f64) -> Result<Tensor> {
    x.mul(&constant(x, factor)?)?.affine(1.0, shift)
}

/// The larger of x and `least`; x passes its gradient unless it is below. NaN stays.
pub(super) fn at_least(x: &Tensor, least: f64) -> Result<Tensor> {
    let least = constant(x, least)?;
    x.lt(&least)?.where_cond(&least, x)
}

/// log(1 + x) for x >= 0, with the digits of a small x; its gradient is not meant to be used.
pub(super) fn ln_1p(x: &Tensor) -> Result<Tensor> {
    let x = x.detach();
    let sum = x.affine(1.0, 1.0)?;
    let lost = x.sub(&sum.affine(1.0, -1.0)?)?;
    sum.log()?.add(&lost.div(&sum)?)
}

/// A tensor like x that holds one number.
pub(super) fn constant(x: &Tensor, value: f64) -> Result<Tensor> {
    x.zeros_like()?.affine(1.0, value)
}
