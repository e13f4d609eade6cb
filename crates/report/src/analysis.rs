//! Every number of a report, computed once: tables, macros, figures and the terminal print the same.

mod alarms;
mod curves;
mod entropy;
mod pairs;
mod pass;
mod profile;
mod reliability;
mod scores;

use era_harness::CellId;
use era_stats::{Bootstrap, Estimate, Scores, aggregate};

use crate::board::{Board, Score};
use crate::domain::{Alarm, Domain, Measure};
use crate::error::ReportError;

pub(crate) use alarms::{AlarmRow, TaskAlarms};
pub(crate) use curves::{Curve, curves, smoothed};
pub(crate) use entropy::{EntropyRow, TaskEntropy};
pub(crate) use pairs::{Comparison, Pair};
pub(crate) use pass::{PassAt, pass_at};
pub(crate) use profile::Profile;
pub(crate) use reliability::{Bin, Reliability, reliability};
pub(crate) use scores::{MethodScores, Normalised, NormalisedRow, TaskScores};

/// Bootstrap repetitions for tables; era-stats' default, with its level (95 %) and seed.
pub(crate) const TABLE_REPETITIONS: usize = 50_000;
/// Repetitions for each point of a curve: there are hundreds, and a band is read by eye.
const CURVE_REPETITIONS: usize = 5_000;
/// Confidence level of every interval.
pub(crate) const LEVEL: f64 = 0.95;
/// Seed of every bootstrap.
pub(crate) const SEED: u64 = 0;

/// All that is said about one study.
pub(crate) struct Analysis<'a> {
    pub(crate) scale: &'a str,
    pub(crate) board: Board<'a>,
    /// By measure of the domain; in each, one for each task of the board.
    pub(crate) results: Vec<Vec<TaskScores>>,
    /// Over all tasks; or why there is none.
    pub(crate) normalised: Result<Normalised, String>,
    /// One for each task of the board on which some method recorded its entropy.
    pub(crate) entropy: Vec<TaskEntropy>,
    /// By alarm of the domain; in each, one for each task of the board.
    pub(crate) alarms: Vec<Vec<TaskAlarms>>,
    pub(crate) pairs: Vec<Pair>,
}

impl<'a> Analysis<'a> {
    pub(crate) fn new(scale: &'a str, board: Board<'a>) -> Result<Self, ReportError> {
        let results = board.domain().measures().iter();
        let results: Vec<Vec<TaskScores>> = results
            .map(|measure| scores::by_task(&board, measure))
            .collect::<Result<_, _>>()?;
        let normalised = scores::normalise(&board, &results[0])?;
        let entropy = entropy::by_task(&board)?;
        let alarms = board.domain().alarms().iter();
        let alarms: Vec<Vec<TaskAlarms>> = alarms
            .map(|alarm| alarms::by_task(&board, alarm))
            .collect::<Result<_, _>>()?;
        let pairs = pairs::compare(&board, &results[0], &normalised)?;
        Ok(Self {
            scale,
            board,
            results,
            normalised,
            entropy,
            alarms,
            pairs,
        })
    }

    pub(crate) fn domain(&self) -> Domain {
        self.board.domain()
    }

    /// The scores by which methods are compared, one for each task of the board.
    pub(crate) fn scores(&self) -> &[TaskScores] {
        &self.results[0]
    }

    /// A measure of one method on one task; `None` where the domain has no such measure or the study no such cell.
    pub(crate) fn result(
        &self,
        measure: &Measure,
        task: &str,
        method: &str,
    ) -> Option<&MethodScores> {
        let mut measures = self.domain().measures().iter().zip(&self.results);
        let (_, tasks) = measures.find(|(other, _)| other.word == measure.word)?;
        let task = tasks.iter().find(|other| other.task == task)?;
        task.rows.iter().find(|row| row.method == method)
    }

    /// The entropy of one method on one task, where it was recorded.
    pub(crate) fn entropy_of(&self, task: &str, method: &str) -> Option<&EntropyRow> {
        let task = self.entropy.iter().find(|other| other.task == task)?;
        task.rows.iter().find(|row| row.method == method)
    }

    /// Which runs of one method on one task gave an alarm; `None` where none recorded it.
    pub(crate) fn alarm_of(&self, alarm: &Alarm, task: &str, method: &str) -> Option<&AlarmRow> {
        let mut alarms = self.domain().alarms().iter().zip(&self.alarms);
        let (_, tasks) = alarms.find(|(other, _)| other.word == alarm.word)?;
        let task = tasks.iter().find(|other| other.task == task)?;
        task.rows.iter().find(|row| row.method == method)
    }

    /// The performance profiles; or why there are none.
    pub(crate) fn profiles(&self) -> Result<Result<Vec<Profile>, String>, ReportError> {
        profile::profiles(&self.normalised)
    }

    /// Whether this is a scale that shows nothing but that the path works.
    pub(crate) fn smoke(&self) -> bool {
        self.scale == "smoke"
    }

    /// What everything made at the smoke scale says on its face.
    pub(crate) const SMOKE: &'static str = "smoke scale: shows that the path works, not a result";

    /// The command that makes this study's report from scratch.
    pub(crate) fn command(&self) -> String {
        format!(
            "cargo xtask reproduce --suite {} --scale {}",
            self.board.study.experiment, self.scale
        )
    }

    /// One line on the cells that the numbers do not hold, empty when there are none.
    pub(crate) fn left_out_line(&self) -> String {
        let (left_out, all) = (&self.board.left_out, self.board.study.cells.len());
        match left_out.len() {
            0 => String::new(),
            1 => format!("1 of {all} cells is left out"),
            some => format!("{some} of {all} cells are left out"),
        }
    }
}

/// The bootstrap of tables.
pub(crate) fn table_bootstrap() -> Result<Bootstrap, ReportError> {
    Bootstrap::new(TABLE_REPETITIONS, LEVEL, SEED).map_err(ReportError::statistics)
}

/// The bootstrap of curves.
fn curve_bootstrap() -> Result<Bootstrap, ReportError> {
    Bootstrap::new(CURVE_REPETITIONS, LEVEL, SEED).map_err(ReportError::statistics)
}

/// IQM of some runs of one task; `None` without a run.
pub(crate) fn iqm(values: &[f64], bootstrap: &Bootstrap) -> Result<Option<Estimate>, ReportError> {
    if values.is_empty() {
        return Ok(None);
    }
    let scores = Scores::new(&[values]).map_err(ReportError::statistics)?;
    Ok(Some(aggregate::intervals(&scores, 1.0, bootstrap).iqm))
}

fn values(scores: &[Score]) -> Vec<f64> {
    scores.iter().map(|score| score.value).collect()
}

fn cells(scores: &[Score]) -> Vec<CellId> {
    scores.iter().map(|score| score.cell.clone()).collect()
}
