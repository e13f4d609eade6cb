//! Curves over training: IQM over runs at each step, with its interval.

use std::collections::BTreeMap;

use era_stats::Estimate;

use super::{curve_bootstrap, iqm};
use crate::board::{Board, mean};
use crate::error::ReportError;
use crate::frame::Series;

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
    of_series(board, &board.series(metric)?)
}

/// The same for a metric of every update, of which there may be more than a figure can show: each run's values are first
/// averaged over so many updates that at most `most` points are left. Also how many updates that are, 1 where they are few.
pub(crate) fn smoothed(
    board: &Board<'_>,
    metric: &str,
    most: u64,
) -> Result<(Vec<Vec<Curve>>, u64), ReportError> {
    let series = board.series(metric)?;
    let steps = series.iter().flatten().map(|(step, _)| *step);
    let window = steps.max().unwrap_or(0).div_ceil(most.max(1)).max(1);
    let series: Vec<Series> = series.iter().map(|run| averaged(run, window)).collect();
    Ok((of_series(board, &series)?, window))
}

/// Means over windows of so many steps, each at its window's last step: 1 to `window`, and so on. Step 0 is alone.
fn averaged(series: &Series, window: u64) -> Series {
    let mut windows: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for (step, values) in series {
        let end = step.div_ceil(window) * window;
        windows.entry(end).or_default().push(mean(values));
    }
    // The last window may be cut short by the end of the run.
    let last = series.last().map_or(0, |(step, _)| *step);
    let windows = windows.into_iter();
    windows
        .map(|(end, values)| (end.min(last), vec![mean(&values)]))
        .collect()
}

fn of_series(board: &Board<'_>, series: &[Series]) -> Result<Vec<Vec<Curve>>, ReportError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_end_where_the_run_ends() {
        let series: Series = (0..=5).map(|step| (step, vec![step as f64])).collect();
        let of = |window| -> Vec<(u64, f64)> {
            let windows = averaged(&series, window).into_iter();
            windows.map(|(step, values)| (step, values[0])).collect()
        };
        assert_eq!(of(2), [(0, 0.0), (2, 1.5), (4, 3.5), (5, 5.0)]);
        assert_eq!(of(1).len(), 6);
        assert_eq!(of(10), [(0, 0.0), (5, 3.0)]);
        assert!(averaged(&Series::new(), 3).is_empty());
    }
}
