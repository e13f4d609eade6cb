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
        use rand_chacha::ChaCha8Rng;
        use rand_chacha::rand_core::SeedableRng;

        use super::{HalfCheetah, RESET_NOISE};
        use crate::gym::sim::Sim;
        use crate::gym::simulated::{Rules, check};

        #[test]
        fn it_steps_as_gymnasium_does() {
            check::replay::<HalfCheetah>(include_str!("../../tests/fixtures/half_cheetah.json"));
        }

        #[test]
        fn a_simulation_that_blew_up_is_an_error() {
            check::diverge::<HalfCheetah>();
        }

        /// Mean, standard deviation and largest size of `values`.
        fn moments(values: &[f64]) -> (f64, f64, f64) {
            let count = values.len() as f64;
            let mean = values.iter().sum::<f64>() / count;
            let variance = values
                .iter()
                .map(|value| (value - mean).powi(2))
                .sum::<f64>()
                / count;
            let largest = values
                .iter()
                .fold(0.0_f64, |largest, value| largest.max(value.abs()));
            (mean, variance.sqrt(), largest)
        }

        /// Uniform positions: deviation 0.1/√3 and no value beyond 0.1. Normal velocities: deviation 0.1, and of 18,000
        /// the largest between 3.4 and 5.2 deviations but once in a thousand times. The bounds on means and deviations
        /// are five standard errors wide.
        #[test]
        fn it_starts_where_gymnasium_does() {
            let mut sim = Sim::load("test", HalfCheetah::MODEL, HalfCheetah::SUBSTEPS).unwrap();
            let mut rng = ChaCha8Rng::seed_from_u64(2);
            sim.reset();
            let (qpos, qvel) = (sim.qpos().to_vec(), sim.qvel().to_vec());
            let (mut positions, mut velocities) = (Vec::new(), Vec::new());
            for _ in 0..2000 {
                sim.reset();
                HalfCheetah::scatter(&mut sim, &mut rng);
                positions.extend(sim.qpos().iter().zip(&qpos).map(|(q, start)| q - start));
                velocities.extend(sim.qvel().iter().zip(&qvel).map(|(v, start)| v - start));
            }
            let (mean, deviation, largest) = moments(&positions);
            assert!(mean.abs() < 2.2e-3 && (deviation - RESET_NOISE / 3.0_f64.sqrt()).abs() < 1e-3);
            assert!(
                largest <= RESET_NOISE && largest > 0.999 * RESET_NOISE,
                "{largest}"
            );
            let (mean, deviation, largest) = moments(&velocities);
            assert!(mean.abs() < 3.8e-3 && (deviation - RESET_NOISE).abs() < 2.7e-3);
            assert!(
                largest > 3.4 * RESET_NOISE && largest < 5.2 * RESET_NOISE,
                "{largest}"
            );
        }
    }
}
