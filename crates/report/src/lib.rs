//! Tables, figures and numbers of the paper from run records.
//!
//! A report is a pure function of the records of an experiment's cells, the templates, the published numbers and nothing
//! else: no clock, no commit of the moment, no absolute path. So [`Report::check`] can say whether what lies in `paper/generated/` is what
//! the records say, byte by byte, on any machine. Nothing is trained here.
//!
//! [`build`] makes everything in memory, [`Report::write`] puts it on disk: for every study a folder with its tables
//! (`.tex`), its figures (`.svg`, `.pdf`), `numbers.tex` (every number as a macro) and `provenance.json` (the cells behind
//! every number). [`Report::write_page`] writes all of it as one page to look at, [`PAGE`]; what it says of machines and
//! times is of the runs too, but the page is not held against them: a cell that is run again takes another time.

mod analysis;
mod board;
pub mod claims;
pub mod compare;
mod domain;
mod error;
mod figure;
mod frame;
mod html;
mod ledger;
mod number;
mod output;
pub mod paper;
mod published;
mod records;
mod study;
mod summary;
mod table;
mod template;

use std::path::{Path, PathBuf};

use era_harness::store::Store;

use analysis::Analysis;
use board::Board;
use domain::Domain;
use figure::Figure;
use ledger::Ledger;
use published::{Configuration, Published};
use records::Records;
use summary::Summary;
use template::Templates;

pub use error::ReportError;
pub use figure::FIGURES;
pub use html::PAGE;
pub use output::{Files, Problem, Stale};
pub use records::LeftOut;
pub use study::Study;
pub use table::TABLES;

/// What a report is made from.
#[derive(Clone, Copy, Debug)]
pub struct ReportInputs<'a> {
    /// The scale, for example `cpu`.
    pub scale: &'a str,
    /// The records.
    pub store: &'a Store,
    /// The experiments, each with its own folder of output.
    pub studies: &'a [Study],
    /// The folder of templates: `paper/templates`.
    pub templates: &'a Path,
    /// Numbers that others published: `baselines/published.yaml`. Read where a study has a table that shows them.
    pub published: &'a Path,
    /// The claims of the paper with their verdicts, where the report has them.
    pub claims: Option<&'a claims::Ledger>,
}

/// A report, in memory.
#[derive(Debug)]
pub struct Report {
    /// Every generated file.
    pub files: Files,
    /// Cells without numbers, with the reason, in the order of the studies and their cells.
    pub left_out: Vec<LeftOut>,
    /// The page to look at: one HTML file that loads nothing.
    pub page: String,
    /// By study.
    summaries: Vec<Summary>,
}

/// Makes the tables, figures and numbers of all studies.
///
/// Records that are unfinished, failed or damaged are left out and listed in [`Report::left_out`]; they are no error.
///
/// # Errors
/// An experiment asks for a table or figure that its suite does not have; a template or the file of published numbers is
/// missing or wrong; a figure cannot be drawn.
pub fn build(inputs: &ReportInputs<'_>) -> Result<Report, ReportError> {
    let templates = Templates::new(inputs.templates)?;
    let mut report = Report {
        files: Files::new(),
        left_out: Vec::new(),
        page: String::new(),
        summaries: Vec::new(),
    };
    let mut page = html::Page::new(inputs.scale);
    for study in inputs.studies {
        let records = Records::read(inputs.store, inputs.scale, &study.cells);
        let published = published(inputs, study)?;
        report.add(inputs, study, records, &published, &templates, &mut page)?;
    }
    if let Some(ledger) = inputs.claims {
        report.files.extend(ledger.files(inputs.templates)?);
        page.claim(ledger.rows.iter().map(html::claims::Row::from).collect());
    }
    report.page = page.render()?;
    Ok(report)
}

/// What others report of the tasks of a study, where it has a table that shows it.
fn published(inputs: &ReportInputs<'_>, study: &Study) -> Result<Vec<Configuration>, ReportError> {
    let shown = |name: &String| table::WITH_PUBLISHED.contains(&name.as_str());
    if !study.tables.iter().any(shown) {
        return Ok(Vec::new());
    }
    Ok(Published::read(inputs.published)?.configurations(Domain::of(study)))
}

impl Report {
    fn add(
        &mut self,
        inputs: &ReportInputs<'_>,
        study: &Study,
        records: Records,
        published: &[Configuration],
        templates: &Templates,
        page: &mut html::Page,
    ) -> Result<(), ReportError> {
        let hash = records.hash();
        let analysis = Analysis::new(inputs.scale, Board::new(study, records)?)?;
        let path = |name: &str| format!("{}/{name}", study.experiment);
        for name in &study.tables {
            let text = table::table(name, &analysis, published, templates)?;
            self.files.insert(path(&format!("{name}.tex")), text.into());
        }
        let mut figures = Vec::new();
        for name in &study.figures {
            let figure = Figure::new(name, &analysis)?;
            let (svg, pdf) = figure::files(name, &figure, &analysis, &hash)?;
            self.files.insert(path(&format!("{name}.svg")), svg.into());
            self.files.insert(path(&format!("{name}.pdf")), pdf);
            figures.push((name.as_str(), figure));
        }
        let ledger = Ledger::new(&analysis)?;
        self.files
            .insert(path("numbers.tex"), ledger.numbers(&analysis).into());
        self.files.insert(
            path("provenance.json"),
            ledger.provenance(&analysis, published, &hash).into(),
        );
        page.add(&analysis, &ledger, published, &figures);
        self.summaries.push(Summary::new(&analysis));
        self.left_out.extend(analysis.board.left_out);
        Ok(())
    }

    /// Writes every file below `folder` (`paper/generated/<scale>`), each whole or not at all, and removes other files
    /// from the studies' folders there. Returns what changed.
    ///
    /// # Errors
    /// A file or folder cannot be written.
    pub fn write(&self, folder: &Path) -> Result<Vec<PathBuf>, ReportError> {
        output::write(folder, &self.files)
    }

    /// Writes the page below `folder`, whole or not at all; one that is right already is not touched. Returns its path.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_page(&self, folder: &Path) -> Result<PathBuf, ReportError> {
        output::write_one(&folder.join(PAGE), self.page.as_bytes())
    }

    /// How the files below `folder` differ from this report; empty when they are up to date. Writes nothing.
    ///
    /// # Errors
    /// A file or folder cannot be read.
    pub fn check(&self, folder: &Path) -> Result<Vec<Stale>, ReportError> {
        output::check(folder, &self.files)
    }

    /// The numbers as plain text of at most `width` columns, with the cells that are left out.
    pub fn summary(&self, width: usize) -> String {
        let studies: Vec<String> = self
            .summaries
            .iter()
            .map(|summary| summary.lay_out(width))
            .collect();
        studies.join("\n")
    }
}
