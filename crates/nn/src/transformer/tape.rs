//! The operations outside autodiff, forward and backward one by one, for a model that keeps its own tape: it decides what is kept, what is
//! recomputed, and into which tensor a gradient is added.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use std::sync::Arc;

use super::kernels::{Attended, TransformerKernels};
use super::layout::{Layout, Targets};

/// What is dispatched over backends outside autodiff.
#[backend_extension(
    Flex,
    LibTorch: cfg(feature = "libtorch"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda"))
)]
pub(crate) trait Tape: Backend {
    fn tape_linear_input(
        grad: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        transposed: bool,
    ) -> FloatTensor<Self>;

    fn tape_linear_weight(
        grad: FloatTensor<Self>,
        input: FloatTensor<Self>,
        transposed: bool,
    ) -> FloatTensor<Self>;

    fn tape_rms_norm(
        input: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        epsilon: f32,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    fn tape_rms_norm_backward(
        grad: FloatTensor<Self>,
        input: FloatTensor<Self>,
        inverse: FloatTensor<Self>,
        scale: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    fn tape_rms_norm_backward_onto(
        grad: FloatTensor<Self>,
        input: FloatTensor<Self>,
        inverse: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        onto: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    fn tape_swiglu_backward(grad: FloatTensor<Self>, input: FloatTensor<Self>)
    -> FloatTensor<Self>;

    fn tape_attention(
        qkv: FloatTensor<Self>,
        layout: Arc<Layout>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    fn tape_attention_backward(
        grad: FloatTensor<Self>,
        output: FloatTensor<Self>,
        rotated: FloatTensor<Self>,
        log_mass: FloatTensor<Self>,
        layout: Arc<Layout>,
    ) -> FloatTensor<Self>;

    fn tape_log_prob(
        logits: FloatTensor<Self>,
        targets: Targets,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    fn tape_log_prob_backward(
        grad: FloatTensor<Self>,
        logits: FloatTensor<Self>,
        sums: FloatTensor<Self>,
        targets: Targets,
    ) -> FloatTensor<Self>;

    fn tape_gather(table: FloatTensor<Self>, indexes: Arc<[u32]>) -> FloatTensor<Self>;

    fn tape_scatter_add(
        onto: FloatTensor<Self>,
        rows: FloatTensor<Self>,
        indexes: Arc<[u32]>,
    ) -> FloatTensor<Self>;

    fn tape_scatter(
        rows: FloatTensor<Self>,
        indexes: Arc<[u32]>,
        count: usize,
    ) -> FloatTensor<Self>;
}

/// Hands the operations of a backend to its kernels.
macro_rules! dispatched {
    ($backend:ty) => {
        impl Tape for $backend {
            fn tape_linear_input(
                grad: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                transposed: bool,
            ) -> FloatTensor<Self> {
                Self::linear_backward_input(&grad, &weight, transposed)
            }

            fn tape_linear_weight(
                grad: FloatTensor<Self>,
                input: FloatTensor<Self>,
                transposed: bool,
            ) -> FloatTensor<Self> {
                Self::linear_backward_weight(&grad, &input, transposed)
            }

            fn tape_rms_norm(
                input: FloatTensor<Self>,
                scale: FloatTensor<Self>,
                epsilon: f32,
            ) -> (FloatTensor<Self>, FloatTensor<Self>) {
                Self::rms_norm(&input, &scale, epsilon)
            }

            fn tape_rms_norm_backward(
                grad: FloatTensor<Self>,
                input: FloatTensor<Self>,
                inverse: FloatTensor<Self>,
                scale: FloatTensor<Self>,
            ) -> (FloatTensor<Self>, FloatTensor<Self>) {
                Self::rms_norm_backward(grad, &input, &inverse, &scale, None)
            }

            fn tape_rms_norm_backward_onto(
                grad: FloatTensor<Self>,
                input: FloatTensor<Self>,
                inverse: FloatTensor<Self>,
                scale: FloatTensor<Self>,
                onto: FloatTensor<Self>,
            ) -> (FloatTensor<Self>, FloatTensor<Self>) {
                Self::rms_norm_backward(grad, &input, &inverse, &scale, Some(onto))
            }

            fn tape_swiglu_backward(
                grad: FloatTensor<Self>,
                input: FloatTensor<Self>,
            ) -> FloatTensor<Self> {
                Self::swiglu_backward(grad, input)
            }

            fn tape_attention(
                qkv: FloatTensor<Self>,
                layout: Arc<Layout>,
            ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
                let Attended {
                    output,
                    rotated,
                    log_mass,
                } = <Self as TransformerKernels>::attend(qkv, &layout);
                (output, rotated, log_mass)
            }

            fn tape_attention_backward(
                grad: FloatTensor<Self>,
                output: FloatTensor<Self>,
                rotated: FloatTensor<Self>,
                log_mass: FloatTensor<Self>,
                layout: Arc<Layout>,
            ) -> FloatTensor<Self> {
                let saved = Attended {
                    output,
                    rotated,
                    log_mass,
                };
                <Self as TransformerKernels>::attention_backward(grad, saved, &layout)
            }

            fn tape_log_prob(
                logits: FloatTensor<Self>,
                targets: Targets,
            ) -> (FloatTensor<Self>, FloatTensor<Self>) {
                Self::token_log_prob(&logits, &targets)
            }

            fn tape_log_prob_backward(
                grad: FloatTensor<Self>,
                logits: FloatTensor<Self>,
                sums: FloatTensor<Self>,
                targets: Targets,
            ) -> FloatTensor<Self> {
                Self::token_log_prob_backward(grad, logits, sums, &targets)
            }

            fn tape_gather(table: FloatTensor<Self>, indexes: Arc<[u32]>) -> FloatTensor<Self> {
                Self::gather(&table, &indexes)
            }

            fn tape_scatter_add(
                onto: FloatTensor<Self>,
                rows: FloatTensor<Self>,
                indexes: Arc<[u32]>,
            ) -> FloatTensor<Self> {
                Self::scatter_add(onto, &rows, &indexes)
            }

            fn tape_scatter(
                rows: FloatTensor<Self>,
                indexes: Arc<[u32]>,
                count: usize,
            ) -> FloatTensor<Self> {
                Self::scatter(count, &rows, &indexes)
            }
        }
    };
}

dispatched!(Flex);
#[cfg(feature = "libtorch")]
dispatched!(burn::backend::LibTorch);
#[cfg(any(feature = "wgpu", feature = "cuda"))]
dispatched!(burn::backend::Cube);

/// The gradient of the input of [`super::linear`], or of [`super::linear_transposed`] with `transposed`. That of what was added is the
/// incoming one.
pub fn linear_backward_input(grad: &Tensor<3>, weight: &Tensor<3>, transposed: bool) -> Tensor<3> {
    Tensor::from_dispatch(<Dispatch as Tape>::tape_linear_input(
        grad.clone().into_dispatch(),
        weight.clone().into_dispatch(),
        transposed,
    ))
}

/// The gradient of the weight of [`super::linear`], or of [`super::linear_transposed`] with `transposed`.
pub fn linear_backward_weight(grad: &Tensor<3>, input: &Tensor<3>, transposed: bool) -> Tensor<3> {
    Tensor::from_dispatch(<Dispatch as Tape>::tape_linear_weight(
        grad.clone().into_dispatch(),
        input.clone().into_dispatch(),
        transposed,
    ))
}

/// [`super::rms_norm`], and 1 / sqrt(mean(x^2) + epsilon) of each row, `[1, N, 1]`.
pub fn rms_norm(input: &Tensor<3>, scale: &Tensor<3>, epsilon: f32) -> (Tensor<3>, Tensor<3>) {
    let (output, inverse) = <Dispatch as Tape>::tape_rms_norm(
        input.clone().into_dispatch(),
        scale.clone().into_dispatch(),
        epsilon,
    );
    (
        Tensor::from_dispatch(output),
        Tensor::from_dispatch(inverse),
    )
}

/// The gradients of the input, added to `onto` (in its memory) where it is given, and of the scale.
pub fn rms_norm_backward(
    grad: Tensor<3>,
    input: &Tensor<3>,
    inverse: &Tensor<3>,
    scale: &Tensor<3>,
    onto: Option<Tensor<3>>,
) -> (Tensor<3>, Tensor<3>) {
    let grad = grad.into_dispatch();
    let input = input.clone().into_dispatch();
    let inverse = inverse.clone().into_dispatch();
    let scale = scale.clone().into_dispatch();
    let (input, scale) = match onto {
        Some(onto) => <Dispatch as Tape>::tape_rms_norm_backward_onto(
            grad,
            input,
            inverse,
            scale,
            onto.into_dispatch(),
        ),
        None => <Dispatch as Tape>::tape_rms_norm_backward(grad, input, inverse, scale),
    };
    (Tensor::from_dispatch(input), Tensor::from_dispatch(scale))
}

/// The gradient of the input of [`super::swiglu`], in the input's memory where nobody else has it.
pub fn swiglu_backward(grad: Tensor<3>, input: Tensor<3>) -> Tensor<3> {
    Tensor::from_dispatch(<Dispatch as Tape>::tape_swiglu_backward(
        grad.into_dispatch(),
        input.into_dispatch(),
    ))
}

/// What [`attention_backward`] needs of [`attention`].
#[derive(Clone, Debug)]
pub struct Attention {
    /// The heads' results, `[1, N, H W]`.
    pub output: Tensor<3>,
    rotated: Tensor<3>,
    log_mass: Tensor<3>,
}

/// [`super::attention`] and what its backward pass needs.
pub fn attention(qkv: Tensor<3>, layout: &Arc<Layout>) -> Attention {
    let (output, rotated, log_mass) =
        <Dispatch as Tape>::tape_attention(qkv.into_dispatch(), Arc::clone(layout));
    Attention {
        output: Tensor::from_dispatch(output),
        rotated: Tensor::from_dispatch(rotated),
        log_mass: Tensor::from_dispatch(log_mass),
    }
}

/// The gradient of queries, keys and values.
pub fn attention_backward(grad: Tensor<3>, saved: Attention, layout: &Arc<Layout>) -> Tensor<3> {
    Tensor::from_dispatch(<Dispatch as Tape>::tape_attention_backward(
        grad.into_dispatch(),
        saved.output.into_dispatch(),
        saved.rotated.into_dispatch(),
        saved.log_mass.into_dispatch(),
        Arc::clone(layout),
    ))
}

/// [`super::token_log_prob`], and the sums `[1, N, 4]` that its backward pass needs.
pub fn token_log_prob(logits: &Tensor<3>, targets: &Targets) -> (Tensor<3>, Tensor<3>) {
    let (output, sums) =
        <Dispatch as Tape>::tape_log_prob(logits.clone().into_dispatch(), targets.clone());
    (Tensor::from_dispatch(output), Tensor::from_dispatch(sums))
}

/// The gradient of the logits from that of `[1, N, 2]`, in the logits' memory where nobody else has it.
pub fn token_log_prob_backward(
    grad: Tensor<3>,
    logits: Tensor<3>,
    sums: Tensor<3>,
    targets: Targets,
) -> Tensor<3> {
    Tensor::from_dispatch(<Dispatch as Tape>::tape_log_prob_backward(
        grad.into_dispatch(),
        logits.into_dispatch(),
        sums.into_dispatch(),
        targets,
    ))
}

/// The rows of a table `[1, V, D]` that are named, `[1, N, D]`; a row may be named several times.
pub fn gather(table: &Tensor<3>, indexes: &Arc<[u32]>) -> Tensor<3> {
    Tensor::from_dispatch(<Dispatch as Tape>::tape_gather(
        table.clone().into_dispatch(),
        Arc::clone(indexes),
    ))
}

/// Adds the rows `[1, N, D]` to those of `onto` (`[1, V, D]`, in its memory where nobody else has it) that are named.
pub fn scatter_add(onto: Tensor<3>, rows: Tensor<3>, indexes: &Arc<[u32]>) -> Tensor<3> {
    Tensor::from_dispatch(<Dispatch as Tape>::tape_scatter_add(
        onto.into_dispatch(),
        rows.into_dispatch(),
        Arc::clone(indexes),
    ))
}

/// [`scatter_add`] onto zeros, `[1, count, D]`.
pub fn scatter(rows: Tensor<3>, indexes: &Arc<[u32]>, count: usize) -> Tensor<3> {
    Tensor::from_dispatch(<Dispatch as Tape>::tape_scatter(
        rows.into_dispatch(),
        Arc::clone(indexes),
        count,
    ))
}
