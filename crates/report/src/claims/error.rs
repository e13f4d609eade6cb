//! What can be wrong with the file of claims, and how it is shown: as experiment files are, with line, column and snippet.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode, SourceSpan};
use serde_saphyr::Location;

/// What is wrong. The text is a lowercase fragment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimFault {
    /// The file cannot be read.
    #[error("cannot read the file of claims: {0}")]
    Unreadable(String),
    /// It is not YAML, or a key or a type is wrong.
    #[error("{0}")]
    Shape(String),
    /// Another format.
    #[error("format {0} is not {known}", known = super::file::FORMAT)]
    Format(u32),
    /// Two claims of one name.
    #[error("there are two claims `{0}`")]
    Twice(String),
    /// Neither or both of what a claim is judged by.
    #[error("`{0}` needs either `test` or `untestable`")]
    TestOrNot(String),
    /// A key that this way to compare needs, or has no use for.
    #[error("a test that compares by `{compare}` {verb} `{key}`")]
    Key {
        /// The way to compare.
        compare: &'static str,
        /// `needs`, or `has no use for`.
        verb: &'static str,
        /// The key.
        key: &'static str,
    },
    /// Not exactly one of the bounds.
    #[error(
        "a test needs one of `above`, `below` and `within` (two numbers, the smaller one first)"
    )]
    Bound,
    /// A size that the published numbers do not give.
    #[error("`size: {size}` needs {needed} published above zero, first the method's")]
    Size {
        /// The size asked for.
        size: &'static str,
        /// How many numbers.
        needed: &'static str,
    },
    /// A name that nothing has.
    #[error("unknown {what} `{name}`")]
    Unknown {
        /// What it should name.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A method with parameters that no cell of the named experiments has.
    #[error("no cell of {experiments} at scale {scale} is one of {side}")]
    NoCell {
        /// The method with its parameters.
        side: String,
        /// The experiments.
        experiments: String,
        /// The scale.
        scale: String,
    },
    /// Two sides that no task has both of.
    #[error("no task has cells of both {of} and {against}")]
    NoTask {
        /// The one.
        of: String,
        /// The other.
        against: String,
    },
    /// Several configurations of a method.
    #[error("{side} names several cells of the same task and seed, which differ in {params}")]
    Ambiguous {
        /// The method with its parameters.
        side: String,
        /// Names of the parameters.
        params: String,
    },
    /// A metric that the runs do not have.
    #[error("no run of {side} recorded `{metric}`")]
    NoMetric {
        /// The method with its parameters.
        side: String,
        /// The metric.
        metric: String,
    },
}

/// One fault and where it is.
#[derive(Clone, Debug)]
pub struct ClaimProblem {
    /// What is wrong.
    pub fault: ClaimFault,
    /// Bytes of the file that are meant; `None` where the fault is not in the text.
    pub span: Option<SourceSpan>,
    /// How to get it right.
    pub help: Option<String>,
    text: Option<Arc<NamedSource<String>>>,
}

impl ClaimProblem {
    /// A fault at a place of the file.
    pub(super) fn at(fault: ClaimFault, location: Location) -> Self {
        Self {
            fault,
            span: Some(span(location)),
            help: None,
            text: None,
        }
    }

    /// With a hint.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// The bytes that a location covers; at least one, so that something is underlined.
fn span(location: Location) -> SourceSpan {
    let span = location.span();
    let offset = span.byte_offset().unwrap_or(0) as usize;
    let length = span.byte_len().unwrap_or(0).max(1) as usize;
    (offset, length).into()
}

/// Where the line and column of a location lie in `text`.
fn offset(location: Location, text: &str) -> usize {
    let lines = text.split_inclusive('\n');
    let before = lines.take(location.line().saturating_sub(1) as usize);
    let line: usize = before.map(str::len).sum();
    let columns = text[line..].lines().next().unwrap_or_default();
    let column = location.column().saturating_sub(1) as usize;
    let within = columns.char_indices().nth(column);
    line + within.map_or(columns.len(), |(offset, _)| offset)
}

impl fmt::Display for ClaimProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.fmt(f)
    }
}

impl std::error::Error for ClaimProblem {}

impl Diagnostic for ClaimProblem {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let help = self.help.as_ref();
        help.map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        let text = self.span.and(self.text.as_deref());
        text.map(|text| text as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = LabeledSpan::new_with_span(Some("here".into()), self.span?);
        Some(Box::new(std::iter::once(span)))
    }
}

/// Everything that is wrong with the file of claims: at least one [`ClaimProblem`], in the order of the file.
#[derive(Clone, Debug)]
pub struct ClaimsError {
    file: String,
    problems: Vec<ClaimProblem>,
}

impl ClaimsError {
    /// The problems in `text`.
    pub(super) fn new(text: &Arc<NamedSource<String>>, mut problems: Vec<ClaimProblem>) -> Self {
        problems.sort_by_key(|problem| problem.span.map_or(usize::MAX, |span| span.offset()));
        for problem in &mut problems {
            problem.text = Some(Arc::clone(text));
        }
        Self {
            file: text.name().to_owned(),
            problems,
        }
    }

    /// A file that cannot be read.
    pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Self {
        let file = path.display().to_string();
        let fault = ClaimFault::Unreadable(format!("{file}: {error}"));
        Self {
            file,
            problems: vec![ClaimProblem {
                fault,
                span: None,
                help: None,
                text: None,
            }],
        }
    }

    /// What the reader of YAML says, at its place.
    pub(super) fn shape(text: &Arc<NamedSource<String>>, error: &serde_saphyr::Error) -> Self {
        let message = error.to_string();
        let message = message
            .rsplit_once(" at line ")
            .map_or(message.as_str(), |(message, _)| message);
        let fault = ClaimFault::Shape(message.to_owned());
        let location = error.location().unwrap_or(Location::UNKNOWN);
        let mut problem = ClaimProblem::at(fault, location);
        if location.span().byte_offset().is_none() {
            // Of a fault that the scanner finds, line and column are all that is known.
            problem.span = Some((offset(location, text.inner()), 1).into());
        }
        Self::new(text, vec![problem])
    }

    /// What is wrong, in the order of the file.
    pub fn problems(&self) -> &[ClaimProblem] {
        &self.problems
    }

    fn only(&self) -> Option<&ClaimProblem> {
        match self.problems.as_slice() {
            [problem] => Some(problem),
            _ => None,
        }
    }
}

impl fmt::Display for ClaimsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.only() {
            Some(problem) => write!(f, "read the claims in {}: {problem}", self.file),
            None => write!(
                f,
                "read the claims in {}: {} problems",
                self.file,
                self.problems.len()
            ),
        }
    }
}

impl std::error::Error for ClaimsError {}

impl Diagnostic for ClaimsError {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.only().and_then(Diagnostic::help)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.only().and_then(Diagnostic::source_code)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.only().and_then(Diagnostic::labels)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        if self.only().is_some() {
            return None;
        }
        let problems = self.problems.iter();
        Some(Box::new(problems.map(|problem| problem as &dyn Diagnostic)))
    }
}
