//! Numbers of the authors' fork of verl, in `f64`: `tests/golden/grpo.json` says where they come from. Its arrays are `[B, L]`, padded, with a
//! mask; the batches here are ragged. And batches that are drawn, for properties.

use std::num::NonZeroUsize;

use proptest::prelude::*;
use serde_json::Value;

use crate::batch::{Aggregation, Batch, Lengths, Tokens};

pub(crate) fn section(name: &str) -> Value {
    let file: Value =
        serde_json::from_str(include_str!("../tests/golden/grpo.json")).expect("JSON");
    file[name].clone()
}

pub(crate) fn number(case: &Value, name: &str) -> f64 {
    case[name].as_f64().expect("a number")
}

pub(crate) fn list(array: &Value) -> &Vec<Value> {
    array.as_array().expect("a list")
}

pub(crate) fn row(array: &Value) -> Vec<f64> {
    let number = |x: &Value| x.as_f64().expect("a number");
    list(&array["data"]).iter().map(number).collect()
}

pub(crate) fn whole(array: &Value) -> Vec<usize> {
    let number = |x: &Value| x.as_u64().expect("a whole number") as usize;
    list(array).iter().map(number).collect()
}

pub(crate) fn flags(array: &Value) -> Vec<bool> {
    let flag = |x: &Value| x.as_bool().expect("a flag");
    list(&array["data"]).iter().map(flag).collect()
}

/// Which cells of a padded array are tokens.
pub(crate) struct Padding {
    pub(crate) lengths: Vec<usize>,
    pub(crate) width: usize,
}

impl Padding {
    pub(crate) fn of(mask: &Value) -> Self {
        let width = whole(&mask["shape"])[1];
        let rows = whole(&mask["data"]);
        let length = |row: &[usize]| {
            let length = row.iter().sum();
            assert!(row[..length].iter().all(|x| *x == 1), "a prefix of ones");
            length
        };
        Self {
            lengths: rows.chunks_exact(width).map(length).collect(),
            width,
        }
    }

    /// The cells that are tokens, with `size` values each.
    pub(crate) fn flat<T: Copy>(&self, padded: &[T], size: usize) -> Vec<T> {
        let rows = padded.chunks_exact(self.width * size);
        let tokens = rows.zip(&self.lengths);
        tokens
            .flat_map(|(row, length)| &row[..length * size])
            .copied()
            .collect()
    }

    /// [`Padding::flat`] of an array in the file.
    pub(crate) fn tokens(&self, array: &Value) -> Vec<f64> {
        self.flat(&row(array), 1)
    }

    /// Where the token of a padded row and column lies.
    pub(crate) fn position(&self, at: &[usize]) -> usize {
        assert!(at[1] < self.lengths[at[0]], "a token");
        self.lengths[..at[0]].iter().sum::<usize>() + at[1]
    }
}

/// To 1e-9: verl adds 1e-8 to its denominators, and so do we; what is left is rounding.
pub(crate) fn assert_close(what: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (found - expected).abs() <= 1e-9 * expected.abs().max(1.0),
            "{what}, {at}: {found} instead of {expected}"
        );
    }
}

/// Every aggregation.
pub(crate) const MODES: [Aggregation; 4] = [
    Aggregation::TokenMean,
    Aggregation::SeqMeanTokenSum,
    Aggregation::SeqMeanTokenMean,
    Aggregation::SeqMeanTokenSumNorm {
        width: NonZeroUsize::MIN.saturating_add(6),
    },
];

/// A ragged batch that proptest makes: up to five responses of up to six tokens, some of them empty.
#[derive(Clone, Debug)]
pub(crate) struct Drawn {
    pub(crate) lengths: Vec<usize>,
    pub(crate) log_prob: Vec<f64>,
    pub(crate) old_log_prob: Vec<f64>,
    pub(crate) advantage: Vec<f64>,
}

impl Drawn {
    pub(crate) fn batch(&self) -> Batch<'_> {
        let tokens = Tokens {
            log_prob: &self.log_prob,
            old_log_prob: &self.old_log_prob,
            advantage: &self.advantage,
        };
        Batch::new(Lengths::new(&self.lengths), tokens).expect("lengths that fit")
    }

    /// The same with one log-probability moved.
    pub(crate) fn moved(&self, at: usize, step: f64) -> Self {
        let mut moved = self.clone();
        moved.log_prob[at] += step;
        moved
    }

    /// Central differences of a loss, token by token.
    pub(crate) fn slopes(&self, loss: impl Fn(Batch<'_>) -> f64) -> Vec<f64> {
        let step = 1e-6;
        let at = |at, step| loss(self.moved(at, step).batch());
        let tokens = 0..self.log_prob.len();
        tokens
            .map(|token| (at(token, step) - at(token, -step)) / (2.0 * step))
            .collect()
    }
}

pub(crate) fn drawn() -> impl Strategy<Value = Drawn> {
    let response = prop::collection::vec((-3.0_f64..0.0, -3.0_f64..0.0, -3.0_f64..3.0), 0..7);
    prop::collection::vec(response, 0..6).prop_map(|responses| {
        let tokens = || responses.iter().flatten();
        Drawn {
            lengths: responses.iter().map(Vec::len).collect(),
            log_prob: tokens().map(|token| token.0).collect(),
            old_log_prob: tokens().map(|token| token.1).collect(),
            advantage: tokens().map(|token| token.2).collect(),
        }
    })
}

/// Gradients against differences, which are good to about nine digits of the loss.
pub(crate) fn near(found: &[f64], slopes: &[f64]) -> bool {
    let close = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-6 * b.abs().max(1.0);
    found.len() == slopes.len() && found.iter().zip(slopes).all(close)
}
