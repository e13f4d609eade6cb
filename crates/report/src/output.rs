//! Generated files on disk: written so that each is whole or absent, compared byte by byte.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::error::ReportError;

/// Generated files: path below the output folder, with `/`, and content.
pub type Files = BTreeMap<String, Vec<u8>>;

/// How a generated file on disk differs from what the records say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// The file, below the output folder.
    pub file: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a generated file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It is not there.
    Missing,
    /// It has another content.
    Different {
        /// First line that differs, from 1; none for files that are not text.
        line: Option<usize>,
    },
    /// The records make no such file.
    Extra,
}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = &self.file;
        match self.problem {
            Problem::Missing => write!(f, "{file} is missing"),
            Problem::Different { line: Some(line) } => {
                write!(f, "{file} differs from line {line} on")
            }
            Problem::Different { line: None } => write!(f, "{file} differs"),
            Problem::Extra => write!(f, "{file} is not made from any record"),
        }
    }
}

/// Writes `files` below `folder` and removes what else lies in the folders that they are in: those hold generated files
/// and nothing else. A file that is right already is not touched. Returns the paths that changed.
pub(crate) fn write(folder: &Path, files: &Files) -> Result<Vec<PathBuf>, ReportError> {
    let stale = check(folder, files)?;
    let mut changed = Vec::new();
    for Stale { file, problem } in stale {
        let path = folder.join(&file);
        match files.get(&file) {
            Some(bytes) => write_whole(&path, bytes)?,
            None if problem == Problem::Extra => {
                fs::remove_file(&path).map_err(ReportError::file("remove", &path))?;
            }
            None => continue,
        }
        changed.push(path);
    }
    Ok(changed)
}

/// Writes one file that is none of a folder's [`Files`], unless it is right already. Returns its path.
pub(crate) fn write_one(path: &Path, bytes: &[u8]) -> Result<PathBuf, ReportError> {
    if read_if_there(path)?.as_deref() != Some(bytes) {
        write_whole(path, bytes)?;
    }
    Ok(path.to_path_buf())
}

/// How the files below `folder` differ from `files`, in the order of their names.
pub(crate) fn check(folder: &Path, files: &Files) -> Result<Vec<Stale>, ReportError> {
    let mut stale = Vec::new();
    let mut extra = BTreeSet::new();
    for (file, expected) in files {
        let path = folder.join(file);
        let problem = match read_if_there(&path)? {
            None => Some(Problem::Missing),
            Some(found) if found != *expected => Some(Problem::Different {
                line: first_difference(&found, expected),
            }),
            Some(_) => None,
        };
        stale.extend(problem.map(|problem| Stale {
            file: file.clone(),
            problem,
        }));
        let parent = file.rsplit_once('/').map_or("", |(parent, _)| parent);
        for name in file_names(&folder.join(parent))? {
            let name = if parent.is_empty() {
                name
            } else {
                format!("{parent}/{name}")
            };
            if !files.contains_key(&name) {
                extra.insert(name);
            }
        }
    }
    stale.extend(extra.into_iter().map(|file| Stale {
        file,
        problem: Problem::Extra,
    }));
    stale.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(stale)
}

/// The first line in which two texts differ, from 1.
fn first_difference(found: &[u8], expected: &[u8]) -> Option<usize> {
    let (found, expected) = (
        std::str::from_utf8(found).ok()?,
        std::str::from_utf8(expected).ok()?,
    );
    let same = found
        .lines()
        .zip(expected.lines())
        .take_while(|(found, expected)| found == expected)
        .count();
    Some(same + 1)
}

fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, ReportError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ReportError::file("read", path)(error)),
    }
}

/// Names of the files directly in a folder; none when it is not there. Hidden files are somebody else's.
fn file_names(folder: &Path) -> Result<Vec<String>, ReportError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(ReportError::file("read", folder)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(ReportError::file("read", folder))?;
        let kind = entry
            .file_type()
            .map_err(ReportError::file("read", folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if kind.is_file() && !name.starts_with('.') {
            names.push(name);
        }
    }
    Ok(names)
}

/// Writes under a temporary name, syncs, renames.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), ReportError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(ReportError::file("create", folder))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Two commands that end at the same time write the same file: each under a name of its own.
    let temporary = folder.join(format!(".{name}.{}.tmp", std::process::id()));
    let written = fs::File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&temporary, path));
    written.map_err(|error| {
        // What is left of it is of no use; that it could not be removed either says nothing new.
        let _ = fs::remove_file(&temporary);
        ReportError::file("write", path)(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(content: &str) -> Files {
        Files::from([
            ("a/x.tex".into(), content.into()),
            ("a/y.pdf".into(), vec![0xff, 0]),
            ("b/z".into(), vec![]),
        ])
    }

    #[test]
    fn what_is_written_checks_clean_and_each_change_is_named() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(check(folder.path(), &files("1")).unwrap().len(), 3);
        assert_eq!(write(folder.path(), &files("1\n2\n3\n")).unwrap().len(), 3);
        assert_eq!(check(folder.path(), &files("1\n2\n3\n")).unwrap(), []);
        assert!(
            write(folder.path(), &files("1\n2\n3\n"))
                .unwrap()
                .is_empty()
        );

        fs::write(folder.path().join("a/x.tex"), "1\n2\n4\n").unwrap();
        fs::write(folder.path().join("a/y.pdf"), [0xff, 1]).unwrap();
        fs::write(folder.path().join("a/old.svg"), "").unwrap();
        fs::remove_file(folder.path().join("b/z")).unwrap();
        let told = check(folder.path(), &files("1\n2\n3\n")).unwrap();
        let told: Vec<String> = told.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "a/old.svg is not made from any record",
                "a/x.tex differs from line 3 on",
                "a/y.pdf differs",
                "b/z is missing"
            ]
        );
        assert_eq!(write(folder.path(), &files("1\n2\n3\n")).unwrap().len(), 4);
        assert_eq!(check(folder.path(), &files("1\n2\n3\n")).unwrap(), []);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "a file in the way").unwrap();
        let error = write(folder.path(), &files("1")).unwrap_err().to_string();
        assert!(error.contains("a/x.tex") || error.contains("/a"), "{error}");
    }
}
