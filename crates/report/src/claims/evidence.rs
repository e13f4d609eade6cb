//! The runs that a claim is judged by: cells of the named experiments, paired by task and seed.

use std::collections::{BTreeMap, BTreeSet};

use era_harness::store::Store;
use era_harness::{Cell, CellId};
use serde_saphyr::Spanned;

use super::error::{ClaimFault, ClaimProblem};
use super::file::{Claim, Side, Test, unknown};
use crate::records::{FinishedRun, read_run};
use crate::study::Study;

/// The cells of a scale and their records, each read once.
pub(super) struct Evidence<'a> {
    pub(super) scale: &'a str,
    studies: &'a [Study],
    runs: BTreeMap<CellId, Read>,
}

/// The run of a cell; or why there is none, and whether that is a fault.
type Read = Result<FinishedRun, (String, bool)>;

/// What is to be compared on one task.
pub(super) struct Planned<'a> {
    pub(super) task: &'a str,
    /// Ascending by seed.
    pub(super) pairs: Vec<PlannedPair<'a>>,
}

/// A cell, and the one of the baseline with the same task and seed where there is a baseline.
pub(super) struct PlannedPair<'a> {
    pub(super) of: &'a Cell,
    pub(super) against: Option<&'a Cell>,
}

impl<'a> Evidence<'a> {
    /// Cells alone.
    pub(super) fn without_runs(scale: &'a str, studies: &'a [Study]) -> Self {
        Self {
            scale,
            studies,
            runs: BTreeMap::new(),
        }
    }

    /// Reads and verifies the records of all cells that `claims` are about.
    pub(super) fn read(
        store: &Store,
        scale: &'a str,
        studies: &'a [Study],
        claims: &[Claim],
    ) -> Self {
        let mut evidence = Self::without_runs(scale, studies);
        let tests = claims.iter().filter_map(|claim| claim.test.as_ref());
        for test in tests.filter(|test| test.scales.contains_key(scale)) {
            for side in test.of.iter().chain(&test.against) {
                for cell in cells(studies, test).filter(|cell| side.value.describes(cell)) {
                    let read = || read_run(store, scale, 0, cell);
                    evidence.runs.entry(cell.id()).or_insert_with(read);
                }
            }
        }
        evidence
    }

    /// The cells of the test's experiments, in their order.
    fn cells(&self, test: &Test) -> impl Iterator<Item = &'a Cell> {
        cells(self.studies, test)
    }

    /// The run of a cell, where it is finished.
    pub(super) fn run(&self, cell: &Cell) -> Option<&FinishedRun> {
        self.runs.get(&cell.id())?.as_ref().ok()
    }

    /// What went wrong with a cell, if anything.
    pub(super) fn fault(&self, cell: &Cell) -> Option<&str> {
        match self.runs.get(&cell.id())? {
            Err((reason, true)) => Some(reason),
            _ => None,
        }
    }

    /// The finished runs of all claims.
    pub(super) fn finished(&self) -> impl Iterator<Item = &FinishedRun> {
        self.runs.values().filter_map(|run| run.as_ref().ok())
    }

    /// What `of` and `against` are to be compared on: the named tasks, or all of which both have cells.
    pub(super) fn plan(
        &self,
        test: &Test,
        of: &Spanned<Side>,
        against: Option<&Spanned<Side>>,
    ) -> Result<Vec<Planned<'a>>, Box<ClaimProblem>> {
        let of_cells = self.by_place(test, of)?;
        let against_cells = against.map(|side| self.by_place(test, side)).transpose()?;
        let known: Vec<&str> = of_cells.keys().map(|(task, _)| *task).collect();
        for task in &test.tasks {
            if !known.contains(&task.value.as_str()) {
                return Err(unknown("task", task, &distinct(known)).into());
            }
        }
        let chosen = |task: &str| {
            test.tasks.is_empty() || test.tasks.iter().any(|chosen| chosen.value == task)
        };
        let mut planned: Vec<Planned<'a>> = Vec::new();
        for (&place, &cell) in of_cells.iter().filter(|((task, _), _)| chosen(task)) {
            let partner = against_cells.as_ref().map(|cells| cells.get(&place));
            let pair = match partner {
                None => PlannedPair {
                    of: cell,
                    against: None,
                },
                Some(Some(partner)) => PlannedPair {
                    of: cell,
                    against: Some(partner),
                },
                Some(None) => continue,
            };
            match planned.last_mut().filter(|last| last.task == place.0) {
                Some(last) => last.pairs.push(pair),
                None => planned.push(Planned {
                    task: place.0,
                    pairs: vec![pair],
                }),
            }
        }
        if planned.is_empty() {
            let fault = ClaimFault::NoTask {
                of: of.value.label(),
                against: against.map(|side| side.value.label()).unwrap_or_default(),
            };
            return Err(ClaimProblem::at(fault, of.referenced).into());
        }
        Ok(planned)
    }

    /// The cells of a side by task and seed, of which there may be one each.
    fn by_place(
        &self,
        test: &Test,
        side: &Spanned<Side>,
    ) -> Result<BTreeMap<(&'a str, u64), &'a Cell>, Box<ClaimProblem>> {
        let mut places: BTreeMap<(&str, u64), &Cell> = BTreeMap::new();
        for cell in self.cells(test).filter(|cell| side.value.describes(cell)) {
            let twin = places.insert((&cell.task, cell.seed), cell);
            if let Some(twin) = twin.filter(|twin| *twin != cell) {
                let fault = ClaimFault::Ambiguous {
                    side: side.value.label(),
                    params: differing(twin, cell),
                };
                let problem = ClaimProblem::at(fault, side.referenced);
                let help = "name the parameters that tell which is meant: `{method: NAME, PARAMETER: VALUE}`";
                return Err(problem.help(help).into());
            }
        }
        match places.is_empty() {
            true => Err(self.no_cell(test, side).into()),
            false => Ok(places),
        }
    }

    /// No cell is of this side: says what there is instead.
    fn no_cell(&self, test: &Test, side: &Spanned<Side>) -> ClaimProblem {
        let methods = distinct(self.cells(test).map(|cell| cell.method.as_str()).collect());
        let Side { method, params } = &side.value;
        if !methods.contains(&method.as_str()) {
            let name = Spanned::new(method.clone(), side.referenced, side.defined);
            return unknown("method", &name, &methods);
        }
        let values = params.keys().map(|name| {
            let cells = self.cells(test).filter(|cell| cell.method == *method);
            let values = cells.filter_map(|cell| Some(cell.params.get(name)?.to_string()));
            let values: BTreeSet<String> = values.collect();
            match values.is_empty() {
                true => format!("{method} has no parameter `{name}`"),
                false => format!("{name} is {}", Vec::from_iter(values).join(", ")),
            }
        });
        let help = Vec::from_iter(values).join("; ");
        let experiments = test.experiments.iter().map(|name| name.value.as_str());
        let fault = ClaimFault::NoCell {
            side: side.value.label(),
            experiments: Vec::from_iter(experiments).join(", "),
            scale: self.scale.to_owned(),
        };
        ClaimProblem::at(fault, side.referenced).help(help)
    }
}

fn cells<'a, 't>(
    studies: &'a [Study],
    test: &'t Test,
) -> impl Iterator<Item = &'a Cell> + use<'a, 't> {
    let named = |study: &&Study| {
        let mut names = test.experiments.iter();
        names.any(|name| file_stem(&name.value) == study.experiment)
    };
    let studies = studies.iter().filter(named);
    studies.flat_map(|study| &study.cells)
}

/// The name of an experiment, without the folder that it is in.
pub(super) fn file_stem(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, stem)| stem)
}

/// Names in their order, each once.
fn distinct(names: Vec<&str>) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    names
        .into_iter()
        .filter(|name| seen.insert(*name))
        .collect()
}

/// The parameters in which two cells differ.
fn differing(one: &Cell, other: &Cell) -> String {
    let names: BTreeSet<&String> = one.params.keys().chain(other.params.keys()).collect();
    let differ = names
        .into_iter()
        .filter(|name| one.params.get(*name) != other.params.get(*name));
    let differ: Vec<String> = differ.map(|name| format!("`{name}`")).collect();
    match differ.is_empty() {
        true => "revision or inputs".to_owned(),
        false => differ.join(", "),
    }
}
