//! Why a cell is new: the recorded cell that differs least.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Difference, Nearest};
use crate::cell::Cell;

/// The cell among `recorded` that differs least from `asked`; of equals, the first in the order of identities.
///
/// Fewest fields win; of as many fields, those whose names mean less of a different experiment (a parameter before a
/// seed, a seed before a method, a method before a task).
pub(super) fn nearest(recorded: &[Cell], asked: &Cell) -> Option<Nearest> {
    let candidates = recorded.iter().map(|cell| Nearest {
        id: cell.id(),
        differences: differences(cell, asked),
    });
    candidates.min_by_key(|nearest| {
        (
            nearest.differences.len(),
            distance(&nearest.differences),
            nearest.id.clone(),
        )
    })
}

fn distance(differences: &[Difference]) -> u32 {
    let weight = |difference: &Difference| match difference.field.as_str() {
        "task" => 4,
        "method" => 3,
        "seed" => 2,
        _ => 1,
    };
    differences.iter().map(weight).sum()
}

fn differences(recorded: &Cell, asked: &Cell) -> Vec<Difference> {
    let (recorded, asked) = (fields(recorded), fields(asked));
    let names: BTreeSet<&String> = recorded.keys().chain(asked.keys()).collect();
    let differing = names
        .into_iter()
        .filter(|name| recorded.get(*name) != asked.get(*name));
    differing
        .map(|name| Difference {
            field: name.clone(),
            recorded: recorded.get(name).map(Value::to_string),
            asked: asked.get(name).map(Value::to_string),
        })
        .collect()
}

/// The fields of a cell by name, parameters and inputs one by one.
fn fields(cell: &Cell) -> BTreeMap<String, Value> {
    let mut fields = BTreeMap::from([
        ("suite".to_owned(), Value::from(cell.suite.clone())),
        ("task".to_owned(), cell.task.clone().into()),
        ("method".to_owned(), cell.method.clone().into()),
        ("revision".to_owned(), cell.revision.into()),
        ("seed".to_owned(), cell.seed.into()),
        ("engine".to_owned(), cell.engine.clone().into()),
    ]);
    fields.extend(
        cell.params
            .iter()
            .map(|(name, value)| (format!("params.{name}"), value.clone())),
    );
    fields.extend(
        cell.inputs
            .iter()
            .map(|(name, hash)| (format!("inputs.{name}"), hash.clone().into())),
    );
    fields
}
