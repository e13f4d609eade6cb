//! The policy: a decoder-only transformer that covers Llama and Qwen2.
//!
//! [`Weights`] come from a folder of Hugging Face ([`Weights::open_hugging_face`]), from a GGUF ([`Gguf`]), from a file of the project's own
//! ([`Weights::open`], [`Weights::save`]), or are drawn ([`Weights::init`]).

mod checkpoint;
mod config;
mod error;
mod gguf;
mod hugging_face;
mod store;
mod weights;

pub use config::{Config, ConfigError};
pub use error::ModelError;
pub use gguf::Gguf;
pub use weights::{Array, Weights};

pub(crate) use error::read_file;
pub(crate) use gguf::whole;

#[cfg(test)]
mod reference;
#[cfg(test)]
pub(crate) mod tests;
