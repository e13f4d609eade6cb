//! The operations of a decoder-only transformer (Llama, Qwen2): training on packed tokens, and slices for a sampler.
//!
//! Tokens of all sequences lie one after another without padding; a [`Layout`] says which attend to which. Responses to one prompt may share
//! it: the prompt is computed once, and its keys and values collect the gradients of all that attend to them.
//!
//! The operations at the top level take part in autodiff. [`tape`] has the same arithmetic outside it, forward and backward one by one,
//! for a model that decides itself what is kept and what is recomputed; [`rows`] has the forward passes on slices.

mod attention;
mod autodiff;
mod composed;
mod flex;
pub mod kernels;
mod layout;
mod ops;
mod passes;
mod pool;
pub mod rows;
pub mod tape;
#[cfg(test)]
mod tests;

pub use layout::{Layout, LayoutError, Segment, Targets};
pub use ops::{attention, linear, linear_transposed, rms_norm, swiglu, token_log_prob};
pub use rows::RopeTable;
