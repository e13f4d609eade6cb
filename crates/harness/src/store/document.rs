//! The two JSON documents of a cell's folder, `cell.json` and `run.json`: versioned, written whole.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;
use crate::cell::{CELL_FORMAT, Cell};
use crate::files;
use crate::record::{RUN_FORMAT, RunRecord};

const CELL: &str = "cell.json";
const RUN: &str = "run.json";

/// Reads `cell.json`; none when it is not there.
///
/// # Errors
/// It cannot be read, is damaged or of a newer format.
pub fn read_cell(dir: &Path) -> Result<Option<Cell>, StoreError> {
    read(dir.join(CELL), CELL_FORMAT)
}

/// Reads `run.json`; none when it is not there.
///
/// # Errors
/// It cannot be read, is damaged or of a newer format.
pub fn read_run(dir: &Path) -> Result<Option<RunRecord>, StoreError> {
    read(dir.join(RUN), RUN_FORMAT)
}

/// Writes `cell.json`.
pub(crate) fn write_cell(dir: &Path, cell: &Cell) -> Result<(), StoreError> {
    write(&dir.join(CELL), cell)
}

/// Writes `run.json`.
pub(crate) fn write_run(dir: &Path, record: &RunRecord) -> Result<(), StoreError> {
    write(&dir.join(RUN), record)
}

fn read<T: DeserializeOwned>(path: PathBuf, known: u32) -> Result<Option<T>, StoreError> {
    let Some(text) = files::read_if_there(&path)? else {
        return Ok(None);
    };
    let damaged = |error: serde_json::Error| StoreError::Damaged {
        path: path.clone(),
        reason: error.to_string(),
    };
    let value: serde_json::Value = serde_json::from_slice(&text).map_err(damaged)?;
    if let Some(found) = value["format"]
        .as_u64()
        .filter(|found| *found > u64::from(known))
    {
        return Err(StoreError::Newer { path, found, known });
    }
    Ok(Some(serde_json::from_value(value).map_err(damaged)?))
}

fn write<T: Serialize>(path: &Path, document: &T) -> Result<(), StoreError> {
    let mut text = serde_json::to_vec_pretty(document)
        .map_err(|error| files::failed("write", path)(error.into()))?;
    text.push(b'\n');
    Ok(files::write_whole(path, &text)?)
}
