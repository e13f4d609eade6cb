//! The summary on the terminal: the numbers of the tables as plain text.

pub(crate) mod layout;

use crate::analysis::{Analysis, EntropyRow, NormalisedRow};
use crate::domain::{Domain, ECE, ENTROPY, NLL, PASS_AT_MOST, RESPONSE_ENTROPY, TOP_FIVE};
use crate::number::Printed;

use layout::{Line, push_table, push_wrapped};

/// Narrowest width that is laid out for; below it lines run over.
const NARROWEST: usize = 40;
/// Cells that are named before the rest is counted.
const NAMED: usize = 8;

/// What is said about one study, before it is known how wide the terminal is.
#[derive(Debug)]
pub(crate) struct Summary(Vec<Block>);

#[derive(Debug)]
enum Block {
    /// Words to be wrapped, indented by this much.
    Words(usize, String),
    Table(Vec<Line>),
}

impl Summary {
    pub(crate) fn new(analysis: &Analysis<'_>) -> Self {
        let study = analysis.board.study;
        let mut summary = Self(Vec::new());
        summary.say(
            0,
            format!(
                "{} at scale {}: {}",
                study.experiment, analysis.scale, study.about
            ),
        );
        if analysis.smoke() {
            summary.say(0, Analysis::SMOKE);
        }
        summary.say(0, "");
        if analysis.scores().is_empty() {
            summary.say(0, "no cell is finished");
        } else {
            let table = match analysis.domain() {
                Domain::Control => tasks(analysis),
                Domain::Vision => classification(analysis),
                Domain::Llm => language_models(analysis),
            };
            if analysis.domain() == Domain::Vision {
                summary.say(0, "top-1, top-5 and ECE in per cent, entropies in nats");
            }
            summary.0.push(Block::Table(table));
            summary.over_all(analysis);
        }
        summary.pairs(analysis);
        summary.left_out(analysis);
        summary
    }

    fn say(&mut self, indent: usize, words: impl Into<String>) {
        self.0.push(Block::Words(indent, words.into()));
    }

    fn over_all(&mut self, analysis: &Analysis<'_>) {
        if analysis.scores().len() < 2 || !analysis.domain().normalises() {
            return;
        }
        self.say(0, "");
        match &analysis.normalised {
            Ok(normalised) => {
                self.say(
                    0,
                    format!(
                        "all {} tasks, normalised: 0 is the mean return of all runs at their first evaluation, 1 that \
                         of {} at its last",
                        normalised.tasks, normalised.baseline
                    ),
                );
                let row = |row: &NormalisedRow| {
                    let runs: usize = row.scores.iter().map(Vec::len).sum();
                    let iqm = Some(&row.iqm);
                    Line::Cells(vec![
                        row.method.clone(),
                        runs.to_string(),
                        value(iqm),
                        interval(iqm),
                    ])
                };
                self.0
                    .push(Block::Table(normalised.rows.iter().map(row).collect()));
            }
            Err(reason) => self.say(0, format!("no score over all tasks: {reason}")),
        }
    }

    fn pairs(&mut self, analysis: &Analysis<'_>) {
        if analysis.pairs.is_empty() {
            return;
        }
        self.say(0, "");
        let mut lines = vec![Line::Heading("probability of improvement".into())];
        for pair in &analysis.pairs {
            lines.push(Line::Heading(format!("{} over {}", pair.left, pair.right)));
            for comparison in pair.tasks.iter().chain(&pair.all) {
                let task = if comparison.task.is_empty() {
                    "all tasks"
                } else {
                    &comparison.task
                };
                let probability = Some(&comparison.probability);
                lines.push(Line::Cells(vec![
                    format!("  {task}"),
                    value(probability),
                    interval(probability),
                ]));
            }
        }
        self.0.push(Block::Table(lines));
    }

    fn left_out(&mut self, analysis: &Analysis<'_>) {
        let left_out = &analysis.board.left_out;
        if left_out.is_empty() {
            return;
        }
        self.say(0, "");
        self.say(0, format!("{}:", analysis.left_out_line()));
        // What went wrong comes first: it needs somebody to look at it.
        let mut named: Vec<_> = left_out.iter().collect();
        named.sort_by_key(|cell| !cell.fault);
        for cell in named.iter().take(NAMED) {
            self.say(2, format!("{}: {}", cell.cell, cell.reason));
        }
        if let Some(more @ 1..) = named.len().checked_sub(NAMED) {
            self.say(2, format!("and {more} more"));
        }
    }

    /// The summary as text, no wider than `width` columns unless a single word is.
    pub(crate) fn lay_out(&self, width: usize) -> String {
        let width = width.max(NARROWEST);
        let mut text = String::new();
        for block in &self.0 {
            match block {
                Block::Words(indent, words) => push_wrapped(&mut text, words, *indent, width),
                Block::Table(lines) => push_table(&mut text, lines, width),
            }
        }
        text
    }
}

/// Every task with a line for each method.
fn tasks(analysis: &Analysis<'_>) -> Vec<Line> {
    let heading = ["method", "runs", "IQM", "95 % interval", "entropy", "bound"];
    let mut lines = vec![Line::Cells(heading.map(str::to_owned).to_vec())];
    for task in analysis.scores() {
        lines.push(Line::Heading(task.task.clone()));
        for row in &task.rows {
            let entropy = analysis.entropy_of(&task.task, &row.method);
            lines.push(Line::Cells(vec![
                row.method.clone(),
                format!("{}/{}", row.scores.len(), row.planned),
                value(row.iqm.as_ref()),
                interval(row.iqm.as_ref()),
                entropy.map_or("-".into(), EntropyRow::mean_text),
                entropy
                    .and_then(EntropyRow::bound_text)
                    .unwrap_or("-".into()),
            ]));
        }
    }
    lines
}

/// Every task of image classification with a line for each method; the interval is that of top-1 accuracy, `min H` the lowest
/// entropy of any prediction.
fn classification(analysis: &Analysis<'_>) -> Vec<Line> {
    let heading = [
        "method",
        "runs",
        "top-1",
        "95 % interval",
        "top-5",
        "NLL",
        "ECE",
        "min H",
        "H0",
    ];
    let mut lines = vec![Line::Cells(heading.map(str::to_owned).to_vec())];
    for task in analysis.scores() {
        lines.push(Line::Heading(task.task.clone()));
        for row in &task.rows {
            let entropy = analysis.entropy_of(&task.task, &row.method);
            let of = |measure| {
                let row = analysis.result(measure, &task.task, &row.method);
                value(row.and_then(|row| row.iqm.as_ref()))
            };
            lines.push(Line::Cells(vec![
                row.method.clone(),
                format!("{}/{}", row.scores.len(), row.planned),
                value(row.iqm.as_ref()),
                interval(row.iqm.as_ref()),
                of(&TOP_FIVE),
                of(&NLL),
                of(&ECE),
                entropy
                    .and_then(EntropyRow::lowest_text)
                    .unwrap_or("-".into()),
                entropy
                    .and_then(EntropyRow::bound_text)
                    .unwrap_or("-".into()),
            ]));
        }
    }
    lines
}

/// Every task of language models with a line for each method; the interval is that of accuracy.
fn language_models(analysis: &Analysis<'_>) -> Vec<Line> {
    let heading = [
        "method",
        "runs",
        "accuracy %",
        "95 % interval",
        "pass@32 %",
        "entropy",
        "H_resp",
    ];
    let mut lines = vec![Line::Cells(heading.map(str::to_owned).to_vec())];
    for task in analysis.scores() {
        lines.push(Line::Heading(task.task.clone()));
        for row in &task.rows {
            let of = |measure| {
                let row = analysis.result(measure, &task.task, &row.method);
                value(row.and_then(|row| row.iqm.as_ref()))
            };
            lines.push(Line::Cells(vec![
                row.method.clone(),
                format!("{}/{}", row.scores.len(), row.planned),
                value(row.iqm.as_ref()),
                interval(row.iqm.as_ref()),
                of(&PASS_AT_MOST),
                of(&ENTROPY),
                of(&RESPONSE_ENTROPY),
            ]));
        }
    }
    lines
}

fn value(printed: Option<&Printed>) -> String {
    printed.map_or("-".into(), |printed| printed.value.clone())
}

fn interval(printed: Option<&Printed>) -> String {
    match printed.map(|printed| (&printed.low, &printed.high)) {
        Some((Some(low), Some(high))) => format!("[{low}, {high}]"),
        _ => "-".into(),
    }
}
