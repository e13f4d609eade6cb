//! `--force`: finished cells are trained again beside their records, which are replaced only by whole ones.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use era_harness::Cell;
use era_harness::files::FileError;
use era_harness::store::{CellState, Store, Verify};

use crate::fault::Fault;

/// Folder under the store's root where cells are trained again. It is laid out as the store is.
const FOLDER: &str = ".again";

/// The records that are to replace others.
#[derive(Debug)]
pub(crate) struct Again<'a> {
    store: &'a Store,
    beside: Store,
    scale: &'a str,
}

impl<'a> Again<'a> {
    pub(crate) fn new(store: &'a Store, scale: &'a str) -> Self {
        Self {
            store,
            beside: Store::new(store.root().join(FOLDER)),
            scale,
        }
    }

    /// Makes the folder in which `cell` is trained again. One that an interrupted `--force` left there goes on.
    pub(crate) fn prepare(&self, cell: &Cell) -> Result<PathBuf, Fault> {
        Ok(self.beside.prepare(self.scale, cell)?)
    }

    /// Puts the new record of `cell` in the place of the old one, if there is a whole one. Whenever this is cut short,
    /// the next call finishes it: the new record stays here until it stands in its place.
    pub(crate) fn adopt(&self, cell: &Cell) -> Result<bool, Fault> {
        if !matches!(
            self.beside.state(self.scale, cell, Verify::Full)?,
            CellState::Done(_)
        ) {
            return Ok(false);
        }
        let (new, old) = (
            self.beside.dir(self.scale, cell),
            self.store.dir(self.scale, cell),
        );
        let aside = self.beside.root().join(format!("{}.replaced", cell.id()));
        if old.exists() {
            removed(&aside)?;
        }
        moved(&old, &aside)?;
        if let Some(parent) = old.parent() {
            fs::create_dir_all(parent).map_err(failed("create", parent))?;
        }
        moved(&new, &old)?;
        removed(&aside)?;
        Ok(true)
    }
}

fn removed(folder: &Path) -> Result<(), Fault> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(failed("remove", folder)(error).into())
        }
        _ => Ok(()),
    }
}

/// Renames a folder; one that is not there was moved by a call that was cut short.
fn moved(from: &Path, to: &Path) -> Result<(), Fault> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(failed("rename", from)(error).into())
        }
        _ => Ok(()),
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
    move |source| FileError {
        action,
        path: path.to_owned(),
        source,
    }
}
