//! What all figures share: sizes, colours, text, and the file around the drawing.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::Origin;

/// Units of a drawing in a point (1/72 inch): plotters draws in whole units.
pub(super) const POINT: i32 = 10;
/// Width of one column of the paper, in points.
pub(super) const COLUMN: i32 = 241;
/// Width of the text of the paper, in points.
pub(super) const PAGE: i32 = 504;
/// Size of ticks, legends and notes, in points.
pub(super) const SMALL: i32 = 7;
/// Size of labels and titles, in points.
pub(super) const NORMAL: i32 = 8;

/// Dash and gap of dashed lines, in units of the drawing.
pub(super) const DASH: (i32, i32) = (4 * POINT, 3 * POINT);

pub(super) const INK: RGBColor = RGBColor(38, 38, 38);
pub(super) const GRID: RGBColor = RGBColor(225, 225, 225);
const WARNING: RGBColor = RGBColor(160, 30, 30);

/// Roboto is embedded in the PDF; an SVG takes the first of these that the reader has.
const FONTS: &str = "Roboto, Helvetica, Arial, sans-serif";

/// Colours that people with any colour vision tell apart (Okabe and Ito, *Color Universal Design*, 2008), without the
/// yellow that is faint on white.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A drawing that may fail with a reason for people.
pub(super) type Drawn<T> = Result<T, String>;

/// A finished drawing: plotters' SVG and its size in points.
pub(super) struct Drawing {
    svg: String,
    width: i32,
    height: i32,
}

/// What plotters said.
#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` takes")]
pub(super) fn reason(error: impl ToString) -> String {
    error.to_string()
}

/// The colour of a method, by its position on the board.
pub(super) fn colour(method: usize) -> RGBColor {
    COLOURS[method % COLOURS.len()]
}

/// The outline of a method's marker around (0, 0): with it, lines are told apart without colour.
pub(crate) fn marker(method: usize) -> Vec<(i32, i32)> {
    let outline: &[(i32, i32)] = match method % 5 {
        // Nearly a circle, a square, a triangle, a diamond, a triangle on its head.
        0 => &[
            (18, 0),
            (15, 9),
            (9, 15),
            (0, 18),
            (-9, 15),
            (-15, 9),
            (-18, 0),
            (-15, -9),
            (-9, -15),
            (0, -18),
            (9, -15),
            (15, -9),
        ],
        1 => &[(-15, -15), (15, -15), (15, 15), (-15, 15)],
        2 => &[(0, -21), (19, 13), (-19, 13)],
        3 => &[(0, -22), (17, 0), (0, 22), (-17, 0)],
        _ => &[(0, 21), (19, -13), (-19, -13)],
    };
    outline.to_vec()
}

/// Text of `size` points, anchored at `h`, `v`.
pub(super) fn text(size: i32, colour: RGBColor, h: HPos, v: VPos) -> TextStyle<'static> {
    // plotters-svg divides sizes by 1.24.
    let font = (FONTS, f64::from(size * POINT) * 1.24).into_font();
    TextStyle {
        color: colour.to_backend_color(),
        ..TextStyle::from(font)
    }
    .pos(Pos::new(h, v))
}

/// About how wide words of `size` points are, in points: a character takes a little more than half its height.
pub(super) fn text_width(words: &str, size: i32) -> i32 {
    words.chars().count() as i32 * size * 11 / 20
}

/// Draws a figure of this size in points; `note` is its first line.
pub(super) fn sheet(
    width: i32,
    height: i32,
    note: Option<&str>,
    draw: impl FnOnce(&Area<'_>) -> Drawn<()>,
) -> Drawn<Drawing> {
    const NOTE: i32 = 11;
    let full = height + if note.is_some() { NOTE } else { 0 };
    let mut svg = String::new();
    {
        let size = ((width * POINT) as u32, (full * POINT) as u32);
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        root.fill(&WHITE).map_err(reason)?;
        let area = match note {
            Some(note) => {
                let style = text(SMALL, WARNING, HPos::Center, VPos::Center);
                root.draw(&Text::new(
                    note.to_owned(),
                    (width * POINT / 2, NOTE * POINT / 2),
                    style,
                ))
                .map_err(reason)?;
                root.split_vertically(NOTE * POINT).1
            }
            None => root.clone(),
        };
        draw(&area)?;
        root.present().map_err(reason)?;
    }
    Ok(Drawing {
        svg,
        width,
        height: full,
    })
}

/// A figure that says why there is nothing to show.
pub(super) fn gap(note: Option<&str>, why: &str) -> Drawn<Drawing> {
    const HEIGHT: i32 = 40;
    const CHARACTERS: usize = 62;
    sheet(COLUMN, HEIGHT, note, |area| {
        for (at, line) in wrap(why, CHARACTERS).iter().enumerate() {
            let style = text(SMALL, INK, HPos::Center, VPos::Center);
            let y = (HEIGHT / 3 + at as i32 * (SMALL + 3)) * POINT;
            area.draw(&Text::new(line.clone(), (COLUMN * POINT / 2, y), style))
                .map_err(reason)?;
        }
        Ok(())
    })
}

fn wrap(words: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A tick's label: as many digits as the value has, at most six after the point, with a true minus.
pub(crate) fn tick(value: f64) -> String {
    let text = crate::number::fixed(value, 6);
    text.trim_end_matches('0')
        .trim_end_matches('.')
        .replace('-', "\u{2212}")
}

/// The whole SVG: its natural size, and where it comes from.
pub(super) fn finish(drawing: Drawing, origin: &Origin) -> Drawn<String> {
    let Drawing { svg, width, height } = drawing;
    let (_, body) = svg.split_once(">\n").ok_or("plotters wrote no SVG")?;
    let (units_wide, units_high) = (width * POINT, height * POINT);
    let Origin {
        title,
        command,
        commits,
        records,
    } = origin;
    let [title, command, commits, records] =
        [title, command, commits, records].map(|text| xml(text));
    Ok(format!(
        "<svg width=\"{width}pt\" height=\"{height}pt\" viewBox=\"0 0 {units_wide} {units_high}\" \
         xmlns=\"http://www.w3.org/2000/svg\">\n\
         <title>{title}</title>\n\
         <desc>Made from run records by: {command}</desc>\n\
         <metadata>\ncommand: {command}\ncommits: {commits}\nrecords: {records}\n</metadata>\n{body}"
    ))
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_short() {
        for (value, label) in [
            (0.1 + 0.2, "0.3"),
            (2500.0, "2,500"),
            (-0.5, "\u{2212}0.5"),
            (0.0, "0"),
            (100.0, "100"),
        ] {
            assert_eq!(tick(value), label);
        }
    }

    #[test]
    fn names_cannot_break_the_svg() {
        let origin = Origin {
            title: "a<b>&".into(),
            command: "c".into(),
            commits: "d".into(),
            records: "e".into(),
        };
        let svg = finish(gap(None, "1 < 2 & 3").unwrap(), &origin).unwrap();
        assert!(
            svg.contains("<title>a&lt;b&gt;&amp;</title>") && svg.contains("1 &lt; 2 &amp; 3"),
            "{svg}"
        );
    }
}
