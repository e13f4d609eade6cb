//! The summary on the terminal: the numbers of the tables as plain text.

use std::fmt::Write as _;

use crate::analysis::{Analysis, EntropyRow, NormalisedRow};
use crate::domain::{Domain, ECE, ENTROPY, NLL, PASS_AT_MOST, RESPONSE_ENTROPY, TOP_FIVE};
use crate::number::Printed;

/// Fewest columns that labels are given before the numbers behind them are folded.
const SHORTEST_LABEL: usize = 16;
/// Narrowest width that is laid out for; below it lines run over.
const NARROWEST: usize = 40;
/// Columns between two columns of a table.
const GAP: usize = 2;
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

#[derive(Debug)]
enum Line {
    /// A line across all columns.
    Heading(String),
    Cells(Vec<String>),
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

/// Columns as wide as their widest cell, [`GAP`] apart, all but the first to the right. Where that is too wide, labels that
/// leave too little room stand on lines of their own; where that is not enough, the last columns of each line go to another
/// line under it.
fn push_table(text: &mut String, lines: &[Line], width: usize) {
    let widths = widths(lines, width);
    let starts = starts(&widths, width);
    for line in lines {
        match line {
            Line::Heading(heading) => push_wrapped(text, heading, 0, width),
            Line::Cells(cells) => push_cells(text, cells, &widths, &starts, width),
        }
    }
}

/// How wide each column is.
fn widths(lines: &[Line], width: usize) -> Vec<usize> {
    let cells = || {
        lines.iter().filter_map(|line| match line {
            Line::Cells(cells) => Some(cells),
            Line::Heading(_) => None,
        })
    };
    let mut widths: Vec<usize> = Vec::new();
    for cells in cells() {
        widths.resize(widths.len().max(cells.len()), 0);
        for (column, cell) in widths.iter_mut().zip(cells) {
            *column = (*column).max(cell.chars().count());
        }
    }
    let Some((labels, numbers)) = widths.split_first_mut() else {
        return widths;
    };
    let taken: usize = numbers.iter().map(|column| column + GAP).sum();
    let beside = width.saturating_sub(taken + GAP);
    let room = match beside {
        SHORTEST_LABEL.. => beside,
        _ => width - GAP,
    };
    if *labels > room {
        let short = cells().filter_map(|cells| cells.first());
        let short = short.map(|label| label.chars().count());
        *labels = short.filter(|label| *label <= room).max().unwrap_or(0);
    }
    widths
}

/// Where each column starts, as (line, offset).
fn starts(widths: &[usize], width: usize) -> Vec<(usize, usize)> {
    let mut starts = Vec::new();
    let (mut line, mut offset) = (0, GAP);
    for column in widths {
        if offset + column > width && offset > 2 * GAP {
            (line, offset) = (line + 1, 2 * GAP);
        }
        starts.push((line, offset));
        offset += column + GAP;
    }
    starts
}

fn push_cells(
    text: &mut String,
    cells: &[String],
    widths: &[usize],
    starts: &[(usize, usize)],
    width: usize,
) {
    let mut on = (0, String::new());
    for (at, cell) in cells.iter().enumerate() {
        let ((line, offset), column) = (starts[at], widths[at]);
        if at == 0 && cell.chars().count() > column {
            push_wrapped(text, cell, offset, width);
            continue;
        }
        if line != on.0 {
            let _ = writeln!(text, "{}", on.1.trim_end());
            on = (line, String::new());
        }
        let gap = offset.saturating_sub(on.1.chars().count());
        let _ = match at {
            0 => write!(on.1, "{:gap$}{cell:<column$}", ""),
            _ => write!(on.1, "{:gap$}{cell:>column$}", ""),
        };
    }
    let _ = writeln!(text, "{}", on.1.trim_end());
}

/// Words wrapped at `width`; lines after the first are two further in.
fn push_wrapped(text: &mut String, words: &str, indent: usize, width: usize) {
    let mut line = " ".repeat(indent);
    let mut empty = true;
    for word in words.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > width {
            let _ = writeln!(text, "{line}");
            line = " ".repeat(indent + 2);
        } else if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    let _ = writeln!(text, "{}", line.trim_end());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_is_too_wide_goes_on_below() {
        let cells = |cells: &[&str]| Line::Cells(cells.iter().map(ToString::to_string).collect());
        let lines = [
            cells(&["method", "value", "interval"]),
            cells(&["a", "1", "[0, 2]"]),
        ];
        let laid_out = |width| {
            let mut text = String::new();
            push_table(&mut text, &lines, width);
            text
        };
        assert_eq!(
            laid_out(40),
            "  method  value  interval\n  a           1    [0, 2]\n"
        );
        assert_eq!(
            laid_out(16),
            "  method  value\n    interval\n  a           1\n      [0, 2]\n"
        );
    }

    #[test]
    fn a_label_that_is_too_long_stands_alone() {
        let cells = |cells: &[&str]| Line::Cells(cells.iter().map(ToString::to_string).collect());
        let lines = [
            cells(&["method", "value"]),
            cells(&["sixteen letters.", "1"]),
            cells(&["more letters than there is room for", "22"]),
        ];
        let laid_out = |width| {
            let mut text = String::new();
            push_table(&mut text, &lines, width);
            text
        };
        assert_eq!(
            laid_out(40),
            "  method            value\n  sixteen letters.      1\n  more letters than there is room for\n                       22\n"
        );
        assert!(laid_out(44).ends_with("  more letters than there is room for     22\n"));
    }

    #[test]
    fn words_wrap() {
        let mut text = String::new();
        push_wrapped(&mut text, "some words that are long", 2, 14);
        assert_eq!(text, "  some words\n    that are\n    long\n");
    }
}
