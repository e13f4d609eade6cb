//! The words for what goes wrong while a matrix is multiplied out.

use std::collections::BTreeSet;

use miette::SourceSpan;
use serde_json::Value;

use super::document::{Setting, shown};
use super::error::{Fault, Problem};
use super::expand::Point;
use super::names;
use super::yaml::Key;
use crate::cell::Cell;
use crate::method::{Method, ParamError};

/// More cells than any experiment has.
pub(super) fn too_many(scale: &Key, cells: u128, limit: u128) -> Problem {
    let fault = Fault::TooManyCells {
        scale: scale.name.clone(),
        cells,
        limit,
    };
    Problem::at(fault, scale.span, "this scale")
        .help("split the experiment, or give this scale shorter axes")
}

/// A task that a method cannot run.
pub(super) fn unsupported(
    method: &dyn Method,
    task: &str,
    span: SourceSpan,
    reason: String,
) -> Problem {
    let fault = Fault::Unsupported {
        method: method.name().to_owned(),
        task: task.to_owned(),
        reason,
    };
    let help = format!(
        "leave it out: `exclude: [{{task: {task}, method: {}}}]`",
        method.name()
    );
    Problem::at(fault, span, "this task").help(help)
}

/// A parameter in an override that a matched method does not have.
pub(super) fn override_param(
    method: &dyn Method,
    setting: &Setting,
    known: &BTreeSet<String>,
) -> Problem {
    let key = &setting.key.name;
    let fault = Fault::OverrideParam {
        method: method.name().to_owned(),
        key: key.clone(),
    };
    Problem::at(fault, setting.key.span, "unknown parameter").help(nearest_parameter(key, known))
}

/// A parameter that no method has.
pub(super) fn foreign_param(key: &Key, known: &BTreeSet<String>) -> Problem {
    let problem = Problem::at(
        Fault::ForeignParam(key.name.clone()),
        key.span,
        "unknown parameter",
    );
    problem.help(nearest_parameter(&key.name, known))
}

fn nearest_parameter(key: &str, known: &BTreeSet<String>) -> String {
    names::hint(
        "parameter",
        key,
        &known.iter().map(String::as_str).collect::<Vec<_>>(),
    )
}

/// A parameter that its method refuses, given at `span`, or by default where the method's name stands at `span`.
pub(super) fn refused(
    error: ParamError,
    method: &dyn Method,
    span: SourceSpan,
    default: Option<&Value>,
) -> Problem {
    let help = match (&error, default) {
        (ParamError::Unknown { key, valid }, _) => names::hint(
            "parameter",
            key,
            &valid.iter().map(String::as_str).collect::<Vec<_>>(),
        ),
        (_, Some(default)) => format!("the default of {} is {}", method.name(), shown(default)),
        (_, None) => format!("`{}` is a parameter of {}", error.key(), method.name()),
    };
    Problem::at(Fault::Param(error), span, "this value").help(help)
}

/// Two cells that are the same: the one at `twin`, and `cell` at `point`.
pub(super) fn duplicate(scale: &Key, cell: &Cell, twin: &Point<'_>, point: &Point<'_>) -> Problem {
    let name = format!("{} on {}, seed {}", cell.method, cell.task, cell.seed);
    let fault = Fault::DuplicateCell {
        scale: scale.name.clone(),
        cell: name,
    };
    let label = "the same as another value";
    let differing = point.iter().find_map(|(axis, here)| {
        Some((axis, twin.get(axis)?, here)).filter(|_| twin.get(axis) != Some(here))
    });
    let Some((axis, (there, _), (here, span))) = differing else {
        return Problem::at(fault, scale.span, label);
    };
    let help = format!(
        "{axis} {} and {axis} {} come to the same: are they equal, or does an override set `{axis}`?",
        shown(there),
        shown(here)
    );
    Problem::at(fault, *span, label).help(help)
}
