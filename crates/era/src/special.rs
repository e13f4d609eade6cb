//! Exponential, logarithm and the normal distribution function and its inverse, without branches.
//!
//! The policies evaluate these once or more per action and dimension. Written without branches and calls they compile to vector
//! instructions; the results do not depend on the vector width, because no operation is fused or reordered.

use std::f64::consts::{FRAC_1_SQRT_2, LN_2, LOG2_E};

/// log sqrt(2 pi).
pub(crate) const LN_SQRT_2PI: f64 = 0.918_938_533_204_672_8;
/// 1 / sqrt(2 pi).
pub(crate) const FRAC_1_SQRT_2PI: f64 = 0.398_942_280_401_432_7;

/// 1.5 * 2^52: adding it rounds to an integer that then stands in the low bits.
const ROUND: f64 = 6_755_399_441_055_744.0;
/// log 2 with its last 20 bits cleared, so that small multiples of it are exact, and the rest.
const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// x moved into \[low, high\]; unlike `f64::clamp` without a check of the bounds, which would keep a loop from being vectorised.
#[inline(always)]
pub(crate) fn clip(x: f64, low: f64, high: f64) -> f64 {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

/// Evaluates a polynomial of degree at least 3, lowest coefficient first.
///
/// Four interleaved Horner schemes in x^4: a single one would spend its time waiting for the previous product.
#[inline(always)]
pub(crate) fn polynomial<const N: usize>(x: f64, coefficients: &[f64; N]) -> f64 {
    let square = x * x;
    let fourth = square * square;
    let mut sums = [0.0; 4];
    for i in (0..N).rev() {
        sums[i % 4] = sums[i % 4] * fourth + coefficients[i];
    }
    (sums[0] + sums[1] * x) + (sums[2] + sums[3] * x) * square
}

/// 1/n! for n = 0..=12: on |r| <= log(2)/2 the first term left out is below 2e-16.
const EXP: [f64; 13] = [
    1.0,
    1.0,
    1.0 / 2.0,
    1.0 / 6.0,
    1.0 / 24.0,
    1.0 / 120.0,
    1.0 / 720.0,
    1.0 / 5_040.0,
    1.0 / 40_320.0,
    1.0 / 362_880.0,
    1.0 / 3_628_800.0,
    1.0 / 39_916_800.0,
    1.0 / 479_001_600.0,
];

/// e^x for x in \[-690, 708\], beyond which the nearer end is taken: 2e-300 and 3e307, not 0 and infinity.
///
/// The lower end is where products with the result are still normal numbers; subnormal ones take a hundred times as long.
#[inline(always)]
pub(crate) fn exp(x: f64) -> f64 {
    let x = clip(x, -690.0, 708.0);
    let shifted = x * LOG2_E + ROUND;
    let k = shifted - ROUND;
    let r = (x - k * LN_2_HIGH) - k * LN_2_LOW;
    // 2^k: the integer in the low bits of `shifted`, moved to where the exponent stands.
    f64::from_bits(
        polynomial(r, &EXP)
            .to_bits()
            .wrapping_add(shifted.to_bits() << 52),
    )
}

/// 2/(2n+1): the series of 2 artanh(s) / s in s^2, for s^2 <= 0.0295.
const LN: [f64; 11] = [
    2.0,
    2.0 / 3.0,
    2.0 / 5.0,
    2.0 / 7.0,
    2.0 / 9.0,
    2.0 / 11.0,
    2.0 / 13.0,
    2.0 / 15.0,
    2.0 / 17.0,
    2.0 / 19.0,
    2.0 / 21.0,
];

/// The natural logarithm of a positive, normal, finite number.
#[inline(always)]
pub(crate) fn ln(x: f64) -> f64 {
    const SQRT_HALF_BITS: u64 = std::f64::consts::FRAC_1_SQRT_2.to_bits();
    const ONE_BITS: u64 = 1.0_f64.to_bits();
    // x = 2^k m with m in [sqrt(1/2), sqrt(2)); the offset keeps k + 1023 positive.
    let offset = x.to_bits().wrapping_add(ONE_BITS - SQRT_HALF_BITS);
    let biased = offset >> 52;
    let m = f64::from_bits((offset & 0x000f_ffff_ffff_ffff).wrapping_add(SQRT_HALF_BITS));
    let k = f64::from_bits(ROUND.to_bits() + biased) - ROUND - 1023.0;
    let s = (m - 1.0) / (m + 1.0);
    k * LN_2_HIGH + (s * polynomial(s * s, &LN) + k * LN_2_LOW)
}

/// (1 + 2x) erfcx(x) as a polynomial in t = (x - 3) / (x + 3), for x >= 0.
///
/// The mapping and the factor are those of Shepherd and Laframboise, "Chebyshev approximation of (1 + 2x) exp(x^2) erfc x in
/// 0 <= x < infinity", Mathematics of Computation 36 (1981); the 25 coefficients are ours: the Chebyshev interpolant at 60 points,
/// computed with 60 digits, cut at degree 24 and written in powers of t. Its error is below 2e-16.
const ERFCX: [f64; 25] = [
    1.2530080582697296,
    -0.13562110612458117,
    -0.0475622943534492,
    0.1296451587027594,
    -0.11927366341538638,
    0.0683080273440099,
    -0.02377051491717134,
    0.0025293918156939696,
    0.0018886903449991718,
    -0.0007798322696543306,
    -0.00010515971958448065,
    0.0001250993424583729,
    4.949196649968345e-06,
    -2.0100542268525612e-05,
    -7.308281468783614e-07,
    3.472370944977168e-06,
    3.5576086684080595e-07,
    -6.166011460398726e-07,
    -1.4047654315428465e-07,
    1.0183620603842738e-07,
    4.106401366794036e-08,
    -1.3312919661038689e-08,
    -8.217595058711458e-09,
    9.86253351034559e-10,
    8.393734858690884e-10,
];

/// The upper tail of the standard normal distribution at x >= 0: (P(X > x), e^(-x^2/2)), both to full relative accuracy.
#[inline(always)]
pub(crate) fn upper_tail(x: f64) -> (f64, f64) {
    let bell = exp(-0.5 * x * x);
    let y = x * FRAC_1_SQRT_2;
    // One division for both quotients, t = (y - 3) / (y + 3) and p(t) / (1 + 2y).
    let (sum, factor) = (y + 3.0, 1.0 + 2.0 * y);
    let inverse = 1.0 / (sum * factor);
    let scaled = polynomial((y - 3.0) * factor * inverse, &ERFCX) * sum * inverse;
    (0.5 * bell * scaled, bell)
}

/// The three rational functions of Wichura's algorithm AS 241 (PPND16), numerators and denominators, lowest coefficient first.
///
/// Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied Statistics 37 (1988): relative
/// accuracy 1e-16.
const CENTRE: ([f64; 8], [f64; 8]) = (
    [
        3.387_132_872_796_366_5,
        133.141_667_891_784_38,
        1_971.590_950_306_551_3,
        13_731.693_765_509_46,
        45_921.953_931_549_87,
        67_265.770_927_008_7,
        33_430.575_583_588_13,
        2_509.080_928_730_122_7,
    ],
    [
        1.0,
        42.313_330_701_600_91,
        687.187_007_492_057_9,
        5_394.196_021_424_751,
        21_213.794_301_586_597,
        39_307.895_800_092_71,
        28_729.085_735_721_943,
        5_226.495_278_852_854,
    ],
);
const MIDDLE: ([f64; 8], [f64; 8]) = (
    [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        0.241_780_725_177_450_6,
        0.022_723_844_989_269_184,
        0.000_774_545_014_278_341_4,
    ],
    [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        0.689_767_334_985_1,
        0.148_103_976_427_480_08,
        0.015_198_666_563_616_457,
        0.000_547_593_808_499_534_5,
        1.050_750_071_644_416_9e-9,
    ],
);
const FAR: ([f64; 8], [f64; 8]) = (
    [
        6.657_904_643_501_103,
        5.463_784_911_164_114,
        1.784_826_539_917_291_3,
        0.296_560_571_828_504_87,
        0.026_532_189_526_576_124,
        0.001_242_660_947_388_078_4,
        2.711_555_568_743_487_6e-5,
        2.010_334_399_292_288_1e-7,
    ],
    [
        1.0,
        0.599_832_206_555_888,
        0.136_929_880_922_735_8,
        0.014_875_361_290_850_615,
        0.000_786_869_131_145_613_3,
        1.846_318_317_510_054_8e-5,
        1.421_511_758_316_446e-7,
        2.044_263_103_389_939_8e-15,
    ],
);

/// The x >= 0 with P(X > x) = `tail`, for a tail probability in (0, 1/2]; below 1e-300 that of 1e-300 (37.04).
#[inline(always)]
pub(crate) fn upper_quantile(tail: f64) -> f64 {
    let tail = if tail < 1e-300 { 1e-300 } else { tail };
    let q = 0.5 - tail;
    let r = 0.180_625 - q * q;
    let s = (-ln(tail)).sqrt();
    // All three are evaluated and one division made; single selects keep the loop free of branches.
    let (is_centre, is_middle) = (q <= 0.425, s <= 5.0);
    let select = |centre: f64, middle: f64, far: f64| {
        let outer = if is_middle { middle } else { far };
        if is_centre { centre } else { outer }
    };
    let above = select(
        q * polynomial(r, &CENTRE.0),
        polynomial(s - 1.6, &MIDDLE.0),
        polynomial(s - 5.0, &FAR.0),
    );
    let below = select(
        polynomial(r, &CENTRE.1),
        polynomial(s - 1.6, &MIDDLE.1),
        polynomial(s - 5.0, &FAR.1),
    );
    above / below
}

/// tanh(x) and its derivative 1 - tanh(x)^2; the latter keeps its relative accuracy where tanh saturates.
#[inline(always)]
pub(crate) fn tanh(x: f64) -> (f64, f64) {
    let e = exp(-2.0 * x.abs());
    let inverse = 1.0 / (1.0 + e);
    let magnitude = (1.0 - e) * inverse;
    (magnitude.copysign(x), 4.0 * e * inverse * inverse)
}

/// -log(1 - tanh(x)^2) = 2 (|x| + log(1 + e^(-2|x|)) - log 2), at least 0.
#[inline(always)]
pub(crate) fn squash_loss(x: f64) -> f64 {
    2.0 * (x.abs() + ln(1.0 + exp(-2.0 * x.abs())) - LN_2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_relative(what: &str, at: f64, actual: f64, expected: f64, tolerance: f64) {
        let error = (actual - expected).abs() / expected.abs().max(f64::MIN_POSITIVE);
        assert!(
            error <= tolerance,
            "{what}({at}) is {actual}, expected {expected}"
        );
    }

    /// mpmath 1.3.0 at 50 digits: erfc(x / sqrt(2)) / 2.
    const UPPER_TAIL: [(f64, f64); 7] = [
        (0.0, 0.5),
        (0.1, 0.460172162722971),
        (1.0, 0.15865525393145705),
        (3.0, 0.0013498980316300946),
        (8.0, 6.220960574271784e-16),
        (20.0, 2.7536241186062337e-89),
        (37.0, 5.725571222524577e-300),
    ];

    /// mpmath 1.3.0 at 50 digits: the root of log P(X > x) = log tail.
    const UPPER_QUANTILE: [(f64, f64); 9] = [
        (0.5, 0.0),
        (0.4, 0.2533471031357998),
        (0.08, 1.4050715603096327),
        (0.07, 1.4757910281791706),
        (1e-05, 4.264890793922825),
        (1e-10, 6.361340902404057),
        (1e-12, 7.034483825301132),
        (1e-100, 21.273453560965326),
        (1e-299, 36.98493649690257),
    ];

    #[test]
    fn tails_keep_their_relative_accuracy() {
        for (x, expected) in UPPER_TAIL {
            // The rounding of x^2/2 alone is 680 ulp of the result at 37.
            assert_relative("upper_tail", x, upper_tail(x).0, expected, 2e-13);
        }
    }

    #[test]
    fn quantiles_are_exact_in_all_three_regions() {
        for (tail, expected) in UPPER_QUANTILE {
            assert_relative(
                "upper_quantile",
                tail,
                upper_quantile(tail),
                expected,
                2e-15,
            );
        }
        assert!(upper_quantile(0.0).is_finite());
    }

    #[test]
    fn elementary_functions_are_the_standard_librarys() {
        for i in -6_900..=7_080 {
            let x = f64::from(i) * 0.1;
            assert_relative("exp", x, exp(x), x.exp(), 1e-15);
            let y = x.exp();
            assert_relative("ln", y, ln(y) + 1_000.0, y.ln() + 1_000.0, 1e-15);
        }
        for i in 1..=2_000 {
            let x = f64::from(i) * 0.001;
            assert_relative("ln", x, ln(x), x.ln(), 4e-15);
            let (value, slope) = tanh(-x);
            assert_relative("tanh", -x, value, (-x).tanh(), 2e-13);
            assert_relative("tanh's slope", -x, slope, x.cosh().powi(-2), 4e-15);
        }
    }

    #[test]
    fn a_nan_stays_a_nan() {
        assert!(exp(f64::NAN).is_nan());
        assert!(tanh(f64::NAN).0.is_nan());
        assert!(upper_tail(f64::NAN).0.is_nan());
        assert!(upper_quantile(f64::NAN).is_nan());
    }
}
