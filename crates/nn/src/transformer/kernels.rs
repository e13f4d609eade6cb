//! What a backend computes for a transformer, with bodies composed of burn's primitives.
//!
//! Tensors are `[1, rows, columns]`, as dense layers of one member have them.

use burn::backend::Backend;
use burn::backend::tensor::FloatTensor;
use std::sync::Arc;

use super::composed;
use super::layout::{Layout, Targets};

/// What the backward pass of attention needs; how it lies in memory is the backend's own business.
#[derive(Clone, Debug)]
pub struct Attended<B: Backend> {
    /// The heads' results, `[1, N, H W]`.
    pub output: FloatTensor<B>,
    /// Queries and keys after the rotation, and values.
    pub rotated: FloatTensor<B>,
    /// The logarithm of each softmax's denominator.
    pub log_mass: FloatTensor<B>,
}

/// The arithmetic of a transformer on one backend.
pub trait TransformerKernels: Backend {
    /// input * weight (or its transpose) + `add`, which is one row or as many as the result has.
    fn project(
        input: &FloatTensor<Self>,
        weight: &FloatTensor<Self>,
        transposed: bool,
        add: Option<FloatTensor<Self>>,
    ) -> FloatTensor<Self> {
        composed::linear::<Self>(input, weight, transposed, add)
    }

    /// The gradient of the input.
    fn linear_backward_input(
        grad: &FloatTensor<Self>,
        weight: &FloatTensor<Self>,
        transposed: bool,
    ) -> FloatTensor<Self> {
        composed::linear::<Self>(grad, weight, !transposed, None)
    }

    /// The gradient of the weight.
    fn linear_backward_weight(
        grad: &FloatTensor<Self>,
        input: &FloatTensor<Self>,
        transposed: bool,
    ) -> FloatTensor<Self> {
        composed::linear_backward_weight::<Self>(grad, input, transposed)
    }

    /// x / sqrt(mean(x^2) + epsilon) * scale, and the first factor of each row, `[1, N, 1]`.
    fn rms_norm(
        input: &FloatTensor<Self>,
        scale: &FloatTensor<Self>,
        epsilon: f32,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        composed::rms_norm::<Self>(input, scale, epsilon)
    }

    /// The gradients of the input, added to `onto` where there is one, and of the scale.
    fn rms_norm_backward(
        grad: FloatTensor<Self>,
        input: &FloatTensor<Self>,
        inverse: &FloatTensor<Self>,
        scale: &FloatTensor<Self>,
        onto: Option<FloatTensor<Self>>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        composed::rms_norm_backward::<Self>(grad, input, inverse, scale, onto)
    }

    /// silu(first half) * second half.
    fn swiglu(input: &FloatTensor<Self>) -> FloatTensor<Self> {
        composed::swiglu::<Self>(input.clone())
    }

    /// The gradient of the input.
    fn swiglu_backward(grad: FloatTensor<Self>, input: FloatTensor<Self>) -> FloatTensor<Self> {
        composed::swiglu_backward::<Self>(grad, input)
    }

    /// Causal attention with rotary positions.
    fn attend(qkv: FloatTensor<Self>, layout: &Layout) -> Attended<Self> {
        composed::attention::<Self>(qkv, layout)
    }

    /// The gradient of queries, keys and values.
    fn attention_backward(
        grad: FloatTensor<Self>,
        saved: Attended<Self>,
        layout: &Layout,
    ) -> FloatTensor<Self> {
        composed::attention_backward::<Self>(grad, saved, layout)
    }

    /// Log-probability and entropy of each row, `[1, N, 2]`, and what their gradients need, `[1, N, 4]`: the largest logit, the logarithms
    /// of the two sums of powers relative to it, and the entropy.
    fn token_log_prob(
        logits: &FloatTensor<Self>,
        targets: &Targets,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        composed::token_log_prob::<Self>(logits, targets)
    }

    /// The gradient of the logits from that of `[1, N, 2]`, in the logits' memory where nobody else has it.
    fn token_log_prob_backward(
        grad: FloatTensor<Self>,
        logits: FloatTensor<Self>,
        sums: FloatTensor<Self>,
        targets: &Targets,
    ) -> FloatTensor<Self> {
        composed::token_log_prob_backward::<Self>(&grad, &logits, &sums, targets)
    }

    /// The rows of a table `[1, V, D]` that are named, `[1, N, D]`.
    fn gather(table: &FloatTensor<Self>, indexes: &Arc<[u32]>) -> FloatTensor<Self> {
        composed::gather::<Self>(table, indexes)
    }

    /// Adds the rows `[1, N, D]` to those of `[1, V, D]` that are named, one after another.
    fn scatter_add(
        onto: FloatTensor<Self>,
        rows: &FloatTensor<Self>,
        indexes: &Arc<[u32]>,
    ) -> FloatTensor<Self> {
        composed::scatter_add::<Self>(onto, rows, indexes)
    }

    /// The same onto zeros, `[1, rows, D]`.
    fn scatter(rows: usize, values: &FloatTensor<Self>, indexes: &Arc<[u32]>) -> FloatTensor<Self> {
        let zeros = composed::zeros::<Self>(values, rows);
        Self::scatter_add(zeros, values, indexes)
    }
}

#[cfg(feature = "libtorch")]
impl TransformerKernels for burn::backend::LibTorch {}
#[cfg(any(feature = "wgpu", feature = "cuda"))]
impl TransformerKernels for burn::backend::Cube {}
