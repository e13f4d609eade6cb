//! PPO with an entropy bonus in its loss: what ERA does away with. The agent is `ppo`'s, whose loss has a weight for the
//! entropy; the loop stands here word for word.
//!
//! `docs/algorithms/ppo-entropy-bonus.md` says what is recorded.

use era_harness::method::{self, ParamSet};
use era_harness::run::Run;
use era_harness::{Cell, Cost, Method, ParamError, Params, TrainError};

use crate::collector;
use crate::evaluate::evaluate;
use crate::methods::ppo::Agent;
use crate::params;
use crate::ppo_params::ppo_parameters;
use crate::ppo_probe::PpoLosses;
use crate::probe::{Clock, record, report_speed};
use crate::rollout::{Actions, Minibatch, Rollouts};

ppo_parameters! {
    /// Parameters of `ppo-entropy-bonus`.
    PpoEntropyBonusParams {
        /// Weight of the mean entropy (nats over all dimensions) in the loss. 0.01 is what PPO-ERA is reported to keep; PPO's
        /// paper has it for Atari, CleanRL and SB3 have 0 for continuous control.
        entropy_coef: f64 = 0.01,
        /// Log standard deviation of every action dimension at the start; it is learned and depends on no state.
        log_std_init: f64 = 0.0,
    }
}

impl ParamSet for PpoEntropyBonusParams {
    fn validate(&self, _task: &str) -> Result<(), ParamError> {
        params::not_negative("entropy_coef", self.entropy_coef)?;
        params::between("log_std_init", self.log_std_init, -10.0, 4.0)?;
        self.common().validate()
    }
}

/// The method `ppo-entropy-bonus`.
#[derive(Debug)]
pub struct PpoEntropyBonus;

impl Method for PpoEntropyBonus {
    fn name(&self) -> &'static str {
        "ppo-entropy-bonus"
    }

    fn about(&self) -> &'static str {
        "PPO with the policy's entropy in its loss"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn supports(&self, _task: &str) -> Result<(), String> {
        Ok(())
    }

    fn resolve(&self, task: &str, given: &Params) -> Result<Params, ParamError> {
        method::resolve::<PpoEntropyBonusParams>(task, given)
    }

    fn cost(&self, task: &str, params: &Params) -> Cost {
        let params: PpoEntropyBonusParams = method::typed(task, params).unwrap_or_default();
        params.common().cost(task)
    }

    fn train(&self, cell: &Cell, run: &mut Run) -> Result<(), TrainError> {
        let params: PpoEntropyBonusParams = params::of(cell)?;
        let common = params.common();
        let streams = run.streams();
        let mut rollouts = Rollouts::new(&cell.task, &common, streams)?;
        let (log_std, entropy_coef) = (params.log_std_init, params.entropy_coef);
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
