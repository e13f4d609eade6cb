//! From a path to a tree: reading the file within limits, and saying what is wrong with it where that fails.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use miette::{NamedSource, SourceSpan};

use super::error::{Fault, Problem, SpecError};
use super::names;
use super::yaml::{self, Node};

/// The largest file that is read, in MiB. The largest experiment files have some kilobytes.
const LIMIT: u64 = 16;

/// The text of an experiment file, under the name that errors show.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) file: String,
    pub(super) text: Arc<NamedSource<String>>,
}

impl Source {
    /// A source for errors about `text`.
    fn new(file: &str, text: String) -> Self {
        Self {
            file: file.to_owned(),
            text: Arc::new(NamedSource::new(file, text)),
        }
    }

    /// What is wrong with this text.
    pub(super) fn error(&self, problems: Vec<Problem>) -> SpecError {
        SpecError::new(&self.file, &self.text, problems)
    }
}

/// Reads the file at `path` as one YAML document.
pub(super) fn read(path: &Path) -> Result<(Source, Node), SpecError> {
    let file = path.display().to_string();
    let bytes = bytes(path).map_err(|problem| SpecError::single(&file, *problem))?;
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let span = (
                error.utf8_error().valid_up_to(),
                char::REPLACEMENT_CHARACTER.len_utf8(),
            );
            let problem = Problem::at(Fault::NotUtf8, span.into(), "this byte")
                .help("save the file as UTF-8");
            let shown = String::from_utf8_lossy(error.as_bytes()).into_owned();
            return Err(Source::new(&file, shown).error(vec![problem]));
        }
    };
    let parsed = serde_saphyr::from_str_with_options::<Node>(&text, options());
    let source = Source::new(&file, text);
    match parsed {
        Ok(root) => Ok((source, root)),
        Err(error) => Err(source.error(vec![problem(&error, source.text.inner())])),
    }
}

/// Far above what an experiment file needs, far below what hurts: an "alias bomb" is refused within milliseconds.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 200_000,
            max_nodes: 100_000,
            max_depth: 32,
            max_recorded_anchor_events: 200_000,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 100_000 },
        with_snippet: false,
        strict_booleans: true,
        // The tree takes them, so that the error can name the key.
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::PassThrough,
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, Box<Problem>> {
    let unreadable = |error: std::io::Error| {
        let problem = Problem::outside(Fault::Unreadable(format!(
            "{}: {}",
            path.display(),
            reason(&error)
        )));
        Box::new(match neighbour(path) {
            Some(name) => problem.help(format!("did you mean `{name}`?")),
            None => problem,
        })
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take((LIMIT << 20) + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > LIMIT << 20 {
        let problem = Problem::outside(Fault::TooLarge { limit: LIMIT });
        return Err(Box::new(
            problem.help("an experiment file has some kilobytes"),
        ));
    }
    Ok(bytes)
}

/// The operating system's reason, the same on every one of them.
fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

/// The experiment file in the same folder whose name is nearest to that of `path`.
fn neighbour(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let mut files: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|file| file.ends_with(".yaml") && file != name)
        .collect();
    files.sort();
    names::nearest(name, &files.iter().map(String::as_str).collect::<Vec<_>>()).map(str::to_owned)
}

/// The parser's error in our words, at its place in `text`.
fn problem(error: &serde_saphyr::Error, text: &str) -> Problem {
    use serde_saphyr::Error;
    let location = error.location();
    let span = location.map_or((0, 1).into(), |location| place(location, text));
    match error {
        Error::AliasError { error, .. } => problem(error, text),
        Error::DuplicateMappingKey { key, .. } => {
            let fault = Fault::DuplicateKey(key.clone().unwrap_or_default());
            Problem::at(fault, span, "given again here").help("remove one of the two")
        }
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            let help =
                "an experiment file needs a few hundred values, four levels deep, and no aliases";
            Problem::at(Fault::TooMuch, span, "stopped reading here").help(help)
        }
        Error::MultipleDocuments { .. } => {
            let fault = Fault::Syntax("more than one document in the file".to_owned());
            Problem::at(fault, span, "a second document")
                .help("keep one experiment in one file, without `---`")
        }
        _ => {
            let message = error.to_string();
            let message = message
                .rsplit_once(" at line ")
                .map_or(message.as_str(), |(message, _)| message);
            let syntax = Problem::at(Fault::Syntax(message.to_owned()), span, "here");
            match indented_with_tab(text, span.offset()) {
                true => syntax.help("indent with spaces: YAML allows no tabs there"),
                false => syntax.help("look at the indentation, brackets, quotes and colons here and on the line before"),
            }
        }
    }
}

/// The bytes at `location`; scanner errors carry line and column only.
fn place(location: serde_saphyr::Location, text: &str) -> SourceSpan {
    if location.span().byte_offset().is_some() {
        return yaml::source_span(location);
    }
    let line_start = match location.line().saturating_sub(1) as usize {
        0 => 0,
        line => text
            .match_indices('\n')
            .nth(line - 1)
            .map_or(text.len(), |(offset, _)| offset + 1),
    };
    let column = location.column().saturating_sub(1) as usize;
    let line = text[line_start..].lines().next().unwrap_or_default();
    let within = line
        .char_indices()
        .nth(column)
        .map_or(line.len(), |(offset, _)| offset);
    (line_start + within, 1).into()
}

fn indented_with_tab(text: &str, offset: usize) -> bool {
    let start = text[..offset.min(text.len())]
        .rfind('\n')
        .map_or(0, |newline| newline + 1);
    let indent = text[start..]
        .chars()
        .take_while(|c| c.is_whitespace() && *c != '\n');
    indent.into_iter().any(|c| c == '\t')
}
