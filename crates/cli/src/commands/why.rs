//! `era reproduce --why CELL`: what stands behind a cell's state.

use std::io::Write;

use era_harness::store::{CellState, Store};

use crate::fault::Fault;
use crate::selection::{Chosen, Planned};
use crate::survey::Standing;
use crate::text;

pub(crate) fn run(
    part: &str,
    chosen: &Chosen,
    standings: &[Standing],
    store: &Store,
    out: &mut dyn Write,
) -> Result<(), Fault> {
    let index = match find(part, &chosen.cells) {
        Ok(index) => index,
        Err(fault @ Fault::NoCell(_)) => {
            return why_skipped(part, chosen, out).unwrap_or(Err(fault));
        }
        Err(fault) => return Err(fault),
    };
    let (planned, standing) = (&chosen.cells[index], &standings[index]);
    let plan = &chosen.plans[planned.plan];
    writeln!(out, "{}: {}", planned.id, standing.word())?;
    writeln!(
        out,
        "  experiment: {} ({})",
        plan.file.display(),
        plan.scale
    )?;
    let dir = store.dir(&plan.scale, &planned.cell);
    match &standing.state {
        CellState::Missing => {}
        _ => writeln!(out, "  folder: {}", dir.display())?,
    }
    if let Some(part) = standing.lacks {
        writeln!(out, "  needs {part}: `cargo xtask setup {part}`")?;
    }
    match &standing.state {
        CellState::Missing => {
            writeln!(
                out,
                "  expected time: {}",
                text::time(standing.estimate.seconds)
            )?;
            nearest(&plan.scale, planned, store, out)
        }
        CellState::Done(record) => {
            let attempts = text::count(record.attempts as usize, "attempt");
            writeln!(
                out,
                "  finished {} after {} in {attempts}",
                record.updated,
                text::time(record.wall_seconds)
            )?;
            writeln!(
                out,
                "  by commit {}, metrics {}",
                record.commit,
                short(&record.metrics_hash)
            )?;
            Ok(writeln!(
                out,
                "  every field equals the record's: it is not run again (--force does)"
            )?)
        }
        CellState::Failed(failure) => {
            writeln!(out, "  reason: {}", failure.reason)?;
            for line in &failure.tail {
                writeln!(out, "  | {line}")?;
            }
            Ok(writeln!(out, "  it is tried again when it is chosen next")?)
        }
        CellState::Partial { step: 0 } => Ok(writeln!(
            out,
            "  it was chosen before and has no checkpoint: it starts from scratch"
        )?),
        CellState::Partial { step } => Ok(writeln!(
            out,
            "  it was interrupted; it goes on from step {step}"
        )?),
        CellState::Running => Ok(writeln!(out, "  another command is training it now")?),
        CellState::Damaged(reason) => {
            writeln!(out, "  what is wrong: {reason}")?;
            Ok(writeln!(
                out,
                "  it is trained again when it is chosen next"
            )?)
        }
    }
}

/// What stands behind a cell that was left out; `None` where `part` does not name one.
fn why_skipped(part: &str, chosen: &Chosen, out: &mut dyn Write) -> Option<Result<(), Fault>> {
    let skipped = chosen.skipped.find(part)?;
    let plan = &chosen.plans[skipped.plan];
    let text = format!(
        "{}: skipped\n  experiment: {} ({})\n  needs {part}: `cargo xtask setup {part}`; until then this scale leaves it out",
        skipped.cell.id(),
        plan.file.display(),
        plan.scale,
        part = skipped.part,
    );
    Some(writeln!(out, "{text}").map_err(Fault::from))
}

/// The one cell whose identity is `part`, or has it in it.
pub(super) fn find(part: &str, cells: &[Planned]) -> Result<usize, Fault> {
    let matches = |exact: bool| {
        let fits = move |planned: &Planned| match exact {
            true => planned.id.0 == part,
            false => planned.id.0.contains(part),
        };
        (0..cells.len())
            .filter(|&index| fits(&cells[index]))
            .collect::<Vec<_>>()
    };
    match (matches(true).as_slice(), matches(false).as_slice()) {
        ([index], _) | ([], [index]) => Ok(*index),
        (_, []) => Err(Fault::NoCell(part.to_owned())),
        (_, several) => Err(Fault::ManyCells {
            part: part.to_owned(),
            matches: several
                .iter()
                .map(|&index| cells[index].id.0.clone())
                .collect(),
        }),
    }
}

/// Which fields make a new cell differ from the record that is most like it.
fn nearest(
    scale: &str,
    planned: &Planned,
    store: &Store,
    out: &mut dyn Write,
) -> Result<(), Fault> {
    let Some(nearest) = store.nearest(scale, &planned.cell)? else {
        return Ok(writeln!(
            out,
            "  no cell of this suite is recorded at this scale"
        )?);
    };
    writeln!(out, "  nearest record: {}", nearest.id)?;
    for difference in &nearest.differences {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        let (recorded, asked) = (value(&difference.recorded), value(&difference.asked));
        writeln!(
            out,
            "    {}: recorded {recorded}, now {asked}",
            difference.field
        )?;
    }
    Ok(())
}

/// Enough of a hash to tell two apart.
fn short(hash: &str) -> &str {
    hash.get(..16).unwrap_or(hash)
}
