//! Figures of intervals below one another, as tables with a strip in each row.

use serde::Serialize;

use super::axis;
use super::chart::{Toggle, colour, token};
use super::number::Number;
use super::section::Maker;
use crate::analysis::Pair;
use crate::figure::{Regularisers, extent_of, tick};
use era_stats::Estimate;

/// About how many labels an axis has at most.
const TICKS: usize = 4;

/// Blocks of rows, with one or several strips a row.
#[derive(Serialize)]
pub(super) struct Forest {
    /// What the first column has.
    of: &'static str,
    /// What the strips show.
    heads: Vec<String>,
    blocks: Vec<Block>,
}

#[derive(Serialize)]
struct Block {
    title: String,
    /// Ticks of each strip: where, and the label.
    axes: Vec<Vec<(String, String)>>,
    /// Where each strip has a line.
    guides: Vec<Option<String>>,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    label: String,
    /// The key of the legend that hides it; empty without.
    token: String,
    colour: usize,
    marks: Vec<Option<Mark>>,
}

/// A point with its interval, from the left in per cent of the strip.
#[derive(Serialize)]
struct Mark {
    at: String,
    ends: Option<(String, String)>,
    number: Option<Number>,
}

/// The range of a strip.
#[derive(Clone, Copy)]
struct Scale(f64, f64);

impl Scale {
    fn place(self, value: f64) -> String {
        format!("{:.2}%", (value - self.0) / (self.1 - self.0) * 100.0)
    }

    fn ticks(self, most: usize) -> Vec<(String, String)> {
        let ticks = axis::ticks((self.0, self.1), most).into_iter();
        ticks
            .map(|value| (self.place(value), tick(value)))
            .collect()
    }

    fn mark(self, estimate: &Estimate, number: Option<Number>) -> Mark {
        let ends = estimate.interval;
        Mark {
            at: self.place(estimate.value),
            ends: ends.map(|ends| (self.place(ends.low), self.place(ends.high))),
            number,
        }
    }
}

/// A row for each pair of methods and task.
pub(super) fn improvement(maker: &mut Maker<'_, '_>, pairs: &[Pair]) -> Forest {
    // A little room for points at the ends.
    let scale = Scale(-0.03, 1.03);
    let mut blocks = Vec::new();
    for (at, pair) in pairs.iter().enumerate() {
        let mut rows = Vec::new();
        for comparison in pair.tasks.iter().chain(&pair.all) {
            let task = match comparison.task.as_str() {
                "" => "all tasks",
                task => task,
            };
            let place = [task, &pair.left, "over", &pair.right, "probability"];
            let number = maker.number(&place);
            rows.push(Row {
                label: task.to_owned(),
                token: String::new(),
                colour: colour(at),
                marks: vec![Some(scale.mark(&comparison.probability.exact, number))],
            });
        }
        blocks.push(Block {
            title: format!("{} over {}", pair.left, pair.right),
            axes: vec![scale.ticks(TICKS)],
            guides: vec![Some(scale.place(0.5))],
            rows,
        });
    }
    Forest {
        of: "task",
        heads: vec!["P(improvement)".to_owned()],
        blocks,
    }
}

/// A row for each configuration, and the legend of methods.
pub(super) fn regularisers(
    maker: &mut Maker<'_, '_>,
    figure: &Regularisers<'_>,
) -> (Forest, Vec<Toggle>) {
    let mut keys: Vec<String> = Vec::new();
    let mut blocks = Vec::new();
    for block in figure.blocks.iter().filter(|block| !block.rows.is_empty()) {
        let scales = [0, 1].map(|side| {
            let estimates = block.rows.iter().filter_map(|row| row.estimates[side]);
            let (low, high) = extent_of(estimates);
            Scale(low, high)
        });
        let mut rows = Vec::new();
        for row in &block.rows {
            let mut mark = |side: usize| {
                let estimate = row.estimates[side]?;
                let place = [block.title, row.method, figure.measures[side].word];
                Some(scales[side].mark(&estimate, maker.number(&place)))
            };
            let marks = vec![mark(0), mark(1)];
            // Groups are numbered by task; keys are the figure's.
            let (name, _) = row.method.split_once(" (").unwrap_or((row.method, ""));
            let known = keys.iter().position(|known| known == name);
            let key = known.unwrap_or_else(|| {
                keys.push(name.to_owned());
                keys.len() - 1
            });
            rows.push(Row {
                label: row.method.to_owned(),
                token: token(key),
                colour: colour(key),
                marks,
            });
        }
        let guide = |side: usize| {
            let first = block.rows.first().and_then(|row| row.estimates[side]);
            first.map(|first| scales[side].place(first.value))
        };
        blocks.push(Block {
            title: block.title.to_owned(),
            axes: scales.map(|scale| scale.ticks(TICKS)).into(),
            guides: vec![guide(0), guide(1)],
            rows,
        });
    }
    let forest = Forest {
        of: "method",
        heads: figure
            .measures
            .map(|measure| measure.label.to_owned())
            .into(),
        blocks,
    };
    let keys = keys.into_iter().enumerate();
    (
        forest,
        keys.map(|(key, name)| Toggle::new(key, name)).collect(),
    )
}
