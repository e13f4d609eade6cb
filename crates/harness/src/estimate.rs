//! How long a cell will take: from finished cells of the same task and method, else from the method's own word.

use std::collections::BTreeMap;

use crate::cell::Cell;
use crate::method::{Cost, Suite};
use crate::store::{Store, StoreError};

/// What a cell is expected to take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Wall-clock seconds.
    pub seconds: f64,
    /// Peak memory in bytes.
    pub memory: u64,
    /// Whether it rests on a measurement of the same task and method.
    pub measured: bool,
}

/// Gives estimates.
#[derive(Clone, Debug, Default)]
pub struct Estimator {
    /// Measured over expected seconds, by suite, task and method.
    ratios: BTreeMap<[String; 3], Ratio>,
}

/// A mean that grows.
#[derive(Clone, Copy, Debug, Default)]
struct Ratio {
    measured: f64,
    expected: f64,
}

impl Estimator {
    /// Reads the finished runs of the suites at `scale`. Runs that took one attempt count: the time of others holds
    /// what was done twice.
    ///
    /// # Errors
    /// As [`Store::records`].
    pub fn new(registry: &[Suite], store: &Store, scale: &str) -> Result<Self, StoreError> {
        let mut ratios = BTreeMap::<_, Ratio>::new();
        for suite in registry {
            for run in store.records(scale, suite.name)? {
                if let Some(cost) = cost(registry, &run.cell).filter(|_| run.record.attempts == 1) {
                    let ratio = ratios.entry(key(&run.cell)).or_default();
                    ratio.measured += run.record.wall_seconds;
                    ratio.expected += cost.seconds;
                }
            }
        }
        Ok(Self { ratios })
    }

    /// What `cell` is expected to take: the method's own word, corrected by how far it was off for finished cells of
    /// the same task and method (so a measurement carries over to another number of steps).
    pub fn estimate(&self, registry: &[Suite], cell: &Cell) -> Estimate {
        let Cost { seconds, memory } = cost(registry, cell).unwrap_or(Cost {
            seconds: 0.0,
            memory: 0,
        });
        match self
            .ratios
            .get(&key(cell))
            .filter(|ratio| ratio.expected > 0.0)
        {
            Some(ratio) => Estimate {
                seconds: seconds * ratio.measured / ratio.expected,
                memory,
                measured: true,
            },
            None => Estimate {
                seconds,
                memory,
                measured: false,
            },
        }
    }
}

fn key(cell: &Cell) -> [String; 3] {
    [cell.suite.clone(), cell.task.clone(), cell.method.clone()]
}

/// What the method says of a cell; none when this build does not have it.
fn cost(registry: &[Suite], cell: &Cell) -> Option<Cost> {
    let suite = registry.iter().find(|suite| suite.name == cell.suite)?;
    let method = suite
        .methods
        .iter()
        .find(|method| method.name() == cell.method)?;
    Some(method.cost(&cell.task, &cell.params))
}
