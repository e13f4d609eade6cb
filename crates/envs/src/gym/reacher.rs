//! `gym/reacher`: Gymnasium's `Reacher-v5` (`gymnasium/envs/mujoco/reacher_v5.py`, 1.4.0) with its
//! defaults.
//!
//! - two substeps of 0.01 s a step
//! - observation: cosines and sines of both joints, target, velocities of both joints, and d = tip - target in the plane
//! - reward: -|d| - |a|², d in space; it never terminates; 50 steps
//! - first state: joints of the model + uniform in ±0.1, their velocities uniform in ±0.005; the target lies still,
//!   uniform over the disk of radius 0.2 m
//!
//! MuJoCo derives d within the last substep: it lags behind the joints that are observed.

use crate::env::Spec;
use crate::registry::{Make, TaskInfo};

const SPEC: Spec = Spec {
    name: "gym/reacher",
    obs_dim: 10,
    act_dim: 2,
    time_limit: 50,
};

/// The task.
pub(crate) const TASK: TaskInfo = TaskInfo::mujoco(
    SPEC,
    "a planar arm with two joints brings its tip to a target (Gymnasium's Reacher-v5)",
    MAKE,
);

#[cfg(not(feature = "mujoco"))]
const MAKE: Option<Make> = None;
#[cfg(feature = "mujoco")]
const MAKE: Option<Make> = Some(super::simulated::make::<rules::Reacher>);

#[cfg(feature = "mujoco")]
mod rules {
    use rand_chacha::ChaCha8Rng;

    use crate::env::{Spec, Step};
    use crate::gym::sim::Sim;
    use crate::gym::simulated::Rules;
    use crate::gym::{joints, numpy};

    const JOINT_NOISE: f64 = 0.1;
    const SPEED_NOISE: f64 = 5e-3;
    const TARGET_RADIUS: f64 = 0.2;
    /// Joints of the arm; the two slides of the target come after them.
    const ARM: usize = 2;
    /// Among the bodies of the model.
    const TIP: usize = 3;
    const TARGET: usize = 4;

    #[derive(Debug)]
    pub(super) struct Reacher;

    impl Rules for Reacher {
        const SPEC: Spec = super::SPEC;
        const MODEL: &'static str = "reacher.xml";
        const SUBSTEPS: u32 = 2;

        fn scatter(sim: &mut Sim, rng: &mut ChaCha8Rng) {
            let (arm, target) = sim.qpos_mut().split_at_mut(ARM);
            joints::scatter_uniformly(arm, JOINT_NOISE, rng);
            loop {
                target.fill(0.0);
                joints::scatter_uniformly(target, TARGET_RADIUS, rng);
                if target[0].hypot(target[1]) < TARGET_RADIUS {
                    break;
                }
            }
            joints::scatter_uniformly(&mut sim.qvel_mut()[..ARM], SPEED_NOISE, rng);
        }

        fn observe(sim: &Sim, obs: &mut [f64]) {
            let (arm, target) = sim.qpos().split_at(ARM);
            let (cosines, sines) = ([arm[0].cos(), arm[1].cos()], [arm[0].sin(), arm[1].sin()]);
            let plane = &offset(sim)[..2];
            joints::write(obs, [&cosines, &sines, target, &sim.qvel()[..ARM], plane]);
        }

        fn judge(sim: &Sim, _: f64) -> Step {
            let distance = numpy::sum_of_squares(&offset(sim)).sqrt();
            Step::ongoing(-distance - numpy::sum_of_squares(sim.controls()))
        }
    }

    /// From the target to the tip of the arm.
    fn offset(sim: &Sim) -> [f64; 3] {
        let (tip, target) = (sim.frames()[TIP], sim.frames()[TARGET]);
        [0, 1, 2].map(|axis| tip[axis] - target[axis])
    }

    #[cfg(test)]
    mod tests {
        use std::f64::consts::PI;

        use rand_chacha::ChaCha8Rng;
        use rand_chacha::rand_core::SeedableRng;

        use super::{ARM, JOINT_NOISE, Reacher, SPEED_NOISE, TARGET_RADIUS};
        use crate::gym::check::{self, Noise};
        use crate::gym::sim::Sim;
        use crate::gym::simulated::Rules;

        #[test]
        fn it_steps_as_gymnasium_does() {
            check::replay::<Reacher>(include_str!("../../tests/fixtures/reacher.json"));
        }

        #[test]
        fn a_simulation_that_blew_up_is_an_error() {
            check::diverge::<Reacher>();
        }

        #[test]
        fn actions_span_what_the_motors_take() {
            check::span::<Reacher>();
        }

        /// Over a disk the square of the radius is uniform, as is the direction.
        #[test]
        fn it_starts_where_gymnasium_does() {
            let mut sim = Sim::load("test", Reacher::MODEL, Reacher::SUBSTEPS).unwrap();
            let mut rng = ChaCha8Rng::seed_from_u64(2);
            let (mut arm, mut speeds) = (Vec::new(), Vec::new());
            let (mut areas, mut directions) = (Vec::new(), Vec::new());
            for _ in 0..15_000 {
                sim.reset();
                Reacher::scatter(&mut sim, &mut rng);
                let (joints, target) = sim.qpos().split_at(ARM);
                arm.extend(joints);
                let area = (target[0].powi(2) + target[1].powi(2)) / TARGET_RADIUS.powi(2);
                areas.push(2.0 * area - 1.0);
                directions.push(target[1].atan2(target[0]));
                speeds.extend(&sim.qvel()[..ARM]);
                assert_eq!(sim.qvel()[ARM..], [0.0, 0.0]);
            }
            check::is_noise(&arm, Noise::Uniform(JOINT_NOISE));
            check::is_noise(&speeds, Noise::Uniform(SPEED_NOISE));
            check::is_noise(&areas, Noise::Uniform(1.0));
            check::is_noise(&directions, Noise::Uniform(PI));
        }
    }
}
