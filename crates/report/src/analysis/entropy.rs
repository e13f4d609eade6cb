//! Entropy of policies or predictions against a method's target.

use era_harness::CellId;

use crate::board::{Board, last, mean};
use crate::error::ReportError;
use crate::frame::Series;
use crate::number::{fixed, per_cent};

/// One task: the methods that recorded an entropy.
pub(crate) struct TaskEntropy {
    pub(crate) task: String,
    pub(crate) rows: Vec<EntropyRow>,
}

/// One method on one task, in nats.
pub(crate) struct EntropyRow {
    pub(crate) method: String,
    pub(crate) cells: Vec<CellId>,
    /// Lowest and highest target; `None` for a method without one.
    pub(crate) bound: Option<(f64, f64)>,
    /// Mean over runs of the mean entropy at the last evaluation.
    pub(crate) mean: f64,
    /// Lowest entropy of any state or prediction in any evaluation of any run, or in the last one of any run, as the
    /// domain has it; `None` where it was not recorded.
    pub(crate) lowest: Option<f64>,
    /// Share of them below the bound, mean over the same evaluations; `None` without a bound.
    pub(crate) violations: Option<f64>,
    /// Share of standard deviations, over states and dimensions, at the smallest one allowed, mean over all evaluations
    /// of all runs; `None` where it was not recorded.
    pub(crate) clipped: Option<f64>,
    /// Mean over runs of the compensation at the last evaluation; `None` for a method without one.
    pub(crate) delta: Option<f64>,
}

impl EntropyRow {
    /// The bound as printed; a range where it moved.
    pub(crate) fn bound_text(&self) -> Option<String> {
        let (low, high) = self
            .bound
            .map(|(low, high)| (fixed(low, 2), fixed(high, 2)))?;
        Some(if low == high {
            low
        } else {
            format!("{low} to {high}")
        })
    }

    pub(crate) fn mean_text(&self) -> String {
        fixed(self.mean, 2)
    }

    pub(crate) fn lowest_text(&self) -> Option<String> {
        self.lowest.map(|lowest| fixed(lowest, 2))
    }

    pub(crate) fn violations_text(&self) -> Option<String> {
        self.violations.map(per_cent)
    }

    pub(crate) fn clipped_text(&self) -> Option<String> {
        self.clipped.map(per_cent)
    }

    pub(crate) fn delta_text(&self) -> Option<String> {
        self.delta.map(|delta| fixed(delta, 2))
    }
}

pub(super) fn by_task(board: &Board<'_>) -> Result<Vec<TaskEntropy>, ReportError> {
    let Some(metrics) = board.domain().entropy() else {
        return Ok(Vec::new());
    };
    let of_some = |metric: Option<&str>| match metric {
        Some(metric) => board.series(metric),
        None => Ok(vec![Series::new(); board.runs.len()]),
    };
    let of_mean = board.series(metrics.mean)?;
    let of_min = board.series(metrics.lowest)?;
    let of_bound = board.series(metrics.bound)?;
    let of_violations = board.series(metrics.violations)?;
    let of_clipped = of_some(metrics.clipped)?;
    let of_delta = of_some(metrics.delta)?;
    let mut tasks = Vec::new();
    for (task, name) in board.tasks.iter().enumerate() {
        let mut rows = Vec::new();
        for (method, label) in board.methods.iter().enumerate() {
            let ends = board.scores(&of_mean, (task, method), last);
            if ends.is_empty() {
                continue;
            }
            let all = |series: &[Series]| -> Vec<f64> {
                let evaluations = |run: usize| match series[run].as_slice() {
                    [.., last] if !metrics.all_training => std::slice::from_ref(last),
                    all => all,
                };
                let runs = board.runs_of(task, method);
                runs.flat_map(|run| evaluations(run).iter().flat_map(|(_, values)| values))
                    .copied()
                    .collect()
            };
            let deltas = super::values(&board.scores(&of_delta, (task, method), last));
            rows.push(EntropyRow {
                method: label.clone(),
                mean: mean(&super::values(&ends)),
                cells: super::cells(&ends),
                bound: extremes(&all(&of_bound)),
                lowest: extremes(&all(&of_min)).map(|(lowest, _)| lowest),
                violations: mean_of_some(&all(&of_violations)),
                clipped: mean_of_some(&all(&of_clipped)),
                delta: mean_of_some(&deltas),
            });
        }
        if !rows.is_empty() {
            tasks.push(TaskEntropy {
                task: name.clone(),
                rows,
            });
        }
    }
    Ok(tasks)
}

fn mean_of_some(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| mean(values))
}

/// Smallest and largest value.
fn extremes(values: &[f64]) -> Option<(f64, f64)> {
    let low = values.iter().copied().reduce(f64::min)?;
    let high = values.iter().copied().reduce(f64::max)?;
    Some((low, high))
}
