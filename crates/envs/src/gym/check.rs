//! Tests that every task in MuJoCo has.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::Deserialize;

use super::simulated::{Rules, Simulated};
use crate::env::Env;

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
    qpos0: Array<f64>,
    qvel0: Array<f64>,
    obs0: Array<f64>,
    actions: Array<f64>,
    obs: Array<f64>,
    reward: Array<f64>,
    terminated: Array<bool>,
}

/// Row major.
#[derive(Debug, Deserialize)]
struct Array<T> {
    data: Vec<T>,
}

/// Steps from each recorded first state with the recorded actions, in Gymnasium's own range, and compares bit for bit:
/// the library is the same, so nothing else would do.
pub(crate) fn replay<R: Rules>(fixture: &str) {
    let fixture: Fixture = serde_json::from_str(fixture).unwrap();
    let mut env = Simulated::<R>::load().unwrap();
    let mut obs = vec![0.0; R::SPEC.obs_dim];
    for trajectory in &fixture.envs[0].trajectories {
        // As after steps that went elsewhere: nothing of them may stay.
        env.reset(&mut ChaCha8Rng::seed_from_u64(3), &mut obs);
        env.step(&vec![0.3; R::SPEC.act_dim], &mut obs).unwrap();
        env.sim.reset();
        env.sim.qpos_mut().copy_from_slice(&trajectory.qpos0.data);
        env.sim.qvel_mut().copy_from_slice(&trajectory.qvel0.data);
        env.begin(&mut obs);
        assert_eq!(obs, trajectory.obs0.data);
        let actions = trajectory.actions.data.chunks_exact(R::SPEC.act_dim);
        let expected = trajectory.obs.data.chunks_exact(R::SPEC.obs_dim);
        assert_eq!(actions.len(), trajectory.reward.data.len());
        for (at, (action, expected)) in actions.zip(expected).enumerate() {
            let step = env.drive(action, 1.0, &mut obs).unwrap();
            assert_eq!(obs, expected, "observation {at}");
            assert_eq!(step.reward, trajectory.reward.data[at], "reward {at}");
            assert_eq!(step.terminated, trajectory.terminated.data[at], "end {at}");
        }
    }
}

/// A velocity beyond MuJoCo's bound (1e10) makes it reset the simulation and go on; the task must not.
pub(crate) fn diverge<R: Rules>() {
    let mut env = Simulated::<R>::load().unwrap();
    let mut obs = vec![0.0; R::SPEC.obs_dim];
    env.reset(&mut ChaCha8Rng::seed_from_u64(3), &mut obs);
    let whole = env.state();
    env.sim.qvel_mut()[0] = 1e11;
    let error = env.step(&vec![0.0; R::SPEC.act_dim], &mut obs).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("a velocity is not finite or too large"),
        "{error}"
    );
    env.set_state(&whole).unwrap();
    env.step(&vec![0.0; R::SPEC.act_dim], &mut obs).unwrap();
}

/// Whether actions of ±1 are the bounds of what the motors take.
pub(crate) fn span<R: Rules>() {
    let mut env = Simulated::<R>::load().unwrap();
    let mut obs = vec![0.0; R::SPEC.obs_dim];
    env.reset(&mut ChaCha8Rng::seed_from_u64(3), &mut obs);
    let bounds = env.sim.control_bounds();
    for (side, action) in [-1.0, 1.0].into_iter().enumerate() {
        env.step(&vec![action; R::SPEC.act_dim], &mut obs).unwrap();
        let expected: Vec<f64> = bounds.iter().map(|bounds| bounds[side]).collect();
        assert_eq!(env.sim.controls(), expected);
    }
}

/// What a first state is scattered by.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Noise {
    /// Uniform in ± the number.
    Uniform(f64),
    /// Normal with this deviation.
    Normal(f64),
}

/// Whether first states are the model's own plus such noise.
pub(crate) fn starts<R: Rules>(positions: Noise, velocities: Noise) {
    let mut env = Simulated::<R>::load().unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    env.sim.reset();
    let (qpos, qvel) = (env.sim.qpos().to_vec(), env.sim.qvel().to_vec());
    let (mut moved, mut pushed) = (Vec::new(), Vec::new());
    for _ in 0..20_000_usize.div_ceil(qvel.len()) {
        env.sim.reset();
        R::scatter(&mut env.sim, &mut rng);
        moved.extend(env.sim.qpos().iter().zip(&qpos).map(|(q, start)| q - start));
        pushed.extend(env.sim.qvel().iter().zip(&qvel).map(|(v, start)| v - start));
    }
    is_noise(&moved, positions);
    is_noise(&pushed, velocities);
}

/// Uniform: deviation of the range over √3, and a largest value within 0.1 % of the range. Normal: of some 20,000 the
/// largest between 3.4 and 5.2 deviations but once in a thousand times. Means and deviations are within five standard
/// errors.
pub(crate) fn is_noise(values: &[f64], noise: Noise) {
    let count = values.len() as f64;
    assert!((15_000.0..=30_000.0).contains(&count), "{count}");
    let mean = values.iter().sum::<f64>() / count;
    let variance = values
        .iter()
        .map(|value| (value - mean).powi(2))
        .sum::<f64>()
        / count;
    let largest = values
        .iter()
        .fold(0.0_f64, |most, value| most.max(value.abs()));
    // The error of a deviation is that of a variance, √((kurtosis - 1) / n) of it, halved.
    let (expected, kurtosis, extremes) = match noise {
        // The differences are rounded where the model's own positions are not 0.
        Noise::Uniform(range) => (range / 3.0_f64.sqrt(), 1.8, 0.999 * range..range + 1e-12),
        Noise::Normal(deviation) => (deviation, 3.0, 3.4 * deviation..5.2 * deviation),
    };
    let error = |spread: f64| 5.0 * expected * spread / count.sqrt();
    assert!(mean.abs() < error(1.0), "mean {mean}");
    let difference = variance.sqrt() - expected;
    let bound = error(0.5 * f64::sqrt(kurtosis - 1.0));
    assert!(difference.abs() < bound, "deviation {}", variance.sqrt());
    assert!(extremes.contains(&largest), "largest {largest}");
}
