//! One method, one file.

pub mod cross_entropy;
pub mod dropout;
pub mod entropy_bonus;
pub mod era;
pub mod era_exact;
pub mod focal;
pub mod label_smoothing;
pub mod timm_recipe;
