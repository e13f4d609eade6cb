//! Experiment files, cells, the store, the scheduler and the run context of the ERA benchmark suite.
//!
//! The harness knows no algorithm by name and no tensor crate: a [`Suite`] hands it tasks and
//! [`Method`]s, it hands each method a [`Run`](run::Run).

pub mod agreement;
pub mod budget;
pub mod cell;
pub mod device;
pub mod estimate;
pub mod files;
pub mod method;
pub mod mock;
pub mod protocol;
pub mod record;
pub mod run;
pub mod schedule;
pub mod sealed;
pub mod seed;
pub mod spec;
pub mod stop;
pub mod store;
pub mod worker;

pub use cell::{Cell, CellId, Params};
pub use device::DeviceId;
pub use method::{Cost, Method, ParamError, Suite, Task, TrainError};
