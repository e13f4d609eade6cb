//! Continuous control: SAC and PPO with and without ERA.
//!
//! [`suite`] is what the driver sees. Each method is one file under `methods` with its parameters, its losses and its
//! training loop; what they share is plumbing: networks and optimisers (`nets`), experience (`collector`, `replay`),
//! [evaluation](evaluate) and the metrics of a policy (`probe`).

pub mod agreement;
pub mod evaluate;
pub mod losses;
pub mod methods;
pub mod normal;
pub mod ppo_loss;
pub mod replay;

mod actor_critic;
mod collector;
#[cfg(test)]
mod golden;
mod nets;
mod normalise;
mod params;
mod ppo_params;
mod ppo_probe;
mod probe;
mod rollout;
mod store;

pub use nets::Descent;
pub use probe::Losses;
pub use rollout::Minibatch;

use burn::tensor::Device;
use era_harness::run::Run;
use era_harness::{Suite, Task, TrainError};

/// The tasks and methods of continuous control.
pub fn suite() -> Suite {
    let task = |info: &era_envs::TaskInfo| Task {
        name: info.spec.name,
        about: info.about,
        needs: info.needs,
        available: info.available,
        inputs: era_harness::method::no_inputs,
    };
    Suite {
        name: "control",
        about: "continuous control: SAC and PPO with and without ERA",
        tasks: era_envs::tasks().map(task).collect(),
        methods: vec![
            &methods::sac::Sac,
            &methods::sac_era::SacEra,
            &methods::sac_no_entropy::SacNoEntropy,
            &methods::sac_fixed_sigma::SacFixedSigma,
            &methods::ppo::Ppo,
            &methods::ppo_entropy_bonus::PpoEntropyBonus,
            &methods::ppo_era::PpoEra,
        ],
    }
}

/// Where the run computes.
fn device(run: &Run) -> Result<Device, TrainError> {
    let id = run.device();
    era_nn::device(&id.engine, id.index).map_err(|lack| TrainError::Other(lack.to_string()))
}
