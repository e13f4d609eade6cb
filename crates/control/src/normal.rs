//! The normal distribution of PPO's policies: not bounded, so that actions are clipped on their way to the environment.

use era::WithGradient;

/// log sqrt(2 pi).
const LN_SQRT_2PI: f64 = 0.918_938_533_204_672_7;

/// The log-density of one dimension at `action`, with its derivatives with respect to mean and log standard deviation.
pub fn log_prob(mean: f64, log_std: f64, action: f64) -> WithGradient {
    let inverse_std = (-log_std).exp();
    let z = (action - mean) * inverse_std;
    WithGradient {
        value: -0.5 * z * z - log_std - LN_SQRT_2PI,
        d_mean: z * inverse_std,
        d_log_std: z * z - 1.0,
    }
}
