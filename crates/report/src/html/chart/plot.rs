//! Coordinate systems of the page: where everything is, in units of the drawing, and what is read there.

use era_stats::{Estimate, Interval};
use serde::Serialize;

use super::{COLOURS, DASHED, MARKS, colour, token};
use crate::figure::{Line, Panel, marker, tick};
use crate::html::axis;
use crate::html::text::signed;
use crate::number::{decimals, fixed};

/// Size of a panel, and where its axes are, in units of its drawing: CSS pixels at its smallest.
const WIDTH: f64 = 320.0;
const HEIGHT: f64 = 200.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 34.0;
/// About how many labels an axis has at most.
const TICKS: usize = 6;
/// Most markers on a line, as in the paper's figures.
const MARKERS: usize = 10;

/// A coordinate system.
#[derive(Serialize)]
pub(super) struct Plot {
    pub(super) title: String,
    pub(super) y_label: String,
    pub(super) x_label: String,
    /// What it shows, for those who do not see it.
    pub(super) spoken: String,
    pub(super) size: (f64, f64),
    /// Left, top, right and bottom of its axes.
    pub(super) frame: (f64, f64, f64, f64),
    pub(super) x_ticks: Vec<(String, String)>,
    pub(super) y_ticks: Vec<(String, String)>,
    /// Corner, width and height of bars behind the series.
    pub(super) bars: Vec<[String; 4]>,
    /// Whether the diagonal is drawn.
    pub(super) diagonal: bool,
    pub(super) series: Vec<Series>,
}

/// A line with what is around it.
#[derive(Serialize)]
pub(super) struct Series {
    pub(super) token: String,
    pub(super) colour: usize,
    pub(super) name: String,
    pub(super) dashed: bool,
    /// Points of the SVG.
    pub(super) band: Option<String>,
    pub(super) line: String,
    pub(super) markers: String,
    /// What is read at each point, joined by `|`.
    pub(super) xs: String,
    pub(super) values: String,
}

/// From values to units of the drawing.
pub(super) struct Frame {
    pub(super) x: (f64, f64),
    pub(super) y: (f64, f64),
}

impl Frame {
    pub(super) fn x(&self, x: f64) -> f64 {
        LEFT + (x - self.x.0) / (self.x.1 - self.x.0) * (WIDTH - LEFT - RIGHT)
    }

    pub(super) fn y(&self, y: f64) -> f64 {
        HEIGHT - BOTTOM - (y - self.y.0) / (self.y.1 - self.y.0) * (HEIGHT - TOP - BOTTOM)
    }

    pub(super) fn points(&self, values: impl Iterator<Item = (f64, f64)>) -> String {
        points(values.map(|(x, y)| (self.x(x), self.y(y))))
    }

    /// An empty coordinate system.
    pub(super) fn plot(&self, x_ticks: Vec<(f64, String)>) -> Plot {
        let y_ticks = axis::ticks(self.y, TICKS).into_iter();
        let y_ticks = y_ticks.map(|y| (short(self.y(y)), tick(y)));
        let x_ticks = x_ticks.into_iter();
        let x_ticks = x_ticks.map(|(x, label)| (short(self.x(x)), label));
        Plot {
            title: String::new(),
            y_label: String::new(),
            x_label: String::new(),
            spoken: String::new(),
            size: (WIDTH, HEIGHT),
            frame: (LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM),
            x_ticks: x_ticks.collect(),
            y_ticks: y_ticks.collect(),
            bars: Vec::new(),
            diagonal: false,
            series: Vec::new(),
        }
    }
}

pub(super) fn plot(panel: &Panel, methods: &[String]) -> Plot {
    let frame = Frame {
        x: panel.x,
        y: panel.y,
    };
    let x_ticks = match panel.powers {
        true => (panel.x.0.ceil() as i64..=panel.x.1.floor() as i64)
            .map(|power| power as f64)
            .collect(),
        false => axis::ticks(panel.x, TICKS),
    };
    let x_ticks = x_ticks.into_iter().map(|x| (x, panel.x_tick(x))).collect();
    let all = panel.lines.iter().flat_map(|line| &line.points);
    let decimals = decimals(all.map(|(_, estimate)| estimate.value));
    let decimals = match panel.title.contains('%') || panel.y_label.contains('%') {
        true => decimals.min(1),
        false => decimals,
    };
    let lines = panel.lines.iter();
    let series = lines.map(|line| series(line, panel, &frame, methods, decimals));
    let series: Vec<Series> = series.collect();
    let last = series.iter().filter(|series| !series.dashed);
    let last: Vec<String> = last
        .map(|series| format!("{} {}", series.name, last_of(&series.values)))
        .collect();
    let about = if panel.y_label.is_empty() {
        panel.title.clone()
    } else {
        format!("{}: {}", panel.title, panel.y_label)
    };
    Plot {
        spoken: format!(
            "{about} against {}. At the end: {}.",
            panel.x_label,
            last.join("; ")
        ),
        title: panel.title.clone(),
        y_label: panel.y_label.to_owned(),
        x_label: panel.x_label.to_owned(),
        series,
        ..frame.plot(x_ticks)
    }
}

pub(super) fn last_of(values: &str) -> &str {
    values.rsplit('|').next().unwrap_or_default()
}

pub(super) fn series(
    line: &Line,
    panel: &Panel,
    frame: &Frame,
    methods: &[String],
    decimals: usize,
) -> Series {
    let values = line.points.iter().map(|(_, estimate)| {
        let print = |value: f64| signed(&fixed(value, decimals));
        let value = print(estimate.value);
        match estimate.interval.filter(|_| !line.dashed) {
            Some(ends) => format!("{value} [{}, {}]", print(ends.low), print(ends.high)),
            None => value,
        }
    });
    let at = |(x, estimate): &(f64, Estimate)| (*x, estimate.value);
    let every = line.points.len().div_ceil(MARKERS).max(1);
    let markers = line
        .points
        .iter()
        .rev()
        .step_by(every)
        .filter(|_| !line.dashed);
    let method = methods.get(line.method).map_or("", String::as_str);
    let name = match (line.of_all, line.dashed) {
        (true, _) => "before training".to_owned(),
        (false, true) => format!("{method} (dashed)"),
        (false, false) => method.to_owned(),
    };
    Series {
        token: match line.of_all {
            true => DASHED.to_owned(),
            false => token(line.method),
        },
        // Black is that of what belongs to no method.
        colour: if line.of_all {
            COLOURS - 1
        } else {
            colour(line.method)
        },
        name,
        dashed: line.dashed,
        band: band(line, frame),
        line: frame.points(line.points.iter().map(at)),
        markers: outlines(line.method, markers.map(at), frame),
        xs: line
            .points
            .iter()
            .map(|(x, _)| panel.x_tick(*x))
            .collect::<Vec<_>>()
            .join("|"),
        values: values.collect::<Vec<_>>().join("|"),
    }
}

/// The band between the ends of intervals, where there are any.
pub(super) fn band(line: &Line, frame: &Frame) -> Option<String> {
    let ends = line.points.iter();
    let ends: Vec<(f64, Interval)> = ends
        .filter_map(|(x, estimate)| Some((*x, estimate.interval?)))
        .collect();
    let low = ends.iter().map(|(x, ends)| (*x, ends.low));
    let high = ends.iter().rev().map(|(x, ends)| (*x, ends.high));
    (ends.len() > 1 && !line.dashed).then(|| frame.points(low.chain(high)))
}

/// Outlines of markers as one path.
pub(super) fn outlines(
    method: usize,
    at: impl Iterator<Item = (f64, f64)>,
    frame: &Frame,
) -> String {
    let outline = marker(method % MARKS);
    let mut path = String::new();
    for (x, y) in at {
        for (corner, (dx, dy)) in outline.iter().enumerate() {
            let command = if corner == 0 { 'M' } else { 'L' };
            let (x, y) = (
                frame.x(x) + f64::from(*dx) / 5.0,
                frame.y(y) + f64::from(*dy) / 5.0,
            );
            path.push_str(&format!("{command}{} {}", short(x), short(y)));
        }
        path.push('Z');
    }
    path
}

/// Points of an SVG's line.
pub(super) fn points(points: impl Iterator<Item = (f64, f64)>) -> String {
    let points = points.map(|(x, y)| format!("{},{}", short(x), short(y)));
    points.collect::<Vec<_>>().join(" ")
}

/// A coordinate to a tenth, without a zero behind the point.
pub(super) fn short(value: f64) -> String {
    let text = format!("{value:.1}");
    match text.strip_suffix(".0") {
        Some("-0") => "0".to_owned(),
        Some(whole) => whole.to_owned(),
        None => text,
    }
}
