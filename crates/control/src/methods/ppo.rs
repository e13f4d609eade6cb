//! PPO: proximal policy optimisation with a clipped surrogate (Schulman et al. 2017), after CleanRL's
//! `ppo_continuous_action.py`, without an entropy bonus.
//!
//! `docs/algorithms/ppo.md` says what is recorded and where this differs from CleanRL and SB3.

use burn::tensor::Device;
use era_envs::Spec;
use era_harness::method::{self, ParamSet};
use era_harness::run::{Checkpoint, Run};
use era_harness::seed::Streams;
use era_harness::{Cell, Cost, Method, ParamError, Params, TrainError};
use era_nn::standard_normal;

use crate::actor_critic::{ActorCritic, OutputGradients};
use crate::collector;
use crate::evaluate::evaluate;
use crate::normal;
use crate::params;
use crate::ppo_loss::{self, LossGradients, LossReport, Now, PpoLoss, Taken};
use crate::ppo_params::{Common, ppo_parameters};
use crate::ppo_probe::PpoLosses;
use crate::probe::{Clock, Family, PolicyReport, record, report_speed};
use crate::rollout::{Actions, Minibatch, Rollouts};
use crate::store;

ppo_parameters! {
    /// Parameters of `ppo`.
    PpoParams {
        /// Log standard deviation of every action dimension at the start; it is learned and depends on no state.
        log_std_init: f64 = 0.0,
    }
}

impl ParamSet for PpoParams {
    fn validate(&self, _task: &str) -> Result<(), ParamError> {
        params::between("log_std_init", self.log_std_init, -10.0, 4.0)?;
        self.common().validate()
    }
}

/// The method `ppo`.
#[derive(Debug)]
pub struct Ppo;

impl Method for Ppo {
    fn name(&self) -> &'static str {
        "ppo"
    }

    fn about(&self) -> &'static str {
        "proximal policy optimisation, no entropy bonus"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn supports(&self, _task: &str) -> Result<(), String> {
        Ok(())
    }

    fn resolve(&self, task: &str, given: &Params) -> Result<Params, ParamError> {
        method::resolve::<PpoParams>(task, given)
    }

    fn cost(&self, task: &str, params: &Params) -> Cost {
        let params: PpoParams = method::typed(task, params).unwrap_or_default();
        params.common().cost(task)
    }

    fn train(&self, cell: &Cell, run: &mut Run) -> Result<(), TrainError> {
        let params: PpoParams = params::of(cell)?;
        let common = params.common();
        let streams = run.streams();
        let mut rollouts = Rollouts::new(&cell.task, &common, streams)?;
        let (log_std, entropy_coef) = (params.log_std_init, 0.0);
        let device = crate::device(run)?;
        let mut agent = Agent::new(
            &common,
            log_std,
            entropy_coef,
            rollouts.spec(),
            streams,
            &device,
        );
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

/// What learns: networks, optimisers and the policy, a normal distribution in each action dimension.
#[derive(Debug)]
pub(crate) struct Agent {
    loss: PpoLoss,
    normalise_advantages: bool,
    act_dim: usize,
    /// The free numbers are the log standard deviations.
    nets: ActorCritic,
    streams: Streams,
    /// Minibatches learned from.
    pub(crate) updates: u64,
    /// Passes over rollouts.
    pub(crate) epochs: u64,
}

impl Agent {
    /// Networks for the task on a device, drawn from the streams of a run.
    pub(crate) fn new(
        params: &Common<'_>,
        log_std_init: f64,
        entropy_coef: f64,
        spec: Spec,
        streams: Streams,
        device: &Device,
    ) -> Self {
        let log_std = vec![log_std_init; spec.act_dim];
        Self {
            loss: params.loss(entropy_coef),
            normalise_advantages: params.normalise_advantages,
            act_dim: spec.act_dim,
            nets: ActorCritic::new(params, spec, spec.act_dim, log_std, streams, device),
            streams,
            updates: 0,
            epochs: 0,
        }
    }

    /// Actions for rows of observations, drawn from the policy at step `step` of the environments.
    pub(crate) fn explore(&self, obs: &[f32], step: u64, actions: &mut Actions) {
        let rows = obs.len() / self.nets.inputs();
        let mean = self.nets.act(obs, rows);
        actions.action.resize(mean.len(), 0.0);
        standard_normal(&mut self.streams.at("action", step), &mut actions.action);
        actions.log_prob.clear();
        let drawn = actions.action.chunks_exact_mut(self.act_dim);
        for (mean, action) in mean.chunks_exact(self.act_dim).zip(drawn) {
            let mut log_prob = 0.0;
            for ((mean, action), log_std) in mean.iter().zip(action).zip(&self.nets.free) {
                *action = mean + log_std.exp() as f32 * *action;
                log_prob += normal::log_prob(f64::from(*mean), *log_std, f64::from(*action)).value;
            }
            actions.log_prob.push(log_prob);
        }
    }

    /// The policy's mean, clipped, for evaluation.
    pub(crate) fn exploit(&self, rollouts: &Rollouts, obs: &[f32], action: &mut [f32]) {
        let mut normalised = vec![0.0; obs.len()];
        rollouts.normalise(obs, &mut normalised);
        for (action, mean) in action.iter_mut().zip(self.nets.act(&normalised, 1)) {
            *action = mean.clamp(-1.0, 1.0);
        }
    }

    /// Values of rows of observations.
    pub(crate) fn values(&self, obs: &[f32]) -> Vec<f64> {
        self.nets.values(obs, obs.len() / self.nets.inputs())
    }

    /// One step down the gradient of the losses of a minibatch.
    pub(crate) fn update(&mut self, batch: &mut Minibatch, learning_rate: f64) -> LossReport {
        if self.normalise_advantages {
            ppo_loss::normalise(&mut batch.advantage);
        }
        let pass = self.nets.pass(&batch.obs, batch.log_prob.len());
        let (mut report, outputs) = self.differentiate(&pass.output, &pass.values, batch);
        report.grad_norm = self.nets.descend(pass, &outputs, learning_rate);
        self.updates += 1;
        report
    }

    /// The losses of a minibatch, and how the whole loss changes with the means (the actor's output), the values and the log
    /// standard deviations.
    fn differentiate(
        &self,
        output: &[f32],
        values: &[f64],
        batch: &Minibatch,
    ) -> (LossReport, OutputGradients) {
        let (act_dim, rows) = (self.act_dim, batch.log_prob.len());
        // The policy's log-densities of the actions that were taken, with their derivatives.
        let mut densities = Vec::with_capacity(output.len());
        let means = output.chunks_exact(act_dim);
        let mut log_prob = Vec::with_capacity(rows);
        for (mean, action) in means.zip(batch.action.chunks_exact(act_dim)) {
            let each = mean.iter().zip(&self.nets.free).zip(action);
            densities.extend(each.map(|((mean, log_std), action)| {
                normal::log_prob(f64::from(*mean), *log_std, f64::from(*action))
            }));
            let row = &densities[densities.len() - act_dim..];
            log_prob.push(row.iter().map(|density| density.value).sum());
        }
        let now = Now {
            log_prob: &log_prob,
            entropy: &vec![era::gaussian_entropy(&self.nets.free); rows],
            value: values,
        };
        let mut gradients = LossGradients::default();
        let report = self.loss.evaluate(Taken::of(batch), now, &mut gradients);

        // From log-densities and entropies on to means and log standard deviations.
        let mut outputs = OutputGradients {
            actor: Vec::with_capacity(output.len()),
            critic: gradients.value.iter().map(|slope| *slope as f32).collect(),
            free: vec![gradients.entropy * rows as f64; act_dim],
        };
        for (slope, densities) in gradients
            .log_prob
            .iter()
            .zip(densities.chunks_exact(act_dim))
        {
            for (density, free) in densities.iter().zip(&mut outputs.free) {
                outputs.actor.push((slope * density.d_mean) as f32);
                *free += slope * density.d_log_std;
            }
        }
        (report, outputs)
    }

    /// The policy over visited states.
    pub(crate) fn measure(&self, obs: &[f32]) -> PolicyReport {
        let rows = obs.len() / self.nets.inputs();
        let log_std: Vec<f32> = self.nets.free.iter().map(|x| *x as f32).collect();
        PolicyReport::of_rows(
            Family::Normal,
            &self.nets.act(obs, rows),
            &log_std.repeat(rows),
            self.act_dim,
            None,
        )
    }

    pub(crate) fn save(&self, checkpoint: &mut Checkpoint) {
        self.nets.save(checkpoint);
        for (name, count) in [("updates", self.updates), ("epochs", self.epochs)] {
            checkpoint.meta.insert(name.to_owned(), count.into());
        }
    }

    pub(crate) fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        self.nets.restore(checkpoint)?;
        self.updates = store::get_meta(checkpoint, "updates")?;
        self.epochs = store::get_meta(checkpoint, "epochs")?;
        Ok(())
    }
}
