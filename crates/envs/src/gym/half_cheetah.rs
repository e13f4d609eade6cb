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
    use rand::RngExt;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::StandardNormal;

    use crate::env::{EnvError, Spec, Step};
    use crate::gym::sim::Sim;
    use crate::gym::simulated::Rules;

    const RESET_NOISE: f64 = 0.1;
    const CONTROL_COST: f64 = 0.1;

    #[derive(Debug)]
    pub(super) struct HalfCheetah;

    impl Rules for HalfCheetah {
        const SPEC: Spec = super::SPEC;
        const MODEL: &'static str = "half_cheetah.xml";
        const SUBSTEPS: u32 = 5;

        fn scatter(sim: &mut Sim, rng: &mut ChaCha8Rng) {
            for q in sim.qpos_mut() {
                *q += rng.random_range(-RESET_NOISE..RESET_NOISE);
            }
            for v in sim.qvel_mut() {
                let noise: f64 = rng.sample(StandardNormal);
                *v += RESET_NOISE * noise;
            }
        }

        fn observe(sim: &Sim, obs: &mut [f64]) {
            let positions = &sim.qpos()[1..];
            let (first, second) = obs.split_at_mut(positions.len());
            first.copy_from_slice(positions);
            second.copy_from_slice(sim.qvel());
        }

        fn step(sim: &mut Sim, action: &[f64]) -> Result<Step, EnvError> {
            let before = sim.qpos()[0];
            sim.step(action)?;
            let speed = (sim.qpos()[0] - before) / sim.dt();
            let effort: f64 = action.iter().map(|a| a * a).sum();
            Ok(Step {
                reward: speed - CONTROL_COST * effort,
                terminated: false,
            })
        }
    }

    #[cfg(test)]
    mod tests {
        use super::HalfCheetah;
        use crate::gym::simulated::golden;

        #[test]
        fn it_steps_as_gymnasium_does() {
            golden::replay::<HalfCheetah>(include_str!("../../tests/fixtures/half_cheetah.json"));
        }
    }
}
