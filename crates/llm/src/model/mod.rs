//! The policy: a decoder-only transformer that covers Llama and Qwen2.

mod block;
mod config;
mod packed;
mod policy;
mod weights;

pub use config::{Config, ConfigError};
pub use era_nn::transformer::Segment;
pub use packed::Packed;
pub use policy::{Evaluation, Pass, Policy};
pub use weights::{Array, Weights};
