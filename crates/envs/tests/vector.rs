//! Environments side by side are as many single ones.
#![expect(clippy::unwrap_used, reason = "a test stops at the first fault")]

use era_envs::{Env, EnvError, Episode, Spec, Step, TaskInfo, Transition, Vector};
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

/// The generators of first states.
fn starts(seed: u64) -> impl Fn(usize, u64) -> ChaCha8Rng {
    move |env, episode| {
        let mut rng = rng(seed ^ episode);
        rng.set_stream(env as u64);
        rng
    }
}

fn fill(actions: &mut [f32], rng: &mut ChaCha8Rng) {
    actions
        .iter_mut()
        .for_each(|a| *a = rng.random_range(-1.0..=1.0));
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// As many episodes, stepped and reset by hand.
struct Singles {
    episodes: Vec<Episode>,
    resets: Vec<u64>,
    returns: Vec<f64>,
}

/// What a step shows: observations after and before resets, transitions, episodes that ended.
type Seen = (Vec<u32>, Vec<u32>, Vec<Transition>, Vec<(f64, u32)>);

impl Singles {
    fn reset(task: &str, count: usize, starts: impl Fn(usize, u64) -> ChaCha8Rng) -> Self {
        let episodes = (0..count).map(|env| {
            let mut episode = Episode::new(era_envs::make(task).unwrap());
            episode.reset(&mut starts(env, 0)).unwrap();
            episode
        });
        Self {
            episodes: episodes.collect(),
            resets: vec![1; count],
            returns: vec![0.0; count],
        }
    }

    fn step(&mut self, actions: &[f32], starts: impl Fn(usize, u64) -> ChaCha8Rng) -> Seen {
        let (mut now, mut last, mut given, mut ended) = (vec![], vec![], vec![], vec![]);
        let actions = actions.chunks(self.episodes[0].spec().act_dim);
        for (env, (episode, action)) in self.episodes.iter_mut().zip(actions).enumerate() {
            let transition = episode.step(action).unwrap();
            given.push(transition);
            self.returns[env] += transition.reward;
            last.extend(bits(episode.observation()));
            if transition.done() {
                ended.push((self.returns[env], episode.steps()));
                episode.reset(&mut starts(env, self.resets[env])).unwrap();
                self.resets[env] += 1;
                self.returns[env] = 0.0;
            }
            now.extend(bits(episode.observation()));
        }
        (now, last, given, ended)
    }
}

fn step(vector: &mut Vector, actions: &[f32], starts: impl Fn(usize, u64) -> ChaCha8Rng) -> Seen {
    vector.step(actions, starts).unwrap();
    (
        bits(vector.observations()),
        bits(vector.final_observations()),
        vector.transitions().to_vec(),
        vector.finished().collect(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(8) })]

    /// Over enough steps for episodes to end, by themselves or by the limit, in every task but the longest.
    #[test]
    fn it_steps_as_single_episodes_do(seed: u64, count in 1_usize..4) {
        for task in available() {
            let mut vector = Vector::make(task.spec.name, count).unwrap();
            vector.reset(starts(seed)).unwrap();
            let mut singles = Singles::reset(task.spec.name, count, starts(seed));
            let mut choose = rng(!seed);
            let mut actions = vec![0.0; count * task.spec.act_dim];
            for _ in 0..230 {
                fill(&mut actions, &mut choose);
                let expected = singles.step(&actions, starts(seed));
                prop_assert_eq!(step(&mut vector, &actions, starts(seed)), expected, "{}", task.spec.name);
            }
        }
    }

    #[test]
    fn a_saved_state_continues_bit_for_bit(seed: u64, before in 0_usize..150) {
        for task in available() {
            let mut choose = rng(!seed);
            let mut actions = vec![0.0; 2 * task.spec.act_dim];
            let mut first = Vector::make(task.spec.name, 2).unwrap();
            first.reset(starts(seed)).unwrap();
            for _ in 0..before {
                fill(&mut actions, &mut choose);
                first.step(&actions, starts(seed)).unwrap();
            }
            // A second one with a past of its own.
            let mut second = Vector::make(task.spec.name, 2).unwrap();
            second.reset(starts(seed ^ 1)).unwrap();
            second.step(&vec![0.5; actions.len()], starts(seed)).unwrap();
            second.set_state(&first.state()).unwrap();
            prop_assert_eq!(first.observations(), second.observations());
            for _ in 0..120 {
                fill(&mut actions, &mut choose);
                let expected = step(&mut first, &actions, starts(seed));
                prop_assert_eq!(step(&mut second, &actions, starts(seed)), expected, "{}", task.spec.name);
            }
            prop_assert_eq!(first.state(), second.state());
        }
    }
}

/// Earns its number of steps; ends after `end`, and shows NaN from step `blind` on.
#[derive(Debug)]
struct Counter {
    taken: u32,
    end: u32,
    blind: u32,
}

impl Env for Counter {
    fn spec(&self) -> Spec {
        Spec {
            name: "test/counter",
            obs_dim: 1,
            act_dim: 1,
            time_limit: 3,
        }
    }

    fn reset(&mut self, rng: &mut ChaCha8Rng, obs: &mut [f64]) {
        self.taken = 0;
        obs[0] = -f64::from(rng.random_range(1..1000));
    }

    fn step(&mut self, _: &[f64], obs: &mut [f64]) -> Result<Step, EnvError> {
        self.taken += 1;
        obs[0] = if self.taken >= self.blind {
            f64::NAN
        } else {
            f64::from(self.taken)
        };
        Ok(Step {
            reward: f64::from(self.taken),
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

fn counters<const N: usize>(ends_and_blinds: [(u32, u32); N]) -> Vector {
    let episodes = ends_and_blinds.map(|(end, blind)| {
        Episode::new(Box::new(Counter {
            taken: 0,
            end,
            blind,
        }))
    });
    Vector::new(episodes.into())
}

/// The first is cut off after 3 steps (having earned 6), the second ends after 2 (having earned 3).
#[test]
fn an_episode_that_ends_begins_anew() {
    let mut vector = counters([(9, 9), (2, 9)]);
    let mut asked = Vec::new();
    let mut first = |env: usize, episode: u64| {
        asked.push((env, episode));
        rng(100 * env as u64 + episode)
    };
    vector.reset(&mut first).unwrap();
    assert_eq!((vector.len(), vector.is_empty()), (2, false));
    assert_eq!(vector.final_observations(), vector.observations());
    let start = vector.observations().to_vec();
    vector.step(&[0.0; 2], &mut first).unwrap();
    assert_eq!(vector.observations(), [1.0, 1.0]);
    assert_eq!(vector.finished().count(), 0);
    vector.step(&[0.0; 2], &mut first).unwrap();
    assert_eq!(vector.final_observations(), [2.0, 2.0]);
    assert!(vector.observations()[1] < 0.0 && vector.observations()[1] != start[1]);
    assert!(vector.transitions()[1].terminated && !vector.transitions()[0].done());
    assert_eq!(vector.finished().collect::<Vec<_>>(), [(3.0, 2)]);
    vector.step(&[0.0; 2], &mut first).unwrap();
    assert_eq!(vector.final_observations(), [3.0, 1.0]);
    assert_eq!(vector.observations()[1], 1.0);
    assert!(vector.transitions()[0].truncated);
    assert_eq!(vector.finished().collect::<Vec<_>>(), [(6.0, 3)]);
    // Resets count on.
    vector.reset(&mut first).unwrap();
    assert!(vector.finished().next().is_none());
    assert_eq!(asked, [(0, 0), (1, 0), (1, 1), (0, 1), (0, 2), (1, 2)]);
}

#[test]
fn wrong_actions_and_states_are_refused() {
    let mut vector = Vector::make("mini/point-mass", 3).unwrap();
    vector.reset(starts(1)).unwrap();
    let before = vector.state();
    let mut actions = [0.0; 6];
    for (value, said) in [
        (
            1.5,
            "step mini/point-mass: component 1 of the action is 1.5, not in [-1, 1]",
        ),
        (
            f32::NAN,
            "step mini/point-mass: component 1 of the action is NaN",
        ),
    ] {
        actions[5] = value;
        assert_eq!(
            vector.step(&actions, starts(1)).unwrap_err().to_string(),
            said
        );
    }
    assert_eq!(
        vector
            .step(&actions[..4], starts(1))
            .unwrap_err()
            .to_string(),
        "step mini/point-mass: its actions have 6 components, not 4"
    );
    // Nothing has happened, not in the first environments either.
    assert_eq!(vector.state(), before);
    assert!(matches!(
        vector.set_state(&before[1..]),
        Err(EnvError::State { .. })
    ));
    let mut fewer = Vector::make("mini/point-mass", 2).unwrap();
    assert!(matches!(
        fewer.set_state(&before),
        Err(EnvError::State { .. })
    ));
    assert!(matches!(
        Vector::make("gym/cheetah", 2),
        Err(EnvError::UnknownTask { .. })
    ));
}

#[test]
fn an_observation_that_is_not_finite_is_seen() {
    let mut vector = counters([(9, 9), (9, 2)]);
    vector.reset(starts(0)).unwrap();
    vector.step(&[0.0; 2], starts(0)).unwrap();
    let whole = vector.state();
    let error = vector.step(&[0.0; 2], starts(0)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "step test/counter: the simulation diverged (component 0 of the observation is NaN)"
    );
    vector.set_state(&whole).unwrap();
    assert_eq!(vector.observations(), [1.0, 1.0]);
}

/// In a state of one HalfCheetah stand: resets, return, steps, observation (17), place, time, positions (9), velocities.
#[cfg(feature = "mujoco")]
#[test]
fn a_simulation_that_diverged_is_seen() {
    let mut vector = Vector::make("gym/half-cheetah", 2).unwrap();
    vector.reset(starts(0)).unwrap();
    let whole = vector.state();
    let mut broken = whole.clone();
    broken[whole.len() / 2 + 3 + 17 + 2 + 9] = 1e11;
    vector.set_state(&broken).unwrap();
    let error = vector.step(&[0.0; 12], starts(0)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "step gym/half-cheetah: the simulation diverged (a velocity is not finite or too large)"
    );
    vector.set_state(&whole).unwrap();
    vector.step(&[0.0; 12], starts(0)).unwrap();
}

#[test]
#[should_panic(expected = "a vector has environments")]
fn a_vector_is_not_empty() {
    let _ = Vector::make("mini/reacher", 0);
}

#[test]
#[should_panic(expected = "the environments of a vector are of one task")]
fn a_vector_has_one_task() {
    let episode = |task| Episode::new(era_envs::make(task).unwrap());
    let _ = Vector::new(vec![episode("mini/reacher"), episode("mini/point-mass")]);
}
