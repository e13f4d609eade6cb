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

/// The claims of one domain.
#[derive(Serialize)]
struct Group<'a> {
    name: ClaimDomain,
    title: &'static str,
    rows: Vec<Line<'a>>,
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
    runs: Option<String>,
    margin: Option<&'a str>,
    others: Option<String>,
    smallest: Option<&'a str>,
    miniature: Option<&'a str>,
    verdict: &'static str,
    note: &'a str,
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
        let group = |name: ClaimDomain| Group {
            name,
            title: name.title(),
            rows: self.of(name).map(line).collect(),
        };
        let groups = ClaimDomain::ALL.into_iter().map(group);
        Context {
            header: minijinja::Value::from_safe_string(header.trim_end().to_owned()),
            scale: &self.scale,
            smoke,
            counted: self.counted(),
            groups: groups.filter(|group| !group.rows.is_empty()).collect(),
            sources: &self.sources,
        }
    }
}

fn line(row: &Row) -> Line<'_> {
    let decisive = row.decisive();
    Line {
        statement: &row.statement,
        place: row.place(),
        published: row.quoted(),
        what: decisive.map(|each| each.what.as_str()),
        estimate: row.estimate.as_deref(),
        interval: row.interval.as_ref(),
        runs: decisive.map(Comparison::count),
        margin: row.margin.as_deref(),
        others: row.others(),
        smallest: decisive.and_then(|each| each.smallest.as_deref()),
        miniature: row.miniature.as_deref(),
        verdict: row.verdict.words(),
        note: &row.note,
    }
}
