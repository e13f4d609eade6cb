//! Elementary functions and reductions written so that the compiler turns loops over them into vector code.
//!
//! Nothing here names an instruction set: a kernel is a [`pulp::NullaryFnOnce`] whose loop is inlined into one function
//! for AVX-512, one for AVX2 with FMA and one for the baseline, and [`run`] picks at run time.

use std::sync::LazyLock;

/// Runs a kernel compiled for the best instruction set of this machine.
pub(crate) fn run<K: pulp::WithSimd>(kernel: K) -> K::Output {
    static ARCH: LazyLock<pulp::Arch> = LazyLock::new(pulp::Arch::new);
    ARCH.dispatch(kernel)
}

/// Runs `work` compiled for the best instruction set of this machine: what is inlined into it becomes vector code where
/// the compiler can make it so. No operation is fused by that, so results do not depend on the machine's.
///
/// A closure is sure to be inlined only if it takes what it captures by value and is marked `#[inline(always)]`; a type of one's own with
/// [`NullaryFnOnce`](pulp::NullaryFnOnce), whose `call` is marked so, always is.
pub fn vectorised<K: pulp::NullaryFnOnce>(work: K) -> K::Output {
    run(work)
}

/// 1.5 * 2^23: adding it rounds to an integer that then stands in the low bits.
const ROUND: f32 = 12_582_912.0;
/// log 2 with its last 9 bits cleared, so that small multiples of it are exact, and the rest.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// e^x - 1 for x <= 0, to about 1 unit in the last place; below -87 it is -1. NaN stays NaN.
///
/// With x = k log 2 + r and |r| <= log(2)/2 it is 2^k (e^r - 1) + (2^k - 1), where the series of e^r - 1 up to r^7
/// leaves less than 2e-8: no digits cancel near 0, as they would in `exp(x) - 1`.
#[inline(always)]
pub(crate) fn expm1_of_negative(x: f32) -> f32 {
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let k = shifted - ROUND;
    let r = k.mul_add(-LN_2_LOW, k.mul_add(-LN_2_HIGH, x));
    let mut series: f32 = 1.0 / 5_040.0;
    for coefficient in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5] {
        series = series.mul_add(r, coefficient);
    }
    let series = (r * r).mul_add(series, r);
    // 2^k: k stands in the low bits of `shifted`, 127 is the bias of the exponent.
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    power.mul_add(series, power - 1.0)
}

/// e^x to about 1 unit in the last place; 0 below -87, e^88 from 88 on. NaN stays NaN.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let bounded = if x > 88.0 { 88.0 } else { x };
    let bounded = if bounded < -87.0 { -87.0 } else { bounded };
    let shifted = bounded.mul_add(std::f32::consts::LOG2_E, ROUND);
    let k = shifted - ROUND;
    let r = k.mul_add(-LN_2_LOW, k.mul_add(-LN_2_HIGH, bounded));
    let mut series: f32 = 1.0 / 720.0;
    for coefficient in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        series = series.mul_add(r, coefficient);
    }
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    if x < -87.0 { 0.0 } else { power * series }
}

/// ELU with alpha = 1: x for x > 0, e^x - 1 otherwise.
#[inline(always)]
pub(crate) fn elu(x: f32) -> f32 {
    let negative = expm1_of_negative(if x > 0.0 { 0.0 } else { x });
    if x > 0.0 { x } else { negative }
}

/// The hyperbolic tangent, to about 2 units in the last place: with t = e^(-2|x|) - 1, tanh |x| = -t / (2 + t), where no
/// digits cancel near 0. NaN stays NaN.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    let t = expm1_of_negative(-2.0 * x.abs());
    (-t / (2.0 + t)).copysign(x)
}

/// The derivative of ELU, from its value.
#[inline(always)]
pub(crate) fn elu_slope(y: f32) -> f32 {
    if y > 0.0 { 1.0 } else { y + 1.0 }
}

/// Lanes of a reduction: two AVX-512 registers, so that two sums run side by side.
pub(crate) const LANES: usize = 32;

/// The sum of the lanes, always in the same order.
#[inline(always)]
pub(crate) fn total(lanes: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    let mut lanes = lanes;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use super::{elu, elu_slope, run, tanh};

    struct Elu<'a>(&'a [f32], &'a mut [f32]);

    impl pulp::NullaryFnOnce for Elu<'_> {
        type Output = ();

        #[inline(always)]
        fn call(self) {
            for (x, y) in self.0.iter().zip(self.1) {
                *y = elu(*x);
            }
        }
    }

    fn elus(x: &[f32]) -> Vec<f32> {
        let mut y = vec![0.0; x.len()];
        run(Elu(x, &mut y));
        y
    }

    /// Every 997th float between the infinities against f64.
    #[test]
    fn tanh_is_within_four_units_in_the_last_place() {
        struct Tanh<'a>(&'a [f32], &'a mut [f32]);
        impl pulp::NullaryFnOnce for Tanh<'_> {
            type Output = ();
            #[inline(always)]
            fn call(self) {
                for (x, y) in self.0.iter().zip(self.1) {
                    *y = tanh(*x);
                }
            }
        }
        let x: Vec<f32> = (0_u32..=u32::MAX)
            .step_by(997)
            .map(f32::from_bits)
            .filter(|x| !x.is_nan())
            .chain([f32::INFINITY, f32::NEG_INFINITY])
            .collect();
        let mut y = vec![0.0; x.len()];
        run(Tanh(&x, &mut y));
        for (x, y) in x.iter().zip(y) {
            let exact = f64::from(*x).tanh();
            let bound = (exact.abs() * 4.8e-7).max(1e-44);
            assert!(
                (f64::from(y) - exact).abs() <= bound,
                "tanh({x:e}) = {y:e}, exactly {exact:e}"
            );
        }
        assert!(tanh(f32::NAN).is_nan());
    }

    /// Every 997th float from -0 to -infinity against f64.
    #[test]
    fn elu_is_within_two_units_in_the_last_place() {
        let x: Vec<f32> = (0x8000_0000_u32..0xff80_0000)
            .step_by(997)
            .map(f32::from_bits)
            .collect();
        for (x, y) in x.iter().zip(elus(&x)) {
            let exact = f64::from(*x).exp_m1();
            let error = (f64::from(y) - exact).abs();
            // Below the smallest normal number a unit in the last place no longer shrinks.
            let bound = (exact.abs() * 2.4e-7).max(1e-44);
            assert!(error <= bound, "elu({x:e}) = {y:e}, exactly {exact:e}");
        }
    }

    #[test]
    fn elu_keeps_what_is_not_finite_and_what_is_positive() {
        let y = elus(&[
            f32::NAN,
            f32::INFINITY,
            f32::NEG_INFINITY,
            3.5,
            f32::MAX,
            0.0,
        ]);
        assert!(y[0].is_nan());
        assert_eq!(y[1..], [f32::INFINITY, -1.0, 3.5, f32::MAX, 0.0]);
    }

    #[test]
    fn the_slope_is_the_derivative() {
        for x in [-20.0_f32, -1.0, -1e-3, 1e-3, 2.0] {
            let exact = if x > 0.0 { 1.0 } else { f64::from(x).exp() };
            assert!((f64::from(elu_slope(elu(x))) - exact).abs() < 1e-7);
        }
    }
}
