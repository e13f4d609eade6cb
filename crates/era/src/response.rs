//! The activation for a language model under reinforcement learning.

use crate::error::Error;
use crate::log_prob::largest;
use crate::real::Real;
use crate::softmax::softmax_entropy;
use serde::{Deserialize, Serialize};

/// Which tokens of a response outside the band are scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All of them, as in the released code.
    Response,
    /// Those only over which H_resp is the mean, as a third party's summary of the paper has it.
    TopTokens,
}

/// Which advantages count as positive where the factor on the logits is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fidelity {
    /// A > 0, as written.
    Formula,
    /// A >= 1, as in the released code, which truncates the advantages to integers there; their own factor goes by A > 0.
    Official,
}

/// What a [`ResponseEra`] is built from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResponseEraConfig {
    /// w_low, in nats, above 0: the entropy of a response below which its tokens are scaled by k.
    ///
    /// 0.45 in the official scripts and by default there (`era_lb`, `ppo_trainer.yaml:204`).
    pub entropy_low: f64,
    /// w_high, in nats, above w_low: the entropy of a response above which its tokens are scaled by 1/k.
    ///
    /// 3.0 in the official scripts (`era_ub`). No response reaches it if it is not below the logarithm of the vocabulary's size.
    pub entropy_high: f64,
    /// k, at least 1, where nothing is changed; 2 in the official scripts (`era_k`).
    pub k: f64,
    /// The share of a response's tokens whose entropies H_resp is the mean of, the highest, above 0 and at most 1.
    ///
    /// 0.2 in the released code (`dp_actor.py:230`, written into it).
    pub top_fraction: f64,
    /// Which tokens are scaled.
    pub scope: Scope,
    /// Whether the advantages are scaled against the logits, as the formula has it (`adv_scale` in the released code).
    pub scale_advantages: bool,
    /// Which advantages count as positive for the factor on the logits.
    pub fidelity: Fidelity,
}

impl ResponseEraConfig {
    /// The formula as written, for all tokens of a response, with the numbers of the official scripts.
    pub fn formula() -> Self {
        Self {
            entropy_low: 0.45,
            entropy_high: 3.0,
            k: 2.0,
            top_fraction: 0.2,
            scope: Scope::Response,
            scale_advantages: true,
            fidelity: Fidelity::Formula,
        }
    }

    /// What the released code does with its newer script, `qwen_7b_era_topk_scale.sh`. The older script has `scale_advantages` off, as
    /// is the code's own default.
    ///
    /// Both take log-probabilities over [`Vocabulary::OFFICIAL`](crate::Vocabulary::OFFICIAL).
    pub fn official() -> Self {
        Self {
            fidelity: Fidelity::Official,
            ..Self::formula()
        }
    }
}

/// Where the entropy of a response lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntropyBand {
    /// Strictly below w_low.
    Low,
    /// From w_low to w_high; also where it is NaN.
    Within,
    /// Strictly above w_high.
    High,
}

/// What a token's logits and its advantage are multiplied by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Factors {
    /// k, 1 or 1/k.
    pub logits: f64,
    /// 1/k, 1 or k.
    pub advantage: f64,
}

/// How a response was judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ResponseAudit {
    /// H_resp, in nats; NaN for a response without tokens.
    pub entropy: f64,
    /// Where it lies. Tokens are scaled outside the band only, and there by the sign of their advantage.
    pub band: EntropyBand,
}

/// A batch after the activation; both arrays have the shape of the batch, `[responses, positions]`, row major.
#[derive(Clone, Debug, PartialEq)]
pub struct ScaledBatch {
    /// The factor on the logits of each token; 1 for padding.
    pub logit_factors: Vec<f64>,
    /// The advantage A' of each token; 0 for padding.
    pub advantages: Vec<f64>,
    /// How each response was judged.
    pub responses: Vec<ResponseAudit>,
}

/// The activation that pushes the entropy of a language model's responses towards a band (ERA for large language models).
///
/// It decides, from the entropies of a response's tokens and their advantages, what is multiplied to logits and advantages in the update;
/// [`Vocabulary`](crate::Vocabulary) has the log-probabilities under the new logits and their gradients.
///
/// ```
/// use era::{ResponseEra, ResponseEraConfig, Vocabulary, token_entropies};
///
/// // One response of two tokens, over a vocabulary of three.
/// let logits = [9.0_f32, 0.0, 0.0, 7.0, 7.5, -1.0];
/// let taken = [0, 0];
/// let mut entropies = [0.0; 2];
/// token_entropies(&logits, 3, &mut entropies);
///
/// let era = ResponseEra::new(ResponseEraConfig { entropy_low: 0.7, ..ResponseEraConfig::formula() })?;
/// let scaled = era.scale_batch(&[2], &entropies, &[1.0, 1.0]);
/// assert_eq!(scaled.logit_factors, [2.0, 2.0]); // too sure: sharpened, so that the update spreads it
/// assert_eq!(scaled.advantages, [0.5, 0.5]);
///
/// let mut gradient = [0.0_f32; 6];
/// for (t, (row, grad)) in logits.chunks(3).zip(gradient.chunks_mut(3)).enumerate() {
///     let factor = scaled.logit_factors[t];
///     // The loss -log p' A': its derivative with respect to log p' is -A'.
///     Vocabulary::Full.log_prob_vjp(row, taken[t], factor, -scaled.advantages[t], grad);
/// }
/// # Ok::<(), era::Error>(())
/// ```
///
/// # The formula
///
/// With the logits z of a token, its advantage A, a factor k > 1 and the entropy H_resp of its response (README and project page of the
/// authors; Eq. 16 of the ICLR version), [`ResponseEra`] puts in their place
///
/// ```text
/// z' = k z      A' = A / k     if H_resp < w_low   and A > 0
/// z' = z / k    A' = k A       if H_resp > w_high  and A > 0
/// z' = z        A' = A         otherwise
/// ```
///
/// H_resp is the mean entropy of the response's most uncertain tokens: the max(1, floor(0.2 len)) of its len tokens whose softmax(z)
/// has the highest entropy. The loss then uses log softmax(z')_a A' of the tokens a that were taken. This happens at the update only:
/// responses are sampled from softmax(z), in training as in use.
///
/// # What it does
///
/// The gradient of log softmax(k z)_a A/k with respect to z_j is A/k k (\[a = j\] - p'_j): the factor on the advantage cancels the one
/// that the chain rule brings, and what is left is a policy gradient with p' = softmax(z') in place of p = softmax(z). Without the
/// factor on the advantage a step in the low case is k times as large (and 1/k in the high case).
///
/// With p in its place the gradient of equal advantages is zero on average over the tokens a drawn from p. With p' it is the **expected
/// drift** A (p_j - p'_j). In the low case p' is sharper than p: the likeliest tokens go down, the others up. In the high case it is
/// the reverse. For z = \[2, 1, 0\] and k = 2, per unit of advantage:
///
/// | case | token 0 | token 1 | token 2 |
/// |---|---|---|---|
/// | low | -0.2016 | +0.1274 | +0.0742 |
/// | high | +0.1588 | -0.0625 | -0.0963 |
///
/// A step on the logits along this drift raises the entropy H of p in the low case and lowers it in the high case, to first order, for
/// any logits that are not all equal (derived here; not from the paper). The slope of H is dH/dz_j = -p_j (log p_j + H), so H grows by
/// A (F(q) - F(1)), where F(q) = sum_j p^q_j p_j (log p_j + H), p^q = softmax(q z), and q is k or 1/k. Write x = log p, and E_q for the
/// mean with weights softmax((1 + q) z). Then F(q) is positive, because E_q x > -H, the mean of x under p, and
///
/// ```text
/// d log F / dq = E_q[x (x + H)] / E_q[x + H] - E_(q-1)[x]  >=  E_q[x] - E_(q-1)[x]  >  0
/// ```
///
/// by the variance of x, and because the mean of x grows with its tilt. So much for a step on the logits of one position, where the
/// advantage is the same positive number whichever token is drawn. A step on a network's parameters moves the logits of all positions
/// together, and advantages differ. The paper's Proposition 3 claims a lower bound on the entropy; neither its statement nor its conditions
/// were available to us, and a reviewer disputes it on the ground that a step on parameters need not move logits along their gradient.
///
/// # Where formula and released code disagree
///
/// (`ERA-LLM/verl/workers/actor/dp_actor.py` of the official repository at 4b7320b.) [`Fidelity`], [`Scope`] and `scale_advantages`
/// choose.
///
/// 1. **Which tokens.** The code scales the logits of all tokens of a flagged response (lines 249-253); the top 20 % only define H_resp
///    (a mask of them, lines 539-547, is built and never used). A third party's summary says that only these tokens are touched:
///    [`Scope::TopTokens`].
/// 2. **Which advantages.** The code writes the advantages into a tensor of integers (line 246), which truncates them toward zero:
///    logits are scaled only where A >= 1. With groups of 8 responses, rewards of +-1 and GRPO's advantages a correct response has A =
///    2.475, 1.620, 1.208, 0.935, 0.725, 0.540 or 0.354 where 1 to 7 of the 8 are correct: so only where at most 3 are. The advantages
///    are scaled wherever A > 0 (lines 555-563), that is A / k without k z in groups with 4 to 7 correct.
/// 3. **Whether advantages are scaled.** A switch, off by default and in the first released script, on in the second
///    (`qwen_7b_era_topk.sh`, `..._scale.sh`); before commit 4b7320b it ignored the sign of A. So the arXiv version's results were
///    probably made without it (an inference).
/// 4. **Which log-probability.** Both scripts take it over the 20 largest logits only:
///    [`Vocabulary::OFFICIAL`](crate::Vocabulary::OFFICIAL). H_resp is that of the full vocabulary, at the temperature of the rollouts
///    (1), in the code as here.
///
/// The code computes H_resp with the present parameters, both for the old and the new log-probabilities, and does the same to both:
/// on-policy their ratio is 1.
///
/// # Not stated
///
/// In the sources that we had: what the formula does for A <= 0 (the code, and this crate, leave it alone); values of w_low, w_high, k
/// and the fraction in the paper's text (those here are the code's; a summary says that they are set by hand for each model), and what
/// other values, other fractions or the missing factor on the advantage do to the results.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ResponseEra {
    config: ResponseEraConfig,
}

impl ResponseEra {
    /// Checks a configuration.
    ///
    /// # Errors
    /// A number that is not finite, k below 1, thresholds that are not 0 < w_low < w_high, a fraction outside (0, 1\], or
    /// [`Fidelity::Official`] with [`Scope::TopTokens`], which the released code has not.
    pub fn new(config: ResponseEraConfig) -> Result<Self, Error> {
        let ResponseEraConfig {
            entropy_low: low,
            entropy_high: high,
            k,
            top_fraction,
            ..
        } = config;
        for (name, value) in [
            ("entropy_low", low),
            ("entropy_high", high),
            ("k", k),
            ("top_fraction", top_fraction),
        ] {
            if !value.is_finite() {
                return Err(Error::NotFinite { name, value });
            }
        }
        if k < 1.0 {
            return Err(Error::FactorBelowOne { k });
        }
        if low <= 0.0 || low >= high {
            return Err(Error::EntropyBand { low, high });
        }
        if top_fraction <= 0.0 || top_fraction > 1.0 {
            return Err(Error::TopFraction { top_fraction });
        }
        if config.fidelity == Fidelity::Official && config.scope == Scope::TopTokens {
            return Err(Error::OfficialScope);
        }
        Ok(Self { config })
    }

    /// The configuration it was built from.
    pub fn config(&self) -> &ResponseEraConfig {
        &self.config
    }

    /// Of how many tokens the entropy of a response of `len` tokens is the mean: max(1, floor(fraction len)), and 0 of none.
    pub fn top_count(&self, len: usize) -> usize {
        let count = (self.config.top_fraction * len as f64).floor() as usize;
        count.max(1).min(len)
    }

    /// The positions of the tokens over which the entropy of a response is measured, ascending.
    ///
    /// Of equal entropies the earlier tokens are taken (the official code leaves this to `torch.topk`, which promises no order; there no
    /// result depends on it). NaN counts as the highest, so that it shows in the mean.
    pub fn top_tokens(&self, entropies: &[f64]) -> Vec<usize> {
        largest(self.top_count(entropies.len()), entropies)
    }

    /// H_resp, the mean entropy of a response's [`top_tokens`](Self::top_tokens), in nats; NaN for a response without tokens.
    pub fn response_entropy(&self, entropies: &[f64]) -> f64 {
        mean_at(&self.top_tokens(entropies), entropies)
    }

    /// Where H_resp lies.
    pub fn band(&self, response_entropy: f64) -> EntropyBand {
        if response_entropy < self.config.entropy_low {
            EntropyBand::Low
        } else if response_entropy > self.config.entropy_high {
            EntropyBand::High
        } else {
            EntropyBand::Within
        }
    }

    /// What a token with this advantage is multiplied by, in a response that lies there; both are 1 for an advantage that is not positive.
    pub fn factors(&self, band: EntropyBand, advantage: f64) -> Factors {
        let k = self.config.k;
        let (on_logits, on_advantage) = match band {
            EntropyBand::Low => (k, 1.0 / k),
            EntropyBand::Within => (1.0, 1.0),
            EntropyBand::High => (1.0 / k, k),
        };
        let judged = match self.config.fidelity {
            Fidelity::Formula => advantage,
            Fidelity::Official => advantage.trunc(),
        };
        Factors {
            logits: if judged > 0.0 { on_logits } else { 1.0 },
            advantage: if self.config.scale_advantages && advantage > 0.0 {
                on_advantage
            } else {
                1.0
            },
        }
    }

    /// Scales one response: writes the factor on the logits and the new advantage of each token.
    ///
    /// `entropies` are those of softmax(z) at each token, in nats ([`token_entropies`]), `advantages` the tokens' advantages (with GRPO one
    /// number for a response). A response that holds a NaN entropy is left as it is.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn scale_response(
        &self,
        entropies: &[f64],
        advantages: &[f64],
        logit_factors: &mut [f64],
        scaled_advantages: &mut [f64],
    ) -> ResponseAudit {
        for len in [
            advantages.len(),
            logit_factors.len(),
            scaled_advantages.len(),
        ] {
            assert_eq!(
                entropies.len(),
                len,
                "slices of one call must have one length"
            );
        }
        let top = self.top_tokens(entropies);
        let entropy = mean_at(&top, entropies);
        let band = self.band(entropy);
        logit_factors.fill(1.0);
        scaled_advantages.copy_from_slice(advantages);
        let mut scale = |t: usize| {
            let factors = self.factors(band, advantages[t]);
            logit_factors[t] = factors.logits;
            scaled_advantages[t] *= factors.advantage;
        };
        match self.config.scope {
            Scope::Response => (0..entropies.len()).for_each(&mut scale),
            Scope::TopTokens => top.into_iter().for_each(&mut scale),
        }
        ResponseAudit { entropy, band }
    }

    /// Scales a batch of responses: `entropies` and `advantages` have the shape `[responses, positions]`, row major, and response i fills
    /// the first `lengths[i]` positions of its row. What stands behind is padding and not looked at.
    ///
    /// # Panics
    /// When the two differ in length, are no whole number of rows, or a response is longer than its row.
    pub fn scale_batch(
        &self,
        lengths: &[usize],
        entropies: &[f64],
        advantages: &[f64],
    ) -> ScaledBatch {
        let size = entropies.len();
        assert_eq!(
            size,
            advantages.len(),
            "slices of one call must have one length"
        );
        let positions = size.checked_div(lengths.len()).unwrap_or(0);
        assert_eq!(
            size,
            positions * lengths.len(),
            "slices must hold one row for each response"
        );
        let mut batch = ScaledBatch {
            logit_factors: vec![1.0; size],
            advantages: vec![0.0; size],
            responses: Vec::with_capacity(lengths.len()),
        };
        for (i, length) in lengths.iter().enumerate() {
            assert!(
                *length <= positions,
                "response {i} has {length} tokens in a row of {positions}"
            );
            let row = i * positions..i * positions + length;
            batch.responses.push(self.scale_response(
                &entropies[row.clone()],
                &advantages[row.clone()],
                &mut batch.logit_factors[row.clone()],
                &mut batch.advantages[row],
            ));
        }
        batch
    }
}

/// The entropy of softmax at each token, in nats: `logits` holds a row of `vocabulary` raw logits for each of `entropies`.
///
/// Computed in `f64`, as [`softmax_entropy`] is: between 0 and the logarithm of `vocabulary`, for any finite logits.
///
/// # Panics
/// When `vocabulary` is 0 or the lengths do not fit.
pub fn token_entropies<T: Real>(logits: &[T], vocabulary: usize, entropies: &mut [f64]) {
    assert!(vocabulary > 0, "the vocabulary must have tokens");
    assert_eq!(
        logits.len(),
        vocabulary * entropies.len(),
        "slices must hold one row of {vocabulary} for each token"
    );
    for (row, entropy) in logits.chunks_exact(vocabulary).zip(entropies) {
        *entropy = softmax_entropy(row);
    }
}

fn mean_at(positions: &[usize], values: &[f64]) -> f64 {
    positions.iter().map(|t| values[*t]).sum::<f64>() / positions.len() as f64
}
