//! Frozen records: `baselines/recorded/<scale>.json`, the scores of runs without the runs.
//!
//! One line a run and one a configuration, in a fixed order, so that what changed shows in a diff and the same records give the
//! same bytes.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::set::{Configuration, RecordSet, Scored};
use crate::error::ReportError;
use crate::output::write_whole;

/// The format that is written, and the newest that is read.
pub const FROZEN_FORMAT: u32 = 1;

/// Digits of a hash.
const HASH_DIGITS: usize = 64;

/// What the file says of itself.
const ABOUT: &str = "Scores of finished runs at their last evaluation, as `cargo xtask compare` holds later records against them. \
                     Made by `cargo xtask compare --freeze` and by nothing else; `metrics_hash` is BLAKE3 of all rows of a run's \
                     metrics.";

/// A file of frozen records could not be used. Reads after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum FrozenError {
    /// There is none.
    #[error("find frozen records in {}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// It could not be read.
    #[error("read {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// It is not what this program writes.
    #[error("read {}, line {line}: {reason}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// A newer version of this program wrote it.
    #[error("read {}: it has format {found}, this program knows up to {FROZEN_FORMAT}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// It is of another scale.
    #[error("compare with {}: it is of scale `{found}`, not `{asked}`", path.display())]
    Scale {
        /// The file.
        path: PathBuf,
        /// Its scale.
        found: String,
        /// The scale that is compared.
        asked: String,
    },
}

impl FrozenError {
    /// What the user can do.
    pub fn remedy(&self, scale: &str) -> String {
        let freeze = format!("`cargo xtask compare --freeze --scale {scale}`");
        match self {
            Self::Missing { .. } => format!(
                "{freeze} makes it from the records that are there; `--against PATH` takes another file, or another folder of \
                 records"
            ),
            Self::File { .. } => "make it readable, or take another with `--against PATH`".into(),
            Self::Wrong { path, .. } => format!(
                "it is written by {freeze}, not by hand: `git restore {}` brings back what is committed",
                path.display()
            ),
            Self::Newer { .. } => {
                "update the program, or take another with `--against PATH`".into()
            }
            Self::Scale { found, .. } => {
                format!("give `--scale {found}`, or another file with `--against PATH`")
            }
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: u32,
    scale: String,
    #[serde(rename = "about")]
    _about: String,
    configurations: Vec<Configuration>,
}

/// The beginning of any version of the file.
#[derive(Debug, Deserialize)]
struct Format {
    format: u32,
}

/// Reads the runs of a configuration. Its errors are made while the file is read, so that they carry a line.
pub(super) fn checked_runs<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Scored>, D::Error> {
    let runs: Vec<Scored> = Vec::deserialize(from)?;
    let mut seeds = BTreeSet::new();
    if let Some(twice) = runs.iter().find(|run| !seeds.insert(run.seed)) {
        let reason = format!("seed {} stands twice in a configuration", twice.seed);
        return Err(D::Error::custom(reason));
    }
    if runs.is_empty() {
        return Err(D::Error::custom("a configuration has no run"));
    }
    Ok(runs)
}

/// Reads a hash as it is written.
pub(super) fn checked_hash<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    if text.len() == HASH_DIGITS && text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Ok(text);
    }
    let reason = format!("`{text}` is no hash: it must have {HASH_DIGITS} hexadecimal digits");
    Err(D::Error::custom(reason))
}

impl RecordSet {
    /// Reads frozen records of `scale`. Strict: what this program would not write is an error.
    ///
    /// # Errors
    /// There is no such file, it cannot be read, is damaged (with the line), of a newer format or of another scale.
    pub fn read(path: &Path, scale: &str) -> Result<Self, FrozenError> {
        let text = std::fs::read_to_string(path).map_err(|source| {
            let path = path.to_path_buf();
            match source.kind() {
                std::io::ErrorKind::NotFound => FrozenError::Missing { path },
                _ => FrozenError::File { path, source },
            }
        })?;
        let wrong = |line, reason| FrozenError::Wrong {
            path: path.to_path_buf(),
            line,
            reason,
        };
        let damaged = |error: serde_json::Error| {
            // The line is told beside the file; serde's own "at line" would say it twice.
            let reason = error.to_string();
            let reason = reason.split(" at line ").next().unwrap_or_default();
            wrong(error.line(), reason.to_owned())
        };
        let found = serde_json::from_str::<Format>(&text)
            .map_err(damaged)?
            .format;
        if found > FROZEN_FORMAT {
            let path = path.to_path_buf();
            return Err(FrozenError::Newer { path, found });
        }
        let document: Document = serde_json::from_str(&text).map_err(damaged)?;
        if document.format == 0 {
            return Err(wrong(2, "there is no format 0".into()));
        }
        if document.scale != scale {
            return Err(FrozenError::Scale {
                path: path.to_path_buf(),
                found: document.scale,
                asked: scale.to_owned(),
            });
        }
        let configurations = document.configurations;
        let mut names = BTreeSet::new();
        if let Some(twice) = configurations.iter().find(|each| !names.insert(each.key())) {
            let line = line_of_second(&text, twice);
            return Err(wrong(line, format!("{} stands twice", twice.name())));
        }
        Ok(Self { configurations })
    }

    /// The text of a file of frozen records.
    ///
    /// # Errors
    /// Never, as long as scores are numbers.
    fn frozen(&self, scale: &str) -> serde_json::Result<String> {
        let mut text = format!(
            "{{\n\"format\": {FROZEN_FORMAT},\n\"scale\": {},\n\"about\": {},\n\"configurations\": [",
            serde_json::json!(scale),
            serde_json::json!(ABOUT)
        );
        for (at, configuration) in self.configurations.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            let _ = write!(text, "{comma}\n{}", entry(configuration)?);
        }
        text.push_str("\n]\n}\n");
        Ok(text)
    }

    /// Writes a file of frozen records, whole or not at all. Returns whether its content is new.
    ///
    /// # Errors
    /// The file or its folder cannot be written.
    pub fn freeze(&self, path: &Path, scale: &str) -> Result<bool, ReportError> {
        let text = self
            .frozen(scale)
            .map_err(|error| ReportError::file("write", path)(error.into()))?;
        let before = std::fs::read_to_string(path).ok();
        if before.as_deref() == Some(&text) {
            return Ok(false);
        }
        write_whole(path, text.as_bytes())?;
        Ok(true)
    }
}

/// One line for the configuration, one for each run.
fn entry(configuration: &Configuration) -> serde_json::Result<String> {
    let mut text = head(configuration)?;
    for (at, run) in configuration.runs.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        let _ = write!(text, "{comma}\n  {}", serde_json::to_string(run)?);
    }
    text.push_str("]}");
    Ok(text)
}

/// The first line of a configuration: all of it but its runs.
fn head(configuration: &Configuration) -> serde_json::Result<String> {
    let without_runs = Configuration {
        runs: Vec::new(),
        ..configuration.clone()
    };
    let mut text = serde_json::to_string(&without_runs)?;
    text.truncate(text.len() - "]}".len());
    Ok(text)
}

/// The line on which a configuration begins for the second time.
fn line_of_second(text: &str, configuration: &Configuration) -> usize {
    let first = head(configuration).unwrap_or_default();
    let mut lines = text.lines().enumerate().filter(|(_, line)| *line == first);
    lines.nth(1).map_or(1, |(at, _)| at + 1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_frozen_reads_back_bit_for_bit() {
        let values = [-0.0, 1e-310, f64::MAX, -1.0 / 3.0, 0.1 + 0.2];
        let runs = values.iter().enumerate().map(|(at, value)| Scored {
            // Beyond what a float holds.
            seed: u64::MAX - 9 + at as u64,
            value: *value,
            metrics_hash: "0a".repeat(32),
            commit: "unknown".into(),
            cpu: "a \"processor\" \u{fc}".into(),
        });
        let set = RecordSet {
            configurations: vec![Configuration {
                suite: "mock".into(),
                task: "mock/steps".into(),
                method: "mock-sgd".into(),
                revision: 1,
                engine: "flex".into(),
                metric: "eval/return".into(),
                params: [
                    ("rate".to_owned(), json!(3e-4)),
                    ("hidden".into(), json!([64, 64])),
                ]
                .into(),
                inputs: [("data".to_owned(), "sha256:1".to_owned())].into(),
                runs: runs.collect(),
            }],
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/smoke.json");
        assert!(set.freeze(&path, "smoke").unwrap());
        assert!(!set.freeze(&path, "smoke").unwrap(), "nothing is new");
        let read = RecordSet::read(&path, "smoke").unwrap();
        assert_eq!(read, set);
        let bits = |set: &RecordSet| -> Vec<u64> {
            set.configurations[0]
                .runs
                .iter()
                .map(|run| run.value.to_bits())
                .collect()
        };
        assert_eq!(bits(&read), bits(&set));
    }

    #[test]
    fn nothing_is_frozen_as_an_empty_list() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("smoke.json");
        RecordSet::default().freeze(&path, "smoke").unwrap();
        assert_eq!(
            RecordSet::read(&path, "smoke").unwrap(),
            RecordSet::default()
        );
        std::fs::write(&path, "").unwrap();
        let error = RecordSet::read(&path, "smoke").unwrap_err().to_string();
        assert!(
            error.ends_with("smoke.json, line 1: EOF while parsing a value"),
            "{error}"
        );
    }
}
