//! Rows as they are logged: one line a call, written through, with a running hash.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::files::{self, FileError, failed};
use crate::record::Row;

/// One line: the rows of one call.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    step: u64,
    rows: Vec<(String, u32, f64)>,
}

/// How far a log was at a step: enough to find back there and to know that it is the same log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mark {
    /// Length of the file.
    pub(crate) bytes: u64,
    /// Rows in it.
    pub(crate) rows: u64,
    /// [`RowHasher`] of them.
    pub(crate) hash: String,
}

/// BLAKE3 over rows in a canonical encoding: step, length of the name, name, index, bits of the value; numbers little
/// endian. Equal for runs that are equal bit for bit, whatever file holds them.
#[derive(Clone, Debug)]
pub(crate) struct RowHasher {
    hasher: blake3::Hasher,
    rows: u64,
}

impl RowHasher {
    pub(crate) fn new() -> Self {
        Self {
            hasher: blake3::Hasher::new_derive_key("era-harness 1 rows of metrics"),
            rows: 0,
        }
    }

    pub(crate) fn update(&mut self, row: &Row) {
        self.hasher.update(&row.step.to_le_bytes());
        self.hasher.update(&(row.metric.len() as u64).to_le_bytes());
        self.hasher.update(row.metric.as_bytes());
        self.hasher.update(&row.index.to_le_bytes());
        self.hasher.update(&row.value.to_bits().to_le_bytes());
        self.rows += 1;
    }

    pub(crate) fn hash(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }
}

/// A file of lines that grows.
#[derive(Debug)]
pub(crate) struct RowLog {
    path: PathBuf,
    file: File,
    bytes: u64,
    hasher: RowHasher,
}

impl RowLog {
    /// Begins an empty log; what was there is dropped.
    pub(crate) fn create(path: &Path) -> Result<Self, FileError> {
        let file = File::create(path).map_err(failed("create", path))?;
        files::boundary();
        Ok(Self {
            path: path.to_path_buf(),
            file,
            bytes: 0,
            hasher: RowHasher::new(),
        })
    }

    /// Cuts the log back to `mark` and goes on from there; the reason when it does not hold what `mark` says.
    pub(crate) fn reopen(path: &Path, mark: &Mark) -> Result<Result<Self, String>, FileError> {
        let Some(mut text) = files::read_if_there(path)? else {
            return Ok(Err("it is not there".into()));
        };
        if (text.len() as u64) < mark.bytes {
            return Ok(Err(format!(
                "it holds {} bytes of at least {}",
                text.len(),
                mark.bytes
            )));
        }
        // Not larger than `text.len()`, which is a `usize`.
        text.truncate(mark.bytes as usize);
        let hasher = match parse(&text) {
            Ok(rows) => hash(&rows),
            Err(reason) => return Ok(Err(reason)),
        };
        if hasher.rows != mark.rows || hasher.hash() != mark.hash {
            return Ok(Err("its rows are not those of the checkpoint".into()));
        }
        let mut file = OpenOptions::new()
            .write(true)
            .open(path)
            .map_err(failed("open", path))?;
        file.set_len(mark.bytes).map_err(failed("truncate", path))?;
        files::boundary();
        file.seek(SeekFrom::End(0))
            .map_err(failed("seek in", path))?;
        Ok(Ok(Self {
            path: path.to_path_buf(),
            file,
            bytes: mark.bytes,
            hasher,
        }))
    }

    /// Writes the rows of one call, all of the same step, through to the file.
    pub(crate) fn append(&mut self, step: u64, rows: &[Row]) -> Result<(), FileError> {
        let rows_of_line = rows
            .iter()
            .map(|row| (row.metric.clone(), row.index, row.value))
            .collect();
        let mut line = serde_json::to_vec(&Line {
            step,
            rows: rows_of_line,
        })
        .map_err(|error| failed("write", &self.path)(error.into()))?;
        line.push(b'\n');
        self.file
            .write_all(&line)
            .map_err(failed("write", &self.path))?;
        files::boundary();
        self.bytes += line.len() as u64;
        rows.iter().for_each(|row| self.hasher.update(row));
        Ok(())
    }

    /// Makes what was written last, and says how far that is.
    pub(crate) fn mark(&self) -> Result<Mark, FileError> {
        self.file.sync_data().map_err(failed("sync", &self.path))?;
        Ok(Mark {
            bytes: self.bytes,
            rows: self.hasher.rows,
            hash: self.hasher.hash(),
        })
    }

    /// Reads everything back from the file.
    pub(crate) fn read_back(&self) -> Result<Vec<Row>, FileError> {
        let damaged = |reason: String| failed("read", &self.path)(std::io::Error::other(reason));
        let text = std::fs::read(&self.path).map_err(failed("read", &self.path))?;
        let rows = parse(&text).map_err(damaged)?;
        if hash(&rows).hash() != self.hasher.hash() {
            return Err(damaged(
                "it was changed while the run was writing it".into(),
            ));
        }
        Ok(rows)
    }
}

/// The hasher after these rows.
pub(crate) fn hash(rows: &[Row]) -> RowHasher {
    let mut hasher = RowHasher::new();
    rows.iter().for_each(|row| hasher.update(row));
    hasher
}

/// The rows of whole lines.
fn parse(text: &[u8]) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for (number, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let line: Line = serde_json::from_slice(line)
            .map_err(|error| format!("line {}: {error}", number + 1))?;
        let step = line.step;
        rows.extend(line.rows.into_iter().map(|(metric, index, value)| Row {
            step,
            metric,
            index,
            value,
        }));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(step: u64, metric: &str, index: u32, value: f64) -> Row {
        Row {
            step,
            metric: metric.into(),
            index,
            value,
        }
    }

    #[test]
    fn the_hash_is_what_it_was() {
        // Recorded runs carry hashes made this way. From an implementation apart: Python's blake3 over struct.pack.
        let rows = [row(1, "loss", 0, 0.5), row(2, "eval/return", 3, -0.0)];
        assert_eq!(
            hash(&rows).hash(),
            "9bee6708691316734832de45152232f3b3f5f84f60f528146ecd8ffae079de4d"
        );
        assert_ne!(
            hash(&[row(2, "eval/return", 3, 0.0)]).hash(),
            hash(&rows[1..]).hash(),
            "the sign of zero counts"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Whatever finite value is logged is read back with the same bits.
        #[test]
        fn lines_keep_every_bit(bits in proptest::collection::vec(any::<u64>(), 1..20), step in any::<u64>(), name in "\\PC{0,12}") {
            let rows: Vec<Row> = bits
                .into_iter()
                .map(f64::from_bits)
                .filter(|value| value.is_finite())
                .enumerate()
                .map(|(index, value)| row(step, &name, index as u32, value))
                .collect();
            let folder = tempfile::tempdir().unwrap();
            let mut log = RowLog::create(&folder.path().join("metrics.jsonl")).unwrap();
            log.append(step, &rows).unwrap();
            let back = log.read_back().unwrap();
            prop_assert_eq!(back.len(), rows.len());
            prop_assert_eq!(hash(&back).hash(), hash(&rows).hash());
        }
    }

    #[test]
    fn a_log_goes_on_from_a_mark_only_if_it_is_the_same_log() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut log = RowLog::create(&path).unwrap();
        log.append(1, &[row(1, "a", 0, 0.25)]).unwrap();
        let mark = log.mark().unwrap();
        log.append(2, &[row(2, "a", 0, 0.75)]).unwrap();

        let reopened = RowLog::reopen(&path, &mark).unwrap().unwrap();
        assert_eq!(reopened.read_back().unwrap(), [row(1, "a", 0, 0.25)]);

        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("0.25", "0.26")).unwrap();
        assert_eq!(
            RowLog::reopen(&path, &mark).unwrap().unwrap_err(),
            "its rows are not those of the checkpoint"
        );
        std::fs::write(&path, &text[..text.len() - 3]).unwrap();
        let reason = RowLog::reopen(&path, &mark).unwrap().unwrap_err();
        assert!(reason.starts_with("it holds "), "{reason}");
    }
}
