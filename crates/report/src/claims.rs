//! The ledger: every claim of the paper with its verdict, from the records alone.
//!
//! `baselines/claims.yaml` says what is claimed, where, which runs test it and where their number has to lie; nothing here knows a claim by
//! name. A verdict is where a 95 % interval lies, never an opinion: see `docs/METHODOLOGY.md`.

mod error;
mod evidence;
mod file;
mod judge;
mod number;
mod row;
mod text;
mod typeset;
mod words;

use std::path::Path;
use std::sync::Arc;

use era_harness::CellId;
use era_harness::store::Store;
use miette::NamedSource;
use serde::Serialize;

use crate::error::ReportError;
use crate::published::Published;
use crate::study::Study;

pub use crate::published::Statement;
pub use error::{ClaimFault, ClaimProblem, ClaimsError};
pub use file::ClaimDomain;
pub use judge::{Comparison, Outcome};

use evidence::{Evidence, file_stem};
use file::{File, Test};
use judge::Failure;

/// The file of claims, read and checked against the published numbers.
#[derive(Clone, Debug)]
pub struct Claims {
    text: Arc<NamedSource<String>>,
    file: File,
    published: Published,
}

/// Why there is no ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Something is wrong with the file of claims.
    #[error(transparent)]
    Claims(#[from] ClaimsError),
    /// Something is wrong with the published numbers or the statistics.
    #[error(transparent)]
    Report(#[from] ReportError),
}

/// What a ledger is made from.
#[derive(Clone, Copy, Debug)]
pub struct LedgerInputs<'a> {
    /// The scale, for example `cpu`.
    pub scale: &'a str,
    /// The records.
    pub store: &'a Store,
    /// The experiments that [`Claims::experiments`] names, at this scale.
    pub studies: &'a [Study],
}

/// What the records say of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The interval lies where the claim says, on the paper's task at the paper's scale.
    Reproduced,
    /// The interval lies where the claim says, at a smaller scale or on another task.
    ReproducedInMiniature,
    /// The interval lies outside of what the claim says.
    NotReproduced,
    /// The interval has both in it, or there is none.
    Undecided,
    /// Nothing here can test it.
    NotTestableHere,
    /// It can be tested, and nobody has run that yet.
    NoRecordsYet,
}

impl Verdict {
    /// All of them, in the order in which they are counted.
    pub const ALL: [Self; 6] = [
        Self::Reproduced,
        Self::ReproducedInMiniature,
        Self::NotReproduced,
        Self::Undecided,
        Self::NotTestableHere,
        Self::NoRecordsYet,
    ];

    /// The verdict in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Reproduced => "reproduced",
            Self::ReproducedInMiniature => "reproduced in miniature",
            Self::NotReproduced => "not reproduced",
            Self::Undecided => "undecided",
            Self::NotTestableHere => "not testable here",
            Self::NoRecordsYet => "no records yet",
        }
    }
}

/// A claim and its verdict.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Its name in `baselines/claims.yaml`.
    pub id: String,
    /// What it is about.
    pub domain: ClaimDomain,
    /// What is claimed, in our words.
    pub statement: String,
    /// Letters of the sources, as `baselines/published.yaml` explains them.
    pub sources: Vec<String>,
    /// Whether all of these are weak: summaries and notes by others.
    pub weak: bool,
    /// Figure, table or section.
    pub r#where: String,
    /// The published numbers that it rests on.
    pub published: Vec<Statement>,
    /// The size of the effect by these, with what it is: `ratio 1.43`.
    pub size: Option<String>,
    /// What the records say.
    pub verdict: Verdict,
    /// Where the number has to lie; nothing for a claim that cannot be tested.
    pub margin: Option<String>,
    /// The number that decides: of several comparisons the one that is farthest from what is claimed.
    pub estimate: Option<String>,
    /// Its interval.
    pub interval: Option<[String; 2]>,
    /// What that number is of, and what else was compared.
    pub comparisons: Vec<Comparison>,
    /// Which of these decides.
    pub decides: Option<usize>,
    /// The cells behind all of them, each once.
    pub cells: Vec<CellId>,
    /// What is smaller here than in the paper; nothing where nothing is.
    pub miniature: Option<String>,
    /// What has to be said beside the verdict.
    pub note: String,
    /// What would test it, where no run has yet or not all have.
    pub command: Option<String>,
}

/// Every claim with its verdict.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ledger {
    /// The version of this format.
    pub format: u32,
    /// The scale of the records.
    pub scale: String,
    /// How many claims have each verdict, in the order of [`Verdict::ALL`].
    pub counts: Vec<Count>,
    /// The claims, by domain, in the order of the file.
    pub rows: Vec<Row>,
    /// What the letters of the sources stand for.
    pub sources: Vec<SourceLine>,
    /// The runs behind all of it.
    pub runs: Vec<RunLine>,
}

/// How many claims have a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Count {
    /// The verdict.
    pub verdict: Verdict,
    /// How many.
    pub claims: usize,
}

/// A source of published numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceLine {
    /// Its letter.
    pub tag: String,
    /// What it is.
    pub about: String,
}

/// A run that some verdict rests on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunLine {
    /// Its cell.
    pub cell: CellId,
    /// Commit of the program that ran it.
    pub commit: String,
    /// BLAKE3 of its metrics.
    pub metrics_hash: String,
    /// Seconds of processor time.
    pub cpu_seconds: f64,
}

impl Claims {
    /// Reads the file of claims and the published numbers that it names.
    ///
    /// # Errors
    /// A file cannot be read, or something in it is wrong: of the file of claims everything is told, with line, column and snippet.
    pub fn read(claims: &Path, published: &Path) -> Result<Self, LedgerError> {
        let text = std::fs::read_to_string(claims)
            .map_err(|error| ClaimsError::unreadable(claims, &error))?;
        let text = Arc::new(NamedSource::new(claims.display().to_string(), text));
        let published = Published::read(published)?;
        let file = File::read(&text, &published)?;
        Ok(Self {
            text,
            file,
            published,
        })
    }

    /// Names of the experiments whose cells test claims at this scale, in the order of the file: a file in the folder of experiments, or
    /// one below it (`ablations/NAME`).
    pub fn experiments(&self, scale: &str) -> Vec<&str> {
        let tests = self.tests(scale).flat_map(|test| &test.experiments);
        let mut names: Vec<&str> = Vec::new();
        for name in tests {
            if !names.contains(&name.value.as_str()) {
                names.push(&name.value);
            }
        }
        names
    }

    /// Whether the cells of this experiment (the name of its file) test claims at this scale.
    pub fn tests_with(&self, experiment: &str, scale: &str) -> bool {
        let names = self.experiments(scale);
        names.iter().any(|name| file_stem(name) == experiment)
    }

    /// The scales at which some claim is tested, in the order of their names.
    pub fn scales(&self) -> Vec<&str> {
        let tests = self
            .file
            .claims
            .iter()
            .filter_map(|claim| claim.test.as_ref());
        let scales = tests.flat_map(|test| test.scales.keys());
        let scales: std::collections::BTreeSet<&str> = scales.map(String::as_str).collect();
        scales.into_iter().collect()
    }

    /// Looks for what `studies`, the experiments of a scale, do not have: methods, parameters, tasks.
    ///
    /// # Errors
    /// All that is not there.
    pub fn check(&self, scale: &str, studies: &[Study]) -> Result<(), ClaimsError> {
        let evidence = Evidence::without_runs(scale, studies);
        let mut problems = Vec::new();
        for test in self.tests(scale) {
            for of in &test.of {
                let baselines = test.against.iter().map(Some);
                let alone = test.against.is_empty().then_some(None);
                for against in baselines.chain(alone) {
                    problems.extend(
                        evidence
                            .plan(test, of, against)
                            .err()
                            .map(|problem| *problem),
                    );
                }
            }
        }
        match problems.is_empty() {
            true => Ok(()),
            false => Err(ClaimsError::new(&self.text, problems)),
        }
    }

    /// The error for an experiment that some claim names and that is not there.
    pub fn unknown_experiment(&self, name: &str, known: &[&str]) -> ClaimsError {
        let tests = self
            .file
            .claims
            .iter()
            .filter_map(|claim| claim.test.as_ref());
        let named = tests.flat_map(|test| &test.experiments);
        let problems = named
            .filter(|other| other.value == name)
            .take(1)
            .map(|place| file::unknown("experiment", place, known));
        ClaimsError::new(&self.text, problems.collect())
    }

    fn tests(&self, scale: &str) -> impl Iterator<Item = &Test> {
        let tests = self
            .file
            .claims
            .iter()
            .filter_map(|claim| claim.test.as_ref());
        tests.filter(move |test| test.scales.contains_key(scale))
    }
}

impl Ledger {
    /// Judges every claim by the records of a scale.
    ///
    /// Records that are unfinished, failed or damaged are left out, and said beside the verdict.
    ///
    /// # Errors
    /// A claim is about tasks, methods, parameters or metrics that its experiments do not have; all of these are told.
    pub fn new(claims: &Claims, inputs: &LedgerInputs<'_>) -> Result<Self, LedgerError> {
        let evidence = Evidence::read(
            inputs.store,
            inputs.scale,
            inputs.studies,
            &claims.file.claims,
        );
        let (mut rows, mut problems) = (Vec::new(), Vec::new());
        for claim in &claims.file.claims {
            match row::judged(claim, claims, &evidence) {
                Ok(row) => rows.push(row),
                Err(Failure::Problem(problem)) => problems.push(*problem),
                Err(Failure::Report(error)) => return Err(error.into()),
            }
        }
        if !problems.is_empty() {
            return Err(ClaimsError::new(&claims.text, problems).into());
        }
        rows.sort_by_key(|row: &Row| row.domain);
        let count = |verdict| Count {
            verdict,
            claims: rows.iter().filter(|row| row.verdict == verdict).count(),
        };
        let tags = claims.published.sources();
        let tags = tags.filter(|tag| {
            rows.iter()
                .any(|row| row.sources.iter().any(|own| own == tag))
        });
        let source = |tag: &str| SourceLine {
            tag: tag.to_owned(),
            about: claims.published.source(tag).unwrap_or_default().to_owned(),
        };
        let run = |run: &crate::records::FinishedRun| RunLine {
            cell: run.id.clone(),
            commit: run.commit.clone(),
            metrics_hash: run.hash.clone(),
            cpu_seconds: run.record.cpu_seconds,
        };
        Ok(Self {
            format: 1,
            scale: inputs.scale.to_owned(),
            counts: Verdict::ALL.map(count).into(),
            sources: tags.map(source).collect(),
            runs: evidence.finished().map(run).collect(),
            rows,
        })
    }

    /// How many claims have each verdict, in words.
    pub fn counted(&self) -> String {
        let counts = self.counts.iter().filter(|count| count.claims > 0);
        let counts: Vec<String> = counts
            .map(|count| format!("{} {}", count.claims, count.verdict.words()))
            .collect();
        counts.join(", ")
    }
}
