//! Figures of lines with bands: learning curves, performance profiles.

use era_stats::Estimate;

use super::legend::Key;
use super::panel::{Line, Panel, Panels};
use crate::analysis::{Analysis, Curve, curves};
use crate::domain::Domain;
use crate::error::ReportError;

/// Learning curves: the score against steps, a panel for each task.
pub(super) fn scores(analysis: &Analysis<'_>) -> Result<Panels, ReportError> {
    let measure = analysis.domain().score();
    let tasks = curves(&analysis.board, measure.metric)?;
    let axis = Axis::over(&tasks, analysis.domain());
    let panels = tasks
        .iter()
        .enumerate()
        .filter(|(_, curves)| !curves.is_empty())
        .map(|(task, curves)| {
            let lines = curves.iter().map(|curve| axis.line(curve, false));
            let lines = lines.map(|line| line.scaled(measure.factor)).collect();
            axis.panel(analysis.board.tasks[task].clone(), measure.label, lines)
        });
    let why_none = "no finished run has evaluations";
    Ok(Panels::plain(
        panels.collect(),
        keys(analysis, &tasks),
        why_none,
    ))
}

/// Performance profiles: the share of runs of all tasks above each normalised return.
pub(super) fn profile(analysis: &Analysis<'_>) -> Result<Panels, ReportError> {
    let profiles = match analysis.profiles()? {
        Ok(profiles) => profiles,
        Err(why) => {
            let why_none = format!("no performance profile: {why}");
            return Ok(Panels::plain(Vec::new(), Vec::new(), why_none));
        }
    };
    let mut keys = Vec::new();
    let mut lines = Vec::new();
    for profile in profiles {
        let place = analysis
            .board
            .methods
            .iter()
            .position(|method| *method == profile.method);
        let method = place.unwrap_or_default();
        keys.push(Key {
            method,
            label: profile.method,
            dashed: false,
        });
        lines.push(Line {
            method,
            points: profile.points,
            dashed: false,
            of_all: false,
        });
    }
    let thresholds = || {
        lines
            .iter()
            .flat_map(|line| &line.points)
            .map(|(threshold, _)| *threshold)
    };
    let x = (
        thresholds().reduce(f64::min).unwrap_or(0.0),
        thresholds().reduce(f64::max).unwrap_or(1.0),
    );
    let panel = Panel {
        title: match analysis.board.tasks.as_slice() {
            [task] => task.clone(),
            tasks => format!("{} tasks", tasks.len()),
        },
        x_label: "normalised return τ",
        y_label: "share of runs above τ",
        x,
        y: (0.0, 1.02),
        lines,
        powers: false,
    };
    Ok(Panels::plain(vec![panel], keys, ""))
}

/// The axis of steps, the same in all panels of a figure but for its end, which is each panel's own where tasks are data sets
/// of different sizes.
pub(super) struct Axis {
    /// Steps in a unit of the axis.
    unit: f64,
    label: &'static str,
    /// The last step of all panels, in units; `None` where each has its own.
    end: Option<f64>,
}

impl Axis {
    pub(super) fn over(tasks: &[Vec<Curve>], domain: Domain) -> Self {
        let steps = tasks
            .iter()
            .flatten()
            .flat_map(|curve| &curve.points)
            .map(|point| point.step);
        let last = steps.max().unwrap_or(1).max(1);
        let [ones, thousands, millions] = domain.steps();
        let (unit, label) = match last {
            3_000_000.. => (1e6, millions),
            5_000.. => (1e3, thousands),
            _ => (1.0, ones),
        };
        Self {
            unit,
            label,
            end: (domain == Domain::Control).then_some(last as f64 / unit),
        }
    }

    pub(super) fn line(&self, curve: &Curve, dashed: bool) -> Line {
        let points = curve
            .points
            .iter()
            .map(|point| (point.step as f64 / self.unit, point.estimate));
        Line {
            method: curve.method,
            points: points.collect(),
            dashed,
            of_all: false,
        }
    }

    pub(super) fn panel(&self, title: String, y_label: &'static str, lines: Vec<Line>) -> Panel {
        let steps = lines.iter().flat_map(|line| &line.points);
        let last = steps.map(|(step, _)| *step).reduce(f64::max);
        let last = last.filter(|last| *last > 0.0);
        Panel {
            title,
            x_label: self.label,
            y_label,
            x: (0.0, self.end.or(last).unwrap_or(1.0)),
            y: extent(&lines),
            lines,
            powers: false,
        }
    }
}

/// The range of all values and intervals, a little wider and never empty; that of a panel without lines is [0, 1].
pub(super) fn extent(lines: &[Line]) -> (f64, f64) {
    let estimates = lines
        .iter()
        .flat_map(|line| &line.points)
        .map(|(_, estimate)| *estimate);
    extent_of(estimates)
}

/// The range of these values and their intervals, as [`extent`] has it.
pub(crate) fn extent_of(estimates: impl Iterator<Item = Estimate>) -> (f64, f64) {
    let ends = estimates.flat_map(|estimate| {
        let interval = estimate
            .interval
            .map(|interval| [interval.low, interval.high]);
        interval.into_iter().flatten().chain([estimate.value])
    });
    let (low, high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), end| {
        (low.min(end), high.max(end))
    });
    if low > high {
        return (0.0, 1.0);
    }
    let margin = if high > low {
        (high - low) * 0.05
    } else {
        0.5_f64.max(low.abs() * 0.1)
    };
    (low - margin, high + margin)
}

/// The methods with a curve, with the number of their runs.
pub(super) fn keys(analysis: &Analysis<'_>, tasks: &[Vec<Curve>]) -> Vec<Key> {
    let of_method = |(method, name): (usize, &String)| {
        let curves = tasks.iter().flatten();
        let runs = curves.filter(|curve| curve.method == method);
        let runs = runs.map(|curve| curve.runs);
        key(method, name, runs)
    };
    analysis
        .board
        .methods
        .iter()
        .enumerate()
        .filter_map(of_method)
        .collect()
}

/// The key of a method with so many runs on each task; `None` without a task.
pub(super) fn key(
    method: usize,
    name: &str,
    runs: impl Iterator<Item = usize> + Clone,
) -> Option<Key> {
    let (fewest, most) = (runs.clone().min()?, runs.max()?);
    let runs = if fewest == most {
        most.to_string()
    } else {
        format!("{fewest}–{most}")
    };
    Some(Key {
        method,
        label: format!("{name}, n = {runs}"),
        dashed: false,
    })
}
