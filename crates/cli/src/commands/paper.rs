//! `era paper`: what the paper includes, held against the records or made from them, and the PDF.

use std::io::Write;

use era_harness::store::Store;
use era_report::paper::{Typeset, build_pdf};

use crate::args::Paper;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::selection::choose;
use crate::{registry, reporting, text};

pub(crate) fn run(args: &Paper, out: &mut dyn Write) -> Result<Exit, Fault> {
    let chosen = choose(&args.selection, &registry::suites())?;
    chosen.skipped.say();
    let store = Store::new(&args.selection.folders.artifacts);
    let report = reporting::build(&args.selection, &chosen, &store)?;
    if args.check {
        return check(args, &report, out);
    }
    reporting::publish(&report, &args.selection, out)?;
    if args.pdf {
        typeset(args, out)?;
    }
    Ok(Exit::Done)
}

/// Says which generated files are not what the records make.
fn check(args: &Paper, report: &era_report::Report, out: &mut dyn Write) -> Result<Exit, Fault> {
    let folder = reporting::generated(&args.selection.folders, &args.selection.scale);
    let stale = report.check(&folder)?;
    if stale.is_empty() {
        let files = text::count(report.files.len(), "file");
        writeln!(out, "{files} in {} up to date", folder.display())?;
        return Ok(Exit::Done);
    }
    writeln!(
        out,
        "{} in {} stale:",
        text::count(stale.len(), "file"),
        folder.display()
    )?;
    for file in &stale {
        writeln!(out, "  {file}")?;
    }
    writeln!(
        out,
        "`cargo xtask paper --scale {}` makes them again",
        args.selection.scale
    )?;
    Ok(Exit::Stale)
}

fn typeset(args: &Paper, out: &mut dyn Write) -> Result<(), Fault> {
    match build_pdf(&args.selection.folders.paper)? {
        Typeset::Pdf(pdf) => Ok(writeln!(out, "typeset {}", pdf.display())?),
        Typeset::NoLatex { tex, install } => Err(Fault::NoLatex { tex, install }),
        Typeset::Refused { log, complaint } => Err(Fault::Latex { log, complaint }),
    }
}
