//! Reliability diagrams: a panel for each method.

use std::collections::BTreeSet;

use super::plot::{Frame, Plot, Series, last_of, outlines, short};
use super::{Block, Chart, Toggle, colour, token};
use crate::analysis::Bin;
use crate::figure::{Diagrams, NO_DIAGRAM, tick};
use crate::number::{fixed, per_cent};

/// Fills a figure in.
pub(super) fn diagrams(chart: &mut Chart, methods: &[String], tasks: &Diagrams<'_>) {
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

pub(super) fn diagram(method: usize, methods: &[String], bins: &[Bin], frame: &Frame) -> Series {
    let filled: Vec<_> = bins.iter().filter(|bin| bin.share > 0.0).collect();
    let at = || filled.iter().map(|bin| (bin.confidence, bin.accuracy));
    let all = |print: &dyn Fn(&Bin) -> String| {
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

pub(super) fn bars(bins: &[Bin], frame: &Frame) -> Vec<[String; 4]> {
    let width = 1.0 / bins.len() as f64;
    let bar = |(at, bin): (usize, &Bin)| {
        let (x, y) = (frame.x(at as f64 * width), frame.y(bin.share));
        let size = (frame.x(width) - frame.x(0.0), frame.y(0.0) - y);
        [x, y, size.0, size.1].map(short)
    };
    let bins = bins.iter().enumerate().filter(|(_, bin)| bin.share > 0.0);
    bins.map(bar).collect()
}
