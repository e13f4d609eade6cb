//! Which cells are verified.

use std::collections::BTreeSet;

use era_harness::Suite;
use era_harness::estimate::Estimator;

use crate::commands::why::find;
use crate::fault::Fault;
use crate::selection::Chosen;
use crate::survey::lacks;

/// The cells that were named, or of each experiment the one that is expected to take least, of equals the first. Expected by what
/// its method says: what was measured here would choose another cell elsewhere.
///
/// # Errors
/// A name fits no cell or several; this build lacks what the cells need.
pub(super) fn cells(
    named: &[String],
    chosen: &Chosen,
    suites: &[Suite],
) -> Result<Vec<usize>, Fault> {
    if !named.is_empty() {
        let found = named.iter().map(|part| find(part, &chosen.cells));
        let found: BTreeSet<usize> = found.collect::<Result<_, _>>()?;
        return runnable(found.into_iter().collect(), chosen, suites);
    }
    let seconds = |cell: usize| {
        Estimator::default()
            .estimate(suites, &chosen.cells[cell].cell)
            .seconds
    };
    let can_run = |cell: &usize| lacks(suites, &chosen.cells[*cell].cell).is_none();
    let mut picked = BTreeSet::new();
    let mut without = Vec::new();
    for plan in &chosen.plans {
        // Not by their plan: cells that several experiments have are the first one's.
        let ids: BTreeSet<_> = plan.cells.iter().map(era_harness::Cell::id).collect();
        let own: Vec<usize> = (0..chosen.asked)
            .filter(|&cell| ids.contains(&chosen.cells[cell].id))
            .collect();
        let able = own.iter().copied().filter(can_run);
        match able.min_by(|a, b| seconds(*a).total_cmp(&seconds(*b))) {
            Some(cell) => {
                picked.insert(cell);
            }
            None => without.extend(own),
        }
    }
    if picked.is_empty() {
        return runnable(without, chosen, suites);
    }
    Ok(picked.into_iter().collect())
}

/// The cells, if this build can run all of them.
fn runnable(cells: Vec<usize>, chosen: &Chosen, suites: &[Suite]) -> Result<Vec<usize>, Fault> {
    let lacking: Vec<&str> = cells
        .iter()
        .filter_map(|&cell| lacks(suites, &chosen.cells[cell].cell))
        .collect();
    if lacking.is_empty() {
        return Ok(cells);
    }
    let parts: BTreeSet<&str> = lacking.iter().copied().collect();
    Err(Fault::NativePart {
        cells: lacking.len(),
        parts: parts.into_iter().map(str::to_owned).collect(),
    })
}

/// The cells that `cell` reads the work of, before those that read it, and last itself.
pub(super) fn with_required(cell: usize, chosen: &Chosen) -> Vec<usize> {
    let mut order = Vec::new();
    add(cell, chosen, &mut order);
    order
}

fn add(cell: usize, chosen: &Chosen, order: &mut Vec<usize>) {
    if order.contains(&cell) {
        return;
    }
    for &required in &chosen.cells[cell].requires {
        add(required, chosen, order);
    }
    order.push(cell);
}
