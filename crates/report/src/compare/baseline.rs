//! What records are held against: frozen ones, or those of another folder.

use std::collections::BTreeSet;
use std::path::Path;

use era_harness::Cell;
use era_harness::store::{CellState, Store, Verify};

use super::frozen::FrozenError;
use super::set::RecordSet;
use crate::error::ReportError;
use crate::records::LeftOut;

/// The other side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    /// Where it is, for people.
    pub(crate) name: String,
    pub(crate) set: RecordSet,
    /// Cells that are recorded there and have no score, with the reason.
    pub(crate) left_out: Vec<LeftOut>,
}

impl Baseline {
    /// Frozen records of a scale.
    ///
    /// # Errors
    /// The file is missing, wrong or of another scale.
    pub fn of_file(path: &Path, scale: &str) -> Result<Self, FrozenError> {
        Ok(Self {
            name: path.display().to_string(),
            set: RecordSet::read(path, scale)?,
            left_out: Vec::new(),
        })
    }

    /// The records of a scale in another folder of artifacts. `cells` are those that are asked about: where they failed there, it is
    /// said.
    ///
    /// # Errors
    /// The folder cannot be read, or a record is of a newer format.
    pub fn of_folder(path: &Path, scale: &str, cells: &[Cell]) -> Result<Self, ReportError> {
        let store = Store::new(path);
        let suites: BTreeSet<&str> = cells.iter().map(|cell| cell.suite.as_str()).collect();
        let suites: Vec<&str> = suites.into_iter().collect();
        let set = RecordSet::of_store(&store, scale, &suites)?;
        let mut left_out = Vec::new();
        for cell in cells.iter().filter(|cell| set.of_cell(cell).is_none()) {
            let state = store
                .state(scale, cell, Verify::Quick)
                .map_err(ReportError::Store)?;
            let reason = match state {
                CellState::Failed(failure) => format!("failed: {}", failure.reason),
                CellState::Damaged(reason) => format!("damaged: {reason}"),
                CellState::Done(_) => "its rows are damaged, or have no score".into(),
                CellState::Partial { .. } | CellState::Running => "not finished".into(),
                CellState::Missing => continue,
            };
            left_out.push(LeftOut {
                cell: cell.id(),
                task: cell.task.clone(),
                method: cell.method.clone(),
                reason,
                fault: true,
            });
        }
        Ok(Self {
            name: path.display().to_string(),
            set,
            left_out,
        })
    }

    /// Number of runs with a score.
    pub fn runs(&self) -> usize {
        self.set.runs()
    }
}
