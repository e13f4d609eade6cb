//! `era reproduce`: plan, train what is missing, report.

use std::io::Write;

use era_harness::Suite;
use era_harness::budget;
use era_harness::stop::Stop;
use era_harness::store::{CellState, Store, Verify};
use indicatif::MultiProgress;

use super::list::{self, Intent};
use super::why;
use crate::again::Again;
use crate::args::Reproduce;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::selection::{Chosen, choose};
use crate::survey::{Standing, survey};
use crate::training::{Trained, Training};
use crate::{ledger, preflight, registry, reporting, text};

pub(crate) fn run(
    args: &Reproduce,
    bars: &MultiProgress,
    out: &mut dyn Write,
) -> Result<Exit, Fault> {
    let suites = registry::suites();
    let chosen = choose(&args.selection, &suites)?;
    let scale = args.selection.scale.as_str();
    let store = Store::new(&args.selection.folders.artifacts);
    let intent = Intent {
        jobs: args.jobs.map_or_else(|| chosen.devices.jobs(), usize::from),
        force: args.force,
        budget: args.budget,
    };
    if args.list || args.why.is_some() {
        let standings = survey(&chosen, &suites, &store, scale, Verify::Quick)?;
        match &args.why {
            Some(part) => why::run(part, &chosen, &standings, &store, out)?,
            None => list::run(&chosen, &standings, &intent, out)?,
        }
        return Ok(Exit::Done);
    }
    chosen.skipped.say();
    // What is wrong with the claims is told before hours of training, not after them.
    if let Some(claims) = ledger::concerned(&args.selection, &chosen)? {
        let studies = ledger::studies(&claims, (&args.selection).into(), &suites)?;
        claims.check(scale, &studies)?;
    }
    let trained = train(args, &suites, &chosen, &store, &intent, bars)?;
    if trained.interrupted {
        eprintln!(
            "interrupted: {}; the same command resumes",
            trained.counts()
        );
        return Ok(Exit::Interrupted);
    }
    let report = reporting::build(&args.selection, &chosen, &store)?;
    reporting::publish(&report, &args.selection, out)?;
    failures(&chosen, &trained, out)
}

/// Trains the open cells; says before what it will do.
fn train(
    args: &Reproduce,
    suites: &[Suite],
    chosen: &Chosen,
    store: &Store,
    intent: &Intent,
    bars: &MultiProgress,
) -> Result<Trained, Fault> {
    let stop = Stop::new();
    stop.on_signals().map_err(Fault::Signals)?;
    preflight::folders(&args.selection.folders)?;
    let again = Again::new(store, &args.selection.scale);
    for planned in &chosen.cells {
        if again.adopt(&planned.cell)? {
            eprintln!(
                "{}: the record of an earlier --force replaces the old one",
                planned.name
            );
        }
    }
    let standings = survey(chosen, suites, store, &args.selection.scale, Verify::Full)?;
    let (open, left) = intent.split(chosen, &standings);
    preflight::native_parts(&standings, &open)?;
    if !open.is_empty() {
        chosen.devices.present()?;
    }
    announce(chosen, &standings, &open, &left, intent);
    let training = Training {
        args,
        chosen,
        standings: &standings,
        store,
        again: &again,
        jobs: intent.jobs,
        stop,
        bars,
    };
    training.run(&open)
}

/// What is about to happen, and what is wrong with what is there.
fn announce(
    chosen: &Chosen,
    standings: &[Standing],
    open: &[usize],
    left: &[usize],
    intent: &Intent,
) {
    for (planned, standing) in chosen.cells.iter().zip(standings) {
        if let CellState::Damaged(reason) = &standing.state {
            eprintln!("{}: {reason}; it is trained again", planned.name);
        }
    }
    if let (Some(limit), false) = (intent.budget, left.is_empty()) {
        let cells = text::count(left.len(), "cell");
        eprintln!(
            "{cells} left out, not expected to fit {}:",
            text::time(limit.as_secs_f64())
        );
        for &cell in left {
            let seconds = standings[cell].estimate.seconds;
            eprintln!("  {}  {}", chosen.cells[cell].id, text::time(seconds));
        }
    }
    let done = standings.iter().filter(|standing| standing.done()).count();
    let cells = text::count(standings.len(), "cell");
    if open.is_empty() {
        eprintln!("{cells}: {done} done, nothing to run");
        return;
    }
    let seconds: Vec<f64> = open
        .iter()
        .map(|&cell| standings[cell].estimate.seconds)
        .collect();
    eprintln!(
        "{cells}: {done} done, {} to run, about {} with {}",
        open.len(),
        text::time(budget::makespan(&seconds, intent.jobs)),
        text::count(intent.jobs, "job"),
    );
}

/// The cells that failed, last: it is what a user must see.
fn failures(chosen: &Chosen, trained: &Trained, out: &mut dyn Write) -> Result<Exit, Fault> {
    if trained.failed.is_empty() {
        return Ok(Exit::Done);
    }
    writeln!(
        out,
        "\n{} failed:",
        text::count(trained.failed.len(), "cell")
    )?;
    for (cell, failure) in &trained.failed {
        writeln!(out, "  {}", chosen.cells[*cell].id)?;
        writeln!(out, "    {}", failure.reason)?;
    }
    writeln!(
        out,
        "the same command tries them again; --why CELL shows their last lines"
    )?;
    Ok(Exit::CellsFailed)
}
