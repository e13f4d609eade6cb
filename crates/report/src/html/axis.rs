//! Axes: round numbers for their ticks.

/// Round numbers from `low` to `high`, at most about `most` of them: multiples of 1, 2 or 5 times a power of ten.
pub(super) fn ticks((low, high): (f64, f64), most: usize) -> Vec<f64> {
    let span = high - low;
    if !(span.is_finite() && span > 0.0) || most == 0 {
        return Vec::new();
    }
    let rough = span / most as f64;
    let power = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * power);
    let step = steps.into_iter().find(|step| *step >= rough * 0.999);
    let step = step.unwrap_or(10.0 * power);
    let (first, last) = ((low / step).ceil(), (high / step).floor());
    let count = (last - first).max(-1.0) as usize + 1;
    (0..count).map(|at| (first + at as f64) * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        for (range, most, expected) in [
            (
                (0.0, 300.0),
                6,
                vec![0.0, 50.0, 100.0, 150.0, 200.0, 250.0, 300.0],
            ),
            (
                (-506.0, 4513.0),
                6,
                vec![0.0, 1000.0, 2000.0, 3000.0, 4000.0],
            ),
            ((-4.0, 104.0), 5, vec![0.0, 50.0, 100.0]),
            ((0.0, 1.0), 2, vec![0.0, 0.5, 1.0]),
            ((1.2, 1.3), 3, vec![1.2, 1.25, 1.3]),
        ] {
            let found = ticks(range, most);
            assert_eq!(found.len(), expected.len(), "{range:?}: {found:?}");
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-9, "{range:?}: {found}");
            }
        }
        for (range, most) in [
            ((0.0, 0.0), 5),
            ((1.0, 0.0), 5),
            ((f64::NAN, 1.0), 5),
            ((0.0, 1.0), 0),
        ] {
            assert!(ticks(range, most).is_empty());
        }
    }
}
