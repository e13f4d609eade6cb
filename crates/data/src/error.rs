//! Why data could not be opened, read or loaded.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why data could not be opened, read or loaded. Reads after "failed to".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The data set lies at none of the places where it is looked for.
    #[error("find {what}: looked at {}; {remedy}", Places(looked))]
    Missing {
        /// The data set.
        what: String,
        /// Every place looked at, in order.
        looked: Vec<PathBuf>,
        /// What brings it.
        remedy: String,
    },
    /// A file or folder could not be read.
    #[error("read {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file is not what its format asks for.
    #[error("read {}: expected {expected} at byte {offset}, found {found}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Where in it, in bytes (of the uncompressed contents).
        offset: u64,
        /// What the format asks for.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A file has the right format but not the published contents.
    #[error("verify {}: its contents have the SHA-256 {found}, published is {expected}", path.display())]
    Checksum {
        /// The file.
        path: PathBuf,
        /// The published digest in hexadecimal.
        expected: String,
        /// The digest of what is there.
        found: String,
    },
    /// An image file could not be decoded.
    #[error("decode {}: {reason}", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        reason: String,
    },
    /// Files that are fine one by one do not make a data set together.
    #[error("use {} as a data set: {reason}", path.display())]
    Layout {
        /// The file or folder at fault.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Data, pipeline and loader do not fit one another.
    #[error("load batches: {reason}")]
    Setup {
        /// What does not fit.
        reason: String,
    },
    /// No thread could be had.
    #[error("start a thread that loads batches")]
    Thread {
        /// What the operating system said.
        source: io::Error,
    },
    /// Loading a batch panicked: a fault of this program, or of a decoder that met a file it did not foresee.
    #[error("load batch {batch} of epoch {epoch}: the loader panicked: {reason}")]
    Panicked {
        /// The epoch of the batch.
        epoch: u64,
        /// Its number in the epoch.
        batch: u64,
        /// The message of the panic.
        reason: String,
    },
}

impl DataError {
    /// An [`Io`](DataError::Io) error at `path`, for `map_err`.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }

    /// A [`Layout`](DataError::Layout) error at `path`.
    pub(crate) fn layout(path: &Path, reason: impl Into<String>) -> Self {
        Self::Layout {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }

    /// A [`Setup`](DataError::Setup) error.
    pub(crate) fn setup(reason: impl Into<String>) -> Self {
        Self::Setup {
            reason: reason.into(),
        }
    }
}

/// Paths side by side.
struct Places<'a>(&'a [PathBuf]);

impl fmt::Display for Places<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, place) in self.0.iter().enumerate() {
            let before = if index == 0 { "" } else { ", " };
            write!(f, "{before}{}", place.display())?;
        }
        Ok(())
    }
}
