//! Exact fractions of 128-bit integers.

/// An exact fraction in lowest terms with a positive denominator. The derived order is not the order of the numbers: it
/// only makes sorted lists of expressions unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rational {
    num: i128,
    den: i128,
}

impl Rational {
    pub(super) const ONE: Self = Self { num: 1, den: 1 };
    pub(super) const MINUS_ONE: Self = Self { num: -1, den: 1 };

    /// `num / den`; `None` for a denominator of 0 and for what does not fit.
    pub(super) fn new(num: i128, den: i128) -> Option<Self> {
        let common = i128::try_from(gcd(num.unsigned_abs(), den.unsigned_abs())).ok()?;
        if den == 0 {
            return None;
        }
        let sign = den.signum();
        Some(Self {
            num: num.checked_div(common)?.checked_mul(sign)?,
            den: den.checked_div(common)?.checked_mul(sign)?,
        })
    }

    /// An integer.
    pub(super) const fn integer(num: i128) -> Self {
        Self { num, den: 1 }
    }

    /// Digits with at most one point, without a sign: `12`, `0.50`, `.5`.
    pub(super) fn decimal(digits: &str) -> Option<Self> {
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let part = part.trim_end_matches('0');
        let mut num: i128 = 0;
        for byte in whole.bytes().chain(part.bytes()) {
            if !byte.is_ascii_digit() {
                return None;
            }
            num = num.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
        }
        if whole.is_empty() && !digits.starts_with('.') {
            return None;
        }
        Self::new(num, 10_i128.checked_pow(u32::try_from(part.len()).ok()?)?)
    }

    /// 10 to a power, of either sign.
    pub(super) fn power_of_ten(exponent: i128) -> Option<Self> {
        let size = u32::try_from(exponent.unsigned_abs()).ok()?;
        let power = 10_i128.checked_pow(size)?;
        if exponent < 0 {
            Self::new(1, power)
        } else {
            Some(Self::integer(power))
        }
    }

    /// The value if it is an integer.
    pub(super) fn as_integer(self) -> Option<i128> {
        (self.den == 1).then_some(self.num)
    }

    /// Whether it lies strictly between 0 and 1.
    pub(super) fn is_proper(self) -> bool {
        0 < self.num && self.num < self.den
    }

    pub(super) fn is_negative(self) -> bool {
        self.num < 0
    }

    pub(super) fn add(self, other: Self) -> Option<Self> {
        let left = self.num.checked_mul(other.den)?;
        let right = other.num.checked_mul(self.den)?;
        Self::new(left.checked_add(right)?, self.den.checked_mul(other.den)?)
    }

    pub(super) fn mul(self, other: Self) -> Option<Self> {
        // Crosswise first, so that only what does not fit in lowest terms overflows.
        let left = Self::new(self.num, other.den)?;
        let right = Self::new(other.num, self.den)?;
        Self::new(
            left.num.checked_mul(right.num)?,
            left.den.checked_mul(right.den)?,
        )
    }

    /// `1 / self`; `None` for 0.
    pub(super) fn recip(self) -> Option<Self> {
        Self::new(self.den, self.num)
    }

    pub(super) fn div(self, other: Self) -> Option<Self> {
        self.mul(other.recip()?)
    }

    pub(super) fn neg(self) -> Option<Self> {
        Some(Self {
            num: self.num.checked_neg()?,
            den: self.den,
        })
    }
}

/// The greatest common divisor, at least 1.
fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_in_lowest_terms() {
        assert_eq!(Rational::new(2, -4), Rational::new(-1, 2));
        assert_eq!(Rational::new(0, 7), Some(Rational::integer(0)));
        assert_eq!(Rational::new(1, 0), None);
        assert_eq!(Rational::new(i128::MIN, -1), None);
        assert_eq!(Rational::new(0, 0), None);
    }

    #[test]
    fn decimals_are_exact() {
        assert_eq!(Rational::decimal("0.50"), Rational::new(1, 2));
        assert_eq!(Rational::decimal(".5"), Rational::new(1, 2));
        assert_eq!(Rational::decimal("007"), Some(Rational::integer(7)));
        assert_eq!(
            Rational::decimal("1.0000000000000000000000000000000000000000000"),
            Some(Rational::ONE)
        );
        assert_eq!(Rational::decimal(""), None);
        assert_eq!(Rational::decimal(&"9".repeat(60)), None);
        assert_eq!(Rational::power_of_ten(-2), Rational::new(1, 100));
        assert_eq!(Rational::power_of_ten(39), None);
    }

    #[test]
    fn arithmetic_overflows_to_none() {
        let large = Rational::integer(i128::MAX);
        assert_eq!(large.add(Rational::ONE), None);
        assert_eq!(large.mul(large), None);
        assert_eq!(large.mul(large.recip().unwrap()), Some(Rational::ONE));
        assert_eq!(Rational::integer(i128::MIN).neg(), None);
        assert_eq!(Rational::integer(0).recip(), None);
    }
}
