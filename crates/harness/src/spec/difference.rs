//! Which fields make two cells different: the answer to "why does this cell run again?".

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::cell::Cell;

/// One field in which two cells differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldDifference {
    /// The field: `engine`, `revision`, `params.actor_lr`, `inputs.data`…
    pub field: String,
    /// Its value in the older cell as JSON; `None` where the older cell has no such field.
    pub was: Option<String>,
    /// Its value in the newer cell as JSON; `None` where the newer cell has no such field.
    pub now: Option<String>,
}

impl fmt::Display for FieldDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "(none)".to_owned());
        write!(
            f,
            "{}: {} → {}",
            self.field,
            shown(&self.was),
            shown(&self.now)
        )
    }
}

/// Every field that takes part in a cell's identity and differs between `was` and `now`, in the order of the names.
pub fn difference(was: &Cell, now: &Cell) -> Vec<FieldDifference> {
    let (was, now) = (fields(was), fields(now));
    let names: BTreeSet<&String> = was.keys().chain(now.keys()).collect();
    names
        .into_iter()
        .filter(|name| was.get(*name) != now.get(*name))
        .map(|name| FieldDifference {
            field: name.clone(),
            was: was.get(name).cloned(),
            now: now.get(name).cloned(),
        })
        .collect()
}

/// The fields of [`Cell::canonical`] with parameters and inputs spread out.
fn fields(cell: &Cell) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::from([
        ("suite".to_owned(), cell.suite.clone()),
        ("task".to_owned(), cell.task.clone()),
        ("method".to_owned(), cell.method.clone()),
        ("revision".to_owned(), cell.revision.to_string()),
        ("seed".to_owned(), cell.seed.to_string()),
        ("engine".to_owned(), cell.engine.clone()),
    ]);
    fields.extend(
        cell.params
            .iter()
            .map(|(name, value)| (format!("params.{name}"), value.to_string())),
    );
    fields.extend(
        cell.inputs
            .iter()
            .map(|(name, hash)| (format!("inputs.{name}"), hash.clone())),
    );
    fields
}
