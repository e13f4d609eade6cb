//! From the runs of a claim to its verdict.

use era_harness::CellId;
use era_stats::{Bootstrap, Estimate, Interval, Scores, aggregate, difference, improvement, ratio};
use serde::Serialize;
use serde_saphyr::Spanned;

use super::error::{ClaimFault, ClaimProblem};
use super::evidence::{Evidence, Planned};
use super::file::{Compare, Moment, Region, Side, Test};
use super::number;
use super::words::Words;
use crate::analysis::{LEVEL, SEED, TABLE_REPETITIONS};
use crate::error::ReportError;
use crate::records::FinishedRun;

/// What runs say about where a number lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The interval lies where the claim says.
    Holds,
    /// The interval lies outside.
    Fails,
    /// The interval lies on both sides, or there is none.
    Open,
    /// No runs.
    NoRecords,
}

/// One method against one baseline, or one method alone, by one metric.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// What is compared, in words.
    pub what: String,
    /// The tasks that have runs.
    pub tasks: Vec<String>,
    /// Whether it is one of pairs of runs, with the same task and seed.
    pub of_pairs: bool,
    /// Runs, or pairs, that the numbers rest on.
    pub runs: usize,
    /// How many of them the experiments have.
    pub planned: usize,
    /// The estimate, all digits.
    pub value: Option<f64>,
    /// Lower end of the interval.
    pub low: Option<f64>,
    /// Upper end of the interval.
    pub high: Option<f64>,
    /// The estimate with its unit.
    pub estimate: Option<String>,
    /// The ends of the interval.
    pub interval: Option<[String; 2]>,
    /// Whether some task has fewer runs than an interval needs to be more than rough.
    pub few: bool,
    /// What kind of interval that is.
    pub interval_kind: &'static str,
    /// What the interval says.
    pub outcome: Outcome,
    /// The smallest estimate that would have shown the claim with an interval as wide as this one; only where it is open.
    pub smallest: Option<String>,
    /// The cells behind the numbers.
    pub cells: Vec<CellId>,
    /// What has to be said beside it.
    pub notes: Vec<String>,
    /// How far inside the claimed region the interval lies: negative where it reaches out of it.
    #[serde(skip)]
    pub(super) slack: f64,
}

/// Fewer runs than this on a task, and the interval is too narrow: docs/METHODOLOGY.md says by how much.
const FEW: usize = 5;
/// Fewer runs than this over all tasks decide nothing.
const FEWEST: usize = 3;

/// Pairs of numbers on one task; without a baseline the second is 0.
#[derive(Default)]
struct Numbers {
    task: String,
    of: Vec<f64>,
    against: Vec<f64>,
    cells: Vec<CellId>,
}

/// What can be wrong while a claim is judged.
pub(super) enum Failure {
    /// The claim.
    Problem(Box<ClaimProblem>),
    /// Anything else.
    Report(ReportError),
}

impl From<Box<ClaimProblem>> for Failure {
    fn from(problem: Box<ClaimProblem>) -> Self {
        Self::Problem(problem)
    }
}

impl From<ReportError> for Failure {
    fn from(error: ReportError) -> Self {
        Self::Report(error)
    }
}

/// All comparisons of a test: each method with each baseline by each metric. Their intervals hold together at 95 %: each has the level
/// of Bonferroni's correction.
pub(super) fn comparisons(
    test: &Test,
    evidence: &Evidence<'_>,
) -> Result<Vec<Comparison>, Failure> {
    let metrics: Vec<Option<&Spanned<String>>> = match test.metrics.as_slice() {
        [] => vec![None],
        metrics => metrics.iter().map(Some).collect(),
    };
    let baselines: Vec<Option<&Spanned<Side>>> = match test.against.as_slice() {
        [] => vec![None],
        sides => sides.iter().map(Some).collect(),
    };
    let number = test.of.len() * baselines.len() * metrics.len();
    let level = 1.0 - (1.0 - LEVEL) / number as f64;
    let bootstrap =
        Bootstrap::new(TABLE_REPETITIONS, level, SEED).map_err(ReportError::statistics)?;
    let mut all = Vec::with_capacity(number);
    for of in &test.of {
        for &against in &baselines {
            for &metric in &metrics {
                let judge = Judge {
                    test,
                    evidence,
                    bootstrap: &bootstrap,
                    of,
                    against,
                    metric,
                };
                all.push(judge.comparison()?);
            }
        }
    }
    Ok(all)
}

/// One comparison that is being made.
struct Judge<'a> {
    test: &'a Test,
    evidence: &'a Evidence<'a>,
    bootstrap: &'a Bootstrap,
    of: &'a Spanned<Side>,
    against: Option<&'a Spanned<Side>>,
    metric: Option<&'a Spanned<String>>,
}

/// A finished run, and the one of the baseline.
type Pair<'a> = (&'a FinishedRun, Option<&'a FinishedRun>);

impl Judge<'_> {
    fn comparison(&self) -> Result<Comparison, Failure> {
        let plan = self.evidence.plan(self.test, self.of, self.against)?;
        let mut notes = self.faults(&plan);
        let mut numbers = Vec::new();
        let mut recorded = 0;
        for planned in &plan {
            let pairs = self.finished(planned, &mut notes);
            recorded += pairs.len();
            numbers.extend(self.numbers(planned.task, &pairs, &mut notes));
        }
        if let Some(metric) = self.metric
            && recorded > 0
            && numbers.is_empty()
            && notes.is_empty()
        {
            return Err(Box::new(self.not_recorded(metric, &plan)).into());
        }
        let planned = plan.iter().map(|planned| planned.pairs.len()).sum();
        let estimate = match numbers.is_empty() {
            true => None,
            false => self.estimate(&numbers, &mut notes)?,
        };
        Ok(self.conclude(&numbers, planned, estimate, notes))
    }

    /// Which of the metrics no run has.
    fn not_recorded(&self, metric: &Spanned<String>, plan: &[Planned<'_>]) -> ClaimProblem {
        let pairs = plan.iter().flat_map(|planned| &planned.pairs);
        let mut runs = pairs.filter_map(|pair| self.evidence.run(pair.of));
        let has = runs.any(|run| !number::series(run, &metric.value).is_empty());
        let missing = self.test.less.as_ref().filter(|_| has).unwrap_or(metric);
        let fault = ClaimFault::NoMetric {
            side: self.of.value.label(),
            metric: missing.value.clone(),
        };
        ClaimProblem::at(fault, missing.referenced)
    }

    /// What went wrong with runs of the comparison, each kind once.
    fn faults(&self, plan: &[Planned<'_>]) -> Vec<String> {
        let pairs = plan.iter().flat_map(|planned| &planned.pairs);
        let cells = pairs.flat_map(|pair| [Some(pair.of), pair.against]);
        let faults = cells.flatten().filter_map(|cell| {
            let reason = self.evidence.fault(cell)?;
            Some(format!("{} is left out: {reason}", cell.id()))
        });
        faults.collect()
    }

    /// The pairs of which both runs are finished; for processor time those alone that can be held against each other.
    fn finished(&self, planned: &Planned<'_>, notes: &mut Vec<String>) -> Vec<Pair<'_>> {
        let mut pairs: Vec<Pair<'_>> = Vec::new();
        for pair in &planned.pairs {
            let against = pair.against.map(|cell| self.evidence.run(cell));
            if let (Some(of), None | Some(Some(_))) = (self.evidence.run(pair.of), against) {
                pairs.push((of, against.flatten()));
            }
        }
        if self.test.compare.value != Compare::Overhead {
            return pairs;
        }
        let all = pairs.len();
        pairs.retain(|(of, against)| against.is_some_and(|against| alike(of, against)));
        if let left_out @ 1.. = all - pairs.len() {
            notes.push(format!(
                "{left_out} of {all} pairs on {} left out: interrupted, or not the same program and machine",
                planned.task
            ));
        }
        pairs
    }

    /// The numbers of one task; `None` where there are none.
    fn numbers(&self, task: &str, pairs: &[Pair<'_>], notes: &mut Vec<String>) -> Option<Numbers> {
        let (zero, one) = match (self.test.normalised, self.metric) {
            (true, Some(metric)) if !pairs.is_empty() => {
                let (of, against) = (
                    pairs.iter().map(|pair| pair.0),
                    pairs.iter().filter_map(|pair| pair.1),
                );
                let Some(scale) = number::scale(of, against, &metric.value) else {
                    notes.push(format!(
                        "on {task} the baseline ends no better than runs begin: no scale is defined"
                    ));
                    return None;
                };
                (scale.0 * self.test.factor, scale.1 * self.test.factor)
            }
            _ => (0.0, 1.0),
        };
        let mut numbers = Numbers {
            task: task.to_owned(),
            ..Numbers::default()
        };
        for (of, against) in pairs {
            let scaled = |value: f64| (value - zero) / (one - zero);
            let Some((own, other)) = self.pair(of, *against) else {
                continue;
            };
            numbers.of.extend(own.iter().copied().map(scaled));
            numbers.against.extend(other.map(scaled));
            numbers.cells.push(of.id.clone());
            numbers
                .cells
                .extend(against.map(|against| against.id.clone()));
        }
        (!numbers.of.is_empty()).then_some(numbers)
    }

    /// The numbers of a run (several where each evaluation counts) and that of its partner.
    fn pair(
        &self,
        of: &FinishedRun,
        against: Option<&FinishedRun>,
    ) -> Option<(Vec<f64>, Option<f64>)> {
        let Some(metric) = self.metric else {
            let against = against?.record.cpu_seconds;
            // A run too short to be measured.
            let more = (against > 0.0).then(|| 100.0 * (of.record.cpu_seconds / against - 1.0));
            return Some((vec![more?], None));
        };
        if self.test.compare.value == Compare::Every {
            let all = number::at_every_step(of, &metric.value, self.test);
            return (!all.is_empty()).then_some((all, None));
        }
        let own = number::of_run(of, &metric.value, self.test)?;
        match against {
            Some(against) => {
                let other = number::of_run(against, &metric.value, self.test)?;
                Some((vec![own], Some(other)))
            }
            None => Some((vec![own], None)),
        }
    }

    fn estimate(
        &self,
        numbers: &[Numbers],
        notes: &mut Vec<String>,
    ) -> Result<Option<Estimate>, ReportError> {
        let scores = |pick: fn(&Numbers) -> &Vec<f64>| {
            let tasks: Vec<&Vec<f64>> = numbers.iter().map(pick).collect();
            Scores::new(&tasks).map_err(ReportError::statistics)
        };
        let of = scores(|numbers| &numbers.of)?;
        let against = || scores(|numbers| &numbers.against);
        let estimate = match self.test.compare.value {
            Compare::Value | Compare::Overhead => {
                aggregate::intervals(&of, 1.0, self.bootstrap).iqm
            }
            Compare::Every => return Ok(Some(self.worst(of.values()))),
            Compare::Difference => {
                difference::paired(&of, &against()?, 1.0, self.bootstrap)
                    .map_err(ReportError::statistics)?
                    .iqm
            }
            Compare::Improvement => improvement::probability(&of, &against()?, self.bootstrap)
                .map_err(ReportError::statistics)?,
            Compare::Ratio => match ratio::paired(&of, &against()?, self.bootstrap) {
                Ok(estimate) => estimate,
                Err(error) => {
                    notes.push(error.to_string());
                    return Ok(None);
                }
            },
        };
        Ok(Some(estimate))
    }

    /// The value that is farthest from what is claimed, with the range of all.
    fn worst(&self, values: &[f64]) -> Estimate {
        let region = self.test.region();
        let range = values.iter().fold(
            Interval {
                low: f64::INFINITY,
                high: f64::NEG_INFINITY,
            },
            |range, value| Interval {
                low: range.low.min(*value),
                high: range.high.max(*value),
            },
        );
        let value = if range.low - region.low < region.high - range.high {
            range.low
        } else {
            range.high
        };
        Estimate {
            value,
            interval: Some(range),
        }
    }

    fn conclude(
        &self,
        numbers: &[Numbers],
        planned: usize,
        estimate: Option<Estimate>,
        mut notes: Vec<String>,
    ) -> Comparison {
        let (test, region) = (self.test, self.test.region());
        let every = test.compare.value == Compare::Every;
        let words = Words::of(test);
        let interval = estimate.and_then(|estimate| estimate.interval);
        let runs = match test.compare.value {
            Compare::Value | Compare::Every => numbers.iter().map(|each| each.cells.len()).sum(),
            _ => numbers.iter().map(|each| each.cells.len() / 2).sum(),
        };
        let fewest = numbers.iter().map(|each| each.of.len()).min().unwrap_or(0);
        let (outcome, note) = match estimate {
            _ if numbers.is_empty() => (Outcome::NoRecords, None),
            Some(Estimate { interval, .. }) => reading(interval, region, every, (runs, fewest)),
            None => (Outcome::Open, None),
        };
        notes.extend(note);
        let smallest = match (outcome, estimate, interval) {
            (Outcome::Open, Some(estimate), Some(interval)) if runs >= FEWEST => {
                Some(words.smallest(estimate.value, interval, region))
            }
            _ => None,
        };
        Comparison {
            what: self.what(),
            tasks: numbers.iter().map(|each| each.task.clone()).collect(),
            of_pairs: test.compare.value.of_pairs(),
            runs,
            planned,
            value: estimate.map(|estimate| estimate.value),
            low: interval.map(|interval| interval.low),
            high: interval.map(|interval| interval.high),
            estimate: estimate.map(|estimate| words.with_unit(estimate.value)),
            interval: interval
                .map(|interval| [words.number(interval.low), words.number(interval.high)]),
            few: !every && fewest < FEW,
            interval_kind: if every { "range" } else { "bootstrap" },
            outcome,
            smallest,
            cells: numbers.iter().flat_map(|each| each.cells.clone()).collect(),
            notes,
            slack: interval.map_or(f64::NEG_INFINITY, |interval| {
                (interval.low - region.low).min(region.high - interval.high)
            }),
        }
    }

    /// What is compared, in words.
    fn what(&self) -> String {
        let of = self.of.value.label();
        let against = self
            .against
            .map(|side| side.value.label())
            .unwrap_or_default();
        let compared = match self.test.compare.value {
            Compare::Difference => format!("{of} less {against}"),
            Compare::Ratio => format!("{of} over {against}"),
            Compare::Improvement => format!("probability that {of} beats {against}"),
            Compare::Overhead => format!("processor time of {of} beyond that of {against}"),
            Compare::Value => of,
            Compare::Every => format!("{of} at every evaluation"),
        };
        let Some(metric) = self.metric else {
            return compared;
        };
        let less = self.test.less.as_ref();
        let less = less
            .map(|less| format!(" less {}", less.value))
            .unwrap_or_default();
        let scale = if self.test.normalised {
            "normalised "
        } else {
            ""
        };
        let taken = match self.test.taken {
            Moment::Last => "",
            Moment::Throughout => ", mean over training",
            Moment::Kept => ", end over start",
        };
        format!("{compared}: {scale}{}{less}{taken}", metric.value)
    }
}

/// Whether the times of two runs can be held against each other: one program on one machine, without work that was done twice.
fn alike(one: &FinishedRun, other: &FinishedRun) -> bool {
    one.commit == other.commit
        && one.record.machine == other.record.machine
        && one.record.attempts == 1
        && other.record.attempts == 1
}

/// What an interval says, of so many runs in all and so many on the task that has fewest, and what has to be said beside it.
fn reading(
    interval: Option<Interval>,
    region: Region,
    every: bool,
    (runs, fewest): (usize, usize),
) -> (Outcome, Option<String>) {
    let note = match interval {
        Some(interval) if every || runs >= FEWEST => {
            return (outcome(interval, region, every), None);
        }
        Some(_) => format!("fewer than {FEWEST} runs decide nothing"),
        None if fewest == 1 => "one run alone has no interval".to_owned(),
        None => "what is divided by may be zero: no interval".to_owned(),
    };
    (Outcome::Open, Some(note))
}

/// Where an interval lies. A range of all that was seen refutes what is claimed of every one by a single value outside, and its margin is
/// allowed; an effect has to be beyond its margin.
fn outcome(interval: Interval, region: Region, every: bool) -> Outcome {
    let inside = match every {
        true => region.low <= interval.low && interval.high <= region.high,
        false => region.low < interval.low && interval.high < region.high,
    };
    let outside = interval.high < region.low || interval.low > region.high;
    match (inside, outside || every) {
        (true, _) => Outcome::Holds,
        (false, true) => Outcome::Fails,
        (false, false) => Outcome::Open,
    }
}
