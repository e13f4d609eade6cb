//! The tanh-squashed normal policy.

use crate::gaussian::ENTROPY_OF_UNIT_NORMAL;
use crate::real::Real;
use crate::special::{FRAC_1_SQRT_2PI, LN_SQRT_2PI, exp, squash_loss, tanh};
use crate::truncated::WithGradient;

/// tanh(x) with x normal, independent over dimensions: the policy of plain SAC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TanhNormal;

impl TanhNormal {
    /// Actions tanh(mean + sigma noise): standard normal `noise` is given, nothing is drawn here. All slices have one length.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn sample<T: Real>(&self, mean: &[T], log_std: &[T], noise: &[T], action: &mut [T]) {
        let n = action.len();
        let (mean, log_std, noise) = (&mean[..n], &log_std[..n], &noise[..n]);
        for i in 0..n {
            let x = mean[i].to_f64() + exp(log_std[i].to_f64()) * noise[i].to_f64();
            action[i] = T::from_f64(tanh(x).0);
        }
    }

    /// The mode of the Gaussian, squashed: tanh(mean), the action at evaluation.
    pub fn mode<T: Real>(&self, mean: &[T], action: &mut [T]) {
        assert_eq!(
            mean.len(),
            action.len(),
            "slices of one call must have one length"
        );
        for (mean, action) in mean.iter().zip(action) {
            *action = T::from_f64(tanh(mean.to_f64()).0);
        }
    }

    /// One dimension of an action and its log-density, with derivatives along the reparametrised sample.
    #[inline(always)]
    pub fn draw(&self, mean: f64, log_std: f64, noise: f64) -> (WithGradient, WithGradient) {
        let step = exp(log_std) * noise;
        let x = mean + step;
        let (action, slope) = tanh(x);
        let sampled = WithGradient {
            value: action,
            d_mean: slope,
            d_log_std: slope * step,
        };
        let log_prob = WithGradient {
            value: -0.5 * noise * noise - LN_SQRT_2PI - log_std + squash_loss(x),
            d_mean: 2.0 * action,
            d_log_std: 2.0 * action * step - 1.0,
        };
        (sampled, log_prob)
    }

    /// The entropy of one dimension by quadrature, in nats: L + log sigma - E\[-log(1 - tanh^2 x)\].
    ///
    /// The trapezoidal rule converges exponentially here: the integrand is a Gaussian times a function that is analytic within pi/2
    /// of the real axis, so a step of 0.3 min(1, 1/sigma) leaves less than 1e-12.
    #[inline(always)]
    pub fn entropy(&self, mean: f64, log_std: f64) -> WithGradient {
        let sigma = exp(log_std);
        let h = 0.3 / sigma.max(1.0);
        let n = (8.5 / h).ceil() as i64;
        let (mut loss, mut d_mean, mut d_log_std) = (0.0, 0.0, 0.0);
        for i in -n..=n {
            let noise = i as f64 * h;
            let weight = h * FRAC_1_SQRT_2PI * exp(-0.5 * noise * noise);
            let x = mean + sigma * noise;
            let pull = 2.0 * tanh(x).0;
            loss += weight * squash_loss(x);
            d_mean += weight * pull;
            d_log_std += weight * pull * sigma * noise;
        }
        WithGradient {
            value: ENTROPY_OF_UNIT_NORMAL + log_std - loss,
            d_mean: -d_mean,
            d_log_std: 1.0 - d_log_std,
        }
    }
}
