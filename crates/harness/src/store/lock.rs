//! A lock on a cell's folder, so that two workers never write one cell.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::files::{FileError, failed};

const NAME: &str = "lock";

/// A lock that is held until it is dropped or its process is gone, however it goes.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock; none when another process (or thread) holds it.
    pub(crate) fn take(dir: &Path) -> Result<Option<Self>, FileError> {
        let path = dir.join(NAME);
        loop {
            let file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(&path)
                .map_err(failed("open", &path))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(failed("lock", &path)(error)),
            }
            // Between opening and locking, the holder before may have ended and removed the file.
            if same_file(&file, &path).map_err(failed("read", &path))? {
                return Ok(Some(Self { file, path }));
            }
        }
    }

    /// Whether somebody holds the lock. Makes no file.
    pub(crate) fn is_held(dir: &Path) -> Result<bool, FileError> {
        let path = dir.join(NAME);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(failed("open", &path)(error)),
        };
        // Shared, so that two that look at the same time do not take each other for a holder.
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(failed("lock", &path)(error)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Removed while it is held. A file that stays does no harm: what counts is the lock, not the file.
        let _ = fs::remove_file(&self.path);
        let _ = self.file.unlock();
    }
}

/// Whether `path` still names the open file.
fn same_file(file: &File, path: &Path) -> io::Result<bool> {
    let open = file.metadata()?;
    match fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (open.dev(), open.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time_and_no_file_left() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!Lock::is_held(folder.path()).unwrap());
        let lock = Lock::take(folder.path()).unwrap();
        assert!(lock.is_some());
        assert!(Lock::take(folder.path()).unwrap().is_none());
        assert!(Lock::is_held(folder.path()).unwrap());
        drop(lock);
        assert!(!folder.path().join(NAME).exists());
        assert!(Lock::take(folder.path()).unwrap().is_some());
    }

    #[test]
    fn a_lock_file_without_a_holder_is_free() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(NAME), "").unwrap();
        assert!(!Lock::is_held(folder.path()).unwrap());
        assert!(Lock::take(folder.path()).unwrap().is_some());
    }

    #[test]
    fn threads_that_race_never_hold_it_together() {
        use std::sync::atomic::{AtomicU32, Ordering};
        let folder = tempfile::tempdir().unwrap();
        let (inside, taken) = (AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while taken.load(Ordering::SeqCst) < 200 {
                        if let Some(lock) = Lock::take(folder.path()).unwrap() {
                            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                            taken.fetch_add(1, Ordering::SeqCst);
                            inside.fetch_sub(1, Ordering::SeqCst);
                            drop(lock);
                        }
                    }
                });
            }
        });
    }
}
