//! Bars: one for each running cell, one for all. Lines are laid out here for the width that the terminal has, so that
//! a narrow one shows less and never wraps.

use std::collections::BTreeMap;
use std::time::Duration;

use console::{Alignment, measure_text_width, pad_str, truncate_str};
use era_harness::CellId;
use era_harness::protocol::Progress;
use era_harness::schedule::{Job, JobResult, Observer};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::Tally;
use crate::text;

/// Draws bars on standard error.
#[derive(Debug)]
pub(crate) struct Bars {
    tally: Tally,
    multi: MultiProgress,
    cells: BTreeMap<CellId, ProgressBar>,
    all: ProgressBar,
}

impl Bars {
    pub(crate) fn new(tally: Tally, multi: MultiProgress) -> Self {
        let all = multi.add(line());
        Self {
            tally,
            multi,
            cells: BTreeMap::new(),
            all,
        }
    }

    fn draw(&self) {
        // One column stays free: some terminals wrap when the last one is written to.
        let width = usize::from(console::Term::stderr().size().1).saturating_sub(1);
        for running in &self.tally.running {
            if let Some(bar) = self.cells.get(&running.id) {
                let progress = running.progress.as_ref();
                bar.set_message(cell_line(
                    width,
                    self.tally.widest(),
                    &running.name,
                    progress,
                ));
            }
        }
        self.all
            .set_message(total_line(width, self.tally.part(), &self.tally.line()));
    }

    fn say(&self, line: &str) {
        // The line stays in the terminal's history whole, so it may wrap. Nothing to do when it cannot be written.
        let _ = self.multi.println(line);
    }
}

impl Observer for Bars {
    fn started(&mut self, job: &Job, resumed_at: Option<u64>) {
        self.tally.start(job);
        if resumed_at.is_some() {
            self.say(&super::started(&self.tally.name(job), resumed_at));
        }
        let bar = self.multi.insert_before(&self.all, line());
        self.cells.insert(job.cell.id(), bar);
        self.draw();
    }

    fn progress(&mut self, job: &Job, progress: &Progress) {
        self.tally.progress(job, progress);
        self.draw();
    }

    fn ended(&mut self, job: &Job, result: &JobResult, took: Duration) {
        self.tally.end(job, result);
        if let Some(bar) = self.cells.remove(&job.cell.id()) {
            bar.finish_and_clear();
            self.multi.remove(&bar);
        }
        self.say(&super::ended(
            &self.tally.name(job),
            result,
            took.as_secs_f64(),
        ));
        self.draw();
    }

    fn said(&mut self, job: &Job, lines: &[String]) {
        for line in super::said(&self.tally.name(job), lines) {
            self.say(&line);
        }
    }

    fn stopping(&mut self, running: usize) {
        self.say(&super::stopping(running));
    }

    fn tick(&mut self) {
        self.draw();
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.all.finish_and_clear();
    }
}

/// A bar that shows its message and nothing else.
fn line() -> ProgressBar {
    let style =
        ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new_spinner().with_style(style)
}

/// `sac-era mini/reacher s0  ████░░░░░░  45 %   900/2000  return -4.21  entropy -0.50`, as much as fits.
fn cell_line(width: usize, widest: usize, name: &str, progress: Option<&Progress>) -> String {
    let column = widest.min(width * 2 / 5);
    let name = shorten(name, column);
    let mut line = pad_str(&name, column, Alignment::Left, None).into_owned();
    let Some(Progress { step, of, headline }) = progress else {
        return fit(&format!("{line}  starting"), width);
    };
    let part = *step as f64 / (*of).max(1) as f64;
    let values = headline
        .iter()
        .map(|(name, value)| format!("  {name} {}", text::number(*value)));
    let values: String = values.collect();
    let steps = format!("  {step:>digits$}/{of}", digits = of.to_string().len());
    let percent = format!(" {:>3.0} %", 100.0 * part);
    let free = width.saturating_sub(column + percent.len() + values.len());
    match free.checked_sub(steps.len()) {
        // A bar of fewer than four cells tells nothing.
        Some(room) if room >= 6 => line.push_str(&format!(
            "  {}{percent}{steps}",
            bar(part, (room - 2).min(20))
        )),
        Some(_) => line.push_str(&format!("{percent}{steps}")),
        None => line.push_str(&percent),
    }
    fit(&(line + &values), width)
}

/// A name without its middle, where it is too long: its last word, which is the seed, tells neighbours apart.
fn shorten(name: &str, width: usize) -> String {
    let last = name.rsplit(' ').next().unwrap_or_default();
    let ending = format!("… {last}");
    match width.checked_sub(measure_text_width(&ending)) {
        Some(room) if measure_text_width(name) > width => {
            format!("{}{ending}", truncate_str(name, room, ""))
        }
        _ => truncate_str(name, width, "…").into_owned(),
    }
}

/// The line for all cells.
fn total_line(width: usize, part: f64, counts: &str) -> String {
    match width.checked_sub(counts.len() + 2) {
        Some(room) if room >= 4 => format!("{}  {counts}", bar(part, room.min(20))),
        _ => fit(counts, width),
    }
}

fn bar(part: f64, cells: usize) -> String {
    let full = (part.clamp(0.0, 1.0) * cells as f64).floor() as usize;
    format!("{}{}", "█".repeat(full), "░".repeat(cells - full))
}

fn fit(line: &str, width: usize) -> String {
    let end = if width == 0 { "" } else { "…" };
    truncate_str(line, width, end).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(step: u64, of: u64) -> Progress {
        let headline = vec![
            ("return".to_owned(), -123.456),
            ("entropy".to_owned(), -0.5),
        ];
        Progress { step, of, headline }
    }

    #[test]
    fn lines_fit_every_width() {
        let name = "sac-fixed-sigma gym/half-cheetah s0";
        let counts = "12/160 cells, 1 failed, about 2h13m left, 1h02m gone";
        for width in 0..200 {
            for progress in [None, Some(progress(0, 0)), Some(progress(900, 1_000_000))] {
                let line = cell_line(width, 35, name, progress.as_ref());
                assert!(measure_text_width(&line) <= width, "{width}: {line}");
            }
            let line = total_line(width, 0.4, counts);
            assert!(measure_text_width(&line) <= width, "{width}: {line}");
        }
    }

    #[test]
    fn narrow_terminals_show_less() {
        let name = "sac-era mini/reacher s0";
        let line = |width| cell_line(width, 23, name, Some(&progress(900, 2000)));
        let lines = [120, 80, 60, 40, 20].map(line);
        insta::assert_snapshot!(lines.join("\n"));
    }
}
