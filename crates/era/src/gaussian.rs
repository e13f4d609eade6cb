//! The activation for a bounded Gaussian policy.

use crate::compensation::Compensation;
use crate::error::Error;
use crate::real::Real;
use crate::special::{clip, exp};
use serde::{Deserialize, Serialize};

/// L = log sqrt(2 pi e): the entropy of a normal distribution with standard deviation 1, in nats.
pub const ENTROPY_OF_UNIT_NORMAL: f64 = 1.418_938_533_204_672_7;

/// Smallest `log_std_min` that is accepted: below it the density of a policy leaves the range of `f32`.
pub(crate) const LOWEST_LOG_STD: f64 = -40.0;
/// Largest `log_std_max` that is accepted: above it a truncated normal on (-1, 1) is uniform to nine digits and its mass is lost to
/// cancellation.
pub(crate) const HIGHEST_LOG_STD: f64 = 10.0;

/// What a [`GaussianEra`] is built from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GaussianEraConfig {
    /// D, the number of action dimensions.
    pub action_dim: usize,
    /// H0 / D: the entropy to hold, in nats per dimension.
    ///
    /// 0.25 by default, as the official training script sets it (`sac-era/train_parallel.py:43`); there it is the entropy of the
    /// Gaussian before bounding, so it needs no compensation on top.
    pub target_per_dim: f64,
    /// log sigma_min; -8 by default (`LOG_STD_MIN` in `sac-era/jaxrl/networks/policies.py:15`).
    pub log_std_min: f64,
    /// log sigma_max; 0 by default (`LOG_STD_MAX`, same file, line 16).
    pub log_std_max: f64,
    /// What is added to the target for the entropy that bounding the actions costs; none by default, as in the official code.
    pub compensation: Compensation,
}

impl GaussianEraConfig {
    /// The official SAC-ERA configuration for `action_dim` dimensions.
    pub fn official(action_dim: usize) -> Self {
        Self {
            action_dim,
            target_per_dim: 0.25,
            log_std_min: -8.0,
            log_std_max: 0.0,
            compensation: Compensation::None,
        }
    }

    /// The same with bounds given as standard deviations.
    #[must_use]
    pub fn with_sigma_bounds(self, sigma_min: f64, sigma_max: f64) -> Self {
        Self {
            log_std_min: sigma_min.ln(),
            log_std_max: sigma_max.ln(),
            ..self
        }
    }
}

/// The activation that gives a Gaussian policy a prescribed entropy (ERA for continuous control).
///
/// With the raw head output s of one state, the target H0' = H0 + delta and L = log sqrt(2 pi e):
///
/// ```text
/// log sigma_i = max( log sigma_max + (H0' - D L - D log sigma_max) softmax(s)_i ,  log sigma_min )
/// ```
///
/// (Eq. 11 of the paper; `sac-era/jaxrl/networks/policies.py:43-49`.) The factor of the softmax is negative or zero, so a larger raw
/// value gives a smaller standard deviation, and no standard deviation exceeds sigma_max.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GaussianEra {
    config: GaussianEraConfig,
    /// k = H0' - D L - D log sigma_max, at most 0.
    slope: f64,
}

/// What the activation did for one state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowAudit {
    /// The entropy of the Gaussian, in nats over all dimensions.
    pub entropy: f64,
    /// How many dimensions were raised to sigma_min.
    pub clipped: usize,
    /// Whether the entropy is exactly the target (no dimension was raised); otherwise it is above it.
    pub exact: bool,
}

impl GaussianEra {
    /// Checks a configuration and prepares the activation.
    ///
    /// # Errors
    /// No dimension, a number that is not finite, bounds out of order, a negative delta, or a target that the bounds cannot give:
    /// H0'/D must lie between log sigma_min + L and log sigma_max + L.
    pub fn new(config: GaussianEraConfig) -> Result<Self, Error> {
        let GaussianEraConfig {
            action_dim,
            target_per_dim,
            log_std_min,
            log_std_max,
            compensation,
        } = config;
        if action_dim == 0 {
            return Err(Error::NoAction);
        }
        let delta = compensation.delta();
        for (name, value) in [
            ("target_per_dim", target_per_dim),
            ("log_std_min", log_std_min),
            ("log_std_max", log_std_max),
            ("delta", delta),
        ] {
            if !value.is_finite() {
                return Err(Error::NotFinite { name, value });
            }
        }
        if log_std_min >= log_std_max
            || log_std_min < LOWEST_LOG_STD
            || log_std_max > HIGHEST_LOG_STD
        {
            return Err(Error::Bounds {
                min: log_std_min,
                max: log_std_max,
            });
        }
        if delta < 0.0 {
            return Err(Error::NegativeDelta { delta });
        }
        let dims = action_dim as f64;
        let target_per_dim = target_per_dim + delta / dims;
        let largest = log_std_max + ENTROPY_OF_UNIT_NORMAL;
        if target_per_dim > largest {
            return Err(Error::TargetTooHigh {
                target_per_dim,
                log_std_max,
                largest,
            });
        }
        let smallest = log_std_min + ENTROPY_OF_UNIT_NORMAL;
        if target_per_dim < smallest {
            return Err(Error::TargetTooLow {
                target_per_dim,
                log_std_min,
                smallest,
            });
        }
        Ok(Self {
            config,
            slope: -dims * (log_std_max - target_per_dim + ENTROPY_OF_UNIT_NORMAL),
        })
    }

    /// The configuration it was built from.
    pub fn config(&self) -> &GaussianEraConfig {
        &self.config
    }

    /// D, the number of action dimensions.
    pub fn action_dim(&self) -> usize {
        self.config.action_dim
    }

    /// H0', the entropy that the Gaussian is given, in nats over all dimensions.
    pub fn entropy(&self) -> f64 {
        let dims = self.config.action_dim as f64;
        dims * self.config.target_per_dim + self.config.compensation.delta()
    }

    /// k, the factor of the softmax: H0' - D L - D log sigma_max, at most 0.
    pub fn slope(&self) -> f64 {
        self.slope
    }

    /// The standard deviation that gives every dimension the same share of the entropy: exp(H0'/D - L).
    ///
    /// A policy fixed at it has ERA's entropy without ERA's allocation.
    pub fn uniform_sigma(&self) -> f64 {
        (self.entropy() / self.config.action_dim as f64 - ENTROPY_OF_UNIT_NORMAL).exp()
    }

    /// The log standard deviations of each state: `raw` and `log_std` hold rows of D, of any number.
    ///
    /// Finite for any finite input: the softmax is taken relative to the row's maximum.
    ///
    /// # Panics
    /// When the lengths differ or are no multiple of D.
    #[inline(always)]
    pub fn log_std<T: Real>(&self, raw: &[T], log_std: &mut [T]) {
        let dims = self.check(raw.len(), log_std.len());
        softmax(raw, log_std, dims);
        let (low, high) = (self.config.log_std_min, self.config.log_std_max);
        for out in log_std {
            *out = T::from_f64(clip(self.slope * out.to_f64() + high, low, high));
        }
    }

    /// The gradient of a loss with respect to `raw`, from its gradient `grad` with respect to the log standard deviations.
    ///
    /// Where a clip is active the derivative is zero. Rows of D.
    ///
    /// # Panics
    /// When the lengths differ or are no multiple of D.
    #[inline(always)]
    pub fn log_std_vjp<T: Real>(&self, raw: &[T], grad: &[T], grad_raw: &mut [T]) {
        let dims = self.check(raw.len(), grad.len());
        self.check(raw.len(), grad_raw.len());
        softmax(raw, grad_raw, dims);
        for (grad, out) in grad.chunks_exact(dims).zip(grad_raw.chunks_exact_mut(dims)) {
            let mut mean = 0.0;
            for (grad, share) in grad.iter().zip(&*out) {
                let share = share.to_f64();
                mean += share * self.pass(share, grad.to_f64());
            }
            for (grad, out) in grad.iter().zip(out) {
                let share = out.to_f64();
                let grad = self.pass(share, grad.to_f64());
                *out = T::from_f64(self.slope * share * (grad - mean));
            }
        }
    }

    /// The gradient that reaches the softmax: none where the log standard deviation is clipped.
    #[inline(always)]
    fn pass(&self, share: f64, grad: f64) -> f64 {
        let value = self.slope * share + self.config.log_std_max;
        if value < self.config.log_std_min {
            0.0
        } else {
            grad
        }
    }

    /// Says for each state whether the promise holds exactly: one item a row of `raw`.
    ///
    /// # Panics
    /// When the length of `raw` is no multiple of D.
    pub fn audit<T: Real>(&self, raw: &[T]) -> impl Iterator<Item = RowAudit> {
        let dims = self.check(raw.len(), raw.len());
        let (low, high) = (self.config.log_std_min, self.config.log_std_max);
        raw.chunks_exact(dims).map(move |raw| {
            let mut shares = vec![0.0; dims];
            softmax(raw, &mut shares, dims);
            let mut entropy = 0.0;
            let mut clipped = 0;
            for share in shares {
                let value = self.slope * share + high;
                clipped += usize::from(value < low);
                entropy += clip(value, low, high) + ENTROPY_OF_UNIT_NORMAL;
            }
            RowAudit {
                entropy,
                clipped,
                exact: clipped == 0,
            }
        })
    }

    fn check(&self, one: usize, other: usize) -> usize {
        let dims = self.config.action_dim;
        assert_eq!(one, other, "slices of one call must have one length");
        assert_eq!(one % dims, 0, "slices must hold whole rows of {dims}");
        dims
    }
}

/// The entropy of a Gaussian with these log standard deviations, in nats: their sum plus L for each.
pub fn gaussian_entropy<T: Real>(log_std: &[T]) -> f64 {
    log_std
        .iter()
        .map(|s| s.to_f64() + ENTROPY_OF_UNIT_NORMAL)
        .sum()
}

/// The softmax of each row of `dims`, into `out`; the exponentials are taken over all rows at once, so that they are vectorised.
#[inline(always)]
fn softmax<T: Real, U: Real>(raw: &[T], out: &mut [U], dims: usize) {
    for (raw, out) in raw.chunks_exact(dims).zip(out.chunks_exact_mut(dims)) {
        let max = raw
            .iter()
            .fold(f64::NEG_INFINITY, |max, x| max.max(x.to_f64()));
        for (raw, out) in raw.iter().zip(out) {
            *out = U::from_f64(raw.to_f64() - max);
        }
    }
    for x in &mut *out {
        *x = U::from_f64(exp(x.to_f64()));
    }
    for out in out.chunks_exact_mut(dims) {
        let sum: f64 = out.iter().map(|x| x.to_f64()).sum();
        let inverse = 1.0 / sum;
        for x in out {
            *x = U::from_f64(x.to_f64() * inverse);
        }
    }
}
