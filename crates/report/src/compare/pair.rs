//! Which configuration of another set is the one of a cell.

use std::cmp::Reverse;
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

/// How alike a fitting configuration is: the same parameters, inputs, engine, revision; then the fewest parameters that only one has, and
/// the newest revision. The most important first.
type Likeness = (bool, bool, bool, bool, Reverse<usize>, u32);

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
        fitting.sort_by_key(|each| Reverse(likeness(each, cell)));
        match fitting.as_slice() {
            [] => Err(nearest(&candidates, cell)),
            [first, second, ..] if likeness(first, cell) == likeness(second, cell) => {
                let alike = |each: &&&Configuration| likeness(each, cell) == likeness(first, cell);
                let ties = fitting.iter().filter(alike).count();
                Err(format!(
                    "{ties} configurations of the baseline fit it equally well"
                ))
            }
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
    let names: BTreeSet<&String> = each.params.keys().chain(cell.params.keys()).collect();
    let shared =
        |name: &&&String| each.params.contains_key(**name) && cell.params.contains_key(**name);
    let unshared = names.len() - names.iter().filter(shared).count();
    (
        each.params == cell.params,
        each.inputs == cell.inputs,
        each.engine == cell.engine,
        each.revision == cell.revision,
        Reverse(unshared),
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

#[cfg(test)]
mod tests {
    use era_harness::cell::CELL_FORMAT;
    use serde_json::json;

    use super::super::set::Scored;
    use super::*;

    fn configuration(revision: u32, params: &[(&str, Value)]) -> Configuration {
        let params = params
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        Configuration {
            suite: "mock".into(),
            task: "mock/steps".into(),
            method: "mock-sgd".into(),
            revision,
            engine: "flex".into(),
            metric: "eval/return".into(),
            params: params.collect(),
            inputs: BTreeMap::new(),
            runs: vec![Scored {
                seed: 0,
                value: 1.0,
                metrics_hash: String::new(),
                commit: String::new(),
                cpu: String::new(),
            }],
        }
    }

    fn cell(params: &[(&str, Value)]) -> Cell {
        let Configuration {
            suite,
            task,
            method,
            revision,
            engine,
            params,
            inputs,
            ..
        } = configuration(1, params);
        Cell {
            format: CELL_FORMAT,
            suite,
            task,
            method,
            revision,
            seed: 0,
            engine,
            params,
            inputs,
        }
    }

    fn set(configurations: &[Configuration]) -> RecordSet {
        RecordSet {
            configurations: configurations.to_vec(),
        }
    }

    fn found<'s>(set: &'s RecordSet, cell: &Cell) -> Result<Counterpart<'s>, String> {
        set.counterpart(cell, "eval/return")
    }

    #[test]
    fn the_most_alike_of_those_that_fit_is_taken() {
        let steps = ("steps", json!(10));
        let set = set(&[
            configuration(2, std::slice::from_ref(&steps)),
            configuration(1, std::slice::from_ref(&steps)),
            configuration(1, &[steps.clone(), ("old", json!(1))]),
        ]);
        let same = found(&set, &cell(std::slice::from_ref(&steps))).unwrap();
        assert!(std::ptr::eq(
            same.configuration,
            &raw const set.configurations[1]
        ));
        assert!(same.notes.is_empty());
        // A parameter that is new: the same work, as far as anybody knows.
        let new = found(&set, &cell(&[steps.clone(), ("new", json!(0.5))])).unwrap();
        assert_eq!(new.configuration.revision, 1);
        assert_eq!(
            new.notes,
            ["parameters that the baseline does not have: new"]
        );
        let old = found(&set, &cell(&[steps, ("old", json!(1))])).unwrap();
        assert!(old.notes.is_empty());
    }

    #[test]
    fn another_revision_or_engine_is_compared_and_said() {
        let mut other = configuration(3, &[("steps", json!(10))]);
        other.engine = "libtorch".into();
        other.inputs.insert("data".into(), "sha256:1".into());
        let set = set(&[other]);
        let found = found(&set, &cell(&[("steps", json!(10))])).unwrap();
        assert_eq!(
            found.notes,
            [
                "revision 3 there, 1 now",
                "engine libtorch there, flex now",
                "other inputs: data"
            ]
        );
    }

    #[test]
    fn another_budget_or_metric_is_not() {
        let set = set(&[configuration(
            1,
            &[("steps", json!(10)), ("noise", json!(0.1))],
        )]);
        let reason =
            found(&set, &cell(&[("steps", json!(20)), ("noise", json!(0.1))])).unwrap_err();
        assert_eq!(
            reason,
            "not in the baseline; the nearest there differs in steps: 10 there, 20 now"
        );
        let same = cell(&[("steps", json!(10)), ("noise", json!(0.1))]);
        let reason = set.counterpart(&same, "eval/top1").unwrap_err();
        assert_eq!(
            reason,
            "the baseline has its eval/return, not its eval/top1"
        );
        let nothing = RecordSet::default();
        assert_eq!(found(&nothing, &same).unwrap_err(), "not in the baseline");
    }

    #[test]
    fn what_cannot_be_told_apart_is_not_guessed() {
        let pair = [json!(1), json!(2)]
            .map(|value| configuration(1, &[("steps", json!(10)), ("old", value)]));
        let set = set(&pair);
        let reason = found(&set, &cell(&[("steps", json!(10))])).unwrap_err();
        assert_eq!(
            reason,
            "2 configurations of the baseline fit it equally well"
        );
    }

    #[test]
    fn a_configuration_goes_to_one_row() {
        let set = set(&[configuration(1, &[("steps", json!(10))])]);
        let with = |value: Value| found(&set, &cell(&[("steps", json!(10)), ("new", value)]));
        let mut rows = [
            found(&set, &cell(&[("steps", json!(10))])),
            with(json!(1)),
            with(json!(2)),
        ];
        each_once(&mut rows);
        assert_eq!(rows.map(|row| row.is_ok()), [true, false, false]);
        let mut rows = [with(json!(1)), with(json!(2))];
        each_once(&mut rows);
        assert_eq!(rows.map(|row| row.is_ok()), [false, false]);
    }
}
