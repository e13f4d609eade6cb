//! Panels of lines with bands, with a legend below them.

use era_stats::{Estimate, Interval};
use plotters::element::Polygon;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::draw::{
    Area, COLUMN, DASH, Drawing, Drawn, GRID, INK, NORMAL, PAGE, POINT, SMALL, colour, gap, marker,
    reason, sheet, text, text_width, tick,
};
use super::legend::{Key, Legend};

/// Most panels side by side.
const COLUMNS: usize = 3;
/// Height of a panel, in points.
const PANEL: i32 = 138;
/// Height of a small panel, in points.
const SMALL_PANEL: i32 = 86;
/// Small panels side by side where there is one block, which is as wide as a column of the paper.
const SMALL_COLUMNS: usize = 2;
/// Height of the title of a block, and of the label of the axis below all blocks, in points.
const TITLE: i32 = 13;
/// Most markers on a line.
const MARKERS: usize = 10;

/// A figure of panels, before anything of it is drawn.
pub(crate) struct Panels {
    /// One without a title where panels are large.
    pub(crate) blocks: Vec<Block>,
    pub(crate) keys: Vec<Key>,
    /// Whether blocks are those of [`draw_blocks`].
    small: bool,
    /// What is said where there is no panel.
    pub(crate) why_none: String,
}

/// One coordinate system.
pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) x_label: &'static str,
    pub(crate) y_label: &'static str,
    pub(crate) x: (f64, f64),
    pub(crate) y: (f64, f64),
    pub(crate) lines: Vec<Line>,
    /// Whether the horizontal axis has base-two logarithms: its ticks are then whole ones, labelled with their powers.
    pub(crate) powers: bool,
}

pub(crate) struct Line {
    /// Position of the method: colour and marker.
    pub(crate) method: usize,
    pub(crate) points: Vec<(f64, Estimate)>,
    /// What is held beside the measurements (a target, a start): dashed, without band and markers.
    pub(crate) dashed: bool,
    /// Whether it is of no method: drawn in ink.
    pub(crate) of_all: bool,
}

impl Panels {
    /// Panels from left to right and top to bottom.
    pub(super) fn plain(panels: Vec<Panel>, keys: Vec<Key>, why_none: impl Into<String>) -> Self {
        let title = String::new();
        Self {
            blocks: vec![Block { title, panels }],
            keys,
            small: false,
            why_none: why_none.into(),
        }
    }

    /// Blocks of small panels below one another.
    pub(super) fn small(blocks: Vec<Block>, keys: Vec<Key>, why_none: &str) -> Self {
        Self {
            blocks,
            keys,
            small: true,
            why_none: why_none.to_owned(),
        }
    }

    pub(super) fn draw(&self, note: Option<&str>) -> Drawn<Drawing> {
        match self.blocks.as_slice() {
            [block] if !self.small => draw(note, &block.panels, &self.keys, &self.why_none),
            blocks => draw_blocks(note, blocks, &self.keys, &self.why_none),
        }
    }
}

impl Panel {
    pub(crate) fn x_tick(&self, x: f64) -> String {
        if self.powers { tick(x.exp2()) } else { tick(x) }
    }

    /// How many whole numbers its horizontal axis has.
    fn ticks(&self) -> usize {
        (self.x.1.floor() - self.x.0.ceil()).max(0.0) as usize + 1
    }
}

impl Line {
    /// The same line with all values multiplied.
    pub(super) fn scaled(mut self, factor: f64) -> Self {
        for (_, Estimate { value, interval }) in &mut self.points {
            *value *= factor;
            if let Some(Interval { low, high }) = interval {
                *low *= factor;
                *high *= factor;
            }
        }
        self
    }
}

/// Panels of one task.
pub(crate) struct Block {
    pub(crate) title: String,
    pub(crate) panels: Vec<Panel>,
}

/// How a panel is set.
#[derive(Clone, Copy)]
struct Setting {
    /// Room for the labels of the vertical axis, in points.
    left: i32,
    /// Most labels of an axis.
    labels: usize,
    /// Size of the title, in points.
    title: i32,
    y_label: bool,
    x_label: bool,
}

/// Panels from left to right and top to bottom with a legend below; `why_none` is said where there is no panel.
fn draw(note: Option<&str>, panels: &[Panel], keys: &[Key], why_none: &str) -> Drawn<Drawing> {
    if panels.is_empty() {
        return gap(note, why_none);
    }
    let columns = panels.len().min(COLUMNS);
    let rows = panels.len().div_ceil(columns);
    let width = if columns == 1 { COLUMN } else { PAGE };
    let legend = Legend::new(keys, width);
    let height = rows as i32 * PANEL + legend.height() + 2;
    sheet(width, height, note, |area| {
        let (plots, below) = area.split_vertically(rows as i32 * PANEL * POINT);
        for (at, (place, panel)) in plots
            .split_evenly((rows, columns))
            .iter()
            .zip(panels)
            .enumerate()
        {
            let setting = Setting {
                left: 37,
                labels: 6,
                title: NORMAL,
                // One label a row and column says it for all.
                y_label: at % columns == 0,
                x_label: at + columns >= panels.len(),
            };
            draw_panel(place, panel, setting)?;
        }
        legend.draw(&below)
    })
}

/// Blocks of small panels below one another, a legend below them: a single block in a column of the paper, several
/// across the page with one row each.
fn draw_blocks(
    note: Option<&str>,
    blocks: &[Block],
    keys: &[Key],
    why_none: &str,
) -> Drawn<Drawing> {
    let most = blocks.iter().map(|block| block.panels.len()).max();
    let Some(most @ 1..) = most else {
        return gap(note, why_none);
    };
    let (width, columns) = match blocks.len() {
        1 => (COLUMN, most.min(SMALL_COLUMNS)),
        _ => (PAGE, most),
    };
    let rows = most.div_ceil(columns) as i32;
    let block_height = TITLE + rows * SMALL_PANEL;
    let plots_height = block_height * blocks.len() as i32;
    let legend = Legend::new(keys, width);
    let height = plots_height + TITLE + legend.height() + 2;
    sheet(width, height, note, |area| {
        let (plots, below) = area.split_vertically(plots_height * POINT);
        for (place, block) in plots.split_evenly((blocks.len(), 1)).iter().zip(blocks) {
            draw_block(place, block, (rows as usize, columns))?;
        }
        let (axis, below) = below.split_vertically(TITLE * POINT);
        if let Some(panel) = blocks.iter().flat_map(|block| &block.panels).next() {
            caption(&axis, panel.x_label, SMALL)?;
        }
        legend.draw(&below)
    })
}

fn draw_block(area: &Area<'_>, block: &Block, shape: (usize, usize)) -> Drawn<()> {
    let (title, plots) = area.split_vertically(TITLE * POINT);
    caption(&title, &block.title, NORMAL)?;
    for (place, panel) in plots.split_evenly(shape).iter().zip(&block.panels) {
        let setting = Setting {
            left: 28,
            labels: 4,
            title: SMALL,
            y_label: false,
            x_label: false,
        };
        draw_panel(place, panel, setting)?;
    }
    Ok(())
}

/// Words in the middle of an area that is [`TITLE`] high.
fn caption(area: &Area<'_>, words: &str, size: i32) -> Drawn<()> {
    let style = text(size, INK, HPos::Center, VPos::Center);
    let middle = (area.dim_in_pixel().0 as i32 / 2, TITLE * POINT / 2);
    area.draw(&Text::new(words.to_owned(), middle, style))
        .map_err(reason)
}

fn draw_panel(area: &Area<'_>, panel: &Panel, setting: Setting) -> Drawn<()> {
    let label = |size| text(size, INK, HPos::Center, VPos::Center);
    let (left, right, top) = (setting.left * POINT, 8 * POINT, 15 * POINT);
    let x_labels = if setting.x_label { 23 } else { 12 };
    let width = area.dim_in_pixel().0 as i32;
    // A title that is wider than its axis takes the room of the labels too.
    let half = text_width(&panel.title, setting.title) * POINT / 2;
    let middle = ((left + width - right) / 2).min(width - half);
    area.draw(&Text::new(
        panel.title.clone(),
        (middle, top / 2),
        label(setting.title),
    ))
    .map_err(reason)?;
    let mut chart = ChartBuilder::on(area)
        .margin_top(top)
        .margin_right(right)
        .margin_bottom(2 * POINT)
        .x_label_area_size(x_labels * POINT)
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
        .x_labels(if panel.powers {
            panel.ticks()
        } else {
            setting.labels
        })
        .y_labels(setting.labels)
        .x_label_formatter(&|value| panel.x_tick(*value))
        .y_label_formatter(&|value| tick(*value))
        .label_style(label(SMALL))
        .axis_desc_style(label(NORMAL))
        .x_desc(if setting.x_label { panel.x_label } else { "" })
        .y_desc(if setting.y_label { panel.y_label } else { "" })
        .draw()
        .map_err(reason)?;
    for line in &panel.lines {
        chart.draw_series(band(line)).map_err(reason)?;
    }
    for line in &panel.lines {
        let points = line.points.iter().map(|(x, estimate)| (*x, estimate.value));
        let colour = if line.of_all {
            INK
        } else {
            colour(line.method)
        };
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
