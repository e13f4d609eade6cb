//! Files that are whole or absent: temporary name, sync, rename, sync of the folder.

use std::io;
use std::path::PathBuf;

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
