//! What a suite offers: its tasks and its methods.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cell::{Cell, Params};
use crate::run::Run;

/// The tasks and methods of one domain.
#[derive(Clone, Debug)]
pub struct Suite {
    /// Name, as in experiment files: `control`, `vision`, `llm`, `mock`.
    pub name: &'static str,
    /// One line for people.
    pub about: &'static str,
    /// What is solved.
    pub tasks: Vec<Task>,
    /// What solves it.
    pub methods: Vec<&'static dyn Method>,
}

/// What is solved.
#[derive(Clone, Debug)]
pub struct Task {
    /// Name, for example `gym/half-cheetah`.
    pub name: &'static str,
    /// One line for people.
    pub about: &'static str,
    /// The native part it needs, as `cargo xtask setup NAME` names it.
    pub needs: Option<&'static str>,
    /// Whether this build has that part.
    pub available: bool,
}

/// One algorithm.
pub trait Method: Sync + fmt::Debug {
    /// Name, as in experiment files.
    fn name(&self) -> &'static str;
    /// One line for people.
    fn about(&self) -> &'static str;
    /// Part of a cell's identity; bumped when the trajectory of the method changes.
    fn revision(&self) -> u32;
    /// Whether the method can run `task`.
    ///
    /// # Errors
    /// Why it cannot, as a lowercase fragment that reads after "sac-era cannot run mini/pendulum: ".
    fn supports(&self, task: &str) -> Result<(), String>;
    /// Fills in defaults and checks names, types and ranges. Most methods call [`resolve`].
    ///
    /// # Errors
    /// The first parameter that is unknown, of the wrong type or out of range.
    fn resolve(&self, task: &str, given: &Params) -> Result<Params, ParamError>;
    /// What a run is expected to cost, before anything was measured.
    fn cost(&self, task: &str, params: &Params) -> Cost;
    /// Trains the cell to its end, or until [`Run::cancelled`].
    ///
    /// # Errors
    /// Why the run did not finish.
    fn train(&self, cell: &Cell, run: &mut Run) -> Result<(), TrainError>;
}

/// What a run is expected to cost on one core of a present-day machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Wall-clock seconds with one thread.
    pub seconds: f64,
    /// Peak memory in bytes.
    pub memory: u64,
}

/// Why a parameter was refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ParamError {
    /// No parameter has this name.
    #[error("unknown parameter `{key}`")]
    Unknown {
        /// The name given.
        key: String,
        /// All valid names, in order.
        valid: Vec<String>,
    },
    /// The value has the wrong type.
    #[error("parameter `{key}` {message}")]
    Type {
        /// The parameter.
        key: String,
        /// A fragment, for example "must be a whole number, not `fast`".
        message: String,
    },
    /// The value has the right type and a wrong value.
    #[error("parameter `{key}` {message}")]
    Range {
        /// The parameter.
        key: String,
        /// A fragment, for example "must be at least 1, not -5".
        message: String,
    },
}

impl ParamError {
    /// The parameter that was refused.
    pub fn key(&self) -> &str {
        match self {
            Self::Unknown { key, .. } | Self::Type { key, .. } | Self::Range { key, .. } => key,
        }
    }
}

/// A method's typed parameters: a flat struct of scalars and lists with `#[serde(default, deny_unknown_fields)]`.
pub trait ParamSet: Default + Serialize + DeserializeOwned {
    /// Checks ranges.
    ///
    /// # Errors
    /// The first parameter out of range.
    fn validate(&self, task: &str) -> Result<(), ParamError>;
}

/// Fills in the defaults of `P`, checks `given` against them and returns every parameter.
///
/// # Errors
/// The first parameter that is unknown, of the wrong type or out of range.
pub fn resolve<P: ParamSet>(task: &str, given: &Params) -> Result<Params, ParamError> {
    let _ = (task, given);
    unimplemented!("owner: spec")
}

/// Reads resolved parameters back into their type.
///
/// # Errors
/// As [`resolve`]; only for a `cell.json` that was changed by hand.
pub fn typed<P: ParamSet>(task: &str, params: &Params) -> Result<P, ParamError> {
    let _ = (task, params);
    unimplemented!("owner: spec")
}

/// Why a run ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// Cancelled; a checkpoint was written and the run can be resumed.
    #[error("interrupted at step {step}; it resumes from there")]
    Interrupted {
        /// Step of the checkpoint.
        step: u64,
    },
    /// A loss, a parameter or an observation is not a number.
    #[error("{what} is not finite at step {step}")]
    Diverged {
        /// What is not finite.
        what: String,
        /// Step at which it was seen.
        step: u64,
    },
    /// The run's own folder could not be read or written.
    #[error(transparent)]
    Run(#[from] crate::run::RunError),
    /// Anything else, as a lowercase fragment.
    #[error("{0}")]
    Other(String),
}
