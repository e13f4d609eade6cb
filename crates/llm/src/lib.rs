//! Reinforcement learning of language models: GRPO, its entropy remedies and ERA.
//!
//! [`suite`] is what the driver sees. Each method is one file under [`methods`] with its parameters, its loss and its training loop; what they
//! share is plumbing: problems and start ([`tasks`]), the transformer and its files ([`model`], [`text`]), the sampler ([`sample`]).
//! The losses are arithmetic in `f64` on slices, with gradients written out, at which a [`model::Policy`] starts its backward pass:
//!
//! - [`advantage`]: what a response earned beside the others to the same prompt, and which prompts teach anything;
//! - [`surrogate`]: the clipped surrogate of PPO and GRPO, token by token; [`gspo`]: response by response;
//! - [`kl`]: estimates of the divergence from a reference policy;
//! - [`covariance`]: Clip-Cov and KL-Cov, which restrain the few tokens that take most of the entropy away;
//! - [`model`]: the policy's configuration and weights; [`sample`]: responses from it;
//! - [`entropy`]: the entropy of a token's distribution, and its bonus.
//!
//! A batch is ragged: the tokens of all responses lie one after another, and [`Lengths`] says where each response ends. There is no padding
//! and no mask; a token that takes no part in a loss is left out.
//!
//! ```
//! use era_llm::{Aggregation, Batch, ClipRange, Groups, Lengths, Surrogate, Tokens, advantage::Scale};
//!
//! // Two responses to one prompt: the first is right and has two tokens, the second is wrong and has one.
//! let lengths = Lengths::new(&[2, 1]);
//! let earned = Groups::new(&[0, 0]).advantages(&[1.0, -1.0], Scale::Deviation)?;
//! let advantage = lengths.spread(&earned)?;
//! let log_prob = [-0.5, -1.0, -0.7];
//! let batch = Batch::new(lengths, Tokens {
//!     log_prob: &log_prob,
//!     old_log_prob: &log_prob,
//!     advantage: &advantage,
//! })?;
//! let loss = Surrogate {
//!     clip: ClipRange { low: 0.2, high: 0.28 },
//!     clip_c: 10.0,
//!     aggregation: Aggregation::TokenMean,
//! };
//! let mut gradient = Vec::new();
//! loss.evaluate(batch, &mut gradient);
//! assert!(gradient[0] < 0.0 && gradient[2] > 0.0); // more of the first, less of the second
//! # Ok::<(), era_llm::ShapeError>(())
//! ```
//!
//! # What every loss does
//!
//! - **Gradients** are those of the loss as it is returned, with respect to what the networks' outputs are turned into (a token's
//!   log-probability, or its logits). At a corner, where two branches of the loss are equal, the unrestrained branch's slope is taken; PyTorch
//!   takes the mean of both.
//! - **Empty responses** add nothing to a sum and count in every mean over responses. A batch without tokens, or without responses, has
//!   loss 0 and no gradient. Nothing panics on them.
//! - **NaN** is not hidden: if an input of a token is NaN, so is the loss, and it is the loss that has to be checked before a step.
//! - **Infinities** follow the arithmetic: a log-probability of -inf under both policies makes NaN, as -inf - -inf does.
//!
//! The losses agree to 1e-9 with the authors' fork of verl where that has them: `tests/golden/grpo.json` holds its numbers.

pub mod advantage;
pub mod agreement;
pub mod batch;
pub mod covariance;
pub mod entropy;
pub mod gspo;
pub mod kl;
pub mod methods;
pub mod model;
pub mod optimiser;
pub mod sample;
pub mod surrogate;
pub mod tasks;
pub mod text;

mod descent;
mod metrics;
mod params;
mod rollout;
mod start;
mod training;

pub use advantage::Groups;
pub use batch::{Aggregation, Batch, Lengths, ShapeError, Tokens};
pub use covariance::{ClipCov, KlCov};
pub use entropy::EntropyBonus;
pub use gspo::Gspo;
pub use kl::Kl;
pub use surrogate::{ClipRange, Surrogate};

use burn::tensor::Device;
use era_harness::run::Run;
use era_harness::{Suite, TrainError};

/// The tasks and methods of reinforcement learning of language models.
pub fn suite() -> Suite {
    Suite {
        name: "llm",
        about: "reinforcement learning of language models: GRPO, remedies for its entropy, and ERA",
        tasks: tasks::all().iter().map(tasks::TaskInfo::task).collect(),
        methods: vec![
            &methods::sft::Sft,
            &methods::grpo::Grpo,
            &methods::grpo_entropy_bonus::GrpoEntropyBonus,
            &methods::grpo_clip_higher::GrpoClipHigher,
            &methods::clip_cov::ClipCovMethod,
            &methods::kl_cov::KlCovMethod,
            &methods::gspo::GspoMethod,
            &methods::grpo_era::GrpoEra,
        ],
    }
}

/// Where the run computes.
fn device(run: &Run) -> Result<Device, TrainError> {
    let id = run.device();
    era_nn::device(&id.engine, id.index).map_err(|lack| TrainError::Other(lack.to_string()))
}

#[cfg(test)]
mod golden;
