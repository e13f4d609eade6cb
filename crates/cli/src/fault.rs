//! What ends a command with an error, and the exit code of each kind. Messages read after "failed to".

use std::io;
use std::path::PathBuf;

use era_harness::files::FileError;
use era_harness::sealed::SealError;
use era_harness::spec::SpecError;
use era_harness::store::StoreError;
use era_harness::worker::WorkerError;
use era_report::ReportError;
use era_report::claims::ClaimsError;
use era_report::compare::FrozenError;
use miette::Diagnostic;

use crate::exit::Exit;
use crate::text;

/// Why a command ended.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(crate) enum Fault {
    #[error("plan the experiments: {} cannot be used", text::count(.0.len(), "file"))]
    Experiments(#[related] Vec<SpecError>),

    #[error(transparent)]
    #[diagnostic(transparent)]
    Claims(#[from] ClaimsError),

    #[error("find an experiment named `{name}`")]
    #[diagnostic(help("{}", listed(.known, .folder)))]
    NoExperiment {
        name: String,
        folder: PathBuf,
        known: Vec<String>,
    },

    #[error("find a cell with `{0}` in its name among the chosen ones")]
    #[diagnostic(help("`--list` shows their names"))]
    NoCell(String),

    #[error("tell which cell is meant: `{part}` is in the names of {}", text::count(.matches.len(), "cell"))]
    #[diagnostic(help("one of\n{}", .matches.join("\n")))]
    ManyCells { part: String, matches: Vec<String> },

    #[error("use the device `{given}`: there is no such engine")]
    #[diagnostic(help("there are: {known}; `auto` takes the best that is built in and present"))]
    Engine { given: String, known: String },

    #[error("use `{0}` and `{1}` together")]
    #[diagnostic(help("an engine is part of a cell, so a command has one; run it once for each"))]
    Engines(String, String),

    #[error("{lack}")]
    #[diagnostic(help("{remedy}"))]
    Device {
        lack: era_nn::NoDevice,
        remedy: String,
    },

    #[error("compute the first updates of {suite} on {engine}: {reason}")]
    Updates {
        suite: &'static str,
        engine: String,
        reason: String,
    },

    #[error("run {}: this build lacks {parts}", text::count(*.cells, "cell"), parts = .parts.join(", "))]
    #[diagnostic(help(
        "run {}, or choose other cells with `--only task=NAME`",
        .parts.iter().map(|part| format!("`cargo xtask setup {part}`")).collect::<Vec<_>>().join(" and ")
    ))]
    NativePart { cells: usize, parts: Vec<String> },

    #[error("use {} as a folder for {what}: {source}", path.display())]
    #[diagnostic(help("nothing was run; make it writable, or choose another with `{option}`"))]
    Folder {
        path: PathBuf,
        what: &'static str,
        option: &'static str,
        source: io::Error,
    },

    #[error("find room for run records in {}: {} left, at least {} needed", path.display(), text::bytes(*.free), text::bytes(*.needed))]
    #[diagnostic(help(
        "nothing was run; free some space, or choose another folder with `--artifacts`"
    ))]
    Space {
        path: PathBuf,
        free: u64,
        needed: u64,
    },

    #[error(transparent)]
    File(#[from] FileError),

    #[error(transparent)]
    Store(#[from] StoreError),

    #[error(transparent)]
    Worker(#[from] WorkerError),

    #[error(transparent)]
    Report(#[from] ReportError),

    #[error("{error}")]
    #[diagnostic(help("{}", error.remedy(scale)))]
    Frozen { error: FrozenError, scale: String },

    #[error("compare anything: no chosen cell has a score on both sides")]
    #[diagnostic(help(
        "`--list` of reproduce shows what is recorded; `compare --freeze` makes a baseline from it"
    ))]
    NothingCompared,

    #[error("freeze anything: no chosen cell has a finished record at scale {scale}")]
    #[diagnostic(help("`cargo xtask reproduce --scale {scale}` makes them"))]
    NothingToFreeze { scale: String },

    #[error("make a folder to verify in: {0}")]
    #[diagnostic(help("TMPDIR names another place"))]
    Temporary(io::Error),

    #[error("start a worker: {0}")]
    NoWorker(io::Error),

    #[error(transparent)]
    Sealed(#[from] SealError),

    #[error("typeset the paper: pdflatex is not installed")]
    #[diagnostic(help("install {install}; everything else is made, {} can be typeset elsewhere", tex.display()))]
    NoLatex { tex: PathBuf, install: &'static str },

    #[error("typeset the paper: pdflatex refused it")]
    #[diagnostic(help("{complaint}\nthe whole log is {}", log.display()))]
    Latex { log: PathBuf, complaint: String },

    #[error("install the handlers of signals: {0}")]
    Signals(io::Error),

    #[error("find this program's own path: {0}")]
    OwnPath(io::Error),

    /// Standard output is closed or full.
    #[error("write to standard output: {0}")]
    Output(#[from] io::Error),
}

impl Fault {
    /// What the process ends with.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Experiments(_)
            | Self::Claims(_)
            | Self::NoExperiment { .. }
            | Self::NoCell(_)
            | Self::ManyCells { .. }
            | Self::NothingCompared
            | Self::NothingToFreeze { .. } => Exit::Experiment,
            Self::Engine { .. }
            | Self::Engines(..)
            | Self::Device { .. }
            | Self::NativePart { .. }
            | Self::Folder { .. }
            | Self::Space { .. }
            | Self::File(_)
            | Self::Store(_)
            | Self::NoLatex { .. }
            | Self::Output(_)
            | Self::Frozen { .. }
            | Self::Temporary(_)
            | Self::NoWorker(_)
            | Self::Sealed(_)
            | Self::Report(ReportError::File { .. } | ReportError::Store(_))
            | Self::Worker(WorkerError::Store(_)) => Exit::Environment,
            Self::Report(_)
            | Self::Latex { .. }
            | Self::Updates { .. }
            | Self::Worker(_)
            | Self::Signals(_)
            | Self::OwnPath(_) => Exit::Fault,
        }
    }

    /// Whether the reader of standard output is gone (`era … | head`): no error, only nobody to write to.
    pub(crate) fn reader_gone(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

fn listed(known: &[String], folder: &std::path::Path) -> String {
    match known {
        [] => format!("there is no experiment file in {}", folder.display()),
        known => format!(
            "there are: {}; or give the path of a .yaml file",
            known.join(", ")
        ),
    }
}

/// Reads after "failed to", as the edge prints it.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("failed to {0}")]
#[diagnostic(transparent)]
pub(crate) struct Failed(pub(crate) Fault);
