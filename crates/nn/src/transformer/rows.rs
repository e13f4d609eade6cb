//! The forward passes of a transformer's operations on slices, as a sampler needs them that works token by token.
//!
//! Matrices are row-major. A slice whose length does not fit the others panics.

use pulp::NullaryFnOnce;

use crate::flex::{Operand, multiply_add, multiply_over};
use crate::simd::{LANES, exp, run, total};

/// Cosines and sines of the rotary angles: position x frequency, where frequency i of a head of width W is base^(-2i / W).
///
/// Computed in `f64` and rounded once.
#[derive(Clone, Debug, PartialEq)]
pub struct RopeTable {
    half: usize,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl RopeTable {
    /// The table of the positions 0 to `positions` - 1.
    ///
    /// # Panics
    /// When the width of a head is 0 or odd.
    pub fn new(base: f64, head_width: usize, positions: usize) -> Self {
        assert!(
            head_width > 0 && head_width.is_multiple_of(2),
            "a head's width must be even to be rotated, not {head_width}"
        );
        let half = head_width / 2;
        let frequencies: Vec<f64> = (0..half)
            .map(|i| base.powf(-((2 * i) as f64) / head_width as f64))
            .collect();
        let angles = (0..positions).flat_map(|position| {
            let place = position as f64;
            frequencies.iter().map(move |frequency| place * frequency)
        });
        let (cos, sin) = angles
            .map(|angle| (angle.cos() as f32, angle.sin() as f32))
            .unzip();
        Self { half, cos, sin }
    }

    /// Number of positions.
    pub fn positions(&self) -> usize {
        self.cos.len() / self.half
    }

    /// Width of the heads that it rotates.
    pub fn head_width(&self) -> usize {
        2 * self.half
    }

    /// Cosines and sines of a position, W / 2 each.
    ///
    /// # Panics
    /// When the table does not reach so far.
    pub fn at(&self, position: usize) -> (&[f32], &[f32]) {
        let place = position * self.half..(position + 1) * self.half;
        (&self.cos[place.clone()], &self.sin[place])
    }
}

/// Rotates one head in place: the pairs (i, i + W / 2) by the angles whose cosines and sines are given.
#[inline(always)]
pub fn rotate(row: &mut [f32], cos: &[f32], sin: &[f32]) {
    let (first, second) = row.split_at_mut(cos.len());
    for ((a, b), (cos, sin)) in first.iter_mut().zip(second).zip(cos.iter().zip(sin)) {
        (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
    }
}

/// Adds up `f` over a slice, in [`LANES`] partial sums.
#[inline(always)]
pub(crate) fn sum(x: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] += f(chunk[i]);
        }
    }
    let mut sum = total(lanes);
    for x in rest {
        sum += f(*x);
    }
    sum
}

/// b where it is larger than a, which NaN is not.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

/// The largest value that is not NaN; -infinity where there is none.
#[inline(always)]
pub(crate) fn max(x: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] = larger(lanes[i], chunk[i]);
        }
    }
    let mut max = f32::NEG_INFINITY;
    for x in lanes {
        max = larger(max, x);
    }
    for x in rest {
        max = larger(max, *x);
    }
    max
}

/// x / sqrt(mean(x^2) + epsilon) * scale, for each row of as many values as `scale` has.
pub fn rms_norm_rows(input: &[f32], scale: &[f32], epsilon: f32, out: &mut [f32]) {
    struct Kernel<'a>(&'a [f32], &'a [f32], f32, &'a mut [f32]);
    impl NullaryFnOnce for Kernel<'_> {
        type Output = ();
        #[inline(always)]
        fn call(self) {
            let Self(input, scale, epsilon, out) = self;
            let width = scale.len();
            let rows = input.chunks_exact(width).zip(out.chunks_exact_mut(width));
            for (x, y) in rows {
                let factor = inverse_rms(x, epsilon);
                for ((x, y), scale) in x.iter().zip(y).zip(scale) {
                    *y = x * factor * scale;
                }
            }
        }
    }
    assert_eq!(input.len(), out.len(), "one result for each value");
    run(Kernel(input, scale, epsilon, out));
}

/// 1 / sqrt(mean(x^2) + epsilon).
#[inline(always)]
pub(crate) fn inverse_rms(x: &[f32], epsilon: f32) -> f32 {
    1.0 / (sum(
        x,
        #[inline(always)]
        |x| x * x,
    ) / x.len() as f32
        + epsilon)
        .sqrt()
}

/// 1 / (1 + e^-x).
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// silu(first half) times the second half of each row of 2 x `width` values, where silu(x) = x / (1 + e^-x).
pub fn swiglu_rows(input: &[f32], width: usize, out: &mut [f32]) {
    struct Kernel<'a>(&'a [f32], usize, &'a mut [f32]);
    impl NullaryFnOnce for Kernel<'_> {
        type Output = ();
        #[inline(always)]
        fn call(self) {
            let Self(input, width, out) = self;
            let rows = input.chunks_exact(2 * width);
            for (row, out) in rows.zip(out.chunks_exact_mut(width)) {
                let (gate, up) = row.split_at(width);
                for ((gate, up), out) in gate.iter().zip(up).zip(out) {
                    *out = gate * sigmoid(*gate) * up;
                }
            }
        }
    }
    assert_eq!(input.len(), 2 * out.len(), "one result for two values");
    run(Kernel(input, width, out));
}

/// Turns a row into its softmax. -infinity becomes 0; a row with NaN, or of nothing but -infinity, becomes NaN.
pub fn softmax_in_place(row: &mut [f32]) {
    struct Kernel<'a>(&'a mut [f32]);
    impl NullaryFnOnce for Kernel<'_> {
        type Output = ();
        #[inline(always)]
        fn call(self) {
            let row = self.0;
            let max = max(row);
            for x in row.iter_mut() {
                *x = exp(*x - max);
            }
            let share = 1.0
                / sum(
                    row,
                    #[inline(always)]
                    |x| x,
                );
            for x in row {
                *x *= share;
            }
        }
    }
    run(Kernel(row));
}

/// How many values are added up in `f32` before their sum joins one in `f64`.
const BLOCK: usize = 1024;

/// What a log-probability and an entropy are computed from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mass {
    /// The largest logit and the first place where it stands.
    pub(crate) max: f32,
    pub(crate) argmax: usize,
}

/// The largest of `row`, found block by block so that only one block is searched for its place.
#[inline(always)]
pub(crate) fn largest(row: &[f32]) -> Mass {
    let mut best = (f32::NEG_INFINITY, 0);
    for (block, values) in row.chunks(BLOCK).enumerate() {
        let max = max(values);
        if max > best.0 {
            best = (max, block * BLOCK);
        }
    }
    let (max, start) = best;
    let place = row[start..].iter().position(|x| *x == max);
    Mass {
        max,
        argmax: start + place.unwrap_or(0),
    }
}

/// Below this, e^x is 0 in `f32`, and x e^x is not to become 0 times infinity.
const NEGLIGIBLE: f32 = -200.0;

/// e^d and d e^d.
#[inline(always)]
fn term(d: f32) -> (f32, f32) {
    let d = bounded(d);
    let power = exp(d);
    (power, power * d)
}

/// -infinity becomes a number, as 0 times it would be NaN.
#[inline(always)]
fn bounded(d: f32) -> f32 {
    if d < NEGLIGIBLE { NEGLIGIBLE } else { d }
}

/// Over all j but the first largest, with d = z_j - max: the sums of e^d and d e^d.
#[inline(always)]
fn weighted(row: &[f32], mass: Mass) -> (f64, f64) {
    let mut totals = (0.0, 0.0);
    let (before, rest) = row.split_at(mass.argmax);
    for part in [before, rest.get(1..).unwrap_or_default()] {
        for block in part.chunks(BLOCK) {
            let (mut sums, mut products) = ([0.0; LANES], [0.0; LANES]);
            let (chunks, rest) = block.as_chunks::<LANES>();
            for chunk in chunks {
                for i in 0..LANES {
                    let (power, product) = term(chunk[i] - mass.max);
                    sums[i] += power;
                    products[i] += product;
                }
            }
            totals.0 += f64::from(total(sums));
            totals.1 += f64::from(total(products));
            for z in rest {
                let (power, product) = term(*z - mass.max);
                totals.0 += f64::from(power);
                totals.1 += f64::from(product);
            }
        }
    }
    totals
}

/// Over all j but the first largest, the sum of e^(factor (z_j - max)).
#[inline(always)]
fn scaled(row: &[f32], mass: Mass, factor: f32) -> f64 {
    let (before, rest) = row.split_at(mass.argmax);
    let mut total = 0.0;
    for part in [before, rest.get(1..).unwrap_or_default()] {
        for block in part.chunks(BLOCK) {
            let power = sum(
                block,
                #[inline(always)]
                |z| exp(factor * (z - mass.max)),
            );
            total += f64::from(power);
        }
    }
    total
}

/// What the log-probability of a row's taken token, the entropy, and the gradients of both need.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RowSums {
    pub(crate) max: f32,
    /// log of the sum of e^(z - max).
    pub(crate) log_mass: f32,
    /// log of the sum of e^(factor (z - max)).
    pub(crate) log_scaled_mass: f32,
    /// Of softmax(z), in nats.
    pub(crate) entropy: f32,
}

impl RowSums {
    const NAN: Self = Self {
        max: f32::NAN,
        log_mass: f32::NAN,
        log_scaled_mass: f32::NAN,
        entropy: f32::NAN,
    };

    /// log softmax(z) of a logit.
    #[inline(always)]
    pub(crate) fn log_share(self, z: f32) -> f32 {
        bounded(z - self.max) - self.log_mass
    }

    /// softmax(factor z) of a logit.
    #[inline(always)]
    pub(crate) fn scaled_share(self, z: f32, factor: f32) -> f32 {
        exp(factor * bounded(z - self.max) - self.log_scaled_mass)
    }

    /// Minus the derivative of the entropy with respect to a logit, from its share and the logarithm of that.
    #[inline(always)]
    pub(crate) fn entropy_slope(self, log_share: f32, share: f32) -> f32 {
        share * (log_share + self.entropy)
    }
}

/// `factor` is absent where no log-probability over all tokens is wanted. What is next to nothing beside 1 keeps its digits: the
/// largest token's 1 is not part of the sums.
#[inline(always)]
pub(crate) fn row_sums(row: &[f32], factor: Option<f32>) -> RowSums {
    let mass = largest(row);
    let (rest, product) = weighted(row, mass);
    let log_mass = rest.ln_1p();
    let log_scaled_mass = match factor {
        Some(factor) if factor != 1.0 => scaled(row, mass, factor).ln_1p(),
        _ => log_mass,
    };
    if !mass.max.is_finite() {
        return RowSums::NAN;
    }
    RowSums {
        max: mass.max,
        log_mass: log_mass as f32,
        log_scaled_mass: log_scaled_mass as f32,
        entropy: (log_mass - product / (1.0 + rest)) as f32,
    }
}

/// log softmax(`factor` z) of the `taken` token, and the entropy of softmax(z) in nats, of one row of logits z.
///
/// A logit of -infinity is a token that is ruled out; NaN or +infinity gives NaN.
pub fn log_prob_entropy(row: &[f32], taken: usize, factor: f32) -> (f32, f32) {
    struct Kernel<'a>(&'a [f32], f32);
    impl NullaryFnOnce for Kernel<'_> {
        type Output = RowSums;
        #[inline(always)]
        fn call(self) -> RowSums {
            row_sums(self.0, Some(self.1))
        }
    }
    let sums = run(Kernel(row, factor));
    (
        factor * (row[taken] - sums.max) - sums.log_scaled_mass,
        sums.entropy,
    )
}

/// out = left x right, or out += left x right with `add`: `[m, k]` times `[k, n]`, or times the transpose of `[n, k]` with
/// `right_transposed`.
pub fn matmul(
    (m, n, k): (usize, usize, usize),
    out: &mut [f32],
    add: bool,
    left: &[f32],
    right: &[f32],
    right_transposed: bool,
) {
    let left = Operand {
        data: left,
        shape: [m, k],
        transposed: false,
    };
    let right = Operand {
        data: right,
        shape: if right_transposed { [n, k] } else { [k, n] },
        transposed: right_transposed,
    };
    if add {
        multiply_add(out, left, right);
    } else {
        multiply_over(out, left, right);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::init::standard_normal;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    fn random(seed: u64, len: usize) -> Vec<f32> {
        let mut values = vec![0.0; len];
        standard_normal(&mut ChaCha8Rng::seed_from_u64(seed), &mut values);
        values
    }

    fn close(a: f32, b: f64, tolerance: f64) {
        assert!(
            (f64::from(a) - b).abs() <= tolerance * b.abs().max(1e-30),
            "{a:e} instead of {b:e}"
        );
    }

    /// Every 997th float between the bounds against f64.
    #[test]
    fn exp_is_within_two_units_in_the_last_place() {
        let positive = (0_u32..88.0_f32.to_bits()).step_by(997);
        let negative = (0x8000_0000_u32..(-87.0_f32).to_bits()).step_by(997);
        for x in positive.chain(negative).map(f32::from_bits) {
            close(exp(x), f64::from(x).exp(), 2.4e-7);
        }
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert!(exp(f32::INFINITY) > 1e38);
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn norms_and_gates_are_those_of_the_formulas() {
        let (x, scale) = (random(0, 3 * 70), random(1, 70));
        let mut out = vec![0.0; x.len()];
        rms_norm_rows(&x, &scale, 1e-5, &mut out);
        for (x, y) in x.chunks(70).zip(out.chunks(70)) {
            let square: f64 = x.iter().map(|x| f64::from(*x).powi(2)).sum();
            let factor = 1.0 / (square / 70.0 + 1e-5).sqrt();
            for ((x, y), scale) in x.iter().zip(y).zip(&scale) {
                close(*y, f64::from(*x) * factor * f64::from(*scale), 1e-6);
            }
        }
        let mut out = vec![0.0; 105];
        swiglu_rows(&x, 35, &mut out);
        for (x, y) in x.chunks(70).zip(out.chunks(35)) {
            for i in 0..35 {
                let (gate, up) = (f64::from(x[i]), f64::from(x[35 + i]));
                close(y[i], gate / (1.0 + (-gate).exp()) * up, 1e-6);
            }
        }
        let mut extreme = [0.0; 3];
        swiglu_rows(&[-1e4, 1e4, 0.0, 1.0, 1.0, 1.0], 3, &mut extreme);
        assert!(extreme[0].abs() < 1e-30);
        assert_eq!(extreme[1..], [1e4, 0.0]);
    }

    #[test]
    fn a_rotation_keeps_lengths_and_turns_by_the_position() {
        let table = RopeTable::new(10_000.0, 8, 20);
        assert_eq!((table.positions(), table.head_width()), (20, 8));
        let mut row = random(2, 8);
        let before = row.clone();
        let (cos, sin) = table.at(13);
        rotate(&mut row, cos, sin);
        for i in 0..4 {
            let angle = 13.0 * 10_000.0_f64.powf(-(2.0 * i as f64) / 8.0);
            let (a, b) = (f64::from(before[i]), f64::from(before[i + 4]));
            let (a, b) = (
                a * angle.cos() - b * angle.sin(),
                b * angle.cos() + a * angle.sin(),
            );
            assert!((f64::from(row[i]) - a).abs() < 1e-6);
            assert!((f64::from(row[i + 4]) - b).abs() < 1e-6);
        }
    }

    #[test]
    fn log_probabilities_and_entropies_are_those_of_f64() {
        for (width, spread) in [(1, 1.0), (30, 0.1), (1500, 3.0), (49_152, 6.0)] {
            let row: Vec<f32> = random(3, width).iter().map(|x| x * spread).collect();
            for (taken, factor) in [(0, 1.0), (width / 2, 2.5), (width - 1, 0.3)] {
                let max = row.iter().fold(f64::MIN, |a, b| a.max(f64::from(*b)));
                let log_mass = |factor: f64| {
                    let powers = row.iter().map(|z| (factor * (f64::from(*z) - max)).exp());
                    powers.sum::<f64>().ln()
                };
                let exact =
                    f64::from(factor) * (f64::from(row[taken]) - max) - log_mass(f64::from(factor));
                let (log_prob, entropy) = log_prob_entropy(&row, taken, factor);
                assert!((f64::from(log_prob) - exact).abs() < 2e-6 * exact.abs().max(1.0));
                let one = log_mass(1.0);
                let exact: f64 = row
                    .iter()
                    .map(|z| f64::from(*z) - max - one)
                    .map(|l| -l * l.exp())
                    .sum();
                assert!((f64::from(entropy) - exact).abs() < 2e-6 * exact.abs().max(1e-6));
            }
        }
    }

    #[test]
    fn what_is_nearly_certain_keeps_its_digits_and_what_is_ruled_out_is_ignored() {
        let (log_prob, entropy) = log_prob_entropy(&[0.0, 25.0, f32::NEG_INFINITY], 1, 1.0);
        close(log_prob, -(-25.0_f64).exp(), 1e-6);
        close(entropy, 26.0 * (-25.0_f64).exp(), 1e-6);
        assert!(log_prob_entropy(&[0.0, f32::NAN], 0, 1.0).0.is_nan());
        assert!(log_prob_entropy(&[0.0, f32::INFINITY], 0, 2.0).0.is_nan());
    }

    #[test]
    fn a_softmax_adds_up_to_one() {
        let mut row = random(4, 77);
        row[5] = f32::NEG_INFINITY;
        let exact: f64 = row.iter().map(|x| f64::from(*x).exp()).sum();
        let before = row.clone();
        softmax_in_place(&mut row);
        for (p, z) in row.iter().zip(&before) {
            assert!((f64::from(*p) - f64::from(*z).exp() / exact).abs() < 1e-7);
        }
    }

    #[test]
    fn products_are_added_or_not() {
        let (left, right) = (random(5, 6), random(6, 12));
        let mut out = vec![1.0; 8];
        matmul((2, 4, 3), &mut out, true, &left, &right, false);
        let transposed: Vec<f32> = (0..12).map(|i| right[(i % 3) * 4 + i / 3]).collect();
        let mut other = vec![f32::NAN; 8];
        matmul((2, 4, 3), &mut other, false, &left, &transposed, true);
        for i in 0..8 {
            let exact: f32 = (0..3)
                .map(|k| left[(i / 4) * 3 + k] * right[k * 4 + i % 4])
                .sum();
            assert!((out[i] - 1.0 - exact).abs() < 1e-5 && (other[i] - exact).abs() < 1e-5);
        }
    }
}
