//! Problems from JSON Lines files: one problem a line, in the layouts in which GSM8K, MATH and AIME or AMC are published.
//!
//! | fields | the reference answer |
//! |---|---|
//! | `question`, `answer` with `####` (GSM8K) | what follows the last `####` |
//! | `problem`, `solution` with `\boxed{}` (MATH) | what is in the last box |
//! | `problem` or `question`, `answer` (AIME, AMC) | the answer, a text or a whole number |
//!
//! Each line is read by its own fields. Where `answer` and `solution` are both there, `answer` counts. Other fields are not looked
//! at.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::grader::{Place, extract};
use crate::{Answer, Problem, Problems};

/// Why problems could not be read. Reads after "failed to".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// A file or folder could not be read.
    #[error("read {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A folder has no file of problems.
    #[error("find problems in {}: it has no file named *.jsonl", path.display())]
    NoFiles {
        /// The folder.
        path: PathBuf,
    },
    /// A file has no line with a problem.
    #[error("read problems from {}: it is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A line is not a problem.
    #[error("read a problem from {}, line {line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// Problems read from files, in the order of the files' names and of their lines.
#[derive(Clone, Debug)]
pub struct Files {
    problems: Vec<Problem>,
    digest: String,
}

impl Files {
    /// Reads one file, or every `*.jsonl` directly in a folder. Lines that are empty are passed over.
    ///
    /// # Errors
    ///
    /// The path cannot be read, holds no problem, or a line is none; the error names file and line.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let mut problems = Vec::new();
        let mut hash = blake3::Hasher::new();
        for file in files(path)? {
            let contents = std::fs::read(&file).map_err(io_error(&file))?;
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            for part in [name.as_bytes(), &contents] {
                hash.update(&(part.len() as u64).to_le_bytes());
                hash.update(part);
            }
            let before = problems.len();
            read(&file, &name, &contents, &mut problems)?;
            if problems.len() == before {
                return Err(FileError::Empty { path: file });
            }
        }
        let digest = hash.finalize().to_hex().to_string();
        Ok(Self { problems, digest })
    }

    /// The BLAKE3 hash of the files' names and contents, in hexadecimal. Where the files lie takes no part.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The problems.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl Problems for Files {
    fn len(&self) -> Option<u64> {
        Some(self.problems.len() as u64)
    }

    fn problem(&self, index: u64) -> Problem {
        let at = usize::try_from(index).ok();
        let found = at.and_then(|at| self.problems.get(at));
        let count = self.problems.len();
        found
            .unwrap_or_else(|| panic!("problem {index} of {count}"))
            .clone()
    }
}

/// An [`Io`](FileError::Io) error at `path`, for `map_err`.
fn io_error(path: &Path) -> impl FnOnce(io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError::Io { path, source }
}

/// The files at a path, sorted by name.
fn files(path: &Path) -> Result<Vec<PathBuf>, FileError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(io_error(path))? {
        let file = entry.map_err(io_error(path))?.path();
        if file
            .extension()
            .is_some_and(|extension| extension == "jsonl")
            && file.is_file()
        {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err(FileError::NoFiles {
            path: path.to_owned(),
        });
    }
    files.sort_unstable();
    Ok(files)
}

/// Reads the lines of a file.
fn read(
    path: &Path,
    name: &str,
    contents: &[u8],
    problems: &mut Vec<Problem>,
) -> Result<(), FileError> {
    let contents = contents.strip_prefix(b"\xef\xbb\xbf").unwrap_or(contents);
    for (at, line) in contents.split(|byte| *byte == b'\n').enumerate() {
        let line_number = at + 1;
        let problem = problem(line, format!("{name}:{line_number}"));
        let problem = problem.map_err(|reason| FileError::Line {
            path: path.to_owned(),
            line: line_number,
            reason,
        })?;
        problems.extend(problem);
    }
    Ok(())
}

/// The problem of a line; `None` for an empty one. An error is the reason.
fn problem(line: &[u8], id: String) -> Result<Option<Problem>, String> {
    let line = std::str::from_utf8(line)
        .map_err(|error| format!("byte {} is not UTF-8", error.valid_up_to() + 1))?
        .trim();
    if line.is_empty() {
        return Ok(None);
    }
    let value: Value = serde_json::from_str(line)
        .map_err(|error| format!("not JSON at column {}: {error}", error.column()))?;
    let Value::Object(fields) = value else {
        return Err("expected an object".to_owned());
    };
    let prompt = match (text(&fields, "problem")?, text(&fields, "question")?) {
        (Some(prompt), None) | (None, Some(prompt)) => prompt,
        (None, None) => return Err("it has neither `problem` nor `question`".to_owned()),
        (Some(_), Some(_)) => return Err("it has both `problem` and `question`".to_owned()),
    };
    let answer = match (text(&fields, "answer")?, text(&fields, "solution")?) {
        (Some(answer), _) => behind_marks(&answer)?,
        (None, Some(solution)) => boxed(&solution)?,
        (None, None) => return Err("it has neither `answer` nor `solution`".to_owned()),
    };
    Ok(Some(Problem {
        id,
        prompt,
        solution: format!("\\boxed{{{answer}}}"),
        answer: Answer::Final(answer),
    }))
}

/// A field with text or a whole number, without space around it; `None` if it is not there.
fn text(fields: &Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    let text = match fields.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(Value::Number(number)) if name == "answer" && !number.is_f64() => number.to_string(),
        // As read, a decimal is a float already, and no longer what the file says.
        Some(Value::Number(_)) if name == "answer" => {
            return Err("`answer` is a decimal number: write it as a text".to_owned());
        }
        Some(_) => return Err(format!("`{name}` is not a text")),
    };
    if text.is_empty() {
        return Err(format!("`{name}` is empty"));
    }
    Ok(Some(text))
}

/// What follows the last `####`, or all of an answer without.
fn behind_marks(answer: &str) -> Result<String, String> {
    let answer = answer.rsplit("####").next().unwrap_or("").trim();
    if answer.is_empty() {
        return Err("`answer` has nothing behind its last ####".to_owned());
    }
    Ok(answer.to_owned())
}

/// The content of the last box.
fn boxed(solution: &str) -> Result<String, String> {
    extract(solution)
        .filter(|found| found.place == Place::Boxed)
        .map(|found| found.text.to_owned())
        .ok_or_else(|| "`solution` has no \\boxed{} with an answer in it".to_owned())
}
