//! The fused operations on tensors. Shapes are those of [`crate::kernels`]; dense layers and norms take part in autodiff.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;

use crate::adam::AdamStep;
use crate::kernels::{Activation, Kernels};

/// What is dispatched over backends; [`crate::autodiff`] has the gradients.
#[backend_extension(
    Flex,
    LibTorch: cfg(feature = "libtorch"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda")),
    Autodiff
)]
pub(crate) trait Fused: Backend {
    fn dense(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self>;

    fn norm_elu(
        input: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self>;
}

/// What is dispatched over backends outside autodiff.
#[backend_extension(
    Flex,
    LibTorch: cfg(feature = "libtorch"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda"))
)]
pub(crate) trait Update: Backend {
    fn adam(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        step: AdamStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    fn lerp(from: FloatTensor<Self>, to: FloatTensor<Self>, weight: f32) -> FloatTensor<Self>;
}

/// Hands the operations of a backend to its kernels.
macro_rules! dispatched {
    ($backend:ty) => {
        impl Fused for $backend {
            fn dense(
                input: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                bias: FloatTensor<Self>,
                activation: Activation,
            ) -> FloatTensor<Self> {
                <Self as Kernels>::dense(&input, &weight, &bias, activation)
            }

            fn norm_elu(
                input: FloatTensor<Self>,
                scale: FloatTensor<Self>,
                shift: FloatTensor<Self>,
                epsilon: f32,
            ) -> FloatTensor<Self> {
                <Self as Kernels>::norm_elu(input, &scale, &shift, epsilon).output
            }
        }

        impl Update for $backend {
            fn adam(
                parameter: FloatTensor<Self>,
                gradient: FloatTensor<Self>,
                first: FloatTensor<Self>,
                second: FloatTensor<Self>,
                step: AdamStep,
            ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
                <Self as Kernels>::adam(parameter, &gradient, first, second, step)
            }

            fn lerp(
                from: FloatTensor<Self>,
                to: FloatTensor<Self>,
                weight: f32,
            ) -> FloatTensor<Self> {
                <Self as Kernels>::lerp(from, &to, weight)
            }
        }
    };
}

dispatched!(Flex);
#[cfg(feature = "libtorch")]
dispatched!(burn::backend::LibTorch);
#[cfg(any(feature = "wgpu", feature = "cuda"))]
dispatched!(burn::backend::Cube);

/// activation(input * weight + bias): `[E or 1, N, I]`, `[E, I, O]`, `[E, 1, O]` to `[E, N, O]`.
pub fn dense(
    input: Tensor<3>,
    weight: Tensor<3>,
    bias: Tensor<3>,
    activation: Activation,
) -> Tensor<3> {
    let (input, weight) = (input.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Fused>::dense(
        input,
        weight,
        bias.into_dispatch(),
        activation,
    ))
}

/// ELU(scale * LayerNorm(input) + shift): `[E, N, O]`, `[E, 1, O]`, `[E, 1, O]` to `[E, N, O]`.
pub fn norm_elu(input: Tensor<3>, scale: Tensor<3>, shift: Tensor<3>, epsilon: f32) -> Tensor<3> {
    let (input, scale) = (input.into_dispatch(), scale.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Fused>::norm_elu(
        input,
        scale,
        shift.into_dispatch(),
        epsilon,
    ))
}

/// One step of Adam on one parameter: the new parameter, first and second moment.
pub fn adam(
    parameter: Tensor<3>,
    gradient: Tensor<3>,
    first: Tensor<3>,
    second: Tensor<3>,
    step: AdamStep,
) -> (Tensor<3>, Tensor<3>, Tensor<3>) {
    let (parameter, first, second) = <Dispatch as Update>::adam(
        parameter.into_dispatch(),
        gradient.into_dispatch(),
        first.into_dispatch(),
        second.into_dispatch(),
        step,
    );
    (
        Tensor::from_dispatch(parameter),
        Tensor::from_dispatch(first),
        Tensor::from_dispatch(second),
    )
}

/// The sum of the squares of all elements of a tensor of 32-bit floats, in `f64`.
pub fn square_sum(tensor: &Tensor<3>) -> f64 {
    let values: Vec<f32> = tensor
        .clone()
        .into_data()
        .try_into_vec()
        .unwrap_or_default();
    crate::rows::square_sum(&values)
}

/// from + weight * (to - from), in place where `from` has no other owner.
pub fn lerp(from: Tensor<3>, to: Tensor<3>, weight: f32) -> Tensor<3> {
    Tensor::from_dispatch(<Dispatch as Update>::lerp(
        from.into_dispatch(),
        to.into_dispatch(),
        weight,
    ))
}
