//! The methods, one file each.

pub mod clip_cov;
pub mod grpo;
pub mod grpo_clip_higher;
pub mod grpo_entropy_bonus;
pub mod grpo_era;
pub mod gspo;
pub mod kl_cov;
pub mod sft;
