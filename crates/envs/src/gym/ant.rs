//! `gym/ant`: Gymnasium's `Ant-v5` (`gymnasium/envs/mujoco/ant_v5.py`, 1.4.0) with its
//! defaults.
//!
//! - five substeps of 0.01 s a step
//! - observation: positions but the first two (where it is), velocities, and the six components of the contact force on
//!   each body but the world, clipped to ±1
//! - healthy: height of the torso in [0.2, 1] m
//! - reward: (x' - x) / dt + 1 while healthy - 0.5 |a|² - 0.0005 |f|², f the clipped forces on all bodies, x that of the
//!   torso's frame; it terminates when not healthy; 1000 steps
//! - first state: positions of the model + uniform in ±0.1, velocities 0.1 × standard normal
//!
//! MuJoCo derives frame and forces within the last substep: x lags behind the position that is observed.

use crate::env::Spec;
use crate::registry::{Make, TaskInfo};

const SPEC: Spec = Spec {
    name: "gym/ant",
    obs_dim: 105,
    act_dim: 8,
    time_limit: 1000,
};

/// The task.
pub(crate) const TASK: TaskInfo = TaskInfo::mujoco(
    SPEC,
    "a body on four legs runs forward (Gymnasium's Ant-v5)",
    MAKE,
);

#[cfg(not(feature = "mujoco"))]
const MAKE: Option<Make> = None;
#[cfg(feature = "mujoco")]
const MAKE: Option<Make> = Some(super::simulated::make::<rules::Ant>);

#[cfg(feature = "mujoco")]
mod rules {
    use rand_chacha::ChaCha8Rng;

    use crate::env::{Spec, Step};
    use crate::gym::sim::Sim;
    use crate::gym::simulated::Rules;
    use crate::gym::{joints, numpy};

    const RESET_NOISE: f64 = 0.1;
    const CONTROL_COST: f64 = 0.5;
    const CONTACT_COST: f64 = 5e-4;
    const HEALTHY_REWARD: f64 = 1.0;
    const HEALTHY_HEIGHT: (f64, f64) = (0.2, 1.0);
    /// Among the bodies of the model.
    const TORSO: usize = 1;
    const OBSERVED_FORCE: f64 = 1.0;

    #[derive(Debug)]
    pub(super) struct Ant;

    impl Rules for Ant {
        const SPEC: Spec = super::SPEC;
        const MODEL: &'static str = "ant.xml";
        const SUBSTEPS: u32 = 5;
        const CONTACT_FORCES: bool = true;

        fn scatter(sim: &mut Sim, rng: &mut ChaCha8Rng) {
            joints::scatter_uniformly(sim.qpos_mut(), RESET_NOISE, rng);
            joints::scatter_normally(sim.qvel_mut(), RESET_NOISE, rng);
        }

        fn observe(sim: &Sim, obs: &mut [f64]) {
            let forces = sim.contact_forces()[1..].as_flattened();
            joints::write(obs, [&sim.qpos()[2..], sim.qvel(), forces]);
            let first = obs.len() - forces.len();
            for force in &mut obs[first..] {
                *force = clip(*force);
            }
        }

        fn place(sim: &Sim) -> f64 {
            sim.frames()[TORSO][0]
        }

        fn judge(sim: &Sim, speed: f64) -> Step {
            let (low, high) = HEALTHY_HEIGHT;
            let finite = |values: &[f64]| values.iter().all(|value| value.is_finite());
            let healthy =
                finite(sim.qpos()) && finite(sim.qvel()) && (low..=high).contains(&sim.qpos()[2]);
            let alive = if healthy { HEALTHY_REWARD } else { 0.0 };
            let effort = CONTROL_COST * numpy::sum_of_squares(sim.controls());
            let forces = sim.contact_forces().as_flattened();
            let contact = CONTACT_COST * numpy::sum_of(forces, |force| clip(force).powi(2));
            Step {
                reward: speed + alive - (effort + contact),
                terminated: !healthy,
            }
        }
    }

    fn clip(force: f64) -> f64 {
        force.clamp(-OBSERVED_FORCE, OBSERVED_FORCE)
    }

    #[cfg(test)]
    mod tests {
        use super::{Ant, RESET_NOISE};
        use crate::gym::check::{self, Noise};

        #[test]
        fn it_steps_as_gymnasium_does() {
            check::replay::<Ant>(include_str!("../../tests/fixtures/ant.json"));
        }

        #[test]
        fn a_simulation_that_blew_up_is_an_error() {
            check::diverge::<Ant>();
        }

        #[test]
        fn actions_span_what_the_motors_take() {
            check::span::<Ant>();
        }

        #[test]
        fn it_starts_where_gymnasium_does() {
            check::starts::<Ant>(Noise::Uniform(RESET_NOISE), Noise::Normal(RESET_NOISE));
        }
    }
}
