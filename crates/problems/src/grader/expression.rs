//! Expressions in a normal form: sums and products in sorted order, exact coefficients.
//!
//! What is written is compared, not what it comes to: fractions are reduced and roots leave denominators, but sums,
//! products and powers of plain numbers are left as they are. `3+4` is not the answer 7.

use super::rational::Rational;

/// An expression in normal form. Equal expressions have equal values; the reverse does not hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Expr {
    Num(Rational),
    Sym(String),
    /// Base and exponent.
    Pow(Box<Expr>, Box<Expr>),
    /// A function, or what else has a name and arguments.
    Apply(String, Vec<Expr>),
    /// A coefficient and at least one sorted factor that is no product. Plain numbers are factors where several were
    /// multiplied.
    Prod(Rational, Vec<Expr>),
    /// At least two sorted terms that are no sums.
    Sum(Vec<Expr>),
}

impl Expr {
    pub(super) fn as_number(&self) -> Option<Rational> {
        match self {
            Self::Num(number) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn negate(self) -> Option<Self> {
        scale(self, Rational::MINUS_ONE)
    }
}

/// The expression times a number that is no factor of its own.
fn scale(expr: Expr, by: Rational) -> Option<Expr> {
    Some(match expr {
        Expr::Num(number) => Expr::Num(number.mul(by)?),
        Expr::Prod(coefficient, factors) => product(coefficient.mul(by)?, factors)?,
        other => product(by, vec![other])?,
    })
}

/// A product in normal form. The factors are no products; a number among them stays a factor.
pub(super) fn product(coefficient: Rational, mut factors: Vec<Expr>) -> Option<Expr> {
    factors.sort_unstable();
    if factors.is_empty() {
        return Some(Expr::Num(coefficient));
    }
    if factors.len() == 1 {
        if coefficient == Rational::ONE {
            return factors.pop();
        }
        // A minus and a denominator go over the terms of a sum; what was factored out stays so.
        let spreads = coefficient == Rational::MINUS_ONE || coefficient.as_integer().is_none();
        if let (true, Expr::Sum(terms)) = (spreads, &factors[0]) {
            let terms = terms.iter().cloned().map(|term| scale(term, coefficient));
            return sum(terms.collect::<Option<_>>()?);
        }
    }
    Some(Expr::Prod(coefficient, factors))
}

/// A sum in normal form.
pub(super) fn sum(terms: Vec<Expr>) -> Option<Expr> {
    let mut flat = Vec::with_capacity(terms.len());
    for term in terms {
        match term {
            Expr::Sum(inner) => flat.extend(inner),
            other => flat.push(other),
        }
    }
    if flat.len() == 1 {
        return flat.pop();
    }
    flat.sort_unstable();
    Some(Expr::Sum(flat))
}

/// Left times right.
pub(super) fn multiply(left: Expr, right: Expr) -> Option<Expr> {
    if let Some(number) = scientific(&left, &right) {
        return Some(Expr::Num(number));
    }
    let (first, mut factors) = parts(left);
    let (second, more) = parts(right);
    factors.extend(more);
    let is_sign = |number: Rational| number == Rational::ONE || number == Rational::MINUS_ONE;
    let open = factors.iter().any(|factor| matches!(factor, Expr::Num(_)));
    if !open && (is_sign(first) || is_sign(second)) {
        return product(first.mul(second)?, factors);
    }
    // 2 · 3 is not yet 6: the numbers stay factors, only their signs are taken together.
    let mut sign = Rational::ONE;
    for mut number in [first, second] {
        if number.is_negative() {
            number = number.neg()?;
            sign = sign.neg()?;
        }
        if number != Rational::ONE {
            factors.push(Expr::Num(number));
        }
    }
    product(sign, factors)
}

/// A number times a power of ten: scientific notation. `None` also where it does not fit: then it stays a product.
pub(super) fn scientific(left: &Expr, right: &Expr) -> Option<Rational> {
    let number = left.as_number()?;
    let Expr::Pow(base, exponent) = right else {
        return None;
    };
    if base.as_number()? != Rational::integer(10) {
        return None;
    }
    let exponent = exponent.as_number()?.as_integer()?;
    number.mul(Rational::power_of_ten(exponent)?)
}

/// Coefficient and factors.
fn parts(expr: Expr) -> (Rational, Vec<Expr>) {
    match expr {
        Expr::Num(number) => (number, Vec::new()),
        Expr::Prod(coefficient, factors) => (coefficient, factors),
        other => (Rational::ONE, vec![other]),
    }
}

/// Left divided by right: numbers reduce, all else becomes a power of -1.
pub(super) fn divide(left: Expr, right: Expr) -> Option<Expr> {
    let (mut coefficient, mut factors) = parts(left);
    let (divisor, others) = parts(right);
    coefficient = coefficient.div(divisor)?;
    for factor in others {
        // What stands above and below alike is gone.
        if let Some(at) = factors.iter().position(|above| *above == factor) {
            factors.swap_remove(at);
            continue;
        }
        let (number, inverse) = invert(factor)?;
        coefficient = coefficient.mul(number)?;
        factors.push(inverse);
    }
    product(coefficient, factors)
}

/// The inverse of a factor, as a number times a factor. A square root of an integer moves above the line.
fn invert(factor: Expr) -> Option<(Rational, Expr)> {
    let one = Rational::ONE;
    let Expr::Pow(base, exponent) = factor else {
        let exponent = Box::new(Expr::Num(Rational::MINUS_ONE));
        return Some((one, Expr::Pow(Box::new(factor), exponent)));
    };
    let root = *exponent == Expr::Num(Rational::new(1, 2)?);
    if let (true, Some(number)) = (root, base.as_number()) {
        return Some((number.recip()?, Expr::Pow(base, exponent)));
    }
    Some((one, power(*base, exponent.negate()?)))
}

/// Base to an exponent: powers of 1 are gone, powers of ten are numbers while they fit.
pub(super) fn power(base: Expr, exponent: Expr) -> Expr {
    // 10^1 stays one: a number times it is scientific notation.
    let ten = base == Expr::Num(Rational::integer(10));
    if exponent == Expr::Num(Rational::ONE) && !ten {
        return base;
    }
    Expr::Pow(Box::new(base), Box::new(exponent))
}
