//! Scores at the last evaluation, by task and method, and normalised over tasks.

use era_harness::CellId;
use era_stats::{Estimate, Scores, aggregate};

use super::{cells, iqm, table_bootstrap, values};
use crate::board::{Board, Score, at_start, first, last, mean};
use crate::domain::{Measure, Taken};
use crate::error::ReportError;
use crate::frame::Series;
use crate::number::{Printed, decimals};

/// One task: a row for each method, in the board's order.
pub(crate) struct TaskScores {
    pub(crate) task: String,
    pub(crate) rows: Vec<MethodScores>,
    /// Decimals of every value on this task.
    pub(crate) decimals: usize,
    /// Mean over all runs of all methods at their first evaluation.
    pub(crate) first: Option<f64>,
}

/// One method on one task.
pub(crate) struct MethodScores {
    pub(crate) method: String,
    /// The measure of each run, mostly at its last evaluation: of a return the mean over its episodes.
    pub(crate) scores: Vec<Score>,
    /// Number of cells in the study.
    pub(crate) planned: usize,
    /// IQM over runs; `None` without a finished run.
    pub(crate) iqm: Option<Printed>,
}

impl MethodScores {
    pub(crate) fn cells(&self) -> Vec<CellId> {
        cells(&self.scores)
    }
}

/// Scores over all tasks. On each task 0 is the mean return of all runs at their first evaluation and 1 the mean
/// return of the baseline's runs at their last one; the normaliser is taken as given, so intervals do not hold its
/// own uncertainty. (The paper does not state its normaliser.)
pub(crate) struct Normalised {
    /// The method whose mean last return is 1: the study's first.
    pub(crate) baseline: String,
    /// Number of tasks.
    pub(crate) tasks: usize,
    /// Methods with a finished run on every task.
    pub(crate) rows: Vec<NormalisedRow>,
    /// Methods that lack a run on some task.
    pub(crate) without: Vec<String>,
}

/// One method over all tasks.
pub(crate) struct NormalisedRow {
    pub(crate) method: String,
    /// Normalised scores by task, with their seeds.
    pub(crate) scores: Vec<Vec<Score>>,
    pub(crate) iqm: Printed,
}

impl NormalisedRow {
    /// The scores as statistics take them.
    pub(crate) fn to_scores(&self) -> Result<Scores, ReportError> {
        let tasks: Vec<Vec<f64>> = self.scores.iter().map(|scores| values(scores)).collect();
        Scores::new(&tasks).map_err(ReportError::statistics)
    }

    pub(crate) fn cells(&self) -> Vec<CellId> {
        self.scores
            .iter()
            .flat_map(|scores| cells(scores))
            .collect()
    }
}

/// A measure of every run, by task and method.
pub(super) fn by_task(
    board: &Board<'_>,
    measure: &Measure,
) -> Result<Vec<TaskScores>, ReportError> {
    let series = board.series(measure.metric)?;
    let scaled = |value: f64| value * measure.factor;
    let bootstrap = table_bootstrap()?;
    let mut tasks = Vec::new();
    for (task, name) in board.tasks.iter().enumerate() {
        let mut estimates = Vec::new();
        let mut firsts = Vec::new();
        for method in 0..board.methods.len() {
            let scores = board.scores(&series, (task, method), |run| {
                taken(run, measure.taken).map(scaled)
            });
            estimates.push((iqm(&values(&scores), &bootstrap)?, scores));
            let begins = board.scores(&series, (task, method), |run| first(run).map(scaled));
            firsts.extend(values(&begins));
        }
        let shown = estimates
            .iter()
            .filter_map(|(estimate, _)| *estimate)
            .map(|estimate: Estimate| estimate.value);
        let decimals = measure.decimals.unwrap_or_else(|| decimals(shown));
        let rows = estimates
            .into_iter()
            .enumerate()
            .map(|(method, (estimate, scores))| MethodScores {
                method: board.methods[method].clone(),
                scores,
                planned: board.planned(task, method),
                iqm: estimate.map(|estimate| Printed::new(estimate, decimals)),
            });
        let rows = rows.filter(|row| row.planned > 0).collect();
        let first = (!firsts.is_empty()).then(|| mean(&firsts));
        tasks.push(TaskScores {
            task: name.clone(),
            rows,
            decimals,
            first,
        });
    }
    Ok(tasks)
}

/// The number of one run; `None` where it has none there.
fn taken(series: &Series, taken: Taken) -> Option<f64> {
    match taken {
        Taken::Last => last(series),
        Taken::Start => at_start(series),
        Taken::Throughout if series.is_empty() => None,
        Taken::Throughout => {
            let means: Vec<f64> = series.iter().map(|(_, values)| mean(values)).collect();
            Some(mean(&means))
        }
    }
}

/// Normalised scores of every method that has a run on every task; or why there are none.
pub(super) fn normalise(
    board: &Board<'_>,
    tasks: &[TaskScores],
) -> Result<Result<Normalised, String>, ReportError> {
    if !board.domain().normalises() {
        return Ok(Err("scores of this suite are not normalised".into()));
    }
    let Some(baseline) = board.methods.first() else {
        return Ok(Err("no cell is finished".into()));
    };
    let mut ranges = Vec::new();
    for task in tasks {
        match range(task, baseline) {
            Ok(range) => ranges.push(range),
            Err(reason) => return Ok(Err(reason)),
        }
    }
    if ranges.is_empty() {
        return Ok(Err("no cell is finished".into()));
    }
    let bootstrap = table_bootstrap()?;
    let (mut rows, mut without) = (Vec::new(), Vec::new());
    for method in &board.methods {
        let Some(scores) = scores_over(tasks, &ranges, method) else {
            without.push(method.clone());
            continue;
        };
        let numbers: Vec<Vec<f64>> = scores.iter().map(|scores| values(scores)).collect();
        let numbers = Scores::new(&numbers).map_err(ReportError::statistics)?;
        let estimate = aggregate::intervals(&numbers, 1.0, &bootstrap).iqm;
        rows.push(NormalisedRow {
            method: method.clone(),
            scores,
            iqm: Printed::new(estimate, 2),
        });
    }
    Ok(Ok(Normalised {
        baseline: baseline.clone(),
        tasks: tasks.len(),
        rows,
        without,
    }))
}

/// The returns on a task that count as 0 and 1.
fn range(task: &TaskScores, baseline: &str) -> Result<(f64, f64), String> {
    let runs = task
        .rows
        .iter()
        .find(|row| row.method == baseline)
        .map(|row| values(&row.scores));
    match (task.first, runs) {
        (Some(low), Some(runs)) if !runs.is_empty() => {
            let high = mean(&runs);
            if high > low {
                Ok((low, high))
            } else {
                Err(format!(
                    "on {} {baseline} ends no better than runs begin, so that no scale is defined",
                    task.task
                ))
            }
        }
        _ => Err(format!(
            "{baseline}, which sets the scale, has no finished run on {}",
            task.task
        )),
    }
}

/// A method's scores on every task; `None` where one is missing.
fn scores_over(
    tasks: &[TaskScores],
    ranges: &[(f64, f64)],
    method: &str,
) -> Option<Vec<Vec<Score>>> {
    let mut all = Vec::new();
    for (task, (low, high)) in tasks.iter().zip(ranges) {
        let row = task.rows.iter().find(|row| row.method == method)?;
        if row.scores.is_empty() {
            return None;
        }
        let normalised = row.scores.iter().map(|score| Score {
            value: (score.value - low) / (high - low),
            ..score.clone()
        });
        all.push(normalised.collect());
    }
    Some(all)
}
