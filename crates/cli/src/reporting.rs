//! From records to tables, figures and the summary on the terminal.

use std::io::Write;
use std::path::PathBuf;

use era_harness::store::Store;
use era_report::{Report, ReportInputs, Study};

use crate::args::{Folders, Selection};
use crate::fault::Fault;
use crate::selection::Chosen;
use crate::{ledger, registry, text};

/// Columns of a summary that is not for a terminal.
const PIPED: usize = 100;

/// Where generated files of a scale lie.
pub(crate) fn generated(folders: &Folders, scale: &str) -> PathBuf {
    folders.paper.join("generated").join(scale)
}

/// Makes the report of the chosen experiments, in memory: of all their cells, whatever `--only` says, so that what is
/// generated does not depend on what was run last.
pub(crate) fn build(
    selection: &Selection,
    chosen: &Chosen,
    store: &Store,
) -> Result<Report, Fault> {
    // Of an experiment all of whose cells are skipped there is nothing to say.
    let whole = chosen.whole.iter().filter(|plan| !plan.cells.is_empty());
    let studies: Vec<Study> = whole.map(Study::from).collect();
    let templates = selection.folders.paper.join("templates");
    let ledger = match ledger::concerned(selection, chosen)? {
        Some(claims) => {
            let suites = registry::suites();
            Some(ledger::judge(&claims, selection.into(), &suites, store)?)
        }
        None => None,
    };
    Ok(era_report::build(&ReportInputs {
        scale: &selection.scale,
        store,
        studies: &studies,
        templates: &templates,
        published: &selection.folders.baselines.join("published.yaml"),
        claims: ledger.as_ref(),
    })?)
}

/// Columns of what is printed.
pub(crate) fn width() -> usize {
    let terminal = console::Term::stdout();
    if terminal.is_term() {
        usize::from(terminal.size().1)
    } else {
        PIPED
    }
}

/// Writes the report and shows it.
pub(crate) fn publish(
    report: &Report,
    selection: &Selection,
    out: &mut dyn Write,
) -> Result<(), Fault> {
    let folder = generated(&selection.folders, &selection.scale);
    let changed = report.write(&folder)?;
    writeln!(out, "{}", report.summary(width()).trim_end())?;
    writeln!(
        out,
        "\n{} in {}, {} of them new or changed",
        text::count(report.files.len(), "file"),
        folder.display(),
        changed.len()
    )?;
    let page = report.write_page(&folder)?;
    writeln!(out, "to look at: {}", page.display())?;
    Ok(())
}
