//! What can be wrong with an experiment file, and how it is shown.

use std::fmt;
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode, SourceSpan};

use crate::method::ParamError;

/// What is wrong. The text is a lowercase fragment.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Fault {
    /// The file cannot be opened or read.
    #[error("cannot read the experiment file: {0}")]
    Unreadable(String),
    /// The file is larger than any experiment file should be.
    #[error("the file has more than {limit} MiB: this is no experiment file")]
    TooLarge {
        /// The limit in MiB.
        limit: u64,
    },
    /// The file is not text in UTF-8.
    #[error("the file is not text in UTF-8")]
    NotUtf8,
    /// The file is not YAML.
    #[error("not valid YAML: {0}")]
    Syntax(String),
    /// The same key twice in one mapping.
    #[error("key `{0}` is given twice")]
    DuplicateKey(String),
    /// Aliases, nesting or size beyond every sensible document.
    #[error("the document is too large once its aliases are expanded, or nested too deeply")]
    TooMuch,
    /// Nothing but comments and white space.
    #[error("the experiment file is empty")]
    Empty,
    /// A document that is no mapping.
    #[error("the experiment file must be a mapping with `suite`, `matrix` and `scales`, not {0}")]
    NotAMapping(String),
    /// A value of the wrong type.
    #[error("`{key}` must be {expected}, not {found}")]
    WrongType {
        /// The key.
        key: String,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// A key that means nothing here.
    #[error("unknown key `{key}` in {place}")]
    UnknownKey {
        /// The key.
        key: String,
        /// The mapping it stands in.
        place: String,
    },
    /// A key that must be there.
    #[error("{place} has no `{key}`")]
    MissingKey {
        /// The key.
        key: &'static str,
        /// The mapping it belongs to.
        place: String,
    },
    /// A name that nothing has.
    #[error("unknown {what} `{name}`")]
    Unknown {
        /// What it should name: suite, task, method, scale, table, figure, value of an axis.
        what: String,
        /// The name.
        name: String,
    },
    /// An axis or a mapping without a value.
    #[error("`{0}` is empty")]
    EmptyAxis(String),
    /// The same value twice on one axis.
    #[error("`{axis}` has {value} twice")]
    DuplicateValue {
        /// The axis.
        axis: String,
        /// The value.
        value: String,
    },
    /// Not a finite number.
    #[error("`{key}` must be a finite number, not {found}")]
    NotFinite {
        /// The key.
        key: String,
        /// What it is.
        found: String,
    },
    /// A duration that cannot be read, or is zero.
    #[error("`{0}` is no length of time")]
    Duration(String),
    /// A task that a method cannot run.
    #[error("{method} cannot run {task}: {reason}")]
    Unsupported {
        /// The method.
        method: String,
        /// The task.
        task: String,
        /// Why not.
        reason: String,
    },
    /// A parameter that its method refuses.
    #[error("{0}")]
    Param(ParamError),
    /// A parameter that no method of the matrix has.
    #[error("no method of the matrix has a parameter `{0}`")]
    ForeignParam(String),
    /// A parameter in an override that a matched method does not have.
    #[error("{method} has no parameter `{key}`")]
    OverrideParam {
        /// The method.
        method: String,
        /// The parameter.
        key: String,
    },
    /// An override or exclusion for cells that do not exist.
    #[error("this {0} matches no cell at any scale")]
    MatchesNothing(&'static str),
    /// Everything of a scale is excluded.
    #[error("nothing is left of scale `{0}`: `exclude` takes away every cell")]
    NothingLeft(String),
    /// Two cells of a scale are the same once their parameters are resolved.
    #[error("two cells of scale `{scale}` are the same: {cell}")]
    DuplicateCell {
        /// The scale.
        scale: String,
        /// Task, method and seed.
        cell: String,
    },
    /// A matrix beyond every sensible experiment.
    #[error("scale `{scale}` has {cells} cells; at most {limit} are allowed")]
    TooManyCells {
        /// The scale.
        scale: String,
        /// How many.
        cells: u128,
        /// How many at most.
        limit: u128,
    },
    /// `--only` with a key that no cell of the plan has.
    #[error("`--only {0}=…`: no cell has such a key")]
    FilterKey(String),
    /// `--only` with a value that no cell of the plan has.
    #[error("`--only {key}={value}`: no cell has this value")]
    FilterValue {
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
    /// Several `--only` that no cell passes together.
    #[error("no cell passes every `--only`")]
    FilteredAll,
}

/// One fault and where it is.
#[derive(Clone, Debug)]
pub struct Problem {
    /// What is wrong.
    pub fault: Fault,
    /// Bytes of the file that are meant; `None` where the fault is not in the text.
    pub span: Option<SourceSpan>,
    /// A word under the marked text.
    pub label: String,
    /// How to get it right.
    pub help: Option<String>,
    source: Option<Arc<NamedSource<String>>>,
}

impl Problem {
    /// A fault at `span`.
    pub(super) fn at(fault: Fault, span: SourceSpan, label: impl Into<String>) -> Self {
        Self {
            fault,
            span: Some(span),
            label: label.into(),
            help: None,
            source: None,
        }
    }

    /// A fault that is not in the text of the file.
    pub(super) fn outside(fault: Fault) -> Self {
        Self {
            fault,
            span: None,
            label: String::new(),
            help: None,
            source: None,
        }
    }

    /// With a hint.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.fmt(f)
    }
}

impl std::error::Error for Problem {}

impl Diagnostic for Problem {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help
            .as_ref()
            .map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.span
            .and(self.source.as_deref())
            .map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = (!self.label.is_empty()).then(|| self.label.clone());
        let span = LabeledSpan::new_with_span(label, self.span?);
        Some(Box::new(std::iter::once(span)))
    }
}

/// Everything that is wrong with an experiment file, or with what was asked of it: at least one [`Problem`], in the
/// order of the file.
#[derive(Clone, Debug)]
pub struct SpecError {
    file: String,
    problems: Vec<Problem>,
}

impl SpecError {
    /// The problems in the text `source` of `file`, those in the text first and in its order, each one once.
    pub(super) fn new(
        file: &str,
        source: &Arc<NamedSource<String>>,
        mut problems: Vec<Problem>,
    ) -> Self {
        problems.sort_by_key(|problem| problem.span.map_or(usize::MAX, |span| span.offset()));
        let mut distinct: Vec<Problem> = Vec::with_capacity(problems.len());
        for mut problem in problems {
            if !distinct
                .iter()
                .any(|other| other.span == problem.span && other.fault == problem.fault)
            {
                problem.source = Some(Arc::clone(source));
                distinct.push(problem);
            }
        }
        Self {
            file: file.to_owned(),
            problems: distinct,
        }
    }

    /// A problem that is not in the text of the file.
    pub(super) fn single(file: &str, problem: Problem) -> Self {
        Self {
            file: file.to_owned(),
            problems: vec![problem],
        }
    }

    /// What is wrong, in the order of the file.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    fn only(&self) -> Option<&Problem> {
        match self.problems.as_slice() {
            [problem] => Some(problem),
            _ => None,
        }
    }
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.only() {
            Some(problem) => problem.fmt(f),
            None => write!(f, "{} has {} problems", self.file, self.problems.len()),
        }
    }
}

impl std::error::Error for SpecError {}

impl Diagnostic for SpecError {
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
        let several = self.only().is_none();
        several.then(|| {
            Box::new(
                self.problems
                    .iter()
                    .map(|problem| problem as &dyn Diagnostic),
            ) as Box<_>
        })
    }
}
