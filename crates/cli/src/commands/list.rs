//! `era reproduce --list`: every cell, its state and its time. One line a cell, whatever the width of the terminal.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use era_harness::budget;

use crate::fault::Fault;
use crate::selection::Chosen;
use crate::survey::Standing;
use crate::text;

/// What would be run, and how.
pub(crate) struct Intent {
    /// Workers at once.
    pub(crate) jobs: usize,
    /// `--force`.
    pub(crate) force: bool,
    /// `--budget`.
    pub(crate) budget: Option<Duration>,
}

impl Intent {
    /// The cells that would be run, and those that the budget leaves out.
    pub(crate) fn split(
        &self,
        chosen: &Chosen,
        standings: &[Standing],
    ) -> (Vec<usize>, Vec<usize>) {
        let open: Vec<usize> = (0..chosen.asked)
            .filter(|&cell| self.force || !standings[cell].done())
            .collect();
        let Some(limit) = self.budget else {
            return (with_required(open, chosen, standings), Vec::new());
        };
        let seconds: Vec<f64> = open
            .iter()
            .map(|&cell| standings[cell].estimate.seconds)
            .collect();
        let (kept, left) = budget::plan_budget(&seconds, self.jobs, limit);
        let cells = |picked: Vec<usize>| picked.into_iter().map(|index| open[index]).collect();
        (with_required(cells(kept), chosen, standings), cells(left))
    }
}

/// Adds the cells whose work `open` ones read and that is not there.
fn with_required(mut open: Vec<usize>, chosen: &Chosen, standings: &[Standing]) -> Vec<usize> {
    let required = open.iter().flat_map(|&cell| &chosen.cells[cell].requires);
    let missing: BTreeSet<usize> = required
        .copied()
        .filter(|&cell| !(standings[cell].done() && standings[cell].made))
        .filter(|cell| !open.contains(cell))
        .collect();
    open.extend(missing);
    open
}

pub(crate) fn run(
    chosen: &Chosen,
    standings: &[Standing],
    intent: &Intent,
    out: &mut dyn Write,
) -> Result<(), Fault> {
    let (open, left) = intent.split(chosen, standings);
    let widths = Widths::of(chosen, standings);
    for (number, plan) in chosen.plans.iter().enumerate() {
        writeln!(out, "{} ({}): {}", plan.experiment, plan.scale, plan.about)?;
        widths.line(out, "CELL", "STATE", "TIME")?;
        let mut elsewhere = plan.cells.len();
        for (index, planned) in chosen.cells.iter().enumerate() {
            if planned.plan != number {
                continue;
            }
            if index < chosen.asked {
                elsewhere -= 1;
            }
            let standing = &standings[index];
            let state = state(standing, left.contains(&index));
            widths.line(out, &planned.id.0, &state, &time(standing))?;
        }
        for skipped in chosen.skipped.of_plan(number) {
            widths.line(out, &skipped.cell.id().0, "skipped", "-")?;
        }
        if elsewhere > 0 {
            writeln!(out, "and {} listed above", text::count(elsewhere, "cell"))?;
        }
        writeln!(out)?;
    }
    totals(standings, &open, &left, intent, out)?;
    match chosen.skipped.line() {
        Some(line) => Ok(writeln!(out, "{line}")?),
        None => Ok(()),
    }
}

fn totals(
    standings: &[Standing],
    open: &[usize],
    left: &[usize],
    intent: &Intent,
    out: &mut dyn Write,
) -> Result<(), Fault> {
    let done = standings.iter().filter(|standing| standing.done()).count();
    let failed = standings
        .iter()
        .filter(|standing| standing.word() == "failed")
        .count();
    let seconds: Vec<f64> = open
        .iter()
        .map(|&cell| standings[cell].estimate.seconds)
        .collect();
    write!(out, "{}: {done} done", text::count(standings.len(), "cell"))?;
    if failed > 0 {
        write!(out, ", {failed} failed before")?;
    }
    if !left.is_empty() {
        write!(out, ", {} left out by the budget", left.len())?;
    }
    match open.len() {
        0 => writeln!(out, "; nothing to run")?,
        cells => writeln!(
            out,
            "; {cells} to run, about {} with {}",
            text::time(budget::makespan(&seconds, intent.jobs)),
            text::count(intent.jobs, "job"),
        )?,
    }
    if open.iter().any(|&cell| !standings[cell].estimate.measured) {
        writeln!(
            out,
            "~ estimated: no cell of this task and method has run here yet"
        )?;
    }
    Ok(())
}

fn state(standing: &Standing, left_out: bool) -> String {
    match standing.lacks.filter(|_| !standing.done()) {
        Some(part) => format!("needs {part}"),
        None if left_out => format!("{}, left out", standing.word()),
        None => standing.word(),
    }
}

fn time(standing: &Standing) -> String {
    let time = text::time(standing.seconds());
    match standing.done() || standing.estimate.measured {
        true => time,
        false => format!("~{time}"),
    }
}

/// Widths of the columns, equal in all tables of one listing.
struct Widths {
    cell: usize,
    state: usize,
}

impl Widths {
    fn of(chosen: &Chosen, standings: &[Standing]) -> Self {
        let plans = 0..chosen.plans.len();
        let skipped = plans.flat_map(|plan| chosen.skipped.of_plan(plan));
        let cells = chosen.cells.iter().map(|planned| planned.id.0.len());
        let cells = cells.chain(skipped.map(|skipped| skipped.cell.id().0.len()));
        let states = standings
            .iter()
            .map(|standing| state(standing, false).len());
        Self {
            cell: cells.max().unwrap_or(0).max("CELL".len()),
            state: states.max().unwrap_or(0).max("at step 100000".len()),
        }
    }

    fn line(&self, out: &mut dyn Write, cell: &str, state: &str, time: &str) -> Result<(), Fault> {
        let Self {
            cell: first,
            state: second,
        } = *self;
        Ok(writeln!(out, "{cell:first$}  {state:second$}  {time:>7}")?)
    }
}
