//! Files that are whole or absent: temporary name, sync, rename, sync of the folder.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file or folder could not be read or written. Reads after "failed to".
#[derive(Debug, thiserror::Error)]
#[error("{action} {}: {source}{}", path.display(), remedy(source))]
pub struct FileError {
    /// What was tried: `write`, `read`, `create`…
    pub action: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// What the operating system said.
    pub source: io::Error,
}

/// What the user can do about it, as the end of a sentence.
fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; free some space and give the same command again: nothing finished is lost"
        }
        io::ErrorKind::FileTooLarge => {
            "; raise the limit on file sizes (ulimit -f) and give the same command again: nothing finished is lost"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "; make the folder writable or choose another one"
        }
        _ => "",
    }
}

/// For `map_err`: names the action and the path.
pub(crate) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
    move |source| FileError {
        action,
        path: path.to_path_buf(),
        source,
    }
}

/// Writes `bytes` under a temporary name, syncs, renames, syncs the folder. At every moment `path` is its old self or
/// its new one.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let temporary = temporary(path);
    let written = (|| {
        let mut file = File::create(&temporary)?;
        boundary();
        file.write_all(bytes)?;
        boundary();
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        boundary();
        sync_folder(path.parent().unwrap_or(Path::new(".")))
    })();
    written.map_err(|error| {
        // Half a temporary file takes space that may be what is missing; that it cannot be removed changes nothing.
        let _ = fs::remove_file(&temporary);
        failed("write", path)(error)
    })
}

/// Makes the names in `folder` last.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The name under which [`write_whole`] writes.
fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    name.into()
}

/// Reads a file; none when there is none.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path)(error)),
    }
}

/// Makes a folder and those above it.
pub(crate) fn create_folder(path: &Path) -> Result<(), FileError> {
    fs::create_dir_all(path).map_err(failed("create", path))
}

/// Removes a file that may not be there.
pub(crate) fn remove_file(path: &Path) -> Result<(), FileError> {
    boundary();
    absent_is_fine(fs::remove_file(path)).map_err(failed("remove", path))
}

/// Removes a folder and all in it, which may not be there.
pub(crate) fn remove_folder(path: &Path) -> Result<(), FileError> {
    boundary();
    absent_is_fine(fs::remove_dir_all(path)).map_err(failed("remove", path))
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// The names in a folder in order, as far as they are UTF-8 (what this program writes is); none when it is not there.
pub(crate) fn names(folder: &Path) -> Result<Vec<String>, FileError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed("read", folder)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed("read", folder))?;
        names.extend(entry.file_name().into_string().ok());
    }
    names.sort();
    Ok(names)
}

/// Called between any two writes that a crash could separate. Does nothing, except in tests that look at each such
/// moment ([`test_hook::at_every_boundary`]).
pub(crate) fn boundary() {
    #[cfg(test)]
    test_hook::call();
}

#[cfg(test)]
pub(crate) mod test_hook {
    use std::cell::RefCell;

    type Hook = Box<dyn FnMut()>;

    thread_local! {
        static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
    }

    pub(crate) fn call() {
        HOOK.with_borrow_mut(|hook| {
            if let Some(hook) = hook {
                hook();
            }
        });
    }

    /// Runs `work` on this thread and calls `hook` at every boundary in it.
    pub(crate) fn at_every_boundary<T>(
        hook: impl FnMut() + 'static,
        work: impl FnOnce() -> T,
    ) -> T {
        HOOK.set(Some(Box::new(hook)));
        let result = work();
        HOOK.set(None);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_names_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.json");
        write_whole(&path, b"old").unwrap();
        // The temporary name is taken by a folder: the new file cannot be created, whoever runs the test.
        fs::create_dir(folder.path().join("run.json.tmp")).unwrap();
        let error = write_whole(&path, b"new").unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with(&format!("write {}: ", path.display())),
            "{error}"
        );
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }

    #[test]
    fn a_full_disk_and_a_read_only_folder_come_with_a_remedy() {
        let say = |kind: io::ErrorKind| failed("write", Path::new("x"))(kind.into()).to_string();
        assert_eq!(
            say(io::ErrorKind::StorageFull),
            "write x: no storage space; free some space and give the same command again: nothing finished is lost"
        );
        assert_eq!(
            say(io::ErrorKind::PermissionDenied),
            "write x: permission denied; make the folder writable or choose another one"
        );
    }
}
