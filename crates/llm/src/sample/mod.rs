//! Sampling from the policy: many responses side by side, on the CPU, one thread, without burn.
//!
//! [`generate`] is one call; [`Generator`] keeps its memory between calls. The weights are laid out for the products once a call. A prompt is
//! computed once, whatever the number of its samples: they share its keys and values. Rows of the batch that have ended make room for
//! samples that wait, or are left out, so that every product is of rows that are needed.
//!
//! Every sample has a generator of its own, from which it takes one number a token. All arithmetic on a row is the same, in the same
//! order, whichever rows are computed beside it: **what is sampled depends on the weights, the prompt, the settings and the sample's generator
//! alone**, to the last bit, on machines with the same instruction set. Others (without AVX-512) may round differently.

mod draw;
mod model;
mod schedule;
#[cfg(test)]
mod tests;

pub use schedule::Generator;

use rand_chacha::ChaCha8Rng;

use crate::model::Weights;

/// Why nothing was sampled. Reads after "failed to".
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// A setting is out of its range.
    #[error("sample responses: {0}")]
    Setting(String),
    /// A prompt without tokens has nothing to continue.
    #[error("sample responses: prompt {request} is empty")]
    EmptyPrompt {
        /// Index of the request.
        request: usize,
    },
    /// A prompt has a token that the model does not know.
    #[error(
        "sample responses: prompt {request} has token {token}, and the vocabulary has {vocabulary}"
    )]
    Token {
        /// Index of the request.
        request: usize,
        /// The token.
        token: u32,
        /// Number of tokens that there are.
        vocabulary: usize,
    },
    /// The model's outputs are not numbers.
    #[error(
        "sample responses: the logits after token {position} of request {request} are not finite"
    )]
    NotFinite {
        /// Index of the request.
        request: usize,
        /// Tokens before, those of the prompt included.
        position: usize,
    },
}

/// How tokens are chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// Logits are divided by it. 0 takes the most probable token, the first of equals.
    pub temperature: f64,
    /// Only the fewest of the most probable tokens whose probabilities add up to this much are drawn; 1 for all. After `top_k`.
    pub top_p: f64,
    /// Only this many of the most probable tokens are drawn, and those that are exactly as probable as the last of them.
    pub top_k: Option<usize>,
    /// A response ends after this many tokens.
    pub max_tokens: usize,
    /// A response ends with any of these.
    pub stop: Vec<u32>,
}

impl Sampling {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Error::Setting`] if the temperature is negative or not finite, `top_p` not in (0, 1], `top_k` 0, or `max_tokens` 0.
    pub fn check(&self) -> Result<(), Error> {
        let fail = |what: String| Err(Error::Setting(what));
        if !(self.temperature.is_finite() && self.temperature >= 0.0) {
            let temperature = self.temperature;
            return fail(format!(
                "the temperature must be 0 or above, not {temperature}"
            ));
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            let top_p = self.top_p;
            return fail(format!("top_p must be above 0 and at most 1, not {top_p}"));
        }
        if self.top_k == Some(0) {
            return fail("top_k must be at least 1".to_owned());
        }
        if self.max_tokens == 0 {
            return fail("max_tokens must be at least 1".to_owned());
        }
        Ok(())
    }
}

/// Samples of one prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// At least one token.
    pub prompt: &'a [u32],
    /// How many responses.
    pub samples: usize,
}

/// What was sampled.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response {
    /// Tokens, with the one that ended the response.
    pub tokens: Vec<u32>,
    /// Of each token, the logarithm of its probability under softmax(logits / temperature) over the whole vocabulary, before
    /// `top_k` and `top_p`. At temperature 0 that of softmax(logits).
    pub log_probs: Vec<f32>,
    /// Of each token, the entropy of softmax(logits), in nats, over the whole vocabulary.
    pub entropies: Vec<f32>,
    /// Whether one of [`Sampling::stop`] ended it, rather than its length.
    pub stopped: bool,
}

/// Samples responses to all requests: `[request][sample]`.
///
/// `rng` makes the generator of a sample, from the index of its request and its own.
///
/// # Errors
/// As [`Generator::generate`].
pub fn generate(
    weights: &Weights,
    requests: &[Request],
    sampling: &Sampling,
    rng: impl Fn(usize, usize) -> ChaCha8Rng,
) -> Result<Vec<Vec<Response>>, Error> {
    Generator::default().generate(weights, requests, sampling, rng)
}
