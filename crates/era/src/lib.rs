//! Entropy Regularizing Activation (ERA): a policy's entropy guaranteed by an activation.
//!
//! ERA puts an activation behind a network's last layer, built so that the policy's entropy cannot fall below a target; the loss then
//! needs no entropy term (Kang et al., "Entropy Regularizing Activation", arXiv 2510.08549). This crate holds the activation for
//! continuous control with the two bounded policies it is used with, the activation for classification, and that for language models
//! under reinforcement learning:
//!
//! - [`GaussianEra`]: raw head output to log standard deviations, with [`Compensation`] for what bounding costs;
//! - [`TruncatedNormal`]: the policy of the official SAC-ERA code, exact where that clips;
//! - [`TanhNormal`]: the policy of plain SAC;
//! - [`SoftmaxEra`]: a classifier's logits to logits whose softmax keeps an entropy, with either [`Inverse`];
//! - [`ResponseEra`]: factors on a language model's logits and advantages that push the entropy of its responses towards a band,
//!   with [`Vocabulary`] for the log-probabilities of tokens under them.
//!
//! ```
//! use era::{GaussianEra, GaussianEraConfig, TruncatedNormal, gaussian_entropy};
//!
//! let era = GaussianEra::new(GaussianEraConfig::official(3))?;
//! let mut log_std = [0.0; 3];
//! era.log_std(&[0.0, 1.0, -1.0], &mut log_std);
//! assert!((gaussian_entropy(&log_std) - 0.75).abs() < 1e-12); // 0.25 nats per dimension
//!
//! let mut action = [0.0_f64; 3];
//! TruncatedNormal::default().sample(&[0.1, -0.4, 2.0], &log_std, &[0.5, 0.9, 0.2], &mut action);
//! assert!(action.iter().all(|a| a.abs() < 1.0));
//! # Ok::<(), era::Error>(())
//! ```
//!
//! # What is guaranteed for a policy
//!
//! With target H0' = H0 + delta for D dimensions, a state's raw outputs s, and L = log sqrt(2 pi e) = 1.4189 nats,
//!
//! ```text
//! log sigma_i = max( log sigma_max + (H0' - D L - D log sigma_max) softmax(s)_i ,  log sigma_min )
//! ```
//!
//! The shares of a softmax sum to one. So while no dimension is held at sigma_min, the log standard deviations sum to H0' - D L, and the
//! entropy of the Gaussian **is** H0' in every state: an equality, not only a bound. The network distributes a fixed budget over the
//! dimensions and cannot change its sum. Because H0' <= D (log sigma_max + L), which [`GaussianEra::new`] checks, the factor of the
//! softmax is not positive: no sigma exceeds sigma_max, and a larger raw value gives a smaller sigma.
//!
//! # When it is not
//!
//! - **A dimension is held at sigma_min.** Then the entropy is above H0', possibly far: with 19 dimensions, the official settings and
//!   one raw output of 12 against 0 it is 18.96 nats where 4.75 are asked for. [`GaussianEra::audit`] reports it per state. The clipped
//!   dimension gets no gradient.
//! - **D = 1.** The softmax is constantly 1: sigma is the constant e^(H0' - L) and has no gradient. ERA is degenerate there.
//! - **The bounded policy.** The guarantee is on the Gaussian *before* tanh or truncation, which lose entropy. Truncation to \[-1, 1\]
//!   costs, in nats per dimension:
//!
//!   | sigma | at location 0 | at most, over all locations |
//!   |---|---|---|
//!   | 0.3107 | 0.0085 | 0.6931 (log 2) |
//!   | 0.5 | 0.160 | 0.694 |
//!   | 0.7 | 0.409 | 0.717 |
//!   | 1 | 0.736 | 0.853 |
//!
//!   The official 0.25 nats per dimension make sigma = 0.3107 when spread evenly; the truncated policy then has 0.2415 nats per
//!   dimension at location 0, 0.102 at 0.5, -0.315 at 0.9 and -0.443 at +-1. A bound on the policy's own entropy therefore needs a
//!   delta: log 2 per dimension covers sigma up to 0.4. The official code has no delta; its 0.25 is the target of the Gaussian.
//!
//! Each of these statements is a test in `tests/properties.rs`.
//!
//! # Classification
//!
//! With n classes, a target H0, C = exp(H0 - 1), tau >= e and m = log(tau) / tau, [`SoftmaxEra`] puts in place of an example's logits s
//!
//! ```text
//! z'_i = h^-1( m - (n m - C) / (n - 1) (1 - softmax(s)_i) ) ,      h(z) = -z e^z on z <= -1
//! ```
//!
//! The arguments of h^-1 sum to C, whatever s is. [`SoftmaxEra::new`] checks that none is negative (H0 >= 1 + log m) and that a larger
//! logit gets a larger one (H0 <= 1 + log(n m)): the classes keep their order, so ERA changes no prediction of given logits. It acts
//! through training.
//!
//! **With [`Inverse::Exact`] the entropy of softmax(z') is at least H0 for every s.** Write S for the sum of the e^z'. The entropy is
//! log S plus the sum of -z' e^z' divided by S, and that sum is C: so it is log S + C / S, whose smallest value over all S > 0 is
//! 1 + log C = H0, at S = C.
//!
//! That is attained only where each class has z' = -1 or no mass (tau = e at an end of H0's range), and what is attained otherwise can
//! be said. As -z' >= 1, S is at most C, and there the entropy falls as S grows. e^z' is a convex function of its h (its slope is 1 / (-1 - z'), which grows with h), so S is
//! largest in a corner of the simplex: the least entropy is that of a one-hot softmax, [`SoftmaxEra::min_entropy`]. For one class's h
//! given, the others' mass is by the same convexity least when they are equal, so the largest probability is that of a one-hot
//! softmax as well, [`SoftmaxEra::max_probability`]. No cross-entropy loss falls below [`SoftmaxEra::cross_entropy_floor`].
//!
//! **With [`Inverse::Approximate`], as in the official code, H0 is not proven.** The -z' e^z' no longer sum to C. The argument for the
//! largest probability stands while the smallest h is at least 5e-5, where the approximate e^z' is convex too; for the entropy there is
//! none. `tests/classification.rs` searches over logits, targets and tau: nothing it finds has less entropy than a one-hot softmax, and
//! that has at least H0.
//!
//! What a one-hot softmax gives for tau = 4 (entropies in nats):
//!
//! | n | H0 | approximate: least entropy | largest probability | least loss | exact: least entropy | largest probability | least loss |
//! |---|---|---|---|---|---|---|---|
//! | 10 | 0.3 | 0.5355 | 0.9021 | 0.1030 | 0.5131 | 0.9072 | 0.0974 |
//! | 10 | 0.6 | 0.9825 | 0.7880 | 0.2383 | 0.9699 | 0.7916 | 0.2337 |
//! | 10 | 0.9 | 1.4065 | 0.6535 | 0.4254 | 1.4053 | 0.6540 | 0.4247 |
//! | 10 | 1.2 | 1.7683 | 0.5106 | 0.6722 | 1.7735 | 0.5082 | 0.6768 |
//! | 1000 | 0.3 | 0.7882 | 0.9246 | 0.0784 | 0.5513 | 0.9492 | 0.0521 |
//! | 1000 | 0.6 | 1.4639 | 0.8494 | 0.1632 | 1.1151 | 0.8890 | 0.1176 |
//! | 1000 | 0.9 | 2.1789 | 0.7637 | 0.2696 | 1.7655 | 0.8139 | 0.2059 |
//! | 1000 | 1.2 | 2.9117 | 0.6702 | 0.4001 | 2.4805 | 0.7259 | 0.3204 |
//!
//! So H0 is a loose name for what happens: the entropy that is really kept lies well above it.
//!
//! # Language models
//!
//! In the update, a response whose most uncertain fifth of tokens has less than w_low = 0.45 nats of entropy on average gets its logits
//! multiplied by k (2), one with more than w_high = 3 nats by 1/k, and its advantages by the inverse; only where they are positive
//! ([`ResponseEra`]). The two factors cancel in the gradient, which leaves a policy gradient with the softmax of
//! the new logits in place of the policy's own: it drifts back towards the band.
//!
//! **Nothing is guaranteed here as it is for a Gaussian or a classifier.** Responses are sampled from the model's own logits, and no bound
//! holds those. What can be proven is the direction: where the advantage is the same positive number whichever token is drawn at a
//! position, a small step along the expected gradient on the position's logits raises their entropy in the low case and lowers it in the
//! high case, whatever they are (unless all are equal). The derivation stands at [`ResponseEra`], with the points in which the paper's
//! formula and the released code differ: which tokens are scaled ([`Scope`]), that the code asks for an advantage of at least 1
//! ([`Fidelity`]), whether advantages are scaled, and log-probabilities over 20 tokens only ([`Vocabulary::OFFICIAL`]).
//!
//! `tests/response.rs` and `tests/log_prob.rs` test these statements; `tests/golden` compares factors, log-probabilities, losses and
//! gradients with the official code's actor and, for what that has not, with the formula in PyTorch.
//!
//! # Precision
//!
//! All formulas run in `f64`, also for `f32` slices and tensors (with tch, on burn's other engines than Flex, and on candle's other devices
//! than the CPU, `SoftmaxEra` and `GaussianEra` run in the tensor's type). h is inverted through u = -1 - log h, which keeps its digits near 1/e;
//! the exact inverse has an error of a few units in the last place. The location of the truncated normal, tanh(mean), is clipped to the
//! support, so the probabilities on its two sides add up and nothing cancels; densities, quantiles and their gradients (by implicit
//! differentiation of the distribution function) hold about 13 digits from sigma = e^-8 upwards, and in the tails. Against the
//! official code's clipping of u, of the distribution function and of the log-density (to +-20) this crate is exact.
//!
//! # Engines
//!
//! The reference on slices needs no engine. Features `burn` and `candle` add the modules `burn` and `candle`: the same names on tensors,
//! differentiating through the reference's derivatives wherever tensors lie in the processor's memory. Feature `tch` adds the
//! module `tch`, again with the same names: there no user writes a backward pass, so its functions are composed of LibTorch's operations, and their
//! gradients are LibTorch's.

#[cfg(feature = "burn")]
pub mod burn;
#[cfg(feature = "candle")]
pub mod candle;
#[cfg(feature = "tch")]
pub mod tch;

mod compensation;
mod error;
mod gaussian;
mod inverse;
mod log_prob;
mod real;
mod response;
#[cfg(any(feature = "burn", feature = "candle"))]
mod simd;
mod softmax;
mod special;
mod tanh_normal;
mod truncated;

pub use compensation::{Compensation, LearnedDelta};
pub use error::Error;
pub use gaussian::{
    ENTROPY_OF_UNIT_NORMAL, GaussianEra, GaussianEraConfig, RowAudit, gaussian_entropy,
};
pub use inverse::Inverse;
pub use log_prob::Vocabulary;
pub use real::Real;
pub use response::{
    EntropyBand, Factors, Fidelity, ResponseAudit, ResponseEra, ResponseEraConfig, ScaledBatch,
    Scope, token_entropies,
};
pub use softmax::{SoftmaxEra, SoftmaxEraConfig, softmax_entropy};
pub use tanh_normal::TanhNormal;
pub use truncated::{Columns, Densities, TruncatedNormal, WithGradient};

/// The programs of the readme, which need every engine it shows.
#[cfg(all(doctest, feature = "burn", feature = "candle"))]
#[doc = include_str!("../README.md")]
mod readme {}
