//! Every printed number with its name and the cells behind it: `numbers.tex` and `provenance.json`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use era_harness::CellId;
use serde::Serialize;

use crate::analysis::{Analysis, Comparison, LEVEL, SEED};
use crate::error::ReportError;
use crate::number::Printed;
use crate::published::{Configuration, Quoted};
use crate::template;

/// One printed number.
#[derive(Debug, Serialize)]
pub(crate) struct Entry {
    /// Name of its macro, without the backslash; `Low`, `High` and `Runs` are appended for what comes with it.
    #[serde(rename = "macro")]
    pub(crate) name: String,
    /// What it is, in words.
    pub(crate) about: String,
    pub(crate) printed: String,
    pub(crate) low: Option<String>,
    pub(crate) high: Option<String>,
    /// All digits of the value.
    pub(crate) value: Option<f64>,
    runs: usize,
    pub(crate) cells: Vec<CellId>,
}

/// All numbers of a study.
pub(crate) struct Ledger(Vec<Entry>);

/// `provenance.json`.
#[derive(Serialize)]
struct Provenance<'a> {
    format: u32,
    experiment: &'a str,
    scale: &'a str,
    command: String,
    records: &'a str,
    intervals: Intervals,
    runs: Vec<RunLine<'a>>,
    left_out: &'a [crate::LeftOut],
    numbers: &'a [Entry],
    /// Numbers of others that stand beside ours.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    published: Vec<&'a Quoted>,
}

#[derive(Serialize)]
struct Intervals {
    kind: &'static str,
    level: f64,
    seed: u64,
}

#[derive(Serialize)]
struct RunLine<'a> {
    cell: &'a CellId,
    commit: &'a str,
    rows: usize,
    metrics_hash: &'a str,
}

impl Ledger {
    /// Names every number of `analysis`.
    ///
    /// # Errors
    /// Two numbers would have the same name.
    pub(crate) fn new(analysis: &Analysis<'_>) -> Result<Self, ReportError> {
        let mut ledger = Self(Vec::new());
        let experiment = &analysis.board.study.experiment;
        ledger.add_scores(analysis, experiment);
        ledger.add_entropy(analysis, experiment);
        ledger.add_alarms(analysis, experiment);
        ledger.add_pairs(analysis, experiment);
        let mut seen = BTreeSet::new();
        match ledger.0.iter().find(|entry| !seen.insert(&entry.name)) {
            Some(entry) => Err(ReportError::MacroTwice {
                experiment: experiment.clone(),
                name: entry.name.clone(),
            }),
            None => Ok(ledger),
        }
    }

    /// The number of this place, for example experiment, task, method, `return`.
    pub(crate) fn find(&self, place: &[&str]) -> Option<&Entry> {
        let name = macro_name(place);
        self.0.iter().find(|entry| entry.name == name)
    }

    fn add_scores(&mut self, analysis: &Analysis<'_>, experiment: &str) {
        for (measure, tasks) in analysis.domain().measures().iter().zip(&analysis.results) {
            for task in tasks {
                for row in &task.rows {
                    if let Some(iqm) = &row.iqm {
                        let about = format!(
                            "IQM of the {} of {} on {}",
                            measure.words(),
                            row.method,
                            task.task
                        );
                        self.add(
                            &[experiment, &task.task, &row.method, measure.word],
                            about,
                            iqm,
                            row.cells(),
                        );
                    }
                }
            }
        }
        if let Ok(normalised) = &analysis.normalised {
            for row in &normalised.rows {
                let about = format!(
                    "IQM of the normalised last return of {} over {} tasks",
                    row.method, normalised.tasks
                );
                self.add(
                    &[experiment, "all tasks", &row.method, "score"],
                    about,
                    &row.iqm,
                    row.cells(),
                );
            }
        }
    }

    fn add_entropy(&mut self, analysis: &Analysis<'_>, experiment: &str) {
        let Some(metrics) = analysis.domain().entropy() else {
            return;
        };
        let words = &metrics.words;
        for task in &analysis.entropy {
            for row in &task.rows {
                let mut add = |what: &str, about: &str, value: f64, printed: String| {
                    self.0.push(Entry {
                        name: macro_name(&[experiment, &task.task, &row.method, what]),
                        about: format!("{about} of {} on {}", row.method, task.task),
                        printed,
                        low: None,
                        high: None,
                        value: Some(value),
                        runs: row.cells.len(),
                        cells: row.cells.clone(),
                    });
                };
                add("entropy", words.mean, row.mean, row.mean_text());
                if let (Some(value), Some(text)) = (row.lowest, row.lowest_text()) {
                    add("lowest entropy", words.lowest, value, text);
                }
                if let (Some((value, _)), Some(text)) = (row.bound, row.bound_text()) {
                    add("bound", words.bound, value, text);
                }
                if let (Some(value), Some(text)) = (row.violations, row.violations_text()) {
                    add("violations", words.violations, value * 100.0, text);
                }
                if let (Some(value), Some(text)) = (row.clipped, row.clipped_text()) {
                    add(
                        "clipped",
                        "per cent of standard deviations at the smallest one allowed",
                        value * 100.0,
                        text,
                    );
                }
                if let (Some(value), Some(text)) = (row.delta, row.delta_text()) {
                    add(
                        "delta",
                        "compensation delta (nats) at the last evaluation",
                        value,
                        text,
                    );
                }
            }
        }
    }

    fn add_alarms(&mut self, analysis: &Analysis<'_>, experiment: &str) {
        for (alarm, tasks) in analysis.domain().alarms().iter().zip(&analysis.alarms) {
            for task in tasks {
                for row in &task.rows {
                    self.0.push(Entry {
                        name: macro_name(&[experiment, &task.task, &row.method, alarm.word]),
                        about: format!(
                            "runs of {} on {} that gave alarm of {} at some update",
                            row.method, task.task, alarm.about
                        ),
                        printed: row.raised.to_string(),
                        low: None,
                        high: None,
                        value: Some(row.raised as f64),
                        runs: row.cells.len(),
                        cells: row.cells.clone(),
                    });
                }
            }
        }
    }

    fn add_pairs(&mut self, analysis: &Analysis<'_>, experiment: &str) {
        for pair in &analysis.pairs {
            for comparison in pair.tasks.iter().chain(&pair.all) {
                let Comparison {
                    task,
                    probability,
                    difference,
                    cells,
                    ..
                } = comparison;
                let task = if task.is_empty() {
                    "all tasks"
                } else {
                    task.as_str()
                };
                let place = [experiment, task, &pair.left, "over", &pair.right];
                let about = format!(
                    "probability that a run of {} beats one of {} on {task}",
                    pair.left, pair.right
                );
                self.add(
                    &[&place[..], &["probability"]].concat(),
                    about,
                    probability,
                    cells.clone(),
                );
                if let Some(difference) = difference {
                    let about = format!(
                        "IQM of {} minus that of {} on {task}, runs paired by seed",
                        pair.left, pair.right
                    );
                    self.add(
                        &[&place[..], &["difference"]].concat(),
                        about,
                        difference,
                        cells.clone(),
                    );
                }
            }
        }
    }

    fn add(&mut self, place: &[&str], about: String, printed: &Printed, cells: Vec<CellId>) {
        self.0.push(Entry {
            name: macro_name(place),
            about,
            printed: printed.value.clone(),
            low: printed.low.clone(),
            high: printed.high.clone(),
            value: Some(printed.exact.value),
            runs: cells.len(),
            cells,
        });
    }

    /// `numbers.tex`: a macro for every number, with the cells behind it in a comment.
    pub(crate) fn numbers(&self, analysis: &Analysis<'_>) -> String {
        let mut text = template::header(analysis);
        for entry in &self.0 {
            let cells: Vec<&str> = entry.cells.iter().map(|cell| cell.0.as_str()).collect();
            let name = &entry.name;
            let _ = writeln!(
                text,
                "% {}\n%   from {}",
                template::comment(&entry.about),
                cells.join(" ")
            );
            let ends = [
                ("", Some(&entry.printed)),
                ("Low", entry.low.as_ref()),
                ("High", entry.high.as_ref()),
            ];
            for (suffix, number) in ends {
                if let Some(number) = number {
                    let _ = writeln!(
                        text,
                        "\\newcommand{{\\{name}{suffix}}}{{{}}}",
                        template::number(number)
                    );
                }
            }
            let _ = writeln!(text, "\\newcommand{{\\{name}Runs}}{{{}}}", entry.runs);
        }
        text
    }

    /// `provenance.json`: what is behind each number, and which runs are behind all of it.
    pub(crate) fn provenance(
        &self,
        analysis: &Analysis<'_>,
        published: &[Configuration],
        records: &str,
    ) -> String {
        let board = &analysis.board;
        let run = |run: &'_ crate::records::FinishedRun| -> usize { run.rows.len() };
        let provenance = Provenance {
            format: 1,
            experiment: &board.study.experiment,
            scale: analysis.scale,
            command: analysis.command(),
            records,
            intervals: Intervals {
                kind: "stratified percentile bootstrap over runs",
                level: LEVEL,
                seed: SEED,
            },
            runs: board
                .runs
                .iter()
                .map(|each| RunLine {
                    cell: &each.id,
                    commit: &each.commit,
                    rows: run(each),
                    metrics_hash: &each.hash,
                })
                .collect(),
            left_out: &board.left_out,
            numbers: &self.0,
            published: published.iter().flat_map(|each| &each.numbers).collect(),
        };
        format!("{:#}\n", serde_json::json!(provenance))
    }
}

/// A macro's name from the words of its place: letters only, digits and the sign of a number spelled out, as TeX wants it.
fn macro_name(place: &[&str]) -> String {
    const DIGITS: [&str; 10] = [
        "Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine",
    ];
    let mut name = String::new();
    let signs = place.iter().map(|part| part.replace("=-", "=minus "));
    let parts: Vec<String> = signs.collect();
    for word in parts
        .iter()
        .flat_map(|part| part.split(|c: char| !c.is_ascii_alphanumeric() && c != '.'))
    {
        let mut upper = true;
        for c in word.chars() {
            match c.to_digit(10) {
                Some(digit) => name.push_str(DIGITS[digit as usize]),
                None if c == '.' => name.push_str("Point"),
                None if upper => name.push(c.to_ascii_uppercase()),
                None => name.push(c),
            }
            upper = false;
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macros_are_letters_only() {
        assert_eq!(
            macro_name(&["control", "gym/walker2d", "sac-era", "return"]),
            "ControlGymWalkerTwodSacEraReturn"
        );
        assert_eq!(
            macro_name(&["ablations/h0", "sac-era (k=0.25)"]),
            "AblationsHZeroSacEraKZeroPointTwoFive"
        );
        assert_eq!(
            macro_name(&["sac-era (learned, target_entropy=-0.5)"]),
            "SacEraLearnedTargetEntropyMinusZeroPointFive"
        );
        let odd = macro_name(&["ä_b", "50%\\input{x}"]);
        assert!(odd.chars().all(|c| c.is_ascii_alphabetic()), "{odd}");
    }
}
