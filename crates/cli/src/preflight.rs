//! What must hold before the first cell is trained: hours of work are not to end at a folder that cannot be written.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use nix::sys::statvfs::statvfs;

use crate::args::Folders;
use crate::fault::Fault;
use crate::survey::Standing;

/// Room that must be left for records: two checkpoints of a run with a full replay buffer are tens of MiB.
const ROOM: u64 = 64 << 20;

/// Checks that records and what is made of them can be written.
pub(crate) fn folders(folders: &Folders) -> Result<(), Fault> {
    writable(&folders.paper, "the paper", "--paper")?;
    writable(&folders.artifacts, "run records", "--artifacts")?;
    room(&folders.artifacts)
}

/// Checks that this build has what the open cells need.
pub(crate) fn native_parts(standings: &[Standing], open: &[usize]) -> Result<(), Fault> {
    let lacking: Vec<&str> = open
        .iter()
        .filter_map(|&cell| standings[cell].lacks)
        .collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let parts: BTreeSet<&str> = lacking.iter().copied().collect();
    Err(Fault::NativePart {
        cells: lacking.len(),
        parts: parts.into_iter().map(str::to_owned).collect(),
    })
}

/// Makes the folder and a file in it, which says more than permissions do (read-only mounts, quotas).
fn writable(folder: &Path, what: &'static str, option: &'static str) -> Result<(), Fault> {
    let probe = folder.join(format!(".writable-{}", std::process::id()));
    let tried = fs::create_dir_all(folder)
        .and_then(|()| fs::write(&probe, "x"))
        .and_then(|()| fs::remove_file(&probe));
    tried.map_err(|source| Fault::Folder {
        path: folder.to_owned(),
        what,
        option,
        source,
    })
}

fn room(folder: &Path) -> Result<(), Fault> {
    let found = statvfs(folder).map_err(|error| Fault::Folder {
        path: folder.to_owned(),
        what: "run records",
        option: "--artifacts",
        source: io::Error::from(error),
    })?;
    let free = found.blocks_available() * found.fragment_size();
    match free < ROOM {
        true => Err(Fault::Space {
            path: folder.to_owned(),
            free,
            needed: ROOM,
        }),
        false => Ok(()),
    }
}
