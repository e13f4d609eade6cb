//! The store: `artifacts/<scale>/<suite>/<cell>/`, one folder a cell.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::cell::{Cell, CellId};
use crate::files;
use crate::record::{Failure, RunRecord, Status};
use crate::run::RunError;
use crate::run::checkpoint::Checkpoints;

mod document;
pub(crate) mod inspect;
mod lock;
mod nearest;
#[cfg(test)]
mod tests;

pub use document::{read_cell, read_run};
pub(crate) use document::{write_cell, write_run};
pub(crate) use lock::Lock;

/// Time between two tries to take the lock of a cell whose description another command is writing.
const LOCK_RETRY: Duration = Duration::from_millis(10);

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
    #[error("read {}: it has format {found}, this program knows up to {known}; update the program or move the folder away", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The newest format that this program reads.
        known: u32,
    },
    /// The file is not what this program writes.
    #[error("read {}: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl From<RunError> for StoreError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::File(error) => Self::File(error),
            RunError::Newer { path, found, known } => Self::Newer { path, found, known },
        }
    }
}

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

    /// Makes the folder of a cell with its `cell.json`, and returns it. What else is there stays. A damaged `cell.json`
    /// is written again: the cell is known.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn prepare(&self, scale: &str, cell: &Cell) -> Result<PathBuf, StoreError> {
        let dir = self.dir(scale, cell);
        files::create_folder(&dir)?;
        loop {
            match read_cell(&dir) {
                Ok(Some(found)) if found == *cell => return Ok(dir),
                Ok(_) | Err(StoreError::Damaged { .. }) => {}
                Err(error) => return Err(error),
            }
            // Two commands may plan the same cell at the same time: one writes, the other finds it written.
            match Lock::take(&dir)? {
                Some(_lock) => write_cell(&dir, cell)?,
                None => thread::sleep(LOCK_RETRY),
            }
        }
    }

    /// Removes all that is recorded of a cell.
    ///
    /// # Errors
    /// The folder cannot be removed.
    pub fn discard(&self, scale: &str, cell: &Cell) -> Result<(), StoreError> {
        Ok(files::remove_folder(&self.dir(scale, cell))?)
    }

    /// How a cell stands.
    ///
    /// # Errors
    /// Its files cannot be read, or are of a newer format.
    pub fn state(&self, scale: &str, cell: &Cell, verify: Verify) -> Result<CellState, StoreError> {
        inspect::state(&self.dir(scale, cell), cell, verify)
    }

    /// The step of the newest checkpoint of a cell, also while it is being trained; none without one.
    ///
    /// # Errors
    /// Its folder cannot be read.
    pub fn checkpoint(&self, scale: &str, cell: &Cell) -> Result<Option<u64>, StoreError> {
        let dir = self.dir(scale, cell);
        Ok(Checkpoints::new(&dir, cell.id()).newest_step()?)
    }

    /// The finished runs of a suite, in the order of their cells' identities. Folders that are unfinished or damaged
    /// are left out: [`Store::state`] tells of them.
    ///
    /// # Errors
    /// A folder cannot be read or a record is of a newer format.
    pub fn records(&self, scale: &str, suite: &str) -> Result<Vec<StoredRun>, StoreError> {
        let mut runs = Vec::new();
        for (dir, cell) in self.cells(scale, suite)? {
            match read_run(&dir) {
                Ok(Some(record)) if record.status == Status::Done && record.cell == cell.id() => {
                    if inspect::check(&dir, &record, Verify::Quick)?.is_ok() {
                        runs.push(StoredRun { dir, cell, record });
                    }
                }
                Ok(_) | Err(StoreError::Damaged { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(runs)
    }

    /// The recorded cell of the same suite (finished or not) that differs least from `cell`.
    ///
    /// # Errors
    /// The folder of the suite cannot be read.
    pub fn nearest(&self, scale: &str, cell: &Cell) -> Result<Option<Nearest>, StoreError> {
        let cells: Vec<Cell> = self
            .cells(scale, &cell.suite)?
            .into_iter()
            .map(|(_, cell)| cell)
            .collect();
        Ok(nearest::nearest(&cells, cell))
    }

    /// The folders of a suite that hold a readable `cell.json`, in the order of their names.
    fn cells(&self, scale: &str, suite: &str) -> Result<Vec<(PathBuf, Cell)>, StoreError> {
        let folder = self.root.join(scale).join(suite);
        let mut cells = Vec::new();
        for name in files::names(&folder)? {
            let dir = folder.join(name);
            if !dir.is_dir() {
                continue;
            }
            match read_cell(&dir) {
                Ok(Some(cell)) => cells.push((dir, cell)),
                Ok(None) | Err(StoreError::Damaged { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(cells)
    }
}
