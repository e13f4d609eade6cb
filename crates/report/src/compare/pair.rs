//! Which configuration of another set is the one of a cell.

use std::collections::{BTreeMap, BTreeSet};

use era_harness::Cell;
use serde_json::Value;

use super::set::{Configuration, RecordSet};

/// Names that a reason lists before it counts the rest.
const NAMED: usize = 3;

/// The configuration that a cell is compared with, and what has to be said with it.
#[derive(Clone, Debug)]
pub(crate) struct Counterpart<'s> {
    pub(crate) configuration: &'s Configuration,
    /// In what the two differ that does not forbid to compare them: revision, engine, data, parameters that only one has.
    pub(crate) notes: Vec<String>,
    likeness: Likeness,
}

/// How alike a fitting configuration is: the same parameters, inputs, engine, revision; then how many parameters both have, and the
/// revision. The most important first.
type Likeness = (bool, bool, bool, bool, usize, u32);

impl RecordSet {
    /// The configuration of the same task and method whose parameters have the values of `cell`'s. Parameters that only one of
    /// the two has do not count (a parameter that is new has a default that changes nothing, or the method's revision says
    /// otherwise); where several fit, the one that is most alike.
    ///
    /// # Errors
    /// There is none, or there are several: why, as a lowercase fragment.
    pub(crate) fn counterpart(&self, cell: &Cell, metric: &str) -> Result<Counterpart<'_>, String> {
        let same_work = |each: &&Configuration| {
            (&each.suite, &each.task, &each.method) == (&cell.suite, &cell.task, &cell.method)
        };
        let candidates: Vec<&Configuration> =
            self.configurations.iter().filter(same_work).collect();
        let mut fitting: Vec<&Configuration> = candidates
            .iter()
            .copied()
            .filter(|each| differing(each, cell).is_empty())
            .collect();
        fitting.sort_by_key(|each| std::cmp::Reverse(likeness(each, cell)));
        match fitting.as_slice() {
            [] => Err(nearest(&candidates, cell)),
            [first, second, ..] if likeness(first, cell) == likeness(second, cell) => Err(format!(
                "{} configurations of the baseline fit it equally well",
                fitting.len()
            )),
            [first, ..] if first.metric != metric => Err(format!(
                "the baseline has its {}, not its {metric}",
                first.metric
            )),
            [first, ..] => Ok(Counterpart {
                configuration: first,
                notes: notes(first, cell),
                likeness: likeness(first, cell),
            }),
        }
    }
}

/// Names of the parameters that both have, with other values.
fn differing<'c>(configuration: &'c Configuration, cell: &Cell) -> Vec<&'c str> {
    let params = configuration.params.iter();
    params
        .filter(|(name, value)| cell.params.get(*name).is_some_and(|own| own != *value))
        .map(|(name, _)| name.as_str())
        .collect()
}

/// Leaves each configuration of the baseline to the one of several rows that is most alike: a parameter that is new and has two
/// values now makes two rows of what was one.
pub(crate) fn each_once(found: &mut [Result<Counterpart<'_>, String>]) {
    let claims: Vec<Option<(*const Configuration, Likeness)>> = found
        .iter()
        .map(|found| {
            found
                .as_ref()
                .ok()
                .map(|each| (std::ptr::from_ref(each.configuration), each.likeness))
        })
        .collect();
    for (at, claim) in claims.iter().enumerate() {
        let Some((configuration, likeness)) = claim else {
            continue;
        };
        let mut others = claims.iter().enumerate().filter(|(other, _)| *other != at);
        let taken = others.any(|(_, other)| {
            other
                .as_ref()
                .is_some_and(|(its, liked)| its == configuration && liked >= likeness)
        });
        if taken {
            found[at] = Err(
                "not in the baseline; what comes closest there fits another row as well or better"
                    .into(),
            );
        }
    }
}

fn likeness(each: &Configuration, cell: &Cell) -> Likeness {
    let shared = each
        .params
        .keys()
        .filter(|name| cell.params.contains_key(*name));
    (
        each.params == cell.params,
        each.inputs == cell.inputs,
        each.engine == cell.engine,
        each.revision == cell.revision,
        shared.count(),
        each.revision,
    )
}

/// Why nothing fits, with what comes closest.
fn nearest(candidates: &[&Configuration], cell: &Cell) -> String {
    let closest = candidates
        .iter()
        .min_by_key(|each| differing(each, cell).len());
    let Some(closest) = closest else {
        return "not in the baseline".into();
    };
    let names = differing(closest, cell);
    let shown = |value: Option<&Value>| value.map_or_else(String::new, Value::to_string);
    let differences: Vec<String> = names
        .iter()
        .take(NAMED)
        .map(|name| {
            let (now, there) = (cell.params.get(*name), closest.params.get(*name));
            format!("{name}: {} there, {} now", shown(there), shown(now))
        })
        .collect();
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    format!(
        "not in the baseline; the nearest there differs in {}{more}",
        differences.join("; ")
    )
}

fn notes(each: &Configuration, cell: &Cell) -> Vec<String> {
    let mut notes = Vec::new();
    if each.revision != cell.revision {
        let (there, now) = (each.revision, cell.revision);
        notes.push(format!("revision {there} there, {now} now"));
    }
    if each.engine != cell.engine {
        notes.push(format!("engine {} there, {} now", each.engine, cell.engine));
    }
    if each.inputs != cell.inputs {
        notes.push(format!(
            "other inputs: {}",
            changed(&each.inputs, &cell.inputs)
        ));
    }
    let only = |names: Vec<&String>| {
        let names: Vec<&str> = names.into_iter().map(String::as_str).collect();
        names.join(", ")
    };
    let here: Vec<&String> = cell
        .params
        .keys()
        .filter(|name| !each.params.contains_key(*name))
        .collect();
    let there: Vec<&String> = each
        .params
        .keys()
        .filter(|name| !cell.params.contains_key(*name))
        .collect();
    if !here.is_empty() {
        notes.push(format!(
            "parameters that the baseline does not have: {}",
            only(here)
        ));
    }
    if !there.is_empty() {
        notes.push(format!(
            "parameters that only the baseline has: {}",
            only(there)
        ));
    }
    notes
}

/// The names whose values differ.
fn changed(there: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> String {
    let names: BTreeSet<&String> = there.keys().chain(now.keys()).collect();
    let names = names
        .into_iter()
        .filter(|name| there.get(*name) != now.get(*name));
    names.map(String::as_str).collect::<Vec<_>>().join(", ")
}
