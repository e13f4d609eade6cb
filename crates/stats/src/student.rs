//! Quantiles of Student's t distribution: what few runs widen an interval by.

use std::f64::consts::{FRAC_2_PI, FRAC_PI_2};

/// Steps of the bisection: more than a double has bits.
const STEPS: usize = 200;

/// The quantile `p` of Student's distribution with `freedom` degrees of freedom; `None` where there is none (no degree of
/// freedom, `p` outside [0.5, 1)). Upper half only: the lower one is its mirror image.
///
/// By bisection of the finite series of Abramowitz and Stegun, *Handbook of Mathematical Functions*, 26.7.3 and 26.7.4; right to
/// about 1e-9 for `p` up to 1 - 1e-6.
pub fn quantile(p: f64, freedom: usize) -> Option<f64> {
    if freedom == 0 || !(0.5..1.0).contains(&p) {
        return None;
    }
    let both_sides = 2.0 * p - 1.0;
    let (mut low, mut high) = (0.0, 1.0);
    while within(high, freedom) < both_sides {
        high *= 2.0;
        if high > 1e12 {
            return None;
        }
    }
    for _ in 0..STEPS {
        let middle = f64::midpoint(low, high);
        match within(middle, freedom) < both_sides {
            true => low = middle,
            false => high = middle,
        }
    }
    Some(f64::midpoint(low, high))
}

/// P(|T| < t).
fn within(t: f64, freedom: usize) -> f64 {
    let angle = (t / (freedom as f64).sqrt()).atan();
    let (sin, cos) = (angle.sin(), angle.cos());
    let odd = !freedom.is_multiple_of(2);
    // Terms of the series are products of (even / odd) or (odd / even) numbers and powers of the cosine.
    let (mut term, mut sum) = if odd { (cos, cos) } else { (1.0, 1.0) };
    let mut at = if odd { 3 } else { 2 };
    while at < freedom {
        term *= cos * cos * (at - 1) as f64 / at as f64;
        sum += term;
        at += 2;
    }
    match (odd, freedom) {
        (true, 1) => angle / FRAC_PI_2,
        (true, _) => FRAC_2_PI * (angle + sin * sum),
        (false, _) => sin * sum,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Tables of R's qt (version 4), all digits that are given.
    #[test]
    fn quantiles_are_those_of_r() {
        for (p, freedom, expected) in [
            (0.975, 1, 12.706_204_736),
            (0.975, 2, 4.302_652_730),
            (0.975, 3, 3.182_446_305),
            (0.975, 4, 2.776_445_105),
            (0.975, 9, 2.262_157_163),
            (0.975, 30, 2.042_272_456),
            (0.9995, 2, 31.599_054_576),
            (0.9995, 4, 8.610_301_581),
            (0.8, 4, 0.940_964_577),
        ] {
            let found = quantile(p, freedom).unwrap();
            assert!(
                (found / expected - 1.0).abs() < 1e-8,
                "{p} {freedom}: {found}"
            );
        }
    }

    #[test]
    fn the_first_two_have_closed_forms() {
        for p in [0.5, 0.6, 0.9, 0.999, 1.0 - 1e-6] {
            let one = ((p - 0.5) * std::f64::consts::PI).tan();
            let two = (2.0 * p - 1.0) / (2.0 * p * (1.0 - p)).sqrt();
            for (freedom, expected) in [(1, one), (2, two)] {
                let found = quantile(p, freedom).unwrap();
                assert!(
                    (found - expected).abs() <= 1e-9 * expected.max(1.0),
                    "{p} {freedom}: {found} {expected}"
                );
            }
        }
    }

    #[test]
    fn many_degrees_of_freedom_are_normal() {
        let found = quantile(0.975, 100_000).unwrap();
        assert!((found - 1.959_963_985).abs() < 1e-4, "{found}");
    }

    #[test]
    fn what_is_none() {
        assert_eq!(quantile(0.975, 0), None);
        for p in [0.4, 1.0, f64::NAN] {
            assert_eq!(quantile(p, 3), None, "{p}");
        }
    }
}
