//! `classic/mountain-car-continuous`: a car whose motor is too weak for the hill before it swings out of a valley.
//!
//! The equations, constants, reward and distribution of first states are those of Gymnasium 1.4.0's
//! `MountainCarContinuous-v0` (`envs/classic_control/continuous_mountain_car.py`).
//!
//! - state: position x ∈ [-1.2, 0.6], velocity v ∈ ±0.07 (a step); rounded to `f32` after each step, as there
//!   (which numbers within a step are `f32` depends there on the type of the action; here none is)
//! - v' = clip(v + 0.0015 clip(a, ±1) - 0.0025 cos 3x, ±0.07), x' = clip(x + v'); at the left end v' is not negative
//! - observation: (x, v), rounded to `f32`
//! - reward: -0.1 a², and 100 at the goal: x' ≥ 0.45 and v' ≥ 0 terminate; 999 steps
//! - first state: x uniform in [-0.6, -0.4), v = 0
//!
//! With one action dimension Gaussian ERA is degenerate: a method may refuse this task.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::env::{Env, EnvError, Spec, Step, fixed};
use crate::reference::Reference;

const POWER: f64 = 0.0015;
const SLOPE: f64 = 0.0025;
const MAX_SPEED: f64 = 0.07;
const POSITIONS: (f64, f64) = (-1.2, 0.6);
const GOAL: f64 = 0.45;
const GOAL_REWARD: f64 = 100.0;
const EFFORT_COST: f64 = 0.1;

/// Mean returns over many episodes (`tests/pure.rs` measures them again).
pub const REFERENCE: Reference = Reference {
    random: -33.3,
    scripted: 90.0,
};

/// The task.
#[derive(Clone, Debug, Default)]
pub struct MountainCarContinuous {
    position: f64,
    speed: f64,
}

impl MountainCarContinuous {
    /// What is fixed about the task.
    pub const SPEC: Spec = Spec {
        name: "classic/mountain-car-continuous",
        obs_dim: 2,
        act_dim: 1,
        time_limit: 999,
    };

    /// At rest; a reset comes first.
    pub fn new() -> Self {
        Self::default()
    }

    fn observe(&self, obs: &mut [f64]) {
        obs.copy_from_slice(&[self.position, self.speed].map(narrow));
    }
}

/// Rounds to `f32`.
fn narrow(value: f64) -> f64 {
    f64::from(value as f32)
}

impl Env for MountainCarContinuous {
    fn spec(&self) -> Spec {
        Self::SPEC
    }

    fn reset(&mut self, rng: &mut ChaCha8Rng, obs: &mut [f64]) {
        self.position = rng.random_range(-0.6..-0.4);
        self.speed = 0.0;
        self.observe(obs);
    }

    fn step(&mut self, action: &[f64], obs: &mut [f64]) -> Result<Step, EnvError> {
        let (left, right) = POSITIONS;
        let push = POWER * action[0].clamp(-1.0, 1.0) - SLOPE * (3.0 * self.position).cos();
        let mut speed = (self.speed + push).clamp(-MAX_SPEED, MAX_SPEED);
        let position = (self.position + speed).clamp(left, right);
        if position == left {
            speed = speed.max(0.0);
        }
        let terminated = position >= GOAL && speed >= 0.0;
        let earned = if terminated { GOAL_REWARD } else { 0.0 };
        (self.position, self.speed) = (narrow(position), narrow(speed));
        self.observe(obs);
        Ok(Step {
            reward: earned - EFFORT_COST * action[0].powi(2),
            terminated,
        })
    }

    fn state(&self) -> Vec<f64> {
        vec![self.position, self.speed]
    }

    fn set_state(&mut self, state: &[f64]) -> Result<(), EnvError> {
        [self.position, self.speed] = fixed(Self::SPEC.name, state)?;
        Ok(())
    }
}

/// Pushes the way the car rolls, which adds energy at all times.
pub fn controller(obs: &[f32], action: &mut [f32]) {
    action[0] = if obs[1] < 0.0 { -1.0 } else { 1.0 };
}
