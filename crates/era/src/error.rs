//! What can be wrong with a configuration.

use crate::gaussian::ENTROPY_OF_UNIT_NORMAL;

/// A configuration that the activation or the policies cannot honour.
///
/// Messages are fragments that read after "failed to ...".
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There must be at least one action dimension.
    #[error("build the activation: action_dim is 0, it must be at least 1")]
    NoAction,
    /// A parameter is NaN or infinite.
    #[error("build the activation: {name} is {value}, it must be finite")]
    NotFinite {
        /// The parameter's name in the configuration.
        name: &'static str,
        /// What it was.
        value: f64,
    },
    /// The bounds of the log standard deviation are empty or out of range.
    #[error(
        "build the activation: log_std_min {min} and log_std_max {max} must satisfy \
         {LOWEST_LOG_STD} <= log_std_min < log_std_max <= {HIGHEST_LOG_STD}",
        LOWEST_LOG_STD = crate::gaussian::LOWEST_LOG_STD,
        HIGHEST_LOG_STD = crate::gaussian::HIGHEST_LOG_STD
    )]
    Bounds {
        /// The lower bound given.
        min: f64,
        /// The upper bound given.
        max: f64,
    },
    /// The compensation would lower the target.
    #[error("build the activation: the compensation delta is {delta}, it must be at least 0")]
    NegativeDelta {
        /// The compensation given, in nats over all dimensions.
        delta: f64,
    },
    /// The constrained entropy is above what the largest standard deviations give.
    #[error(
        "build the activation: the entropy to hold is {target_per_dim} nats per dimension (target \
         plus delta / action_dim), but it is feasible only up to log(sigma_max) + log(sqrt(2 pi e)) \
         = {log_std_max} + {ENTROPY_OF_UNIT_NORMAL:.6} = {largest:.6}"
    )]
    TargetTooHigh {
        /// H0' / D: the target with its compensation, per dimension.
        target_per_dim: f64,
        /// The natural logarithm of sigma_max.
        log_std_max: f64,
        /// The largest feasible entropy per dimension.
        largest: f64,
    },
    /// The constrained entropy is below what the smallest standard deviations give.
    #[error(
        "build the activation: the entropy to hold is {target_per_dim} nats per dimension (target \
         plus delta / action_dim), but sigma_min alone gives log(sigma_min) + log(sqrt(2 pi e)) = \
         {log_std_min} + {ENTROPY_OF_UNIT_NORMAL:.6} = {smallest:.6}"
    )]
    TargetTooLow {
        /// H0' / D: the target with its compensation, per dimension.
        target_per_dim: f64,
        /// The natural logarithm of sigma_min.
        log_std_min: f64,
        /// The smallest entropy per dimension that the bounds leave.
        smallest: f64,
    },
    /// A classifier needs at least two classes.
    #[error("build the activation: classes is {classes}, it must be at least 2")]
    TooFewClasses {
        /// The number of classes given.
        classes: usize,
    },
    /// Below e, h(z) = -z e^z is not invertible up to -log tau.
    #[error("build the activation: tau is {tau}, it must be at least e = 2.718281828459045")]
    TauTooLow {
        /// What it was.
        tau: f64,
    },
    /// The target of a classifier leaves less in total than one class may have.
    #[error(
        "build the activation: the entropy to hold is {target_entropy} nats, but C = exp(H0 - 1) = \
         {budget:.6} must be at least log(tau) / tau = {top:.6} for tau = {tau}: H0 >= 1 + log(log(tau) \
         / tau) = {smallest:.6}"
    )]
    ClassTargetTooLow {
        /// H0, in nats.
        target_entropy: f64,
        /// C = exp(H0 - 1).
        budget: f64,
        /// tau as given.
        tau: f64,
        /// log(tau) / tau.
        top: f64,
        /// The smallest feasible target, in nats.
        smallest: f64,
    },
    /// The target of a classifier is more than all classes together may have.
    #[error(
        "build the activation: the entropy to hold is {target_entropy} nats, but C = exp(H0 - 1) = \
         {budget:.6} must be at most n log(tau) / tau = {most:.6} for n = {classes} classes and tau = \
         {tau}: H0 <= 1 + log(n log(tau) / tau) = {largest:.6}"
    )]
    ClassTargetTooHigh {
        /// H0, in nats.
        target_entropy: f64,
        /// C = exp(H0 - 1).
        budget: f64,
        /// tau as given.
        tau: f64,
        /// n.
        classes: usize,
        /// n log(tau) / tau.
        most: f64,
        /// The largest feasible target, in nats.
        largest: f64,
    },
    /// The factor of a response's logits would soften where it should sharpen.
    #[error("build the activation: k is {k}, it must be at least 1 (where it changes nothing)")]
    FactorBelowOne {
        /// What it was.
        k: f64,
    },
    /// The thresholds of a response's entropy are out of order.
    #[error(
        "build the activation: entropy_low {low} and entropy_high {high} must satisfy 0 < \
         entropy_low < entropy_high"
    )]
    EntropyBand {
        /// w_low, in nats.
        low: f64,
        /// w_high, in nats.
        high: f64,
    },
    /// The share of tokens over which a response's entropy is measured is none.
    #[error(
        "build the activation: top_fraction is {top_fraction}, it must be above 0 and at most 1"
    )]
    TopFraction {
        /// What it was.
        top_fraction: f64,
    },
    /// The released code has no scaling of a response's top tokens alone.
    #[error(
        "build the activation: the official code scales whole responses; fidelity official cannot be \
         had with scope top_tokens"
    )]
    OfficialScope,
    /// The support of a truncated normal is not inside \[-1, 1\] and around 0.
    #[error(
        "build the truncated normal: its support ({low}, {high}) must satisfy -1 <= low < 0 < high <= 1"
    )]
    Support {
        /// The lower end given.
        low: f64,
        /// The upper end given.
        high: f64,
    },
}
