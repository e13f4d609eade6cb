//! `--only KEY=VALUE`: which cells of a plan are meant.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde_json::Value;

use super::error::{Fault, Problem};
use super::names;
use crate::cell::Cell;

/// `KEY=VALUE` of `--only`: `task`, `method`, `seed` or the name of a parameter, and one value or several with commas
/// between them. A cell passes when its value is one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// What is compared.
    pub key: String,
    /// The values that pass.
    pub values: Vec<String>,
}

/// The text is not `KEY=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not KEY=VALUE (for example task=mini/reacher or method=sac,sac-era)")]
pub struct FilterError(String);

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let wrong = || FilterError(text.to_owned());
        let (key, values) = text.split_once('=').ok_or_else(wrong)?;
        // `hidden=[64,64]` is one value: a list.
        let several = if values.trim_start().starts_with('[') {
            vec![values]
        } else {
            values.split(',').collect()
        };
        let values: Vec<String> = several
            .into_iter()
            .map(|value| value.trim().to_owned())
            .collect();
        if key.trim().is_empty() || values.iter().any(String::is_empty) {
            return Err(wrong());
        }
        Ok(Self {
            key: key.trim().to_owned(),
            values,
        })
    }
}

/// The cells that pass, in their order.
pub(super) fn apply(filters: &[Filter], cells: &[Cell]) -> Result<Vec<Cell>, Vec<Problem>> {
    let mut wanted: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for filter in filters {
        wanted
            .entry(&filter.key)
            .or_default()
            .extend(filter.values.iter().map(String::as_str));
    }
    let problems: Vec<Problem> = wanted
        .iter()
        .flat_map(|(key, values)| unmatched(key, values, cells))
        .collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    let passes = |cell: &&Cell| {
        wanted.iter().all(|(key, values)| {
            field(cell, key).is_some_and(|field| values.iter().any(|value| is(&field, value)))
        })
    };
    let passed: Vec<Cell> = cells.iter().filter(passes).cloned().collect();
    match passed.is_empty() {
        true => Err(vec![
            Problem::outside(Fault::FilteredAll)
                .help("each matches some cells, but none matches all"),
        ]),
        false => Ok(passed),
    }
}

/// A key that no cell has, or the values that no cell has.
fn unmatched(key: &str, values: &[&str], cells: &[Cell]) -> Vec<Problem> {
    let mut present: Vec<Value> = Vec::new();
    for value in cells.iter().filter_map(|cell| field(cell, key)) {
        if !present.contains(&value) {
            present.push(value);
        }
    }
    if present.is_empty() {
        let mut valid = vec!["task", "method", "seed"];
        let mut params: Vec<&str> = cells
            .iter()
            .flat_map(|cell| cell.params.keys())
            .map(String::as_str)
            .collect();
        params.sort_unstable();
        params.dedup();
        valid.extend(params);
        let problem = Problem::outside(Fault::FilterKey(key.to_owned()));
        return vec![problem.help(names::hint("key", key, &valid))];
    }
    let texts: Vec<String> = present.iter().map(text).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let missing = values
        .iter()
        .filter(|value| !present.iter().any(|field| is(field, value)));
    let problem = |value: &&str| {
        let fault = Fault::FilterValue {
            key: key.to_owned(),
            value: (*value).to_owned(),
        };
        Problem::outside(fault).help(names::hint("value", value, &texts))
    };
    missing.map(problem).collect()
}

/// What a cell has under `key`.
fn field(cell: &Cell, key: &str) -> Option<Value> {
    match key {
        "task" => Some(cell.task.clone().into()),
        "method" => Some(cell.method.clone().into()),
        "seed" => Some(cell.seed.into()),
        _ => cell.params.get(key).cloned(),
    }
}

/// Whether `text` stands for `field`: numbers by value (`3e-4` is 0.0003, `1` is 1.0), lists as JSON, the rest as text.
fn is(field: &Value, text: &str) -> bool {
    match field {
        Value::String(field) => field == text,
        Value::Number(field) if field.is_f64() => {
            text.parse() == Ok(field.as_f64().unwrap_or(f64::NAN))
        }
        _ => serde_json::from_str::<Value>(text).is_ok_and(|value| value == *field),
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
