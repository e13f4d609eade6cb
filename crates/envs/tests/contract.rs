//! What holds for every task that this build can make.
#![expect(clippy::unwrap_used, reason = "a test stops at the first fault")]

use era_envs::{Env, EnvError, Episode, Spec, Step, TaskInfo};
use proptest::prelude::*;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

fn available() -> impl Iterator<Item = &'static TaskInfo> {
    era_envs::tasks().filter(|task| task.available)
}

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Takes `steps` random steps, with resets where episodes end; returns all that an agent would see.
fn play(episode: &mut Episode, rng: &mut ChaCha8Rng, steps: usize) -> Vec<u64> {
    let mut seen = Vec::new();
    let mut action = vec![0.0; episode.spec().act_dim];
    for _ in 0..steps {
        action
            .iter_mut()
            .for_each(|a| *a = rng.random_range(-1.0..=1.0));
        let transition = episode.step(&action).unwrap();
        seen.extend(
            episode
                .observation()
                .iter()
                .map(|value| u64::from(value.to_bits())),
        );
        seen.extend([
            transition.reward.to_bits(),
            u64::from(transition.terminated),
            u64::from(transition.truncated),
        ]);
        if transition.done() {
            episode.reset(rng).unwrap();
        }
    }
    seen
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn a_saved_state_continues_bit_for_bit(seed: u64, before in 0_usize..260) {
        for task in available() {
            let mut first = Episode::new(era_envs::make(task.spec.name).unwrap());
            first.reset(&mut rng(seed)).unwrap();
            play(&mut first, &mut rng(seed ^ 1), before);
            // A second one with a past of its own.
            let mut second = Episode::new(era_envs::make(task.spec.name).unwrap());
            second.reset(&mut rng(seed ^ 2)).unwrap();
            play(&mut second, &mut rng(seed ^ 3), 7);
            second.set_state(&first.state()).unwrap();
            prop_assert_eq!(first.observation(), second.observation());
            prop_assert_eq!(first.steps(), second.steps());
            prop_assert_eq!(play(&mut first, &mut rng(seed ^ 4), 120), play(&mut second, &mut rng(seed ^ 4), 120));
            prop_assert_eq!(first.state(), second.state());
        }
    }

    #[test]
    fn actions_out_of_reach_are_refused(seed: u64, beyond in 1.0_f32..1e3, negative: bool) {
        let value = beyond.next_up() * if negative { -1.0 } else { 1.0 };
        for task in available() {
            let mut episode = Episode::new(era_envs::make(task.spec.name).unwrap());
            episode.reset(&mut rng(seed)).unwrap();
            let before = episode.state();
            let mut action = vec![0.0; task.spec.act_dim];
            let index = task.spec.act_dim - 1;
            action[index] = value;
            let refused = EnvError::ActionBounds { task: task.spec.name, index, value };
            prop_assert_eq!(episode.step(&action), Err(refused));
            prop_assert_eq!(episode.state(), before);
        }
    }

    #[test]
    fn full_actions_do_no_harm(seed: u64) {
        for task in available() {
            let mut episode = Episode::new(era_envs::make(task.spec.name).unwrap());
            episode.reset(&mut rng(seed)).unwrap();
            for at in 0..50 {
                let action = vec![if at % 2 == 0 { 1.0 } else { -1.0 }; task.spec.act_dim];
                prop_assert!(episode.step(&action).is_ok(), "{}", task.spec.name);
            }
        }
    }
}

#[test]
fn what_is_wrong_with_an_action_is_said() {
    let mut episode = Episode::new(era_envs::make("mini/point-mass").unwrap());
    episode.reset(&mut rng(0)).unwrap();
    let mut said = |action: &[f32]| episode.step(action).unwrap_err().to_string();
    assert_eq!(
        said(&[0.0, -1.5]),
        "step mini/point-mass: component 1 of the action is -1.5, not in [-1, 1]"
    );
    assert_eq!(
        said(&[f32::INFINITY, 2.0]),
        "step mini/point-mass: component 0 of the action is inf"
    );
}

#[test]
fn what_is_listed_is_what_is_made() {
    for task in available() {
        assert_eq!(era_envs::make(task.spec.name).unwrap().spec(), task.spec);
    }
    for task in era_envs::tasks().filter(|task| !task.available) {
        let error = era_envs::make(task.spec.name).unwrap_err();
        assert!(
            error.to_string().contains("cargo xtask setup mujoco"),
            "{error}"
        );
    }
    let error = era_envs::make("gym/cheetah").unwrap_err();
    assert_eq!(error.to_string(), "find the task `gym/cheetah`");
}

#[test]
fn resets_follow_the_generator_alone() {
    for task in available() {
        let mut episode = Episode::new(era_envs::make(task.spec.name).unwrap());
        let mut first = |seed| {
            episode.reset(&mut rng(seed)).unwrap();
            let seen = episode.observation().to_vec();
            play(&mut episode, &mut rng(seed), 3);
            seen
        };
        let seen = first(5);
        assert_ne!(seen, first(6));
        assert_eq!(seen, first(5), "{}", task.spec.name);
    }
}

#[test]
fn wrong_actions_and_states_are_refused() {
    for task in available() {
        let mut episode = Episode::new(era_envs::make(task.spec.name).unwrap());
        episode.reset(&mut rng(1)).unwrap();
        let mut action = vec![0.0; task.spec.act_dim];
        action[task.spec.act_dim - 1] = f32::NAN;
        assert!(matches!(
            episode.step(&action),
            Err(EnvError::Action { .. })
        ));
        assert!(matches!(
            episode.step(&action[1..]),
            Err(EnvError::ActionLength { .. })
        ));
        assert_eq!(episode.steps(), 0);
        let state = episode.state();
        assert!(matches!(
            episode.set_state(&state[1..]),
            Err(EnvError::State { .. })
        ));
        assert!(matches!(
            episode.set_state(&[]),
            Err(EnvError::State { .. })
        ));
        episode.step(&vec![0.0; task.spec.act_dim]).unwrap();
    }
}

/// Counts its steps: terminates at `end`, gives what is told as observation.
#[derive(Debug)]
struct Counter {
    taken: u32,
    end: u32,
    seen: f64,
}

impl Env for Counter {
    fn spec(&self) -> Spec {
        Spec {
            name: "test/counter",
            obs_dim: 1,
            act_dim: 1,
            time_limit: 5,
        }
    }

    fn reset(&mut self, _: &mut ChaCha8Rng, obs: &mut [f64]) {
        self.taken = 0;
        obs[0] = 0.0;
    }

    fn step(&mut self, action: &[f64], obs: &mut [f64]) -> Result<Step, EnvError> {
        self.taken += 1;
        obs[0] = self.seen;
        Ok(Step {
            reward: action[0] / 0.0_f64.max(action[0]),
            terminated: self.taken == self.end,
        })
    }

    fn state(&self) -> Vec<f64> {
        vec![f64::from(self.taken)]
    }

    fn set_state(&mut self, state: &[f64]) -> Result<(), EnvError> {
        self.taken = state[0] as u32;
        Ok(())
    }
}

/// The ends (terminated, truncated) of the steps of one episode.
fn ends(end: u32) -> Vec<(bool, bool)> {
    let mut episode = Episode::new(Box::new(Counter {
        taken: 0,
        end,
        seen: 0.0,
    }));
    episode.reset(&mut rng(0)).unwrap();
    let mut ends = Vec::new();
    loop {
        let transition = episode.step(&[1.0]).unwrap();
        ends.push((transition.terminated, transition.truncated));
        if transition.done() {
            return ends;
        }
    }
}

#[test]
fn a_time_limit_is_not_a_termination() {
    const ON: (bool, bool) = (false, false);
    assert_eq!(ends(9), [ON, ON, ON, ON, (false, true)]);
    assert_eq!(ends(3), [ON, ON, (true, false)]);
    // The task ended by itself in its last step: nothing was cut off.
    assert_eq!(ends(5), [ON, ON, ON, ON, (true, false)]);
}

#[test]
fn what_is_not_finite_is_seen() {
    for seen in [f64::NAN, f64::INFINITY, 1e39] {
        let mut episode = Episode::new(Box::new(Counter {
            taken: 0,
            end: 9,
            seen,
        }));
        episode.reset(&mut rng(0)).unwrap();
        let error = episode.step(&[1.0]).unwrap_err();
        assert!(
            error.to_string().contains("component 0 of the observation"),
            "{error}"
        );
    }
    let mut episode = Episode::new(Box::new(Counter {
        taken: 0,
        end: 9,
        seen: 0.0,
    }));
    episode.reset(&mut rng(0)).unwrap();
    // 0 / 0.
    let error = episode.step(&[0.0]).unwrap_err();
    assert!(error.to_string().contains("the reward is NaN"), "{error}");
}
