//! Tables of image classification.

use serde::Serialize;

use super::{Cell, cell};
use crate::analysis::Analysis;
use crate::domain::{BRIER, CONFIDENCE, ECE, NLL, TOP_FIVE};
use crate::published::{Augmentation, Configuration, Quoted};

/// Accuracies of ours and of others.
#[derive(Serialize)]
pub(crate) struct Accuracy<'a> {
    pub(crate) tasks: Vec<AccuracyOfTask<'a>>,
    /// What the published numbers were trained with; empty where there are none.
    pub(crate) settings: Vec<&'a str>,
}

#[derive(Serialize)]
pub(crate) struct AccuracyOfTask<'a> {
    pub(crate) task: &'a str,
    pub(crate) rows: Vec<AccuracyRow<'a>>,
}

#[derive(Serialize)]
pub(crate) struct AccuracyRow<'a> {
    pub(crate) method: String,
    /// `None` where the study has no such cell.
    pub(crate) runs: Option<usize>,
    top1: Option<Cell<'a>>,
    top5: Option<Cell<'a>>,
    /// Published: top-1 and top-5 without augmentation, top-1 and top-5 with it.
    pub(crate) published: [Option<Quote<'a>>; 4],
}

#[derive(Serialize)]
pub(crate) struct Quote<'a> {
    value: &'a str,
    plus_minus: Option<&'a str>,
    #[serde(skip)]
    pub(crate) quoted: &'a Quoted,
}

impl<'a> From<&'a Quoted> for Quote<'a> {
    fn from(quoted: &'a Quoted) -> Self {
        Self {
            value: &quoted.printed,
            plus_minus: quoted.plus_minus.as_deref(),
            quoted,
        }
    }
}

#[derive(Serialize)]
pub(super) struct CalibrationOfTask<'a> {
    task: &'a str,
    rows: Vec<CalibrationRow<'a>>,
}

#[derive(Serialize)]
struct CalibrationRow<'a> {
    method: &'a str,
    runs: usize,
    nll: Option<Cell<'a>>,
    ece: Option<Cell<'a>>,
    brier: Option<Cell<'a>>,
    confidence: Option<Cell<'a>>,
}

/// A block for each task with a finished run, then one for each other task of which numbers are published. A published
/// number stands beside the method of ours that it describes, or in a row of its own where it describes none or several.
pub(crate) fn accuracy<'a>(
    analysis: &'a Analysis<'_>,
    published: &'a [Configuration],
) -> Accuracy<'a> {
    let of_task = |task: &'a str| -> Vec<(&'a Configuration, Option<&'a str>)> {
        let configurations = published.iter().filter(|each| each.task == task);
        configurations
            .map(|each| (each, described(analysis, each)))
            .collect()
    };
    let mut tasks: Vec<AccuracyOfTask<'a>> = Vec::new();
    for scores in analysis.scores() {
        let published = of_task(&scores.task);
        let mut rows: Vec<AccuracyRow<'a>> = Vec::new();
        for row in &scores.rows {
            let beside = published.iter().find(|(_, own)| *own == Some(&row.method));
            rows.push(AccuracyRow {
                method: row.method.clone(),
                runs: Some(row.scores.len()),
                top1: row.iqm.as_ref().map(Cell::from),
                top5: cell(analysis, &TOP_FIVE, &scores.task, &row.method),
                published: beside.map_or([const { None }; 4], |(each, _)| quotes(each)),
            });
        }
        let others = published.iter().filter(|(_, own)| own.is_none());
        rows.extend(others.map(|(each, _)| alone(each)));
        tasks.push(AccuracyOfTask {
            task: &scores.task,
            rows,
        });
    }
    for each in published {
        if analysis.board.tasks.contains(&each.task) {
            continue;
        }
        match tasks.iter_mut().find(|block| block.task == each.task) {
            Some(block) => block.rows.push(alone(each)),
            None => tasks.push(AccuracyOfTask {
                task: &each.task,
                rows: vec![alone(each)],
            }),
        }
    }
    let mut settings: Vec<&str> = published.iter().map(|each| each.setting.as_str()).collect();
    settings.dedup();
    Accuracy { tasks, settings }
}

/// The one method of ours that a published configuration describes.
fn described<'a>(analysis: &'a Analysis<'_>, published: &Configuration) -> Option<&'a str> {
    let board = &analysis.board;
    let task = board
        .tasks
        .iter()
        .position(|task| *task == published.task)?;
    let mut methods = (0..board.methods.len()).filter(|method| {
        let mut cells = board.cells_of(task, *method).peekable();
        cells.peek().is_some() && cells.all(|cell| published.describes(cell))
    });
    match (methods.next(), methods.next()) {
        (Some(method), None) => Some(&board.methods[method]),
        _ => None,
    }
}

/// A row of published numbers alone.
fn alone(published: &Configuration) -> AccuracyRow<'_> {
    AccuracyRow {
        method: format!("{}, as published", published.label()),
        runs: None,
        top1: None,
        top5: None,
        published: quotes(published),
    }
}

fn quotes(published: &Configuration) -> [Option<Quote<'_>>; 4] {
    [
        ("eval/top1", Augmentation::None),
        ("eval/top5", Augmentation::None),
        ("eval/top1", Augmentation::Added),
        ("eval/top5", Augmentation::Added),
    ]
    .map(|(metric, augmentation)| {
        let number = published.number(metric, Some(augmentation));
        number.map(Quote::from)
    })
}

/// How sure predictions are and how right they are to be.
pub(super) fn calibration<'a>(analysis: &'a Analysis<'_>) -> Vec<CalibrationOfTask<'a>> {
    let tasks = analysis.scores().iter().map(|scores| CalibrationOfTask {
        task: &scores.task,
        rows: scores
            .rows
            .iter()
            .map(|row| {
                let of = |measure| cell(analysis, measure, &scores.task, &row.method);
                CalibrationRow {
                    method: &row.method,
                    runs: row.scores.len(),
                    nll: of(&NLL),
                    ece: of(&ECE),
                    brier: of(&BRIER),
                    confidence: of(&CONFIDENCE),
                }
            })
            .collect(),
    });
    tasks.collect()
}
