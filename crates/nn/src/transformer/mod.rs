//! The operations of a decoder-only transformer (Llama, Qwen2): training on packed tokens, and slices for a sampler.

pub mod rows;
