//! `era compare`: the chosen cells' records against frozen ones, or against another folder of records.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use era_harness::store::Store;
use era_harness::{Cell, CellId};
use era_report::Study;
use era_report::compare::{
    self, Baseline, CompareInputs, Comparison, FrozenError, Outcome, RecordSet,
};

use crate::args::Compare;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::selection::{Chosen, choose};
use crate::{registry, reporting, text};

/// Folder of frozen records, in that of baselines.
const RECORDED: &str = "recorded";

pub(crate) fn run(args: &Compare, out: &mut dyn Write) -> Result<Exit, Fault> {
    let chosen = choose(&args.selection, &registry::suites())?;
    let store = Store::new(&args.selection.folders.artifacts);
    let asked = &chosen.cells[..chosen.asked];
    let cells: Vec<Cell> = asked.iter().map(|planned| planned.cell.clone()).collect();
    if args.freeze {
        return freeze(args, &store, &cells, out);
    }
    chosen.skipped.say();
    let comparison = compare(args, &chosen, &store, &cells)?;
    match (args.markdown, args.json) {
        (true, _) => write!(out, "{}", comparison.markdown())?,
        (_, true) => writeln!(out, "{}", comparison.json()?)?,
        _ => write!(out, "{}", comparison.text(reporting::width()))?,
    }
    if comparison.is_empty() && comparison.faults().is_empty() {
        return Err(Fault::NothingCompared);
    }
    Ok(exit(args, &comparison))
}

/// The file or folder that is compared with, or written to.
fn against(args: &Compare) -> PathBuf {
    let file = || format!("{}.json", args.selection.scale);
    let default = || args.selection.folders.baselines.join(RECORDED).join(file());
    args.against.clone().unwrap_or_else(default)
}

fn compare(
    args: &Compare,
    chosen: &Chosen,
    store: &Store,
    cells: &[Cell],
) -> Result<Comparison, Fault> {
    let (path, scale) = (against(args), args.selection.scale.as_str());
    let baseline = match path.is_dir() {
        true => Baseline::of_folder(&path, scale, cells)?,
        false => Baseline::of_file(&path, scale).map_err(|error| frozen(error, scale))?,
    };
    let picked: BTreeSet<CellId> = cells.iter().map(Cell::id).collect();
    // A study that has no picked cell would be an empty table.
    let has_picked = |study: &Study| study.cells.iter().any(|cell| picked.contains(&cell.id()));
    let studies = chosen.whole.iter().map(Study::from).filter(has_picked);
    Ok(compare::compare(&CompareInputs {
        scale,
        store,
        studies: &studies.collect::<Vec<_>>(),
        picked: &picked,
        baseline: &baseline,
        margin: args.margin,
    })?)
}

/// What is worse comes first, then what failed.
fn exit(args: &Compare, comparison: &Comparison) -> Exit {
    let undecided = args.fail_on_undecided && comparison.count(Outcome::Undecided) > 0;
    match comparison.count(Outcome::Worse) > 0 || undecided {
        true => Exit::Differs,
        false if !comparison.faults().is_empty() => Exit::CellsFailed,
        false => Exit::Done,
    }
}

/// Writes the frozen records.
fn freeze(
    args: &Compare,
    store: &Store,
    cells: &[Cell],
    out: &mut dyn Write,
) -> Result<Exit, Fault> {
    let (path, scale) = (against(args), args.selection.scale.as_str());
    let (records, left_out) = RecordSet::of_cells(store, scale, cells)?;
    if records.runs() == 0 {
        return Err(Fault::NothingToFreeze {
            scale: scale.to_owned(),
        });
    }
    let (runs, configurations) = (records.runs(), records.configurations());
    let mut all = before(&path, scale)?;
    let (kept, fewer) = all.replace(records);
    let new = all.freeze(&path, scale)?;
    writeln!(
        out,
        "{} of {} frozen in {}{}",
        text::count(runs, "run"),
        text::count(configurations, "configuration"),
        path.display(),
        if new { "" } else { ": nothing is new" },
    )?;
    if kept > 0 {
        writeln!(
            out,
            "{} in it that were not chosen stay",
            text::count(kept, "configuration")
        )?;
    }
    for (name, now, then) in fewer {
        writeln!(
            out,
            "{name}: {} now, {then} before",
            text::count(now, "run")
        )?;
    }
    let not_run = left_out.iter().filter(|left| !left.fault).count();
    if not_run > 0 {
        writeln!(out, "{} not run yet", text::count(not_run, "cell"))?;
    }
    let faults: Vec<_> = left_out.iter().filter(|left| left.fault).collect();
    for left in &faults {
        writeln!(out, "{} left out: {}", left.cell, left.reason)?;
    }
    Ok(if faults.is_empty() {
        Exit::Done
    } else {
        Exit::CellsFailed
    })
}

/// What is frozen already: nothing where there is no file.
fn before(path: &Path, scale: &str) -> Result<RecordSet, Fault> {
    match RecordSet::read(path, scale) {
        Err(FrozenError::Missing { .. }) => Ok(RecordSet::default()),
        read => read.map_err(|error| frozen(error, scale)),
    }
}

fn frozen(error: FrozenError, scale: &str) -> Fault {
    Fault::Frozen {
        error,
        scale: scale.to_owned(),
    }
}
