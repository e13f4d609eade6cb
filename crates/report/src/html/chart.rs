//! Figures of the page: the same data as in the paper's, laid out as SVG that a reader can question.

use std::collections::BTreeSet;

use serde::Serialize;

use super::axis;
use super::forest::{self, Forest};
use super::section::{Maker, Section};
use super::text::signed;
use crate::figure::{self, Diagrams, Figure, Key, Line, NO_DIAGRAM, Panel, Panels, marker, tick};
use crate::number::{decimals, fixed, per_cent};

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
/// Colours; further series begin again, with other markers.
const COLOURS: usize = 7;
const MARKS: usize = 5;

/// A figure.
#[derive(Serialize)]
pub(super) struct Chart {
    pub(super) id: String,
    /// Its name in the experiment.
    name: String,
    title: String,
    caption: String,
    keys: Vec<Toggle>,
    blocks: Vec<Block>,
    forest: Option<Forest>,
    /// Why there is nothing to show.
    none: Option<String>,
}

/// A key of the legend, which hides what it is of.
#[derive(Serialize)]
pub(super) struct Toggle {
    token: String,
    colour: usize,
    /// The outline of its marker; empty for dashes.
    marker: String,
    label: String,
}

/// Panels below a heading, which may be empty.
#[derive(Serialize)]
struct Block {
    title: String,
    panels: Vec<Plot>,
}

/// A coordinate system.
#[derive(Serialize)]
struct Plot {
    title: String,
    y_label: String,
    x_label: String,
    /// What it shows, for those who do not see it.
    spoken: String,
    size: (f64, f64),
    /// Left, top, right and bottom of its axes.
    frame: (f64, f64, f64, f64),
    x_ticks: Vec<(String, String)>,
    y_ticks: Vec<(String, String)>,
    /// Corner, width and height of bars behind the series.
    bars: Vec<[String; 4]>,
    /// Whether the diagonal is drawn.
    diagonal: bool,
    series: Vec<Series>,
}

#[derive(Serialize)]
struct Series {
    token: String,
    colour: usize,
    name: String,
    dashed: bool,
    /// Points of the SVG.
    band: Option<String>,
    line: String,
    markers: String,
    /// What is read at each point, joined by `|`.
    xs: String,
    values: String,
}

/// Names of all series on the page: each has a rule of style by which its key hides it.
pub(super) fn tokens(sections: &[Section]) -> Vec<String> {
    let figures = sections.iter().flat_map(|section| &section.figures);
    let keys = figures.flat_map(|figure| &figure.keys);
    let tokens: BTreeSet<&String> = keys.map(|key| &key.token).collect();
    tokens.into_iter().cloned().collect()
}

/// The figure `name` of a section.
pub(super) fn chart(maker: &mut Maker<'_, '_>, name: &str, figure: &Figure<'_>) -> Chart {
    let mut chart = Chart {
        id: maker.id(name),
        name: name.to_owned(),
        title: title(name).to_owned(),
        caption: String::new(),
        keys: Vec::new(),
        blocks: Vec::new(),
        forest: None,
        none: None,
    };
    match figure {
        Figure::Panels(figure) => panels(&mut chart, &maker.analysis.board.methods, figure),
        Figure::Reliability(tasks) => {
            diagrams(&mut chart, &maker.analysis.board.methods, tasks);
        }
        Figure::Improvement(pairs) if pairs.is_empty() => {
            chart.none = Some(figure::NO_PAIR.to_owned());
        }
        Figure::Improvement(pairs) => {
            chart.caption = "Probability that a run of the first method beats one of the second, with its 95 % interval; at the \
                             middle line neither is better."
                .into();
            chart.forest = Some(forest::improvement(maker, pairs));
        }
        Figure::Regularisers(figure) if figure.is_empty() => {
            chart.none = Some(figure::Regularisers::WHY_NONE.to_owned());
        }
        Figure::Regularisers(figure) => {
            chart.caption = "Interquartile mean of every configuration with its 95 % interval; the line is the first one's.".into();
            let (drawn, keys) = forest::regularisers(maker, figure);
            chart.forest = Some(drawn);
            chart.keys = keys;
        }
    }
    chart
}

fn title(name: &str) -> &str {
    match name {
        "control-curves" | "vision-curves" | "llm-accuracy" => "Learning curves",
        "control-entropy" => "Entropy audit over training",
        "performance-profile" => "Performance profile",
        "probability-of-improvement" => "Probability of improvement",
        "vision-regularisers" => "Every configuration against the first",
        "vision-reliability" => "Reliability",
        "llm-entropy" => "Entropy over training",
        "llm-pass-at-k" => "pass@k, before and after",
        name => name,
    }
}

/// The name of a method's series in a figure.
pub(super) fn token(method: usize) -> String {
    format!("m{method}")
}

pub(super) fn colour(method: usize) -> usize {
    method % COLOURS
}

impl Toggle {
    pub(super) fn new(method: usize, label: String) -> Self {
        let outline = marker(method % MARKS);
        Self {
            token: token(method),
            colour: colour(method),
            marker: points(
                outline
                    .iter()
                    .map(|(x, y)| (f64::from(*x) / 4.0, f64::from(*y) / 4.0)),
            ),
            label,
        }
    }

    fn of(key: &Key) -> Self {
        match key.dashed {
            false => Self::new(key.method, key.label.clone()),
            true => Self {
                token: DASHED.to_owned(),
                marker: String::new(),
                ..Self::new(0, key.label.clone())
            },
        }
    }
}

/// The name of what is dashed.
const DASHED: &str = "dashed";

fn panels(chart: &mut Chart, methods: &[String], figure: &Panels) {
    if figure.blocks.iter().all(|block| block.panels.is_empty()) {
        chart.none = Some(figure.why_none.clone());
        return;
    }
    chart.caption = match chart.name.as_str() {
        "performance-profile" => {
            "Share of the runs of all tasks above each normalised return; bands are 95 % bootstrap intervals."
        }
        _ => "Interquartile means over runs; bands are 95 % bootstrap intervals.",
    }
    .into();
    chart.keys = figure.keys.iter().map(Toggle::of).collect();
    let blocks = figure.blocks.iter().map(|block| Block {
        title: block.title.clone(),
        panels: block
            .panels
            .iter()
            .map(|panel| plot(panel, methods))
            .collect(),
    });
    chart.blocks = blocks.collect();
}

/// From values to units of the drawing.
struct Frame {
    x: (f64, f64),
    y: (f64, f64),
}

impl Frame {
    fn x(&self, x: f64) -> f64 {
        LEFT + (x - self.x.0) / (self.x.1 - self.x.0) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, y: f64) -> f64 {
        HEIGHT - BOTTOM - (y - self.y.0) / (self.y.1 - self.y.0) * (HEIGHT - TOP - BOTTOM)
    }

    fn points(&self, values: impl Iterator<Item = (f64, f64)>) -> String {
        points(values.map(|(x, y)| (self.x(x), self.y(y))))
    }

    /// An empty coordinate system.
    fn plot(&self, x_ticks: Vec<(f64, String)>) -> Plot {
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

fn plot(panel: &Panel, methods: &[String]) -> Plot {
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

fn last_of(values: &str) -> &str {
    values.rsplit('|').next().unwrap_or_default()
}

fn series(
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
    let at = |(x, estimate): &(f64, era_stats::Estimate)| (*x, estimate.value);
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
fn band(line: &Line, frame: &Frame) -> Option<String> {
    let ends = line.points.iter();
    let ends: Vec<(f64, era_stats::Interval)> = ends
        .filter_map(|(x, estimate)| Some((*x, estimate.interval?)))
        .collect();
    let low = ends.iter().map(|(x, ends)| (*x, ends.low));
    let high = ends.iter().rev().map(|(x, ends)| (*x, ends.high));
    (ends.len() > 1 && !line.dashed).then(|| frame.points(low.chain(high)))
}

/// Outlines of markers as one path.
fn outlines(method: usize, at: impl Iterator<Item = (f64, f64)>, frame: &Frame) -> String {
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

/// Reliability diagrams: a panel for each method, of one line.
fn diagrams(chart: &mut Chart, methods: &[String], tasks: &Diagrams<'_>) {
    if tasks.is_empty() {
        chart.none = Some(NO_DIAGRAM.to_owned());
        return;
    }
    chart.caption = "Accuracy against confidence over the predictions of all runs; grey: share of predictions. On the diagonal \
                     confidence is right."
        .into();
    let shown: BTreeSet<usize> = tasks
        .iter()
        .flat_map(|(_, all)| all)
        .map(|each| each.of.method)
        .collect();
    chart.keys = shown
        .into_iter()
        .map(|method| Toggle::new(method, methods[method].clone()))
        .collect();
    for (task, all) in tasks {
        let panels = all.iter().map(|each| {
            let frame = Frame {
                x: (0.0, 1.0),
                y: (0.0, 1.0),
            };
            let ticks = [0.0, 0.25, 0.5, 0.75, 1.0].map(|x| (x, tick(x))).into();
            let series = diagram(each.of.method, methods, &each.of.bins, &frame);
            let title = each.words.join(", ");
            Plot {
                spoken: format!(
                    "{task}, {title}: accuracy against confidence. Most confident: {}.",
                    last_of(&series.values)
                ),
                title,
                y_label: "accuracy".into(),
                x_label: "confidence".into(),
                bars: bars(&each.of.bins, &frame),
                diagonal: true,
                series: vec![series],
                ..frame.plot(ticks)
            }
        });
        chart.blocks.push(Block {
            title: (*task).to_owned(),
            panels: panels.collect(),
        });
    }
}

fn diagram(
    method: usize,
    methods: &[String],
    bins: &[crate::analysis::Bin],
    frame: &Frame,
) -> Series {
    let filled: Vec<_> = bins.iter().filter(|bin| bin.share > 0.0).collect();
    let at = || filled.iter().map(|bin| (bin.confidence, bin.accuracy));
    let all = |print: &dyn Fn(&crate::analysis::Bin) -> String| {
        filled
            .iter()
            .map(|bin| print(bin))
            .collect::<Vec<_>>()
            .join("|")
    };
    Series {
        token: token(method),
        colour: colour(method),
        name: methods[method].clone(),
        dashed: false,
        band: None,
        line: frame.points(at()),
        markers: outlines(method, at(), frame),
        xs: all(&|bin| fixed(bin.confidence, 3)),
        values: all(&|bin| {
            let (accuracy, share) = (per_cent(bin.accuracy), per_cent(bin.share));
            format!("{accuracy} % right, {share} % of predictions")
        }),
    }
}

fn bars(bins: &[crate::analysis::Bin], frame: &Frame) -> Vec<[String; 4]> {
    let width = 1.0 / bins.len() as f64;
    let bar = |(at, bin): (usize, &crate::analysis::Bin)| {
        let (x, y) = (frame.x(at as f64 * width), frame.y(bin.share));
        let size = (frame.x(width) - frame.x(0.0), frame.y(0.0) - y);
        [x, y, size.0, size.1].map(short)
    };
    let bins = bins.iter().enumerate().filter(|(_, bin)| bin.share > 0.0);
    bins.map(bar).collect()
}

/// Points of an SVG's line.
fn points(points: impl Iterator<Item = (f64, f64)>) -> String {
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
