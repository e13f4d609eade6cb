//! What can go wrong while a report is made.

use std::io;
use std::path::{Path, PathBuf};

/// A report could not be made or written. Reads after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file or folder could not be read or written.
    #[error("{action} {}: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// An experiment asks for a table or figure that nobody makes.
    #[error("make `{name}` of experiment `{experiment}`: there is no such {kind}; there are {}", valid.join(", "))]
    Unknown {
        /// The experiment.
        experiment: String,
        /// `table` or `figure`.
        kind: &'static str,
        /// The name asked for.
        name: String,
        /// The names that exist.
        valid: Vec<&'static str>,
    },
    /// A template is wrong.
    #[error("fill in template {name}: {source}")]
    Template {
        /// Name of the template.
        name: String,
        /// What is wrong, with the line.
        source: minijinja::Error,
    },
    /// The published numbers are not as they should be.
    #[error("read the published numbers in {}: {reason}", path.display())]
    Published {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The store of records could not be read.
    #[error(transparent)]
    Store(era_harness::store::StoreError),
    /// Rows could not be arranged in a frame.
    #[error("arrange the records in a frame: {0}")]
    Frame(#[from] polars::error::PolarsError),
    /// Numbers that statistics cannot be made of.
    #[error("compute statistics: {0}")]
    Statistics(String),
    /// A figure could not be drawn or turned into PDF.
    #[error("draw figure `{name}`: {reason}")]
    Figure {
        /// Name of the figure.
        name: String,
        /// What the drawing library said.
        reason: String,
    },
    /// Two numbers would get the same macro.
    #[error("name the numbers of experiment `{experiment}`: two of them would be \\{name}")]
    MacroTwice {
        /// The experiment.
        experiment: String,
        /// The macro.
        name: String,
    },
}

impl ReportError {
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` takes")]
    pub(crate) fn statistics(error: impl ToString) -> Self {
        Self::Statistics(error.to_string())
    }
}
