//! Responses of different lengths side by side, and how a loss per token becomes one number.

use std::num::NonZeroUsize;
use std::ops::Range;

/// What verl adds to the number of tokens before it divides by it (`masked_mean`). It is lost in 32-bit floats from one token on.
pub const TOKEN_EPSILON: f64 = 1e-8;

/// A slice of another length than the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {found} values where {expected} are expected")]
pub struct ShapeError {
    /// Which one.
    pub what: &'static str,
    /// Its length.
    pub found: usize,
    /// What its length should be.
    pub expected: usize,
}

impl ShapeError {
    pub(crate) fn check(
        what: &'static str,
        found: usize,
        expected: usize,
    ) -> Result<(), ShapeError> {
        if found == expected {
            Ok(())
        } else {
            Err(Self {
                what,
                found,
                expected,
            })
        }
    }
}

/// How many tokens each response of a batch has; their values lie one response after another. Lengths may be 0.
#[derive(Clone, Copy, Debug)]
pub struct Lengths<'a> {
    of: &'a [usize],
    tokens: usize,
}

impl<'a> Lengths<'a> {
    /// One length a response.
    pub fn new(of: &'a [usize]) -> Self {
        // A sum that overflows belongs to no slice there can be, and neither does the largest number.
        let tokens = of
            .iter()
            .fold(0_usize, |sum, length| sum.saturating_add(*length));
        Self { of, tokens }
    }

    /// Number of responses, B.
    pub fn responses(&self) -> usize {
        self.of.len()
    }

    /// Number of tokens of all responses, N.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Where each response's tokens lie.
    pub fn ranges(&self) -> impl Iterator<Item = Range<usize>> + use<'a> {
        self.of.iter().scan(0_usize, |start, length| {
            let range = *start..start.saturating_add(*length);
            *start = range.end;
            Some(range)
        })
    }

    /// A value of each response (B) given to each of its tokens (N).
    ///
    /// # Errors
    /// There are not B values.
    pub fn spread(&self, values: &[f64]) -> Result<Vec<f64>, ShapeError> {
        ShapeError::check("values of responses", values.len(), self.responses())?;
        let repeated = values.iter().zip(self.of);
        Ok(repeated
            .flat_map(|(value, length)| std::iter::repeat_n(*value, *length))
            .collect())
    }

    /// A sum over tokens as their mean, as verl takes it: Σ / (N + 1e-8), 0 without tokens.
    pub(crate) fn mean(&self, sum: f64) -> f64 {
        sum / (self.tokens as f64 + TOKEN_EPSILON)
    }
}

/// What is known of each token; all of one length, N.
#[derive(Clone, Copy, Debug)]
pub struct Tokens<'a> {
    /// log π(token) under the policy that is trained, in nats.
    pub log_prob: &'a [f64],
    /// log π_old(token) under the policy that wrote it.
    pub old_log_prob: &'a [f64],
    /// The advantage A: mostly that of its response ([`Lengths::spread`]).
    pub advantage: &'a [f64],
}

/// The tokens of a batch of responses, of lengths that fit together.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    lengths: Lengths<'a>,
    tokens: Tokens<'a>,
}

impl<'a> Batch<'a> {
    /// Puts the two together.
    ///
    /// # Errors
    /// One of the slices does not have as many values as there are tokens.
    pub fn new(lengths: Lengths<'a>, tokens: Tokens<'a>) -> Result<Self, ShapeError> {
        let count = lengths.tokens();
        ShapeError::check("log-probabilities", tokens.log_prob.len(), count)?;
        ShapeError::check("old log-probabilities", tokens.old_log_prob.len(), count)?;
        ShapeError::check("advantages", tokens.advantage.len(), count)?;
        Ok(Self { lengths, tokens })
    }

    /// How long each response is.
    pub fn lengths(&self) -> Lengths<'a> {
        self.lengths
    }

    /// The tokens' values.
    pub fn tokens(&self) -> Tokens<'a> {
        self.tokens
    }

    /// log π - log π_old, token by token.
    pub(crate) fn log_ratios(&self) -> impl Iterator<Item = f64> + use<'a> {
        let Tokens {
            log_prob,
            old_log_prob,
            ..
        } = self.tokens;
        log_prob
            .iter()
            .zip(old_log_prob)
            .map(|(new, old)| new - old)
    }
}

/// How the losses l of the tokens become one: what verl calls `loss_agg_mode`. B responses, N tokens, n_i of them in response i.
///
/// The choice decides what a long response weighs beside a short one, and how large the gradient is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregation {
    /// Σ l / (N + 1e-8): every token counts the same (DAPO; the ERA paper's runs). `token-mean`.
    TokenMean,
    /// Σ l / B: a long response weighs more. `seq-mean-token-sum`.
    SeqMeanTokenSum,
    /// Σ_i (Σ_t l / n_i) / B: every response counts the same (GRPO as first published). `seq-mean-token-mean`. verl divides 0 by 0 for an
    /// empty response; here it adds 0.
    SeqMeanTokenMean,
    /// Σ l / `width`: `seq-mean-token-sum-norm`. verl divides by the padded length of the responses and, despite the name, not by B; so the
    /// gradient grows with the batch.
    SeqMeanTokenSumNorm {
        /// The padded length, T: mostly the longest response that is allowed.
        width: NonZeroUsize,
    },
}

impl Aggregation {
    /// What a token's loss is multiplied with, one weight a response.
    fn weights(self, lengths: Lengths<'_>) -> impl Iterator<Item = f64> {
        let responses = lengths.responses() as f64;
        let tokens = lengths.tokens() as f64;
        lengths.of.iter().map(move |length| match self {
            Self::TokenMean => 1.0 / (tokens + TOKEN_EPSILON),
            Self::SeqMeanTokenSum => 1.0 / responses,
            // An empty response has no token to weigh.
            Self::SeqMeanTokenMean => 1.0 / (responses * *length as f64),
            Self::SeqMeanTokenSumNorm { width } => 1.0 / width.get() as f64,
        })
    }

    /// The weight of each token, N.
    pub(crate) fn token_weights(self, lengths: Lengths<'_>) -> impl Iterator<Item = f64> {
        self.weights(lengths)
            .zip(lengths.of)
            .flat_map(|(weight, length)| std::iter::repeat_n(weight, *length))
    }

    /// The loss of all tokens from that of each; `gradient` holds each token's slope before and the whole loss's gradient after.
    pub(crate) fn reduce(self, lengths: Lengths<'_>, losses: &[f64], gradient: &mut [f64]) -> f64 {
        let mut total = 0.0;
        for (weight, range) in self.weights(lengths).zip(lengths.ranges()) {
            // A sum of nothing first: the weight of an empty response may be infinite.
            if range.is_empty() {
                continue;
            }
            total += weight * losses[range.clone()].iter().sum::<f64>();
            gradient[range]
                .iter_mut()
                .for_each(|slope| *slope *= weight);
        }
        total
    }
}

#[cfg(test)]
mod tests;
