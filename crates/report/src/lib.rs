//! Tables, figures and numbers of the paper from run records.
//!
//! A report is a pure function of the records of an experiment's cells, the templates, the published numbers and nothing
//! else: no clock, no commit of the moment, no absolute path. So [`Report::check`] can say whether what lies in `paper/generated/` is what
//! the records say, byte by byte, on any machine. Nothing is trained here.
//!
//! [`build`] makes everything in memory, [`Report::write`] puts it on disk: for every study a folder with its tables
//! (`.tex`), its figures (`.svg`, `.pdf`), `numbers.tex` (every number as a macro) and `provenance.json` (the cells behind
//! every number).

mod analysis;
mod board;
pub mod compare;
mod domain;
mod error;
mod figure;
mod frame;
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
use ledger::Ledger;
use published::{Configuration, Published};
use records::Records;
use summary::Summary;
use template::Templates;

pub use error::ReportError;
pub use figure::FIGURES;
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
}

/// A report, in memory.
#[derive(Debug)]
pub struct Report {
    /// Every generated file.
    pub files: Files,
    /// Cells without numbers, with the reason, in the order of the studies and their cells.
    pub left_out: Vec<LeftOut>,
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
        summaries: Vec::new(),
    };
    for study in inputs.studies {
        let records = Records::read(inputs.store, inputs.scale, &study.cells);
        let published = published(inputs, study)?;
        report.add(inputs.scale, study, records, &published, &templates)?;
    }
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
        scale: &str,
        study: &Study,
        records: Records,
        published: &[Configuration],
        templates: &Templates,
    ) -> Result<(), ReportError> {
        let hash = records.hash();
        let analysis = Analysis::new(scale, Board::new(study, records)?)?;
        let path = |name: &str| format!("{}/{name}", study.experiment);
        for name in &study.tables {
            let text = table::table(name, &analysis, published, templates)?;
            self.files.insert(path(&format!("{name}.tex")), text.into());
        }
        for name in &study.figures {
            let (svg, pdf) = figure::figure(name, &analysis, &hash)?;
            self.files.insert(path(&format!("{name}.svg")), svg.into());
            self.files.insert(path(&format!("{name}.pdf")), pdf);
        }
        let ledger = Ledger::new(&analysis)?;
        self.files
            .insert(path("numbers.tex"), ledger.numbers(&analysis).into());
        self.files.insert(
            path("provenance.json"),
            ledger.provenance(&analysis, published, &hash).into(),
        );
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
