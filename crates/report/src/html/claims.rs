//! The ledger of claims as a section of the page.

use era_harness::CellId;
use serde::Serialize;

use super::cells::Cells;
use super::ids::Ids;
use super::text::signed;

/// A claim and what the records say of it. Numbers are texts, as they are printed elsewhere.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    /// Its name, for example `era-beats-sac`.
    pub(crate) id: String,
    /// What is claimed, as a sentence.
    pub(crate) statement: String,
    /// Who claims it and where.
    pub(crate) source: String,
    /// One word or two: `supported`, `not supported`, `undecided`, `not measured`…
    pub(crate) verdict: String,
    /// Our number, where there is one.
    pub(crate) estimate: Option<String>,
    /// Its interval.
    pub(crate) interval: Option<(String, String)>,
    /// What it is held against.
    pub(crate) margin: Option<String>,
    /// The cells behind it, of those that the page's experiments have.
    pub(crate) cells: Vec<CellId>,
    /// What has to be said with it.
    pub(crate) note: Option<String>,
}

/// A row as the template has it.
#[derive(Serialize)]
pub(super) struct Line {
    anchor: String,
    id: String,
    statement: String,
    source: String,
    verdict: String,
    estimate: Option<String>,
    interval: Option<(String, String)>,
    margin: Option<String>,
    set: Option<String>,
    runs: usize,
    note: Option<String>,
}

pub(super) fn lines(rows: &[Row], ids: &mut Ids, cells: &mut Cells) -> Vec<Line> {
    let line = |row: &Row| Line {
        anchor: ids.take(&["claim", &row.id]),
        id: row.id.clone(),
        statement: row.statement.clone(),
        source: row.source.clone(),
        verdict: row.verdict.clone(),
        estimate: row.estimate.as_deref().map(signed),
        interval: row
            .interval
            .as_ref()
            .map(|(low, high)| (signed(low), signed(high))),
        margin: row.margin.as_deref().map(signed),
        set: cells.set(&row.cells),
        runs: row.cells.len(),
        note: row.note.clone(),
    };
    rows.iter().map(line).collect()
}
