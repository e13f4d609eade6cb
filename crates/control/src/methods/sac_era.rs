//! SAC-ERA: the activation after the actor's last layer fixes the entropy, no loss has an entropy term.
//!
//! ERA paper (arXiv 2510.08549) and its official code, `sac-era/jaxrl`. `docs/algorithms/sac-era.md` says what is
//! recorded and where this differs from them.

mod policy;

use burn::tensor::{Device, Tensor};
use era::{Compensation, GaussianEra, GaussianEraConfig, LearnedDelta};
use era_envs::Spec;
use era_harness::method::{self, ParamSet};
use era_harness::run::{Checkpoint, Run};
use era_harness::seed::Streams;
use era_harness::{Cell, Cost, Method, ParamError, Params, TrainError};
use era_nn::Mlp;

use crate::collector::{self, Collector};
use crate::evaluate::evaluate;
use crate::losses;
use crate::nets::{ActorOutput, Nets, actor_rows, q_values};
use crate::params::{self, parameters};
use crate::probe::{Clock, Losses, PolicyReport, report, report_speed};
use crate::replay::Batch;
use crate::store;

pub use policy::Distribution;

parameters! {
    /// Parameters of `sac-era`.
    SacEraParams {
        /// H0: entropy to hold, in nats for each action dimension. 0.25 in the official code (`train_parallel.py:43`),
        /// which has no compensation; the class default there is -0.5.
        target_entropy_per_dim: f64 = 0.25,
        /// How the Gaussian is bounded: truncated as in the official code (`policies.py`), or squashed by tanh. The paper
        /// presents both.
        distribution: Distribution = Distribution::TruncatedNormal,
        /// What is added to H0 for the entropy that bounding costs: nothing as in the official code, a constant, or an
        /// amount learned as in the paper's Eq. 12.
        compensation: CompensationKind = CompensationKind::None,
        /// The constant, or the start of the learned amount, in nats for each action dimension. 0.75 is above the largest
        /// loss of a truncated normal with standard deviations of at most 0.7; what a tanh-normal loses has no such bound.
        compensation_per_dim: f64 = 0.75,
        /// Learning rate of a learned compensation (gradient descent); not stated in the sources.
        compensation_lr: f64 = 1e-3,
        /// Lower bound of the log standard deviation (`LOG_STD_MIN` in `policies.py`).
        log_std_min: f64 = -8.0,
        /// Upper bound of the log standard deviation (`LOG_STD_MAX` in `policies.py`).
        log_std_max: f64 = 0.0,
    }
}

/// What is added to the target entropy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CompensationKind {
    /// Nothing.
    None,
    /// A constant.
    Constant,
    /// An amount that rises while the policy's entropy is below the target.
    Learned,
}

impl SacEraParams {
    /// The activation for `act_dim` dimensions, before anything was learned.
    fn activation(&self, act_dim: usize) -> Result<GaussianEra, era::Error> {
        let delta = self.compensation_per_dim * act_dim as f64;
        GaussianEra::new(GaussianEraConfig {
            action_dim: act_dim,
            target_per_dim: self.target_entropy_per_dim,
            log_std_min: self.log_std_min,
            log_std_max: self.log_std_max,
            compensation: match self.compensation {
                CompensationKind::None => Compensation::None,
                CompensationKind::Constant => Compensation::Constant { delta },
                CompensationKind::Learned => {
                    Compensation::Learned(LearnedDelta::starting_at(delta))
                }
            },
        })
    }
}

impl ParamSet for SacEraParams {
    fn validate(&self, _task: &str) -> Result<(), ParamError> {
        params::not_negative("compensation_per_dim", self.compensation_per_dim)?;
        params::positive("compensation_lr", self.compensation_lr)?;
        params::log_std_bounds(self.log_std_min, self.log_std_max)?;
        // What the bounds can give does not depend on the number of dimensions.
        self.activation(2).map_err(|error| {
            params::range("target_entropy_per_dim", format!("does not fit: {error}"))
        })?;
        self.common().validate()
    }
}

/// The method `sac-era`.
#[derive(Debug)]
pub struct SacEra;

impl Method for SacEra {
    fn name(&self) -> &'static str {
        "sac-era"
    }

    fn about(&self) -> &'static str {
        "the activation fixes the policy's entropy, no loss has an entropy term"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn supports(&self, task: &str) -> Result<(), String> {
        params::several_actions(task, "sac-fixed-sigma")
    }

    fn resolve(&self, task: &str, given: &Params) -> Result<Params, ParamError> {
        method::resolve::<SacEraParams>(task, given)
    }

    fn cost(&self, task: &str, params: &Params) -> Cost {
        let params: SacEraParams = method::typed(task, params).unwrap_or_default();
        params.common().cost(task)
    }

    fn train(&self, cell: &Cell, run: &mut Run) -> Result<(), TrainError> {
        let params: SacEraParams = params::of(cell)?;
        let streams = run.streams();
        let mut collector = Collector::new(&cell.task, params.common(), streams)?;
        let device = crate::device(run)?;
        let mut agent = Agent::new(params.clone(), collector.spec(), streams, &device)?;
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
    params: SacEraParams,
    act_dim: usize,
    era: GaussianEra,
    nets: Nets,
    streams: Streams,
    updates: u64,
}

impl Agent {
    /// Networks for the task on a device, drawn from the streams of a run.
    ///
    /// # Errors
    /// The bounds of the standard deviation cannot give the target entropy.
    pub fn new(
        params: SacEraParams,
        spec: Spec,
        streams: Streams,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let era = params
            .activation(spec.act_dim)
            .map_err(|error| TrainError::Other(error.to_string()))?;
        Ok(Self {
            act_dim: spec.act_dim,
            era,
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
        })
    }

    /// One update of critics, actor and target critics; `measure` asks for gradient norms too.
    pub fn update(&mut self, batch: &Batch, measure: bool) -> Losses {
        let size = batch.size();
        let mut draws = vec![0.0; 2 * size * self.act_dim];
        let policy = self.params.distribution;
        policy.draw_noise(&mut self.streams.at("noise", self.updates), &mut draws);
        let (next_noise, noise) = draws.split_at(size * self.act_dim);
        let (next_noise, noise) = (
            self.nets.matrix(next_noise, size),
            self.nets.matrix(noise, size),
        );
        let batch = self.nets.tensors(batch);

        // Critics: regress to r + gamma (1 - terminated) min Q'(s', a').
        let (mean, log_std) = distribution(&self.era, &self.nets.actor, batch.next_obs.clone());
        let next_action = policy.sample(mean, log_std, next_noise);
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
            let (mean, log_std) = distribution(&self.era, actor, batch.obs.clone());
            let action = policy.sample(mean, log_std, noise);
            let q = q_values(critics, batch.obs.clone(), action.unsqueeze());
            -losses::smaller(q).mean()
        });

        let own = self.learn_compensation(batch.obs);
        self.nets.track(self.params.tau);
        self.updates += 1;
        Losses {
            critic,
            actor,
            q_mean,
            own,
        }
    }

    /// Moves a learned compensation delta down the gradient of the mean of delta (H[pi] - H0).
    fn learn_compensation(&mut self, obs: Tensor<3>) -> Vec<(&'static str, f64)> {
        let config = *self.era.config();
        let Compensation::Learned(delta) = config.compensation else {
            return Vec::new();
        };
        let (mean, log_std) = distribution(&self.era, &self.nets.actor, obs);
        let mut rng = self.streams.at("compensation", self.updates);
        let entropies = self.params.distribution.entropy(mean, log_std, &mut rng);
        let entropy = entropies.mean().into_scalar::<f32>();
        let target = self.target_entropy();
        let next = delta.descend(f64::from(entropy), target, self.params.compensation_lr);
        // A delta beyond what the bounds of sigma can give is not taken: then all sigmas are the largest already.
        let compensation = Compensation::Learned(next);
        if let Ok(era) = GaussianEra::new(GaussianEraConfig {
            compensation,
            ..config
        }) {
            self.era = era;
        }
        vec![("loss/delta", delta.loss(f64::from(entropy), target))]
    }

    /// H0 in nats over all dimensions.
    fn target_entropy(&self) -> f64 {
        self.params.target_entropy_per_dim * self.act_dim as f64
    }

    /// An action drawn from the policy at environment step `step`.
    pub fn explore(&self, obs: &[f32], step: u64) -> Vec<f32> {
        let policy = self.params.distribution;
        let mut noise = vec![0.0; self.act_dim];
        policy.draw_noise(&mut self.streams.at("action", step), &mut noise);
        let noise = self.nets.matrix(&noise, 1);
        let (mean, log_std) = distribution(&self.era, &self.nets.actor, self.nets.rows(obs, 1));
        store::floats(policy.sample(mean, log_std, noise).into_data())
    }

    /// The policy's mode, for evaluation.
    pub fn exploit(&self, obs: &[f32], action: &mut [f32]) {
        let (mean, _) = distribution(&self.era, &self.nets.actor, self.nets.rows(obs, 1));
        let mode = self.params.distribution.mode(mean);
        action.copy_from_slice(&store::floats(mode.into_data()));
    }

    /// The policy over a batch of visited states.
    fn measure(&self, batch: &Batch) -> PolicyReport {
        let obs = self.nets.rows(&batch.obs, batch.size());
        let (mean, log_std) = distribution(&self.era, &self.nets.actor, obs);
        let (family, bound) = (self.params.distribution.family(), self.target_entropy());
        let report = PolicyReport::of(family, mean, log_std.clone(), Some(bound))
            .with_clipped(log_std, self.params.log_std_min);
        match self.era.config().compensation {
            Compensation::None => report,
            compensation => report.with("era/delta", compensation.delta()),
        }
    }

    pub(crate) fn save(&self, checkpoint: &mut Checkpoint) {
        self.nets.save(checkpoint);
        checkpoint.meta.insert(
            "compensation".to_owned(),
            serde_json::json!(self.era.config().compensation),
        );
        checkpoint
            .meta
            .insert("updates".to_owned(), self.updates.into());
    }

    pub(crate) fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        self.nets.restore(checkpoint)?;
        let compensation = store::get_meta(checkpoint, "compensation")?;
        self.era = GaussianEra::new(GaussianEraConfig {
            compensation,
            ..*self.era.config()
        })
        .map_err(|error| TrainError::Other(error.to_string()))?;
        self.updates = store::get_meta(checkpoint, "updates")?;
        Ok(())
    }
}

/// The mean before tanh, and the log standard deviation that the activation gives, `[B, act_dim]` each.
fn distribution(era: &GaussianEra, actor: &Mlp, obs: Tensor<3>) -> (Tensor<2>, Tensor<2>) {
    let output = actor_rows(actor, obs);
    let act_dim = era.action_dim();
    let mean = output.clone().narrow(1, 0, act_dim);
    let raw = output.narrow(1, act_dim, act_dim);
    (mean, era::burn::GaussianEra::new(*era).log_std(raw))
}
