//! A comparison as a comment of a pull request.

use std::fmt::Write as _;

use super::text::{columns, count, margin, notes};
use super::{Compared, Comparison, Outcome, Row};

const HEAD: &str = "| experiment | task | method | runs | now | baseline | change | interval | shows | verdict |\n\
                    |---|---|---|--:|--:|--:|--:|--:|--:|---|\n";

impl Comparison {
    /// The comparison as GitHub's Markdown: what is worse or undecided first, everything in a part that unfolds.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        let title = match (self.count(Outcome::Worse), self.faults().len()) {
            (0, 0) => "no row is worse".to_owned(),
            (0, faults) => format!("{} failed", count(faults, "cell")),
            (1, _) => "1 row is worse".into(),
            (worse, _) => format!("{worse} rows are worse"),
        };
        let _ = writeln!(
            text,
            "### Records compared, scale `{}`: {title}\n\nAgainst `{}`, margin {}. {}.\n",
            self.scale,
            self.baseline,
            margin(self.margin),
            self.verdict()
        );
        let looked_at =
            |row: &Row| !matches!(row.outcome, Outcome::Identical | Outcome::NotCompared);
        if self.rows().any(|(_, row)| looked_at(row)) {
            text.push_str(HEAD);
            for outcome in [
                Outcome::Worse,
                Outcome::Undecided,
                Outcome::NoWorse,
                Outcome::Better,
            ] {
                let rows = self.rows().filter(|(_, row)| row.outcome == outcome);
                rows.for_each(|(experiment, row)| push_row(&mut text, experiment, row));
            }
            let _ = writeln!(text, "\n{}.\n", self.reading());
        }
        let all = self.rows().count();
        let _ = writeln!(
            text,
            "<details><summary>All {}</summary>\n",
            count(all, "row")
        );
        text.push_str(HEAD);
        self.rows()
            .for_each(|(experiment, row)| push_row(&mut text, experiment, row));
        text.push_str("\n</details>\n");
        self.push_notes(&mut text);
        text
    }

    fn push_notes(&self, text: &mut String) {
        let notes: Vec<(&str, Vec<String>)> = self
            .experiments
            .iter()
            .map(|experiment| (experiment.experiment.as_str(), notes(experiment)))
            .collect();
        let number: usize = notes.iter().map(|(_, lines)| lines.len()).sum();
        if number == 0 {
            return;
        }
        let _ = writeln!(
            text,
            "\n<details><summary>{}</summary>\n",
            count(number, "note")
        );
        for (experiment, lines) in notes {
            for line in lines {
                let _ = writeln!(text, "- `{experiment}`: {}", escaped(&line));
            }
        }
        text.push_str("\n</details>\n");
    }
}

fn push_row(text: &mut String, experiment: &Compared, row: &Row) {
    let task = row.task.as_deref().unwrap_or("all tasks");
    let mut cells = vec![experiment.experiment.clone(), task.to_owned()];
    cells.extend(columns(row));
    let cells: Vec<String> = cells
        .iter()
        .map(|cell| match cell.as_str() {
            "WORSE" => "**worse**".to_owned(),
            cell => escaped(cell),
        })
        .collect();
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

/// Text in which nothing ends a cell of a table, begins a tag or is emphasis.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '|' | '*' | '_' | '`' | '<' | '\\' => escaped.extend(['\\', c]),
            '\n' => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}
