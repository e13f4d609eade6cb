//! `gym/swimmer`: Gymnasium's `Swimmer-v5` (`gymnasium/envs/mujoco/swimmer_v5.py`, 1.4.0) with its
//! defaults.
//!
//! - four substeps of 0.01 s a step
//! - observation: positions but the first two (where its head is), velocities
//! - reward: (x' - x) / dt - 0.0001 |a|²; it never terminates; 1000 steps
//! - first state: positions and velocities of the model + uniform in ±0.1

use crate::env::Spec;
use crate::registry::{Make, TaskInfo};

const SPEC: Spec = Spec {
    name: "gym/swimmer",
    obs_dim: 8,
    act_dim: 2,
    time_limit: 1000,
};

/// The task.
pub(crate) const TASK: TaskInfo = TaskInfo::mujoco(
    SPEC,
    "a chain of three links swims forward (Gymnasium's Swimmer-v5)",
    MAKE,
);

#[cfg(not(feature = "mujoco"))]
const MAKE: Option<Make> = None;
#[cfg(feature = "mujoco")]
const MAKE: Option<Make> = Some(super::simulated::make::<rules::Swimmer>);

#[cfg(feature = "mujoco")]
mod rules {
    use rand_chacha::ChaCha8Rng;

    use crate::env::{Spec, Step};
    use crate::gym::sim::Sim;
    use crate::gym::simulated::Rules;
    use crate::gym::{joints, numpy};

    const RESET_NOISE: f64 = 0.1;
    const CONTROL_COST: f64 = 1e-4;

    #[derive(Debug)]
    pub(super) struct Swimmer;

    impl Rules for Swimmer {
        const SPEC: Spec = super::SPEC;
        const MODEL: &'static str = "swimmer.xml";
        const SUBSTEPS: u32 = 4;

        fn scatter(sim: &mut Sim, rng: &mut ChaCha8Rng) {
            joints::scatter_uniformly(sim.qpos_mut(), RESET_NOISE, rng);
            joints::scatter_uniformly(sim.qvel_mut(), RESET_NOISE, rng);
        }

        fn observe(sim: &Sim, obs: &mut [f64]) {
            joints::write(obs, [&sim.qpos()[2..], sim.qvel()]);
        }

        fn judge(sim: &Sim, speed: f64) -> Step {
            Step::ongoing(speed - CONTROL_COST * numpy::sum_of_squares(sim.controls()))
        }
    }

    #[cfg(test)]
    mod tests {
        use super::{RESET_NOISE, Swimmer};
        use crate::gym::check::{self, Noise};

        #[test]
        fn it_steps_as_gymnasium_does() {
            check::replay::<Swimmer>(include_str!("../../tests/fixtures/swimmer.json"));
        }

        #[test]
        fn a_simulation_that_blew_up_is_an_error() {
            check::diverge::<Swimmer>();
        }

        #[test]
        fn actions_span_what_the_motors_take() {
            check::span::<Swimmer>();
        }

        #[test]
        fn it_starts_where_gymnasium_does() {
            let noise = Noise::Uniform(RESET_NOISE);
            check::starts::<Swimmer>(noise, noise);
        }
    }
}
