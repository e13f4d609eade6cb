//! Panels of lines with bands, and the legend below them.

use era_stats::Estimate;
use plotters::element::{DashedPathElement, Polygon};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::draw::{
    Area, COLUMN, Drawing, Drawn, GRID, INK, NORMAL, PAGE, POINT, SMALL, colour, gap, marker,
    reason, sheet, text, tick,
};

/// Most panels side by side.
const COLUMNS: usize = 3;
/// Height of a panel, in points.
const PANEL: i32 = 138;
/// Height of a row of the legend, in points.
const LEGEND: i32 = 12;
/// Most markers on a line.
const MARKERS: usize = 10;
/// Dash and gap of dashed lines, in units of the drawing.
const DASH: (i32, i32) = (4 * POINT, 3 * POINT);

/// One coordinate system.
pub(super) struct Panel {
    pub(super) title: String,
    pub(super) x_label: &'static str,
    pub(super) y_label: &'static str,
    pub(super) x: (f64, f64),
    pub(super) y: (f64, f64),
    pub(super) lines: Vec<Line>,
}

pub(super) struct Line {
    /// Position of the method: colour and marker.
    pub(super) method: usize,
    pub(super) points: Vec<(f64, Estimate)>,
    /// A target, not a measurement: dashed, without band and markers.
    pub(super) dashed: bool,
}

/// A method in the legend.
pub(super) struct Key {
    pub(super) method: usize,
    pub(super) label: String,
    /// What dashed lines are, instead of a method.
    pub(super) dashed: bool,
}

/// Panels from left to right and top to bottom with a legend below; `why_none` is said where there is no panel.
pub(super) fn draw(
    note: Option<&str>,
    panels: &[Panel],
    keys: &[Key],
    why_none: &str,
) -> Drawn<Drawing> {
    if panels.is_empty() {
        return gap(note, why_none);
    }
    let columns = panels.len().min(COLUMNS);
    let rows = panels.len().div_ceil(columns);
    let width = if columns == 1 { COLUMN } else { PAGE };
    let cell = legend_cell(keys);
    let per_row = (width / cell).clamp(1, keys.len().max(1) as i32) as usize;
    let legend = LEGEND * keys.len().div_ceil(per_row) as i32;
    sheet(width, rows as i32 * PANEL + legend + 2, note, |area| {
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
        draw_legend(&below, keys, per_row, (width - cell * per_row as i32) / 2)
    })
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
        .x_desc(if x_label { panel.x_label } else { "" })
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
            let dashes = DashedLineSeries::new(points, DASH.0, DASH.1, colour.stroke_width(8));
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

/// Width of a key with the longest label, in points; a character takes a little more than half its height.
fn legend_cell(keys: &[Key]) -> i32 {
    let longest = keys
        .iter()
        .map(|key| key.label.chars().count())
        .max()
        .unwrap_or(1) as i32;
    26 + longest * SMALL * 11 / 20
}

/// Keys in rows of `per_row` from `left` points on.
fn draw_legend(area: &Area<'_>, keys: &[Key], per_row: usize, left: i32) -> Drawn<()> {
    let cell = legend_cell(keys);
    for (at, key) in keys.iter().enumerate() {
        let x = (left + cell * (at % per_row) as i32) * POINT;
        let y = (LEGEND * (at / per_row) as i32 + LEGEND / 2) * POINT;
        let ends = vec![(x, y), (x + 16 * POINT, y)];
        if key.dashed {
            let dashes = DashedPathElement::new(ends, DASH.0, DASH.1, INK.stroke_width(8));
            area.draw(&dashes).map_err(reason)?;
        } else {
            let colour = colour(key.method);
            area.draw(&PathElement::new(ends, colour.stroke_width(11)))
                .map_err(reason)?;
            let marker = EmptyElement::at((x + 8 * POINT, y))
                + Polygon::new(marker(key.method), colour.filled());
            area.draw(&marker).map_err(reason)?;
        }
        let style = text(SMALL, INK, HPos::Left, VPos::Center);
        area.draw(&Text::new(key.label.clone(), (x + 20 * POINT, y), style))
            .map_err(reason)?;
    }
    Ok(())
}
