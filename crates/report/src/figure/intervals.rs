//! The figure of pairs: probability of improvement with its interval, one line for each task.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::draw::{
    Area, COLUMN, Drawing, Drawn, GRID, INK, NORMAL, POINT, SMALL, colour, gap, reason, sheet,
    text, text_width, tick,
};
use crate::analysis::{Comparison, Pair};

/// Height of a line, in points.
const LINE: i32 = 11;
/// Height of the axis with its label, in points.
const AXIS: i32 = 26;
/// Where the axis starts and ends, in points from the left.
const LEFT: i32 = 96;
const RIGHT: i32 = COLUMN - 10;
/// Half the height of the end of an interval, in points.
const CAP: i32 = 2;
/// What is said where there is no pair.
pub(crate) const WHY_NONE: &str = "no two methods have finished runs on the same task";

/// The probability of improvement of each pair of methods.
pub(super) fn improvement(pairs: &[Pair], note: Option<&str>) -> Drawn<Drawing> {
    if pairs.is_empty() {
        return gap(note, WHY_NONE);
    }
    let lines: i32 = pairs
        .iter()
        .map(|pair| 1 + comparisons(pair).count() as i32)
        .sum();
    sheet(COLUMN, lines * LINE + AXIS + 4, note, |area| {
        draw_axis(area, lines * LINE + 4)?;
        let mut y = 4 + LINE / 2;
        for (at, pair) in pairs.iter().enumerate() {
            let heading = format!("{} over {}", pair.left, pair.right);
            let style = text(SMALL, INK, HPos::Left, VPos::Center);
            // Long names reach over the lines of the axis.
            let (end, half) = (4 + text_width(&heading, SMALL), LINE / 2);
            let behind = [
                (4 * POINT, (y - half) * POINT),
                (end * POINT, (y + half) * POINT),
            ];
            area.draw(&Rectangle::new(behind, WHITE.filled()))
                .map_err(reason)?;
            area.draw(&Text::new(heading, (4 * POINT, y * POINT), style))
                .map_err(reason)?;
            y += LINE;
            for comparison in comparisons(pair) {
                draw_comparison(area, comparison, y, colour(at))?;
                y += LINE;
            }
        }
        Ok(())
    })
}

fn comparisons(pair: &Pair) -> impl Iterator<Item = &Comparison> {
    pair.tasks.iter().chain(&pair.all)
}

/// A probability's place on the axis, in units of the drawing.
fn place(probability: f64) -> i32 {
    (f64::from(LEFT * POINT) + probability * f64::from((RIGHT - LEFT) * POINT)).round() as i32
}

fn draw_axis(area: &Area<'_>, bottom: i32) -> Drawn<()> {
    let bottom = bottom * POINT;
    for probability in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let x = place(probability);
        // Where neither method is better.
        let style = if probability == 0.5 {
            INK.mix(0.6).stroke_width(6)
        } else {
            GRID.stroke_width(5)
        };
        area.draw(&PathElement::new(vec![(x, 4 * POINT), (x, bottom)], style))
            .map_err(reason)?;
        let label = text(SMALL, INK, HPos::Center, VPos::Center);
        area.draw(&Text::new(
            tick(probability),
            (x, bottom + 6 * POINT),
            label,
        ))
        .map_err(reason)?;
    }
    let axis = PathElement::new(
        vec![(place(0.0), bottom), (place(1.0), bottom)],
        INK.stroke_width(6),
    );
    area.draw(&axis).map_err(reason)?;
    let label = text(NORMAL, INK, HPos::Center, VPos::Center);
    let words = "probability of improvement";
    area.draw(&Text::new(words, (place(0.5), bottom + 17 * POINT), label))
        .map_err(reason)
}

fn draw_comparison(
    area: &Area<'_>,
    comparison: &Comparison,
    y: i32,
    colour: RGBColor,
) -> Drawn<()> {
    let y = y * POINT;
    let task = if comparison.task.is_empty() {
        "all tasks"
    } else {
        &comparison.task
    };
    let label = text(SMALL, INK, HPos::Right, VPos::Center);
    area.draw(&Text::new(task.to_owned(), ((LEFT - 6) * POINT, y), label))
        .map_err(reason)?;
    let estimate = comparison.probability.exact;
    if let Some(interval) = estimate.interval {
        let (low, high, cap) = (place(interval.low), place(interval.high), CAP * POINT);
        for path in [
            [(low, y), (high, y)],
            [(low, y - cap), (low, y + cap)],
            [(high, y - cap), (high, y + cap)],
        ] {
            area.draw(&PathElement::new(path.to_vec(), colour.stroke_width(11)))
                .map_err(reason)?;
        }
    }
    area.draw(&Circle::new(
        (place(estimate.value), y),
        2 * POINT + 3,
        colour.filled(),
    ))
    .map_err(reason)
}
