//! How a cell stands, from what its folder holds.

use std::path::Path;

use super::{CellState, Lock, StoreError, Verify, document};
use crate::cell::Cell;
use crate::record::{RunRecord, Status};
use crate::run::checkpoint::Checkpoints;
use crate::sealed::{self, Seal, SealError};

/// How `cell` stands in `dir`.
pub(crate) fn state(dir: &Path, cell: &Cell, verify: Verify) -> Result<CellState, StoreError> {
    if Lock::is_held(dir)? {
        return Ok(CellState::Running);
    }
    state_unlocked(dir, cell, verify)
}

/// As [`state`], for who holds the lock.
pub(crate) fn state_unlocked(
    dir: &Path,
    cell: &Cell,
    verify: Verify,
) -> Result<CellState, StoreError> {
    let damage_is_a_state = |error| match error {
        StoreError::Damaged { path, reason } => {
            Ok(CellState::Damaged(format!("{}: {reason}", path.display())))
        }
        error => Err(error),
    };
    match document::read_cell(dir) {
        Ok(None) => return Ok(CellState::Missing),
        Ok(Some(found)) if found != *cell => {
            return Ok(CellState::Damaged(
                "cell.json: it describes another cell".into(),
            ));
        }
        Ok(Some(_)) => {}
        Err(error) => return damage_is_a_state(error),
    }
    let record = match document::read_run(dir) {
        Ok(Some(record)) => record,
        Ok(None) => return unfinished(dir, cell),
        Err(error) => return damage_is_a_state(error),
    };
    if record.cell != cell.id() {
        return Ok(CellState::Damaged(format!(
            "run.json: it is the record of {}",
            record.cell
        )));
    }
    match record.status {
        Status::Running | Status::Interrupted => unfinished(dir, cell),
        Status::Failed(failure) => Ok(CellState::Failed(failure)),
        Status::Done => Ok(match check(dir, &record, verify)? {
            Ok(()) => CellState::Done(Box::new(record)),
            Err(reason) => CellState::Damaged(reason),
        }),
    }
}

fn unfinished(dir: &Path, cell: &Cell) -> Result<CellState, StoreError> {
    let step = Checkpoints::new(dir, cell.id()).newest_step()?;
    Ok(CellState::Partial {
        step: step.unwrap_or(0),
    })
}

/// Holds the sealed files of a finished run against its record; the reason when they differ.
pub(super) fn check(
    dir: &Path,
    record: &RunRecord,
    verify: Verify,
) -> Result<Result<(), String>, StoreError> {
    let whole = (|| {
        sealed::read_seal(&dir.join(sealed::TIMINGS))?;
        let path = dir.join(sealed::METRICS);
        Ok(match verify {
            Verify::Quick => sealed::read_seal(&path)?,
            Verify::Full => sealed::seal(&sealed::read(&path)?),
        })
    })();
    let promised = Seal {
        rows: record.rows,
        hash: record.metrics_hash.clone(),
    };
    match whole {
        Ok(found) if found == promised => Ok(Ok(())),
        Ok(found) => Ok(Err(format!(
            "{}: {} rows with hash {}, but run.json says {} rows with hash {}",
            sealed::METRICS,
            found.rows,
            found.hash,
            promised.rows,
            promised.hash
        ))),
        Err(SealError::Damaged { path, reason }) => {
            Ok(Err(format!("{}: {reason}", path.display())))
        }
        Err(SealError::File(error)) if error.source.kind() == std::io::ErrorKind::NotFound => {
            Ok(Err(format!("{}: it is not there", error.path.display())))
        }
        Err(SealError::File(error)) => Err(error.into()),
    }
}
