//! PPO-ERA: PPO whose standard deviations depend on the state and come out of the Entropy Regularizing Activation.
//!
//! There is no official code; `docs/algorithms/ppo-era.md` says what is known of it, what is recorded and what was decided
//! here.

mod distribution;

use burn::tensor::Device;
use era::{Compensation, Densities, GaussianEra, GaussianEraConfig};
use era_envs::Spec;
use era_harness::method::{self, ParamSet};
use era_harness::run::{Checkpoint, Run};
use era_harness::seed::Streams;
use era_harness::{Cell, Cost, Method, ParamError, Params, TrainError};

use crate::actor_critic::{ActorCritic, OutputGradients};
use crate::collector;
use crate::evaluate::evaluate;
use crate::params;
use crate::ppo_loss::{self, LossGradients, LossReport, Now, PpoLoss, Taken};
use crate::ppo_params::ppo_parameters;
use crate::ppo_probe::PpoLosses;
use crate::probe::{Clock, PolicyReport, record, report_speed};
use crate::rollout::{Actions, Minibatch, Rollouts};
use crate::store;

pub use distribution::PpoDistribution;

ppo_parameters! {
    /// Parameters of `ppo-era`.
    PpoEraParams {
        /// H0: entropy to hold, in nats for each action dimension. -0.3 is what a third party quotes from the paper's
        /// appendix (A.1.4).
        target_entropy_per_dim: f64 = -0.3,
        /// How the Gaussian is bounded. Not stated for PPO; truncated as in the official SAC-ERA.
        distribution: PpoDistribution = PpoDistribution::TruncatedNormal,
        /// Weight of the mean entropy (nats over all dimensions) in the loss. PPO-ERA is reported (same source) to keep
        /// PPO's 0.01.
        entropy_coef: f64 = 0.01,
        /// Lower bound of the log standard deviation. Not stated for PPO; `LOG_STD_MIN` of the official SAC-ERA.
        log_std_min: f64 = -8.0,
        /// Upper bound of the log standard deviation. Not stated for PPO; `LOG_STD_MAX` of the official SAC-ERA.
        log_std_max: f64 = 0.0,
    }
}

impl PpoEraParams {
    /// The activation for `act_dim` dimensions.
    fn activation(&self, act_dim: usize) -> Result<GaussianEra, era::Error> {
        GaussianEra::new(GaussianEraConfig {
            action_dim: act_dim,
            target_per_dim: self.target_entropy_per_dim,
            log_std_min: self.log_std_min,
            log_std_max: self.log_std_max,
            compensation: Compensation::None,
        })
    }
}

impl ParamSet for PpoEraParams {
    fn validate(&self, _task: &str) -> Result<(), ParamError> {
        params::not_negative("entropy_coef", self.entropy_coef)?;
        params::log_std_bounds(self.log_std_min, self.log_std_max)?;
        // What the bounds can give does not depend on the number of dimensions.
        self.activation(2).map_err(|error| {
            params::range("target_entropy_per_dim", format!("does not fit: {error}"))
        })?;
        self.common().validate()
    }
}

/// The method `ppo-era`.
#[derive(Debug)]
pub struct PpoEra;

impl Method for PpoEra {
    fn name(&self) -> &'static str {
        "ppo-era"
    }

    fn about(&self) -> &'static str {
        "PPO with the entropy fixed by the activation on a state-dependent head"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn supports(&self, task: &str) -> Result<(), String> {
        params::several_actions(task, "ppo")
    }

    fn resolve(&self, task: &str, given: &Params) -> Result<Params, ParamError> {
        method::resolve::<PpoEraParams>(task, given)
    }

    fn cost(&self, task: &str, params: &Params) -> Cost {
        let params: PpoEraParams = method::typed(task, params).unwrap_or_default();
        params.common().cost(task)
    }

    fn train(&self, cell: &Cell, run: &mut Run) -> Result<(), TrainError> {
        let params: PpoEraParams = params::of(cell)?;
        let common = params.common();
        let streams = run.streams();
        let mut rollouts = Rollouts::new(&cell.task, &common, streams)?;
        let device = crate::device(run)?;
        let mut agent = Agent::new(&params, rollouts.spec(), streams, &device)?;
        let mut test = collector::make(&cell.task)?;
        if let Some(checkpoint) = run.resume()? {
            rollouts.restore(&checkpoint)?;
            agent.restore(&checkpoint)?;
        }
        let mut actions = Actions::default();
        let mut batch = Minibatch::default();
        let mut clock = Clock::start(rollouts.step(), agent.updates);
        while rollouts.step() < common.last_step() {
            // Act: T steps of every environment with one policy.
            let learning_rate = common.learning_rate_at(rollouts.step());
            rollouts.begin();
            while !rollouts.full() {
                agent.explore(
                    rollouts.observations(),
                    rollouts.vector_steps(),
                    &mut actions,
                );
                rollouts.take(&actions)?;
            }

            // Judge: advantages with the values before any update.
            let estimates =
                rollouts.estimate(|obs| agent.values(obs), params.discount, params.gae_lambda);

            // Learn: some passes over the rollout in minibatches.
            let step = rollouts.step();
            let mut losses = PpoLosses::new(&estimates);
            for _ in 0..params.epochs {
                for rows in rollouts
                    .shuffled(agent.epochs)
                    .chunks_exact(params.minibatch_size)
                {
                    rollouts.gather(rows, &estimates, &mut batch);
                    losses.add(agent.update(&mut batch, learning_rate), step)?;
                }
                agent.epochs += 1;
            }

            if common.evaluation_due(step) {
                report_speed(run, &clock, step, agent.updates)?;
                let policy = |obs: &[f32], action: &mut [f32]| {
                    agent.exploit(&rollouts, obs, action);
                };
                let evaluation = evaluate(&mut test, streams, params.eval_episodes, policy)
                    .map_err(|error| collector::diverged(&error, step))?;
                let policy = agent.measure(rollouts.visited());
                let mut metrics = losses.metrics();
                metrics.extend([
                    ("policy/action_clipped", rollouts.clipped()),
                    ("learning_rate", learning_rate),
                ]);
                record(
                    run,
                    step,
                    rollouts.take_mean_return(),
                    &evaluation,
                    &policy,
                    &metrics,
                )?;
                clock = Clock::start(step, agent.updates);
            }
            run.progress(step, common.last_step());
            if run.checkpoint_due() {
                let mut checkpoint = rollouts.save();
                agent.save(&mut checkpoint);
                run.save(&checkpoint)?;
            }
        }
        Ok(())
    }
}

/// What learns: networks, optimisers and the policy. The actor puts out a mean and a raw value for each action dimension.
#[derive(Debug)]
struct Agent {
    params: PpoEraParams,
    loss: PpoLoss,
    act_dim: usize,
    era: GaussianEra,
    nets: ActorCritic,
    streams: Streams,
    updates: u64,
    epochs: u64,
}

/// Mean, raw value and log standard deviation of every action dimension, rows of `act_dim`.
struct Heads {
    mean: Vec<f64>,
    raw: Vec<f64>,
    log_std: Vec<f64>,
}

impl Agent {
    /// Networks for the task, drawn from the streams of a run.
    fn new(
        params: &PpoEraParams,
        spec: Spec,
        streams: Streams,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let common = params.common();
        let era = params
            .activation(spec.act_dim)
            .map_err(|error| TrainError::Other(error.to_string()))?;
        Ok(Self {
            loss: common.loss(params.entropy_coef),
            act_dim: spec.act_dim,
            era,
            nets: ActorCritic::new(&common, spec, 2 * spec.act_dim, Vec::new(), streams, device),
            streams,
            updates: 0,
            epochs: 0,
            params: params.clone(),
        })
    }

    /// The actor's output taken apart, and the activation applied.
    fn heads(&self, output: &[f32]) -> Heads {
        let size = output.len() / 2;
        let mut mean = Vec::with_capacity(size);
        let mut raw = Vec::with_capacity(size);
        for row in output.chunks_exact(2 * self.act_dim) {
            let (row_mean, row_raw) = row.split_at(self.act_dim);
            mean.extend(row_mean.iter().copied().map(f64::from));
            raw.extend(row_raw.iter().copied().map(f64::from));
        }
        let mut log_std = vec![0.0; size];
        self.era.log_std(&raw, &mut log_std);
        Heads { mean, raw, log_std }
    }

    /// Actions for rows of observations, drawn from the policy at step `step` of the environments.
    fn explore(&self, obs: &[f32], step: u64, actions: &mut Actions) {
        let rows = obs.len() / self.nets.inputs();
        let Heads { mean, log_std, .. } = self.heads(&self.nets.act(obs, rows));
        let distribution = self.params.distribution;
        actions.action.resize(mean.len(), 0.0);
        distribution.draw(
            &mean,
            &log_std,
            &mut self.streams.at("action", step),
            &mut actions.action,
        );
        actions.log_prob.clear();
        let densities = distribution.densities(&mean, &log_std, &actions.action);
        let rows = densities.log_prob.value.chunks_exact(self.act_dim);
        actions
            .log_prob
            .extend(rows.map(|row| row.iter().sum::<f64>()));
    }

    /// The policy's mode, for evaluation.
    fn exploit(&self, rollouts: &Rollouts, obs: &[f32], action: &mut [f32]) {
        let mut normalised = vec![0.0; obs.len()];
        rollouts.normalise(obs, &mut normalised);
        let Heads { mean, .. } = self.heads(&self.nets.act(&normalised, 1));
        for (action, mean) in action.iter_mut().zip(mean) {
            *action = self.params.distribution.mode(mean);
        }
    }

    /// Values of rows of observations.
    fn values(&self, obs: &[f32]) -> Vec<f64> {
        self.nets.values(obs, obs.len() / self.nets.inputs())
    }

    /// One step down the gradient of the losses of a minibatch.
    fn update(&mut self, batch: &mut Minibatch, learning_rate: f64) -> LossReport {
        if self.params.normalise_advantages {
            ppo_loss::normalise(&mut batch.advantage);
        }
        let pass = self.nets.pass(&batch.obs, batch.log_prob.len());
        let (mut report, outputs) = self.differentiate(&pass.output, &pass.values, batch);
        report.grad_norm = self.nets.descend(pass, &outputs, learning_rate);
        self.updates += 1;
        report
    }

    /// The losses of a minibatch, and how the whole loss changes with the actor's output and the values.
    fn differentiate(
        &self,
        output: &[f32],
        values: &[f64],
        batch: &Minibatch,
    ) -> (LossReport, OutputGradients) {
        let act_dim = self.act_dim;
        let Heads { mean, raw, log_std } = self.heads(output);

        // Log-densities of the actions that were taken and entropies, with their derivatives.
        let distribution = self.params.distribution;
        let Densities { log_prob, entropy } =
            distribution.densities(&mean, &log_std, &batch.action);
        let over_dims = |column: &[f64]| -> Vec<f64> {
            let rows = column.chunks_exact(act_dim);
            rows.map(|row| row.iter().sum()).collect()
        };
        let now = Now {
            log_prob: &over_dims(&log_prob.value),
            entropy: &over_dims(&entropy.value),
            value: values,
        };
        let mut gradients = LossGradients::default();
        let report = self.loss.evaluate(Taken::of(batch), now, &mut gradients);

        // From log-densities and entropies on to means and log standard deviations, and through the activation.
        let chain = |of_log_prob: &[f64], of_entropy: &[f64]| -> Vec<f64> {
            let each = of_log_prob.iter().zip(of_entropy).zip(0..);
            each.map(|((density, entropy), at)| {
                gradients.log_prob[at / act_dim] * density + gradients.entropy * entropy
            })
            .collect()
        };
        let of_mean = chain(&log_prob.d_mean, &entropy.d_mean);
        let of_log_std = chain(&log_prob.d_log_std, &entropy.d_log_std);
        let mut of_raw = vec![0.0; raw.len()];
        self.era.log_std_vjp(&raw, &of_log_std, &mut of_raw);
        let mut outputs = OutputGradients {
            critic: gradients.value.iter().map(|slope| *slope as f32).collect(),
            ..OutputGradients::default()
        };
        for (mean, raw) in of_mean
            .chunks_exact(act_dim)
            .zip(of_raw.chunks_exact(act_dim))
        {
            outputs
                .actor
                .extend(mean.iter().chain(raw).map(|slope| *slope as f32));
        }
        (report, outputs)
    }

    /// The policy over visited states.
    fn measure(&self, obs: &[f32]) -> PolicyReport {
        let output = self.nets.act(obs, obs.len() / self.nets.inputs());
        let Heads { mean, log_std, .. } = self.heads(&output);
        let narrow = |values: Vec<f64>| values.into_iter().map(|x| x as f32).collect::<Vec<f32>>();
        let (mean, log_std) = (narrow(mean), narrow(log_std));
        let family = self.params.distribution.family();
        let bound = self.params.target_entropy_per_dim * self.act_dim as f64;
        PolicyReport::of_rows(family, &mean, &log_std, self.act_dim, Some(bound))
            .with_clipped_rows(&log_std, self.params.log_std_min)
    }

    fn save(&self, checkpoint: &mut Checkpoint) {
        self.nets.save(checkpoint);
        for (name, count) in [("updates", self.updates), ("epochs", self.epochs)] {
            checkpoint.meta.insert(name.to_owned(), count.into());
        }
    }

    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        self.nets.restore(checkpoint)?;
        self.updates = store::get_meta(checkpoint, "updates")?;
        self.epochs = store::get_meta(checkpoint, "epochs")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
