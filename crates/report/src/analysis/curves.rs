//! Curves over training: IQM over runs at each step, with its interval.

use std::collections::BTreeMap;

use era_stats::Estimate;

use super::{curve_bootstrap, iqm};
use crate::board::{Board, mean};
use crate::error::ReportError;

/// One method's curve on one task.
pub(crate) struct Curve {
    /// Position of the method on the board; it decides the colour.
    pub(crate) method: usize,
    pub(crate) points: Vec<Point>,
    /// Most runs at any point.
    pub(crate) runs: usize,
}

/// One step of a curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) step: u64,
    pub(crate) estimate: Estimate,
}

/// The curves of a metric (its mean where it is a series), by task of the board, one for each method that recorded it.
pub(crate) fn curves(board: &Board<'_>, metric: &str) -> Result<Vec<Vec<Curve>>, ReportError> {
    let series = board.series(metric)?;
    let bootstrap = curve_bootstrap()?;
    let mut tasks = Vec::new();
    for task in 0..board.tasks.len() {
        let mut curves = Vec::new();
        for method in 0..board.methods.len() {
            let mut by_step: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
            for (step, values) in board.runs_of(task, method).flat_map(|run| &series[run]) {
                by_step.entry(*step).or_default().push(mean(values));
            }
            let mut points = Vec::new();
            for (step, values) in &by_step {
                points.extend(iqm(values, &bootstrap)?.map(|estimate| Point {
                    step: *step,
                    estimate,
                }));
            }
            let runs = by_step.values().map(Vec::len).max().unwrap_or(0);
            if !points.is_empty() {
                curves.push(Curve {
                    method,
                    points,
                    runs,
                });
            }
        }
        tasks.push(curves);
    }
    Ok(tasks)
}
