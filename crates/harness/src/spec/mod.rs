//! Experiment files: a YAML matrix of tasks, methods and seeds, checked as a whole and turned into cells.
//!
//! | key | meaning |
//! |---|---|
//! | `suite` | name of the suite |
//! | `about` | one line for people |
//! | `matrix` | `task`, `method` (a name or a list), `seed` (a count or a list); every other key is a parameter with a list of values |
//! | `params` | values of parameters for all methods that have them |
//! | `scales` | by name; each may replace axes of the matrix, and give `params`, a `time_limit` and `missing` |
//! | `overrides` | a list of `match` (conditions on axes) and `params` for the cells that fulfil them |
//! | `exclude` | a list of conditions; cells that fulfil all conditions of one are left out |
//! | `time_limit` | how long a cell may take: `90s`, `30m`, `1h 30m` |
//! | `missing` | of a scale: `fail` (default) or `skip` cells whose task needs a native part that the build lacks ([`Missing`]) |
//! | `report` | `tables` and `figures` that are made of the records |
//!
//! The value of a parameter is the last of: the method's default, `params`, the scale's `params`, the value on an axis,
//! an override. How methods with different parameters share a matrix: see [`Experiment::load`].

mod check;
mod document;
mod error;
mod expand;
mod filter;
mod names;
mod reader;
mod report;
mod source;
mod yaml;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use error::{Fault, Problem, SpecError};
pub use filter::{Filter, FilterError};
pub use names::hint;

use crate::cell::Cell;
use crate::method::Suite;
pub use document::Missing;
use source::Source;

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
    name: String,
    about: String,
    suite: String,
    report: Report,
    file: PathBuf,
    source: Source,
    scales: Vec<Scale>,
}

/// One scale with its cells, which have no engine yet.
#[derive(Clone, Debug)]
struct Scale {
    name: String,
    cells: Vec<Cell>,
    time_limit: Option<Duration>,
    missing: Missing,
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
    /// The cells in the order of the matrix: task, then method, then further axes in the order of the file, then seed.
    pub cells: Vec<Cell>,
    /// What is made of the records.
    pub report: Report,
    /// How long one cell may take.
    pub time_limit: Option<Duration>,
    /// What becomes of cells that this build cannot run.
    pub missing: Missing,
    /// The file, as it was named to [`Experiment::load`].
    pub file: PathBuf,
}

impl Experiment {
    /// Reads the experiment file at `path` and checks all of it, every scale included.
    ///
    /// `params` and parameter axes are shared by the methods of a matrix: each method takes those that it has, and a
    /// name that none of them has is an error. For a method without the parameter of an axis, that axis has one point:
    /// a baseline runs once, not once for each value. An override is addressed, so every method that it matches must
    /// have its parameters.
    ///
    /// # Errors
    /// Everything that is wrong with the file, in one go, with line, column, snippet and the nearest valid name.
    pub fn load(path: &Path, registry: &[Suite], outputs: Outputs<'_>) -> Result<Self, SpecError> {
        let (source, root) = source::read(path)?;
        let mut problems = Vec::new();
        let Some(mut document) = document::read(root, &mut problems) else {
            return Err(source.error(problems));
        };
        check::outputs(&document, outputs, &mut problems);
        let mut cells = Vec::new();
        if let Some(suite) = check::suite(&document, registry, &mut problems) {
            check::names(&mut document, suite, &mut problems);
            let whole = problems.is_empty();
            cells = expand::expand(&document, suite, whole, &mut problems);
        }
        if !problems.is_empty() {
            return Err(source.error(problems));
        }
        let default_limit = document.time_limit;
        let scales = document
            .scales
            .into_iter()
            .zip(cells)
            .map(|(scale, cells)| Scale {
                name: scale.name.name,
                cells,
                time_limit: scale.time_limit.or(default_limit),
                missing: scale.missing,
            });
        let names = |keys: Vec<yaml::Key>| keys.into_iter().map(|key| key.name).collect();
        Ok(Self {
            name: path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            about: document.about,
            suite: document.suite.map(|suite| suite.name).unwrap_or_default(),
            report: Report {
                tables: names(document.tables),
                figures: names(document.figures),
            },
            file: path.to_owned(),
            source,
            scales: scales.collect(),
        })
    }

    /// Name of the experiment: the file's name without its ending.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One line for people.
    pub fn about(&self) -> &str {
        &self.about
    }

    /// Name of the suite.
    pub fn suite(&self) -> &str {
        &self.suite
    }

    /// Names of the scales, in the order of the file.
    pub fn scales(&self) -> impl Iterator<Item = &str> {
        self.scales.iter().map(|scale| scale.name.as_str())
    }

    /// The cells at `scale` that pass `filters`, for the given engine. Filters with the same key add up (`task=a` and
    /// `task=b` are `task=a,b`), those with different keys narrow.
    ///
    /// # Errors
    /// The file has no such scale, or a filter's key or value matches nothing (with the nearest name).
    pub fn plan(&self, scale: &str, filters: &[Filter], engine: &str) -> Result<Plan, SpecError> {
        let Some(found) = self.scales.iter().find(|other| other.name == scale) else {
            let valid: Vec<&str> = self.scales().collect();
            let fault = Fault::Unknown {
                what: "scale".to_owned(),
                name: scale.to_owned(),
            };
            let problem = Problem::outside(fault).help(names::hint("scale", scale, &valid));
            return Err(self.source.error(vec![problem]));
        };
        let mut cells =
            filter::apply(filters, &found.cells).map_err(|problems| self.source.error(problems))?;
        for cell in &mut cells {
            engine.clone_into(&mut cell.engine);
        }
        Ok(Plan {
            experiment: self.name.clone(),
            about: self.about.clone(),
            suite: self.suite.clone(),
            scale: found.name.clone(),
            cells,
            report: self.report.clone(),
            time_limit: found.time_limit,
            missing: found.missing,
            file: self.file.clone(),
        })
    }
}
