//! Two sets of records held against each other: is a method worse than it was?
//!
//! One side are the records of an experiment's cells; the other, the baseline, is a file of frozen records
//! ([`RecordSet::read`]) or another folder of records. A row is a task and a method with its parameters, judged by the score that its
//! suite is judged by; over several tasks there is a row more for each method. docs/METHODOLOGY.md says what is computed.

mod baseline;
mod frozen;
mod judge;
mod markdown;
mod pair;
mod rows;
mod set;
mod text;

use std::collections::BTreeSet;

use era_harness::CellId;
use era_harness::store::Store;
use era_stats::margin;
use serde::Serialize;

use crate::analysis::table_bootstrap;
use crate::domain::Domain;
use crate::error::ReportError;
use crate::records::LeftOut;
use crate::study::Study;
use rows::Draft;

pub use baseline::Baseline;
pub use frozen::{FROZEN_FORMAT, FrozenError};
pub use judge::{Change, Outcome};
pub use set::RecordSet;

/// What is compared.
#[derive(Clone, Copy, Debug)]
pub struct CompareInputs<'a> {
    /// The scale.
    pub scale: &'a str,
    /// Today's records.
    pub store: &'a Store,
    /// The experiments with all of their cells: a method is called what it is called there, whatever is picked.
    pub studies: &'a [Study],
    /// The cells to compare.
    pub picked: &'a BTreeSet<CellId>,
    /// What they are held against.
    pub baseline: &'a Baseline,
    /// The loss that is accepted, as a share of the baseline's score: 0.05 is five per cent. Not negative.
    pub margin: f64,
}

/// Two sets of records, compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The scale.
    pub scale: String,
    /// Where the baseline is.
    pub baseline: String,
    /// The accepted loss, as a share of the baseline's score.
    pub margin: f64,
    /// Number of rows that were tested: neither identical nor without a spread.
    pub tests: usize,
    /// The level of each interval, so that all of them together hold with 95 %.
    pub level: f64,
    /// The experiments.
    pub experiments: Vec<Compared>,
    /// Configurations of the baseline that none of these experiments has.
    pub elsewhere: usize,
}

/// One experiment, compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// Its name.
    pub experiment: String,
    /// What the score is, in words.
    pub score: String,
    /// What multiplies a recorded score when it is printed: 100 for a share that is printed as per cent.
    pub factor: f64,
    /// One for each task and method with a score on one side at least, in the order of the experiment.
    pub rows: Vec<Row>,
    /// One for each method with several tasks, over all of them.
    pub over_tasks: Vec<Row>,
    /// Tasks and methods of the experiment that have a score on neither side.
    pub on_neither: usize,
}

/// A method on one task or over several, now and in the baseline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The task; none for a row over several.
    pub task: Option<String>,
    /// The method, with the parameters that tell it from others of its name.
    pub method: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it was not compared, or not decided: a lowercase fragment.
    pub reason: Option<String>,
    /// Number of runs now, and in the baseline, that were compared.
    pub runs: (usize, usize),
    /// IQM of the scores now, as printed. None over several tasks.
    pub now: Option<f64>,
    /// The same of the baseline.
    pub then: Option<f64>,
    /// Decimals with which scores are printed.
    #[serde(skip)]
    decimals: usize,
    /// The change, where it was compared and is not identical.
    pub change: Option<Change>,
    /// What has to be known with it.
    pub notes: Vec<String>,
    /// Cells of this row without a score on one side.
    pub left_out: Vec<Gap>,
}

/// A cell that has no score on one side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The cell.
    pub cell: CellId,
    /// Whether it is today's that is missing, and not the baseline's.
    pub now: bool,
    /// Why.
    pub reason: String,
    /// Whether something is wrong with it (failed, damaged), not merely still to be run.
    pub fault: bool,
}

/// Compares the picked cells with the baseline.
///
/// # Errors
/// Rows cannot be arranged, or scores have no statistics.
pub fn compare(inputs: &CompareInputs<'_>) -> Result<Comparison, ReportError> {
    let bootstrap = table_bootstrap()?;
    let mut drafts = Vec::new();
    for study in inputs.studies {
        let mut rows = rows::of_tasks(study, inputs, &bootstrap)?;
        let all = rows.len();
        rows.retain(Draft::has_a_side);
        let on_neither = all - rows.len();
        let over_tasks = rows::over_tasks(&rows, &bootstrap)?;
        drafts.push((study, rows, over_tasks, on_neither));
    }
    let all = drafts
        .iter()
        .flat_map(|(_, rows, over, _)| rows.iter().chain(over));
    let tests = all.filter(|draft| draft.is_test()).count();
    let used: BTreeSet<usize> = drafts
        .iter()
        .flat_map(|(_, rows, ..)| rows.iter().filter_map(|draft| draft.counterpart))
        .collect();
    let judged = |drafts: Vec<Draft>| -> Vec<Row> {
        let rows = drafts.into_iter();
        rows.map(|draft| draft.judged(inputs.margin, tests))
            .collect()
    };
    let experiments = drafts
        .into_iter()
        .map(|(study, rows, over_tasks, on_neither)| {
            let score = Domain::of(study).score();
            Compared {
                experiment: study.experiment.clone(),
                score: score.words(),
                factor: score.factor,
                rows: judged(rows),
                over_tasks: judged(over_tasks),
                on_neither,
            }
        });
    Ok(Comparison {
        scale: inputs.scale.to_owned(),
        baseline: inputs.baseline.name.clone(),
        margin: inputs.margin,
        tests,
        level: margin::simultaneous(tests),
        experiments: experiments.collect(),
        elsewhere: inputs.baseline.set.configurations() - used.len(),
    })
}

impl Comparison {
    /// All rows, those over several tasks behind the others of their experiment.
    pub fn rows(&self) -> impl Iterator<Item = (&Compared, &Row)> {
        self.experiments.iter().flat_map(|experiment| {
            let rows = experiment.rows.iter().chain(&experiment.over_tasks);
            rows.map(move |row| (experiment, row))
        })
    }

    /// Number of rows with this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.rows()
            .filter(|(_, row)| row.outcome == outcome)
            .count()
    }

    /// Whether anything was compared at all.
    pub fn is_empty(&self) -> bool {
        self.rows()
            .all(|(_, row)| row.outcome == Outcome::NotCompared)
    }

    /// Today's cells that failed or are damaged although the baseline has them, each once.
    pub fn faults(&self) -> BTreeSet<&CellId> {
        let gaps = self.rows().flat_map(|(_, row)| &row.left_out);
        gaps.filter(|gap| gap.now && gap.fault)
            .map(|gap| &gap.cell)
            .collect()
    }

    /// The whole comparison as JSON.
    ///
    /// # Errors
    /// Never, as long as numbers are finite.
    pub fn json(&self) -> Result<String, ReportError> {
        serde_json::to_string_pretty(self).map_err(ReportError::statistics)
    }
}

/// How a cell that is left out reads as a gap of a row.
impl Gap {
    fn new(left_out: &LeftOut, now: bool) -> Self {
        Self {
            cell: left_out.cell.clone(),
            now,
            reason: left_out.reason.clone(),
            fault: left_out.fault,
        }
    }
}
