//! A set of records, as far as comparing needs it: for every configuration the score and the hash of each run.

use std::collections::BTreeMap;

use era_harness::store::Store;
use era_harness::{Cell, Params};
use serde::{Deserialize, Serialize};

use super::frozen::{checked_hash, checked_runs};
use crate::board::last;
use crate::domain::Domain;
use crate::error::ReportError;
use crate::frame::Frame;
use crate::records::{LeftOut, Records};

/// The scores of some cells, by configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordSet {
    /// In the order of suites, tasks, methods and parameters.
    pub(crate) configurations: Vec<Configuration>,
}

/// Cells that differ in their seeds only. Fields stand in the file of frozen records in this order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Configuration {
    pub(crate) suite: String,
    pub(crate) task: String,
    pub(crate) method: String,
    pub(crate) revision: u32,
    pub(crate) engine: String,
    /// The metric that the scores are of.
    pub(crate) metric: String,
    pub(crate) params: Params,
    pub(crate) inputs: BTreeMap<String, String>,
    /// By seed, which no two share.
    #[serde(deserialize_with = "checked_runs")]
    pub(crate) runs: Vec<Scored>,
}

/// The score of a finished run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scored {
    pub(crate) seed: u64,
    /// As recorded: a share is a share and not per cent. Finite.
    pub(crate) value: f64,
    /// Hash of all rows of its metrics: equal for runs that are equal bit for bit.
    #[serde(deserialize_with = "checked_hash")]
    pub(crate) metrics_hash: String,
    /// Commit of the program that ran it.
    pub(crate) commit: String,
    /// Model of the processor that it ran on.
    pub(crate) cpu: String,
}

impl RecordSet {
    /// Reads and verifies the records of `cells`. A record that is missing, failed or damaged is left out, and said.
    ///
    /// # Errors
    /// The rows cannot be arranged.
    pub fn of_cells(
        store: &Store,
        scale: &str,
        cells: &[Cell],
    ) -> Result<(Self, Vec<LeftOut>), ReportError> {
        let Records { runs, mut left_out } = Records::read(store, scale, cells);
        let frame = Frame::new(&runs)?;
        let metric = |cell: &Cell| Domain::of_suite(&cell.suite).score().metric;
        let mut scores: BTreeMap<&str, Vec<Option<f64>>> = BTreeMap::new();
        for run in &runs {
            let metric = metric(&cells[run.cell]);
            if !scores.contains_key(metric) {
                let series = frame.series(metric, runs.len())?;
                scores.insert(metric, series.iter().map(last).collect());
            }
        }
        let mut set = Self::default();
        for (at, run) in runs.iter().enumerate() {
            let cell = &cells[run.cell];
            let metric = metric(cell);
            let reason = match scores[metric][at] {
                Some(value) if value.is_finite() => {
                    let scored = Scored {
                        seed: cell.seed,
                        value,
                        metrics_hash: run.hash.clone(),
                        commit: run.commit.clone(),
                        cpu: run.cpu.clone(),
                    };
                    set.add(cell, metric, scored);
                    continue;
                }
                Some(value) => format!("its {metric} is {value}, not a finite number"),
                None => format!("it has recorded no {metric}"),
            };
            left_out.push(LeftOut {
                cell: cell.id(),
                task: cell.task.clone(),
                method: cell.method.clone(),
                reason,
                fault: true,
            });
        }
        set.sort();
        Ok((set, left_out))
    }

    /// Reads and verifies every finished run of some suites.
    ///
    /// # Errors
    /// A folder cannot be read, or a record is of a newer format.
    pub fn of_store(store: &Store, scale: &str, suites: &[&str]) -> Result<Self, ReportError> {
        let mut cells = Vec::new();
        for suite in suites {
            let runs = store.records(scale, suite).map_err(ReportError::Store)?;
            cells.extend(runs.into_iter().map(|run| run.cell));
        }
        Ok(Self::of_cells(store, scale, &cells)?.0)
    }

    /// Number of runs.
    pub fn runs(&self) -> usize {
        self.configurations.iter().map(|each| each.runs.len()).sum()
    }

    /// Number of configurations.
    pub fn configurations(&self) -> usize {
        self.configurations.len()
    }

    /// Puts the configurations of `other` in the place of those with the same suite, task, method, parameters and inputs, and
    /// beside all others. Returns how many stay as they were, and for each that now has fewer runs what it is and how many it
    /// has and had.
    pub fn replace(&mut self, other: Self) -> (usize, Vec<(String, usize, usize)>) {
        let before = std::mem::take(&mut self.configurations);
        let mut fewer = Vec::new();
        for old in before {
            match other.configurations.iter().find(|new| new.same(&old)) {
                Some(new) if new.runs.len() < old.runs.len() => {
                    fewer.push((old.name(), new.runs.len(), old.runs.len()));
                }
                Some(_) => {}
                None => self.configurations.push(old),
            }
        }
        let kept = self.configurations.len();
        self.configurations.extend(other.configurations);
        self.sort();
        (kept, fewer)
    }

    /// The score of a cell.
    pub(crate) fn of_cell(&self, cell: &Cell) -> Option<&Scored> {
        let configuration = self.configurations.iter().find(|each| each.is_of(cell))?;
        configuration.runs.iter().find(|run| run.seed == cell.seed)
    }

    fn add(&mut self, cell: &Cell, metric: &str, scored: Scored) {
        match self.configurations.iter_mut().find(|each| each.is_of(cell)) {
            Some(known) if known.runs.iter().any(|run| run.seed == scored.seed) => {}
            Some(known) => known.runs.push(scored),
            None => self.configurations.push(Configuration {
                suite: cell.suite.clone(),
                task: cell.task.clone(),
                method: cell.method.clone(),
                revision: cell.revision,
                engine: cell.engine.clone(),
                metric: metric.to_owned(),
                params: cell.params.clone(),
                inputs: cell.inputs.clone(),
                runs: vec![scored],
            }),
        }
    }

    fn sort(&mut self) {
        for configuration in &mut self.configurations {
            configuration.runs.sort_by_key(|run| run.seed);
        }
        self.configurations.sort_by_cached_key(Configuration::key);
    }
}

impl Configuration {
    /// Whether this is `cell`'s, engine and revision too.
    fn is_of(&self, cell: &Cell) -> bool {
        self.suite == cell.suite
            && self.task == cell.task
            && self.method == cell.method
            && self.revision == cell.revision
            && self.engine == cell.engine
            && self.params == cell.params
            && self.inputs == cell.inputs
    }

    /// Whether the two are the same work, if perhaps by another revision or engine.
    fn same(&self, other: &Self) -> bool {
        (&self.suite, &self.task, &self.method) == (&other.suite, &other.task, &other.method)
            && (&self.params, &self.inputs) == (&other.params, &other.inputs)
    }

    /// What orders configurations: as text, since values of parameters have no order of their own.
    pub(crate) fn key(&self) -> (String, String, String, String) {
        let rest = format!(
            "{} {} {} {}",
            serde_json::json!(self.params),
            serde_json::json!(self.inputs),
            self.revision,
            self.engine
        );
        (
            self.suite.clone(),
            self.task.clone(),
            self.method.clone(),
            rest,
        )
    }

    /// A name for people.
    pub(crate) fn name(&self) -> String {
        format!("{} {} {}", self.suite, self.task, self.method)
    }
}
