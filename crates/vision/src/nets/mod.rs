//! Networks and what updates them.

mod plan;
mod resnet;
mod sgd;
mod weights;

pub use plan::{Arch, Plan, Stem};
pub use resnet::{Pass, ResNet};
pub use sgd::{Sgd, SgdConfig};
pub use weights::WeightsError;

pub(crate) use weights::missing;
