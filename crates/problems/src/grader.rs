//! Whether a response's final answer is the reference's.
//!
//! [`extract`] finds the answer of a response, [`equivalent`] compares it with the reference, [`grade`] does both. All of it is
//! exact and total: rational arithmetic of 128-bit integers, no floating point, no code of a response is run, no input
//! panics, and time grows linearly with the response.
//!
//! What is written is compared and not what it comes to: `1/2`, `0.5`, `50\%` and `\frac{2}{4}` are one number, `\sqrt{3}/3`
//! is `1/\sqrt{3}`, factors and terms may come in any order, but `3+4` is not the answer 7 and `2^3` is not 8. A wrong
//! "equal" would be a reward for nothing; a wrong "different" costs one sample.

mod equal;
mod expression;
mod extract;
mod lex;
mod parser;
mod rational;
mod units;
mod value;

pub use extract::{Extracted, Place, extract};

use lex::{Bracket, Symbol, Token, lex};
use value::{Value, text, trim};

/// Answers longer than this, in bytes, are compared as text only.
const LONGEST: usize = 4096;

/// What a response is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grade {
    /// The answer is the reference's.
    Correct,
    /// There is an answer, and it is another.
    Wrong,
    /// No answer was found.
    Unanswered,
}

impl Grade {
    /// Whether the answer is right.
    pub fn is_correct(self) -> bool {
        self == Self::Correct
    }

    /// The reward: 1 for a correct answer, else 0.
    pub fn score(self) -> f64 {
        f64::from(u8::from(self.is_correct()))
    }
}

/// Grades a response against a reference answer, which is the answer alone (`\frac{1}{2}`, `42`, `(A)`).
///
/// ```
/// use era_problems::grader::{Grade, grade};
///
/// assert_eq!(grade("1/2", r"So $p = \boxed{\dfrac{1}{2}}$."), Grade::Correct);
/// assert_eq!(grade("1/2", "The answer is 0.25."), Grade::Wrong);
/// assert_eq!(grade("1/2", "I give up."), Grade::Unanswered);
/// ```
pub fn grade(reference: &str, response: &str) -> Grade {
    match extract(response) {
        None => Grade::Unanswered,
        Some(found) if equivalent(reference, found.text) => Grade::Correct,
        Some(_) => Grade::Wrong,
    }
}

/// Whether an answer is the reference's. Units and the name before an equals sign may be missing on either side, but must
/// not contradict. Where the reference is a letter, "(A)", "A." and "(A) 42" all choose A.
pub fn equivalent(reference: &str, answer: &str) -> bool {
    if reference.len().max(answer.len()) > LONGEST {
        let squeezed = |text: &str| text.split_whitespace().collect::<String>().to_lowercase();
        return squeezed(reference) == squeezed(answer);
    }
    let (reference, answer) = (lex(reference), lex(answer));
    let (reference, answer) = (trim(&reference), trim(&answer));
    if reference.is_empty() || answer.is_empty() {
        return false;
    }
    if let (Some(wanted), Some(chosen)) = (letter(reference), choice(answer)) {
        return wanted == chosen;
    }
    let same_text = text(reference) == text(answer) && !text(reference).is_empty();
    same_text || equal::same(&Value::of(reference), &Value::of(answer))
}

/// The letter of a multiple choice, alone or in brackets.
fn letter(tokens: &[Token]) -> Option<char> {
    let (letter, rest) = option(tokens)?;
    rest.is_empty().then_some(letter)
}

/// The letter that an answer chooses: the reference's forms, or the letter before the text of its option.
fn choice(tokens: &[Token]) -> Option<char> {
    let (letter, rest) = option(tokens)?;
    let marked = tokens.len() - rest.len() > 1;
    let another = |token: &Token| one_letter(&token.symbol).is_some();
    (rest.is_empty() || marked && !rest.iter().any(another)).then_some(letter)
}

/// A letter with its mark, as in "(A)", "A)", "A." or "A:", and what follows.
fn option(tokens: &[Token]) -> Option<(char, &[Token])> {
    let open = |token: &Token| token.symbol == Symbol::Open(Bracket::Round);
    let close = |token: &Token| {
        token.symbol == Symbol::Close(Bracket::Round) || token.is_op('.') || token.is_op(':')
    };
    let opened = tokens.first().is_some_and(open);
    let tokens = &tokens[usize::from(opened)..];
    let (first, rest) = tokens.split_first()?;
    let letter = one_letter(&first.symbol)?;
    match rest.split_first() {
        Some((next, rest)) if close(next) => Some((letter, rest)),
        _ if opened => None,
        _ => Some((letter, rest)),
    }
}

/// A capital letter of a multiple choice: A to J.
fn one_letter(symbol: &Symbol) -> Option<char> {
    let (Symbol::Word(word) | Symbol::Text(word)) = symbol else {
        return None;
    };
    let mut chars = word.chars();
    let letter = chars.next().filter(char::is_ascii_uppercase)?;
    (chars.next().is_none() && letter <= 'J').then_some(letter)
}
