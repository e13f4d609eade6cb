//! Experience: the environment that a method learns in, its replay buffer and the returns of its episodes.

use era_envs::{Episode, Spec};
use era_harness::TrainError;
use era_harness::run::{Array, Checkpoint};
use era_harness::seed::Streams;
use rand::RngExt;

use crate::params::Common;
use crate::replay::{Batch, Replay, Transition};
use crate::store;

/// Steps an environment, stores what happens and hands out batches.
#[derive(Debug)]
pub(crate) struct Collector {
    episode: Episode,
    replay: Replay,
    batch: Batch,
    streams: Streams,
    obs: Vec<f32>,
    step: u64,
    episodes: u64,
    earned: f64,
    /// Sum and number of the returns since the last evaluation.
    returns: (f64, u64),
}

impl Collector {
    /// Begins the first episode.
    pub(crate) fn new(
        task: &str,
        params: Common<'_>,
        streams: Streams,
    ) -> Result<Self, TrainError> {
        let mut episode = make(task)?;
        let spec = episode.spec();
        episode
            .reset(&mut streams.at("episode", 0))
            .map_err(|error| failed(&error))?;
        let capacity = params
            .replay_capacity
            .min(usize::try_from(params.steps).unwrap_or(usize::MAX));
        Ok(Self {
            obs: episode.observation().to_vec(),
            episode,
            replay: Replay::new(capacity, spec.obs_dim, spec.act_dim),
            batch: Batch::new(params.batch_size, spec.obs_dim, spec.act_dim),
            streams,
            step: 0,
            episodes: 0,
            earned: 0.0,
            returns: (0.0, 0),
        })
    }

    pub(crate) fn spec(&self) -> Spec {
        self.episode.spec()
    }

    /// Environment steps taken.
    pub(crate) fn step(&self) -> u64 {
        self.step
    }

    /// What is observed now.
    pub(crate) fn observation(&self) -> &[f32] {
        &self.obs
    }

    /// An action drawn uniformly.
    pub(crate) fn random_action(&self) -> Vec<f32> {
        let mut rng = self.streams.at("action", self.step);
        (0..self.spec().act_dim)
            .map(|_| rng.random_range(-1.0..=1.0))
            .collect()
    }

    /// Takes one step, stores it, and begins the next episode where one ended.
    pub(crate) fn take(&mut self, action: &[f32]) -> Result<(), TrainError> {
        let outcome = self
            .episode
            .step(action)
            .map_err(|error| diverged(&error, self.step))?;
        self.replay.push(Transition {
            obs: &self.obs,
            action,
            reward: outcome.reward as f32,
            next_obs: self.episode.observation(),
            terminated: outcome.terminated,
        });
        self.step += 1;
        self.earned += outcome.reward;
        if outcome.done() {
            self.returns.0 += self.earned;
            self.returns.1 += 1;
            self.earned = 0.0;
            self.episodes += 1;
            let mut rng = self.streams.at("episode", self.episodes);
            self.episode
                .reset(&mut rng)
                .map_err(|error| diverged(&error, self.step))?;
        }
        self.obs.copy_from_slice(self.episode.observation());
        Ok(())
    }

    /// A batch drawn for `update`.
    pub(crate) fn sample(&mut self, update: u64) -> &Batch {
        self.replay
            .sample(&mut self.streams.at("batch", update), &mut self.batch);
        &self.batch
    }

    /// A batch for measuring, which no update sees.
    pub(crate) fn visited(&mut self) -> &Batch {
        self.replay
            .sample(&mut self.streams.at("probe", self.step), &mut self.batch);
        &self.batch
    }

    /// The mean return of the episodes that ended since this was last asked; `None` when there was none.
    pub(crate) fn take_mean_return(&mut self) -> Option<f64> {
        let (sum, count) = std::mem::take(&mut self.returns);
        (count > 0).then(|| sum / count as f64)
    }

    pub(crate) fn save(&self) -> Checkpoint {
        let state = self.episode.state();
        let mut arrays = self.replay.save();
        arrays.insert("episode".to_owned(), Array::F64(vec![state.len()], state));
        arrays.insert(
            "returns".to_owned(),
            Array::F64(vec![2], vec![self.earned, self.returns.0]),
        );
        let meta = [
            ("episodes", self.episodes),
            ("returns.count", self.returns.1),
        ];
        Checkpoint {
            step: self.step,
            meta: meta
                .map(|(name, value)| (name.to_owned(), value.into()))
                .into(),
            arrays,
        }
    }

    pub(crate) fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        self.replay
            .restore(&checkpoint.arrays)
            .map_err(|error| failed(&error))?;
        let state = store::get_f64(checkpoint, "episode")?;
        self.episode
            .set_state(state)
            .map_err(|error| failed(&error))?;
        self.obs.copy_from_slice(self.episode.observation());
        self.step = checkpoint.step;
        self.episodes = store::get_meta(checkpoint, "episodes")?;
        if let [earned, sum] = store::get_f64(checkpoint, "returns")? {
            self.earned = *earned;
            self.returns = (*sum, store::get_meta(checkpoint, "returns.count")?);
        }
        Ok(())
    }
}

/// An environment of the task.
pub(crate) fn make(task: &str) -> Result<Episode, TrainError> {
    era_envs::make(task)
        .map(Episode::new)
        .map_err(|error| failed(&error))
}

pub(crate) fn failed(error: &dyn std::error::Error) -> TrainError {
    TrainError::Other(error.to_string())
}

/// What an environment refuses while it runs is a number that is not finite.
pub(crate) fn diverged(error: &era_envs::EnvError, step: u64) -> TrainError {
    match error {
        era_envs::EnvError::Action { .. } => TrainError::Diverged {
            what: "the action".to_owned(),
            step,
        },
        era_envs::EnvError::Diverged { .. } => TrainError::Diverged {
            what: "the simulation".to_owned(),
            step,
        },
        other => failed(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a policy puts out of bounds or out of the finite numbers fails the run, with what and where it was.
    #[test]
    fn actions_that_no_environment_takes_are_errors() {
        let params = crate::methods::sac::SacParams::default();
        for (action, expected) in [
            (1.5, "component 1 of the action is 1.5"),
            (f32::NAN, "the action is not finite at step 0"),
        ] {
            let mut collector = Collector::new("mini/point-mass", params.common(), Streams::new(0))
                .expect("a task");
            let error = collector.take(&[0.0, action]).expect_err("refused");
            assert!(error.to_string().contains(expected), "{error}");
            assert_eq!(collector.step(), 0);
        }
    }
}
