//! Experiment files, cells, the store, the scheduler and the run context of the ERA benchmark suite.
//!
//! The harness knows no algorithm by name and no tensor crate: a [`Suite`] hands it tasks and
//! [`Method`]s, it hands each method a [`Run`](run::Run).

pub mod cell;
pub mod method;
pub mod record;
pub mod run;
pub mod seed;

pub use cell::{Cell, CellId, Params};
pub use method::{Cost, Method, ParamError, Suite, Task, TrainError};
