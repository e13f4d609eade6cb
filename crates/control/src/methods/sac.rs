//! Soft actor-critic: a tanh-normal policy, two critics, a learned or a fixed temperature.
//!
//! Haarnoja et al. 2018, "Soft Actor-Critic Algorithms and Applications" (arXiv 1812.05905). `docs/algorithms/sac.md`
//! says what is recorded and where this differs from the paper, SB3 and CleanRL.

use burn::tensor::{Device, Tensor};
use era::burn::TanhNormal;
use era_envs::Spec;
use era_harness::method::{self, ParamSet};
use era_harness::run::{Checkpoint, Run};
use era_harness::seed::Streams;
use era_harness::{Cell, Cost, Method, ParamError, Params, TrainError};
use era_nn::{AdamConfig, Mlp, ScalarAdam, standard_normal};

use crate::collector::{self, Collector};
use crate::evaluate::evaluate;
use crate::losses;
use crate::nets::{ActorOutput, Nets, actor_rows, q_values};
use crate::params::{self, parameters};
use crate::probe::{Clock, Family, Losses, PolicyReport, report, report_speed};
use crate::replay::Batch;
use crate::store;

parameters! {
    /// Parameters of `sac`.
    SacParams {
        /// Whether the temperature is learned or stays where it starts. Fixed in the first SAC (arXiv 1801.01290), learned in
        /// the second (arXiv 1812.05905); both are offered by SB3 (`ent_coef`) and CleanRL (`autotune`).
        temperature: Temperature = Temperature::Learned,
        /// Learning rate of the temperature's logarithm (Adam); SB3 takes the same as for the networks. Without effect on a
        /// fixed temperature.
        alpha_lr: f64 = 3e-4,
        /// Temperature at the start, and to the end where it is fixed; 1 in SB3 and CleanRL.
        alpha_init: f64 = 1.0,
        /// Entropy that a learned temperature steers to, in nats for each action dimension; -1 in SAC's paper (App. D).
        target_entropy_per_dim: f64 = -1.0,
        /// Lower bound of the log standard deviation; -20 in the authors' code (`LOG_SIG_CAP_MIN`) and SB3.
        log_std_min: f64 = -20.0,
        /// Upper bound of the log standard deviation; 2 in the authors' code (`LOG_SIG_CAP_MAX`) and SB3.
        log_std_max: f64 = 2.0,
    }
}

/// What becomes of the temperature alpha, the weight of the entropy term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Temperature {
    /// It steers the policy's mean entropy to a target.
    Learned,
    /// It stays at `alpha_init`: no target, no optimiser.
    Fixed,
}

impl ParamSet for SacParams {
    fn validate(&self, _task: &str) -> Result<(), ParamError> {
        params::positive("alpha_lr", self.alpha_lr)?;
        params::positive("alpha_init", self.alpha_init)?;
        params::finite("target_entropy_per_dim", self.target_entropy_per_dim)?;
        params::log_std_bounds(self.log_std_min, self.log_std_max)?;
        self.common().validate()
    }
}

/// The method `sac`.
#[derive(Debug)]
pub struct Sac;

impl Method for Sac {
    fn name(&self) -> &'static str {
        "sac"
    }

    fn about(&self) -> &'static str {
        "soft actor-critic: tanh-normal policy, learned or fixed temperature"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn supports(&self, _task: &str) -> Result<(), String> {
        Ok(())
    }

    fn resolve(&self, task: &str, given: &Params) -> Result<Params, ParamError> {
        method::resolve::<SacParams>(task, given)
    }

    fn cost(&self, task: &str, params: &Params) -> Cost {
        let params: SacParams = method::typed(task, params).unwrap_or_default();
        params.common().cost(task)
    }

    fn train(&self, cell: &Cell, run: &mut Run) -> Result<(), TrainError> {
        let params: SacParams = params::of(cell)?;
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
    params: SacParams,
    act_dim: usize,
    nets: Nets,
    log_alpha: f64,
    alpha_adam: ScalarAdam,
    streams: Streams,
    updates: u64,
}

impl Agent {
    /// Networks for the task on a device, drawn from the streams of a run.
    pub fn new(params: SacParams, spec: Spec, streams: Streams, device: &Device) -> Self {
        Self {
            act_dim: spec.act_dim,
            nets: Nets::new(
                params.common(),
                spec,
                ActorOutput::MeanAndLogStd,
                streams,
                device,
            ),
            log_alpha: params.alpha_init.ln(),
            alpha_adam: ScalarAdam::new(AdamConfig::new(params.alpha_lr)),
            streams,
            updates: 0,
            params,
        }
    }

    /// One update of critics, actor, temperature and target critics; `measure` asks for gradient norms too.
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
        let alpha = self.log_alpha.exp();

        // Critics: regress to r + gamma (1 - terminated) (min Q'(s', a') - alpha log pi(a'|s')).
        let (mean, log_std) = distribution(&self.params, &self.nets.actor, batch.next_obs.clone());
        let (next_action, next_log_prob) =
            TanhNormal.sample_with_log_prob(mean, log_std, next_noise);
        let next_q = q_values(&self.nets.targets, batch.next_obs, next_action.unsqueeze());
        let next_value = soft_value(next_q, next_log_prob, alpha);
        let target = losses::target(batch.reward, batch.mask, self.params.discount, next_value);
        let mut q_mean = 0.0;
        let critic = self.nets.descend_critics(measure, |critics| {
            let q = q_values(critics, batch.obs.clone(), batch.action);
            if measure {
                q_mean = f64::from(q.clone().inner().mean().into_scalar::<f32>());
            }
            losses::critic(q, target)
        });

        // Actor: minimise the mean of alpha log pi(a|s) - min Q(s, a).
        let mut log_prob_mean = 0.0;
        let actor = self.nets.descend_actor(measure, |actor, critics| {
            let (mean, log_std) = distribution(&self.params, actor, batch.obs.clone());
            let (action, log_prob) = TanhNormal.sample_with_log_prob(mean, log_std, noise);
            log_prob_mean = f64::from(log_prob.clone().inner().mean().into_scalar::<f32>());
            let q = q_values(critics, batch.obs, action.unsqueeze());
            -soft_value(q, log_prob, alpha).mean()
        });

        let mut own = self.learn_temperature(alpha, log_prob_mean);
        own.push(("alpha", alpha));
        self.nets.track(self.params.tau);
        self.updates += 1;
        Losses {
            critic,
            actor,
            q_mean,
            own,
        }
    }

    /// Minimises the mean of -alpha (log pi(a|s) + target entropy), by the gradient in log alpha.
    fn learn_temperature(&mut self, alpha: f64, log_prob_mean: f64) -> Vec<(&'static str, f64)> {
        let Some(target_entropy) = self.target_entropy() else {
            return Vec::new();
        };
        let loss = temperature_loss(alpha, log_prob_mean, target_entropy);
        // As alpha = e^(log alpha) is a factor of the loss, the loss is its own derivative in log alpha.
        self.log_alpha = self.alpha_adam.step(self.log_alpha, loss);
        vec![("loss/alpha", loss)]
    }

    /// The entropy in nats, over all dimensions, that a learned temperature steers to.
    fn target_entropy(&self) -> Option<f64> {
        match self.params.temperature {
            Temperature::Learned => Some(self.params.target_entropy_per_dim * self.act_dim as f64),
            Temperature::Fixed => None,
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
        let bound = self.target_entropy();
        PolicyReport::of(Family::TanhNormal, mean, log_std.clone(), bound)
            .with_clipped(log_std, self.params.log_std_min)
    }

    fn save(&self, checkpoint: &mut Checkpoint) {
        self.nets.save(checkpoint);
        store::put_scalar(checkpoint, "log_alpha", self.log_alpha, &self.alpha_adam);
        checkpoint
            .meta
            .insert("updates".to_owned(), self.updates.into());
    }

    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        self.nets.restore(checkpoint)?;
        self.log_alpha = store::get_scalar(checkpoint, "log_alpha", &mut self.alpha_adam)?;
        self.updates = store::get_meta(checkpoint, "updates")?;
        Ok(())
    }
}

/// Mean and log standard deviation of the Gaussian before tanh, `[B, act_dim]` each.
fn distribution(params: &SacParams, actor: &Mlp, obs: Tensor<3>) -> (Tensor<2>, Tensor<2>) {
    let output = actor_rows(actor, obs);
    let act_dim = output.dims()[1] / 2;
    let mean = output.clone().narrow(1, 0, act_dim);
    let log_std = output.narrow(1, act_dim, act_dim);
    (mean, log_std.clamp(params.log_std_min, params.log_std_max))
}

/// min Q(s, a) - alpha log pi(a|s): `[2, B, 1]` and `[B, 1]` to `[B, 1]`.
fn soft_value(q: Tensor<3>, log_prob: Tensor<2>, alpha: f64) -> Tensor<2> {
    losses::smaller(q) - log_prob * alpha
}

/// The mean of -alpha (log pi(a|s) + target entropy): the paper's Eq. 18 and CleanRL. SB3 has log alpha for alpha.
fn temperature_loss(alpha: f64, log_prob_mean: f64, target_entropy: f64) -> f64 {
    -alpha * (log_prob_mean + target_entropy)
}

#[cfg(test)]
mod tests {
    use super::{soft_value, temperature_loss};
    use crate::golden::{assert_close, assert_close_of_smaller, cases, column, leaf, pair, row};
    use crate::losses;

    /// `critic_loss_cleanrl_sac` and its gradients: the loss of `cleanrl/sac_continuous_action.py` by torch in `f64`.
    #[test]
    fn critics_regress_to_the_soft_target() {
        for case in cases() {
            let next_q = pair(&case, "next_q1_target", "next_q2_target");
            let next_value = soft_value(
                next_q,
                column(&case, "next_log_prob"),
                case["alpha"].as_f64().expect("a number"),
            );
            let mask = column(&case, "terminated") * -1.0 + 1.0;
            let gamma = case["gamma"].as_f64().expect("a number");
            let target = losses::target(column(&case, "reward"), mask, gamma, next_value);
            assert_close(target.clone(), &row(&case["target_sac"]));
            let q = leaf(pair(&case, "q1", "q2"));
            let loss = losses::critic(q.clone(), target);
            assert_close(
                loss.clone().inner(),
                &[case["critic_loss_cleanrl_sac"].as_f64().expect("a number")],
            );
            let gradient = q.grad(&loss.backward()).expect("a gradient");
            let expected = [
                row(&case["grad_q1_cleanrl_sac"]),
                row(&case["grad_q2_cleanrl_sac"]),
            ]
            .concat();
            assert_close(gradient, &expected);
        }
    }

    #[test]
    fn the_actor_descends_the_negative_soft_value() {
        for case in cases() {
            let alpha = case["alpha"].as_f64().expect("a number");
            let (q, log_prob) = (
                leaf(pair(&case, "q1_pi", "q2_pi")),
                leaf(column(&case, "log_prob_pi")),
            );
            let loss = -soft_value(q.clone(), log_prob.clone(), alpha).mean();
            assert_close(
                loss.clone().inner(),
                &[case["actor_loss_sac"].as_f64().expect("a number")],
            );
            let gradients = loss.backward();
            let expected = row(&case["actor_grads"]["log_prob"]);
            assert_close(log_prob.grad(&gradients).expect("a gradient"), &expected);
            let expected = [
                row(&case["actor_grads"]["q1"]),
                row(&case["actor_grads"]["q2"]),
            ]
            .concat();
            let gradient = q.grad(&gradients).expect("a gradient");
            assert_close_of_smaller(gradient, &q.inner(), &expected);
        }
    }

    #[test]
    fn the_temperature_s_loss_is_its_own_gradient() {
        for case in cases() {
            let log_prob = row(&case["log_prob_pi"]);
            let mean = log_prob.iter().sum::<f64>() / log_prob.len() as f64;
            let number = |name: &str| case[name].as_f64().expect("a number");
            let loss = temperature_loss(number("alpha"), mean, number("target_entropy"));
            assert!((loss - number("alpha_loss_cleanrl")).abs() < 1e-12);
            assert!((loss - number("alpha_grad_log_alpha_cleanrl")).abs() < 1e-12);
        }
    }
}
