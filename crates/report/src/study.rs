//! What a report is about: the cells that an experiment expects and what is to be made of their records.

use std::collections::{BTreeMap, BTreeSet};

use era_harness::spec::Plan;
use era_harness::{Cell, Params};

/// One experiment at one scale: all of its cells, finished or not.
#[derive(Clone, Debug, PartialEq)]
pub struct Study {
    /// Name of the experiment, for example `control`; also the folder of what is made.
    pub experiment: String,
    /// One line for people.
    pub about: String,
    /// Every cell that the experiment has at this scale, in the order of its matrix. Not only those that were run just
    /// now: a report that depends on the last command's choice would differ from one command to the next.
    pub cells: Vec<Cell>,
    /// Names of tables, of [`TABLES`](crate::TABLES).
    pub tables: Vec<String>,
    /// Names of figures, of [`FIGURES`](crate::FIGURES).
    pub figures: Vec<String>,
}

impl From<&Plan> for Study {
    fn from(plan: &Plan) -> Self {
        Self {
            experiment: plan.experiment.clone(),
            about: plan.about.clone(),
            cells: plan.cells.clone(),
            tables: plan.report.tables.clone(),
            figures: plan.report.figures.clone(),
        }
    }
}

impl Study {
    /// What a cell's method is called in this study: its name, and in brackets the parameters that differ between
    /// cells of the same method and task (the further axes of a matrix), as short as they can be told apart:
    /// `sac-era (learned, target_entropy=-0.5)`.
    pub(crate) fn labels(&self) -> Vec<String> {
        let mut groups: BTreeMap<(&str, &str), Vec<&Params>> = BTreeMap::new();
        for cell in &self.cells {
            groups
                .entry((&cell.task, &cell.method))
                .or_default()
                .push(&cell.params);
        }
        let mut varying: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for ((_, method), params) in &groups {
            varying.entry(method).or_default().extend(differing(params));
        }
        let telling: BTreeMap<&str, Vec<&str>> = varying
            .iter()
            .map(|(method, names)| (*method, self.telling(method, names)))
            .collect();
        let labels = |write: Write| -> Vec<String> {
            let label = |cell: &Cell| label(cell, &telling[cell.method.as_str()], write);
            self.cells.iter().map(label).collect()
        };
        let (short, full) = (labels(in_short), labels(in_full));
        let distinct = |labels: &[String]| labels.iter().collect::<BTreeSet<_>>().len();
        if distinct(&short) == distinct(&full) {
            short
        } else {
            full
        }
    }

    /// The names out of `varying` that are enough to tell a method's configurations apart, choices before numbers: of a
    /// temperature that is learned from 1 or fixed at 0.01 only the choice.
    fn telling<'s>(&self, method: &str, varying: &BTreeSet<&'s str>) -> Vec<&'s str> {
        let cells = self.cells.iter().filter(|cell| cell.method == method);
        let params: Vec<&Params> = cells.map(|cell| &cell.params).collect();
        let distinct = |names: &[&str]| {
            let values = |params: &Params| -> Vec<String> {
                let value = |name: &&str| params.get(*name).map(ToString::to_string);
                names
                    .iter()
                    .map(|name| value(name).unwrap_or_default())
                    .collect()
            };
            params
                .iter()
                .map(|params| values(params))
                .collect::<BTreeSet<_>>()
                .len()
        };
        let is_choice = |name: &&&str| {
            let mut values = params.iter().filter_map(|params| params.get(**name));
            values.all(serde_json::Value::is_string)
        };
        let (choices, others): (Vec<&&str>, Vec<&&str>) = varying.iter().partition(is_choice);
        let mut telling: Vec<&str> = Vec::new();
        for name in choices.into_iter().chain(others) {
            let more = [telling.as_slice(), &[*name]].concat();
            if distinct(&more) > distinct(&telling) {
                telling = more;
            }
        }
        telling
    }
}

/// Writes a parameter, given its name and its value.
type Write = fn(&str, &serde_json::Value) -> String;

fn label(cell: &Cell, names: &[&str], write: Write) -> String {
    let params = names.iter().copied();
    let params = params.filter_map(|name| Some((name, cell.params.get(name)?)));
    with_params(&cell.method, params.map(|(name, value)| write(name, value)))
}

/// What a method with these parameters is called, all of them told.
pub(crate) fn labelled<'p>(
    method: &str,
    params: impl Iterator<Item = (&'p String, &'p serde_json::Value)>,
) -> String {
    with_params(method, params.map(|(name, value)| in_short(name, value)))
}

fn with_params(method: &str, params: impl Iterator<Item = String>) -> String {
    let params: Vec<String> = params.collect();
    match params.as_slice() {
        [] => method.to_owned(),
        params => format!("{method} ({})", params.join(", ")),
    }
}

fn in_full(name: &str, value: &serde_json::Value) -> String {
    format!("{name}={}", shown(value))
}

/// A choice is its word alone; another parameter's name goes without its unit.
fn in_short(name: &str, value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(word) => word.clone(),
        value => format!(
            "{}={}",
            name.strip_suffix("_per_dim").unwrap_or(name),
            shown(value)
        ),
    }
}

/// Names of the parameters that do not have the same value everywhere.
fn differing<'a>(params: &[&'a Params]) -> impl Iterator<Item = &'a str> {
    let names: BTreeSet<&str> = params
        .iter()
        .flat_map(|params| params.keys())
        .map(String::as_str)
        .collect();
    names
        .into_iter()
        .filter(|name| {
            params
                .iter()
                .any(|other| other.get(*name) != params[0].get(*name))
        })
        .collect::<Vec<_>>()
        .into_iter()
}

/// A parameter's value as one would write it.
fn shown(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        other => {
            let text = other.to_string();
            match text.strip_suffix(".0") {
                Some(whole) => whole.to_owned(),
                None => text,
            }
        }
    }
}
