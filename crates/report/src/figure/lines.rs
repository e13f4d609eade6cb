//! Figures of lines with bands: learning curves, entropy, performance profiles.

use era_stats::Estimate;
use plotters::element::Polygon;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::draw::{
    Area, COLUMN, Drawing, Drawn, GRID, INK, NORMAL, PAGE, POINT, SMALL, colour, gap, marker,
    reason, sheet, text, tick,
};
use crate::analysis::{Analysis, Curve, curves};
use crate::error::ReportError;

/// Most panels side by side.
const COLUMNS: usize = 3;
/// Height of a panel, in points.
const PANEL: i32 = 138;
/// Height of a row of the legend, in points.
const LEGEND: i32 = 12;
/// Most markers on a line.
const MARKERS: usize = 10;

/// One coordinate system.
struct Panel {
    title: String,
    x_label: String,
    y_label: &'static str,
    x: (f64, f64),
    y: (f64, f64),
    lines: Vec<Line>,
}

struct Line {
    /// Position of the method: colour and marker.
    method: usize,
    points: Vec<(f64, Estimate)>,
    /// A promise, not a measurement: dashed, without band and markers.
    dashed: bool,
}

/// A method in the legend.
struct Key {
    method: usize,
    label: String,
}

/// Learning curves: return against steps, a panel for each task.
pub(super) fn returns(analysis: &Analysis<'_>) -> Result<Drawn<Drawing>, ReportError> {
    let tasks = curves(&analysis.board, "eval/return")?;
    let panels = tasks
        .iter()
        .enumerate()
        .filter(|(_, curves)| !curves.is_empty())
        .map(|(task, curves)| {
            let lines = |unit| {
                curves
                    .iter()
                    .map(|curve| line(curve, unit, false))
                    .collect()
            };
            over_steps(analysis.board.tasks[task].clone(), "return", curves, lines)
        });
    Ok(draw(
        analysis,
        &panels.collect::<Vec<_>>(),
        &keys(analysis, &tasks),
        "no finished run has evaluations",
    ))
}

/// Policy entropy against steps with the bound that a method promises as a dashed line, a panel for each task.
pub(super) fn entropy(analysis: &Analysis<'_>) -> Result<Drawn<Drawing>, ReportError> {
    let tasks = curves(&analysis.board, "policy/entropy_mean")?;
    let bounds = curves(&analysis.board, "policy/bound")?;
    let panels = tasks
        .iter()
        .zip(&bounds)
        .enumerate()
        .filter(|(_, (curves, _))| !curves.is_empty());
    let panels = panels.map(|(task, (curves, bounds))| {
        let lines = |unit| {
            let bounds = bounds.iter().map(|curve| line(curve, unit, true));
            bounds
                .chain(curves.iter().map(|curve| line(curve, unit, false)))
                .collect()
        };
        over_steps(
            analysis.board.tasks[task].clone(),
            "policy entropy (nats)",
            curves,
            lines,
        )
    });
    Ok(draw(
        analysis,
        &panels.collect::<Vec<_>>(),
        &keys(analysis, &tasks),
        "no finished run recorded its entropy",
    ))
}

/// Performance profiles: the share of runs of all tasks above each normalised return.
pub(super) fn profile(analysis: &Analysis<'_>) -> Result<Drawn<Drawing>, ReportError> {
    let profiles = match analysis.profiles()? {
        Ok(profiles) => profiles,
        Err(why) => {
            return Ok(gap(
                note(analysis),
                &format!("no performance profile: {why}"),
            ));
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
        });
        lines.push(Line {
            method,
            points: profile.points,
            dashed: false,
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
        x_label: "normalised return τ".into(),
        y_label: "share of runs above τ",
        x,
        y: (0.0, 1.02),
        lines,
    };
    Ok(draw(analysis, &[panel], &keys, ""))
}

fn note(analysis: &Analysis<'_>) -> Option<&'static str> {
    analysis.smoke().then_some(Analysis::SMOKE)
}

/// A panel over steps; `lines` gets the number of steps in a unit of the axis.
fn over_steps(
    title: String,
    y_label: &'static str,
    curves: &[Curve],
    lines: impl FnOnce(f64) -> Vec<Line>,
) -> Panel {
    let steps = || {
        curves
            .iter()
            .flat_map(|curve| &curve.points)
            .map(|point| point.step)
    };
    let (first, last) = (steps().min().unwrap_or(0), steps().max().unwrap_or(1));
    let (unit, unit_name) = match last {
        3_000_000.. => (1e6, "environment steps (millions)"),
        5_000.. => (1e3, "environment steps (thousands)"),
        _ => (1.0, "environment steps"),
    };
    let lines = lines(unit);
    // From 0 unless the data begin far from it.
    let low = if first * 4 < last {
        0.0
    } else {
        first as f64 / unit
    };
    Panel {
        title,
        x_label: unit_name.into(),
        y_label,
        x: widened(low, last as f64 / unit, 0.0),
        y: extent(&lines),
        lines,
    }
}

fn line(curve: &Curve, unit: f64, dashed: bool) -> Line {
    let points = curve
        .points
        .iter()
        .map(|point| (point.step as f64 / unit, point.estimate));
    Line {
        method: curve.method,
        points: points.collect(),
        dashed,
    }
}

/// The range of all values and intervals, a little wider.
fn extent(lines: &[Line]) -> (f64, f64) {
    let estimates = lines
        .iter()
        .flat_map(|line| &line.points)
        .map(|(_, estimate)| estimate);
    let ends = estimates.flat_map(|estimate| {
        let interval = estimate
            .interval
            .map(|interval| [interval.low, interval.high]);
        interval.into_iter().flatten().chain([estimate.value])
    });
    let (low, high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), end| {
        (low.min(end), high.max(end))
    });
    widened(low, high, 0.05)
}

/// A range that is not empty, wider by `share` at both ends.
fn widened(low: f64, high: f64, share: f64) -> (f64, f64) {
    let margin = if high > low {
        (high - low) * share
    } else {
        0.5_f64.max(low.abs() * 0.1)
    };
    (low - margin, high + margin)
}

/// The methods with a curve, with the number of their runs.
fn keys(analysis: &Analysis<'_>, tasks: &[Vec<Curve>]) -> Vec<Key> {
    let key = |(method, name): (usize, &String)| {
        let runs = || {
            tasks
                .iter()
                .flatten()
                .filter(|curve| curve.method == method)
                .map(|curve| curve.runs)
        };
        let (fewest, most) = (runs().min()?, runs().max()?);
        let runs = if fewest == most {
            format!("n = {most}")
        } else {
            format!("n = {fewest}–{most}")
        };
        Some(Key {
            method,
            label: format!("{name} ({runs})"),
        })
    };
    analysis
        .board
        .methods
        .iter()
        .enumerate()
        .filter_map(key)
        .collect()
}

fn draw(analysis: &Analysis<'_>, panels: &[Panel], keys: &[Key], why_none: &str) -> Drawn<Drawing> {
    if panels.is_empty() {
        return gap(note(analysis), why_none);
    }
    let columns = panels.len().min(COLUMNS);
    let rows = panels.len().div_ceil(columns);
    let width = if columns == 1 { COLUMN } else { PAGE };
    let per_row = legend_columns(keys, width);
    let legend = LEGEND * keys.len().div_ceil(per_row) as i32;
    sheet(
        width,
        rows as i32 * PANEL + legend + 2,
        note(analysis),
        |area| {
            let (plots, below) = area.split_vertically(rows as i32 * PANEL * POINT);
            for (at, (place, panel)) in plots
                .split_evenly((rows, columns))
                .iter()
                .zip(panels)
                .enumerate()
            {
                // One label a row and column says it for all.
                let last = at + columns >= panels.len();
                draw_panel(place, panel, at % columns == 0, last)?;
            }
            draw_legend(&below, keys, per_row, width)
        },
    )
}

fn draw_panel(area: &Area<'_>, panel: &Panel, y_label: bool, x_label: bool) -> Drawn<()> {
    let label = |size| text(size, INK, HPos::Center, VPos::Center);
    let (left, right, top) = (37 * POINT, 8 * POINT, 15 * POINT);
    let middle = (left + area.dim_in_pixel().0 as i32 - right) / 2;
    area.draw(&Text::new(
        panel.title.clone(),
        (middle, top / 2),
        label(NORMAL),
    ))
    .map_err(reason)?;
    let mut chart = ChartBuilder::on(area)
        .margin_top(top)
        .margin_right(right)
        .margin_bottom(2 * POINT)
        .x_label_area_size(23 * POINT)
        .y_label_area_size(left)
        .build_cartesian_2d(panel.x.0..panel.x.1, panel.y.0..panel.y.1)
        .map_err(reason)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID.stroke_width(5))
        .axis_style(INK.stroke_width(6))
        .set_all_tick_mark_size(2 * POINT)
        .x_labels(6)
        .y_labels(6)
        .x_label_formatter(&|value| tick(*value))
        .y_label_formatter(&|value| tick(*value))
        .label_style(label(SMALL))
        .axis_desc_style(label(NORMAL))
        .x_desc(if x_label { panel.x_label.as_str() } else { "" })
        .y_desc(if y_label { panel.y_label } else { "" })
        .draw()
        .map_err(reason)?;
    for line in &panel.lines {
        chart.draw_series(band(line)).map_err(reason)?;
    }
    for line in &panel.lines {
        let points = line.points.iter().map(|(x, estimate)| (*x, estimate.value));
        let colour = colour(line.method);
        if line.dashed {
            let dashes =
                DashedLineSeries::new(points, 4 * POINT, 3 * POINT, colour.stroke_width(8));
            chart.draw_series(dashes).map_err(reason)?;
        } else {
            chart
                .draw_series(LineSeries::new(points.clone(), colour.stroke_width(11)))
                .map_err(reason)?;
            let every = line.points.len().div_ceil(MARKERS).max(1);
            // Counted from the end, which is what a reader looks at.
            let markers = points.rev().step_by(every);
            let markers = markers.map(|at| {
                EmptyElement::at(at) + Polygon::new(marker(line.method), colour.filled())
            });
            chart.draw_series(markers).map_err(reason)?;
        }
    }
    Ok(())
}

/// The band of a line, where it has intervals.
fn band(line: &Line) -> Option<Polygon<(f64, f64)>> {
    let with = |pick: fn(era_stats::Interval) -> f64| {
        line.points
            .iter()
            .filter_map(move |(x, estimate)| Some((*x, pick(estimate.interval?))))
    };
    let low: Vec<_> = with(|interval| interval.low).collect();
    let around: Vec<_> = low
        .into_iter()
        .chain(
            with(|interval| interval.high)
                .collect::<Vec<_>>()
                .into_iter()
                .rev(),
        )
        .collect();
    (around.len() > 2 && !line.dashed).then(|| Polygon::new(around, colour(line.method).mix(0.17)))
}

fn legend_columns(keys: &[Key], width: i32) -> usize {
    let widest = keys
        .iter()
        .map(|key| key.label.chars().count())
        .max()
        .unwrap_or(1) as i32;
    (width / (26 + widest * SMALL * 11 / 20)).clamp(1, keys.len().max(1) as i32) as usize
}

fn draw_legend(area: &Area<'_>, keys: &[Key], per_row: usize, width: i32) -> Drawn<()> {
    let widest = keys
        .iter()
        .map(|key| key.label.chars().count())
        .max()
        .unwrap_or(1) as i32;
    let cell = 26 + widest * SMALL * 11 / 20;
    let left = (width - cell * per_row as i32) / 2;
    for (at, key) in keys.iter().enumerate() {
        let x = (left + cell * (at % per_row) as i32) * POINT;
        let y = (LEGEND * (at / per_row) as i32 + LEGEND / 2) * POINT;
        let line = PathElement::new(
            vec![(x, y), (x + 16 * POINT, y)],
            colour(key.method).stroke_width(11),
        );
        area.draw(&line).map_err(reason)?;
        let marker = EmptyElement::at((x + 8 * POINT, y))
            + Polygon::new(marker(key.method), colour(key.method).filled());
        area.draw(&marker).map_err(reason)?;
        let style = text(SMALL, INK, HPos::Left, VPos::Center);
        area.draw(&Text::new(key.label.clone(), (x + 20 * POINT, y), style))
            .map_err(reason)?;
    }
    Ok(())
}
