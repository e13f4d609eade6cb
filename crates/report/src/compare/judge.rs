//! What the runs of one row say: values, the interval of their difference, what follows from it.

use era_stats::margin::{self, Judged, Support, Verdict};
use era_stats::{Bootstrap, Estimate, Interval, Scores, aggregate, difference};
use serde::Serialize;

use super::set::Scored;
use crate::error::ReportError;

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Every run that both sides have is equal bit for bit: nothing to test.
    Identical,
    /// The interval lies wholly above the margin.
    Better,
    /// The interval lies wholly above minus the margin.
    NoWorse,
    /// The runs do not say whether it is worse.
    Undecided,
    /// The interval lies wholly below minus the margin.
    Worse,
    /// One side has nothing to compare; the row's `reason` says what.
    NotCompared,
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Better => Self::Better,
            Verdict::NoWorse => Self::NoWorse,
            Verdict::Undecided => Self::Undecided,
            Verdict::Worse => Self::Worse,
        }
    }
}

/// The runs of two sides on one task that are held against each other.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sides {
    /// Scores now. Where the sides are paired, run by run beside `baseline`.
    pub(crate) now: Vec<f64>,
    pub(crate) baseline: Vec<f64>,
    /// Whether runs are paired by seed.
    pub(crate) paired: bool,
    /// Whether every run with a seed that both have is equal bit for bit, and there is one.
    pub(crate) identical: bool,
    /// Runs that are left out, as their seed is on one side only.
    pub(crate) unshared: usize,
}

/// Least number of seeds that both sides need for their runs to be paired.
const PAIRS: usize = 2;

impl Sides {
    /// Pairs runs by seed where both sides have two seeds or more in common, or are equal in those that they have; else all
    /// runs of the one are held against all of the other.
    pub(crate) fn new(now: &[&Scored], baseline: &[Scored]) -> Self {
        let partner = |run: &Scored| baseline.iter().find(|other| other.seed == run.seed);
        let pairs: Vec<(&Scored, &Scored)> = now
            .iter()
            .filter_map(|run| Some((*run, partner(run)?)))
            .collect();
        let equal = |(now, then): &(&Scored, &Scored)| now.metrics_hash == then.metrics_hash;
        let identical = !pairs.is_empty() && pairs.iter().all(equal);
        let all_shared = pairs.len() == now.len() && pairs.len() == baseline.len();
        if pairs.len() >= PAIRS || identical || all_shared {
            return Self {
                now: pairs.iter().map(|(now, _)| now.value).collect(),
                baseline: pairs.iter().map(|(_, then)| then.value).collect(),
                paired: true,
                identical,
                unshared: now.len() + baseline.len() - 2 * pairs.len(),
            };
        }
        Self {
            now: now.iter().map(|run| run.value).collect(),
            baseline: baseline.iter().map(|run| run.value).collect(),
            paired: false,
            identical: false,
            unshared: 0,
        }
    }

    /// The same runs as changes relative to `from`, which is not 0: 0 where a score equals it, -0.1 where it is a tenth below.
    pub(crate) fn relative_to(&self, from: f64) -> Self {
        let relative = |values: &[f64]| {
            values
                .iter()
                .map(|value| (value - from) / from.abs())
                .collect()
        };
        Self {
            now: relative(&self.now),
            baseline: relative(&self.baseline),
            ..self.clone()
        }
    }
}

/// The IQM of the runs of one task, which are not none.
pub(crate) fn iqm(values: &[f64]) -> Result<f64, ReportError> {
    let scores = Scores::new(&[values]).map_err(ReportError::statistics)?;
    Ok(aggregate::values(&scores, 1.0).iqm)
}

/// A difference that is not judged yet: how many there are decides the level of each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Difference {
    estimate: Estimate,
    support: Support,
    paired: bool,
}

impl Difference {
    /// IQM of now minus IQM of the baseline over the runs of some tasks, in the unit of the scores. Paired where every task is.
    pub(crate) fn new(tasks: &[Sides], bootstrap: &Bootstrap) -> Result<Self, ReportError> {
        let paired = tasks.iter().all(|sides| sides.paired);
        let scores = |pick: fn(&Sides) -> &Vec<f64>| {
            let values: Vec<&Vec<f64>> = tasks.iter().map(pick).collect();
            Scores::new(&values).map_err(ReportError::statistics)
        };
        let (now, baseline) = (
            scores(|sides| &sides.now)?,
            scores(|sides| &sides.baseline)?,
        );
        let (estimates, support) = match paired {
            true => (
                difference::paired(&now, &baseline, 1.0, bootstrap),
                Support {
                    runs: now.values().len(),
                    strata: tasks.len(),
                },
            ),
            false => (
                difference::unpaired(&now, &baseline, 1.0, bootstrap),
                Support {
                    runs: now.values().len().min(baseline.values().len()),
                    strata: tasks.len(),
                },
            ),
        };
        Ok(Self {
            estimate: estimates.map_err(ReportError::statistics)?.iqm,
            support,
            paired,
        })
    }

    /// The same as a share of `from`, which is not 0.
    pub(crate) fn relative_to(self, from: f64) -> Self {
        let share = |value: f64| value / from.abs();
        let interval = self.estimate.interval.map(|interval| Interval {
            low: share(interval.low),
            high: share(interval.high),
        });
        let value = share(self.estimate.value);
        Self {
            estimate: Estimate { value, interval },
            ..self
        }
    }

    /// Whether there is enough to make an interval of, so that something can follow.
    pub(crate) fn is_test(&self) -> bool {
        self.estimate.interval.is_some() && self.support.suffices()
    }

    /// Holds it against a margin, as one of `tests`.
    pub(crate) fn judge(&self, margin: f64, tests: usize) -> (Change, Outcome) {
        let Judged {
            value,
            interval,
            verdict,
            detectable,
        } = margin::judge(self.estimate, self.support, margin, tests);
        let change = Change {
            value,
            low: interval.map(|interval| interval.low),
            high: interval.map(|interval| interval.high),
            detectable,
            paired: self.paired,
        };
        (change, verdict.into())
    }
}

/// A change relative to the baseline's IQM: 0.1 is a tenth above it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The change of the IQM.
    pub value: f64,
    /// Lower end of its interval, at the level of [`Comparison::level`](super::Comparison::level); none where there is no spread to make
    /// one from.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// The smallest true loss that these runs would have shown to be worse than the margin four times in five.
    pub detectable: Option<f64>,
    /// Whether runs were paired by seed.
    pub paired: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(seed: u64, value: f64, hash: char) -> Scored {
        Scored {
            seed,
            value,
            metrics_hash: hash.to_string().repeat(64),
            commit: String::new(),
            cpu: String::new(),
        }
    }

    fn sides(now: &[Scored], baseline: &[Scored]) -> Sides {
        Sides::new(&now.iter().collect::<Vec<_>>(), baseline)
    }

    #[test]
    fn runs_are_paired_by_seed_where_two_seeds_are_shared() {
        let now = [run(1, 1.0, 'a'), run(2, 2.0, 'b'), run(9, 9.0, 'c')];
        let then = [run(2, 20.0, 'd'), run(1, 10.0, 'e')];
        let found = sides(&now, &then);
        assert!(found.paired && !found.identical);
        assert_eq!(
            (found.now, found.baseline),
            (vec![1.0, 2.0], vec![10.0, 20.0])
        );
        assert_eq!(found.unshared, 1);
        let apart = sides(&now, &[run(2, 20.0, 'd'), run(3, 30.0, 'e')]);
        assert!(!apart.paired);
        assert_eq!((apart.now.len(), apart.baseline.len()), (3, 2));
    }

    #[test]
    fn identical_is_about_all_rows_and_not_the_score() {
        let now = [run(0, 1.0, 'a'), run(1, 2.0, 'b')];
        assert!(sides(&now, &now).identical);
        assert!(
            sides(&now[..1], &now).identical,
            "some seeds were not run again"
        );
        assert!(!sides(&now, &[run(0, 1.0, 'a'), run(1, 2.0, 'c')]).identical);
        assert!(!sides(&now, &[run(5, 1.0, 'a')]).identical);
    }

    #[test]
    fn losses_of_negative_scores_are_losses() {
        let then: Vec<Scored> = (0..5)
            .map(|seed| run(seed, -100.0 - seed as f64, 'a'))
            .collect();
        let now: Vec<Scored> = then
            .iter()
            .map(|then| run(then.seed, then.value * 1.3, 'b'))
            .collect();
        let sides = sides(&now, &then);
        let from = iqm(&sides.baseline).unwrap();
        let bootstrap = Bootstrap::new(2000, margin::LEVEL, 0).unwrap();
        let difference = Difference::new(std::slice::from_ref(&sides), &bootstrap).unwrap();
        let (change, outcome) = difference.relative_to(from).judge(0.05, 1);
        assert!((change.value + 0.3).abs() < 1e-9, "{change:?}");
        assert_eq!(outcome, Outcome::Worse);
        // The same through scores that are relative already.
        let relative = Difference::new(&[sides.relative_to(from)], &bootstrap).unwrap();
        let (again, _) = relative.judge(0.05, 1);
        assert!((again.value - change.value).abs() < 1e-9);
        assert!((again.high.unwrap() - change.high.unwrap()).abs() < 1e-9);
    }

    #[test]
    fn one_run_a_side_decides_nothing() {
        let (now, then) = ([run(0, 1.0, 'a')], [run(0, 90.0, 'b')]);
        let bootstrap = Bootstrap::default();
        let difference = Difference::new(&[sides(&now, &then)], &bootstrap).unwrap();
        assert!(!difference.is_test());
        assert_eq!(difference.judge(0.05, 1).1, Outcome::Undecided);
    }
}
