//! The ledger in the paper's folder: a table for LaTeX, and the cells behind every number.

use std::path::Path;

use serde::Serialize;

use super::{ClaimDomain, Comparison, Ledger, Row};
use crate::analysis::Analysis;
use crate::error::ReportError;
use crate::output::Files;
use crate::template::{self, Templates};

/// The folder of the ledger's files, beside those of the studies.
const FOLDER: &str = "claims";
/// The template, and the table made from it.
const TABLE: &str = "claims";

/// Most claims that fit a page.
const MOST_ROWS: usize = 12;

/// What the template is told.
#[derive(Serialize)]
struct Context<'a> {
    header: minijinja::Value,
    scale: &'a str,
    smoke: Option<&'static str>,
    counted: String,
    groups: Vec<Group<'a>>,
    sources: &'a [super::SourceLine],
}

/// Claims of one domain, as many as fit a page.
#[derive(Serialize)]
struct Group<'a> {
    name: ClaimDomain,
    title: &'static str,
    /// Which part of them, from 1.
    part: usize,
    rows: Vec<Line<'a>>,
    /// What is said below the rows.
    notes: Notes<'a>,
}

/// Notes to the rows of a table, each once, with its mark.
#[derive(Default, Serialize)]
#[serde(transparent)]
struct Notes<'a>(Vec<Note<'a>>);

#[derive(Serialize)]
struct Note<'a> {
    mark: String,
    text: &'a str,
}

/// One claim.
#[derive(Serialize)]
struct Line<'a> {
    statement: &'a str,
    place: String,
    published: Option<String>,
    /// What the number is of.
    what: Option<&'a str>,
    estimate: Option<&'a str>,
    interval: Option<&'a [String; 2]>,
    /// Whether that is the range of all that was seen.
    range: bool,
    runs: Option<String>,
    margin: Option<&'a str>,
    others: Option<String>,
    smallest: Option<&'a str>,
    verdict: &'static str,
    /// Marks of its notes.
    marks: Vec<String>,
}

impl<'a> Notes<'a> {
    /// The mark of a note: a letter, or several behind z.
    fn mark(&mut self, text: &'a str) -> String {
        if let Some(known) = self.0.iter().find(|note| note.text == text) {
            return known.mark.clone();
        }
        let (letter, times) = (self.0.len() % 26, self.0.len() / 26 + 1);
        let mark = char::from(b'a' + letter as u8).to_string().repeat(times);
        self.0.push(Note {
            mark: mark.clone(),
            text,
        });
        mark
    }
}

impl Ledger {
    /// The ledger's files: `claims/claims.tex` for the paper, `claims/provenance.json` with the cells behind every verdict.
    ///
    /// # Errors
    /// The template is missing or wrong.
    pub fn files(&self, templates: &Path) -> Result<Files, ReportError> {
        let templates = Templates::new(templates)?;
        let table = templates.render(TABLE, self.context())?;
        Ok(Files::from([
            (format!("{FOLDER}/{TABLE}.tex"), table.into()),
            (format!("{FOLDER}/provenance.json"), self.json().into()),
        ]))
    }

    /// The ledger as JSON, with a line break at its end.
    pub fn json(&self) -> String {
        format!("{:#}\n", serde_json::json!(self))
    }

    fn context(&self) -> Context<'_> {
        let smoke = (self.scale == "smoke").then_some(Analysis::SMOKE);
        let mut header = format!(
            "% Made from run records by: cargo xtask paper --scale {}\n",
            template::comment(&self.scale)
        );
        if let Some(smoke) = smoke {
            header.push_str(&format!("% {smoke}\n"));
        }
        let mut groups = Vec::new();
        for name in ClaimDomain::ALL {
            let rows: Vec<&Row> = self.of(name).collect();
            groups.extend(rows.chunks(MOST_ROWS).enumerate().map(|(part, rows)| {
                let mut notes = Notes::default();
                Group {
                    name,
                    title: name.title(),
                    part: part + 1,
                    rows: rows.iter().map(|row| line(row, &mut notes)).collect(),
                    notes,
                }
            }));
        }
        Context {
            header: minijinja::Value::from_safe_string(header.trim_end().to_owned()),
            scale: &self.scale,
            smoke,
            counted: self.counted(),
            groups,
            sources: &self.sources,
        }
    }
}

fn line<'a>(row: &'a Row, notes: &mut Notes<'a>) -> Line<'a> {
    let decisive = row.decisive();
    let texts = [row.miniature.as_deref(), Some(row.note.as_str())];
    let texts = texts.into_iter().flatten().filter(|text| !text.is_empty());
    Line {
        statement: &row.statement,
        place: row.place(),
        published: row.quoted(),
        what: decisive.map(|each| each.what.as_str()),
        estimate: row.estimate.as_deref(),
        interval: row.interval.as_ref(),
        range: decisive.is_some_and(|each| each.interval_kind == "range"),
        runs: decisive.map(Comparison::count),
        margin: row.margin.as_deref(),
        others: row.others(),
        smallest: decisive.and_then(|each| each.smallest.as_deref()),
        verdict: row.verdict.words(),
        marks: texts.map(|text| notes.mark(text)).collect(),
    }
}
