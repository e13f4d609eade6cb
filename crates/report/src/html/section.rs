//! The section of an experiment.

use serde::Serialize;

use super::cells::{CellLine, Cells};
use super::chart::{self, Chart};
use super::ids::Ids;
use super::number::{Number, Quotes};
use super::runs::{self, Counts};
use super::tables::{self, Table};
use super::text;
use crate::analysis::Analysis;
use crate::figure::Figure;
use crate::ledger::Ledger;
use crate::published::Configuration;

/// An experiment, its tables and figures, and all of its cells.
#[derive(Serialize)]
pub(super) struct Section {
    pub(super) id: String,
    pub(super) experiment: String,
    about: String,
    command: String,
    counts: Counts,
    cpu_time: String,
    days: Option<String>,
    pub(super) tables: Vec<Table>,
    pub(super) figures: Vec<Chart>,
    /// Id of the list of its cells.
    cells_id: String,
    cells: Vec<CellLine>,
}

/// What the parts of a section are made from.
pub(super) struct Maker<'a, 'p> {
    pub(super) analysis: &'a Analysis<'a>,
    pub(super) ledger: &'p Ledger,
    pub(super) published: &'p [Configuration],
    pub(super) ids: &'p mut Ids,
    pub(super) cells: &'p mut Cells,
    pub(super) quotes: &'p mut Quotes,
}

impl Maker<'_, '_> {
    pub(super) fn section(&mut self, figures: &[(&str, Figure<'_>)]) -> Section {
        let study = self.analysis.board.study;
        let id = self.ids.take(&[&study.experiment]);
        let tables = tables::tables(self);
        let figures = figures
            .iter()
            .map(|(name, figure)| chart::chart(self, name, figure))
            .collect();
        let known = study
            .cells
            .iter()
            .filter_map(|cell| self.cells.find(&cell.id()));
        let known: Vec<_> = known.collect();
        let records = || known.iter().filter_map(|cell| cell.record.as_ref());
        Section {
            cells_id: self.ids.take(&[&study.experiment, "cells"]),
            id,
            experiment: study.experiment.clone(),
            about: study.about.clone(),
            command: self.analysis.command(),
            counts: Counts::of(known.iter().copied()),
            cpu_time: text::time(records().map(|record| record.cpu_seconds).sum()),
            days: runs::days(records()),
            tables,
            figures,
            cells: known.iter().map(|cell| cell.line.clone()).collect(),
        }
    }

    /// The id of a part of this section.
    pub(super) fn id(&mut self, name: &str) -> String {
        let experiment = &self.analysis.board.study.experiment;
        self.ids.take(&[experiment, name])
    }

    /// The number that the ledger has at a place of this experiment.
    pub(super) fn number(&mut self, place: &[&str]) -> Option<Number> {
        let experiment = self.analysis.board.study.experiment.as_str();
        let entry = self.ledger.find(&[&[experiment], place].concat())?;
        Some(Number::new(entry, self.cells))
    }
}
