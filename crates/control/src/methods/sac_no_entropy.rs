//! SAC with the entropy term taken out of both losses: nothing keeps the policy from becoming deterministic.
//!
//! The ablation that the ERA paper reports as worse than SAC-ERA (`docs/algorithms/sac-no-entropy.md`).

use burn::tensor::{Device, Tensor};
use era::burn::TanhNormal;
use era_envs::Spec;
use era_harness::method::{self, ParamSet};
use era_harness::run::{Checkpoint, Run};
use era_harness::seed::Streams;
use era_harness::{Cell, Cost, Method, ParamError, Params, TrainError};
use era_nn::{Mlp, standard_normal};

use crate::collector::{self, Collector};
use crate::evaluate::evaluate;
use crate::losses;
use crate::nets::{ActorOutput, Nets, actor_rows, q_values};
use crate::params::{self, parameters};
use crate::probe::{Clock, Family, Losses, PolicyReport, report, report_speed};
use crate::replay::Batch;
use crate::store;

parameters! {
    /// Parameters of `sac-no-entropy`.
    SacNoEntropyParams {
        /// Lower bound of the log standard deviation; -20 in the authors' code (`LOG_SIG_CAP_MIN`) and SB3.
        log_std_min: f64 = -20.0,
        /// Upper bound of the log standard deviation; 2 in the authors' code (`LOG_SIG_CAP_MAX`) and SB3.
        log_std_max: f64 = 2.0,
    }
}

impl ParamSet for SacNoEntropyParams {
    fn validate(&self, _task: &str) -> Result<(), ParamError> {
        params::log_std_bounds(self.log_std_min, self.log_std_max)?;
        self.common().validate()
    }
}

/// The method `sac-no-entropy`.
#[derive(Debug)]
pub struct SacNoEntropy;

impl Method for SacNoEntropy {
    fn name(&self) -> &'static str {
        "sac-no-entropy"
    }

    fn about(&self) -> &'static str {
        "SAC without its entropy term and without ERA"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn supports(&self, _task: &str) -> Result<(), String> {
        Ok(())
    }

    fn resolve(&self, task: &str, given: &Params) -> Result<Params, ParamError> {
        method::resolve::<SacNoEntropyParams>(task, given)
    }

    fn cost(&self, task: &str, params: &Params) -> Cost {
        let params: SacNoEntropyParams = method::typed(task, params).unwrap_or_default();
        params.common().cost(task)
    }

    fn train(&self, cell: &Cell, run: &mut Run) -> Result<(), TrainError> {
        let params: SacNoEntropyParams = params::of(cell)?;
        let streams = run.streams();
        let mut collector = Collector::new(&cell.task, params.common(), streams)?;
        let device = crate::device(run)?;
        let mut agent = Agent::new(params.clone(), collector.spec(), streams, &device);
        let mut test = collector::make(&cell.task)?;
        if let Some(checkpoint) = run.resume()? {
            collector.restore(&checkpoint)?;
            agent.restore(&checkpoint)?;
        }
        let mut losses = None;
        let mut clock = Clock::start(collector.step(), agent.updates);
        while collector.step() < params.steps {
            let action = if collector.step() < params.learning_starts {
                collector.random_action()
            } else {
                agent.explore(collector.observation(), collector.step())
            };
            collector.take(&action)?;

            let step = collector.step();
            let evaluation_due = step % params.eval_every == 0 || step == params.steps;
            if step > params.learning_starts {
                for _ in 0..params.updates_per_step {
                    let batch = collector.sample(agent.updates);
                    losses = Some(agent.update(batch, evaluation_due).check(step)?);
                }
            }

            if evaluation_due {
                report_speed(run, &clock, step, agent.updates)?;
                let policy = |obs: &[f32], action: &mut [f32]| agent.exploit(obs, action);
                let evaluation = evaluate(&mut test, streams, params.eval_episodes, policy)
                    .map_err(|error| collector::diverged(&error, step))?;
                let policy = agent.measure(collector.visited());
                report(run, &mut collector, &evaluation, &policy, losses.as_ref())?;
                clock = Clock::start(step, agent.updates);
            }
            run.progress(step, params.steps);
            if run.checkpoint_due() {
                let mut checkpoint = collector.save();
                agent.save(&mut checkpoint);
                run.save(&checkpoint)?;
            }
        }
        Ok(())
    }
}

/// What learns: networks, optimisers and the policy.
#[derive(Debug)]
pub struct Agent {
    params: SacNoEntropyParams,
    act_dim: usize,
    nets: Nets,
    streams: Streams,
    updates: u64,
}

impl Agent {
    /// Networks for the task on a device, drawn from the streams of a run.
    pub fn new(params: SacNoEntropyParams, spec: Spec, streams: Streams, device: &Device) -> Self {
        Self {
            act_dim: spec.act_dim,
            nets: Nets::new(
                params.common(),
                spec,
                ActorOutput::MeanAndLogStd,
                streams,
                device,
            ),
            streams,
            updates: 0,
            params,
        }
    }

    /// One update of critics, actor and target critics; `measure` asks for gradient norms too.
    pub fn update(&mut self, batch: &Batch, measure: bool) -> Losses {
        let size = batch.size();
        let mut draws = vec![0.0; 2 * size * self.act_dim];
        standard_normal(&mut self.streams.at("noise", self.updates), &mut draws);
        let (next_noise, noise) = draws.split_at(size * self.act_dim);
        let (next_noise, noise) = (
            self.nets.matrix(next_noise, size),
            self.nets.matrix(noise, size),
        );
        let batch = self.nets.tensors(batch);

        // Critics: regress to r + gamma (1 - terminated) min Q'(s', a').
        let (mean, log_std) = distribution(&self.params, &self.nets.actor, batch.next_obs.clone());
        let next_action = TanhNormal.sample(mean, log_std, next_noise);
        let next_q = q_values(&self.nets.targets, batch.next_obs, next_action.unsqueeze());
        let next_value = losses::smaller(next_q);
        let target = losses::target(batch.reward, batch.mask, self.params.discount, next_value);
        let mut q_mean = 0.0;
        let critic = self.nets.descend_critics(measure, |critics| {
            let q = q_values(critics, batch.obs.clone(), batch.action);
            if measure {
                q_mean = f64::from(q.clone().inner().mean().into_scalar::<f32>());
            }
            losses::critic(q, target)
        });

        // Actor: minimise the mean of -min Q(s, a).
        let actor = self.nets.descend_actor(measure, |actor, critics| {
            let (mean, log_std) = distribution(&self.params, actor, batch.obs.clone());
            let action = TanhNormal.sample(mean, log_std, noise);
            let q = q_values(critics, batch.obs, action.unsqueeze());
            -losses::smaller(q).mean()
        });

        self.nets.track(self.params.tau);
        self.updates += 1;
        Losses {
            critic,
            actor,
            q_mean,
            own: Vec::new(),
        }
    }

    /// An action drawn from the policy at environment step `step`.
    pub fn explore(&self, obs: &[f32], step: u64) -> Vec<f32> {
        let mut noise = vec![0.0; self.act_dim];
        standard_normal(&mut self.streams.at("action", step), &mut noise);
        let noise = self.nets.matrix(&noise, 1);
        let (mean, log_std) = distribution(&self.params, &self.nets.actor, self.nets.rows(obs, 1));
        store::floats(TanhNormal.sample(mean, log_std, noise).into_data())
    }

    /// The policy's mode, for evaluation.
    pub fn exploit(&self, obs: &[f32], action: &mut [f32]) {
        let (mean, _) = distribution(&self.params, &self.nets.actor, self.nets.rows(obs, 1));
        action.copy_from_slice(&store::floats(TanhNormal.mode(mean).into_data()));
    }

    /// The policy over a batch of visited states.
    fn measure(&self, batch: &Batch) -> PolicyReport {
        let obs = self.nets.rows(&batch.obs, batch.size());
        let (mean, log_std) = distribution(&self.params, &self.nets.actor, obs);
        PolicyReport::of(Family::TanhNormal, mean, log_std.clone(), None)
            .with_clipped(log_std, self.params.log_std_min)
    }

    fn save(&self, checkpoint: &mut Checkpoint) {
        self.nets.save(checkpoint);
        checkpoint
            .meta
            .insert("updates".to_owned(), self.updates.into());
    }

    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        self.nets.restore(checkpoint)?;
        self.updates = store::get_meta(checkpoint, "updates")?;
        Ok(())
    }
}

/// Mean and log standard deviation of the Gaussian before tanh, `[B, act_dim]` each.
fn distribution(
    params: &SacNoEntropyParams,
    actor: &Mlp,
    obs: Tensor<3>,
) -> (Tensor<2>, Tensor<2>) {
    let output = actor_rows(actor, obs);
    let act_dim = output.dims()[1] / 2;
    let mean = output.clone().narrow(1, 0, act_dim);
    let log_std = output.narrow(1, act_dim, act_dim);
    (mean, log_std.clamp(params.log_std_min, params.log_std_max))
}
