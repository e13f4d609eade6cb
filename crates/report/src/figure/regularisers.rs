//! The figure of regularisers: accuracy of every configuration of every method against the plain one.
//!
//! A line for each configuration, those of one method joined, rather than accuracy against strength: strengths of
//! different methods share no axis.

use era_stats::Estimate;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::draw::{
    Area, DASH, Drawing, Drawn, GRID, INK, NORMAL, PAGE, POINT, SMALL, colour, gap, reason, sheet,
    text, text_width, tick,
};
use super::lines::extent_of;
use crate::analysis::Analysis;
use crate::domain::{Measure, TOP_FIVE};

/// Height of a line, in points.
const LINE: i32 = 10;
/// Height of a task's name, in points.
const TITLE: i32 = 13;
/// Height of an axis with its label, in points, and of the gap below it.
const AXIS: i32 = 21;
const BELOW: i32 = 5;
/// Room for the names of methods: what they need, within these, in points.
const NAMES: (i32, i32) = (50, 190);
/// Gap behind a panel, in points.
const GAP: i32 = 18;
/// Half the height of the end of an interval, and the radius of a point, in points.
const CAP: i32 = 2;

/// The figure, before anything of it is drawn.
pub(crate) struct Regularisers<'a> {
    pub(crate) measures: [&'static Measure; 2],
    pub(crate) blocks: Vec<Block<'a>>,
}

/// One configuration.
pub(crate) struct Row<'a> {
    pub(crate) method: &'a str,
    /// Position of its method among those of the figure: colour, and which rows are joined.
    pub(crate) group: usize,
    pub(crate) estimates: [Option<Estimate>; 2],
}

/// One task.
pub(crate) struct Block<'a> {
    pub(crate) title: &'a str,
    pub(crate) rows: Vec<Row<'a>>,
}

/// Top-1 and top-5 accuracy of every configuration, a block for each task.
pub(super) fn regularisers<'a>(analysis: &'a Analysis<'_>) -> Regularisers<'a> {
    let measures = [analysis.domain().score(), &TOP_FIVE];
    let blocks = blocks(analysis, measures);
    Regularisers { measures, blocks }
}

impl Regularisers<'_> {
    /// What is said where there is no row.
    pub(crate) const WHY_NONE: &'static str = "no finished run has evaluations";

    pub(crate) fn is_empty(&self) -> bool {
        self.blocks.iter().all(|block| block.rows.is_empty())
    }
}

pub(super) fn draw(figure: &Regularisers<'_>, note: Option<&str>) -> Drawn<Drawing> {
    if figure.is_empty() {
        return gap(note, Regularisers::WHY_NONE);
    }
    let Regularisers { measures, blocks } = figure;
    let names = blocks.iter().flat_map(|block| &block.rows);
    let names = names.map(|row| text_width(row.method, SMALL)).max();
    let names = (names.unwrap_or(0) + 8).clamp(NAMES.0, NAMES.1);
    let heights: Vec<i32> = blocks.iter().map(Block::height).collect();
    sheet(PAGE, heights.iter().sum(), note, |area| {
        let mut rest = area.clone();
        for (block, height) in blocks.iter().zip(&heights) {
            let (place, below) = rest.split_vertically(height * POINT);
            draw_block(&place, block, *measures, names)?;
            rest = below;
        }
        Ok(())
    })
}

fn blocks<'a>(analysis: &'a Analysis<'_>, measures: [&Measure; 2]) -> Vec<Block<'a>> {
    let board = &analysis.board;
    let tasks = analysis.scores().iter().enumerate();
    let blocks = tasks.map(|(task, scores)| {
        let mut groups: Vec<&str> = Vec::new();
        let mut rows = Vec::new();
        for (method, label) in board.methods.iter().enumerate() {
            let Some(cell) = board.cells_of(task, method).next() else {
                continue;
            };
            let estimates = measures.map(|measure| {
                let row = analysis.result(measure, &scores.task, label)?;
                row.iqm.as_ref().map(|iqm| iqm.exact)
            });
            if estimates.iter().all(Option::is_none) {
                continue;
            }
            let known = groups.iter().position(|name| *name == cell.method);
            let group = known.unwrap_or(groups.len());
            if known.is_none() {
                groups.push(&cell.method);
            }
            rows.push(Row {
                method: label,
                group,
                estimates,
            });
        }
        Block {
            title: &scores.task,
            rows,
        }
    });
    blocks.collect()
}

impl Block<'_> {
    fn height(&self) -> i32 {
        TITLE + self.rows.len() as i32 * LINE + AXIS + BELOW
    }
}

fn draw_block(
    area: &Area<'_>,
    block: &Block<'_>,
    measures: [&Measure; 2],
    names: i32,
) -> Drawn<()> {
    let style = text(NORMAL, INK, HPos::Center, VPos::Center);
    let middle = (PAGE * POINT / 2, TITLE * POINT / 2);
    area.draw(&Text::new(block.title.to_owned(), middle, style))
        .map_err(reason)?;
    let (_, plots) = area.split_vertically(TITLE * POINT);
    for (at, row) in block.rows.iter().enumerate() {
        let style = text(SMALL, INK, HPos::Right, VPos::Center);
        let place = (
            (names - 4) * POINT,
            at as i32 * LINE * POINT + LINE * POINT / 2,
        );
        plots
            .draw(&Text::new(row.method.to_owned(), place, style))
            .map_err(reason)?;
    }
    let (_, plots) = plots.split_horizontally(names * POINT);
    for (side, (place, measure)) in plots.split_evenly((1, 2)).iter().zip(measures).enumerate() {
        draw_panel(place, &block.rows, side, measure.label)?;
    }
    Ok(())
}

/// The estimates of one measure, from the first row at the top to the last, and those of the first row behind all.
fn draw_panel(area: &Area<'_>, rows: &[Row<'_>], side: usize, label: &str) -> Drawn<()> {
    let estimates = || rows.iter().filter_map(|row| row.estimates[side]);
    let (low, high) = extent_of(estimates());
    let bottom = rows.len() as f64;
    let labels = |size| text(size, INK, HPos::Center, VPos::Center);
    let mut chart = ChartBuilder::on(area)
        .margin_right(GAP * POINT)
        .margin_bottom(BELOW * POINT)
        .x_label_area_size(AXIS * POINT)
        .build_cartesian_2d(low..high, bottom..0.0)
        .map_err(reason)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID.stroke_width(5))
        .axis_style(INK.stroke_width(6))
        .set_all_tick_mark_size(2 * POINT)
        .x_labels(6)
        .x_label_formatter(&|value| tick(*value))
        .label_style(labels(SMALL))
        .axis_desc_style(labels(NORMAL))
        .x_desc(label)
        .draw()
        .map_err(reason)?;
    if let Some(plain) = rows.first().and_then(|row| row.estimates[side]) {
        if let Some(interval) = plain.interval {
            let ends = [(interval.low, 0.0), (interval.high, bottom)];
            chart
                .draw_series([Rectangle::new(ends, INK.mix(0.1).filled())])
                .map_err(reason)?;
        }
        let line = [(plain.value, 0.0), (plain.value, bottom)];
        let dashes = DashedLineSeries::new(line, DASH.0, DASH.1, INK.mix(0.6).stroke_width(7));
        chart.draw_series(dashes).map_err(reason)?;
    }
    let points: Vec<(usize, f64, Estimate)> = rows
        .iter()
        .enumerate()
        .filter_map(|(at, row)| Some((row.group, at as f64 + 0.5, row.estimates[side]?)))
        .collect();
    for pair in points.windows(2) {
        let [(group, y, from), (next, below, to)] = pair else {
            continue;
        };
        if group == next {
            let ends = [(from.value, *y), (to.value, *below)];
            let thin = colour(*group).mix(0.5).stroke_width(6);
            chart
                .draw_series(LineSeries::new(ends, thin))
                .map_err(reason)?;
        }
    }
    // A cap in units of the vertical axis.
    let cap = f64::from(CAP) / f64::from(LINE);
    for (group, y, estimate) in points {
        let style = colour(group).stroke_width(11);
        if let Some(interval) = estimate.interval {
            let (low, high) = (interval.low, interval.high);
            let strokes = [
                [(low, y), (high, y)],
                [(low, y - cap), (low, y + cap)],
                [(high, y - cap), (high, y + cap)],
            ];
            let strokes = strokes.map(|ends| PathElement::new(ends.to_vec(), style));
            chart.draw_series(strokes).map_err(reason)?;
        }
        let point = Circle::new((estimate.value, y), CAP * POINT + 3, style.filled());
        chart.draw_series([point]).map_err(reason)?;
    }
    Ok(())
}
