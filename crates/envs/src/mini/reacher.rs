//! `mini/reacher`: an arm with two joints in the horizontal plane brings its tip to a target.
//!
//! Two uniform rods of length l = 0.5 and mass m = 1, torque at both joints and viscous friction:
//!
//! - M(q₂) q̈ = 2 a - h(q, q̇) - q̇, integrated semi-implicitly with 0.0125 s, four such steps a step;
//!   M₁₁ = α + 2β cos q₂, M₁₂ = γ + β cos q₂, M₂₂ = γ with α = 5/3 ml², β = ml²/2, γ = ml²/3;
//!   h = (-β sin q₂ (2 q̇₁ q̇₂ + q̇₂²), β sin q₂ q̇₁²) (Spong, Hutchinson and Vidyasagar, *Robot Modeling and
//!   Control*, the planar elbow manipulator without gravity)
//! - observation: (cos q₂, sin q₂, q̇ / 4, target - tip in the frame of the upper arm): what the arm itself can see, so
//!   that how the whole picture is turned need not be learned
//! - reward: -|target - tip| after the step - 0.02 |a|²
//! - first state: q uniform in ±π, at rest; target uniform over the ring of radius 0.2 to 0.9; 100 steps

use std::f64::consts::PI;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::env::{Env, EnvError, Spec, Step, fixed};
use crate::reference::Reference;

const LINK: f64 = 0.5;
const MASS: f64 = 1.0;
const FRICTION: f64 = 1.0;
const TORQUE: f64 = 2.0;
const DT: f64 = 0.0125;
const SUBSTEPS: usize = 4;
/// Joint velocities are observed in this unit.
const SPEED_UNIT: f64 = 4.0;
const EFFORT_COST: f64 = 0.02;
const TARGET_RADIUS: (f64, f64) = (0.2, 0.9);

const ALPHA: f64 = 5.0 / 3.0 * MASS * LINK * LINK;
const BETA: f64 = 0.5 * MASS * LINK * LINK;
const GAMMA: f64 = 1.0 / 3.0 * MASS * LINK * LINK;

/// Mean returns over many episodes (`tests/pure.rs` measures them again).
pub const REFERENCE: Reference = Reference {
    random: -88.0,
    scripted: -18.6,
};

/// The task.
#[derive(Clone, Debug, Default)]
pub struct Reacher {
    joints: [f64; 2],
    speeds: [f64; 2],
    target: [f64; 2],
}

impl Reacher {
    /// What is fixed about the task.
    pub const SPEC: Spec = Spec {
        name: "mini/reacher",
        obs_dim: 6,
        act_dim: 2,
        time_limit: 100,
    };

    /// Stretched out and at rest; a reset comes first.
    pub fn new() -> Self {
        Self::default()
    }

    /// From the tip of the arm to the target.
    fn offset(&self) -> [f64; 2] {
        let [shoulder, elbow] = self.joints;
        let (outer_sin, outer_cos) = (shoulder + elbow).sin_cos();
        let (sin, cos) = shoulder.sin_cos();
        [
            self.target[0] - LINK * (cos + outer_cos),
            self.target[1] - LINK * (sin + outer_sin),
        ]
    }

    fn observe(&self, obs: &mut [f64]) {
        let ([shoulder, elbow], [w1, w2], [x, y]) = (self.joints, self.speeds, self.offset());
        let (sin, cos) = shoulder.sin_cos();
        obs.copy_from_slice(&[
            elbow.cos(),
            elbow.sin(),
            w1 / SPEED_UNIT,
            w2 / SPEED_UNIT,
            cos * x + sin * y,
            cos * y - sin * x,
        ]);
    }
}

/// Accelerations of the joints under `torque`, friction included.
fn acceleration(elbow: f64, [w1, w2]: [f64; 2], torque: [f64; 2]) -> [f64; 2] {
    let (sin, cos) = elbow.sin_cos();
    let (m11, m12, m22) = (ALPHA + 2.0 * BETA * cos, GAMMA + BETA * cos, GAMMA);
    let f1 = torque[0] - FRICTION * w1 + BETA * sin * (2.0 * w1 * w2 + w2 * w2);
    let f2 = torque[1] - FRICTION * w2 - BETA * sin * w1 * w1;
    let determinant = m11 * m22 - m12 * m12;
    [
        (m22 * f1 - m12 * f2) / determinant,
        (m11 * f2 - m12 * f1) / determinant,
    ]
}

impl Env for Reacher {
    fn spec(&self) -> Spec {
        Self::SPEC
    }

    fn reset(&mut self, rng: &mut ChaCha8Rng, obs: &mut [f64]) {
        self.joints = std::array::from_fn(|_| rng.random_range(-PI..PI));
        self.speeds = [0.0; 2];
        // Uniform over the ring's area: the square of the radius is uniform.
        let (inner, outer) = TARGET_RADIUS;
        let radius = rng.random_range(inner * inner..outer * outer).sqrt();
        let (sin, cos) = rng.random_range(-PI..PI).sin_cos();
        self.target = [radius * cos, radius * sin];
        self.observe(obs);
    }

    fn step(&mut self, action: &[f64], obs: &mut [f64]) -> Result<Step, EnvError> {
        let action = [action[0].clamp(-1.0, 1.0), action[1].clamp(-1.0, 1.0)];
        for _ in 0..SUBSTEPS {
            let change = acceleration(self.joints[1], self.speeds, action.map(|a| TORQUE * a));
            for ((q, w), change) in self.joints.iter_mut().zip(&mut self.speeds).zip(change) {
                *w += change * DT;
                *q += *w * DT;
            }
        }
        self.observe(obs);
        let [x, y] = self.offset();
        let effort = action[0] * action[0] + action[1] * action[1];
        Ok(Step::ongoing(-x.hypot(y) - EFFORT_COST * effort))
    }

    fn state(&self) -> Vec<f64> {
        [self.joints, self.speeds, self.target].concat()
    }

    fn set_state(&mut self, state: &[f64]) -> Result<(), EnvError> {
        let [q1, q2, w1, w2, x, y] = fixed(Self::SPEC.name, state)?;
        (self.joints, self.speeds, self.target) = ([q1, q2], [w1, w2], [x, y]);
        Ok(())
    }
}

/// Pulls the tip to the target: torques of a spring between them (its force through the transposed Jacobian) and a
/// damper at each joint.
pub fn controller(obs: &[f32], action: &mut [f32]) {
    let link = LINK as f32;
    let [cos, sin, w1, w2, x, y] = obs else {
        return;
    };
    let outer = [link * cos, link * sin];
    let tip = [link + outer[0], outer[1]];
    let torque = |lever: [f32; 2], speed: f32| 8.0 * (lever[0] * y - lever[1] * x) - 1.5 * speed;
    action[0] = torque(tip, *w1).clamp(-1.0, 1.0);
    action[1] = torque(outer, *w2).clamp(-1.0, 1.0);
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    /// Kinetic energy of two uniform rods, from the velocities of their middles.
    fn energy([q1, q2]: [f64; 2], [w1, w2]: [f64; 2]) -> f64 {
        let inertia = MASS * LINK * LINK / 12.0;
        let half = |angle: f64, speed: f64| {
            [
                -0.5 * LINK * angle.sin() * speed,
                0.5 * LINK * angle.cos() * speed,
            ]
        };
        let (inner, outer) = (half(q1, w1), half(q1 + q2, w1 + w2));
        let square = |[x, y]: [f64; 2]| x * x + y * y;
        let middle = [2.0 * inner[0] + outer[0], 2.0 * inner[1] + outer[1]];
        0.5 * MASS * (square(inner) + square(middle))
            + 0.5 * inertia * (w1 * w1 + (w1 + w2) * (w1 + w2))
    }

    /// The power of torques and friction is the rate at which the rods' energy grows, which is computed here without
    /// the equations of motion.
    #[test]
    fn energy_comes_from_the_motors_alone() {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        for _ in 0..500 {
            let mut draw =
                |range: f64| std::array::from_fn::<f64, 2, _>(|_| rng.random_range(-range..range));
            let (joints, speeds, torque) = (draw(PI), draw(3.0), draw(TORQUE));
            let change = acceleration(joints[1], speeds, torque);
            let at = |time: f64| {
                let moved = |[a, b]: [f64; 2], [da, db]: [f64; 2]| [a + da * time, b + db * time];
                energy(moved(joints, speeds), moved(speeds, change))
            };
            let rate = (at(1e-5) - at(-1e-5)) / 2e-5;
            let power: f64 = speeds
                .iter()
                .zip(torque)
                .map(|(w, torque)| (torque - FRICTION * w) * w)
                .sum();
            assert!(
                (rate - power).abs() < 1e-5 * (1.0 + power.abs()),
                "{rate} is not {power}"
            );
        }
    }
}
