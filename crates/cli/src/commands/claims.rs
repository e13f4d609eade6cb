//! `era claims`: the verdict on every claim of the paper.

use std::io::Write;

use era_harness::store::Store;

use crate::args::Claims;
use crate::fault::Fault;
use crate::{ledger, registry, reporting};

pub(crate) fn run(args: &Claims, out: &mut dyn Write) -> Result<(), Fault> {
    let claims = ledger::read(&args.folders)?;
    let place = ledger::Place {
        scale: &args.scale,
        device: &args.device,
        folders: &args.folders,
    };
    let store = Store::new(&args.folders.artifacts);
    let ledger = ledger::judge(&claims, place, &registry::suites(), &store)?;
    let text = match args.json {
        true => ledger.json(),
        false => ledger.text(reporting::width()),
    };
    Ok(write!(out, "{text}")?)
}
