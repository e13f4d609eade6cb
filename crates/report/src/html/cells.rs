//! The cells of the page, and which of them are behind a number.

use std::collections::BTreeMap;

use era_harness::record::RunRecord;
use era_harness::{Cell, CellId};
use serde::Serialize;

use super::text;
use crate::board::Board;

/// Every cell of every study, each once.
#[derive(Default)]
pub(super) struct Cells {
    all: Vec<Known>,
    places: BTreeMap<CellId, usize>,
    /// Positions of the cells behind one or several numbers, in ascending order.
    sets: Vec<Vec<usize>>,
    set_places: BTreeMap<Vec<usize>, usize>,
}

/// A cell and what became of it.
pub(super) struct Known {
    pub(super) line: CellLine,
    pub(super) engine: String,
    /// The record of a finished run.
    pub(super) record: Option<RunRecord>,
}

/// A cell as a line of a list.
#[derive(Clone, Serialize)]
pub(super) struct CellLine {
    /// Its folder, below that of all records.
    pub(super) folder: String,
    pub(super) seed: u64,
    pub(super) standing: Standing,
    /// `done`, or why it has no numbers.
    pub(super) status: String,
    /// Wall-clock and processor time.
    pub(super) time: Option<String>,
    pub(super) cpu_time: Option<String>,
    pub(super) memory: Option<String>,
    /// UTC, of the end of the run.
    pub(super) ended: Option<String>,
    pub(super) commit: Option<String>,
}

/// How a cell stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Standing {
    Done,
    /// Failed or damaged.
    Failed,
    /// Not run, running, or not finished.
    Missing,
}

/// Cells behind numbers.
#[derive(Serialize)]
pub(super) struct Set<'a> {
    id: String,
    cells: Vec<&'a CellLine>,
}

impl Cells {
    /// Adds the cells of a study.
    pub(super) fn add(&mut self, board: &Board<'_>, scale: &str) {
        let runs = board.runs.iter().map(|run| (run.cell, run));
        let runs: BTreeMap<usize, _> = runs.collect();
        let left_out = board.left_out.iter().map(|cell| (&cell.cell, cell));
        let left_out: BTreeMap<&CellId, _> = left_out.collect();
        for (at, cell) in board.study.cells.iter().enumerate() {
            let id = cell.id();
            if self.places.contains_key(&id) {
                continue;
            }
            let record = runs.get(&at).map(|run| (*run.record).clone());
            let (status, standing) = match (left_out.get(&id), &record) {
                (Some(cell), _) if cell.fault => (cell.reason.clone(), Standing::Failed),
                (Some(cell), _) => (cell.reason.clone(), Standing::Missing),
                (None, Some(_)) => ("done".to_owned(), Standing::Done),
                (None, None) => ("not run".to_owned(), Standing::Missing),
            };
            self.places.insert(id.clone(), self.all.len());
            self.all.push(Known {
                line: line(scale, cell, &id, (status, standing), record.as_ref()),
                engine: cell.engine.clone(),
                record,
            });
        }
    }

    pub(super) fn all(&self) -> &[Known] {
        &self.all
    }

    pub(super) fn find(&self, id: &CellId) -> Option<&Known> {
        self.places.get(id).map(|at| &self.all[*at])
    }

    /// The id of the list of these cells; `None` for none of them.
    pub(super) fn set<'c>(
        &mut self,
        cells: impl IntoIterator<Item = &'c CellId>,
    ) -> Option<String> {
        let places = cells.into_iter().filter_map(|cell| self.places.get(cell));
        let mut places: Vec<usize> = places.copied().collect();
        places.sort_unstable();
        places.dedup();
        if places.is_empty() {
            return None;
        }
        let next = self.sets.len();
        let at = *self.set_places.entry(places.clone()).or_insert(next);
        if at == next {
            self.sets.push(places);
        }
        Some(set_id(at))
    }

    /// All lists that were asked for.
    pub(super) fn sets(&self) -> Vec<Set<'_>> {
        let sets = self.sets.iter().enumerate();
        let sets = sets.map(|(at, places)| Set {
            id: set_id(at),
            cells: places.iter().map(|place| &self.all[*place].line).collect(),
        });
        sets.collect()
    }
}

/// No other id has a `_` ([`Ids`](super::ids::Ids)).
fn set_id(at: usize) -> String {
    format!("set_{at}")
}

fn line(
    scale: &str,
    cell: &Cell,
    id: &CellId,
    (status, standing): (String, Standing),
    record: Option<&RunRecord>,
) -> CellLine {
    CellLine {
        folder: format!("{scale}/{}/{id}", cell.suite),
        seed: cell.seed,
        standing,
        status,
        time: record.map(|record| text::time(record.wall_seconds)),
        cpu_time: record.map(|record| text::time(record.cpu_seconds)),
        memory: record.map(|record| text::bytes(record.peak_memory)),
        ended: record.map(|record| record.updated.clone()),
        commit: record.map(|record| record.commit.clone()),
    }
}
