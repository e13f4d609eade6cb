//! Sums in words, as a question to a model that follows instructions.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Drawn, SetError, joined, within};
use crate::Answer;

pub(super) const NAME: &str = "chain-sum-words";

/// Sums in words. The prompt is one message of a user; the model's chat template goes around it. The answer is asked for in
/// digits in `\boxed{}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChainSumWords {
    /// How many numbers are added, 2 to 8.
    pub terms: u32,
    /// The largest number, 9 to 999. Numbers are drawn evenly from 0.
    pub largest: u32,
}

impl Default for ChainSumWords {
    /// Two numbers up to 99.
    fn default() -> Self {
        Self {
            terms: 2,
            largest: 99,
        }
    }
}

impl ChainSumWords {
    pub(super) fn check(&self) -> Result<(), SetError> {
        within(NAME, "terms", self.terms, 2..=8, "2 to 8")?;
        within(NAME, "largest", self.largest, 9..=999, "9 to 999")
    }

    pub(super) fn draw(&self, rng: &mut ChaCha8Rng) -> Drawn {
        let mut terms: Vec<u32> = (0..self.terms)
            .map(|_| rng.random_range(0..=self.largest))
            .collect();
        let spoken: Vec<String> = terms.iter().map(|&term| words(term)).collect();
        let prompt = format!(
            "What is {}? Put the final answer, in digits, within \\boxed{{}}.",
            spoken.join(" plus ")
        );
        let sum: u32 = terms.iter().sum();
        terms.sort_unstable();
        Drawn {
            prompt,
            answer: Answer::Final(sum.to_string()),
            solution: format!("\\boxed{{{sum}}}"),
            // As in chain-sum: the same sum is in the same split there.
            canonical: format!("sum {}", joined(&terms, "+")),
        }
    }
}

/// A number below 1000 in English words: "three hundred forty-two".
fn words(number: u32) -> String {
    const SMALL: [&str; 20] = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    const TENS: [&str; 10] = [
        "", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
    ];
    let small = |number: u32| SMALL[number as usize].to_owned();
    match number {
        0..20 => small(number),
        20..100 => {
            let tens = TENS[(number / 10) as usize];
            match number % 10 {
                0 => tens.to_owned(),
                ones => format!("{tens}-{}", small(ones)),
            }
        }
        _ => {
            let hundreds = words(number / 100);
            match number % 100 {
                0 => format!("{hundreds} hundred"),
                rest => format!("{hundreds} hundred {}", words(rest)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn numbers_in_words() {
        assert_eq!(words(0), "zero");
        assert_eq!(words(13), "thirteen");
        assert_eq!(words(40), "forty");
        assert_eq!(words(99), "ninety-nine");
        assert_eq!(words(100), "one hundred");
        assert_eq!(words(317), "three hundred seventeen");
        assert_eq!(words(999), "nine hundred ninety-nine");
        let all: BTreeSet<_> = (0..1000).map(words).collect();
        assert_eq!(all.len(), 1000);
    }
}
