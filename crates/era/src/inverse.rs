//! The inverse of h(z) = -z e^z on z <= -1, on which ERA for classification rests.
//!
//! h rises from 0 (z to minus infinity) to its maximum 1/e (z = -1). With z = -1 - w and the depth u = -1 - ln h(z), both at least 0,
//! the equation h(z) = h becomes
//!
//! ```text
//! w - ln(1 + w) = u
//! ```
//!
//! which, unlike h itself, does not lose digits near 1/e: there w = sqrt(2u) + 2u/3 + ...

use crate::special::{ln, polynomial};
use serde::{Deserialize, Serialize};

/// How h(z) = -z e^z is inverted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inverse {
    /// z = -1 - sqrt(2u) - 3u/4 with u = -1 - ln h, as in the official code. The entropy bound is not proven for it.
    #[default]
    Approximate,
    /// z = W(-h) on the branch -1 of Lambert's function, for which the entropy bound is proven.
    Exact,
}

impl Inverse {
    /// w with z = -1 - w, from the depth u >= 0.
    #[inline(always)]
    pub(crate) fn below_one(self, depth: f64) -> f64 {
        match self {
            Self::Approximate => approximate(depth),
            Self::Exact => exact(depth),
        }
    }

    /// dw/du at the depth u > 0; it grows like 1 / sqrt(2u) towards 0.
    #[inline(always)]
    pub(crate) fn slope(self, depth: f64) -> f64 {
        match self {
            Self::Approximate => 0.75 + 1.0 / (2.0 * depth).sqrt(),
            Self::Exact => 1.0 + 1.0 / exact(depth),
        }
    }
}

#[inline(always)]
fn approximate(depth: f64) -> f64 {
    (2.0 * depth).sqrt() + 0.75 * depth
}

/// The coefficients of w / y in y = sqrt(2u), lowest first.
///
/// From w w' = y (1 + w), term by term in exact fractions: a_k = a_(k-1) / (k+1) - (a_2 a_(k-1) + ... + a_(k-1) a_2) / 2 from a_1 = 1.
/// The series converges to |y| = 2 sqrt(pi); for y < 1/2 the first term left out is below 1e-17.
const SERIES: [f64; 19] = [
    1.0,
    0.333_333_333_333_333_3,
    0.027_777_777_777_777_776,
    -0.003_703_703_703_703_704,
    2.314_814_814_814_815e-4,
    5.878_894_767_783_657e-5,
    -2.553_644_914_756_026e-5,
    4.899_078_973_153_047e-6,
    -2.428_276_122_977_769e-7,
    -1.854_062_210_715_16e-7,
    7.542_464_855_411_896e-8,
    -1.472_162_728_068_84e-8,
    5.159_887_341_078_076e-10,
    7.329_864_131_600_22e-10,
    -2.921_357_345_635_569e-10,
    5.717_312_238_897_994e-11,
    -1.500_834_940_879_191_1e-12,
    -3.239_317_851_416_903e-12,
    1.282_207_790_561_442_7e-12,
];

/// The root w >= 0 of w - ln(1 + w) = u: the series near 0, two steps of Halley's method elsewhere.
///
/// Without branches, so that a loop over it is vectorised. The start is the official approximation, which is within 21 % of the root
/// for every u up to 700; two steps that each cube the error then reach the rounding of an `f64`.
#[inline(always)]
fn exact(depth: f64) -> f64 {
    let y = (2.0 * depth).sqrt();
    let near = y * polynomial(y, &SERIES);
    let mut far = approximate(depth);
    for _ in 0..HALLEY_STEPS {
        let residual = far - ln(1.0 + far) - depth;
        far -= 2.0 * residual * far * (1.0 + far) / (2.0 * far * far - residual);
    }
    if y < 0.5 { near } else { far }
}

/// Steps from the official approximation to the exact inverse.
pub(crate) const HALLEY_STEPS: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    /// w from u by mpmath 1.3.0 with 40 digits: `-1 - lambertw(-exp(-1 - u), -1)`.
    const ROOTS: [(f64, f64); 18] = [
        (1e-300, 1.4142135623730952e-150),
        (1e-20, 1.4142135624397617e-10),
        (1e-08, 0.00014142802298254211),
        (0.001, 0.045390495963692566),
        (0.0596, 0.3860786327294682),
        (0.1249, 0.5863115270029559),
        (0.125, 0.5865820454591967),
        (0.1251, 0.5868524853057034),
        (0.3, 0.9862468559702339),
        (1.0, 2.1461932206205825),
        (2.5, 4.136340948174752),
        (5.0, 7.090717405155485),
        (10.0, 12.610868638149876),
        (20.0, 23.185764204040805),
        (50.0, 54.00746897556834),
        (100.0, 104.66022855484995),
        (300.0, 305.7259546932104),
        (700.0, 706.5618250108739),
    ];

    #[test]
    fn the_exact_inverse_is_lamberts_function() {
        for (depth, expected) in ROOTS {
            let actual = exact(depth);
            assert!(
                (actual - expected).abs() <= 4e-15 * expected,
                "{depth}: {actual:e} against {expected:e}"
            );
        }
    }

    #[test]
    fn both_inverses_rise_and_their_slopes_are_theirs() {
        for inverse in [Inverse::Approximate, Inverse::Exact] {
            let mut last = 0.0;
            for i in 1..7_000 {
                let depth = (f64::from(i) * 0.1).powi(3) * 2e-6;
                let value = inverse.below_one(depth);
                assert!(value > last, "{inverse:?} at {depth}");
                last = value;
                let step = depth * 1e-5;
                let difference = inverse.below_one(depth + step) - inverse.below_one(depth - step);
                let numeric = difference / (2.0 * step);
                let slope = inverse.slope(depth);
                assert!(
                    (slope - numeric).abs() <= 1e-8 * slope,
                    "{inverse:?} at {depth}"
                );
            }
        }
    }

    /// The documentation's "while the smallest h is at least 5e-5": the slope of e^z in h, e^z (dw/du) / h, grows with h.
    #[test]
    fn the_mass_is_convex_in_h_where_the_documentation_says() {
        let slope = |inverse: Inverse, depth: f64| {
            (depth - inverse.below_one(depth)).exp() * inverse.slope(depth)
        };
        for (inverse, deepest) in [
            (Inverse::Approximate, -1.0 - 5e-5_f64.ln()),
            (Inverse::Exact, 650.0),
        ] {
            let at = |i: u32| slope(inverse, deepest * f64::from(i) * 1e-4);
            assert!((1..10_000).all(|i| at(i + 1) < at(i)), "{inverse:?}");
        }
        let beyond = -1.0 - 4e-5_f64.ln();
        assert!(slope(Inverse::Approximate, beyond + 0.1) > slope(Inverse::Approximate, beyond));
    }

    #[test]
    fn the_top_of_h_is_minus_one() {
        assert_eq!(Inverse::Exact.below_one(0.0), 0.0);
        assert_eq!(Inverse::Approximate.below_one(0.0), 0.0);
    }
}
