//! Figures of the page: the same data as in the paper's, laid out as SVG that a reader can question.

mod plot;
mod reliability;

use std::collections::BTreeSet;

use serde::Serialize;

use plot::{Plot, plot, points};

use super::forest::{self, Forest};
use super::section::{Maker, Section};
use crate::figure::{self, Figure, Key, Panels, marker};

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
            reliability::diagrams(&mut chart, &maker.analysis.board.methods, tasks);
        }
        Figure::Improvement([]) => {
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
