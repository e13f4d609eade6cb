//! The page to look at: everything that a report says in one HTML file that loads nothing.
//!
//! It shows what tables, figures and terminal show, from the same [`Analysis`], and behind every number the cells that the
//! [`Ledger`] names. It is as pure a function of the records as the rest, but of more of each: machines and times too, which
//! another execution of the same cell does not repeat. So it is neither committed nor checked.
//!
//! Markup, style and script fit each other (names of classes, what the script finds), so unlike the paper's templates those
//! of the page are compiled in. Without the script everything is there but the values under the pointer; with neither
//! script nor style it is a document of headings and tables.

pub(crate) mod claims;

mod axis;
mod cells;
mod chart;
mod forest;
mod ids;
mod number;
mod runs;
mod section;
mod tables;
mod template;
mod text;

use serde::Serialize;

use crate::analysis::Analysis;
use crate::error::ReportError;
use crate::figure::Figure;
use crate::ledger::Ledger;
use crate::published::Configuration;

use cells::Cells;
use ids::Ids;
use number::Quotes;
use section::Section;

/// Name of the page, below the folder of what is generated at a scale.
pub const PAGE: &str = "report.html";

/// Ids that the template has.
const TAKEN: [&str; 7] = [
    "top", "contents", "overview", "claims", "where", "cells", "live",
];

/// The page, while it is put together.
pub(crate) struct Page {
    scale: String,
    ids: Ids,
    cells: Cells,
    quotes: Quotes,
    sections: Vec<Section>,
    claims: Vec<claims::Row>,
}

/// What the template is told.
#[derive(Serialize)]
struct Context<'a> {
    scale: &'a str,
    smoke: Option<&'static str>,
    style: minijinja::Value,
    script: minijinja::Value,
    /// What a legend can hide: a rule of style for each.
    series: Vec<String>,
    command: String,
    overview: runs::Overview,
    claims: Vec<claims::Line>,
    sections: &'a [Section],
    sets: Vec<cells::Set<'a>>,
    quotes: &'a Quotes,
}

impl Page {
    pub(crate) fn new(scale: &str) -> Self {
        Self {
            scale: scale.to_owned(),
            ids: Ids::new(TAKEN),
            cells: Cells::default(),
            quotes: Quotes::default(),
            sections: Vec::new(),
            claims: Vec::new(),
        }
    }

    /// Adds the section of a study.
    pub(crate) fn add(
        &mut self,
        analysis: &Analysis<'_>,
        ledger: &Ledger,
        published: &[Configuration],
        figures: &[(&str, Figure<'_>)],
    ) {
        self.cells.add(&analysis.board, &self.scale);
        let mut maker = section::Maker {
            analysis,
            ledger,
            published,
            ids: &mut self.ids,
            cells: &mut self.cells,
            quotes: &mut self.quotes,
        };
        let section = maker.section(figures);
        self.sections.push(section);
    }

    /// Fills the section of claims. Without a row there is no such section.
    pub(crate) fn claim(&mut self, rows: Vec<claims::Row>) {
        self.claims = rows;
    }

    /// The whole page.
    pub(crate) fn render(mut self) -> Result<String, ReportError> {
        let claims = claims::lines(&self.claims, &mut self.ids, &mut self.cells);
        let experiments: Vec<&str> = self
            .sections
            .iter()
            .map(|section| section.experiment.as_str())
            .collect();
        let command = format!(
            "cargo xtask report --suite {} --scale {}",
            experiments.join(","),
            self.scale
        );
        template::render(&Context {
            scale: &self.scale,
            smoke: (self.scale == "smoke").then_some(Analysis::SMOKE),
            style: minijinja::Value::from_safe_string(include_str!("html/page.css").to_owned()),
            script: minijinja::Value::from_safe_string(include_str!("html/page.js").to_owned()),
            series: chart::tokens(&self.sections),
            command,
            overview: runs::overview(&self.cells),
            claims,
            sets: self.cells.sets(),
            quotes: &self.quotes,
            sections: &self.sections,
        })
    }
}
