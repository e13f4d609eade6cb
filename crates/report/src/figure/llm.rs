//! Figures of language models: entropy over training, and pass@k.

use super::legend::Key;
use super::lines::{Axis, extent, key, keys};
use super::panel::{Line, Panel, Panels};
use crate::analysis::{Analysis, PassAt, pass_at, smoothed};
use crate::error::ReportError;

/// Most points of a curve that has one for each update.
const POINTS: u64 = 150;

/// The mean entropy of the tokens that training sampled, against updates: a panel for each task.
pub(super) fn entropy(analysis: &Analysis<'_>) -> Result<Panels, ReportError> {
    let (tasks, window) = smoothed(&analysis.board, "train/entropy", POINTS)?;
    let axis = Axis::over(&tasks, analysis.domain());
    let drawn = tasks.iter().enumerate();
    let drawn = drawn.filter(|(_, curves)| !curves.is_empty());
    let panels = drawn.map(|(task, curves)| {
        let lines = curves.iter().map(|curve| axis.line(curve, false));
        let title = match window {
            1 => analysis.board.tasks[task].clone(),
            // A mean over updates hides what is shorter: it is said.
            _ => format!("{}, means of {window} updates", analysis.board.tasks[task]),
        };
        axis.panel(title, "entropy (nats)", lines.collect())
    });
    let why_none = "no finished run recorded its entropy in training";
    Ok(Panels::plain(
        panels.collect(),
        keys(analysis, &tasks),
        why_none,
    ))
}

/// pass@k of every method at the last evaluation, and that of the policies from which they start: a panel for each task.
pub(super) fn pass(analysis: &Analysis<'_>) -> Result<Panels, ReportError> {
    let tasks = pass_at(&analysis.board)?;
    let panels: Vec<Panel> = tasks.iter().map(|task| panel(analysis, task)).collect();
    let runs = |method: usize| {
        let curves = tasks.iter().flat_map(|task| &task.trained);
        let curves = curves.filter(move |curve| curve.method == Some(method));
        curves.map(|curve| curve.runs)
    };
    let methods = analysis.board.methods.iter().enumerate();
    let keys = methods.filter_map(|(method, name)| key(method, name, runs(method)));
    let mut keys: Vec<Key> = keys.collect();
    if tasks.iter().any(|task| !task.start.is_empty()) {
        keys.push(Key::dashed("before training"));
    }
    let why_none = "no finished run recorded pass@k";
    Ok(Panels::plain(panels, keys, why_none))
}

fn panel(analysis: &Analysis<'_>, task: &PassAt) -> Panel {
    const PER_CENT: f64 = 100.0;
    let start = task.start.iter().map(|curve| (curve, true));
    let curves = start.chain(task.trained.iter().map(|curve| (curve, false)));
    let lines = curves.map(|(curve, dashed)| {
        let points = curve.points.iter();
        let points = points.map(|(k, estimate)| (f64::from(*k).log2(), *estimate));
        let line = Line {
            method: curve.method.unwrap_or_default(),
            points: points.collect(),
            dashed,
            of_all: curve.method.is_none(),
        };
        line.scaled(PER_CENT)
    });
    let lines: Vec<Line> = lines.collect();
    let steps = lines.iter().flat_map(|line| &line.points);
    let last = steps.map(|(k, _)| *k).fold(1.0, f64::max);
    Panel {
        title: analysis.board.tasks[task.task].clone(),
        x_label: "k",
        y_label: "pass@k (%)",
        x: (0.0, last),
        y: extent(&lines),
        lines,
        powers: true,
    }
}
