//! The policy: a decoder-only transformer that covers Llama and Qwen2.

mod config;
mod weights;

pub use config::{Config, ConfigError};
pub use weights::{Array, Weights};
