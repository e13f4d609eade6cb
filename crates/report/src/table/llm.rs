//! Tables of language models.

use serde::Serialize;

use super::{Cell, cell};
use crate::analysis::Analysis;
use crate::domain::{
    ACCURACY, Alarm, COLLAPSE, ENTROPY, HIGH_SHARE, KL_FROM_START, LENGTH, LOW_SHARE, Measure,
    NO_SIGNAL, PASS_AT_MOST, PASS_AT_ONE, RESPONSE_ENTROPY, SILENCE, START_ACCURACY, START_ENTROPY,
    STOPPED, THRESHOLD,
};
use crate::published::Configuration;

/// Accuracies of ours, and those that others report of other problems.
#[derive(Serialize)]
pub(super) struct Accuracy<'a> {
    tasks: Vec<OfTask<AccuracyRow<'a>>>,
    published: Option<Published<'a>>,
}

/// The rows of one task.
#[derive(Serialize)]
pub(super) struct OfTask<R> {
    task: String,
    rows: Vec<R>,
}

#[derive(Serialize)]
struct AccuracyRow<'a> {
    method: &'a str,
    runs: usize,
    start: Option<Cell<'a>>,
    accuracy: Option<Cell<'a>>,
    pass_at_one: Option<Cell<'a>>,
    pass_at_most: Option<Cell<'a>>,
}

/// Published accuracies: a row for each method, a column for each set of problems.
#[derive(Serialize)]
struct Published<'a> {
    /// The models, each once.
    models: Vec<&'a str>,
    tasks: Vec<&'a str>,
    rows: Vec<PublishedRow<'a>>,
}

#[derive(Serialize)]
struct PublishedRow<'a> {
    method: String,
    /// As printed there; `None` where it is not stated.
    values: Vec<Option<&'a str>>,
}

/// What became of entropies, responses and the signal, by method.
#[derive(Serialize)]
pub(super) struct EntropyRow<'a> {
    method: &'a str,
    runs: usize,
    threshold: Option<Cell<'a>>,
    start: Option<Cell<'a>>,
    entropy: Option<Cell<'a>>,
    response_entropy: Option<Cell<'a>>,
    low_share: Option<Cell<'a>>,
    high_share: Option<Cell<'a>>,
    length: Option<Cell<'a>>,
    stopped: Option<Cell<'a>>,
    divergence: Option<Cell<'a>>,
    no_signal: Option<Cell<'a>>,
    /// Runs that gave alarm of a collapsed entropy, and of groups without signal; `None` where none recorded it.
    alarms: [Option<usize>; 2],
}

/// A block for each task with a finished run, and what is published of other tasks after them.
pub(super) fn accuracy<'a>(
    analysis: &'a Analysis<'_>,
    published: &'a [Configuration],
) -> Accuracy<'a> {
    let row = |task: &str, method: &'a str, runs: usize| {
        let of = |measure: &Measure| cell(analysis, measure, task, method);
        AccuracyRow {
            method,
            runs,
            start: of(&START_ACCURACY),
            accuracy: of(&ACCURACY),
            pass_at_one: of(&PASS_AT_ONE),
            pass_at_most: of(&PASS_AT_MOST),
        }
    };
    Accuracy {
        tasks: by_task(analysis, row),
        published: others(published),
    }
}

/// Rows made by `row` from a task, a method and the number of its finished runs.
fn by_task<'a, R>(
    analysis: &'a Analysis<'_>,
    row: impl Fn(&str, &'a str, usize) -> R,
) -> Vec<OfTask<R>> {
    let tasks = analysis.scores().iter().map(|scores| OfTask {
        task: scores.task.clone(),
        rows: scores
            .rows
            .iter()
            .map(|each| row(&scores.task, &each.method, each.scores.len()))
            .collect(),
    });
    tasks.collect()
}

fn others(published: &[Configuration]) -> Option<Published<'_>> {
    let (mut models, mut tasks, mut methods) = (Vec::new(), Vec::new(), Vec::new());
    for each in published {
        if each.number(ACCURACY.metric, None).is_none() {
            continue;
        }
        push_new(&mut models, each.setting.as_str());
        push_new(&mut tasks, each.task.as_str());
        push_new(&mut methods, each.label());
    }
    let rows = methods.into_iter().map(|method| {
        let value = |task: &&str| {
            let mut of_both = published.iter();
            let of_both = of_both.find(|each| each.task == *task && each.label() == method)?;
            let number = of_both.number(ACCURACY.metric, None)?;
            Some(number.printed.as_str())
        };
        PublishedRow {
            values: tasks.iter().map(value).collect(),
            method,
        }
    });
    let rows: Vec<PublishedRow<'_>> = rows.collect();
    (!rows.is_empty()).then_some(Published {
        models,
        tasks,
        rows,
    })
}

fn push_new<T: PartialEq>(all: &mut Vec<T>, new: T) {
    if !all.contains(&new) {
        all.push(new);
    }
}

/// Entropies and what goes with them, a block for each task with a finished run.
pub(super) fn entropy<'a>(analysis: &'a Analysis<'_>) -> Vec<OfTask<EntropyRow<'a>>> {
    by_task(analysis, |task, method, runs| {
        let of = |measure: &Measure| cell(analysis, measure, task, method);
        let raised = |alarm: &Alarm| Some(analysis.alarm_of(alarm, task, method)?.raised);
        EntropyRow {
            method,
            runs,
            threshold: of(&THRESHOLD),
            start: of(&START_ENTROPY),
            entropy: of(&ENTROPY),
            response_entropy: of(&RESPONSE_ENTROPY),
            low_share: of(&LOW_SHARE),
            high_share: of(&HIGH_SHARE),
            length: of(&LENGTH),
            stopped: of(&STOPPED),
            divergence: of(&KL_FROM_START),
            no_signal: of(&NO_SIGNAL),
            alarms: [raised(&COLLAPSE), raised(&SILENCE)],
        }
    })
}
