//! What the PPO family records of its updates. `docs/algorithms` has the formula of each metric.

use era_harness::TrainError;

use crate::ppo_loss::LossReport;
use crate::rollout::Estimates;

/// The means over all minibatches of a rollout.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PpoLosses {
    sum: LossReport,
    count: f64,
    explained_variance: f64,
}

impl PpoLosses {
    /// Before the first minibatch of a rollout with these estimates.
    pub(crate) fn new(estimates: &Estimates) -> Self {
        Self {
            sum: LossReport::default(),
            count: 0.0,
            explained_variance: explained_variance(&estimates.value, &estimates.returns),
        }
    }

    /// Takes in what a minibatch showed at environment step `step`; refuses a loss that is not finite.
    pub(crate) fn add(&mut self, report: LossReport, step: u64) -> Result<(), TrainError> {
        if !report.total.is_finite() || !report.grad_norm.is_finite() {
            let what = match report.total.is_finite() {
                true => "the gradient",
                false => "the loss",
            };
            return Err(TrainError::Diverged {
                what: what.to_owned(),
                step,
            });
        }
        let LossReport {
            policy,
            value,
            entropy,
            total,
            approx_kl,
            clip_fraction,
            grad_norm,
        } = &mut self.sum;
        *policy += report.policy;
        *value += report.value;
        *entropy += report.entropy;
        *total += report.total;
        *approx_kl += report.approx_kl;
        *clip_fraction += report.clip_fraction;
        *grad_norm += report.grad_norm;
        self.count += 1.0;
        Ok(())
    }

    pub(crate) fn metrics(&self) -> Vec<(&'static str, f64)> {
        let mean = |sum: f64| sum / self.count;
        vec![
            ("loss/policy", mean(self.sum.policy)),
            ("loss/value", mean(self.sum.value)),
            ("loss/entropy", mean(self.sum.entropy)),
            ("loss/total", mean(self.sum.total)),
            ("ppo/approx_kl", mean(self.sum.approx_kl)),
            ("ppo/clip_fraction", mean(self.sum.clip_fraction)),
            ("ppo/explained_variance", self.explained_variance),
            ("grad/norm", mean(self.sum.grad_norm)),
        ]
    }
}

/// 1 - Var(returns - values) / Var(returns): 1 for a critic that knows everything, 0 for one that knows nothing, and 0
/// where all returns are equal.
fn explained_variance(values: &[f64], returns: &[f64]) -> f64 {
    let variance = |x: &mut dyn Iterator<Item = f64>| {
        let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
        for x in x {
            count += 1.0;
            sum += x;
            squares += x * x;
        }
        squares / count - (sum / count) * (sum / count)
    };
    let all = variance(&mut returns.iter().copied());
    let left = variance(&mut returns.iter().zip(values).map(|(r, v)| r - v));
    if all > 0.0 { 1.0 - left / all } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::explained_variance;

    /// sklearn's `explained_variance_score([3, -0.5, 2, 7], [2.5, 0.0, 2, 8])` is 0.957173447537473 (its documentation).
    #[test]
    fn explained_variance_is_sklearns() {
        let found = explained_variance(&[2.5, 0.0, 2.0, 8.0], &[3.0, -0.5, 2.0, 7.0]);
        assert!((found - 0.957_173_447_537_473).abs() < 1e-12, "{found}");
        assert_eq!(explained_variance(&[1.0, 2.0], &[3.0, 3.0]), 0.0);
    }
}
