//! The log-probability of a token under scaled logits, and its derivative.

use crate::real::Real;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::num::NonZeroUsize;

/// Which tokens of the vocabulary the softmax of a log-probability is taken over.
///
/// For the logits z of one position, a factor s > 0 and the set K of tokens that take part,
///
/// ```text
/// log p'(a) = s z_a - log sum_{j in K} e^(s z_j) ,     d log p'(a) / d z_j = s ([a = j] - p'_j)   for j in K
/// ```
///
/// and for a token outside of K the constant [`Vocabulary::OUTSIDE`], without a gradient.
///
/// The released code has a switch for it (`topk`; off by default in `ppo_trainer.yaml:204-208`, on in both scripts
/// `ERA-LLM/qwen_7b_era_topk.sh` and `..._scale.sh`); the paper's formula, as far as it is known to us, has not. It is no part of the
/// activation, but the released runs cannot be understood without it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vocabulary {
    /// All tokens: the log-probability of a softmax.
    #[default]
    Full,
    /// Only the tokens with this many largest logits, renormalised among themselves; all where the vocabulary is no larger.
    ///
    /// Of equal logits the token with the lower number is taken first (the official code leaves this to `torch.topk`, which promises no
    /// order). NaN counts as the largest, so that it shows.
    Largest(NonZeroUsize),
}

impl Vocabulary {
    /// The 20 largest logits, as the released code has them
    /// (`ERA-LLM/verl/utils/torch_functional.py:95-111`; the 20 is written into it).
    ///
    /// Not to be confused with the 20 % of a response's tokens over which its entropy is measured.
    pub const OFFICIAL: Self = match NonZeroUsize::new(20) {
        Some(count) => Self::Largest(count),
        None => Self::Full,
    };

    /// The log-probability of a token that takes no part, a constant of the released code.
    pub const OUTSIDE: f64 = -1e4;

    /// log p'(token) at one position, in nats: `logits` are the raw ones, `scale` > 0 is the factor on them.
    ///
    /// Taken relative to the largest logit, with the digits of log(1 - p) kept where p is close to 1. Finite for any finite logits,
    /// unless the gap to the largest times `scale` is beyond an `f64`. A logit of -infinity is a token that is ruled out; NaN or
    /// +infinity among the logits gives NaN, whatever the token.
    ///
    /// # Panics
    /// When `token` is none of the vocabulary, or `scale` is not positive and finite.
    pub fn log_prob<T: Real>(self, logits: &[T], token: usize, scale: f64) -> f64 {
        check(logits.len(), token, scale);
        match self.members(logits) {
            None => Normaliser::of(logits, 0..logits.len(), scale).log_prob(logits, token),
            Some(members) => {
                let normaliser = Normaliser::of(logits, members.iter().copied(), scale);
                if members.binary_search(&token).is_ok() || normaliser.rest.is_nan() {
                    normaliser.log_prob(logits, token)
                } else {
                    Self::OUTSIDE
                }
            }
        }
    }

    /// The gradient of a loss with respect to the raw `logits` of one position, from its gradient `upstream` with respect to
    /// [`Vocabulary::log_prob`] of the same arguments; overwrites `grad`.
    ///
    /// The factor is a constant: the entropy that decided it has no gradient. The entries sum to zero; those of tokens that take no part
    /// are zero, and all are where `token` itself is such a token. Otherwise NaN or +infinity among the logits gives NaN for all that take
    /// part.
    ///
    /// # Panics
    /// As [`Vocabulary::log_prob`], and when `grad` has another length than `logits`.
    pub fn log_prob_vjp<T: Real>(
        self,
        logits: &[T],
        token: usize,
        scale: f64,
        upstream: f64,
        grad: &mut [T],
    ) {
        check(logits.len(), token, scale);
        assert_eq!(
            logits.len(),
            grad.len(),
            "slices of one call must have one length"
        );
        match self.members(logits) {
            None => {
                let all = 0..logits.len();
                Normaliser::of(logits, all.clone(), scale).vjp(logits, all, token, upstream, grad);
            }
            Some(members) => {
                grad.fill(T::from_f64(0.0));
                if members.binary_search(&token).is_ok() {
                    let members = members.into_iter();
                    Normaliser::of(logits, members.clone(), scale)
                        .vjp(logits, members, token, upstream, grad);
                }
            }
        }
    }

    /// The tokens that take part, ascending; `None` is all of them.
    pub(crate) fn members<T: Real>(self, logits: &[T]) -> Option<Vec<usize>> {
        match self {
            Self::Largest(count) if count.get() < logits.len() => {
                Some(largest(count.get(), logits))
            }
            _ => None,
        }
    }
}

fn check(vocabulary: usize, token: usize, scale: f64) {
    assert!(
        token < vocabulary,
        "token {token} is not in a vocabulary of {vocabulary}"
    );
    assert!(
        scale > 0.0 && scale.is_finite(),
        "the factor on the logits is {scale}, it must be positive and finite"
    );
}

/// What the softmax of scaled logits is divided by, relative to the largest.
struct Normaliser {
    scale: f64,
    /// The largest raw logit, and the first token that has it.
    max: f64,
    argmax: usize,
    /// The sum of e^(scale (z_j - max)) over the other tokens.
    rest: f64,
}

impl Normaliser {
    fn of<T: Real>(logits: &[T], members: impl Iterator<Item = usize> + Clone, scale: f64) -> Self {
        let mut max = f64::NEG_INFINITY;
        let mut argmax = members.clone().next().unwrap_or(0);
        for j in members.clone() {
            let z = logits[j].to_f64();
            if z > max {
                (max, argmax) = (z, j);
            }
        }
        let mut one = Self {
            scale,
            max,
            argmax,
            rest: 0.0,
        };
        // A NaN among the logits is never the largest, so it is met in the sum.
        let others = members.filter(|j| *j != argmax);
        one.rest = if max.is_finite() {
            others.map(|j| one.scaled(logits[j]).exp()).sum()
        } else {
            f64::NAN
        };
        one
    }

    /// The scaled logit relative to the largest; subtracted first, so that it cannot overflow upwards.
    fn scaled<T: Real>(&self, logit: T) -> f64 {
        self.scale * (logit.to_f64() - self.max)
    }

    fn log_prob<T: Real>(&self, logits: &[T], token: usize) -> f64 {
        self.scaled(logits[token]) - self.rest.ln_1p()
    }

    fn vjp<T: Real>(
        &self,
        logits: &[T],
        members: impl Iterator<Item = usize>,
        token: usize,
        upstream: f64,
        grad: &mut [T],
    ) {
        let factor = upstream * self.scale;
        let mass = 1.0 + self.rest;
        for j in members {
            let share = self.scaled(logits[j]).exp() / mass;
            let slope = if j != token {
                -share
            } else if j == self.argmax {
                self.rest / mass // 1 - share, which cancels where the share is almost 1
            } else {
                1.0 - share
            };
            grad[j] = T::from_f64(factor * slope);
        }
    }
}

/// The positions of the `count` largest values, ascending; of equal values the first are taken, and NaN is the largest of all.
pub(crate) fn largest<T: Real>(count: usize, values: &[T]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    if (1..order.len()).contains(&count) {
        order.select_nth_unstable_by(count - 1, |a, b| {
            larger_first(values[*a].to_f64(), values[*b].to_f64()).then(a.cmp(b))
        });
    }
    order.truncate(count);
    order.sort_unstable();
    order
}

fn larger_first(a: f64, b: f64) -> Ordering {
    // Two numbers are always ordered and two NaNs are equals.
    let by_nan = b.is_nan().cmp(&a.is_nan());
    by_nan.then(b.partial_cmp(&a).unwrap_or(Ordering::Equal))
}
