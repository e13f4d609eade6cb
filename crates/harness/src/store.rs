//! The store: `artifacts/<scale>/<suite>/<cell>/`, one folder a cell.

use std::path::{Path, PathBuf};

use crate::cell::{Cell, CellId};
use crate::record::{Failure, RunRecord};

/// The records under one folder.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

/// How a cell stands.
#[derive(Clone, Debug, PartialEq)]
pub enum CellState {
    /// Never begun.
    Missing,
    /// A process is training it now.
    Running,
    /// Begun and not finished; no process is at it.
    Partial {
        /// Step of its last checkpoint; 0 without one.
        step: u64,
    },
    /// Finished, and its files are whole as far as was looked.
    Done(Box<RunRecord>),
    /// Ended with a fault.
    Failed(Failure),
    /// What is there contradicts itself; it is trained again from scratch. Says what is wrong.
    Damaged(String),
}

/// How closely a finished cell is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// Files, versions and the number of rows: well below a millisecond a cell.
    Quick,
    /// Every row: the metrics hash to what `run.json` says.
    Full,
}

/// A finished run.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRun {
    /// Its folder, which holds `metrics.parquet` and `timings.parquet`.
    pub dir: PathBuf,
    /// Its cell.
    pub cell: Cell,
    /// Its record.
    pub record: RunRecord,
}

/// The recorded cell that differs least from one that is asked about.
#[derive(Clone, Debug, PartialEq)]
pub struct Nearest {
    /// The recorded cell.
    pub id: CellId,
    /// What differs, in the order of names. Empty when the cell itself is recorded.
    pub differences: Vec<Difference>,
}

/// One field in which two cells differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Name, for example `params.steps`.
    pub field: String,
    /// Value in the recorded cell, as JSON; none where it has no such field.
    pub recorded: Option<String>,
    /// Value in the cell asked about.
    pub asked: Option<String>,
}

/// The store could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] crate::files::FileError),
    /// Written by a newer version of this program.
    #[error(
        "read {path}: it has format {found}, this program knows up to {known}; update the program or move the folder away"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The newest format that this program reads.
        known: u32,
    },
    /// The file is not what this program writes.
    #[error("read {path}: {reason}; remove its folder to train the cell again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

#[expect(
    unused_variables,
    clippy::unimplemented,
    reason = "the signatures come first"
)]
impl Store {
    /// The store under `root` (`artifacts/`), which need not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Its folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of a cell.
    pub fn dir(&self, scale: &str, cell: &Cell) -> PathBuf {
        self.root.join(scale).join(&cell.suite).join(cell.id().0)
    }

    /// Makes the folder of a cell with its `cell.json`, and returns it. What is there already stays.
    ///
    /// # Errors
    /// The folder cannot be written, or holds another cell.
    pub fn prepare(&self, scale: &str, cell: &Cell) -> Result<PathBuf, StoreError> {
        unimplemented!()
    }

    /// Removes all that is recorded of a cell.
    ///
    /// # Errors
    /// The folder cannot be removed.
    pub fn discard(&self, scale: &str, cell: &Cell) -> Result<(), StoreError> {
        unimplemented!()
    }

    /// How a cell stands.
    ///
    /// # Errors
    /// Its files cannot be read, or are of a newer format.
    pub fn state(&self, scale: &str, cell: &Cell, verify: Verify) -> Result<CellState, StoreError> {
        unimplemented!()
    }

    /// The finished runs of a suite, in the order of their cells' identities.
    ///
    /// # Errors
    /// A folder cannot be read or a record is of a newer format. Damaged records are left out.
    pub fn records(&self, scale: &str, suite: &str) -> Result<Vec<StoredRun>, StoreError> {
        unimplemented!()
    }

    /// The recorded cell of the same suite (finished or not) that differs least from `cell`.
    ///
    /// # Errors
    /// The folder of the suite cannot be read.
    pub fn nearest(&self, scale: &str, cell: &Cell) -> Result<Option<Nearest>, StoreError> {
        unimplemented!()
    }
}
