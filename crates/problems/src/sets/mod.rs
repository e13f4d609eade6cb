//! Sets of problems that are made as they are asked for.
//!
//! Problem `index` is a pure function of set, parameters, split, seed and index. A problem belongs to the test split if a hash
//! of its canonical text says so, whatever the parameters and the seed: no problem of one split is in the other. Sums with the same
//! terms in another order are one problem here, as are targets with the same numbers.

mod chain_sum;
mod chain_sum_words;
pub mod countdown;
mod expression;
mod modular;

use std::fmt;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

pub use chain_sum::ChainSum;
pub use chain_sum_words::ChainSumWords;
pub use countdown::Countdown;
pub use expression::{Evaluated, ExpressionError, evaluate};
pub use modular::Modular;

use crate::{Answer, Problem, Problems, Split};

/// One problem in this many belongs to the test split.
const TEST_SHARE: u8 = 8;

/// How many draws a set has to give a problem of a split within. Below this a set is too small to be split.
const MOST_DRAWS: usize = 1000;

/// Why a set cannot be made. Reads after "failed to".
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SetError {
    /// A parameter is out of range.
    #[error("make set {set}: {parameter} is {value}, expected {expected}")]
    Parameter {
        /// The set.
        set: &'static str,
        /// The parameter.
        parameter: &'static str,
        /// What it is.
        value: u32,
        /// What it may be.
        expected: &'static str,
    },
    /// The parameters allow so few problems that a split has none.
    #[error("make set {set}: {parameters} leaves no problem for split {}", split.name())]
    TooSmall {
        /// The set.
        set: &'static str,
        /// Its parameters.
        parameters: String,
        /// The split without a problem.
        split: Split,
    },
}

/// A problem as it was drawn.
#[derive(Clone, Debug)]
struct Drawn {
    prompt: String,
    answer: Answer,
    solution: String,
    /// The problem in a form that all problems of the same meaning share.
    canonical: String,
}

/// A generated set with its parameters. In a file it is `{"set": "chain-sum", "terms": 3}`; parameters that are not given have
/// their defaults, unknown ones are errors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "set", rename_all = "kebab-case")]
pub enum Set {
    /// Sums in digits.
    ChainSum(ChainSum),
    /// Expressions modulo a prime.
    Modular(Modular),
    /// A target to be reached from numbers.
    Countdown(Countdown),
    /// Sums in words.
    ChainSumWords(ChainSumWords),
}

impl Set {
    /// The name of the set.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ChainSum(_) => chain_sum::NAME,
            Self::Modular(_) => modular::NAME,
            Self::Countdown(_) => countdown::NAME,
            Self::ChainSumWords(_) => chain_sum_words::NAME,
        }
    }

    /// Checks the ranges of the parameters.
    ///
    /// # Errors
    ///
    /// Names the first parameter that is out of range.
    pub fn check(&self) -> Result<(), SetError> {
        match self {
            Self::ChainSum(set) => set.check(),
            Self::Modular(set) => set.check(),
            Self::Countdown(set) => set.check(),
            Self::ChainSumWords(set) => set.check(),
        }
    }

    fn draw(&self, rng: &mut ChaCha8Rng) -> Drawn {
        match self {
            Self::ChainSum(set) => set.draw(rng),
            Self::Modular(set) => set.draw(rng),
            Self::Countdown(set) => set.draw(rng),
            Self::ChainSumWords(set) => set.draw(rng),
        }
    }
}

impl fmt::Display for Set {
    /// The parameters, in one spelling: they take part in what is drawn.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ChainSum(set) => write!(f, "terms={} digits={}", set.terms, set.digits),
            Self::Modular(set) => write!(f, "terms={} modulus={}", set.terms, set.modulus),
            Self::Countdown(set) => write!(
                f,
                "numbers={} largest={} target={}",
                set.numbers, set.largest, set.target
            ),
            Self::ChainSumWords(set) => write!(f, "terms={} largest={}", set.terms, set.largest),
        }
    }
}

impl From<ChainSum> for Set {
    fn from(set: ChainSum) -> Self {
        Self::ChainSum(set)
    }
}

impl From<Modular> for Set {
    fn from(set: Modular) -> Self {
        Self::Modular(set)
    }
}

impl From<Countdown> for Set {
    fn from(set: Countdown) -> Self {
        Self::Countdown(set)
    }
}

impl From<ChainSumWords> for Set {
    fn from(set: ChainSumWords) -> Self {
        Self::ChainSumWords(set)
    }
}

/// A split of a generated set.
#[derive(Clone, Debug)]
pub struct Generated {
    set: Set,
    split: Split,
    seed: u64,
    key: [u8; 32],
}

impl Generated {
    /// A split of `set`; every seed is another sequence of problems.
    ///
    /// # Errors
    ///
    /// A parameter is out of range, or allows too few problems for two splits.
    pub fn new(set: impl Into<Set>, split: Split, seed: u64) -> Result<Self, SetError> {
        let set = set.into();
        set.check()?;
        let parts = format!(
            "era-problems 1 {} {set} {} {seed}",
            set.name(),
            split.name()
        );
        let key = *blake3::hash(parts.as_bytes()).as_bytes();
        let made = Self {
            set,
            split,
            seed,
            key,
        };
        let mut rng = made.rng(u64::MAX);
        let found = (0..MOST_DRAWS).any(|_| made.find(&made.set.draw(&mut rng)));
        if found {
            return Ok(made);
        }
        Err(SetError::TooSmall {
            set: made.set.name(),
            parameters: made.set.to_string(),
            split,
        })
    }

    /// The set with its parameters.
    pub fn set(&self) -> &Set {
        &self.set
    }

    /// The generator of a problem.
    fn rng(&self, index: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::from_seed(self.key);
        rng.set_stream(index);
        rng
    }

    /// Whether a problem belongs to this split.
    fn find(&self, drawn: &Drawn) -> bool {
        self.split == split_of(&drawn.canonical)
    }
}

impl Problems for Generated {
    fn len(&self) -> Option<u64> {
        None
    }

    /// Draws until a problem belongs to the split. [`Generated::new`] has seen that there is one.
    fn problem(&self, index: u64) -> Problem {
        let mut rng = self.rng(index);
        loop {
            let drawn = self.set.draw(&mut rng);
            if self.find(&drawn) {
                let (name, split) = (self.set.name(), self.split.name());
                return Problem {
                    id: format!("{name}/{split}/{}/{index}", self.seed),
                    prompt: drawn.prompt,
                    answer: drawn.answer,
                    solution: drawn.solution,
                };
            }
        }
    }
}

/// The split that a canonical text belongs to.
fn split_of(canonical: &str) -> Split {
    let hash = blake3::hash(canonical.as_bytes());
    if hash.as_bytes()[0].is_multiple_of(TEST_SHARE) {
        Split::Test
    } else {
        Split::Train
    }
}

/// `Err` if a parameter is not within its range.
fn within(
    set: &'static str,
    parameter: &'static str,
    value: u32,
    range: std::ops::RangeInclusive<u32>,
    expected: &'static str,
) -> Result<(), SetError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(SetError::Parameter {
        set,
        parameter,
        value,
        expected,
    })
}

/// Numbers with a sign between them: `3+14+7`.
fn joined(numbers: &[u32], between: &str) -> String {
    let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
    numbers.join(between)
}
