//! Tables and words as lines of text that fit a terminal.

use std::fmt::Write as _;

/// Fewest columns that labels are given before the numbers behind them are folded.
const SHORTEST_LABEL: usize = 16;
/// Columns between two columns of a table.
const GAP: usize = 2;

/// A line of a table.
#[derive(Debug)]
pub(crate) enum Line {
    /// A line across all columns.
    Heading(String),
    Cells(Vec<String>),
}

/// Columns as wide as their widest cell, [`GAP`] apart, all but the first to the right. Where that is too wide, labels that
/// leave too little room stand on lines of their own; where that is not enough, the last columns of each line go to another
/// line under it.
pub(crate) fn push_table(text: &mut String, lines: &[Line], width: usize) {
    let widths = widths(lines, width);
    let starts = starts(&widths, width);
    for line in lines {
        match line {
            Line::Heading(heading) => push_wrapped(text, heading, 0, width),
            Line::Cells(cells) => push_cells(text, cells, &widths, &starts, width),
        }
    }
}

/// How wide each column is.
fn widths(lines: &[Line], width: usize) -> Vec<usize> {
    let cells = || {
        lines.iter().filter_map(|line| match line {
            Line::Cells(cells) => Some(cells),
            Line::Heading(_) => None,
        })
    };
    let mut widths: Vec<usize> = Vec::new();
    for cells in cells() {
        widths.resize(widths.len().max(cells.len()), 0);
        for (column, cell) in widths.iter_mut().zip(cells) {
            *column = (*column).max(cell.chars().count());
        }
    }
    let Some((labels, numbers)) = widths.split_first_mut() else {
        return widths;
    };
    let taken: usize = numbers.iter().map(|column| column + GAP).sum();
    let beside = width.saturating_sub(taken + GAP);
    let room = match beside {
        SHORTEST_LABEL.. => beside,
        _ => width - GAP,
    };
    if *labels > room {
        let short = cells().filter_map(|cells| cells.first());
        let short = short.map(|label| label.chars().count());
        *labels = short.filter(|label| *label <= room).max().unwrap_or(0);
    }
    widths
}

/// Where each column starts, as (line, offset).
fn starts(widths: &[usize], width: usize) -> Vec<(usize, usize)> {
    let mut starts = Vec::new();
    let (mut line, mut offset) = (0, GAP);
    for column in widths {
        if offset + column > width && offset > 2 * GAP {
            (line, offset) = (line + 1, 2 * GAP);
        }
        starts.push((line, offset));
        offset += column + GAP;
    }
    starts
}

fn push_cells(
    text: &mut String,
    cells: &[String],
    widths: &[usize],
    starts: &[(usize, usize)],
    width: usize,
) {
    let mut on = (0, String::new());
    for (at, cell) in cells.iter().enumerate() {
        let ((line, offset), column) = (starts[at], widths[at]);
        if at == 0 && cell.chars().count() > column {
            push_wrapped(text, cell, offset, width);
            continue;
        }
        if line != on.0 {
            let _ = writeln!(text, "{}", on.1.trim_end());
            on = (line, String::new());
        }
        let gap = offset.saturating_sub(on.1.chars().count());
        let _ = match at {
            0 => write!(on.1, "{:gap$}{cell:<column$}", ""),
            _ => write!(on.1, "{:gap$}{cell:>column$}", ""),
        };
    }
    let _ = writeln!(text, "{}", on.1.trim_end());
}

/// Words wrapped at `width`; lines after the first are two further in.
pub(crate) fn push_wrapped(text: &mut String, words: &str, indent: usize, width: usize) {
    let mut line = " ".repeat(indent);
    let mut empty = true;
    for word in words.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > width {
            let _ = writeln!(text, "{line}");
            line = " ".repeat(indent + 2);
        } else if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    let _ = writeln!(text, "{}", line.trim_end());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_is_too_wide_goes_on_below() {
        let cells = |cells: &[&str]| Line::Cells(cells.iter().map(ToString::to_string).collect());
        let lines = [
            cells(&["method", "value", "interval"]),
            cells(&["a", "1", "[0, 2]"]),
        ];
        let laid_out = |width| {
            let mut text = String::new();
            push_table(&mut text, &lines, width);
            text
        };
        assert_eq!(
            laid_out(40),
            "  method  value  interval\n  a           1    [0, 2]\n"
        );
        assert_eq!(
            laid_out(16),
            "  method  value\n    interval\n  a           1\n      [0, 2]\n"
        );
    }

    #[test]
    fn a_label_that_is_too_long_stands_alone() {
        let cells = |cells: &[&str]| Line::Cells(cells.iter().map(ToString::to_string).collect());
        let lines = [
            cells(&["method", "value"]),
            cells(&["sixteen letters.", "1"]),
            cells(&["more letters than there is room for", "22"]),
        ];
        let laid_out = |width| {
            let mut text = String::new();
            push_table(&mut text, &lines, width);
            text
        };
        assert_eq!(
            laid_out(40),
            "  method            value\n  sixteen letters.      1\n  more letters than there is room for\n                       22\n"
        );
        assert!(laid_out(44).ends_with("  more letters than there is room for     22\n"));
    }

    #[test]
    fn words_wrap() {
        let mut text = String::new();
        push_wrapped(&mut text, "some words that are long", 2, 14);
        assert_eq!(text, "  some words\n    that are\n    long\n");
    }
}
