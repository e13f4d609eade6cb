//! The numbers of runs that claims are judged by.

use std::collections::BTreeMap;

use super::file::{Moment, Test};
use crate::board::{at_start, first, last, mean};
use crate::frame::Series;
use crate::records::FinishedRun;

/// One metric of a run: at each step, ascending, its values by index.
pub(super) fn series(run: &FinishedRun, metric: &str) -> Series {
    let mut steps: BTreeMap<u64, BTreeMap<u32, f64>> = BTreeMap::new();
    for row in run.rows.iter().filter(|row| row.metric == metric) {
        steps
            .entry(row.step)
            .or_default()
            .insert(row.index, row.value);
    }
    let steps = steps.into_iter();
    steps
        .map(|(step, values)| (step, values.into_values().collect()))
        .collect()
}

/// The number of a run that a test compares; `None` where it was not recorded.
pub(super) fn of_run(run: &FinishedRun, metric: &str, test: &Test) -> Option<f64> {
    let taken = |metric: &str| taken(&series(run, metric), test.taken);
    let less = match &test.less {
        Some(other) => taken(&other.value)?,
        None => 0.0,
    };
    Some((taken(metric)? - less) * test.factor)
}

fn taken(series: &Series, moment: Moment) -> Option<f64> {
    match moment {
        Moment::Last => last(series),
        Moment::Throughout if series.is_empty() => None,
        Moment::Throughout => {
            let means: Vec<f64> = series.iter().map(|(_, values)| mean(values)).collect();
            Some(mean(&means))
        }
        Moment::Kept => at_start(series)
            .filter(|start| *start != 0.0)
            .and_then(|start| Some(last(series)? / start)),
    }
}

/// The number at every evaluation of a run, all values of a series apart; what is taken off is its mean at the same step. Empty where
/// it was not recorded.
pub(super) fn at_every_step(run: &FinishedRun, metric: &str, test: &Test) -> Vec<f64> {
    let less: Option<BTreeMap<u64, f64>> = test.less.as_ref().map(|other| {
        let other = series(run, &other.value);
        other
            .iter()
            .map(|(step, values)| (*step, mean(values)))
            .collect()
    });
    let mut all = Vec::new();
    for (step, values) in series(run, metric) {
        let less = match &less {
            Some(less) => less.get(&step).copied(),
            None => Some(0.0),
        };
        if let Some(less) = less {
            all.extend(values.iter().map(|value| (value - less) * test.factor));
        }
    }
    all
}

/// What counts as 0 and as 1 on a task: the mean of all these runs at their first evaluation, and that of the baseline's at its last.
/// `None` where the baseline ends no better than runs begin.
pub(super) fn scale<'r>(
    of: impl Iterator<Item = &'r FinishedRun>,
    against: impl Iterator<Item = &'r FinishedRun>,
    metric: &str,
) -> Option<(f64, f64)> {
    let against: Vec<Series> = against.map(|run| series(run, metric)).collect();
    let ends: Vec<f64> = against.iter().filter_map(last).collect();
    let begins = of
        .map(|run| series(run, metric))
        .chain(against.iter().cloned());
    let begins: Vec<f64> = begins.filter_map(|series| first(&series)).collect();
    if ends.is_empty() || begins.is_empty() {
        return None;
    }
    let (low, high) = (mean(&begins), mean(&ends));
    (high > low).then_some((low, high))
}
