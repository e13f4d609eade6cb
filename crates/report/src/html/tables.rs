//! Tables of the page: one model for all of them, filled from the ledger.

mod domains;

use serde::Serialize;

use super::number::{Number, Quote};
use super::section::Maker;
use super::text;

pub(super) use domains::tables;

/// A table.
#[derive(Serialize)]
pub(super) struct Table {
    pub(super) id: String,
    pub(super) title: &'static str,
    caption: String,
    /// What the first column has.
    of: &'static str,
    /// Words over several columns, with how many; empty where there are none.
    groups: Vec<(&'static str, usize)>,
    columns: Vec<Column>,
    blocks: Vec<Block>,
    /// What is said where there is no row.
    none: &'static str,
    /// Number of columns with those of intervals.
    width: usize,
}

/// A column behind the first.
#[derive(Clone, Debug, Serialize)]
struct Column {
    label: String,
    /// Whether its numbers have intervals, in a column beside it.
    interval: bool,
    /// The last word of its numbers' places in the ledger; empty where it has others.
    #[serde(skip)]
    word: &'static str,
    /// What stands where there is no number.
    #[serde(skip)]
    missing: &'static str,
}

/// Rows below a heading.
#[derive(Serialize)]
struct Block {
    title: String,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    label: String,
    entries: Vec<Entry>,
}

/// What stands in a column.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Entry {
    Number(Number),
    Quote(Quote),
    /// Runs, with the list of their cells.
    Runs {
        text: String,
        set: Option<String>,
    },
    Words {
        text: String,
    },
}

impl Column {
    /// Numbers with intervals.
    fn estimate(label: &str, word: &'static str) -> Self {
        Self {
            label: label.to_owned(),
            interval: true,
            word,
            missing: "–",
        }
    }

    /// Numbers without.
    fn plain(label: &str, word: &'static str) -> Self {
        Self {
            interval: false,
            ..Self::estimate(label, word)
        }
    }

    /// Says `missing` where there is no number.
    fn or(self, missing: &'static str) -> Self {
        Self { missing, ..self }
    }
}

impl Entry {
    fn words(text: impl Into<String>) -> Self {
        Self::Words { text: text.into() }
    }

    fn of(number: Option<Number>, missing: &'static str) -> Self {
        number.map_or_else(|| Self::words(missing), Self::Number)
    }
}

impl Table {
    /// A table, `of` something, of these columns.
    fn new(id: String, title: &'static str, of: &'static str, columns: Vec<Column>) -> Self {
        Self {
            id,
            title,
            caption: String::new(),
            of,
            groups: Vec::new(),
            width: 1 + columns
                .iter()
                .map(|column| 1 + usize::from(column.interval))
                .sum::<usize>(),
            columns,
            blocks: Vec::new(),
            none: "no cell is finished",
        }
    }

    fn caption(self, caption: impl Into<String>) -> Self {
        let caption = caption.into();
        Self { caption, ..self }
    }
}

impl Maker<'_, '_> {
    /// Finished and planned cells of a method on a task, with their list.
    fn runs(&mut self, task: usize, method: usize) -> Entry {
        let board = &self.analysis.board;
        let cells: Vec<_> = board
            .cells_of(task, method)
            .map(era_harness::Cell::id)
            .collect();
        let done = board.runs_of(task, method).count();
        Entry::Runs {
            text: format!("{done}/{}", cells.len()),
            set: self.cells.set(&cells),
        }
    }

    /// A block for each task of the board with a row for each of its methods that `keep` takes: the number of its runs, then
    /// the numbers that the ledger has for the other columns.
    fn by_task(&mut self, columns: &[Column], keep: impl Fn(&str, &str) -> bool) -> Vec<Block> {
        let analysis = self.analysis;
        let mut blocks = Vec::new();
        for (at, task) in analysis.board.tasks.iter().enumerate() {
            let mut rows = Vec::new();
            for (method, label) in analysis.board.methods.iter().enumerate() {
                if analysis.board.planned(at, method) == 0 || !keep(task, label) {
                    continue;
                }
                let mut entries = vec![self.runs(at, method)];
                for column in &columns[1..] {
                    let number = self.number(&[task, label, column.word]);
                    entries.push(Entry::of(number, column.missing));
                }
                rows.push(Row {
                    label: label.clone(),
                    entries,
                });
            }
            if !rows.is_empty() {
                blocks.push(Block {
                    title: task.clone(),
                    rows,
                });
            }
        }
        blocks
    }

    /// `3 of 42 cells are left out`, with a full stop and a space before it; nothing where none is.
    fn left_out(&self) -> String {
        match self.analysis.left_out_line() {
            line if line.is_empty() => line,
            line => format!(" {line}."),
        }
    }
}

/// The column of runs, which every table by task has first.
fn runs_column() -> Column {
    Column::plain("runs", "")
}

/// How often a left, a right and a pair of them was run.
fn paired(left: usize, right: usize, pairs: usize) -> Entry {
    Entry::words(format!("{left}, {right}; {}", text::count(pairs, "pair")))
}
