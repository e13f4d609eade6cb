//! The tasks in plain Rust: against Gymnasium, against physics, and against their documented yardsticks.
#![expect(clippy::unwrap_used, reason = "a test stops at the first fault")]

use std::f64::consts::PI;

use era_envs::classic::{mountain_car_continuous, pendulum};
use era_envs::mini::{point_mass, reacher};
use era_envs::{Env, Episode, Reference};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Fixture {
    envs: [Recorded; 1],
}

#[derive(Debug, Deserialize)]
struct Recorded {
    trajectories: Vec<Trajectory>,
}

#[derive(Debug, Deserialize)]
struct Trajectory {
    state0: Array<f64>,
    actions: Array<f64>,
    obs: Array<f64>,
    reward: Array<f64>,
    terminated: Array<bool>,
    state: Array<f64>,
}

/// Row major.
#[derive(Debug, Deserialize)]
struct Array<T> {
    data: Vec<T>,
}

/// How far a replay may be from what was recorded, relative to numbers beyond 1.
#[derive(Clone, Copy)]
struct Tolerance {
    reward: f64,
    state: f64,
    obs: f64,
}

/// Steps `env` from each recorded first state with the recorded actions times `scale`, the limits of the motor left
/// aside, and compares. Returns how often the task ended.
fn replay(fixture: &str, mut env: impl Env, scale: f64, within: Tolerance) -> usize {
    let fixture: Fixture = serde_json::from_str(fixture).unwrap();
    let mut obs = vec![0.0; env.spec().obs_dim];
    let mut ends = 0;
    for trajectory in &fixture.envs[0].trajectories {
        env.set_state(&trajectory.state0.data).unwrap();
        let states = trajectory.state.data.chunks_exact(2);
        let observations = trajectory.obs.data.chunks_exact(obs.len());
        for (at, (state, seen)) in states.zip(observations).enumerate() {
            let step = env
                .step(&[scale * trajectory.actions.data[at]], &mut obs)
                .unwrap();
            assert_close(&[step.reward], &[trajectory.reward.data[at]], within.reward);
            assert_close(&env.state(), state, within.state);
            assert_close(&obs, seen, within.obs);
            assert_eq!(step.terminated, trajectory.terminated.data[at], "end {at}");
            ends += usize::from(step.terminated);
        }
    }
    ends
}

/// Gymnasium 1.4.0's Pendulum-v1, with actions beyond the motor's limits among them. Its state is float64, its
/// observation float32; sine and cosine differ by a rounding between libraries.
#[test]
fn pendulum_swings_as_gymnasiums_does() {
    let fixture = include_str!("fixtures/pendulum.json");
    let within = Tolerance {
        reward: 1e-12,
        state: 1e-12,
        obs: 1e-7,
    };
    let ends = replay(fixture, pendulum::Pendulum::new(), 0.5, within);
    assert_eq!(ends, 0);
}

/// Gymnasium 1.4.0's MountainCarContinuous-v0, with actions beyond ±1 (whose cost is that of the whole action) and an
/// arrival among them. State and observation are float32, and so are some of the numbers between.
#[test]
fn the_car_rolls_as_gymnasiums_does() {
    let fixture = include_str!("fixtures/mountain_car_continuous.json");
    let within = Tolerance {
        reward: 1e-12,
        state: 2e-7,
        obs: 2e-7,
    };
    let car = mountain_car_continuous::MountainCarContinuous::new();
    assert_eq!(replay(fixture, car, 1.0, within), 1);
}

/// At the left end the car stops, and at the goal it must not roll back.
#[test]
fn the_car_stops_at_the_left_end() {
    let mut env = mountain_car_continuous::MountainCarContinuous::new();
    let mut obs = [0.0; 2];
    env.set_state(&[-1.19, -0.05]).unwrap();
    let step = env.step(&[-1.0], &mut obs).unwrap();
    assert_close(&obs, &[-1.2, 0.0], 1e-7);
    assert!(!step.terminated);
    // Rounded.
    assert_eq!(env.state(), obs);
    env.set_state(&[0.5, -0.02]).unwrap();
    assert!(!env.step(&[0.0], &mut obs).unwrap().terminated);
}

/// What is observed first is the first state, rounded.
#[test]
fn first_observations_are_those_of_gymnasium() {
    let rounded = |values: &[f64]| -> Vec<f64> {
        values
            .iter()
            .map(|&value| f64::from(value as f32))
            .collect()
    };
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let mut pendulum = pendulum::Pendulum::new();
    let mut obs = [0.0; 3];
    pendulum.reset(&mut rng, &mut obs);
    let state = pendulum.state();
    assert_eq!(
        obs[..],
        rounded(&[state[0].cos(), state[0].sin(), state[1]])
    );
    let mut car = mountain_car_continuous::MountainCarContinuous::new();
    let mut obs = [0.0; 2];
    car.reset(&mut rng, &mut obs);
    assert_eq!(obs[..], rounded(&car.state()));
    assert_ne!(obs[..], car.state());
}

fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let scale = expected.abs().max(1.0);
        assert!(
            (found - expected).abs() <= tolerance * scale,
            "{found} is not {expected}"
        );
    }
}

/// Mean return of `policy` over `episodes` episodes.
fn mean_return(task: &str, episodes: u64, mut policy: impl FnMut(&[f32], &mut [f32])) -> f64 {
    let mut episode = Episode::new(era_envs::make(task).unwrap());
    let mut action = vec![0.0; episode.spec().act_dim];
    let mut sum = 0.0;
    for seed in 0..episodes {
        episode.reset(&mut ChaCha8Rng::seed_from_u64(seed)).unwrap();
        loop {
            policy(episode.observation(), &mut action);
            let transition = episode.step(&action).unwrap();
            sum += transition.reward;
            if transition.done() {
                break;
            }
        }
    }
    sum / episodes as f64
}

/// 400 episodes tell the mean to about 3 %; the yardsticks hold to 10 %.
fn check_reference(task: &str, reference: Reference, controller: fn(&[f32], &mut [f32])) {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let random = mean_return(task, 400, |_, action| {
        action
            .iter_mut()
            .for_each(|a| *a = rng.random_range(-1.0..=1.0));
    });
    let scripted = mean_return(task, 400, controller);
    assert!(
        (random / reference.random - 1.0).abs() < 0.1,
        "{task}: random {random}"
    );
    assert!(
        (scripted / reference.scripted - 1.0).abs() < 0.1,
        "{task}: scripted {scripted}"
    );
    assert!(scripted > 0.3 * random, "{task} leaves nothing to learn");
}

#[test]
fn returns_are_those_documented() {
    check_reference(
        "classic/pendulum",
        pendulum::REFERENCE,
        pendulum::controller,
    );
    check_reference(
        "classic/mountain-car-continuous",
        mountain_car_continuous::REFERENCE,
        mountain_car_continuous::controller,
    );
    check_reference(
        "mini/point-mass",
        point_mass::REFERENCE,
        point_mass::controller,
    );
    check_reference("mini/reacher", reacher::REFERENCE, reacher::controller);
}

/// With the arm stretched out along y the tip is at (0, 1), and (-0.4, -0.7) from it lies the target: 0.7 behind the tip
/// and 0.4 to its left, as the arm sees it.
#[test]
fn the_reacher_sees_where_its_target_is() {
    let mut env = reacher::Reacher::new();
    env.set_state(&[0.5 * PI, 0.0, 0.0, 0.0, -0.4, 0.3])
        .unwrap();
    let mut obs = [0.0; 6];
    let step = env.step(&[0.0, 0.0], &mut obs).unwrap();
    assert_close(&obs, &[1.0, 0.0, 0.0, 0.0, -0.7, 0.4], 1e-15);
    assert_close(&[step.reward], &[-0.65_f64.sqrt()], 1e-15);
}

/// One step by hand: v = 0.95 · 0.4 + 4 · 0.5 · 0.05 = 0.48, p = 0.1 + 0.48 · 0.05 = 0.124.
#[test]
fn the_point_moves_as_documented() {
    let mut env = point_mass::PointMass::new();
    env.set_state(&[0.1, 0.0, 0.4, 0.0]).unwrap();
    let mut obs = [0.0; 4];
    let step = env.step(&[0.5, 0.0], &mut obs).unwrap();
    assert_close(&obs, &[0.124, 0.0, 0.24, 0.0], 1e-15);
    assert_close(&[step.reward], &[-0.124 - 0.05 * 0.25], 1e-15);
}
