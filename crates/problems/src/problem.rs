//! A problem, and how a response to it is graded.

use serde::{Deserialize, Serialize};

use crate::grader::{self, Grade};
use crate::sets::countdown;

/// Which part of a set a problem belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Problems to train on.
    Train,
    /// Problems to evaluate on.
    Test,
}

impl Split {
    /// The name of the split: `train` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Test => "test",
        }
    }
}

/// What makes a response correct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The response is this integer in digits and nothing else; space around it does not count.
    Integer(i64),
    /// The response's final answer is equivalent to this one ([`grader::grade`]).
    Final(String),
    /// The response is an expression of the numbers, each used at most once, that comes to the target
    /// ([`countdown::grade`]).
    Countdown {
        /// The numbers that may be used.
        numbers: Vec<u32>,
        /// What the expression has to come to.
        target: u32,
    },
}

/// A problem with a verifiable answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where the problem comes from: set, split, seed and index, or file and line.
    pub id: String,
    /// What the model is asked, without a chat template.
    pub prompt: String,
    /// What makes a response correct.
    pub answer: Answer,
    /// A response that is correct.
    pub solution: String,
}

impl Problem {
    /// Grades a response, which does not include the prompt.
    pub fn grade(&self, response: &str) -> Grade {
        match &self.answer {
            Answer::Integer(value) => integer(*value, response),
            Answer::Final(reference) => grader::grade(reference, response),
            Answer::Countdown { numbers, target } => countdown::grade(numbers, *target, response),
        }
    }
}

/// Grades a response that has to be an integer in digits, without plus sign or leading zeros.
fn integer(value: i64, response: &str) -> Grade {
    match response.trim() {
        "" => Grade::Unanswered,
        text if text == value.to_string() => Grade::Correct,
        _ => Grade::Wrong,
    }
}

/// Numbered problems.
pub trait Problems {
    /// How many there are; `None` for a generated set, which has one for every index.
    fn len(&self) -> Option<u64>;

    /// Whether there is no problem.
    fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// Problem `index`, always the same.
    ///
    /// # Panics
    ///
    /// Where `index` is not below [`len`](Self::len).
    fn problem(&self, index: u64) -> Problem;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_is_digits_alone() {
        assert_eq!(integer(24, " 24\n"), Grade::Correct);
        assert_eq!(integer(-3, "-3"), Grade::Correct);
        for wrong in [
            "25",
            "024",
            "+24",
            "24.",
            "24=24",
            "2 4",
            "12*2",
            "\\boxed{24}",
        ] {
            assert_eq!(integer(24, wrong), Grade::Wrong, "{wrong}");
        }
        assert_eq!(integer(24, " "), Grade::Unanswered);
    }
}
