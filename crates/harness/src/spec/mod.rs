//! Experiment files: a YAML matrix of tasks, methods and seeds, checked as a whole and turned into cells.

mod difference;
mod error;
mod filter;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use difference::{FieldDifference, difference};
pub use error::SpecError;
pub use filter::{Filter, FilterError};

use crate::cell::Cell;
use crate::method::Suite;

/// The tables and figures that the report can make: what `report:` in an experiment file may name.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outputs<'a> {
    /// Names of tables.
    pub tables: &'a [&'a str],
    /// Names of figures.
    pub figures: &'a [&'a str],
}

/// What is made of an experiment's records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Tables, in the order of the file.
    pub tables: Vec<String>,
    /// Figures, in the order of the file.
    pub figures: Vec<String>,
}

/// An experiment file that was read and checked at every one of its scales.
#[derive(Clone, Debug)]
pub struct Experiment {
    plan: Plan,
}

/// The cells of an experiment at one scale.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Name of the experiment: the file's name without its ending.
    pub experiment: String,
    /// One line for people.
    pub about: String,
    /// Name of the suite.
    pub suite: String,
    /// Name of the scale.
    pub scale: String,
    /// The cells in the order of the matrix: task, then method, then seed, then further axes.
    pub cells: Vec<Cell>,
    /// What is made of the records.
    pub report: Report,
    /// How long one cell may take.
    pub time_limit: Option<Duration>,
    /// The file, as it was named to [`Experiment::load`].
    pub file: PathBuf,
}

impl Experiment {
    /// Reads the experiment file at `path` and checks all of it, every scale included.
    ///
    /// # Errors
    /// Everything that is wrong with the file, in one go, with line, column, snippet and the nearest valid name.
    pub fn load(path: &Path, registry: &[Suite], outputs: Outputs<'_>) -> Result<Self, SpecError> {
        let _ = (path, registry, outputs);
        Err(SpecError {})
    }

    /// Name of the experiment: the file's name without its ending.
    pub fn name(&self) -> &str {
        &self.plan.experiment
    }

    /// One line for people.
    pub fn about(&self) -> &str {
        &self.plan.about
    }

    /// Name of the suite.
    pub fn suite(&self) -> &str {
        &self.plan.suite
    }

    /// Names of the scales, in the order of the file.
    pub fn scales(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.plan.scale.as_str())
    }

    /// The cells at `scale` that pass every one of `filters`, for the given engine.
    ///
    /// # Errors
    /// The file has no such scale, or a filter's key or value matches nothing (with the nearest name).
    pub fn plan(&self, scale: &str, filters: &[Filter], engine: &str) -> Result<Plan, SpecError> {
        let _ = (scale, filters, engine);
        Ok(self.plan.clone())
    }
}
