//! `gym/half-cheetah`: Gymnasium's `HalfCheetah-v5` (`gymnasium/envs/mujoco/half_cheetah_v5.py`, 1.4.0) with its
//! defaults.
//!
//! - five substeps of 0.01 s a step
//! - observation: positions but the first (how far it ran), velocities
//! - reward: (x' - x) / dt - 0.1 |a|²; it never terminates; 1000 steps
//! - first state: positions of the model + uniform in ±0.1, velocities 0.1 × standard normal

use crate::env::Spec;
use crate::registry::{Make, TaskInfo};

const SPEC: Spec = Spec {
    name: "gym/half-cheetah",
    obs_dim: 17,
    act_dim: 6,
    time_limit: 1000,
};

/// The task.
pub(crate) const TASK: TaskInfo = TaskInfo::mujoco(
    SPEC,
    "a planar cheetah runs forward (Gymnasium's HalfCheetah-v5)",
    MAKE,
);

#[cfg(not(feature = "mujoco"))]
const MAKE: Option<Make> = None;
#[cfg(feature = "mujoco")]
const MAKE: Option<Make> = Some(super::simulated::make::<rules::HalfCheetah>);

#[cfg(feature = "mujoco")]
mod rules {
    use rand_chacha::ChaCha8Rng;

    use crate::env::{Spec, Step};
    use crate::gym::sim::Sim;
    use crate::gym::simulated::Rules;
    use crate::gym::{joints, numpy};

    const RESET_NOISE: f64 = 0.1;
    const CONTROL_COST: f64 = 0.1;

    #[derive(Debug)]
    pub(super) struct HalfCheetah;

    impl Rules for HalfCheetah {
        const SPEC: Spec = super::SPEC;
        const MODEL: &'static str = "half_cheetah.xml";
        const SUBSTEPS: u32 = 5;

        fn scatter(sim: &mut Sim, rng: &mut ChaCha8Rng) {
            joints::scatter_uniformly(sim.qpos_mut(), RESET_NOISE, rng);
            joints::scatter_normally(sim.qvel_mut(), RESET_NOISE, rng);
        }

        fn observe(sim: &Sim, obs: &mut [f64]) {
            joints::write(obs, [&sim.qpos()[1..], sim.qvel()]);
        }

        fn judge(sim: &Sim, speed: f64) -> Step {
            Step::ongoing(speed - CONTROL_COST * numpy::sum_of_squares(sim.controls()))
        }
    }

    #[cfg(test)]
    mod tests {
        use super::{HalfCheetah, RESET_NOISE};
        use crate::gym::check::{self, Noise};

        #[test]
        fn it_steps_as_gymnasium_does() {
            check::replay::<HalfCheetah>(include_str!("../../tests/fixtures/half_cheetah.json"));
        }

        #[test]
        fn a_simulation_that_blew_up_is_an_error() {
            check::diverge::<HalfCheetah>();
        }

        #[test]
        fn actions_span_what_the_motors_take() {
            check::span::<HalfCheetah>();
        }

        #[test]
        fn it_starts_where_gymnasium_does() {
            check::starts::<HalfCheetah>(Noise::Uniform(RESET_NOISE), Noise::Normal(RESET_NOISE));
        }
    }
}
