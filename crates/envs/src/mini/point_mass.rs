//! `mini/point-mass`: a point in the plane is accelerated to the origin and comes to rest there.
//!
//! - state: position p, velocity v (each two numbers); dt = 0.05
//! - v' = 0.95 v + 4 a dt, p' = p + v' dt
//! - observation: (p, v / 2), each component about 1 in size
//! - reward: -|p'| - 0.05 |a|²
//! - first state: p uniform in the square [-1, 1]², v = 0; 100 steps

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::env::{Env, EnvError, Spec, Step, fixed};
use crate::reference::Reference;

const DT: f64 = 0.05;
/// Acceleration of a full action, in units a second squared.
const THRUST: f64 = 4.0;
/// What is left of the velocity after a step.
const GLIDE: f64 = 0.95;
/// Velocities are observed in this unit.
const SPEED_UNIT: f64 = 2.0;
const EFFORT_COST: f64 = 0.05;

/// Mean returns over many episodes (`tests/pure.rs` measures them again).
pub const REFERENCE: Reference = Reference {
    random: -108.0,
    scripted: -8.3,
};

/// The task.
#[derive(Clone, Debug, Default)]
pub struct PointMass {
    position: [f64; 2],
    velocity: [f64; 2],
}

impl PointMass {
    /// What is fixed about the task.
    pub const SPEC: Spec = Spec {
        name: "mini/point-mass",
        obs_dim: 4,
        act_dim: 2,
        time_limit: 100,
    };

    /// At rest at the goal; a reset comes first.
    pub fn new() -> Self {
        Self::default()
    }

    fn observe(&self, obs: &mut [f64]) {
        let ([x, y], [u, v]) = (self.position, self.velocity);
        obs.copy_from_slice(&[x, y, u / SPEED_UNIT, v / SPEED_UNIT]);
    }
}

impl Env for PointMass {
    fn spec(&self) -> Spec {
        Self::SPEC
    }

    fn reset(&mut self, rng: &mut ChaCha8Rng, obs: &mut [f64]) {
        self.position = std::array::from_fn(|_| rng.random_range(-1.0..1.0));
        self.velocity = [0.0; 2];
        self.observe(obs);
    }

    fn step(&mut self, action: &[f64], obs: &mut [f64]) -> Result<Step, EnvError> {
        let mut effort = 0.0;
        for ((p, v), a) in self.position.iter_mut().zip(&mut self.velocity).zip(action) {
            let a = a.clamp(-1.0, 1.0);
            *v = GLIDE * *v + THRUST * a * DT;
            *p += *v * DT;
            effort += a * a;
        }
        self.observe(obs);
        let [x, y] = self.position;
        Ok(Step::ongoing(-x.hypot(y) - EFFORT_COST * effort))
    }

    fn state(&self) -> Vec<f64> {
        [self.position, self.velocity].concat()
    }

    fn set_state(&mut self, state: &[f64]) -> Result<(), EnvError> {
        let [x, y, u, v] = fixed(Self::SPEC.name, state)?;
        (self.position, self.velocity) = ([x, y], [u, v]);
        Ok(())
    }
}

/// A spring to the origin and a damper.
pub fn controller(obs: &[f32], action: &mut [f32]) {
    for (at, a) in action.iter_mut().enumerate() {
        *a = (-3.0 * obs[at] - 2.5 * obs[2 + at]).clamp(-1.0, 1.0);
    }
}
