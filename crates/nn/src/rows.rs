//! The passes over memory of the fused operations, on slices: row-major matrices of `width` columns.

use pulp::NullaryFnOnce;

use crate::adam::AdamStep;
use crate::simd::{LANES, elu, elu_slope, run, tanh, total};

/// Adds up `f` over two slices, in [`LANES`] partial sums.
#[inline(always)]
fn sum2(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for i in 0..LANES {
            lanes[i] += f(a[i], b[i]);
        }
    }
    let mut sum = total(lanes);
    for (a, b) in a_rest.iter().zip(b_rest) {
        sum += f(*a, *b);
    }
    sum
}

/// ELU in place.
pub(crate) fn elu_in_place(x: &mut [f32]) {
    map_in_place(x, elu);
}

/// The hyperbolic tangent in place.
pub(crate) fn tanh_in_place(x: &mut [f32]) {
    map_in_place(x, tanh);
}

/// `f` must be inlined into the kernel, or it is called for each value.
fn map_in_place(x: &mut [f32], f: impl Fn(f32) -> f32) {
    run(
        #[inline(always)]
        || {
            for x in x {
                *x = f(*x);
            }
        },
    );
}

/// grad *= ELU'(output), and the sum of the rows of grad after that.
pub(crate) fn elu_backward(grad: &mut [f32], output: &[f32], sum: &mut [f32]) {
    activation_backward(grad, output, sum, elu_slope);
}

/// grad *= tanh'(output), and the sum of the rows of grad after that.
pub(crate) fn tanh_backward(grad: &mut [f32], output: &[f32], sum: &mut [f32]) {
    activation_backward(
        grad,
        output,
        sum,
        #[inline(always)]
        |output| 1.0 - output * output,
    );
}

/// `slope` is the derivative of the activation, from its value.
fn activation_backward(
    grad: &mut [f32],
    output: &[f32],
    sum: &mut [f32],
    slope: impl Fn(f32) -> f32,
) {
    run(
        #[inline(always)]
        || {
            let width = sum.len();
            for (grad, output) in grad.chunks_exact_mut(width).zip(output.chunks_exact(width)) {
                for ((grad, output), sum) in grad.iter_mut().zip(output).zip(&mut *sum) {
                    *grad *= slope(*output);
                    *sum += *grad;
                }
            }
        },
    );
}

/// The sum of the squares, in `f64`.
pub(crate) fn square_sum(x: &[f32]) -> f64 {
    struct Kernel<'a>(&'a [f32]);
    impl NullaryFnOnce for Kernel<'_> {
        type Output = f64;
        #[inline(always)]
        fn call(self) -> f64 {
            let mut lanes = [0.0_f64; 16];
            let (chunks, rest) = self.0.as_chunks::<16>();
            for chunk in chunks {
                for (lane, x) in lanes.iter_mut().zip(chunk) {
                    *lane += f64::from(*x) * f64::from(*x);
                }
            }
            let rest: f64 = rest.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
            lanes.iter().sum::<f64>() + rest
        }
    }
    run(Kernel(x))
}

/// The sum of the rows.
pub(crate) fn sum_rows(x: &[f32], sum: &mut [f32]) {
    struct Kernel<'a>(&'a [f32], &'a mut [f32]);
    impl NullaryFnOnce for Kernel<'_> {
        type Output = ();
        #[inline(always)]
        fn call(self) {
            let Self(x, sum) = self;
            for row in x.chunks_exact(sum.len()) {
                for (x, sum) in row.iter().zip(&mut *sum) {
                    *sum += *x;
                }
            }
        }
    }
    run(Kernel(x, sum));
}

/// LayerNorm and ELU of one member.
pub(crate) struct NormForward<'a> {
    /// Normalised in place.
    pub(crate) x: &'a mut [f32],
    pub(crate) scale: &'a [f32],
    pub(crate) shift: &'a [f32],
    pub(crate) epsilon: f32,
    /// ELU(scale * normalised + shift).
    pub(crate) output: &'a mut [f32],
    /// One a row.
    pub(crate) inverse_std: &'a mut [f32],
}

impl NormForward<'_> {
    pub(crate) fn run(self) {
        run(self);
    }
}

impl NullaryFnOnce for NormForward<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self {
            x,
            scale,
            shift,
            epsilon,
            output,
            inverse_std,
        } = self;
        let width = scale.len();
        let share = 1.0 / width as f32;
        let rows = x
            .chunks_exact_mut(width)
            .zip(output.chunks_exact_mut(width));
        for ((x, output), inverse_std) in rows.zip(inverse_std) {
            let mean = share * sum2(x, x, |x, _| x);
            let variance = share * sum2(x, x, |x, _| (x - mean) * (x - mean));
            *inverse_std = 1.0 / (variance + epsilon).sqrt();
            let factors = scale.iter().zip(shift);
            for ((x, output), (scale, shift)) in x.iter_mut().zip(output).zip(factors) {
                *x = (*x - mean) * *inverse_std;
                *output = elu(x.mul_add(*scale, *shift));
            }
        }
    }
}

/// The gradients of LayerNorm and ELU of one member.
pub(crate) struct NormBackward<'a> {
    /// Of the output; of the input afterwards.
    pub(crate) grad: &'a mut [f32],
    pub(crate) output: &'a [f32],
    pub(crate) normalised: &'a [f32],
    pub(crate) inverse_std: &'a [f32],
    pub(crate) scale: &'a [f32],
    /// Added to.
    pub(crate) grad_scale: &'a mut [f32],
    /// Added to.
    pub(crate) grad_shift: &'a mut [f32],
}

impl NormBackward<'_> {
    pub(crate) fn run(self) {
        run(self);
    }
}

impl NullaryFnOnce for NormBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self {
            grad,
            output,
            normalised,
            inverse_std,
            scale,
            grad_scale,
            grad_shift,
        } = self;
        let width = scale.len();
        let share = 1.0 / width as f32;
        let rows = grad.chunks_exact_mut(width).zip(output.chunks_exact(width));
        let rows = rows.zip(normalised.chunks_exact(width)).zip(inverse_std);
        for (((grad, output), normalised), inverse_std) in rows {
            for i in 0..width {
                let g = grad[i] * elu_slope(output[i]);
                grad_shift[i] += g;
                grad_scale[i] += g * normalised[i];
                grad[i] = g * scale[i];
            }
            let mean = share * sum2(grad, grad, |g, _| g);
            let along = share * sum2(grad, normalised, |g, n| g * n);
            for (g, n) in grad.iter_mut().zip(normalised) {
                *g = (*g - mean - n * along) * inverse_std;
            }
        }
    }
}

/// One step of Adam in place.
pub(crate) fn adam(
    parameter: &mut [f32],
    gradient: &[f32],
    first: &mut [f32],
    second: &mut [f32],
    step: AdamStep,
) {
    struct Kernel<'a>(
        &'a mut [f32],
        &'a [f32],
        &'a mut [f32],
        &'a mut [f32],
        AdamStep,
    );
    impl NullaryFnOnce for Kernel<'_> {
        type Output = ();
        #[inline(always)]
        fn call(self) {
            let Self(parameter, gradient, first, second, step) = self;
            let moments = first.iter_mut().zip(second);
            for ((p, g), (m, v)) in parameter.iter_mut().zip(gradient).zip(moments) {
                let g = g * step.gradient_scale;
                *m += (1.0 - step.beta_1) * (g - *m);
                *v += (1.0 - step.beta_2) * (g * g - *v);
                let std = (*v * step.second_scale).sqrt();
                let direction = *m * step.first_scale / (std + step.epsilon);
                *p = *p * step.keep - step.learning_rate * direction;
            }
        }
    }
    run(Kernel(parameter, gradient, first, second, step));
}

/// from += weight * (to - from).
pub(crate) fn lerp(from: &mut [f32], to: &[f32], weight: f32) {
    struct Kernel<'a>(&'a mut [f32], &'a [f32], f32);
    impl NullaryFnOnce for Kernel<'_> {
        type Output = ();
        #[inline(always)]
        fn call(self) {
            let Self(from, to, weight) = self;
            for (from, to) in from.iter_mut().zip(to) {
                *from += weight * (to - *from);
            }
        }
    }
    run(Kernel(from, to, weight));
}
