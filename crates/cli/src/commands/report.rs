//! `era report`: tables, figures and numbers from the records that exist.

use std::io::Write;

use era_harness::store::Store;

use crate::args::Report;
use crate::fault::Fault;
use crate::selection::choose;
use crate::{registry, reporting};

pub(crate) fn run(args: &Report, out: &mut dyn Write) -> Result<(), Fault> {
    let chosen = choose(&args.selection, &registry::suites())?;
    chosen.skipped.say();
    let store = Store::new(&args.selection.folders.artifacts);
    let report = reporting::build(&args.selection, &chosen, &store)?;
    reporting::publish(&report, &args.selection, out)
}
