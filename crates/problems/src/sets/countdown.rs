//! A target to be reached from numbers: `3 7 25:46=`, answered by `25+3*7` or any other way.

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::expression::evaluate;
use super::{Drawn, SetError, joined, within};
use crate::Answer;
use crate::grader::{Grade, Place, extract};

pub(super) const NAME: &str = "countdown";

/// Reach a target with `+`, `-` and `*` from numbers of which each is used at most once. Every problem has a solution: the target
/// is what a drawn expression of at least two of the numbers comes to. It is none of the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Countdown {
    /// How many numbers are given, 2 to 6.
    pub numbers: u32,
    /// The largest number, 5 to 100. Numbers are drawn evenly from 1.
    pub largest: u32,
    /// The largest target, 10 to 9999.
    pub target: u32,
}

impl Default for Countdown {
    /// Three numbers up to 20, targets up to 99.
    fn default() -> Self {
        Self {
            numbers: 3,
            largest: 20,
            target: 99,
        }
    }
}

impl Countdown {
    pub(super) fn check(&self) -> Result<(), SetError> {
        within(NAME, "numbers", self.numbers, 2..=6, "2 to 6")?;
        within(NAME, "largest", self.largest, 5..=100, "5 to 100")?;
        within(NAME, "target", self.target, 10..=9999, "10 to 9999")
    }

    pub(super) fn draw(&self, rng: &mut ChaCha8Rng) -> Drawn {
        loop {
            let mut numbers: Vec<u32> = (0..self.numbers)
                .map(|_| rng.random_range(1..=self.largest))
                .collect();
            let Some((target, solution)) = self.reach(&numbers, rng) else {
                continue;
            };
            if numbers.contains(&target) {
                continue;
            }
            let prompt = format!("{}:{target}=", joined(&numbers, " "));
            let answer = Answer::Countdown {
                numbers: numbers.clone(),
                target,
            };
            numbers.sort_unstable();
            return Drawn {
                prompt,
                answer,
                solution,
                canonical: format!("countdown {}:{target}", joined(&numbers, " ")),
            };
        }
    }

    /// A target from some of the numbers, with an expression for it; `None` where they get stuck.
    fn reach(&self, numbers: &[u32], rng: &mut ChaCha8Rng) -> Option<(u32, String)> {
        let mut pool: Vec<Part> = numbers.iter().map(|&number| Part::number(number)).collect();
        pool.shuffle(rng);
        pool.truncate(rng.random_range(2..=pool.len()));
        while pool.len() > 1 {
            let one = pool.swap_remove(rng.random_range(0..pool.len()));
            let other = pool.swap_remove(rng.random_range(0..pool.len()));
            // Only what stays in range is drawn from: to draw again instead would leave short differences above all.
            let mut results: Vec<Part> = [
                Part::join(&one, '+', &other),
                Part::join(&one, '-', &other).or_else(|| Part::join(&other, '-', &one)),
                Part::join(&one, '*', &other),
            ]
            .into_iter()
            .flatten()
            .filter(|result| result.value <= self.target)
            .collect();
            if results.is_empty() {
                return None;
            }
            pool.push(results.swap_remove(rng.random_range(0..results.len())));
        }
        pool.pop().map(|part| (part.value, part.text))
    }
}

/// A part of an expression.
struct Part {
    value: u32,
    text: String,
    /// How tight its outermost operator binds: 2 for a number, 1 for `*`, 0 for `+` and `-`.
    binding: u8,
}

impl Part {
    fn number(value: u32) -> Self {
        Self {
            value,
            text: value.to_string(),
            binding: 2,
        }
    }

    /// Two parts with an operator between them; `None` unless the result is positive.
    fn join(left: &Self, operator: char, right: &Self) -> Option<Self> {
        let value = match operator {
            '+' => left.value.checked_add(right.value)?,
            '-' => left.value.checked_sub(right.value)?,
            _ => left.value.checked_mul(right.value)?,
        };
        let binding = u8::from(operator == '*');
        let side = |part: &Self, least| {
            if part.binding >= least {
                part.text.clone()
            } else {
                format!("({})", part.text)
            }
        };
        let (left, right) = (
            side(left, binding),
            side(right, binding + u8::from(operator == '-')),
        );
        (value > 0).then(|| Self {
            value,
            text: format!("{left}{operator}{right}"),
            binding,
        })
    }
}

/// Grades a response: the expression in its last `\boxed{…}`, or all of it, without what is behind an equals sign. It has to come
/// to the target and use each number at most once.
pub fn grade(numbers: &[u32], target: u32, response: &str) -> Grade {
    let boxed = extract(response).filter(|found| found.place == Place::Boxed);
    let text = boxed.map_or(response, |found| found.text);
    let text = text.split('=').next().unwrap_or("").trim();
    if text.is_empty() {
        return Grade::Unanswered;
    }
    let Ok(found) = evaluate(text) else {
        return Grade::Wrong;
    };
    let mut left: Vec<i64> = numbers.iter().map(|&number| i64::from(number)).collect();
    let allowed = found.numbers.iter().all(|number| {
        let at = left.iter().position(|other| other == number);
        at.map(|at| left.swap_remove(at)).is_some()
    });
    if allowed && found.value == i64::from(target) {
        Grade::Correct
    } else {
        Grade::Wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_counts_once() {
        let grade = |response| grade(&[3, 7, 25, 7], 46, response);
        for right in [
            "25+3*7",
            " 7*3 + 25 ",
            "25+3*7=46",
            "I take \\boxed{(7*3)+25}",
            "25+(7+7+7-7)*3",
        ] {
            let expected = if right.matches('7').count() > 2 {
                Grade::Wrong
            } else {
                Grade::Correct
            };
            assert_eq!(grade(right), expected, "{right}");
        }
        for wrong in [
            "46",
            "25+21",
            "3*7",
            "25+3*7 or so",
            "25+3*7+7-7",
            "a",
            "25+3*7)",
            "(25+3*7",
            "25--3",
        ] {
            assert_eq!(grade(wrong), Grade::Wrong, "{wrong}");
        }
        assert_eq!(grade("  "), Grade::Unanswered);
        assert_eq!(grade("=46"), Grade::Unanswered);
    }
}
