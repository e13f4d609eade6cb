//! `gym/hopper`: Gymnasium's `Hopper-v5` (`gymnasium/envs/mujoco/hopper_v5.py`, 1.4.0) with its
//! defaults.
//!
//! - four substeps of 0.002 s a step
//! - observation: positions but the first (how far it hopped), velocities clipped to ±10
//! - healthy: height of the torso above 0.7 m, its angle within ±0.2 rad, and every other position and velocity within
//!   ±100 (bounds excluded)
//! - reward: (x' - x) / dt + 1 while healthy - 0.001 |a|²; it terminates when not healthy; 1000 steps
//! - first state: positions and velocities of the model + uniform in ±0.005

use crate::env::Spec;
use crate::registry::{Make, TaskInfo};

const SPEC: Spec = Spec {
    name: "gym/hopper",
    obs_dim: 11,
    act_dim: 3,
    time_limit: 1000,
};

/// The task.
pub(crate) const TASK: TaskInfo = TaskInfo::mujoco(
    SPEC,
    "a planar leg hops forward without falling (Gymnasium's Hopper-v5)",
    MAKE,
);

#[cfg(not(feature = "mujoco"))]
const MAKE: Option<Make> = None;
#[cfg(feature = "mujoco")]
const MAKE: Option<Make> = Some(super::simulated::make::<rules::Hopper>);

#[cfg(feature = "mujoco")]
mod rules {
    use rand_chacha::ChaCha8Rng;

    use crate::env::{Spec, Step};
    use crate::gym::sim::Sim;
    use crate::gym::simulated::Rules;
    use crate::gym::{joints, numpy};

    const RESET_NOISE: f64 = 5e-3;
    const CONTROL_COST: f64 = 1e-3;
    const HEALTHY_REWARD: f64 = 1.0;
    const HEALTHY_HEIGHT: (f64, f64) = (0.7, f64::INFINITY);
    const HEALTHY_ANGLE: (f64, f64) = (-0.2, 0.2);
    /// Of all positions and velocities but the first two positions.
    const HEALTHY_STATE: (f64, f64) = (-100.0, 100.0);
    const OBSERVED_SPEED: f64 = 10.0;

    #[derive(Debug)]
    pub(super) struct Hopper;

    impl Rules for Hopper {
        const SPEC: Spec = super::SPEC;
        const MODEL: &'static str = "hopper.xml";
        const SUBSTEPS: u32 = 4;

        fn scatter(sim: &mut Sim, rng: &mut ChaCha8Rng) {
            joints::scatter_uniformly(sim.qpos_mut(), RESET_NOISE, rng);
            joints::scatter_uniformly(sim.qvel_mut(), RESET_NOISE, rng);
        }

        fn observe(sim: &Sim, obs: &mut [f64]) {
            joints::write(obs, [&sim.qpos()[1..], sim.qvel()]);
            for speed in &mut obs[sim.qpos().len() - 1..] {
                *speed = speed.clamp(-OBSERVED_SPEED, OBSERVED_SPEED);
            }
        }

        fn judge(sim: &Sim, speed: f64) -> Step {
            let healthy = is_healthy(sim);
            let alive = if healthy { HEALTHY_REWARD } else { 0.0 };
            Step {
                reward: speed + alive - CONTROL_COST * numpy::sum_of_squares(sim.controls()),
                terminated: !healthy,
            }
        }
    }

    fn is_healthy(sim: &Sim) -> bool {
        let (qpos, qvel) = (sim.qpos(), sim.qvel());
        let mut rest = qpos[2..].iter().chain(qvel);
        joints::within(qpos[1], HEALTHY_HEIGHT)
            && joints::within(qpos[2], HEALTHY_ANGLE)
            && rest.all(|&value| joints::within(value, HEALTHY_STATE))
    }

    #[cfg(test)]
    mod tests {
        use super::{Hopper, RESET_NOISE};
        use crate::gym::check::{self, Noise};

        #[test]
        fn it_steps_as_gymnasium_does() {
            check::replay::<Hopper>(include_str!("../../tests/fixtures/hopper.json"));
        }

        #[test]
        fn a_simulation_that_blew_up_is_an_error() {
            check::diverge::<Hopper>();
        }

        #[test]
        fn actions_span_what_the_motors_take() {
            check::span::<Hopper>();
        }

        #[test]
        fn it_starts_where_gymnasium_does() {
            let noise = Noise::Uniform(RESET_NOISE);
            check::starts::<Hopper>(noise, noise);
        }
    }
}
