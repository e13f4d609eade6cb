//! The operations on tensors as they take part in autodiff.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use std::sync::Arc;

use super::kernels::TransformerKernels;
use super::layout::{Layout, Targets};

/// What is dispatched over backends; `autodiff` has the gradients.
#[backend_extension(
    Flex,
    LibTorch: cfg(feature = "libtorch"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda")),
    Autodiff
)]
pub(crate) trait Transformer: Backend {
    fn transformer_linear(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        transposed: bool,
    ) -> FloatTensor<Self>;

    fn transformer_linear_add(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        add: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    fn transformer_rms_norm(
        input: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self>;

    fn transformer_swiglu(input: FloatTensor<Self>) -> FloatTensor<Self>;

    fn transformer_attention(qkv: FloatTensor<Self>, layout: Arc<Layout>) -> FloatTensor<Self>;

    fn transformer_log_prob(logits: FloatTensor<Self>, targets: Targets) -> FloatTensor<Self>;
}

/// Hands the operations of a backend to its kernels.
macro_rules! dispatched {
    ($backend:ty) => {
        impl Transformer for $backend {
            fn transformer_linear(
                input: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                transposed: bool,
            ) -> FloatTensor<Self> {
                <Self as TransformerKernels>::project(&input, &weight, transposed, None)
            }

            fn transformer_linear_add(
                input: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                add: FloatTensor<Self>,
            ) -> FloatTensor<Self> {
                <Self as TransformerKernels>::project(&input, &weight, false, Some(add))
            }

            fn transformer_rms_norm(
                input: FloatTensor<Self>,
                scale: FloatTensor<Self>,
                epsilon: f32,
            ) -> FloatTensor<Self> {
                <Self as TransformerKernels>::rms_norm(&input, &scale, epsilon).0
            }

            fn transformer_swiglu(input: FloatTensor<Self>) -> FloatTensor<Self> {
                <Self as TransformerKernels>::swiglu(&input)
            }

            fn transformer_attention(
                qkv: FloatTensor<Self>,
                layout: Arc<Layout>,
            ) -> FloatTensor<Self> {
                <Self as TransformerKernels>::attend(qkv, &layout).output
            }

            fn transformer_log_prob(
                logits: FloatTensor<Self>,
                targets: Targets,
            ) -> FloatTensor<Self> {
                <Self as TransformerKernels>::token_log_prob(&logits, &targets).0
            }
        }
    };
}

dispatched!(Flex);
#[cfg(feature = "libtorch")]
dispatched!(burn::backend::LibTorch);
#[cfg(any(feature = "wgpu", feature = "cuda"))]
dispatched!(burn::backend::Cube);

/// input * weight, plus `add` where it is given: `[1, N, I]`, `[1, I, O]` and `[1, N, O]` (a residual) or `[1, 1, O]` (a bias) to
/// `[1, N, O]`. `add` stands in the result before the product is added to it.
pub fn linear(input: Tensor<3>, weight: Tensor<3>, add: Option<Tensor<3>>) -> Tensor<3> {
    let (input, weight) = (input.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(match add {
        Some(add) => {
            <Dispatch as Transformer>::transformer_linear_add(input, weight, add.into_dispatch())
        }
        None => <Dispatch as Transformer>::transformer_linear(input, weight, false),
    })
}

/// input * transposed weight: `[1, N, I]`, `[1, O, I]` to `[1, N, O]`, as an embedding's matrix makes logits.
pub fn linear_transposed(input: Tensor<3>, weight: Tensor<3>) -> Tensor<3> {
    let (input, weight) = (input.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Transformer>::transformer_linear(
        input, weight, true,
    ))
}

/// x / sqrt(mean(x^2) + epsilon) * scale: `[1, N, D]`, `[1, 1, D]` to `[1, N, D]`.
pub fn rms_norm(input: Tensor<3>, scale: Tensor<3>, epsilon: f32) -> Tensor<3> {
    let (input, scale) = (input.into_dispatch(), scale.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Transformer>::transformer_rms_norm(
        input, scale, epsilon,
    ))
}

/// silu(first half) * second half, where silu(x) = x / (1 + e^-x): `[1, N, 2 F]` to `[1, N, F]`.
pub fn swiglu(input: Tensor<3>) -> Tensor<3> {
    Tensor::from_dispatch(<Dispatch as Transformer>::transformer_swiglu(
        input.into_dispatch(),
    ))
}

/// Causal attention with rotary positions over packed tokens: `[1, N, (H + 2 G) W]`, all queries beside all keys beside all values, to
/// `[1, N, H W]`. Softmax of q k / sqrt(W).
pub fn attention(qkv: Tensor<3>, layout: Arc<Layout>) -> Tensor<3> {
    Tensor::from_dispatch(<Dispatch as Transformer>::transformer_attention(
        qkv.into_dispatch(),
        layout,
    ))
}

/// Of each row of logits `[1, N, V]`, the log-probability of the taken token under the scaled logits, and the entropy in nats under the
/// logits as they are: `[1, N, 2]`.
///
/// With `targets.top` the log-probability is over the largest logits alone, renormalised (of equals the first are taken); a taken token
/// outside has -1e4 and no gradient. A factor is a constant.
pub fn token_log_prob(logits: Tensor<3>, targets: Targets) -> Tensor<3> {
    Tensor::from_dispatch(<Dispatch as Transformer>::transformer_log_prob(
        logits.into_dispatch(),
        targets,
    ))
}
