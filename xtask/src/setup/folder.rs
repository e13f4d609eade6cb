//! A folder that appears whole or not at all.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::paths;

/// Makes the folder `name` in `parent`: `fill` gets a folder of another name, which is renamed when `fill` succeeds and
/// removed when it fails. Does nothing when the folder is there and `whole`; one that is not whole is replaced. A
/// second process that wants the same waits for the first.
pub(crate) fn make(
    parent: &Path,
    name: &str,
    whole: impl Fn(&Path) -> bool,
    fill: impl FnOnce(&Path) -> Result<(), Failure>,
) -> Result<Made, Failure> {
    let folder = parent.join(name);
    if whole(&folder) {
        return Ok(Made::Before);
    }
    fs::create_dir_all(parent).map_err(failed("create", parent))?;
    let lock_path = parent.join(format!(".{name}.lock"));
    let lock = File::create(&lock_path).map_err(failed("create", &lock_path))?;
    lock.lock().map_err(failed("lock", &lock_path))?;
    if whole(&folder) {
        return Ok(Made::Before);
    }
    // Of a process that was killed: whoever holds the lock is the only one that works on it.
    let staging = Staging(parent.join(format!(".{name}.partial")));
    remove(&staging.0)?;
    fs::create_dir(&staging.0).map_err(failed("create", &staging.0))?;
    fill(&staging.0)?;
    remove(&folder)?;
    fs::rename(&staging.0, &folder).map_err(failed("rename", &staging.0))?;
    Ok(Made::Now)
}

/// When a folder was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Made {
    Now,
    Before,
}

/// Removed when dropped, if it is still there.
struct Staging(PathBuf);

impl Drop for Staging {
    fn drop(&mut self) {
        // The next attempt removes it too.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn remove(folder: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed("remove", folder)(error)),
        _ => Ok(()),
    }
}

/// What an operation on `path` failed with, and the remedy where there is an obvious one.
pub(crate) fn failed(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Failure + use<> {
    let shown = paths::shown(path);
    move |error| {
        let failure = Failure::new(format!("failed to {verb} {shown}: {error}"));
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                failure.remedy(DISK_FULL).outside()
            }
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                failure.remedy(UNWRITABLE).outside()
            }
            _ => failure,
        }
    }
}

pub(crate) const DISK_FULL: &str = "free some space, or set ERA_NATIVE_DIR (for a data set ERA_DATA_DIR) to a folder on another disk (and TMPDIR, which pip uses)";
const UNWRITABLE: &str =
    "set ERA_NATIVE_DIR (for a data set ERA_DATA_DIR) to a folder that you may write to";

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("era-xtask-folder-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    fn whole(folder: &Path) -> bool {
        folder.join("file").is_file()
    }

    fn write(folder: &Path) -> Result<(), Failure> {
        fs::write(folder.join("file"), "whole").map_err(failed("write", folder))
    }

    #[test]
    fn it_appears_once_and_whole() {
        let parent = place("once");
        assert_eq!(make(&parent, "part", whole, write).unwrap(), Made::Now);
        assert!(whole(&parent.join("part")));
        let again = make(&parent, "part", whole, |_| panic!("it is there"));
        assert_eq!(again.unwrap(), Made::Before);
        fs::remove_dir_all(parent).unwrap();
    }

    #[test]
    fn a_failure_leaves_nothing_and_leftovers_are_replaced() {
        let parent = place("failure");
        let failure = make(&parent, "part", whole, |staging| {
            write(staging)?;
            Err(Failure::new("failed to go on"))
        });
        assert_eq!(failure.unwrap_err().to_string(), "failed to go on");
        assert!(!parent.join("part").exists());
        assert!(!parent.join(".part.partial").exists());
        // What a killed process and a careless hand leave behind.
        fs::create_dir_all(parent.join(".part.partial/half")).unwrap();
        fs::create_dir_all(parent.join("part/stray")).unwrap();
        assert_eq!(make(&parent, "part", whole, write).unwrap(), Made::Now);
        assert!(whole(&parent.join("part")));
        assert!(!parent.join("part/stray").exists() && !parent.join("part/half").exists());
        fs::remove_dir_all(parent).unwrap();
    }

    #[test]
    fn a_full_disk_has_a_remedy() {
        let error = io::Error::from(ErrorKind::StorageFull);
        let failure = failed("write", Path::new("/full/part"))(error).to_string();
        assert!(
            failure.starts_with("failed to write /full/part: "),
            "{failure}"
        );
        assert!(failure.contains("ERA_NATIVE_DIR"), "{failure}");
    }
}
