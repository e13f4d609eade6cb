//! Reliability diagrams: how often predictions of each confidence are right.

use plotters::element::{DashedPathElement, Polygon};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::draw::{
    Area, COLUMN, DASH, Drawing, Drawn, GRID, INK, NORMAL, PAGE, POINT, SMALL, colour, gap, marker,
    reason, sheet, text, text_width, tick,
};
use crate::analysis::{Analysis, Reliability, reliability};
use crate::domain::ECE;
use crate::error::ReportError;

/// Panels side by side in a column of the paper, and at most across its page.
const IN_COLUMN: usize = 3;
const ACROSS: usize = 7;
/// Height of the labels of the horizontal axis, and of what is left free below them, in points.
const TICKS: i32 = 11;
const BELOW: i32 = 6;
/// Height of a line of words, in points.
const WORDS: i32 = 9;
/// Height of a task's name, and of the words below all panels, in points.
const TITLE: i32 = 14;
/// Room for the labels of the vertical axis, and right of a panel, in points.
const LEFT: i32 = 17;
const RIGHT: i32 = 5;

/// Tasks with their diagrams, before anything of them is drawn.
pub(crate) type Diagrams<'a> = Vec<(&'a str, Vec<Diagram>)>;

/// One panel.
pub(crate) struct Diagram {
    /// The method, its parameters, the number of runs and the calibration error.
    pub(crate) words: Vec<String>,
    pub(crate) of: Reliability,
}

/// What the figure says of its axes.
const AXES: &str = "accuracy against confidence; grey: share of predictions";
/// What is said where there is no diagram.
pub(crate) const WHY_NONE: &str = "no finished run recorded how sure and how right it was";

/// A diagram for each method, a block for each task; predictions of all runs count the same.
pub(super) fn diagrams<'a>(analysis: &'a Analysis<'_>) -> Result<Diagrams<'a>, ReportError> {
    let tasks = reliability(&analysis.board)?
        .into_iter()
        .zip(&analysis.board.tasks)
        .filter(|(methods, _)| !methods.is_empty())
        .map(|(methods, task)| (task.as_str(), words(analysis, task, methods)));
    Ok(tasks.collect())
}

pub(super) fn draw_all(tasks: &Diagrams<'_>, note: Option<&str>) -> Drawn<Drawing> {
    let most = tasks.iter().map(|(_, diagrams)| diagrams.len()).max();
    let Some(most) = most else {
        return gap(note, WHY_NONE);
    };
    let words = tasks.iter().flat_map(|(_, diagrams)| diagrams);
    let words = words.flat_map(|each| &each.words);
    let widest = words.map(|words| text_width(words, SMALL)).max();
    let (width, columns) = shape(most, widest.unwrap_or(0));
    let words = tasks.iter().flat_map(|(_, diagrams)| diagrams);
    let lines = words.map(|each| each.words.len()).max().unwrap_or(0) as i32;
    // As high as wide.
    let square = width / columns as i32 - LEFT - RIGHT;
    let panel = lines * WORDS + square + TICKS + BELOW;
    let height = |diagrams: &[Diagram]| TITLE + panel * diagrams.len().div_ceil(columns) as i32;
    let all: i32 = tasks.iter().map(|(_, diagrams)| height(diagrams)).sum();
    sheet(width, all + TITLE, note, |area| {
        let mut rest = area.clone();
        for (task, diagrams) in tasks {
            let (place, below) = rest.split_vertically(height(diagrams) * POINT);
            let (title, panels) = place.split_vertically(TITLE * POINT);
            centred(&title, task, NORMAL)?;
            let rows = diagrams.len().div_ceil(columns);
            let places = panels.split_evenly((rows, columns));
            for (place, diagram) in places.iter().zip(diagrams) {
                draw(place, diagram, lines * WORDS)?;
            }
            rest = below;
        }
        centred(&rest, AXES, SMALL)
    })
}

/// Width of a figure in points and panels side by side, for so many panels with words this wide: rows of about the same
/// length.
fn shape(panels: usize, words: i32) -> (i32, usize) {
    if panels <= IN_COLUMN && words * IN_COLUMN as i32 <= COLUMN {
        return (COLUMN, IN_COLUMN);
    }
    let fit = (PAGE / words.max(1)).clamp(1, ACROSS as i32) as usize;
    let rows = panels.div_ceil(fit);
    (PAGE, panels.div_ceil(rows).max(fit.min(ACROSS - 2)))
}

fn words(analysis: &Analysis<'_>, task: &str, methods: Vec<Reliability>) -> Vec<Diagram> {
    let label = |of: &Reliability| analysis.board.methods[of.method].as_str();
    let diagram = |of: Reliability| {
        let label = label(&of);
        let (method, params) = label.split_once(" (").unwrap_or((label, ""));
        let ece = analysis.result(&ECE, task, label);
        let ece = ece.and_then(|row| row.iqm.as_ref());
        let ece = ece.map_or(String::new(), |iqm| format!(", ECE {}", iqm.value));
        let mut words = vec![method.to_owned()];
        if !params.is_empty() {
            words.push(params.trim_end_matches(')').to_owned());
        }
        words.push(format!("n = {}{ece}", of.runs));
        Diagram { words, of }
    };
    methods.into_iter().map(diagram).collect()
}

/// Words in the middle of an area that is [`TITLE`] high.
fn centred(area: &Area<'_>, words: &str, size: i32) -> Drawn<()> {
    let style = text(size, INK, HPos::Center, VPos::Center);
    let middle = (area.dim_in_pixel().0 as i32 / 2, TITLE * POINT / 2);
    area.draw(&Text::new(words.to_owned(), middle, style))
        .map_err(reason)
}

/// A panel below its words, for which there are `top` points: they stand right above it.
fn draw(area: &Area<'_>, diagram: &Diagram, top: i32) -> Drawn<()> {
    let width = area.dim_in_pixel().0 as i32;
    let middle = (LEFT * POINT + width - RIGHT * POINT) / 2;
    for (at, words) in diagram.words.iter().rev().enumerate() {
        let style = text(SMALL, INK, HPos::Center, VPos::Center);
        let y = (top - at as i32 * WORDS - WORDS / 2) * POINT;
        area.draw(&Text::new(words.clone(), (middle, y), style))
            .map_err(reason)?;
    }
    let mut chart = ChartBuilder::on(area)
        .margin_top((top + 1) * POINT)
        .margin_right(RIGHT * POINT)
        .margin_bottom(BELOW * POINT)
        .x_label_area_size(TICKS * POINT)
        .y_label_area_size(LEFT * POINT)
        .build_cartesian_2d(0.0..1.0, 0.0..1.0)
        .map_err(reason)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID.stroke_width(5))
        .axis_style(INK.stroke_width(6))
        .set_all_tick_mark_size(2 * POINT)
        .x_labels(3)
        .y_labels(3)
        .x_label_formatter(&|value| tick(*value))
        .y_label_formatter(&|value| tick(*value))
        .label_style(text(SMALL, INK, HPos::Center, VPos::Center))
        .draw()
        .map_err(reason)?;
    let (method, bins) = (diagram.of.method, &diagram.of.bins);
    let bar = |at: usize| at as f64 / bins.len() as f64;
    let bars = bins.iter().enumerate().map(|(at, bin)| {
        Rectangle::new(
            [(bar(at), 0.0), (bar(at + 1), bin.share)],
            INK.mix(0.2).filled(),
        )
    });
    chart.draw_series(bars).map_err(reason)?;
    let diagonal = vec![(0.0, 0.0), (1.0, 1.0)];
    let diagonal = DashedPathElement::new(diagonal, DASH.0, DASH.1, INK.stroke_width(6));
    chart.draw_series([diagonal]).map_err(reason)?;
    let filled = bins.iter().filter(|bin| bin.share > 0.0);
    let points = filled.map(|bin| (bin.confidence, bin.accuracy));
    let line = LineSeries::new(points.clone(), colour(method).stroke_width(9));
    chart.draw_series(line).map_err(reason)?;
    let markers = points
        .map(|at| EmptyElement::at(at) + Polygon::new(marker(method), colour(method).filled()));
    chart.draw_series(markers).map(|_| ()).map_err(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_about_equally_long() {
        for (panels, columns) in [(1, 3), (3, 3), (4, 5), (7, 7), (8, 5), (13, 7), (15, 5)] {
            assert_eq!(shape(panels, 60).1, columns, "{panels}");
        }
        // Long words need room.
        assert_eq!(shape(3, 100), (PAGE, 5));
        assert_eq!(shape(13, 100), (PAGE, 5));
        assert_eq!(shape(13, 240), (PAGE, 2));
        assert_eq!(shape(2, 2 * PAGE), (PAGE, 1));
    }
}
