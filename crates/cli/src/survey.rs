//! How the chosen cells stand, and what the missing ones will take.

use era_harness::estimate::{Estimate, Estimator};
use era_harness::run::made_by;
use era_harness::store::{CellState, Store, Verify};
use era_harness::{Cell, Suite};

use crate::fault::Fault;
use crate::selection::{Chosen, Planned};

/// How a cell stands and what a run of it takes.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) state: CellState,
    pub(crate) estimate: Estimate,
    /// The native part that its task needs and this build lacks.
    pub(crate) lacks: Option<&'static str>,
    /// Whether what its run leaves for others is there.
    pub(crate) made: bool,
}

/// Looks at every chosen cell; the standings have their order.
pub(crate) fn survey(
    chosen: &Chosen,
    suites: &[Suite],
    store: &Store,
    scale: &str,
    verify: Verify,
) -> Result<Vec<Standing>, Fault> {
    let estimator = Estimator::new(suites, store, scale)?;
    let standing = |planned: &Planned| {
        Ok(Standing {
            state: store.state(scale, &planned.cell, verify)?,
            estimate: estimator.estimate(suites, &planned.cell),
            lacks: lacks(suites, &planned.cell),
            made: made_by(&chosen.cache, &planned.id).is_file(),
        })
    };
    chosen.cells.iter().map(standing).collect()
}

/// The native part that a cell's task needs and this build lacks.
pub(crate) fn lacks(suites: &[Suite], cell: &Cell) -> Option<&'static str> {
    let suite = suites.iter().find(|suite| suite.name == cell.suite)?;
    let task = suite.tasks.iter().find(|task| task.name == cell.task)?;
    task.needs.filter(|_| !task.available)
}

impl Standing {
    /// Whether the cell has its record.
    pub(crate) fn done(&self) -> bool {
        matches!(self.state, CellState::Done(_))
    }

    /// The state in one word, or two.
    pub(crate) fn word(&self) -> String {
        match &self.state {
            // A folder is made before its cell's turn comes: without a checkpoint there is nothing to go on from.
            CellState::Missing | CellState::Partial { step: 0 } => "new".to_owned(),
            CellState::Running => "running".to_owned(),
            CellState::Partial { step } => format!("at step {step}"),
            CellState::Done(_) => "done".to_owned(),
            CellState::Failed(_) => "failed".to_owned(),
            CellState::Damaged(_) => "damaged".to_owned(),
        }
    }

    /// Seconds: measured for a finished cell, expected for any other.
    pub(crate) fn seconds(&self) -> f64 {
        match &self.state {
            CellState::Done(record) => record.wall_seconds,
            _ => self.estimate.seconds,
        }
    }
}
