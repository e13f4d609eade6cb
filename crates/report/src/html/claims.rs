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

impl From<&crate::claims::Row> for Row {
    fn from(row: &crate::claims::Row) -> Self {
        Self {
            id: row.id.clone(),
            statement: row.statement.clone(),
            source: format!("{}; {}", row.sources.join(", "), row.r#where),
            verdict: row.verdict.words().to_owned(),
            estimate: row.estimate.clone(),
            interval: row.interval.clone().map(|[low, high]| (low, high)),
            margin: row.margin.clone(),
            cells: row.cells.clone(),
            note: Some(row.note.clone()).filter(|note| !note.is_empty()),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::html::Page;

    #[test]
    fn without_claims_there_is_no_section_of_them() {
        let page = Page::new("cpu").render().unwrap();
        assert!(!page.contains("#claims") && !page.contains("id=\"claims\""));
    }

    #[test]
    fn a_claim_has_its_verdict_and_is_escaped() {
        let mut page = Page::new("cpu");
        let row = Row {
            id: "a<b>".into(),
            statement: "ERA & <i>more</i>".into(),
            source: "Fig. 1".into(),
            verdict: "not supported".into(),
            estimate: Some("-0.43".into()),
            interval: Some(("-0.58".into(), "-0.30".into())),
            margin: Some("0.20".into()),
            cells: Vec::new(),
            note: Some("three seeds".into()),
        };
        page.claim(vec![
            row.clone(),
            Row {
                id: "A B".into(),
                ..row
            },
        ]);
        let page = page.render().unwrap();
        for part in [
            "<a href=\"#claims\">Claims</a>",
            "<tr id=\"claim-a-b\">",
            "<tr id=\"claim-a-b-2\">",
            "ERA &amp; &lt;i&gt;more&lt;&#x2f;i&gt;",
            "<td>not supported</td>",
            "[\u{2212}0.58, \u{2212}0.30]",
            "three seeds",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }
}
