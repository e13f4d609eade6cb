//! The ledger on the terminal.

use super::{ClaimDomain, Comparison, Count, Ledger, Outcome, Row, Statement, Verdict};
use crate::analysis::Analysis;
use crate::summary::layout::{Line, push_table, push_wrapped};

/// Narrowest width that is laid out for; below it lines run over.
const NARROWEST: usize = 40;
/// How far what is said of a claim stands in.
const INDENT: usize = 4;

impl Ledger {
    /// All claims with their verdicts as plain text of at most `width` columns, and how many claims have each verdict.
    pub fn text(&self, width: usize) -> String {
        let width = width.max(NARROWEST);
        let mut text = String::new();
        let head = format!(
            "claims of the paper, judged by the records of scale {}; [a, b]: the 95 % interval of the number before it; few: of \
             fewer than five runs on some task an interval is rough, and too narrow",
            self.scale
        );
        push_wrapped(&mut text, &head, 0, width);
        if self.scale == "smoke" {
            push_wrapped(&mut text, Analysis::SMOKE, 0, width);
        }
        for domain in ClaimDomain::ALL {
            let rows: Vec<&Row> = self.of(domain).collect();
            if !rows.is_empty() {
                text.push('\n');
                push_wrapped(&mut text, domain.title(), 0, width);
            }
            for row in rows {
                text.push('\n');
                for (indent, words) in row.lines() {
                    push_wrapped(&mut text, &words, indent, width);
                }
            }
        }
        self.push_end(&mut text, width);
        text
    }

    fn push_end(&self, text: &mut String, width: usize) {
        text.push('\n');
        push_wrapped(text, "sources", 0, width);
        for source in &self.sources {
            push_wrapped(text, &format!("{}: {}", source.tag, source.about), 2, width);
        }
        text.push('\n');
        let line = |count: &Count| {
            Line::Cells(vec![count.verdict.words().into(), count.claims.to_string()])
        };
        let mut lines = vec![Line::Cells(vec!["verdict".into(), "claims".into()])];
        lines.extend(self.counts.iter().map(line));
        push_table(text, &lines, width);
    }

    /// The claims of one domain.
    pub(super) fn of(&self, domain: ClaimDomain) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.domain == domain)
    }
}

impl Row {
    /// What is said of a claim, each line with how far it stands in.
    fn lines(&self) -> Vec<(usize, String)> {
        let mut lines = vec![(2, format!("{}: {}", self.verdict.words(), self.id))];
        let more = [
            Some(format!("{} ({})", self.statement, self.place())),
            self.quoted().map(|quoted| format!("paper: {quoted}")),
            self.decisive().map(|each| format!("here: {}", each.what)),
            self.open(),
            self.others(),
            self.miniature
                .as_ref()
                .map(|less| format!("smaller than in the paper: {less}")),
            Some(self.note.clone()).filter(|note| !note.is_empty()),
            self.to_run(),
        ];
        for line in more.into_iter().flatten() {
            let here = line.starts_with("here: ");
            lines.push((INDENT, line));
            let number = self.number().filter(|_| here);
            lines.extend(number.map(|number| (INDENT + 2, number)));
        }
        lines
    }

    /// Where it is claimed.
    pub(super) fn place(&self) -> String {
        let weak = if self.weak { ", a weak source" } else { "" };
        format!("{}; {}{weak}", self.r#where, self.sources.join(", "))
    }

    /// The published numbers, and the size of the effect by them.
    pub(super) fn quoted(&self) -> Option<String> {
        let number = |each: &Statement| match (&each.plus_minus, &each.unit) {
            (Some(plus_minus), _) => format!("{} ± {plus_minus}", each.printed),
            (None, Some(unit)) if self.size.is_none() => format!("{} {unit}", each.printed),
            (None, _) => each.printed.clone(),
        };
        let numbers: Vec<String> = self.published.iter().map(number).collect();
        let numbers = match numbers.as_slice() {
            [] => return None,
            [own, other] => format!("{own} against {other}"),
            numbers => numbers.join(", "),
        };
        Some(match &self.size {
            Some(size) => format!("{numbers}, {size}"),
            None => numbers,
        })
    }

    /// The number that decides, with its interval.
    fn number(&self) -> Option<String> {
        let each = self.decisive()?;
        let estimate = each.estimate.as_deref().unwrap_or("no number");
        let interval = match (&each.interval, each.interval_kind) {
            (Some([low, high]), "range") => format!(", all in [{low}, {high}]"),
            (Some([low, high]), _) => format!(" [{low}, {high}]"),
            (None, _) => ", no interval".to_owned(),
        };
        let margin = self.margin.as_deref().unwrap_or_default();
        Some(format!(
            "{estimate}{interval}, claimed {margin}; {}",
            each.count()
        ))
    }

    /// What these runs could have shown.
    fn open(&self) -> Option<String> {
        let smallest = self.decisive()?.smallest.as_ref()?;
        Some(format!("the smallest these runs could show: {smallest}"))
    }

    /// How the other comparisons ended.
    pub(super) fn others(&self) -> Option<String> {
        if self.comparisons.len() < 2 {
            return None;
        }
        let count = |outcome: Outcome, words: &str| {
            let number = self
                .comparisons
                .iter()
                .filter(|each| each.outcome == outcome)
                .count();
            (number > 0).then(|| format!("{number} {words}"))
        };
        let counts = [
            count(Outcome::Holds, "as claimed"),
            count(Outcome::Fails, "not"),
            count(Outcome::Open, "undecided"),
            count(Outcome::NoRecords, "without records"),
        ];
        let counts: Vec<String> = counts.into_iter().flatten().collect();
        Some(format!(
            "of {} comparisons {}",
            self.comparisons.len(),
            counts.join(", ")
        ))
    }

    /// The command that brings what is missing.
    fn to_run(&self) -> Option<String> {
        let command = self.command.as_ref()?;
        Some(match self.verdict {
            Verdict::NoRecordsYet => format!("to test it: {command}"),
            _ => format!("for the rest of its runs: {command}"),
        })
    }

    /// The comparison that decides.
    pub(super) fn decisive(&self) -> Option<&Comparison> {
        self.comparisons.get(self.decides?)
    }
}

impl Comparison {
    /// How many runs it rests on.
    pub(super) fn count(&self) -> String {
        let unit = match (self.of_pairs, self.runs) {
            (true, 1) => "pair",
            (true, _) => "pairs",
            (false, 1) => "run",
            (false, _) => "runs",
        };
        let runs = match self.runs == self.planned {
            true => format!("{} {unit}", self.runs),
            false => format!("{} of {} {unit}", self.runs, self.planned),
        };
        match self.few {
            true => format!("{runs} (few)"),
            false => runs,
        }
    }
}
