//! Expressions modulo a prime: `(3*5-2)%7=`, answered by `6`.

use std::fmt::Write;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Drawn, SetError, within};
use crate::Answer;

pub(super) const NAME: &str = "modular";

/// Sums, differences and products of residues modulo a prime, products first as usual. The answer is the residue from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Modular {
    /// How many numbers there are, 2 to 8.
    pub terms: u32,
    /// The modulus, a prime from 2 to 97. Numbers are below it.
    pub modulus: u32,
}

impl Default for Modular {
    /// Three numbers modulo 11.
    fn default() -> Self {
        Self {
            terms: 3,
            modulus: 11,
        }
    }
}

impl Modular {
    pub(super) fn check(&self) -> Result<(), SetError> {
        within(NAME, "terms", self.terms, 2..=8, "2 to 8")?;
        let expected = "a prime from 2 to 97";
        within(NAME, "modulus", self.modulus, 2..=97, expected)?;
        let prime = (2..self.modulus).all(|divisor| !self.modulus.is_multiple_of(divisor));
        if prime {
            return Ok(());
        }
        Err(SetError::Parameter {
            set: NAME,
            parameter: "modulus",
            value: self.modulus,
            expected,
        })
    }

    pub(super) fn draw(&self, rng: &mut ChaCha8Rng) -> Drawn {
        let modulus = i64::from(self.modulus);
        let number = |rng: &mut ChaCha8Rng| i64::from(rng.random_range(0..self.modulus));
        let first = number(rng);
        let mut text = first.to_string();
        // The sum of what is closed, and the signed product that is still open.
        let (mut sum, mut product) = (0, first);
        for _ in 1..self.terms {
            let operator = ['+', '-', '*'][rng.random_range(0..3_usize)];
            let next = number(rng);
            match operator {
                '*' => product = product * next % modulus,
                '+' => (sum, product) = (sum + product, next),
                _ => (sum, product) = (sum + product, -next),
            }
            // Writing to a string does not fail.
            let _ = write!(text, "{operator}{next}");
        }
        let value = (sum + product).rem_euclid(modulus);
        let prompt = format!("({text})%{modulus}=");
        Drawn {
            canonical: prompt.clone(),
            prompt,
            answer: Answer::Integer(value),
            solution: value.to_string(),
        }
    }
}
