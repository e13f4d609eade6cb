//! Networks and what updates them.

mod plan;
mod resnet;
mod sgd;
mod weights;

pub use plan::{Arch, Plan, Stage, Stem};
pub use resnet::{Parameter, Pass, ResNet, Running};
pub use sgd::{Sgd, SgdConfig};
pub use weights::WeightsError;

pub(crate) use weights::missing;
