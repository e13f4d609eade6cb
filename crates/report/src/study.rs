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
    /// cells of the same method and task (the further axes of a matrix).
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
        let label = |cell: &Cell| {
            let names = &varying[cell.method.as_str()];
            let values: Vec<String> = names
                .iter()
                .filter_map(|name| Some(format!("{name}={}", shown(cell.params.get(*name)?))))
                .collect();
            match values.as_slice() {
                [] => cell.method.clone(),
                values => format!("{} ({})", cell.method, values.join(", ")),
            }
        };
        self.cells.iter().map(label).collect()
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
        other => other.to_string(),
    }
}
