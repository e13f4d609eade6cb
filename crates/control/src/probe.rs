//! What is recorded at an evaluation. `docs/algorithms` has the formula of each metric.

use std::time::Instant;

use burn::tensor::Tensor;
use era::{TanhNormal, TruncatedNormal, WithGradient, gaussian_entropy};
use era_harness::TrainError;
use era_harness::run::Run;

use crate::collector::Collector;
use crate::evaluate::Evaluation;
use crate::nets::Descent;
use crate::store::floats;

/// The distribution of actions, given mean and log standard deviation of the Gaussian that it is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// Not bounded: actions are clipped on their way to the environment.
    Normal,
    TanhNormal,
    TruncatedNormal,
}

impl Family {
    /// The entropy of one action dimension in nats: exact for the normal and the truncated normal, by quadrature (to 1e-9) for the
    /// tanh-normal, which has no closed form.
    fn entropy(self, mean: f64, log_std: f64) -> f64 {
        let WithGradient { value, .. } = match self {
            Self::Normal => return gaussian_entropy(&[log_std]),
            Self::TanhNormal => TanhNormal.entropy(mean, log_std),
            Self::TruncatedNormal => TruncatedNormal::default().entropy(mean, log_std),
        };
        value
    }
}

/// What the rounding of a log standard deviation of 32 bits may take from the entropy of one dimension, in nats.
const ROUNDING: f64 = 1e-6;

/// The entropies of a policy over a batch of visited states.
#[derive(Clone, Debug, Default)]
pub(crate) struct PolicyReport {
    metrics: Vec<(&'static str, f64)>,
    entropy_mean: f64,
}

impl PolicyReport {
    /// Measures the policy with these means and log standard deviations, `[B, act_dim]`; `bound` is the entropy that the
    /// method is to hold, in nats over all dimensions.
    pub(crate) fn of(
        family: Family,
        mean: Tensor<2>,
        log_std: Tensor<2>,
        bound: Option<f64>,
    ) -> Self {
        let [_, dims] = mean.dims();
        let (mean, log_std) = (floats(mean.into_data()), floats(log_std.into_data()));
        Self::of_rows(family, &mean, &log_std, dims, bound)
    }

    /// The same of slices, rows of `dims`.
    pub(crate) fn of_rows(
        family: Family,
        mean: &[f32],
        log_std: &[f32],
        dims: usize,
        bound: Option<f64>,
    ) -> Self {
        let rows = mean.chunks_exact(dims).zip(log_std.chunks_exact(dims));
        let entropies: Vec<f64> = rows
            .map(|(mean, log_std)| {
                let each = mean.iter().zip(log_std);
                each.map(|(mean, log_std)| family.entropy(f64::from(*mean), f64::from(*log_std)))
                    .sum()
            })
            .collect();
        let count = entropies.len() as f64;
        let entropy_mean = entropies.iter().sum::<f64>() / count;
        let mut metrics = vec![
            ("policy/entropy_mean", entropy_mean),
            (
                "policy/entropy_min",
                entropies.iter().copied().fold(f64::INFINITY, f64::min),
            ),
            (
                "policy/gaussian_entropy_mean",
                gaussian_entropy(log_std) / count,
            ),
        ];
        if let Some(bound) = bound {
            // An entropy that is held exactly is not below its bound for the rounding of 32-bit outputs.
            let bound_rounded = bound - ROUNDING * dims as f64;
            let below = entropies
                .iter()
                .filter(|entropy| **entropy < bound_rounded)
                .count();
            metrics.extend([
                ("policy/bound", bound),
                ("policy/bound_violations", below as f64 / count),
            ]);
        }
        Self {
            metrics,
            entropy_mean,
        }
    }

    /// Adds the share of standard deviations, over states and dimensions, that stand at the smallest one allowed.
    #[must_use]
    pub(crate) fn with_clipped(self, log_std: Tensor<2>, log_std_min: f64) -> Self {
        self.with_clipped_rows(&floats(log_std.into_data()), log_std_min)
    }

    /// The same of a slice.
    #[must_use]
    pub(crate) fn with_clipped_rows(self, log_std: &[f32], log_std_min: f64) -> Self {
        let clipped = log_std
            .iter()
            .filter(|value| **value <= log_std_min as f32)
            .count();
        let share = clipped as f64 / log_std.len() as f64;
        self.with("policy/sigma_min_clipped", share)
    }

    /// Adds what only this method has.
    #[must_use]
    pub(crate) fn with(mut self, metric: &'static str, value: f64) -> Self {
        self.metrics.push((metric, value));
        self
    }
}

/// What an update found.
#[derive(Clone, Debug)]
pub struct Losses {
    /// Of the critics.
    pub critic: Descent,
    /// Of the actor.
    pub actor: Descent,
    /// The mean of both critics over the batch, where it was asked for; 0 otherwise.
    pub q_mean: f64,
    /// What only this method has, by the name of the metric.
    pub own: Vec<(&'static str, f64)>,
}

impl Losses {
    /// Refuses a loss that is not finite.
    pub(crate) fn check(self, step: u64) -> Result<Self, TrainError> {
        let named = [
            ("the critics' loss", self.critic.loss),
            ("the actor's loss", self.actor.loss),
        ];
        match named.into_iter().find(|(_, loss)| !loss.is_finite()) {
            Some((what, _)) => Err(TrainError::Diverged {
                what: what.to_owned(),
                step,
            }),
            None => Ok(self),
        }
    }

    fn metrics(&self) -> Vec<(&'static str, f64)> {
        let mut metrics = vec![
            ("loss/critic", self.critic.loss),
            ("loss/actor", self.actor.loss),
            ("q/mean", self.q_mean),
        ];
        metrics.extend(self.critic.grad_norm.map(|norm| ("grad/critic", norm)));
        metrics.extend(self.actor.grad_norm.map(|norm| ("grad/actor", norm)));
        metrics.extend(&self.own);
        metrics
    }
}

/// Measures speed between evaluations, without them.
#[derive(Debug)]
pub(crate) struct Clock {
    since: Instant,
    step: u64,
    updates: u64,
}

impl Clock {
    pub(crate) fn start(step: u64, updates: u64) -> Self {
        Self {
            since: Instant::now(),
            step,
            updates,
        }
    }

    fn speeds(&self, step: u64, updates: u64) -> [(&'static str, f64); 2] {
        let seconds = self.since.elapsed().as_secs_f64();
        [
            (
                "speed/env_steps_per_second",
                (step - self.step) as f64 / seconds,
            ),
            (
                "speed/updates_per_second",
                (updates - self.updates) as f64 / seconds,
            ),
        ]
    }
}

/// Records an evaluation of a method that learns from a replay buffer; see [`record`].
pub(crate) fn report(
    run: &mut Run,
    collector: &mut Collector,
    evaluation: &Evaluation,
    policy: &PolicyReport,
    losses: Option<&Losses>,
) -> Result<(), TrainError> {
    let metrics = losses.map(Losses::metrics).unwrap_or_default();
    record(
        run,
        collector.step(),
        collector.take_mean_return(),
        evaluation,
        policy,
        &metrics,
    )
}

/// Records an evaluation at `step`: returns and lengths of its episodes, the policy's entropy, the other `metrics`, and the
/// mean return of the training episodes since the last one. Return and entropy are what the progress bar shows from now on.
pub(crate) fn record(
    run: &mut Run,
    step: u64,
    train_return: Option<f64>,
    evaluation: &Evaluation,
    policy: &PolicyReport,
    metrics: &[(&str, f64)],
) -> Result<(), TrainError> {
    let lengths: Vec<f64> = evaluation.lengths.iter().copied().map(f64::from).collect();
    run.log_series(step, "eval/return", &evaluation.returns)?;
    run.log_series(step, "eval/length", &lengths)?;
    run.log(step, &policy.metrics)?;
    run.log(step, metrics)?;
    if let Some(mean) = train_return {
        run.log(step, &[("train/return", mean)])?;
    }
    run.headline(&[
        ("return", evaluation.mean_return()),
        ("entropy", policy.entropy_mean),
    ]);
    Ok(())
}

/// Records speed since `clock` was started.
pub(crate) fn report_speed(
    run: &mut Run,
    clock: &Clock,
    step: u64,
    updates: u64,
) -> Result<(), TrainError> {
    run.log_timing(step, &clock.speeds(step, updates))
}
