//! Entropy Regularizing Activation (ERA): a policy's entropy guaranteed by an activation.

#[cfg(feature = "burn")]
pub mod burn;

mod compensation;
mod error;
mod gaussian;
mod real;
mod special;
mod tanh_normal;
mod truncated;

pub use compensation::{Compensation, LearnedDelta};
pub use error::Error;
pub use gaussian::{
    ENTROPY_OF_UNIT_NORMAL, GaussianEra, GaussianEraConfig, RowAudit, gaussian_entropy,
};
pub use real::Real;
pub use tanh_normal::TanhNormal;
pub use truncated::{TruncatedNormal, WithGradient};
