//! Sums in digits: `3+14+7=`, answered by `24`.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Drawn, SetError, joined, within};
use crate::Answer;

pub(super) const NAME: &str = "chain-sum";

/// Sums in digits. Every term has one to `digits` digits, each number of digits equally often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChainSum {
    /// How many numbers are added, 2 to 16.
    pub terms: u32,
    /// The most digits of a term, 1 to 9.
    pub digits: u32,
}

impl Default for ChainSum {
    /// Three terms of at most two digits.
    fn default() -> Self {
        Self {
            terms: 3,
            digits: 2,
        }
    }
}

impl ChainSum {
    pub(super) fn check(&self) -> Result<(), SetError> {
        within(NAME, "terms", self.terms, 2..=16, "2 to 16")?;
        within(NAME, "digits", self.digits, 1..=9, "1 to 9")
    }

    pub(super) fn draw(&self, rng: &mut ChaCha8Rng) -> Drawn {
        let mut term = || {
            let digits = rng.random_range(1..=self.digits);
            let smallest = if digits == 1 {
                0
            } else {
                10_u32.pow(digits - 1)
            };
            rng.random_range(smallest..10_u32.pow(digits))
        };
        let mut terms: Vec<u32> = (0..self.terms).map(|_| term()).collect();
        let prompt = format!("{}=", joined(&terms, "+"));
        let sum: i64 = terms.iter().map(|&term| i64::from(term)).sum();
        terms.sort_unstable();
        Drawn {
            prompt,
            answer: Answer::Integer(sum),
            solution: sum.to_string(),
            canonical: format!("sum {}", joined(&terms, "+")),
        }
    }
}
