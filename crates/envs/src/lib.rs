//! Continuous-control environments of the ERA benchmark suite: pure Rust and MuJoCo.
//!
//! [`make`] gives an environment by name, [`Episode`] adds its time limit and its checks:
//!
//! ```
//! # use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
//! # fn main() -> Result<(), era_envs::EnvError> {
//! let mut episode = era_envs::Episode::new(era_envs::make("mini/point-mass")?);
//! episode.reset(&mut ChaCha8Rng::seed_from_u64(1))?;
//! let mut earned = 0.0;
//! loop {
//!     let toward_the_goal = [-episode.observation()[0], -episode.observation()[1]];
//!     let transition = episode.step(&toward_the_goal)?;
//!     earned += transition.reward;
//!     if transition.done() {
//!         break;
//!     }
//! }
//! assert!(earned > -100.0);
//! # Ok(())
//! # }
//! ```

pub mod classic;
mod env;
mod episode;
mod gym;
pub mod mini;
mod reference;
mod registry;
mod vector;

pub use env::{Env, EnvError, Spec, Step};
pub use episode::{Episode, Transition};
pub use reference::Reference;
pub use registry::{TaskInfo, make, tasks};
pub use vector::Vector;
