//! The passes over memory that only training needs, on slices.

use pulp::NullaryFnOnce;

use super::composed::OUTSIDE;
use super::layout::Targets;
use super::rows::{RowSums, inverse_rms, row_sums, sigmoid};
use crate::simd::{LANES, exp, run, total};

/// x * inverse * scale for each row; the inverse root mean square of each row is kept.
pub(crate) fn rms_norm(
    input: &[f32],
    scale: &[f32],
    epsilon: f32,
    out: &mut [f32],
    inverse: &mut [f32],
) {
    struct Kernel<'a>(&'a [f32], &'a [f32], f32, &'a mut [f32], &'a mut [f32]);
    impl NullaryFnOnce for Kernel<'_> {
        type Output = ();
        #[inline(always)]
        fn call(self) {
            let Self(input, scale, epsilon, out, inverse) = self;
            let width = scale.len();
            let rows = input.chunks_exact(width).zip(out.chunks_exact_mut(width));
            for ((x, y), inverse) in rows.zip(inverse) {
                let factor = inverse_rms(x, epsilon);
                *inverse = factor;
                for ((x, y), scale) in x.iter().zip(y).zip(scale) {
                    *y = x * factor * scale;
                }
            }
        }
    }
    run(Kernel(input, scale, epsilon, out, inverse));
}

/// The gradients of RMSNorm.
pub(crate) struct RmsNormBackward<'a> {
    /// Of the output; of the input afterwards, unless that is added to `onto`.
    pub(crate) grad: &'a mut [f32],
    pub(crate) input: &'a [f32],
    pub(crate) inverse: &'a [f32],
    pub(crate) scale: &'a [f32],
    /// The gradient of the input is added to it.
    pub(crate) onto: Option<&'a mut [f32]>,
    /// Added to.
    pub(crate) of_scale: &'a mut [f32],
}

impl RmsNormBackward<'_> {
    pub(crate) fn run(self) {
        run(self);
    }
}

impl NullaryFnOnce for RmsNormBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let width = self.scale.len();
        let share = 1.0 / width as f32;
        let mut onto = self.onto;
        let rows = self
            .grad
            .chunks_exact_mut(width)
            .zip(self.input.chunks_exact(width));
        for (row, ((grad, x), inverse)) in rows.zip(self.inverse).enumerate() {
            let mut lanes = [0.0; LANES];
            let (mut done, whole) = (0, width / LANES * LANES);
            while done < whole {
                for (i, lane) in lanes.iter_mut().enumerate() {
                    let j = done + i;
                    let g = grad[j] * x[j];
                    self.of_scale[j] += g * inverse;
                    *lane += g * self.scale[j];
                }
                done += LANES;
            }
            let mut sum = total(lanes);
            for j in whole..width {
                let g = grad[j] * x[j];
                self.of_scale[j] += g * inverse;
                sum += g * self.scale[j];
            }
            let along = share * sum * inverse * inverse * inverse;
            if let Some(onto) = &mut onto {
                let onto = &mut onto[row * width..(row + 1) * width];
                for (((onto, g), x), scale) in onto.iter_mut().zip(&*grad).zip(x).zip(self.scale) {
                    *onto += g * scale * inverse - x * along;
                }
            } else {
                for ((g, x), scale) in grad.iter_mut().zip(x).zip(self.scale) {
                    *g = *g * scale * inverse - x * along;
                }
            }
        }
    }
}

/// The gradient of what went into SwiGLU, in its place.
pub(crate) fn swiglu_backward(grad: &[f32], width: usize, input: &mut [f32]) {
    struct Kernel<'a>(&'a [f32], usize, &'a mut [f32]);
    impl NullaryFnOnce for Kernel<'_> {
        type Output = ();
        #[inline(always)]
        fn call(self) {
            let Self(grad, width, input) = self;
            let rows = input.chunks_exact_mut(2 * width);
            for (grad, row) in grad.chunks_exact(width).zip(rows) {
                let (gate, up) = row.split_at_mut(width);
                for ((grad, gate), up) in grad.iter().zip(gate).zip(up) {
                    let sigmoid = sigmoid(*gate);
                    let silu = *gate * sigmoid;
                    *gate = grad * *up * (sigmoid + silu * (1.0 - sigmoid));
                    *up = grad * silu;
                }
            }
        }
    }
    run(Kernel(grad, width, input));
}

/// The `count` largest of a row, ascending; of equals the first are taken, and NaN is the largest of all.
fn members(row: &[f32], count: usize, order: &mut Vec<u32>) {
    let key = |index: &u32| {
        let value = row[*index as usize];
        (value.is_nan(), value)
    };
    order.clear();
    order.extend(0..row.len() as u32);
    if count < row.len() {
        order.select_nth_unstable_by(count - 1, |a, b| {
            let ((a_nan, a_value), (b_nan, b_value)) = (key(a), key(b));
            let larger = b_nan.cmp(&a_nan).then(
                b_value
                    .partial_cmp(&a_value)
                    .unwrap_or(std::cmp::Ordering::Equal),
            );
            larger.then(a.cmp(b))
        });
        order.truncate(count);
    }
    order.sort_unstable();
}

/// Log-probability over the `members` alone, in `f64`: relative to the largest, whose 1 is not part of the sum.
fn log_scaled_mass_of(row: &[f32], members: &[u32], max: f32, factor: f32) -> f64 {
    let mut largest = false;
    let mut rest = 0.0;
    for index in members {
        let z = row[*index as usize];
        if z == max && !largest {
            largest = true;
        } else {
            rest += (f64::from(factor) * (f64::from(z) - f64::from(max))).exp();
        }
    }
    rest.ln_1p()
}

/// Numbers of a row that are kept for the backward pass.
pub(crate) const SUMS: usize = 4;

/// Log-probability and entropy of each row, and the sums behind them.
pub(crate) fn token_log_prob(
    logits: &[f32],
    targets: &Targets,
    output: &mut [f32],
    sums: &mut [f32],
) {
    struct Kernel<'a>(&'a [f32], Option<f32>);
    impl NullaryFnOnce for Kernel<'_> {
        type Output = RowSums;
        #[inline(always)]
        fn call(self) -> RowSums {
            row_sums(self.0, self.1)
        }
    }
    let vocabulary = vocabulary(logits, targets);
    let top = targets.top.filter(|count| *count < vocabulary);
    let mut order = Vec::new();
    let results = output.chunks_exact_mut(2).zip(sums.chunks_exact_mut(SUMS));
    let wanted = targets.taken.iter().zip(&*targets.factors);
    let rows = logits.chunks_exact(vocabulary).zip(wanted);
    for ((row, (taken, factor)), (output, sums)) in rows.zip(results) {
        let mut of = run(Kernel(row, top.is_none().then_some(*factor)));
        let logit = row[*taken as usize];
        let mut inside = true;
        if let Some(count) = top {
            members(row, count, &mut order);
            inside = order.binary_search(taken).is_ok();
            of.log_scaled_mass = if of.max.is_nan() {
                f32::NAN
            } else {
                log_scaled_mass_of(row, &order, of.max, *factor) as f32
            };
        }
        output[0] = if inside || of.log_scaled_mass.is_nan() {
            factor * (logit - of.max) - of.log_scaled_mass
        } else {
            OUTSIDE
        };
        output[1] = of.entropy;
        sums.copy_from_slice(&[of.max, of.log_mass, of.log_scaled_mass, of.entropy]);
    }
}

fn vocabulary(logits: &[f32], targets: &Targets) -> usize {
    let rows = targets.taken.len();
    assert!(
        rows == targets.factors.len() && targets.top != Some(0),
        "each row has a taken token and a factor, and some logit takes part"
    );
    logits.len().checked_div(rows).unwrap_or(1).max(1)
}

/// The gradient of one row of logits in their place, but for the taken token's own share.
struct RowBackward<'a> {
    row: &'a mut [f32],
    of: RowSums,
    /// On the logits.
    factor: f32,
    /// Upstream gradient of the log-probability over all logits, times the factor; 0 leaves it out.
    of_log_prob: f32,
    /// Upstream gradient of the entropy; 0 leaves it out.
    of_entropy: f32,
}

impl NullaryFnOnce for RowBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self {
            row,
            of,
            factor,
            of_log_prob,
            of_entropy,
        } = self;
        if of_entropy == 0.0 && of_log_prob == 0.0 {
            row.fill(0.0);
        } else if of_entropy == 0.0 {
            for z in row {
                *z = -of_log_prob * of.scaled_share(*z, factor);
            }
        } else if of_log_prob == 0.0 {
            for z in row {
                let log = of.log_share(*z);
                *z = -of_entropy * of.entropy_slope(log, exp(log));
            }
        } else if factor == 1.0 {
            for z in row {
                let log = of.log_share(*z);
                let share = exp(log);
                *z = -of_log_prob * share - of_entropy * of.entropy_slope(log, share);
            }
        } else {
            for z in row {
                let log = of.log_share(*z);
                *z = -of_log_prob * of.scaled_share(*z, factor)
                    - of_entropy * of.entropy_slope(log, exp(log));
            }
        }
    }
}

/// The gradient of the logits in their place.
pub(crate) fn token_log_prob_backward(
    grad: &[f32],
    logits: &mut [f32],
    sums: &[f32],
    targets: &Targets,
) {
    let vocabulary = vocabulary(logits, targets);
    let top = targets.top.filter(|count| *count < vocabulary);
    let mut order = Vec::new();
    let mut chosen: Vec<f32> = Vec::new();
    let saved = grad.chunks_exact(2).zip(sums.chunks_exact(SUMS));
    let wanted = targets.taken.iter().zip(&*targets.factors);
    let rows = logits.chunks_exact_mut(vocabulary).zip(wanted);
    for ((row, (taken, factor)), (grad, sums)) in rows.zip(saved) {
        let of = RowSums {
            max: sums[0],
            log_mass: sums[1],
            log_scaled_mass: sums[2],
            entropy: sums[3],
        };
        let upstream = grad[0] * factor;
        let logit = row[*taken as usize];
        let share = |z: f32| factor * (z - of.max) - of.log_scaled_mass;
        let mut inside = true;
        if let Some(count) = top {
            members(row, count, &mut order);
            inside = order.binary_search(taken).is_ok();
            chosen.clear();
            chosen.extend(order.iter().map(|index| row[*index as usize]));
        }
        run(RowBackward {
            row: &mut *row,
            of,
            factor: *factor,
            of_log_prob: if top.is_none() { upstream } else { 0.0 },
            of_entropy: grad[1],
        });
        if inside && top.is_some() {
            for (index, z) in order.iter().zip(&chosen) {
                row[*index as usize] -= upstream * share(*z).exp();
            }
        }
        if inside && upstream != 0.0 {
            // 1 - p without cancellation where p is close to 1: the share of p is taken back, 1 - p is added.
            let log_prob = share(logit);
            let slope = -log_prob.exp_m1();
            let rest = if grad[1] == 0.0 {
                0.0
            } else {
                let log = logit - of.max - of.log_mass;
                -grad[1] * log.exp() * (log + of.entropy)
            };
            row[*taken as usize] = upstream * slope + rest;
        }
    }
}
