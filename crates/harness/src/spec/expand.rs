//! From a checked document to cells: axes multiplied out, parameters resolved, every scale.
//!
//! The value of a parameter is the last of: the method's default, `params`, the scale's `params`, the value on an axis,
//! an override (a later one before an earlier one). `params` and axes are shared by the methods of a matrix: each
//! method takes those that it has, and one that no method has is an error. For a method without the parameter of an
//! axis that axis has one point, so that a baseline runs once and not once for each value. An override is addressed:
//! every method that it matches must have its parameters.

use std::collections::{BTreeMap, BTreeSet};

use miette::SourceSpan;
use serde_json::Value;

use super::document::{Axis, Document, Rule, Scale};
use super::error::{Fault, Problem};
use super::{check, report};
use crate::cell::{CELL_FORMAT, Cell, Params};
use crate::method::{Method, ParamError, Suite};

/// The most cells of one scale.
const MOST_CELLS: u128 = 100_000;

/// Where a cell is in the matrix: the value of each axis that its method takes part in.
pub(super) type Point<'a> = BTreeMap<&'a str, &'a (Value, SourceSpan)>;

/// Multiplies out the matrix at every scale. The cells have no engine yet. With `whole` false something was already
/// taken out of the document as wrong: then only what is there is checked, not what is missing or left over.
pub(super) fn expand(
    document: &Document,
    suite: &Suite,
    whole: bool,
    problems: &mut Vec<Problem>,
) -> Vec<Vec<Cell>> {
    let mut expansion = Expansion {
        document,
        suite,
        whole,
        problems,
        used_overrides: BTreeSet::new(),
        used_exclusions: BTreeSet::new(),
        known: BTreeMap::new(),
    };
    let scales = document
        .scales
        .iter()
        .map(|scale| expansion.scale(scale))
        .collect();
    expansion.report_foreign_params();
    if expansion.whole {
        expansion.report_unused_rules();
    }
    scales
}

struct Expansion<'a> {
    document: &'a Document,
    suite: &'a Suite,
    whole: bool,
    problems: &'a mut Vec<Problem>,
    used_overrides: BTreeSet<usize>,
    used_exclusions: BTreeSet<usize>,
    /// Names of the parameters of all methods of a scale.
    known: BTreeMap<&'a str, BTreeSet<String>>,
}

impl<'a> Expansion<'a> {
    /// The cells of one scale, in the order task, method, further axes as in the file, seed.
    fn scale(&mut self, scale: &'a Scale) -> Vec<Cell> {
        let axes = axes(self.document, scale);
        let (Some(tasks), Some(methods), Some(seeds)) = (
            axis(&axes, "task"),
            axis(&axes, "method"),
            axis(&axes, "seed"),
        ) else {
            return Vec::new();
        };
        let count: u128 = axes.iter().map(|axis| axis.values.len() as u128).product();
        if count > MOST_CELLS {
            self.problems
                .push(report::too_many(&scale.name, count, MOST_CELLS));
            self.whole = false;
            return Vec::new();
        }
        let further: Vec<&'a Axis> = axes
            .iter()
            .copied()
            .filter(|axis| !["task", "method", "seed"].contains(&axis.key.name.as_str()))
            .collect();
        let mut cells = Vec::new();
        let mut points = Vec::new();
        for task in &tasks.values {
            for method in &methods.values {
                let fixed = Point::from([("task", task), ("method", method)]);
                for (point, cell) in self.configurations(scale, &fixed, &further, seeds) {
                    points.push(point);
                    cells.push(cell);
                }
            }
        }
        if self.whole {
            self.report_duplicates(scale, &points, &cells);
            if cells.is_empty() && self.problems.is_empty() {
                let fault = Fault::NothingLeft(scale.name.name.clone());
                self.problems
                    .push(Problem::at(fault, scale.name.span, "this scale"));
            }
        }
        cells
    }

    /// The cells of one task and one method.
    fn configurations(
        &mut self,
        scale: &'a Scale,
        fixed: &Point<'a>,
        further: &[&'a Axis],
        seeds: &'a Axis,
    ) -> Vec<(Point<'a>, Cell)> {
        let (task, method) = (text(fixed, "task"), text(fixed, "method"));
        let Some(method) = check::method(self.suite, method) else {
            return Vec::new();
        };
        let known = parameters(method, task);
        self.known
            .entry(&scale.name.name)
            .or_default()
            .extend(known.iter().cloned());
        let taken: Vec<&Axis> = further
            .iter()
            .copied()
            .filter(|axis| known.contains(&axis.key.name))
            .collect();
        let mut points = vec![fixed.clone()];
        for axis in taken.into_iter().chain([seeds]) {
            points = multiply(&points, axis);
        }
        points.retain(|point| !self.is_excluded(point));
        if points.is_empty() {
            return Vec::new();
        }
        if let Err(reason) = method.supports(task) {
            self.problems
                .push(report::unsupported(method, task, fixed["task"].1, reason));
            return Vec::new();
        }
        let cells = points.into_iter().filter_map(|point| {
            let cell = self.cell(scale, method, &known, &point)?;
            Some((point, cell))
        });
        cells.collect()
    }

    fn cell(
        &mut self,
        scale: &'a Scale,
        method: &'static dyn Method,
        known: &BTreeSet<String>,
        point: &Point<'a>,
    ) -> Option<Cell> {
        let task = text(point, "task");
        let given = self.given(scale, method, known, point);
        let params = self.resolve(method, point, &given)?;
        Some(Cell {
            format: CELL_FORMAT,
            suite: self.suite.name.to_owned(),
            task: task.to_owned(),
            method: method.name().to_owned(),
            revision: method.revision(),
            seed: point.get("seed")?.0.as_u64()?,
            engine: String::new(),
            params,
            inputs: (check::task(self.suite, task)?.inputs)(),
        })
    }

    /// What the file gives for the method's parameters at this point, with its place.
    fn given(
        &mut self,
        scale: &'a Scale,
        method: &dyn Method,
        known: &BTreeSet<String>,
        point: &Point<'a>,
    ) -> BTreeMap<&'a str, (&'a Value, SourceSpan)> {
        let mut given = BTreeMap::new();
        let shared = self.document.params.iter().chain(&scale.params);
        for setting in shared.filter(|setting| known.contains(&setting.key.name)) {
            given.insert(setting.key.name.as_str(), (&setting.value, setting.span));
        }
        for (key, (value, span)) in point.iter().filter(|(key, _)| known.contains(**key)) {
            given.insert(key, (value, *span));
        }
        for (index, rule) in self.document.overrides.iter().enumerate() {
            if !matches(rule, point) {
                continue;
            }
            self.used_overrides.insert(index);
            for setting in &rule.params {
                if known.contains(&setting.key.name) || known.is_empty() {
                    given.insert(setting.key.name.as_str(), (&setting.value, setting.span));
                } else {
                    self.problems
                        .push(report::override_param(method, setting, known));
                }
            }
        }
        given
    }

    /// Resolves `given`; refused parameters are reported one after the other, each at its own place.
    fn resolve(
        &mut self,
        method: &'static dyn Method,
        point: &Point<'a>,
        given: &BTreeMap<&'a str, (&'a Value, SourceSpan)>,
    ) -> Option<Params> {
        let task = text(point, "task");
        let value = |(key, (value, _)): (&&str, &(&Value, SourceSpan))| {
            ((*key).to_owned(), (*value).clone())
        };
        let mut params: Params = given.iter().map(value).collect();
        let mut refused = false;
        loop {
            let error = match method.resolve(task, &params) {
                Ok(resolved) => return (!refused).then_some(resolved),
                Err(error) => error,
            };
            refused = true;
            let removed = params.remove(error.key()).is_some();
            let at_value = given.get(error.key()).map(|(_, span)| *span);
            let span = at_value.or(point.get("method").map(|(_, span)| *span))?;
            let defaults = method.resolve(task, &Params::new()).unwrap_or_default();
            let default = defaults.get(error.key());
            self.problems
                .push(report::refused(error, method, span, default));
            if !removed {
                return None;
            }
        }
    }

    fn is_excluded(&mut self, point: &Point<'a>) -> bool {
        let mut excluded = false;
        for (index, rule) in self.document.exclude.iter().enumerate() {
            if matches(rule, point) {
                self.used_exclusions.insert(index);
                excluded = true;
            }
        }
        excluded
    }

    /// Parameters and axes that no method has: those of the file at any scale, those of a scale at that scale.
    fn report_foreign_params(&mut self) {
        if !self.whole {
            // A method that was misspelt is not there to know its parameters.
            let all = all_params(self.suite);
            self.known
                .values_mut()
                .for_each(|known| known.extend(all.iter().cloned()));
        }
        let everywhere: BTreeSet<String> = self.known.values().flatten().cloned().collect();
        let axes = self.document.axes.iter().map(|axis| &axis.key);
        let axes = axes.filter(|key| !["task", "method", "seed"].contains(&key.name.as_str()));
        let mut keys: Vec<_> = axes
            .chain(self.document.params.iter().map(|setting| &setting.key))
            .map(|key| (key, &everywhere))
            .collect();
        for scale in &self.document.scales {
            if let Some(known) = self.known.get(scale.name.name.as_str()) {
                keys.extend(scale.params.iter().map(|setting| (&setting.key, known)));
            }
        }
        for (key, known) in keys {
            if !known.contains(&key.name) && !known.is_empty() {
                self.problems.push(report::foreign_param(key, known));
            }
        }
    }

    fn report_unused_rules(&mut self) {
        let document = self.document;
        let unused = |rules: &'a [Rule], used: &BTreeSet<usize>| -> Vec<SourceSpan> {
            rules
                .iter()
                .enumerate()
                .filter(|(index, _)| !used.contains(index))
                .map(|(_, rule)| rule.span)
                .collect()
        };
        for (what, rules, used) in [
            ("override", &document.overrides, &self.used_overrides),
            ("exclusion", &document.exclude, &self.used_exclusions),
        ] {
            for span in unused(rules, used) {
                let problem = Problem::at(Fault::MatchesNothing(what), span, "matches nothing");
                self.problems.push(
                    problem.help("no cell of any scale fulfils all of its conditions together"),
                );
            }
        }
    }

    /// Cells with equal parameters although they stand at different points of the matrix: the first pair, as further
    /// seeds, tasks and scales would only say the same again.
    fn report_duplicates(&mut self, scale: &Scale, points: &[Point<'a>], cells: &[Cell]) {
        if self
            .problems
            .iter()
            .any(|problem| matches!(problem.fault, Fault::DuplicateCell { .. }))
        {
            return;
        }
        let mut first: BTreeMap<String, usize> = BTreeMap::new();
        for (index, cell) in cells.iter().enumerate() {
            if let Some(twin) = first.insert(cell.canonical(), index) {
                let problem = report::duplicate(&scale.name, cell, &points[twin], &points[index]);
                return self.problems.push(problem);
            }
        }
    }
}

/// The names of the parameters of all methods of a suite.
/// The names of a method's parameters. Its defaults alone may be refused (a task may need one to be set), so they are asked for with a
/// name that no parameter has.
fn parameters(method: &dyn Method, task: &str) -> BTreeSet<String> {
    let nameless = Params::from([(String::new(), Value::Null)]);
    match method.resolve(task, &nameless) {
        Err(ParamError::Unknown { valid, .. }) => valid.into_iter().collect(),
        _ => BTreeSet::new(),
    }
}

fn all_params(suite: &Suite) -> BTreeSet<String> {
    let pairs = suite
        .methods
        .iter()
        .flat_map(|method| suite.tasks.iter().map(move |task| (method, task)));
    pairs
        .filter_map(|(method, task)| method.resolve(task.name, &Params::new()).ok())
        .flat_map(Params::into_keys)
        .collect()
}

/// The axes of the matrix with those that the scale replaces.
fn axes<'a>(document: &'a Document, scale: &'a Scale) -> Vec<&'a Axis> {
    let replaced = |axis: &'a Axis| {
        scale
            .axes
            .iter()
            .find(|other| other.key.name == axis.key.name)
            .unwrap_or(axis)
    };
    document.axes.iter().map(replaced).collect()
}

fn axis<'a>(axes: &[&'a Axis], name: &str) -> Option<&'a Axis> {
    axes.iter().copied().find(|axis| axis.key.name == name)
}

/// Every point with every value of the axis.
fn multiply<'a>(points: &[Point<'a>], axis: &'a Axis) -> Vec<Point<'a>> {
    let with = |point: &Point<'a>, value| {
        let mut point = point.clone();
        point.insert(axis.key.name.as_str(), value);
        point
    };
    points
        .iter()
        .flat_map(|point| axis.values.iter().map(move |value| with(point, value)))
        .collect()
}

/// Whether the point fulfils every condition of the rule.
fn matches(rule: &Rule, point: &Point<'_>) -> bool {
    rule.conditions.iter().all(|condition| {
        let here = point.get(condition.key.name.as_str());
        here.is_some_and(|(here, _)| condition.values.iter().any(|(value, _)| value == here))
    })
}

fn text<'a>(point: &Point<'a>, axis: &str) -> &'a str {
    point
        .get(axis)
        .and_then(|(value, _)| value.as_str())
        .unwrap_or_default()
}
