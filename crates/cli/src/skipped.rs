//! Cells that are left out because this build cannot run them: what `missing: skip` at a scale asks for.

use std::collections::BTreeSet;

use era_harness::spec::{Missing, Plan};
use era_harness::store::{CellState, Store, Verify};
use era_harness::{Cell, Suite};

use crate::fault::Fault;
use crate::survey::lacks;
use crate::text;

/// The cells that were left out.
#[derive(Debug, Default)]
pub(crate) struct Skipped(Vec<SkippedCell>);

/// A cell that was left out.
#[derive(Debug)]
pub(crate) struct SkippedCell {
    pub(crate) cell: Cell,
    /// The native part that it needs.
    pub(crate) part: &'static str,
    /// The first experiment that has it, as an index into the plans.
    pub(crate) plan: usize,
}

/// Takes the cells out of `plans` and `whole` that their scale lets be left out: those whose task needs a part that this
/// build lacks, unless they are finished already. Where that would leave nothing to run at all, these cells are what is
/// asked for (`--only task=gym/hopper`), and all of them stay.
pub(crate) fn take(
    plans: &mut [Plan],
    whole: &mut [Plan],
    suites: &[Suite],
    store: &Store,
) -> Result<Skipped, Fault> {
    let mut skipped = Skipped::default();
    let mut left = Vec::with_capacity(plans.len());
    for (number, plan) in plans.iter().enumerate() {
        let (kept, out) = split(plan, suites, store)?;
        for (cell, part) in out {
            let known = skipped.0.iter().any(|other| other.cell == cell);
            if !known {
                skipped.0.push(SkippedCell {
                    cell,
                    part,
                    plan: number,
                });
            }
        }
        left.push(kept);
    }
    if left.iter().all(Vec::is_empty) {
        return Ok(Skipped::default());
    }
    for (plan, cells) in plans.iter_mut().zip(left) {
        plan.cells = cells;
    }
    for plan in whole {
        (plan.cells, _) = split(plan, suites, store)?;
    }
    Ok(skipped)
}

type Parts = Vec<(Cell, &'static str)>;

/// The cells of a plan that stay, and those that are left out with the part that each lacks.
fn split(plan: &Plan, suites: &[Suite], store: &Store) -> Result<(Vec<Cell>, Parts), Fault> {
    let (mut kept, mut out) = (Vec::new(), Vec::new());
    for cell in &plan.cells {
        let lacking = lacks(suites, cell).filter(|_| plan.missing == Missing::Skip);
        match lacking {
            Some(part) if !done(store, &plan.scale, cell)? => out.push((cell.clone(), part)),
            _ => kept.push(cell.clone()),
        }
    }
    Ok((kept, out))
}

fn done(store: &Store, scale: &str, cell: &Cell) -> Result<bool, Fault> {
    let state = store.state(scale, cell, Verify::Quick)?;
    Ok(matches!(state, CellState::Done(_)))
}

impl Skipped {
    pub(crate) fn of_plan(&self, plan: usize) -> impl Iterator<Item = &SkippedCell> {
        self.0.iter().filter(move |skipped| skipped.plan == plan)
    }

    /// The one cell that has `part` in its name.
    pub(crate) fn find(&self, part: &str) -> Option<&SkippedCell> {
        let mut found = self
            .0
            .iter()
            .filter(|skipped| skipped.cell.id().0.contains(part));
        found.next().filter(|_| found.next().is_none())
    }

    /// One line on what is left out and how to bring it in; `None` where nothing is.
    pub(crate) fn line(&self) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        let set = |field: fn(&SkippedCell) -> &str| -> BTreeSet<&str> {
            self.0.iter().map(field).collect()
        };
        let tasks: Vec<&str> = set(|skipped| &skipped.cell.task).into_iter().collect();
        let commands: Vec<String> = set(|skipped| skipped.part)
            .into_iter()
            .map(|part| format!("`cargo xtask setup {part}`"))
            .collect();
        Some(format!(
            "{} of {} skipped; {} brings what they need",
            text::count(self.0.len(), "cell"),
            tasks.join(", "),
            commands.join(" and "),
        ))
    }

    /// Says the line to people.
    pub(crate) fn say(&self) {
        if let Some(line) = self.line() {
            eprintln!("{line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use era_harness::run::CheckpointEvery;
    use era_harness::spec::{Experiment, Outputs};
    use era_harness::stop::Stop;
    use era_harness::worker::{self, WorkerOptions, WorkerOutcome};

    use super::*;

    const MIXED: &str = "
suite: mock
matrix: {task: [mock/absent, mock/steps], method: mock-sgd, seed: 2}
params: {steps: 5}
scales: {smoke: {missing: skip}, strict: {}}
";

    /// A record from another machine, which has the part.
    fn record(cell: &Cell, suites: &[Suite], store: &Store) {
        let options = WorkerOptions {
            checkpoint_every: CheckpointEvery::Asked(u64::MAX),
            progress: false,
            stop: Stop::new(),
            versions: BTreeMap::new(),
            commit: String::new(),
            cache: std::env::temp_dir(),
            device_index: 0,
        };
        let dir = store.prepare("smoke", cell).unwrap();
        let outcome = worker::train(suites, &dir, &options).unwrap();
        assert_eq!(outcome, WorkerOutcome::Done);
    }

    #[test]
    fn finished_cells_stay() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mock.yaml");
        std::fs::write(&file, MIXED).unwrap();
        let suites = [era_harness::mock::suite()];
        let store = Store::new(folder.path().join("artifacts"));
        let experiment = Experiment::load(&file, &suites, Outputs::default()).unwrap();
        let plan = experiment.plan("smoke", &[], "flex").unwrap();
        record(&plan.cells[0], &suites, &store);
        let (mut plans, mut whole) = ([plan.clone()], [plan.clone()]);
        let skipped = take(&mut plans, &mut whole, &suites, &store).unwrap();
        let kept = [&plan.cells[0], &plan.cells[2], &plan.cells[3]];
        assert_eq!(plans[0].cells.iter().collect::<Vec<_>>(), kept);
        assert_eq!(plans, whole);
        let left_out: Vec<_> = skipped.of_plan(0).map(|skipped| &skipped.cell).collect();
        assert_eq!(left_out, [&plan.cells[1]]);

        let strict = experiment.plan("strict", &[], "flex").unwrap();
        let (mut plans, mut whole) = ([strict.clone()], [strict.clone()]);
        let skipped = take(&mut plans, &mut whole, &suites, &store).unwrap();
        assert!(skipped.line().is_none());
        assert_eq!((&plans[0], &whole[0]), (&strict, &strict));
    }
}
