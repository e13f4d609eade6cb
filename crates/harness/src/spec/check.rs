//! Checks the names in a document: suite, tasks, methods, axes, conditions, tables and figures. What is unknown is
//! reported and taken out, so that the rest can still be checked.

use std::collections::BTreeMap;

use serde_json::Value;

use super::document::{Axis, Document, Rule, SCALE, shown};
use super::error::{Fault, Problem};
use super::{Outputs, names};
use crate::method::{Method, Suite, Task};

/// The suite that the document names.
pub(super) fn suite<'a>(
    document: &Document,
    registry: &'a [Suite],
    problems: &mut Vec<Problem>,
) -> Option<&'a Suite> {
    let name = document.suite.as_ref()?;
    let found = registry.iter().find(|suite| suite.name == name.name);
    if found.is_none() {
        let valid: Vec<&str> = registry.iter().map(|suite| suite.name).collect();
        problems.push(unknown("suite", &name.name, name.span, &valid));
    }
    found
}

/// Tables and figures that the report cannot make.
pub(super) fn outputs(document: &Document, outputs: Outputs<'_>, problems: &mut Vec<Problem>) {
    let tables = document
        .tables
        .iter()
        .map(|name| ("table", name, outputs.tables));
    let figures = document
        .figures
        .iter()
        .map(|name| ("figure", name, outputs.figures));
    for (what, name, valid) in tables.chain(figures) {
        if !valid.contains(&name.name.as_str()) {
            problems.push(unknown(what, &name.name, name.span, valid));
        }
    }
}

/// Tasks, methods, the axes that scales replace, and the conditions of rules.
pub(super) fn names(document: &mut Document, suite: &Suite, problems: &mut Vec<Problem>) {
    let mut keys = vec!["task".to_owned(), "method".to_owned(), "seed".to_owned()];
    let further = document
        .axes
        .iter()
        .map(|axis| &axis.key.name)
        .filter(|name| !keys.contains(name));
    keys.extend(further.cloned().collect::<Vec<_>>());
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    for axis in &mut document.axes {
        known_values(axis, suite, problems);
    }
    for scale in &mut document.scales {
        let place = format!("scale `{}`", scale.name.name);
        let valid: Vec<&str> = keys.iter().copied().chain(SCALE).collect();
        scale
            .axes
            .retain(|axis| known_key(axis, &place, &valid, problems));
        for axis in &mut scale.axes {
            known_values(axis, suite, problems);
        }
    }
    let whole = problems.is_empty();
    let values = values_of_axes(document);
    for (rules, place) in [
        (&mut document.overrides, "`match`"),
        (&mut document.exclude, "`exclude`"),
    ] {
        // A rule without one of its conditions would match more than is meant.
        rules.retain(|rule| {
            rule.conditions
                .iter()
                .all(|axis| known_key(axis, place, &keys, problems))
        });
        // Where a value is missing from an axis because it was misspelt there, its conditions are not to blame.
        if whole {
            rules
                .iter()
                .for_each(|rule| conditions(rule, &values, problems));
        }
    }
}

/// The method of this name.
pub(super) fn method(suite: &Suite, name: &str) -> Option<&'static dyn Method> {
    suite
        .methods
        .iter()
        .copied()
        .find(|method| method.name() == name)
}

pub(super) fn task<'a>(suite: &'a Suite, name: &str) -> Option<&'a Task> {
    suite.tasks.iter().find(|task| task.name == name)
}

/// Takes tasks and methods out of `axis` that the suite does not have.
fn known_values(axis: &mut Axis, suite: &Suite, problems: &mut Vec<Problem>) {
    let what = axis.key.name.clone();
    let valid: Vec<&str> = match what.as_str() {
        "task" => suite.tasks.iter().map(|task| task.name).collect(),
        "method" => suite.methods.iter().map(|method| method.name()).collect(),
        _ => return,
    };
    axis.values.retain(|(value, span)| {
        let name = value.as_str().unwrap_or_default();
        let known = valid.contains(&name);
        if !known {
            problems.push(unknown(&what, name, *span, &valid));
        }
        known
    });
}

fn known_key(axis: &Axis, place: &str, valid: &[&str], problems: &mut Vec<Problem>) -> bool {
    let known = valid.contains(&axis.key.name.as_str());
    if !known {
        let fault = Fault::UnknownKey {
            key: axis.key.name.clone(),
            place: place.to_owned(),
        };
        let mut help = names::hint("key", &axis.key.name, valid);
        if place.starts_with("scale") {
            help.push_str("; parameters go under `params`, new axes into `matrix`");
        }
        problems.push(Problem::at(fault, axis.key.span, "unknown key").help(help));
    }
    known
}

/// The values of each axis over the matrix and all scales.
fn values_of_axes(document: &Document) -> BTreeMap<String, Vec<Value>> {
    let mut values: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let scales = document.scales.iter().flat_map(|scale| &scale.axes);
    for axis in document.axes.iter().chain(scales) {
        let all = values.entry(axis.key.name.clone()).or_default();
        for (value, _) in &axis.values {
            if !all.contains(value) {
                all.push(value.clone());
            }
        }
    }
    values
}

/// Checks that the conditions of a rule name values of their axes.
fn conditions(rule: &Rule, axes: &BTreeMap<String, Vec<Value>>, problems: &mut Vec<Problem>) {
    for condition in &rule.conditions {
        let Some(valid) = axes.get(&condition.key.name) else {
            continue;
        };
        for (value, span) in &condition.values {
            if !valid.contains(value) {
                let texts: Vec<String> = valid.iter().map(plain).collect();
                let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                let what = format!("value of `{}`:", condition.key.name);
                problems.push(unknown(&what, &plain(value), *span, &texts));
            }
        }
    }
}

fn unknown(what: &str, name: &str, span: miette::SourceSpan, valid: &[&str]) -> Problem {
    let fault = Fault::Unknown {
        what: what.to_owned(),
        name: name.to_owned(),
    };
    let kind = what.trim_end_matches(':');
    Problem::at(fault, span, format!("unknown {kind}")).help(names::hint(kind, name, valid))
}

/// A value without quotation marks.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| shown(value), str::to_owned)
}
