//! What a backend computes for the fused operations of [`crate::ops`].
//!
//! Every function has a body composed of burn's primitives, so a backend joins with an empty `impl`. Layers are ensembles
//! of `E` members of one shape: inputs `[E, N, I]` (or `[1, N, I]`, shared by all members), weights `[E, I, O]`, biases,
//! scales and shifts `[E, 1, O]`.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Scalar, TensorMetadata};

use crate::adam::AdamStep;

/// What a dense layer applies to its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    Linear,
    /// ELU with alpha = 1.
    Elu,
    /// The hyperbolic tangent.
    Tanh,
}

/// What the backward pass of a dense layer needs from the forward pass.
#[derive(Clone, Debug)]
pub struct DenseSaved<B: Backend> {
    /// Input, `[E or 1, N, I]`; absent when no gradient of the weights is wanted.
    pub input: Option<FloatTensor<B>>,
    /// Weights, `[E, I, O]`; absent when no gradient of the input is wanted.
    pub weight: Option<FloatTensor<B>>,
    /// What the layer applied to its output.
    pub activation: Activation,
    /// Output, `[E, N, O]`; absent for [`Activation::Linear`].
    pub output: Option<FloatTensor<B>>,
    /// Members that share one input have their gradients summed.
    pub shared_input: bool,
}

/// The gradients of a dense layer that were wanted.
#[derive(Clone, Debug)]
pub struct DenseGradients<B: Backend> {
    /// As the input.
    pub input: Option<FloatTensor<B>>,
    /// Of the weights `[E, I, O]` and the bias `[E, 1, O]`.
    pub weight_and_bias: Option<(FloatTensor<B>, FloatTensor<B>)>,
}

/// The result of LayerNorm and ELU, and what their backward pass needs.
#[derive(Clone, Debug)]
pub struct Normed<B: Backend> {
    /// ELU(scale * normalised + shift), `[E, N, O]`.
    pub output: FloatTensor<B>,
    /// Rows of mean 0 and variance 1, `[E, N, O]`.
    pub normalised: FloatTensor<B>,
    /// 1 / sqrt(variance + epsilon) of each row, `[E, N, 1]`.
    pub inverse_std: FloatTensor<B>,
}

/// The gradients of LayerNorm and ELU.
#[derive(Clone, Debug)]
pub struct NormGradients<B: Backend> {
    /// Of what was normalised, `[E, N, O]`.
    pub input: FloatTensor<B>,
    /// Of the scale, `[E, 1, O]`.
    pub scale: FloatTensor<B>,
    /// Of the shift, `[E, 1, O]`.
    pub shift: FloatTensor<B>,
}

/// The arithmetic of the fused operations on one backend.
pub trait Kernels: Backend {
    /// activation(input * weight + bias).
    fn dense(
        input: &FloatTensor<Self>,
        weight: &FloatTensor<Self>,
        bias: &FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        composed::dense::<Self>(input, weight, bias, activation)
    }

    /// The gradients that `saved` has the operands for.
    fn dense_backward(grad: FloatTensor<Self>, saved: DenseSaved<Self>) -> DenseGradients<Self> {
        composed::dense_backward::<Self>(grad, saved)
    }

    /// LayerNorm over the last axis (variance biased), scale and shift, then ELU.
    fn norm_elu(
        input: FloatTensor<Self>,
        scale: &FloatTensor<Self>,
        shift: &FloatTensor<Self>,
        epsilon: f32,
    ) -> Normed<Self> {
        composed::norm_elu::<Self>(input, scale, shift, epsilon)
    }

    /// The gradients of [`Kernels::norm_elu`].
    fn norm_elu_backward(
        grad: FloatTensor<Self>,
        saved: Normed<Self>,
        scale: &FloatTensor<Self>,
    ) -> NormGradients<Self> {
        composed::norm_elu_backward::<Self>(grad, saved, scale)
    }

    /// One step of Adam on one parameter: the new parameter, first and second moment.
    fn adam(
        parameter: FloatTensor<Self>,
        gradient: &FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        step: AdamStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        composed::adam::<Self>(parameter, gradient, first, second, step)
    }

    /// from + weight * (to - from).
    fn lerp(from: FloatTensor<Self>, to: &FloatTensor<Self>, weight: f32) -> FloatTensor<Self> {
        composed::lerp::<Self>(from, to, weight)
    }
}

#[cfg(feature = "libtorch")]
impl Kernels for burn::backend::LibTorch {}
#[cfg(any(feature = "wgpu", feature = "cuda"))]
impl Kernels for burn::backend::Cube {}

/// The same arithmetic in burn's primitives.
pub(crate) mod composed {
    use super::*;

    fn scalar(value: f32) -> Scalar {
        Scalar::from(value)
    }

    /// Sums over rows, `[E, N, O]` to `[E, 1, O]`.
    fn over_rows<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
        B::float_sum_dim(x, 1)
    }

    fn elu<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
        let negative = B::float_clamp_max(x.clone(), scalar(0.0));
        let negative = B::float_sub_scalar(B::float_exp(negative), scalar(1.0));
        B::float_add(B::float_clamp_min(x, scalar(0.0)), negative)
    }

    /// grad * tanh', which is 1 - output^2.
    fn tanh_backward<B: Backend>(grad: FloatTensor<B>, output: FloatTensor<B>) -> FloatTensor<B> {
        let square = B::float_mul(output.clone(), output);
        let slope = B::float_add_scalar(B::float_neg(square), scalar(1.0));
        B::float_mul(grad, slope)
    }

    /// grad * ELU', which is 1 + min(output, 0).
    fn elu_backward<B: Backend>(grad: FloatTensor<B>, output: FloatTensor<B>) -> FloatTensor<B> {
        let slope = B::float_add_scalar(B::float_clamp_max(output, scalar(0.0)), scalar(1.0));
        B::float_mul(grad, slope)
    }

    pub(crate) fn dense<B: Backend>(
        input: &FloatTensor<B>,
        weight: &FloatTensor<B>,
        bias: &FloatTensor<B>,
        activation: Activation,
    ) -> FloatTensor<B> {
        let product = B::float_matmul(input.clone(), weight.clone());
        let output = B::float_add(product, bias.clone());
        match activation {
            Activation::Linear => output,
            Activation::Elu => elu::<B>(output),
            Activation::Tanh => B::float_tanh(output),
        }
    }

    pub(crate) fn dense_backward<B: Backend>(
        grad: FloatTensor<B>,
        saved: DenseSaved<B>,
    ) -> DenseGradients<B> {
        let grad = match (saved.activation, saved.output) {
            (Activation::Elu, Some(output)) => elu_backward::<B>(grad, output),
            (Activation::Tanh, Some(output)) => tanh_backward::<B>(grad, output),
            (_, _) => grad,
        };
        let weight_and_bias = saved.input.map(|input| {
            let input = B::float_swap_dims(input, 1, 2);
            (
                B::float_matmul(input, grad.clone()),
                over_rows::<B>(grad.clone()),
            )
        });
        let input = saved.weight.map(|weight| {
            let input = B::float_matmul(grad, B::float_swap_dims(weight, 1, 2));
            if saved.shared_input {
                B::float_sum_dim(input, 0)
            } else {
                input
            }
        });
        DenseGradients {
            input,
            weight_and_bias,
        }
    }

    pub(crate) fn norm_elu<B: Backend>(
        input: FloatTensor<B>,
        scale: &FloatTensor<B>,
        shift: &FloatTensor<B>,
        epsilon: f32,
    ) -> Normed<B> {
        let mean = B::float_mean_dim(input.clone(), 2);
        let centred = B::float_sub(input, mean);
        let variance = B::float_mean_dim(B::float_mul(centred.clone(), centred.clone()), 2);
        let std = B::float_sqrt(B::float_add_scalar(variance, scalar(epsilon)));
        let inverse_std = B::float_recip(std);
        let normalised = B::float_mul(centred, inverse_std.clone());
        let scaled = B::float_mul(normalised.clone(), scale.clone());
        let output = elu::<B>(B::float_add(scaled, shift.clone()));
        Normed {
            output,
            normalised,
            inverse_std,
        }
    }

    pub(crate) fn norm_elu_backward<B: Backend>(
        grad: FloatTensor<B>,
        saved: Normed<B>,
        scale: &FloatTensor<B>,
    ) -> NormGradients<B> {
        let Normed {
            output,
            normalised,
            inverse_std,
        } = saved;
        let grad = elu_backward::<B>(grad, output);
        let grad_scale = over_rows::<B>(B::float_mul(grad.clone(), normalised.clone()));
        let grad_shift = over_rows::<B>(grad.clone());
        let pull = B::float_mul(grad, scale.clone());
        let mean = B::float_mean_dim(pull.clone(), 2);
        let along = B::float_mean_dim(B::float_mul(pull.clone(), normalised.clone()), 2);
        let rest = B::float_sub(B::float_sub(pull, mean), B::float_mul(normalised, along));
        NormGradients {
            input: B::float_mul(rest, inverse_std),
            scale: grad_scale,
            shift: grad_shift,
        }
    }

    pub(crate) fn adam<B: Backend>(
        parameter: FloatTensor<B>,
        gradient: &FloatTensor<B>,
        first: FloatTensor<B>,
        second: FloatTensor<B>,
        step: AdamStep,
    ) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
        let gradient = &B::float_mul_scalar(gradient.clone(), scalar(step.gradient_scale));
        let square = B::float_mul(gradient.clone(), gradient.clone());
        let first = lerp::<B>(first, gradient, 1.0 - step.beta_1);
        let second = lerp::<B>(second, &square, 1.0 - step.beta_2);
        let std = B::float_sqrt(B::float_mul_scalar(
            second.clone(),
            scalar(step.second_scale),
        ));
        let direction = B::float_div(
            B::float_mul_scalar(first.clone(), scalar(step.first_scale)),
            B::float_add_scalar(std, scalar(step.epsilon)),
        );
        let decayed = B::float_mul_scalar(parameter, scalar(step.keep));
        let parameter = B::float_sub(
            decayed,
            B::float_mul_scalar(direction, scalar(step.learning_rate)),
        );
        (parameter, first, second)
    }

    pub(crate) fn lerp<B: Backend>(
        from: FloatTensor<B>,
        to: &FloatTensor<B>,
        weight: f32,
    ) -> FloatTensor<B> {
        debug_assert_eq!(from.shape(), to.shape());
        let way = B::float_sub(to.clone(), from.clone());
        B::float_add(from, B::float_mul_scalar(way, scalar(weight)))
    }
}

#[cfg(test)]
mod tests {
    use super::{Activation, DenseSaved, Kernels, composed};
    use crate::adam::{AdamConfig, AdamStep};
    use crate::init::standard_normal;
    use burn::backend::flex::FlexTensor;
    use burn::backend::{Flex, TensorMetadata};
    use burn::tensor::TensorData;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    fn random(rng: &mut ChaCha8Rng, shape: [usize; 3]) -> FlexTensor {
        let mut values = vec![0.0; shape.iter().product()];
        standard_normal(rng, &mut values);
        FlexTensor::from_data(TensorData::new(values, shape))
    }

    fn assert_close(what: &str, hand_written: FlexTensor, composed: FlexTensor) {
        assert_eq!(hand_written.shape(), composed.shape(), "{what}");
        let [a, b] = [hand_written, composed]
            .map(|t| t.into_data().try_into_vec::<f32>().expect("32-bit floats"));
        let scale = b.iter().fold(1.0_f32, |max, x| max.max(x.abs()));
        for (a, b) in a.iter().zip(&b) {
            assert!((a - b).abs() <= 4e-6 * scale, "{what}: {a} instead of {b}");
        }
    }

    /// Other backends run the composed bodies: they must give what Flex's hand-written ones give.
    #[test]
    fn composed_bodies_agree_with_the_hand_written_ones() {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        for (copies, activation) in [
            (1, Activation::Elu),
            (2, Activation::Linear),
            (2, Activation::Tanh),
        ] {
            let x = random(&mut rng, [copies, 33, 17]);
            let [weight, bias] = [[2, 17, 40], [2, 1, 40]].map(|shape| random(&mut rng, shape));
            let output = Flex::dense(&x, &weight, &bias, activation);
            let expected = composed::dense::<Flex>(&x, &weight, &bias, activation);
            assert_close("dense", output.clone(), expected);
            let saved = DenseSaved::<Flex> {
                input: Some(x),
                weight: Some(weight),
                activation,
                output: (activation != Activation::Linear).then_some(output),
                shared_input: copies == 1,
            };
            let grad = random(&mut rng, [2, 33, 40]);
            let ours = Flex::dense_backward(grad.clone(), saved.clone());
            let theirs = composed::dense_backward::<Flex>(grad, saved);
            let [ours, theirs] = [ours, theirs].map(|gradients| {
                let (weight, bias) = gradients.weight_and_bias.expect("wanted");
                [gradients.input.expect("wanted"), weight, bias]
            });
            for (ours, theirs) in ours.into_iter().zip(theirs) {
                assert_close("gradient of dense", ours, theirs);
            }
        }
    }

    #[test]
    fn composed_norm_adam_and_average_agree_too() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let [x, grad] = [(); 2].map(|()| random(&mut rng, [2, 9, 50]));
        let [scale, shift] = [(); 2].map(|()| random(&mut rng, [2, 1, 50]));
        let ours = Flex::norm_elu(x.clone(), &scale, &shift, 1e-6);
        let theirs = composed::norm_elu::<Flex>(x.clone(), &scale, &shift, 1e-6);
        assert_close("norm", ours.output.clone(), theirs.output.clone());
        let ours = Flex::norm_elu_backward(grad.clone(), ours, &scale);
        let theirs = composed::norm_elu_backward::<Flex>(grad.clone(), theirs, &scale);
        assert_close("gradient of norm", ours.input, theirs.input);
        assert_close("gradient of scale", ours.scale, theirs.scale);
        assert_close("gradient of shift", ours.shift, theirs.shift);

        let second =
            composed::dense::<Flex>(&x, &random(&mut rng, [2, 50, 50]), &scale, Activation::Elu);
        let second = {
            use burn::backend::ops::FloatTensorOps;
            Flex::float_abs(second)
        };
        let step: AdamStep = AdamConfig::new(0.1).with_weight_decay(0.1).at(3, 0.7);
        let operands = || (x.clone(), grad.clone(), x.clone(), second.clone());
        let (p, g, m, v) = operands();
        let ours = Flex::adam(p, &g, m, v, step);
        let (p, g, m, v) = operands();
        let theirs = composed::adam::<Flex>(p, &g, m, v, step);
        assert_close("parameter", ours.0, theirs.0);
        assert_close("first moment", ours.1, theirs.1);
        assert_close("second moment", ours.2, theirs.2);
        let ours = Flex::lerp(x.clone(), &grad, 0.005);
        assert_close("average", ours, composed::lerp::<Flex>(x, &grad, 0.005));
    }
}
