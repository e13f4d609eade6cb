//! Tables: what their templates are filled in with.

mod llm;
pub(crate) mod vision;

use serde::Serialize;

use crate::analysis::{Analysis, Comparison};
use crate::domain::{Domain, Measure};
use crate::error::ReportError;
use crate::number::Printed;
use crate::published::Configuration;
use crate::template::{self, Templates};

/// Names of the tables; each has its template `<name>.tex.j2`. Those of `vision` and `llm` are for that suite alone, the
/// others for suites that record returns.
pub const TABLES: &[&str] = &[
    "control-returns",
    "control-entropy",
    "control-pairwise",
    VISION_ACCURACY,
    "vision-calibration",
    "vision-entropy",
    "vision-pairwise",
    LLM_ACCURACY,
    "llm-entropy",
];

const VISION_ACCURACY: &str = "vision-accuracy";
const LLM_ACCURACY: &str = "llm-accuracy";

/// The tables that show published numbers beside ours.
pub(crate) const WITH_PUBLISHED: [&str; 2] = [VISION_ACCURACY, LLM_ACCURACY];

/// How many characters less than others the widest tables have for labels.
const LESS: usize = 12;

/// Characters of a method's label from which on tables are set smaller, so that they fit a column of the paper.
const LONG: usize = 25;
/// From so many on, smaller still.
const VERY_LONG: usize = 36;

/// What every table is told.
#[derive(Serialize)]
struct Context<'a, T> {
    header: minijinja::Value,
    experiment: &'a str,
    scale: &'a str,
    smoke: Option<&'static str>,
    about: &'a str,
    /// Letters, digits and `-` only: for `\label`.
    label: String,
    /// The command that sets the size of its text.
    size: minijinja::Value,
    left_out: String,
    level: &'static str,
    table: T,
}

/// A number and its interval.
#[derive(Serialize)]
struct Cell<'a> {
    value: &'a str,
    low: Option<&'a str>,
    high: Option<&'a str>,
}

impl<'a> From<&'a Printed> for Cell<'a> {
    fn from(printed: &'a Printed) -> Self {
        Self {
            value: &printed.value,
            low: printed.low.as_deref(),
            high: printed.high.as_deref(),
        }
    }
}

#[derive(Serialize)]
struct Returns<'a> {
    tasks: Vec<ReturnsOfTask<'a>>,
    all: Option<AllTasks<'a>>,
    /// Why there is no block over all tasks, where one is due.
    no_all: Option<&'a str>,
}

#[derive(Serialize)]
struct ReturnsOfTask<'a> {
    task: &'a str,
    rows: Vec<ReturnsRow<'a>>,
}

#[derive(Serialize)]
struct ReturnsRow<'a> {
    method: &'a str,
    runs: usize,
    planned: usize,
    iqm: Option<Cell<'a>>,
}

#[derive(Serialize)]
struct AllTasks<'a> {
    baseline: &'a str,
    tasks: usize,
    rows: Vec<ReturnsRow<'a>>,
    without: &'a [String],
}

#[derive(Serialize)]
struct EntropyOfTask<'a> {
    task: &'a str,
    rows: Vec<EntropyLine<'a>>,
}

#[derive(Serialize)]
struct EntropyLine<'a> {
    method: &'a str,
    runs: usize,
    bound: Option<String>,
    mean: String,
    lowest: Option<String>,
    violations: Option<String>,
    clipped: Option<String>,
    delta: Option<String>,
}

#[derive(Serialize)]
struct PairBlock<'a> {
    left: &'a str,
    right: &'a str,
    rows: Vec<PairLine<'a>>,
}

#[derive(Serialize)]
struct PairLine<'a> {
    /// Empty for all tasks.
    task: &'a str,
    probability: Cell<'a>,
    difference: Option<Cell<'a>>,
    left_runs: usize,
    right_runs: usize,
    paired: usize,
}

/// The table `name` of a study as LaTeX; `published` is what others report of its tasks and methods.
pub(crate) fn table(
    name: &str,
    analysis: &Analysis<'_>,
    published: &[Configuration],
    templates: &Templates,
) -> Result<String, ReportError> {
    match (analysis.domain(), name) {
        (Domain::Control, "control-returns") => fill(name, analysis, returns(analysis), templates),
        (Domain::Control, "control-entropy") => fill(name, analysis, entropy(analysis), templates),
        (Domain::Control, "control-pairwise") => {
            fill(name, analysis, pairwise(analysis), templates)
        }
        (Domain::Vision, VISION_ACCURACY) => fill(
            name,
            analysis,
            vision::accuracy(analysis, published),
            templates,
        ),
        (Domain::Vision, "vision-calibration") => {
            fill(name, analysis, vision::calibration(analysis), templates)
        }
        (Domain::Vision, "vision-entropy") => fill(name, analysis, entropy(analysis), templates),
        (Domain::Vision, "vision-pairwise") => fill(name, analysis, pairwise(analysis), templates),
        (Domain::Llm, LLM_ACCURACY) => fill(
            name,
            analysis,
            llm::accuracy(analysis, published),
            templates,
        ),
        (Domain::Llm, "llm-entropy") => fill(name, analysis, llm::entropy(analysis), templates),
        (domain, _) => {
            let valid = TABLES.iter().copied().filter(|valid| domain.has(valid));
            Err(ReportError::Unknown {
                experiment: analysis.board.study.experiment.clone(),
                kind: "table",
                name: name.to_owned(),
                valid: valid.collect(),
            })
        }
    }
}

fn fill<T: Serialize>(
    name: &str,
    analysis: &Analysis<'_>,
    table: T,
    templates: &Templates,
) -> Result<String, ReportError> {
    templates.render(name, context(name, analysis, table))
}

fn context<'a, T>(name: &str, analysis: &'a Analysis<'_>, table: T) -> Context<'a, T> {
    let study = analysis.board.study;
    let label = format!("{}-{name}-{}", study.experiment, analysis.scale);
    let methods = analysis.board.methods.iter();
    let longest = methods.map(|method| method.chars().count()).max();
    let less = match name {
        VISION_ACCURACY | "llm-entropy" => LESS,
        _ => 0,
    };
    let size = match longest.unwrap_or(0) + less {
        0..LONG => r"\small",
        LONG..VERY_LONG => r"\footnotesize",
        _ => r"\scriptsize",
    };
    Context {
        header: minijinja::Value::from_safe_string(
            template::header(analysis).trim_end().to_owned(),
        ),
        experiment: &study.experiment,
        scale: analysis.scale,
        smoke: analysis.smoke().then_some(Analysis::SMOKE),
        about: &study.about,
        label: label
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect(),
        size: minijinja::Value::from_safe_string(size.to_owned()),
        left_out: analysis.left_out_line(),
        level: "95",
        table,
    }
}

/// A measure of one method on one task, where it has one.
fn cell<'a>(
    analysis: &'a Analysis<'_>,
    measure: &Measure,
    task: &str,
    method: &str,
) -> Option<Cell<'a>> {
    let iqm: Option<&Printed> = analysis.result(measure, task, method)?.iqm.as_ref();
    iqm.map(Cell::from)
}

fn returns<'a>(analysis: &'a Analysis<'_>) -> Returns<'a> {
    let tasks = analysis.scores().iter().map(|task| ReturnsOfTask {
        task: &task.task,
        rows: task
            .rows
            .iter()
            .map(|row| ReturnsRow {
                method: &row.method,
                runs: row.scores.len(),
                planned: row.planned,
                iqm: row.iqm.as_ref().map(Cell::from),
            })
            .collect(),
    });
    let several = analysis.scores().len() > 1;
    let all = analysis
        .normalised
        .as_ref()
        .ok()
        .map(|normalised| AllTasks {
            baseline: &normalised.baseline,
            tasks: normalised.tasks,
            rows: normalised
                .rows
                .iter()
                .map(|row| {
                    let runs = row.scores.iter().map(Vec::len).sum();
                    ReturnsRow {
                        method: &row.method,
                        runs,
                        planned: runs,
                        iqm: Some(Cell::from(&row.iqm)),
                    }
                })
                .collect(),
            without: &normalised.without,
        });
    Returns {
        tasks: tasks.collect(),
        all: all.filter(|_| several),
        no_all: analysis
            .normalised
            .as_ref()
            .err()
            .map(String::as_str)
            .filter(|_| several),
    }
}

fn entropy<'a>(analysis: &'a Analysis<'_>) -> Vec<EntropyOfTask<'a>> {
    let tasks = analysis.entropy.iter().map(|task| EntropyOfTask {
        task: &task.task,
        rows: task
            .rows
            .iter()
            .map(|row| EntropyLine {
                method: &row.method,
                runs: row.cells.len(),
                bound: row.bound_text(),
                mean: row.mean_text(),
                lowest: row.lowest_text(),
                violations: row.violations_text(),
                clipped: row.clipped_text(),
                delta: row.delta_text(),
            })
            .collect(),
    });
    tasks.collect()
}

fn pairwise<'a>(analysis: &'a Analysis<'_>) -> Vec<PairBlock<'a>> {
    let line = |comparison: &'a Comparison| PairLine {
        task: &comparison.task,
        probability: Cell::from(&comparison.probability),
        difference: comparison.difference.as_ref().map(Cell::from),
        left_runs: comparison.runs.0,
        right_runs: comparison.runs.1,
        paired: comparison.paired,
    };
    let pairs = analysis.pairs.iter().map(|pair| PairBlock {
        left: &pair.left,
        right: &pair.right,
        rows: pair.tasks.iter().chain(&pair.all).map(line).collect(),
    });
    pairs.collect()
}
