//! Reading run records: what is whole is taken, what is not is named.

use era_harness::record::{Row, RunRecord};
use era_harness::store::{CellState, Store, Verify};
use era_harness::{Cell, CellId, sealed};
use serde::Serialize;

/// A finished run whose rows are whole.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FinishedRun {
    /// Where its cell stands among the study's.
    pub(crate) cell: usize,
    pub(crate) id: CellId,
    pub(crate) seed: u64,
    /// Commit of the program that ran it.
    pub(crate) commit: String,
    /// Model of the processor that ran it.
    pub(crate) cpu: String,
    /// BLAKE3 of its rows.
    pub(crate) hash: String,
    pub(crate) rows: Vec<Row>,
    /// When, where and how long it ran.
    pub(crate) record: Box<RunRecord>,
}

/// A cell that the report has no numbers of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The cell.
    pub cell: CellId,
    /// Its task.
    pub task: String,
    /// Its method.
    pub method: String,
    /// Why: a lowercase fragment.
    pub reason: String,
    /// Whether something is wrong with it (failed, damaged), not merely still to be run.
    pub fault: bool,
}

/// The records of a study's cells.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Records {
    /// In the order of the study's cells.
    pub(crate) runs: Vec<FinishedRun>,
    /// In the order of the study's cells.
    pub(crate) left_out: Vec<LeftOut>,
}

impl Records {
    /// Reads and verifies the records of `cells`. Nothing here is an error: a record that cannot be read is left out
    /// and said, so that one bad file does not cost the report.
    pub(crate) fn read(store: &Store, scale: &str, cells: &[Cell]) -> Self {
        let mut records = Self::default();
        for (at, cell) in cells.iter().enumerate() {
            match read_run(store, scale, at, cell) {
                Ok(run) => records.runs.push(run),
                Err((reason, fault)) => records.left_out.push(LeftOut {
                    cell: cell.id(),
                    task: cell.task.clone(),
                    method: cell.method.clone(),
                    reason,
                    fault,
                }),
            }
        }
        records
    }

    /// BLAKE3 over the finished runs: their cells, the commits that ran them and the hashes of their rows.
    pub(crate) fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for run in &self.runs {
            for part in [&run.id.0, &run.commit, &run.hash] {
                hasher.update(part.as_bytes());
                hasher.update(b"\n");
            }
        }
        hasher.finalize().to_hex().to_string()
    }
}

/// The run of one cell; or why there is none, and whether that is a fault.
pub(crate) fn read_run(
    store: &Store,
    scale: &str,
    at: usize,
    cell: &Cell,
) -> Result<FinishedRun, (String, bool)> {
    let state = store
        .state(scale, cell, Verify::Full)
        .map_err(|error| (error.to_string(), true))?;
    let record = match state {
        CellState::Done(record) => record,
        CellState::Missing => return Err(("not run".into(), false)),
        CellState::Running => return Err(("running".into(), false)),
        CellState::Partial { .. } => return Err(("not finished".into(), false)),
        CellState::Failed(failure) => return Err((format!("failed: {}", failure.reason), true)),
        CellState::Damaged(reason) => return Err((format!("damaged: {reason}"), true)),
    };
    let path = store.dir(scale, cell).join(sealed::METRICS);
    let rows = sealed::read(&path).map_err(|error| (error.to_string(), true))?;
    Ok(FinishedRun {
        cell: at,
        id: record.cell.clone(),
        seed: cell.seed,
        commit: record.commit.clone(),
        cpu: record.machine.cpu.clone(),
        hash: record.metrics_hash.clone(),
        rows,
        record,
    })
}
