//! An exact parser of small expressions: integers with `+`, `-`, `*` and parentheses.

/// How deep parentheses may be nested.
const DEEPEST: usize = 64;

/// Why a text is no expression, or has no value. Reads after "failed to".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpressionError {
    /// Something else than a number or `(` where one is needed, or more text behind the expression.
    #[error("read the expression at byte {at}")]
    Unexpected {
        /// Where, in bytes.
        at: usize,
    },
    /// Parentheses are nested too deep.
    #[error("read the expression: parentheses are nested deeper than 64")]
    Deep,
    /// A number or result is larger than 64 bits hold.
    #[error("evaluate the expression: it is too large")]
    Large,
}

/// The value of an expression, and the numbers that are in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluated {
    /// The value.
    pub value: i64,
    /// The numbers from left to right.
    pub numbers: Vec<i64>,
}

/// Evaluates integers with `+`, `-`, `*` and parentheses; `*` binds tighter, equals go from left to right, space is free. There
/// is no sign before a number, no division and no implied multiplication.
///
/// # Errors
///
/// The text is no such expression, or its value does not fit.
pub fn evaluate(text: &str) -> Result<Evaluated, ExpressionError> {
    let mut parser = Parser {
        bytes: text.as_bytes(),
        at: 0,
        depth: 0,
        numbers: Vec::new(),
    };
    let value = parser.sum()?;
    if parser.peek().is_some() {
        return Err(ExpressionError::Unexpected { at: parser.at });
    }
    let numbers = parser.numbers;
    Ok(Evaluated { value, numbers })
}

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
    numbers: Vec<i64>,
}

impl Parser<'_> {
    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }

    fn sum(&mut self) -> Result<i64, ExpressionError> {
        let mut value = self.product()?;
        while let Some(sign @ (b'+' | b'-')) = self.peek() {
            self.at += 1;
            let next = self.product()?;
            let result = if sign == b'+' {
                value.checked_add(next)
            } else {
                value.checked_sub(next)
            };
            value = result.ok_or(ExpressionError::Large)?;
        }
        Ok(value)
    }

    fn product(&mut self) -> Result<i64, ExpressionError> {
        let mut value = self.atom()?;
        while self.peek() == Some(b'*') {
            self.at += 1;
            let next = self.atom()?;
            value = value.checked_mul(next).ok_or(ExpressionError::Large)?;
        }
        Ok(value)
    }

    fn atom(&mut self) -> Result<i64, ExpressionError> {
        match self.peek() {
            Some(b'(') => {
                self.depth += 1;
                if self.depth > DEEPEST {
                    return Err(ExpressionError::Deep);
                }
                self.at += 1;
                let value = self.sum()?;
                if self.peek() != Some(b')') {
                    return Err(ExpressionError::Unexpected { at: self.at });
                }
                self.at += 1;
                self.depth -= 1;
                Ok(value)
            }
            Some(b'0'..=b'9') => self.number(),
            _ => Err(ExpressionError::Unexpected { at: self.at }),
        }
    }

    fn number(&mut self) -> Result<i64, ExpressionError> {
        let mut value: i64 = 0;
        while let Some(digit @ b'0'..=b'9') = self.bytes.get(self.at) {
            value = value
                .checked_mul(10)
                .and_then(|value| value.checked_add(i64::from(digit - b'0')))
                .ok_or(ExpressionError::Large)?;
            self.at += 1;
        }
        self.numbers.push(value);
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_numbers() {
        let value = |text: &str| evaluate(text).map(|found| found.value);
        assert_eq!(value("3+14*2"), Ok(31));
        assert_eq!(value("(3+14)*2"), Ok(34));
        assert_eq!(value(" 10 - 3 - 4 "), Ok(3));
        assert_eq!(value("2*(3-(4-5))"), Ok(8));
        assert_eq!(evaluate("7*(2+7)").unwrap().numbers, [7, 2, 7]);
        for (text, at) in [
            ("", 0),
            ("3+", 2),
            ("-3", 0),
            ("3 4", 2),
            ("(3", 2),
            ("3)", 1),
            ("6/3", 1),
            ("2(3)", 1),
        ] {
            assert_eq!(
                value(text),
                Err(ExpressionError::Unexpected { at }),
                "{text}"
            );
        }
        assert_eq!(
            value("99999999999*99999999999"),
            Err(ExpressionError::Large)
        );
        assert_eq!(value(&"9".repeat(100_000)), Err(ExpressionError::Large));
        assert_eq!(value(&"(".repeat(100_000)), Err(ExpressionError::Deep));
        assert_eq!(value(&format!("1{}", "*(1)".repeat(1000))), Ok(1));
    }
}
