//! The tasks in plain Rust: against Gymnasium, against physics, and against their documented yardsticks.
#![expect(clippy::unwrap_used, reason = "a test stops at the first fault")]

use std::f64::consts::PI;

use era_envs::mini::{Reference, pendulum, point_mass, reacher};
use era_envs::{Env, Episode};
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
    state0: Array,
    obs0: Array,
    actions: Array,
    obs: Array,
    reward: Array,
    state: Array,
}

/// Row major.
#[derive(Debug, Deserialize)]
struct Array {
    data: Vec<f64>,
}

/// Gymnasium 1.4.0's Pendulum-v1, with actions beyond the motor's limits among them. Its state is float64, its
/// observation float32; sine and cosine differ by a rounding between libraries.
#[test]
fn pendulum_swings_as_gymnasiums_does() {
    let fixture: Fixture = serde_json::from_str(include_str!("fixtures/pendulum.json")).unwrap();
    for trajectory in &fixture.envs[0].trajectories {
        let mut env = pendulum::Pendulum::new();
        env.set_state(&trajectory.state0.data).unwrap();
        let seen = [
            trajectory.state0.data[0].cos(),
            trajectory.state0.data[0].sin(),
            trajectory.state0.data[1],
        ];
        assert_close(&seen, &trajectory.obs0.data, 1e-7);
        let mut obs = [0.0; 3];
        let rows = trajectory
            .state
            .data
            .chunks_exact(2)
            .zip(trajectory.obs.data.chunks_exact(3));
        for ((&torque, &reward), (state, expected)) in trajectory
            .actions
            .data
            .iter()
            .zip(&trajectory.reward.data)
            .zip(rows)
        {
            let step = env.step(&[torque / 2.0], &mut obs).unwrap();
            assert_close(&[step.reward], &[reward], 1e-12);
            assert_close(&env.state(), state, 1e-12);
            assert_close(&obs, expected, 1e-7);
            assert!(!step.terminated);
        }
    }
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
    check_reference("mini/pendulum", pendulum::REFERENCE, pendulum::controller);
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
