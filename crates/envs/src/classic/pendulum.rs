//! `classic/pendulum`: swing-up of a pendulum whose motor is too weak to lift it at once.
//!
//! The equations, constants, reward and distribution of first states are those of Gymnasium 1.4.0's `Pendulum-v1`
//! (`envs/classic_control/pendulum.py`); the action is scaled from its torque, u ∈ [-2, 2], to a = u / 2.
//!
//! - state: angle θ (0 is upright, not wrapped), velocity ω; g = 10, m = l = 1, dt = 0.05
//! - ω' = clip(ω + (3g/2l sin θ + 3/(ml²) u) dt, ±8), θ' = θ + ω' dt
//! - observation: (cos θ, sin θ, ω), rounded to `f32` as there
//! - reward: -(θ² + 0.1 ω² + 0.001 u²) with θ wrapped to [-π, π), before the step
//! - first state: θ uniform in ±π, ω in ±1; 200 steps
//!
//! With one action dimension Gaussian ERA is degenerate: a method may refuse this task.

use std::f64::consts::{PI, TAU};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::env::{Env, EnvError, Spec, Step, fixed};
use crate::reference::Reference;

const DT: f64 = 0.05;
const GRAVITY: f64 = 10.0;
const MASS: f64 = 1.0;
const LENGTH: f64 = 1.0;
const MAX_SPEED: f64 = 8.0;
const MAX_TORQUE: f64 = 2.0;

/// Mean returns over many episodes (`tests/pure.rs` measures them again).
pub const REFERENCE: Reference = Reference {
    random: -1220.0,
    scripted: -147.0,
};

/// The task.
#[derive(Clone, Debug, Default)]
pub struct Pendulum {
    angle: f64,
    speed: f64,
}

impl Pendulum {
    /// What is fixed about the task.
    pub const SPEC: Spec = Spec {
        name: "classic/pendulum",
        obs_dim: 3,
        act_dim: 1,
        time_limit: 200,
    };

    /// Hanging upright and at rest; a reset comes first.
    pub fn new() -> Self {
        Self::default()
    }

    fn observe(&self, obs: &mut [f64]) {
        let seen = [self.angle.cos(), self.angle.sin(), self.speed];
        obs.copy_from_slice(&seen.map(|value| f64::from(value as f32)));
    }
}

impl Env for Pendulum {
    fn spec(&self) -> Spec {
        Self::SPEC
    }

    fn reset(&mut self, rng: &mut ChaCha8Rng, obs: &mut [f64]) {
        self.angle = rng.random_range(-PI..PI);
        self.speed = rng.random_range(-1.0..1.0);
        self.observe(obs);
    }

    fn step(&mut self, action: &[f64], obs: &mut [f64]) -> Result<Step, EnvError> {
        let torque = (MAX_TORQUE * action[0]).clamp(-MAX_TORQUE, MAX_TORQUE);
        let wrapped = (self.angle + PI).rem_euclid(TAU) - PI;
        let cost = wrapped.powi(2) + 0.1 * self.speed.powi(2) + 0.001 * torque.powi(2);
        let acceleration = 3.0 * GRAVITY / (2.0 * LENGTH) * self.angle.sin()
            + 3.0 / (MASS * LENGTH.powi(2)) * torque;
        self.speed = (self.speed + acceleration * DT).clamp(-MAX_SPEED, MAX_SPEED);
        self.angle += self.speed * DT;
        self.observe(obs);
        Ok(Step::ongoing(-cost))
    }

    fn state(&self) -> Vec<f64> {
        vec![self.angle, self.speed]
    }

    fn set_state(&mut self, state: &[f64]) -> Result<(), EnvError> {
        [self.angle, self.speed] = fixed(Self::SPEC.name, state)?;
        Ok(())
    }
}

/// Pumps energy until the pendulum is near the top, then balances it there.
pub fn controller(obs: &[f32], action: &mut [f32]) {
    let (cos, sin, speed) = (f64::from(obs[0]), f64::from(obs[1]), f64::from(obs[2]));
    let angle = sin.atan2(cos);
    // Energy over what it is at rest on top, per moment of inertia m l² / 3.
    let energy = 0.5 * speed * speed + 1.5 * GRAVITY / LENGTH * (cos - 1.0);
    let torque = if cos > 0.85 {
        -(10.0 * angle + 2.5 * speed)
    } else {
        -energy * speed.signum()
    };
    action[0] = (torque / MAX_TORQUE).clamp(-1.0, 1.0) as f32;
}
