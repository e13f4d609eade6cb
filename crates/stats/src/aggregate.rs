//! Aggregates over all runs and tasks: interquartile mean, mean, median, optimality gap.

use crate::bootstrap::{Bootstrap, Estimate, resample};
use crate::scores::Scores;

/// One value for each aggregate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Aggregates<T> {
    /// Interquartile mean: the mean of the middle half of all runs of all tasks.
    pub iqm: T,
    /// Mean over tasks of the mean over runs.
    pub mean: T,
    /// Median over tasks of the mean over runs.
    pub median: T,
    /// How far runs stay below the score γ on average; what lies above γ does not count. Smaller is better.
    pub optimality_gap: T,
}

impl<T: Copy> Aggregates<T> {
    /// The values in rliable's order: IQM, mean, median, optimality gap.
    pub fn to_array(self) -> [T; 4] {
        [self.iqm, self.mean, self.median, self.optimality_gap]
    }
}

impl<T> From<[T; 4]> for Aggregates<T> {
    fn from([iqm, mean, median, optimality_gap]: [T; 4]) -> Self {
        Self {
            iqm,
            mean,
            median,
            optimality_gap,
        }
    }
}

/// The aggregates of `scores`; `gamma` is the score that the optimality gap is measured from (rliable's default: 1,
/// for normalised scores).
///
/// The interquartile mean leaves out the lowest and the highest ⌊N/4⌋ of N runs, as rliable (`scipy.stats.trim_mean`)
/// does. Where tasks have different numbers of runs, each run counts [`Scores::weight`] times.
pub fn values(scores: &Scores, gamma: f64) -> Aggregates<f64> {
    let aggregator = Aggregator::new(scores, gamma);
    aggregator
        .of(&identity(scores), &mut aggregator.workspace())
        .into()
}

/// [`values`] with their stratified bootstrap intervals.
pub fn intervals(scores: &Scores, gamma: f64, bootstrap: &Bootstrap) -> Aggregates<Estimate> {
    let values = values(scores, gamma).to_array();
    if scores.fewest_runs() < 2 {
        return values
            .map(|value| Estimate {
                value,
                interval: None,
            })
            .into();
    }
    let aggregator = Aggregator::new(scores, gamma);
    let intervals = bootstrap.intervals(
        values.len(),
        || (identity(scores), aggregator.workspace()),
        |(drawn, workspace), rng, row| {
            resample(scores, rng, drawn);
            row.copy_from_slice(&aggregator.of(drawn, workspace));
        },
    );
    estimates(values, &intervals)
}

/// Joins values with their intervals, in the same order.
pub(crate) fn estimates(values: [f64; 4], intervals: &[crate::Interval]) -> Aggregates<Estimate> {
    std::array::from_fn(|at| Estimate {
        value: values[at],
        interval: intervals.get(at).copied(),
    })
    .into()
}

/// The resample that is the scores themselves.
pub(crate) fn identity(scores: &Scores) -> Vec<u32> {
    (0..scores.values().len() as u32).collect()
}

/// Computes all aggregates of a resample in one pass, without sorting it: the scores are sorted once, a resample
/// only counts how often each rank was drawn.
pub(crate) struct Aggregator<'a> {
    scores: &'a Scores,
    gamma: f64,
    /// All scores, ascending.
    sorted: Vec<f64>,
    /// Where each score stands in `sorted`.
    rank: Vec<u32>,
}

/// What an [`Aggregator`] reuses between resamples.
pub(crate) struct Workspace {
    /// Weight drawn, by rank.
    counts: Vec<u64>,
    /// Mean over runs, by task.
    means: Vec<f64>,
}

impl<'a> Aggregator<'a> {
    pub(crate) fn new(scores: &'a Scores, gamma: f64) -> Self {
        let values = scores.values();
        let mut order = identity(scores);
        order.sort_by(|&a, &b| values[a as usize].total_cmp(&values[b as usize]));
        let mut rank = vec![0; values.len()];
        for (at, &position) in order.iter().enumerate() {
            rank[position as usize] = at as u32;
        }
        Self {
            scores,
            gamma,
            sorted: order
                .iter()
                .map(|&position| values[position as usize])
                .collect(),
            rank,
        }
    }

    pub(crate) fn workspace(&self) -> Workspace {
        Workspace {
            counts: vec![0; self.sorted.len()],
            means: vec![0.0; self.scores.tasks()],
        }
    }

    /// The aggregates of the runs at the positions `drawn`, in the order of [`Aggregates::to_array`].
    pub(crate) fn of(&self, drawn: &[u32], workspace: &mut Workspace) -> [f64; 4] {
        let Workspace { counts, means } = workspace;
        counts.fill(0);
        let mut capped_mean = 0.0;
        for (task, range) in self.scores.ranges().enumerate() {
            let (runs, weight) = (range.len() as f64, self.scores.weight(task));
            let (mut sum, mut capped) = (0.0, 0.0);
            for &position in &drawn[range] {
                let score = self.scores.values()[position as usize];
                sum += score;
                capped += score.min(self.gamma);
                counts[self.rank[position as usize] as usize] += weight;
            }
            means[task] = sum / runs;
            capped_mean += capped / runs;
        }
        let tasks = means.len() as f64;
        let mean = means.iter().sum::<f64>() / tasks;
        [
            self.interquartile_mean(counts),
            mean,
            median(means),
            self.gamma - capped_mean / tasks,
        ]
    }

    /// Walks up the ranks and adds what lies between the cuts; a score that a cut goes through counts in part.
    fn interquartile_mean(&self, counts: &[u64]) -> f64 {
        let total = self.scores.total_weight();
        let (first, last) = (total / 4, total - total / 4);
        let (mut seen, mut sum) = (0, 0.0);
        for (&score, &count) in self.sorted.iter().zip(counts) {
            let kept = (seen + count).min(last).saturating_sub(seen.max(first));
            sum += score * kept as f64;
            seen += count;
        }
        sum / (last - first) as f64
    }
}

/// The median of a slice that is not empty; the mean of the middle two where their number is even. Reorders the slice.
fn median(values: &mut [f64]) -> f64 {
    let even = values.len().is_multiple_of(2);
    let middle = values.len() / 2;
    let (below, &mut upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    match below.iter().copied().max_by(f64::total_cmp) {
        Some(lower) if even => f64::midpoint(lower, upper),
        _ => upper,
    }
}
