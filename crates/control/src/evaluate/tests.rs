use era_envs::{Env, Spec, Step};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::*;

/// Starts somewhere, moves by the action, pays where it stands, terminates beyond 1 and lasts ten steps at most.
#[derive(Debug, Default)]
struct Line {
    at: f64,
}

impl Env for Line {
    fn spec(&self) -> Spec {
        Spec {
            name: "test/line",
            obs_dim: 1,
            act_dim: 1,
            time_limit: 10,
        }
    }

    fn reset(&mut self, rng: &mut ChaCha8Rng, obs: &mut [f64]) {
        self.at = rng.random_range(0.0..0.5);
        obs[0] = self.at;
    }

    fn step(&mut self, action: &[f64], obs: &mut [f64]) -> Result<Step, EnvError> {
        self.at += action[0];
        obs[0] = self.at;
        Ok(Step {
            reward: self.at,
            terminated: self.at > 1.0,
        })
    }

    fn state(&self) -> Vec<f64> {
        vec![self.at]
    }

    fn set_state(&mut self, state: &[f64]) -> Result<(), EnvError> {
        self.at = state[0];
        Ok(())
    }
}

fn line() -> Episode {
    Episode::new(Box::new(Line::default()))
}

/// Evaluates with steps of `length`; also gives the first observation of every episode.
fn walk(episode: &mut Episode, seed: u64, length: f32) -> (Evaluation, Vec<f32>) {
    let mut starts = Vec::new();
    let mut fresh = true;
    let evaluation = evaluate(episode, Streams::new(seed), 6, |obs, action| {
        if fresh {
            starts.push(obs[0]);
        }
        action[0] = length;
        // The episode is over once this step has been taken.
        fresh = obs[0] + length > 1.0;
    });
    (evaluation.unwrap(), starts)
}

#[test]
fn returns_and_lengths_are_those_of_the_episodes() {
    let (evaluation, starts) = walk(&mut line(), 1, 0.25);
    assert_eq!(starts.len(), 6);
    for ((start, earned), steps) in starts
        .iter()
        .zip(&evaluation.returns)
        .zip(&evaluation.lengths)
    {
        let start = f64::from(*start);
        // Three or four steps of 0.25 lead beyond 1.
        let expected = if start > 0.25 { 3 } else { 4 };
        assert_eq!(*steps, expected);
        let sum: f64 = (1..=expected)
            .map(|step| start + 0.25 * f64::from(step))
            .sum();
        assert!((earned - sum).abs() < 1e-6, "{earned} is not {sum}");
    }
    let mean = evaluation.returns.iter().sum::<f64>() / 6.0;
    assert_eq!(evaluation.mean_return(), mean);
}

#[test]
fn a_time_limit_ends_an_episode() {
    let evaluation =
        evaluate(&mut line(), Streams::new(1), 3, |_, action| action[0] = 0.0).unwrap();
    assert_eq!(evaluation.lengths, [10; 3]);
}

#[test]
fn every_evaluation_of_a_run_starts_from_the_same_states() {
    let mut episode = line();
    let (first, starts) = walk(&mut episode, 1, 0.25);
    let (_, with_other_steps) = walk(&mut episode, 1, 0.4);
    assert_eq!(with_other_steps, starts);
    assert_eq!(walk(&mut line(), 1, 0.25), (first, starts.clone()));
    assert_ne!(walk(&mut episode, 2, 0.25).1, starts);
    let mut different = starts.clone();
    different.dedup();
    assert_eq!(different.len(), starts.len());
}

#[test]
fn a_policy_that_is_not_finite_is_an_error() {
    let error = evaluate(&mut line(), Streams::new(1), 1, |_, action| {
        action[0] = f32::NAN;
    })
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "step test/line: component 0 of the action is NaN"
    );
}
