//! The legend below panels.

use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::draw::{Area, DASH, Drawn, INK, POINT, SMALL, colour, marker, reason, text, text_width};

/// Height of a row, in points.
const ROW: i32 = 12;
/// Width of what stands before a label, and of the gap behind it, in points.
const SIGN: i32 = 26;

/// A method in the legend.
pub(crate) struct Key {
    pub(crate) method: usize,
    pub(crate) label: String,
    /// What dashed lines are, instead of a method.
    pub(crate) dashed: bool,
}

impl Key {
    /// The key of dashed lines.
    pub(super) fn dashed(label: &str) -> Self {
        Self {
            method: 0,
            label: label.to_owned(),
            dashed: true,
        }
    }
}

/// Keys in rows, all as wide as the one with the longest label.
pub(super) struct Legend<'a> {
    keys: &'a [Key],
    /// Width of a key, in points.
    cell: i32,
    per_row: usize,
    /// Where rows begin, in points.
    left: i32,
}

impl<'a> Legend<'a> {
    /// The legend of a figure of this width in points.
    pub(super) fn new(keys: &'a [Key], width: i32) -> Self {
        let labels = keys.iter().map(|key| text_width(&key.label, SMALL));
        let cell = SIGN + labels.max().unwrap_or(0);
        let per_row = (width / cell).clamp(1, keys.len().max(1) as i32);
        Self {
            keys,
            cell,
            per_row: per_row as usize,
            left: (width - cell * per_row).max(0) / 2,
        }
    }

    /// Its height in points.
    pub(super) fn height(&self) -> i32 {
        ROW * self.keys.len().div_ceil(self.per_row) as i32
    }

    pub(super) fn draw(&self, area: &Area<'_>) -> Drawn<()> {
        for (at, key) in self.keys.iter().enumerate() {
            let x = (self.left + self.cell * (at % self.per_row) as i32) * POINT;
            let y = (ROW * (at / self.per_row) as i32 + ROW / 2) * POINT;
            draw_key(area, key, (x, y))?;
        }
        Ok(())
    }
}

fn draw_key(area: &Area<'_>, key: &Key, (x, y): (i32, i32)) -> Drawn<()> {
    let ends = vec![(x, y), (x + 16 * POINT, y)];
    if key.dashed {
        let dashes = DashedPathElement::new(ends, DASH.0, DASH.1, INK.stroke_width(8));
        area.draw(&dashes).map_err(reason)?;
    } else {
        let colour = colour(key.method);
        area.draw(&PathElement::new(ends, colour.stroke_width(11)))
            .map_err(reason)?;
        let outline = Polygon::new(marker(key.method), colour.filled());
        area.draw(&(EmptyElement::at((x + 8 * POINT, y)) + outline))
            .map_err(reason)?;
    }
    let style = text(SMALL, INK, HPos::Left, VPos::Center);
    area.draw(&Text::new(key.label.clone(), (x + 20 * POINT, y), style))
        .map_err(reason)
}
