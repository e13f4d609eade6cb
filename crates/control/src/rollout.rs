//! On-policy experience: environments side by side, their running normalisation, and one rollout at a time.

use era_envs::{Spec, Vector};
use era_harness::TrainError;
use era_harness::run::{Array, Checkpoint};
use era_harness::seed::Streams;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::collector::{self, failed};
use crate::normalise::{Observations, Rewards};
use crate::ppo_loss::{self, Rollout};
use crate::ppo_params::Common;
use crate::store;

/// Actions for all environments, with their log-density under the policy that drew them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Actions {
    /// `[N, act_dim]`, as the policy drew them: clipped to [-1, 1] on their way to the environment only.
    pub(crate) action: Vec<f32>,
    /// `[N]`, summed over dimensions.
    pub(crate) log_prob: Vec<f64>,
}

/// One rollout of T steps of N environments, row major `[T, N]`.
#[derive(Clone, Debug, Default)]
struct Experience {
    /// Normalised.
    obs: Vec<f32>,
    action: Vec<f32>,
    log_prob: Vec<f64>,
    /// Normalised.
    reward: Vec<f64>,
    terminated: Vec<bool>,
    truncated: Vec<bool>,
    /// The rows that a time limit ended, and what was observed there, normalised.
    cut: Vec<usize>,
    cut_obs: Vec<f32>,
    /// Action components that were outside [-1, 1].
    clipped: u64,
}

/// What a rollout's states and actions were worth; `[T, N]`.
#[derive(Clone, Debug)]
pub(crate) struct Estimates {
    pub(crate) value: Vec<f64>,
    pub(crate) advantage: Vec<f64>,
    /// What values are regressed to: advantage plus value.
    pub(crate) returns: Vec<f64>,
}

/// Rows of a rollout, gathered.
#[derive(Clone, Debug, Default)]
pub struct Minibatch {
    /// `[B, obs_dim]`, normalised.
    pub obs: Vec<f32>,
    /// `[B, act_dim]`, as drawn.
    pub action: Vec<f32>,
    /// `[B]`, under the policy that drew them.
    pub log_prob: Vec<f64>,
    /// `[B]`.
    pub advantage: Vec<f64>,
    /// `[B]`.
    pub returns: Vec<f64>,
    /// `[B]`, before the update.
    pub value: Vec<f64>,
}

/// Steps environments with a policy and keeps the last rollout.
#[derive(Debug)]
pub(crate) struct Rollouts {
    envs: Vector,
    observations: Observations,
    rewards: Rewards,
    streams: Streams,
    rollout_steps: usize,
    /// What is observed now, normalised, `[N, obs_dim]`.
    obs: Vec<f32>,
    clipped: Vec<f32>,
    experience: Experience,
    /// Steps of all environments together, each counting one.
    vector_steps: u64,
    /// Sum and number of the returns since the last evaluation, as the task gave them.
    returns: (f64, u64),
}

impl Rollouts {
    /// Begins the first episodes.
    pub(crate) fn new(
        task: &str,
        params: &Common<'_>,
        streams: Streams,
    ) -> Result<Self, TrainError> {
        let envs = Vector::make(task, params.num_envs).map_err(|error| failed(&error))?;
        Self::over(envs, params, streams)
    }

    /// Begins the first episodes of environments that are there.
    fn over(mut envs: Vector, params: &Common<'_>, streams: Streams) -> Result<Self, TrainError> {
        envs.reset(first_state(streams, params.num_envs))
            .map_err(|error| failed(&error))?;
        let spec = envs.spec();
        let mut rollouts = Self {
            observations: Observations::new(spec.obs_dim, params.normalise_observations),
            rewards: Rewards::new(params.num_envs, params.discount, params.normalise_rewards),
            streams,
            rollout_steps: params.rollout_steps,
            obs: vec![0.0; params.num_envs * spec.obs_dim],
            clipped: Vec::new(),
            experience: Experience::default(),
            vector_steps: 0,
            returns: (0.0, 0),
            envs,
        };
        for obs in rollouts.envs.observations().chunks_exact(spec.obs_dim) {
            rollouts.observations.see(obs);
        }
        rollouts.observe();
        Ok(rollouts)
    }

    pub(crate) fn spec(&self) -> Spec {
        self.envs.spec()
    }

    /// Environment steps taken, over all environments.
    pub(crate) fn step(&self) -> u64 {
        self.vector_steps * self.envs.len() as u64
    }

    /// How often all environments took a step: what streams of actions are numbered by.
    pub(crate) fn vector_steps(&self) -> u64 {
        self.vector_steps
    }

    /// What is observed now, `[N, obs_dim]`, normalised.
    pub(crate) fn observations(&self) -> &[f32] {
        &self.obs
    }

    /// The observations of the last rollout, `[T * N, obs_dim]`, normalised as they were when the policy acted on them.
    pub(crate) fn visited(&self) -> &[f32] {
        &self.experience.obs
    }

    /// Normalises an observation of an evaluation with the statistics as they are now.
    pub(crate) fn normalise(&self, obs: &[f32], out: &mut [f32]) {
        self.observations.normalise(obs, out);
    }

    /// Forgets the last rollout.
    pub(crate) fn begin(&mut self) {
        let experience = &mut self.experience;
        experience.obs.clear();
        experience.action.clear();
        experience.log_prob.clear();
        experience.reward.clear();
        experience.terminated.clear();
        experience.truncated.clear();
        experience.cut.clear();
        experience.cut_obs.clear();
        experience.clipped = 0;
    }

    /// Whether the rollout has its T steps.
    pub(crate) fn full(&self) -> bool {
        self.experience.reward.len() >= self.rollout_steps * self.envs.len()
    }

    /// Takes one step in every environment, clipped to what they accept, and keeps it.
    pub(crate) fn take(&mut self, actions: &Actions) -> Result<(), TrainError> {
        let experience = &mut self.experience;
        experience.obs.extend_from_slice(&self.obs);
        experience.action.extend_from_slice(&actions.action);
        experience.log_prob.extend_from_slice(&actions.log_prob);
        self.clipped.clear();
        // An infinite action is for the environment to refuse, and not to be taken for 1.
        let clip = |a: &f32| {
            if a.is_infinite() {
                *a
            } else {
                a.clamp(-1.0, 1.0)
            }
        };
        self.clipped.extend(actions.action.iter().map(clip));
        let outside = actions.action.iter().filter(|a| a.abs() > 1.0).count();
        experience.clipped += outside as u64;

        let step = self.step();
        self.envs
            .step(&self.clipped, first_state(self.streams, self.envs.len()))
            .map_err(|error| collector::diverged(&error, step))?;
        self.vector_steps += 1;
        self.keep();
        self.observe();
        for (earned, _) in self.envs.finished() {
            self.returns.0 += earned;
            self.returns.1 += 1;
        }
        Ok(())
    }

    /// Stores what the last step gave and takes its observations into the statistics: the one that an episode ended with
    /// and the one that the next began with are both seen, as with a wrapper round each environment.
    fn keep(&mut self) {
        let width = self.envs.spec().obs_dim;
        let experience = &mut self.experience;
        let seen = self.envs.final_observations().chunks_exact(width);
        let next = self.envs.observations().chunks_exact(width);
        for (index, (transition, (seen, next))) in self
            .envs
            .transitions()
            .iter()
            .zip(seen.zip(next))
            .enumerate()
        {
            self.observations.see(seen);
            if transition.truncated {
                experience.cut.push(experience.reward.len());
                let end = experience.cut_obs.len();
                experience.cut_obs.resize(end + width, 0.0);
                self.observations
                    .normalise(seen, &mut experience.cut_obs[end..]);
            }
            let reward = self
                .rewards
                .scale(index, transition.reward, transition.terminated);
            experience.reward.push(reward);
            experience.terminated.push(transition.terminated);
            experience.truncated.push(transition.truncated);
            if transition.done() {
                self.observations.see(next);
            }
        }
    }

    fn observe(&mut self) {
        let width = self.envs.spec().obs_dim;
        let rows = self.envs.observations().chunks_exact(width);
        for (obs, out) in rows.zip(self.obs.chunks_exact_mut(width)) {
            self.observations.normalise(obs, out);
        }
    }

    /// Advantages and value targets of the rollout; `value` maps rows of normalised observations to values.
    pub(crate) fn estimate(
        &self,
        value: impl Fn(&[f32]) -> Vec<f64>,
        discount: f64,
        lambda: f64,
    ) -> Estimates {
        let experience = &self.experience;
        let values = value(&experience.obs);
        let mut final_values = vec![0.0; values.len()];
        if !experience.cut.is_empty() {
            let ends = value(&experience.cut_obs);
            for (at, value) in experience.cut.iter().zip(ends) {
                final_values[*at] = value;
            }
        }
        let rollout = Rollout {
            rewards: &experience.reward,
            values: &values,
            terminated: &experience.terminated,
            truncated: &experience.truncated,
            final_values: &final_values,
            last_values: &value(&self.obs),
        };
        let mut advantage = vec![0.0; values.len()];
        ppo_loss::advantages(rollout, discount, lambda, &mut advantage);
        let returns = advantage.iter().zip(&values).map(|(a, v)| a + v).collect();
        Estimates {
            value: values,
            advantage,
            returns,
        }
    }

    /// Every row of the rollout once, in an order drawn for `epoch` (counted over the whole run).
    pub(crate) fn shuffled(&self, epoch: u64) -> Vec<usize> {
        let mut rows: Vec<usize> = (0..self.experience.reward.len()).collect();
        rows.shuffle(&mut self.streams.at("shuffle", epoch));
        rows
    }

    /// Gathers `rows` into `batch`.
    pub(crate) fn gather(&self, rows: &[usize], estimates: &Estimates, batch: &mut Minibatch) {
        let Spec {
            obs_dim, act_dim, ..
        } = self.envs.spec();
        let experience = &self.experience;
        gather(&experience.obs, obs_dim, rows, &mut batch.obs);
        gather(&experience.action, act_dim, rows, &mut batch.action);
        gather(&experience.log_prob, 1, rows, &mut batch.log_prob);
        gather(&estimates.advantage, 1, rows, &mut batch.advantage);
        gather(&estimates.returns, 1, rows, &mut batch.returns);
        gather(&estimates.value, 1, rows, &mut batch.value);
    }

    /// Share of the action components of the last rollout that lay outside [-1, 1].
    pub(crate) fn clipped(&self) -> f64 {
        self.experience.clipped as f64 / self.experience.action.len() as f64
    }

    /// The mean return of the episodes that ended since this was last asked; `None` when there was none.
    pub(crate) fn take_mean_return(&mut self) -> Option<f64> {
        let (sum, count) = std::mem::take(&mut self.returns);
        (count > 0).then(|| sum / count as f64)
    }

    /// Between rollouts: what is kept of the last one is not needed any more.
    pub(crate) fn save(&self) -> Checkpoint {
        let numbers = [
            ("envs", self.envs.state()),
            ("normalise.obs", self.observations.moments.state()),
            ("normalise.reward", self.rewards.moments.state()),
            ("normalise.returns", self.rewards.returns.clone()),
            ("returns", vec![self.returns.0]),
        ];
        let mut arrays = std::collections::BTreeMap::new();
        for (name, values) in numbers {
            arrays.insert(name.to_owned(), Array::F64(vec![values.len()], values));
        }
        Checkpoint {
            step: self.step(),
            meta: [("returns.count".to_owned(), self.returns.1.into())].into(),
            arrays,
        }
    }

    /// Continues from what [`save`](Self::save) stored.
    pub(crate) fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        self.envs
            .set_state(store::get_f64(checkpoint, "envs")?)
            .map_err(|error| failed(&error))?;
        let fits = self
            .observations
            .moments
            .set_state(store::get_f64(checkpoint, "normalise.obs")?)
            && self
                .rewards
                .moments
                .set_state(store::get_f64(checkpoint, "normalise.reward")?);
        let returns = store::get_f64(checkpoint, "normalise.returns")?;
        if !fits || returns.len() != self.envs.len() {
            return Err(store::missing("normalise"));
        }
        self.rewards.returns.copy_from_slice(returns);
        self.observe();
        self.vector_steps = checkpoint.step / self.envs.len() as u64;
        let earned = store::get_f64(checkpoint, "returns")?.first().copied();
        self.returns = (
            earned.unwrap_or_default(),
            store::get_meta(checkpoint, "returns.count")?,
        );
        Ok(())
    }
}

/// The generator of the `episode`-th reset of an environment.
fn first_state(streams: Streams, environments: usize) -> impl FnMut(usize, u64) -> ChaCha8Rng {
    move |index, episode| streams.at("episode", episode * environments as u64 + index as u64)
}

fn gather<T: Copy>(from: &[T], width: usize, rows: &[usize], to: &mut Vec<T>) {
    to.clear();
    for row in rows {
        to.extend_from_slice(&from[row * width..(row + 1) * width]);
    }
}

#[cfg(test)]
mod tests;
