//! `gym/humanoid`: Gymnasium's `Humanoid-v5` (`gymnasium/envs/mujoco/humanoid_v5.py`, 1.4.0) with its
//! defaults.
//!
//! - five substeps of 0.003 s a step; the motors take ±0.4: controls are u = 0.4 a
//! - observation: positions but the first two (where it is), velocities; then, for each body but the world, inertia (10
//!   numbers) and velocity (6) about the center of mass, the force of the motor at each joint but the root, and the
//!   contact force (6) on each body but the world
//! - healthy: height of the torso in (1, 2) m
//! - reward: 1.25 (x' - x) / dt + 5 while healthy - 0.1 |u|² - min(5e-7 |f|², 10), f the contact forces on all bodies, x
//!   that of the center of mass; it terminates when not healthy; 1000 steps
//! - first state: positions and velocities of the model + uniform in ±0.01
//!
//! MuJoCo derives centers, inertias, velocities and forces within the last substep: they lag behind the positions and
//! velocities that are observed.

use crate::env::Spec;
use crate::registry::{Make, TaskInfo};

const SPEC: Spec = Spec {
    name: "gym/humanoid",
    obs_dim: 348,
    act_dim: 17,
    time_limit: 1000,
};

/// The task.
pub(crate) const TASK: TaskInfo = TaskInfo::mujoco(
    SPEC,
    "a body on two legs walks forward without falling (Gymnasium's Humanoid-v5)",
    MAKE,
);

#[cfg(not(feature = "mujoco"))]
const MAKE: Option<Make> = None;
#[cfg(feature = "mujoco")]
const MAKE: Option<Make> = Some(super::simulated::make::<rules::Humanoid>);

#[cfg(feature = "mujoco")]
mod rules {
    use rand_chacha::ChaCha8Rng;

    use crate::env::{Spec, Step};
    use crate::gym::sim::Sim;
    use crate::gym::simulated::Rules;
    use crate::gym::{joints, numpy};

    const RESET_NOISE: f64 = 1e-2;
    const FORWARD_REWARD: f64 = 1.25;
    const CONTROL_COST: f64 = 0.1;
    const CONTACT_COST: f64 = 5e-7;
    const MOST_CONTACT_COST: f64 = 10.0;
    const HEALTHY_REWARD: f64 = 5.0;
    const HEALTHY_HEIGHT: (f64, f64) = (1.0, 2.0);
    /// Velocities of the free joint at the root, where no motor is.
    const ROOT: usize = 6;

    #[derive(Debug)]
    pub(super) struct Humanoid;

    impl Rules for Humanoid {
        const SPEC: Spec = super::SPEC;
        const MODEL: &'static str = "humanoid.xml";
        const SUBSTEPS: u32 = 5;
        const REACH: f64 = 0.4;
        const CONTACT_FORCES: bool = true;

        fn scatter(sim: &mut Sim, rng: &mut ChaCha8Rng) {
            joints::scatter_uniformly(sim.qpos_mut(), RESET_NOISE, rng);
            joints::scatter_uniformly(sim.qvel_mut(), RESET_NOISE, rng);
        }

        fn observe(sim: &Sim, obs: &mut [f64]) {
            let parts = [
                &sim.qpos()[2..],
                sim.qvel(),
                sim.inertias()[1..].as_flattened(),
                sim.velocities()[1..].as_flattened(),
                &sim.motor_forces()[ROOT..],
                sim.contact_forces()[1..].as_flattened(),
            ];
            joints::write(obs, parts);
        }

        fn place(sim: &Sim) -> f64 {
            sim.center_of_mass()
        }

        fn judge(sim: &Sim, speed: f64) -> Step {
            let healthy = joints::within(sim.qpos()[2], HEALTHY_HEIGHT);
            let alive = if healthy { HEALTHY_REWARD } else { 0.0 };
            let effort = CONTROL_COST * numpy::sum_of_squares(sim.controls());
            let forces = sim.contact_forces().as_flattened();
            let contact = (CONTACT_COST * numpy::sum_of_squares(forces)).min(MOST_CONTACT_COST);
            Step {
                reward: FORWARD_REWARD * speed + alive - (effort + contact),
                terminated: !healthy,
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::{Humanoid, RESET_NOISE};
        use crate::gym::check::{self, Noise};

        #[test]
        fn it_steps_as_gymnasium_does() {
            check::replay::<Humanoid>(include_str!("../../tests/fixtures/humanoid.json"));
        }

        #[test]
        fn a_simulation_that_blew_up_is_an_error() {
            check::diverge::<Humanoid>();
        }

        #[test]
        fn actions_span_what_the_motors_take() {
            check::span::<Humanoid>();
        }

        #[test]
        fn it_starts_where_gymnasium_does() {
            let noise = Noise::Uniform(RESET_NOISE);
            check::starts::<Humanoid>(noise, noise);
        }
    }
}
