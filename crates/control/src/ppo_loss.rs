//! What PPO minimises, and the advantages that it weighs actions with (Schulman et al. 2016, 2017), in `f64` on slices.
//!
//! Losses come with their gradients with respect to what the networks' outputs are turned into (log-densities, entropies
//! and values): each method takes them on to its own outputs, and the networks' backward pass starts there.

use crate::rollout::Minibatch;

/// The clipped surrogate with a value loss and an entropy bonus:
/// `L = policy - entropy_coef * mean entropy + value_coef * value`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PpoLoss {
    /// c: ratios beyond 1 ± c earn nothing more.
    pub clip: f64,
    /// Values that moved by more than this from the old ones are held there, where that makes the loss larger; `None` lets
    /// them go. CleanRL takes c (`clip_vloss`).
    pub value_clip: Option<f64>,
    /// Weight of the value loss.
    pub value_coef: f64,
    /// Weight of the entropy, in nats over all dimensions.
    pub entropy_coef: f64,
}

/// What is known of the actions of a minibatch; all of one length.
#[derive(Clone, Copy, Debug)]
pub struct Taken<'a> {
    /// Their log-density under the policy that took them.
    pub log_prob: &'a [f64],
    /// Their advantage.
    pub advantage: &'a [f64],
    /// What the value is regressed to.
    pub returns: &'a [f64],
    /// The value before the update.
    pub value: &'a [f64],
}

impl<'a> Taken<'a> {
    /// Those of a minibatch.
    pub(crate) fn of(batch: &'a Minibatch) -> Self {
        Self {
            log_prob: &batch.log_prob,
            advantage: &batch.advantage,
            returns: &batch.returns,
            value: &batch.value,
        }
    }
}

/// What the networks say of the same actions now; as long as [`Taken`].
#[derive(Clone, Copy, Debug)]
pub struct Now<'a> {
    /// Log-densities.
    pub log_prob: &'a [f64],
    /// Entropies of the policy in each state.
    pub entropy: &'a [f64],
    /// Values.
    pub value: &'a [f64],
}

/// Gradients of the whole loss, one a sample.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LossGradients {
    /// With respect to the log-density.
    pub log_prob: Vec<f64>,
    /// With respect to the value.
    pub value: Vec<f64>,
    /// With respect to the entropy: the same for every sample.
    pub entropy: f64,
}

/// What a minibatch showed; the means over minibatches are recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LossReport {
    /// The clipped surrogate, -mean of min(ratio A, clip(ratio) A).
    pub policy: f64,
    /// Half the mean squared error of the values.
    pub value: f64,
    /// Mean entropy, in nats.
    pub entropy: f64,
    /// The sum of all three with their weights.
    pub total: f64,
    /// Mean of ratio - 1 - log ratio: Schulman's low-variance estimate of KL(old, new).
    pub approx_kl: f64,
    /// Share of ratios beyond 1 ± c.
    pub clip_fraction: f64,
    /// Norm of the gradient over all parameters, before it was clipped; 0 until the networks know it.
    pub grad_norm: f64,
}

impl PpoLoss {
    /// The losses of a minibatch; their gradients are written to `gradients`.
    pub fn evaluate(
        &self,
        taken: Taken<'_>,
        now: Now<'_>,
        gradients: &mut LossGradients,
    ) -> LossReport {
        let size = taken.log_prob.len();
        let share = 1.0 / size as f64;
        let mut report = LossReport::default();
        gradients.log_prob.clear();
        gradients.value.clear();
        for i in 0..size {
            let log_ratio = now.log_prob[i] - taken.log_prob[i];
            let ratio = log_ratio.exp();
            let (loss, slope) = self.surrogate(ratio, taken.advantage[i]);
            report.policy += share * loss;
            gradients.log_prob.push(share * slope);
            report.approx_kl += share * (ratio - 1.0 - log_ratio);
            report.clip_fraction += share * f64::from((ratio - 1.0).abs() > self.clip);

            let (loss, slope) = self.value_error(now.value[i], taken.value[i], taken.returns[i]);
            report.value += share * loss;
            gradients.value.push(share * self.value_coef * slope);
            report.entropy += share * now.entropy[i];
        }
        gradients.entropy = -share * self.entropy_coef;
        report.total =
            report.policy - self.entropy_coef * report.entropy + self.value_coef * report.value;
        report
    }

    /// -min(ratio A, clip(ratio) A) and its derivative with respect to the log-density.
    fn surrogate(&self, ratio: f64, advantage: f64) -> (f64, f64) {
        let free = -advantage * ratio;
        let held = -advantage * ratio.clamp(1.0 - self.clip, 1.0 + self.clip);
        if free >= held {
            // d ratio / d log-density is the ratio itself.
            (free, free)
        } else {
            (held, 0.0)
        }
    }

    /// Half the squared error, of the value or of the value held near the old one, whichever is larger; and its
    /// derivative with respect to the value.
    fn value_error(&self, value: f64, old: f64, returns: f64) -> (f64, f64) {
        let error = value - returns;
        let step = value - old;
        if let Some(clip) = self.value_clip
            && step.abs() > clip
        {
            let held = old + step.clamp(-clip, clip) - returns;
            if held * held > error * error {
                return (0.5 * held * held, 0.0);
            }
        }
        (0.5 * error * error, error)
    }
}

/// Advantages to mean 0 and deviation 1 (unbiased), as CleanRL and SB3 do for each minibatch. One advantage stays as it is.
pub fn normalise(advantages: &mut [f64]) {
    if advantages.len() < 2 {
        return;
    }
    let count = advantages.len() as f64;
    let mean = advantages.iter().sum::<f64>() / count;
    let squares: f64 = advantages.iter().map(|a| (a - mean).powi(2)).sum();
    let scale = 1.0 / ((squares / (count - 1.0)).sqrt() + 1e-8);
    advantages.iter_mut().for_each(|a| *a = (*a - mean) * scale);
}

/// What generalised advantage estimation needs of a rollout: `[T, N]`, row major, T steps of N environments.
#[derive(Clone, Copy, Debug)]
pub struct Rollout<'a> {
    /// Rewards.
    pub rewards: &'a [f64],
    /// Values of the states that the actions were taken in.
    pub values: &'a [f64],
    /// Whether the task ended with this step: nothing is earned after it.
    pub terminated: &'a [bool],
    /// Whether the time limit cut the episode off with this step: the value of its last state still counts.
    pub truncated: &'a [bool],
    /// Values of the states that truncated steps led to; read where `truncated`.
    pub final_values: &'a [f64],
    /// Values of the states after the last row, `[N]`.
    pub last_values: &'a [f64],
}

/// Generalised advantage estimation (Schulman et al. 2016): `A_t = δ_t + γ λ A_{t+1}`, where the sum stops at the end of
/// an episode, and `δ_t = r_t + γ V(s_{t+1}) (1 - terminated) - V(s_t)`. Written to `advantages`, `[T, N]`; a value's
/// target is the advantage plus the value.
///
/// An episode that its time limit cut off bootstraps from the state that it ended in (Pardo et al. 2018). SB3 does so;
/// CleanRL treats it as a termination.
pub fn advantages(rollout: Rollout<'_>, discount: f64, lambda: f64, advantages: &mut [f64]) {
    let environments = rollout.last_values.len();
    let steps = rollout.rewards.len() / environments;
    for environment in 0..environments {
        let mut next_value = rollout.last_values[environment];
        let mut next_advantage = 0.0;
        for at in (0..steps).rev().map(|t| t * environments + environment) {
            if rollout.terminated[at] {
                (next_value, next_advantage) = (0.0, 0.0);
            } else if rollout.truncated[at] {
                (next_value, next_advantage) = (rollout.final_values[at], 0.0);
            }
            let value = rollout.values[at];
            let delta = rollout.rewards[at] + discount * next_value - value;
            next_advantage = delta + discount * lambda * next_advantage;
            next_value = value;
            advantages[at] = next_advantage;
        }
    }
}

#[cfg(test)]
mod tests;
