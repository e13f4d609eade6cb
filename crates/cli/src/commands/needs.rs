//! `era needs`: the native parts that the chosen cells need and this build lacks.

use std::collections::BTreeSet;
use std::io::Write;

use era_harness::store::{Store, Verify};

use crate::args::Needs;
use crate::fault::Fault;
use crate::selection::choose;
use crate::{registry, survey};

/// Finished cells need nothing: a report on recorded runs sets nothing up.
pub(crate) fn run(args: &Needs, out: &mut dyn Write) -> Result<(), Fault> {
    let suites = registry::suites();
    let chosen = choose(&args.selection, &suites)?;
    let store = Store::new(&args.selection.folders.artifacts);
    let standings = survey::survey(
        &chosen,
        &suites,
        &store,
        &args.selection.scale,
        Verify::Quick,
    )?;
    let unfinished = standings.iter().filter(|standing| !standing.done());
    let parts: BTreeSet<&str> = unfinished.filter_map(|standing| standing.lacks).collect();
    for part in parts {
        writeln!(out, "{part}")?;
    }
    Ok(())
}
