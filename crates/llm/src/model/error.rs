//! Why a model could not be read or written.

use std::io;
use std::path::{Path, PathBuf};

/// Why a model could not be read or written. Reads after "failed to".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A file or folder could not be read or written.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was tried: `read`, `write`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file is damaged, cut off, or not what its format asks for.
    #[error("read {}: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file is whole but its model is not one that can be built here, or lacks something.
    #[error("build the model in {}: {field}: {reason}", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// The field of `config.json`, the key of a GGUF, or a tensor.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl ModelError {
    /// An [`Io`](Self::Io) error at `path`, for `map_err`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }

    /// A [`Damaged`](Self::Damaged) error at `path`.
    pub(crate) fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }

    /// A [`Field`](Self::Field) error at `path`.
    pub(crate) fn field(path: &Path, field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Field {
            path: path.to_owned(),
            field: field.into(),
            reason: reason.into(),
        }
    }
}

/// Reads a file whole; a device or a pipe, which may never end, is refused.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, ModelError> {
    let about = std::fs::metadata(path).map_err(ModelError::io("read", path))?;
    if !about.is_file() {
        return Err(ModelError::damaged(path, "it is not a file"));
    }
    std::fs::read(path).map_err(ModelError::io("read", path))
}
