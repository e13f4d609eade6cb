//! A comparison as plain text, and the words that its markdown shares.

use std::fmt::Write as _;

use super::{Change, Compared, Comparison, Gap, Outcome, Row};
use crate::number::fixed;
use crate::summary::layout::{Line, push_table, push_wrapped};

/// Narrowest width that is laid out for; below it lines run over.
const NARROWEST: usize = 40;
/// Lines of notes of one kind that are shown before the rest is counted.
const NAMED: usize = 12;

/// The outcomes in the order in which they are counted, with their words.
const OUTCOMES: [(Outcome, &str); 6] = [
    (Outcome::Worse, "worse"),
    (Outcome::Undecided, "undecided"),
    (Outcome::NoWorse, "no worse"),
    (Outcome::Better, "better"),
    (Outcome::Identical, "identical"),
    (Outcome::NotCompared, "not compared"),
];

impl Comparison {
    /// The comparison as plain text of at most `width` columns: its table, what has to be known, and last the verdict.
    pub fn text(&self, width: usize) -> String {
        let width = width.max(NARROWEST);
        let mut text = String::new();
        for experiment in &self.experiments {
            let title = format!(
                "{} at scale {}, against {}: IQM of the {}",
                experiment.experiment, self.scale, self.baseline, experiment.score
            );
            push_wrapped(&mut text, &title, 0, width);
            push_table(&mut text, &table(experiment), width);
            let notes = notes(experiment);
            for note in notes.iter().take(NAMED) {
                push_wrapped(&mut text, note, 2, width);
            }
            if let Some(more @ 1..) = notes.len().checked_sub(NAMED) {
                let line = format!("and {more} more, which --json has");
                push_wrapped(&mut text, &line, 2, width);
            }
            text.push('\n');
        }
        for line in self.closing() {
            push_wrapped(&mut text, &line, 0, width);
        }
        text
    }

    /// How to read the numbers, and the verdict.
    fn closing(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.tests > 0 {
            lines.push(self.reading());
        }
        if self.elsewhere > 0 {
            lines.push(format!(
                "{} of the baseline not among these experiments",
                count(self.elsewhere, "configuration")
            ));
        }
        lines.push(self.verdict());
        lines
    }

    /// What an interval is, in a sentence.
    pub(super) fn reading(&self) -> String {
        let level = fixed(100.0 * self.level, 1);
        let family = match self.tests {
            1 => "1 row is tested".to_owned(),
            tests => {
                format!("{tests} rows are tested, so that all of them together hold with 95 %")
            }
        };
        format!(
            "change: of the IQM, relative to the baseline's; interval: {level} % ({family}); shows: the smallest true loss that \
             these runs would have shown to be beyond the margin of {} four times in five",
            margin(self.margin)
        )
    }

    /// The outcome in one line.
    pub(super) fn verdict(&self) -> String {
        let counts = OUTCOMES
            .iter()
            .filter_map(|(outcome, word)| match self.count(*outcome) {
                0 => None,
                rows => Some(format!("{rows} {word}")),
            });
        let counts: Vec<String> = counts.collect();
        let rows = count(self.rows().count(), "row");
        let mut verdict = format!("{rows}: {}", counts.join(", "));
        match self.faults().len() {
            0 => {}
            faults => {
                let _ = write!(
                    verdict,
                    "; {} that the baseline has failed",
                    count(faults, "cell")
                );
            }
        }
        verdict
    }
}

fn table(experiment: &Compared) -> Vec<Line> {
    let head = [
        "method", "runs", "now", "baseline", "change", "interval", "shows", "verdict",
    ];
    let mut lines = vec![cells(head)];
    let mut task: Option<&str> = None;
    for row in experiment.rows.iter().chain(&experiment.over_tasks) {
        let name = row.task.as_deref().unwrap_or("all tasks");
        if task != Some(name) {
            lines.push(Line::Heading(name.to_owned()));
            task = Some(name);
        }
        lines.push(cells(
            columns(row).map(|text| text.replace("WORSE", "worse <--")),
        ));
    }
    lines
}

fn cells<T: Into<String>>(texts: [T; 8]) -> Line {
    Line::Cells(texts.map(Into::into).into())
}

/// A row's method, runs, scores, change, its interval, what could have been shown, and verdict.
pub(super) fn columns(row: &Row) -> [String; 8] {
    let score = |value: Option<f64>| value.map_or_else(dash, |value| fixed(value, row.decimals));
    let change = |text: fn(&Change) -> Option<String>| {
        row.change.as_ref().and_then(text).unwrap_or_else(dash)
    };
    [
        row.method.clone(),
        runs(row),
        score(row.now),
        score(row.then),
        change(|change| Some(signed(change.value))),
        change(|change| {
            Some(format!(
                "[{}, {}]",
                number(change.low?),
                number(change.high?)
            ))
        }),
        change(|change| Some(share(change.detectable?))),
        word(row.outcome).to_owned(),
    ]
}

/// An outcome in words; what needs somebody to look at it in capitals.
fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Worse => "WORSE",
        Outcome::NotCompared => "-",
        other => OUTCOMES
            .iter()
            .find(|(known, _)| *known == other)
            .map_or("", |(_, word)| word),
    }
}

/// `5` where runs are paired or equal in number, `3 / 5` otherwise: now and in the baseline.
fn runs(row: &Row) -> String {
    match row.runs {
        (now, then) if now == then => now.to_string(),
        (now, then) => format!("{now} / {then}"),
    }
}

fn dash() -> String {
    "-".into()
}

/// A share as per cent with a sign: `-15.0 %`.
fn signed(share: f64) -> String {
    let text = number(share);
    match text.starts_with('-') || text == "0.0" {
        true => format!("{text} %"),
        false => format!("+{text} %"),
    }
}

/// A share as per cent: `12.5 %`.
pub(super) fn share(share: f64) -> String {
    format!("{} %", number(share))
}

/// A margin as it was given: `5 %`, `2.5 %`.
pub(super) fn margin(share: f64) -> String {
    format!("{} %", (1e6 * share).round() / 1e4)
}

fn number(share: f64) -> String {
    fixed(100.0 * share, 1)
}

pub(super) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// What has to be known beside a table, one line each: why rows were not compared or decided, what is left out, in what sides
/// differ. The same of several rows is said once.
pub(super) fn notes(experiment: &Compared) -> Vec<String> {
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    let mut add =
        |what: String, row: String| match lines.iter_mut().find(|(known, _)| *known == what) {
            Some((_, rows)) if rows.contains(&row) => {}
            Some((_, rows)) => rows.push(row),
            None => lines.push((what, vec![row])),
        };
    for row in experiment.rows.iter().chain(&experiment.over_tasks) {
        let name = match &row.task {
            Some(task) => format!("{task} {}", row.method),
            None => format!("{} over all tasks", row.method),
        };
        for Gap {
            cell, now, reason, ..
        } in &row.left_out
        {
            let side = if *now { "now" } else { "in the baseline" };
            add(format!("{cell}: {reason} ({side})"), String::new());
        }
        for note in row.reason.iter().chain(&row.notes) {
            add(note.clone(), name.clone());
        }
    }
    let joined = lines.into_iter().map(|(what, rows)| match rows.as_slice() {
        [none] if none.is_empty() => what,
        [first, second, third, more, ..] if !more.is_empty() => {
            format!(
                "{first}, {second}, {third} and {} more: {what}",
                rows.len() - 3
            )
        }
        few => format!("{}: {what}", few.join(", ")),
    });
    let neither = match experiment.on_neither {
        0 => None,
        rows => Some(format!(
            "{} without a score on either side",
            count(rows, "row")
        )),
    };
    joined.chain(neither).collect()
}
