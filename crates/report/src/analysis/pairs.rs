//! Pairs of methods: the probability of improvement, and the difference of runs with the same seed.

use era_harness::CellId;
use era_stats::{Bootstrap, Scores, difference, improvement};

use super::{Normalised, TaskScores, cells, table_bootstrap, values};
use crate::board::{Board, Score};
use crate::error::ReportError;
use crate::number::Printed;

/// One method against another, on every task on which both have a finished run.
pub(crate) struct Pair {
    pub(crate) left: String,
    pub(crate) right: String,
    pub(crate) tasks: Vec<Comparison>,
    /// Over all of these tasks, when there are several; the difference is one of normalised scores, where they exist.
    pub(crate) all: Option<Comparison>,
}

/// The numbers of a pair.
pub(crate) struct Comparison {
    /// The task; empty for all tasks.
    pub(crate) task: String,
    /// P(left > right), ties counting half.
    pub(crate) probability: Printed,
    /// IQM of left minus IQM of right over runs paired by seed; `None` without a pair.
    pub(crate) difference: Option<Printed>,
    /// Finished runs of left and right.
    pub(crate) runs: (usize, usize),
    /// Number of pairs.
    pub(crate) paired: usize,
    pub(crate) cells: Vec<CellId>,
}

/// Runs of the two methods on some tasks.
type Sides = Vec<Side>;

/// Runs of the two methods on one task.
type Side = (Vec<Score>, Vec<Score>);

/// Compares each method that has the word `era` in its name with each that does not. A study that has none or nothing
/// else compares its other methods with its first, and so does one with more pairs than its domain shows.
pub(super) fn compare(
    board: &Board<'_>,
    scores: &[TaskScores],
    normalised: &Result<Normalised, String>,
) -> Result<Vec<Pair>, ReportError> {
    let bootstrap = table_bootstrap()?;
    let mut pairs = Vec::new();
    for (left, right) in names(&board.methods, board.domain().most_pairs()) {
        let mut tasks = Vec::new();
        let mut sides = Sides::new();
        for task in scores {
            let of = |method: &str| {
                task.rows
                    .iter()
                    .find(|row| row.method == method)
                    .map(|row| row.scores.clone())
            };
            if let (Some(left), Some(right)) = (of(left), of(right))
                && !left.is_empty()
                && !right.is_empty()
            {
                let side = vec![(left, right)];
                tasks.push(comparison(
                    &task.task,
                    &side,
                    Some((&side, task.decimals)),
                    &bootstrap,
                )?);
                sides.extend(side);
            }
        }
        let scaled = normalised
            .as_ref()
            .ok()
            .and_then(|normalised| normalised_sides(normalised, left, right));
        let scaled = scaled
            .as_ref()
            .filter(|scaled| scaled.len() == sides.len())
            .map(|scaled| (scaled, 2));
        let all = match tasks.len() {
            0 | 1 => None,
            _ => Some(comparison("", &sides, scaled, &bootstrap)?),
        };
        if !tasks.is_empty() {
            pairs.push(Pair {
                left: left.clone(),
                right: right.clone(),
                tasks,
                all,
            });
        }
    }
    Ok(pairs)
}

/// Which method is held against which.
fn names(methods: &[String], most: usize) -> Vec<(&String, &String)> {
    let (era, others): (Vec<&String>, Vec<&String>) =
        methods.iter().partition(|method| is_era(method));
    if era.is_empty() || others.is_empty() || era.len() * others.len() > most {
        return methods
            .iter()
            .skip(1)
            .map(|method| (method, &methods[0]))
            .collect();
    }
    era.iter()
        .flat_map(|left| others.iter().map(|right| (*left, *right)))
        .collect()
}

/// Whether `era` is one of the words of a method's name.
fn is_era(label: &str) -> bool {
    label.split([' ', '-', '_', '/']).any(|word| word == "era")
}

fn normalised_sides(normalised: &Normalised, left: &str, right: &str) -> Option<Sides> {
    let of = |method: &str| {
        normalised
            .rows
            .iter()
            .find(|row| row.method == method)
            .map(|row| row.scores.clone())
    };
    Some(of(left)?.into_iter().zip(of(right)?).collect())
}

fn comparison(
    task: &str,
    sides: &Sides,
    scaled: Option<(&Sides, usize)>,
    bootstrap: &Bootstrap,
) -> Result<Comparison, ReportError> {
    let scores = |pick: fn(&Side) -> &Vec<Score>| {
        let tasks: Vec<Vec<f64>> = sides.iter().map(|side| values(pick(side))).collect();
        Scores::new(&tasks).map_err(ReportError::statistics)
    };
    let (left, right) = (scores(|side| &side.0)?, scores(|side| &side.1)?);
    let probability =
        improvement::probability(&left, &right, bootstrap).map_err(ReportError::statistics)?;
    let difference = match scaled {
        Some((sides, decimals)) => paired_difference(sides, decimals, bootstrap)?,
        None => None,
    };
    Ok(Comparison {
        task: task.to_owned(),
        probability: Printed::new(probability, 2),
        difference,
        runs: (left.values().len(), right.values().len()),
        paired: sides.iter().map(|side| paired(side).0.len()).sum(),
        cells: sides
            .iter()
            .flat_map(|(left, right)| [cells(left), cells(right)].concat())
            .collect(),
    })
}

/// The difference of IQMs over the runs whose seed both have; `None` when a task has no such run.
fn paired_difference(
    sides: &Sides,
    decimals: usize,
    bootstrap: &Bootstrap,
) -> Result<Option<Printed>, ReportError> {
    let (left, right): (Vec<_>, Vec<_>) = sides.iter().map(paired).unzip();
    if left.iter().any(Vec::is_empty) {
        return Ok(None);
    }
    let left = Scores::new(&left).map_err(ReportError::statistics)?;
    let right = Scores::new(&right).map_err(ReportError::statistics)?;
    let estimate = difference::paired(&left, &right, 1.0, bootstrap)
        .map_err(ReportError::statistics)?
        .iqm;
    Ok(Some(Printed::new(estimate, decimals)))
}

/// The runs of both sides that have the same seed, pair by pair.
fn paired((left, right): &Side) -> (Vec<f64>, Vec<f64>) {
    let partner = |score: &Score| right.iter().find(|other| other.seed == score.seed);
    left.iter()
        .filter_map(|score| Some((score.value, partner(score)?.value)))
        .unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn era_is_held_against_what_is_not() {
        let at_most = |most: usize, methods: &[&str]| {
            let methods: Vec<String> = methods.iter().map(ToString::to_string).collect();
            names(&methods, most)
                .iter()
                .map(|(left, right)| format!("{left}>{right}"))
                .collect::<Vec<_>>()
        };
        let names = |methods: &[&str]| at_most(usize::MAX, methods);
        assert_eq!(
            names(&["sac", "sac-era", "operations"]),
            ["sac-era>sac", "sac-era>operations"]
        );
        assert_eq!(names(&["sac", "ppo"]), ["ppo>sac"]);
        assert_eq!(
            names(&["sac-era (k=1)", "sac-era (k=2)"]),
            ["sac-era (k=2)>sac-era (k=1)"]
        );
        assert!(names(&["sac"]).is_empty());
        // Too many to be shown one by one: all against the first.
        let four = ["plain", "dropout", "era", "era-exact"];
        assert_eq!(at_most(4, &four).len(), 4);
        assert_eq!(
            at_most(3, &four),
            ["dropout>plain", "era>plain", "era-exact>plain"]
        );
    }
}
