//! `gym/inverted-pendulum`: Gymnasium's `InvertedPendulum-v5` (`gymnasium/envs/mujoco/inverted_pendulum_v5.py`, 1.4.0) with its
//! defaults.
//!
//! - two substeps of 0.02 s a step; the motor takes ±3: its control is 3 a
//! - observation: positions (cart, pole), velocities
//! - reward: 1 while the pole is within ±0.2 rad; it terminates when not; 1000 steps
//! - first state: positions and velocities of the model + uniform in ±0.01
//!
//! With one action dimension Gaussian ERA is degenerate: a method may refuse this task.

use crate::env::Spec;
use crate::registry::{Make, TaskInfo};

const SPEC: Spec = Spec {
    name: "gym/inverted-pendulum",
    obs_dim: 4,
    act_dim: 1,
    time_limit: 1000,
};

/// The task.
pub(crate) const TASK: TaskInfo = TaskInfo::mujoco(
    SPEC,
    "a cart keeps the pole on it upright (Gymnasium's InvertedPendulum-v5)",
    MAKE,
);

#[cfg(not(feature = "mujoco"))]
const MAKE: Option<Make> = None;
#[cfg(feature = "mujoco")]
const MAKE: Option<Make> = Some(super::simulated::make::<rules::InvertedPendulum>);

#[cfg(feature = "mujoco")]
mod rules {
    use rand_chacha::ChaCha8Rng;

    use crate::env::{Spec, Step};
    use crate::gym::joints;
    use crate::gym::sim::Sim;
    use crate::gym::simulated::Rules;

    const RESET_NOISE: f64 = 0.01;
    const UPRIGHT: f64 = 0.2;

    #[derive(Debug)]
    pub(super) struct InvertedPendulum;

    impl Rules for InvertedPendulum {
        const SPEC: Spec = super::SPEC;
        const MODEL: &'static str = "inverted_pendulum.xml";
        const SUBSTEPS: u32 = 2;
        const REACH: f64 = 3.0;

        fn scatter(sim: &mut Sim, rng: &mut ChaCha8Rng) {
            joints::scatter_uniformly(sim.qpos_mut(), RESET_NOISE, rng);
            joints::scatter_uniformly(sim.qvel_mut(), RESET_NOISE, rng);
        }

        fn observe(sim: &Sim, obs: &mut [f64]) {
            joints::write(obs, [sim.qpos(), sim.qvel()]);
        }

        fn judge(sim: &Sim, _: f64) -> Step {
            let fallen = sim.qpos()[1].abs() > UPRIGHT;
            Step {
                reward: if fallen { 0.0 } else { 1.0 },
                terminated: fallen,
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::{InvertedPendulum, RESET_NOISE};
        use crate::gym::check::{self, Noise};

        #[test]
        fn it_steps_as_gymnasium_does() {
            check::replay::<InvertedPendulum>(include_str!(
                "../../tests/fixtures/inverted_pendulum.json"
            ));
        }

        #[test]
        fn a_simulation_that_blew_up_is_an_error() {
            check::diverge::<InvertedPendulum>();
        }

        #[test]
        fn actions_span_what_the_motors_take() {
            check::span::<InvertedPendulum>();
        }

        #[test]
        fn it_starts_where_gymnasium_does() {
            let noise = Noise::Uniform(RESET_NOISE);
            check::starts::<InvertedPendulum>(noise, noise);
        }
    }
}
