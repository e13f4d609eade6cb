//! Sums in the order in which NumPy takes them: rewards are compared with Gymnasium's bit for bit.

/// Running sums of a vector with at least as many numbers (NumPy's `pairwise_sum`).
const LANES: usize = 8;

/// Sum of at most 128 numbers.
pub(crate) fn sum(values: &[f64]) -> f64 {
    sum_of(values, |value| value)
}

/// Sum of the squares of at most 128 numbers.
pub(crate) fn sum_of_squares(values: &[f64]) -> f64 {
    sum_of(values, |value| value * value)
}

/// Sum of `term` of at most 128 numbers. Longer vectors are halved first, which no task needs.
pub(crate) fn sum_of(values: &[f64], term: impl Fn(f64) -> f64) -> f64 {
    debug_assert!(values.len() <= 128);
    let chunks = values.chunks_exact(LANES);
    let rest = chunks.remainder();
    let mut lanes = [0.0; LANES];
    for chunk in chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane += term(value);
        }
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    let whole = ((a + b) + (c + d)) + ((e + f) + (g + h));
    rest.iter().fold(whole, |sum, &value| sum + term(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1e16 + 1 is rounded to 1e16, so each order has a sum of its own: in sequence only the last 1 is left, in lanes
    /// all three are.
    #[test]
    fn eight_lanes_are_summed_apart() {
        let mut values = [0.0; 17];
        (values[0], values[1], values[8]) = (1e16, 1.0, -1e16);
        (values[4], values[16]) = (1.0, 1.0);
        assert_eq!(sum(&values), 3.0);
        assert_eq!(values.iter().sum::<f64>(), 1.0);
        assert_eq!(sum_of_squares(&[3.0, 4.0]), 25.0);
    }
}
