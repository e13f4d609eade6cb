//! Plain lines: when a cell starts, when it ends, and every half minute how far all are.

use std::time::{Duration, Instant};

use era_harness::protocol::Progress;
use era_harness::schedule::{Job, JobResult, Observer};

use super::Tally;

/// Time between two lines about all cells.
const EVERY: Duration = Duration::from_secs(30);

/// Writes lines to standard error.
#[derive(Debug)]
pub(crate) struct Lines {
    tally: Tally,
    said: Instant,
}

impl Lines {
    pub(crate) fn new(tally: Tally) -> Self {
        Self {
            tally,
            said: Instant::now(),
        }
    }

    fn say(&self, line: &str) {
        eprintln!("{line}");
    }
}

impl Observer for Lines {
    fn started(&mut self, job: &Job, resumed_at: Option<u64>) {
        self.tally.start(job);
        self.say(&super::started(&self.tally.name(job), resumed_at));
    }

    fn progress(&mut self, job: &Job, progress: &Progress) {
        self.tally.progress(job, progress);
        self.tick();
    }

    fn ended(&mut self, job: &Job, result: &JobResult, took: Duration) {
        self.tally.end(job, result);
        self.say(&super::ended(
            &self.tally.name(job),
            result,
            took.as_secs_f64(),
        ));
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
        if self.said.elapsed() < EVERY {
            return;
        }
        self.said = Instant::now();
        let running = self.tally.running.iter();
        let parts = running.map(|cell| format!("{} {:.0} %", cell.name, 100.0 * cell.part()));
        let parts: Vec<String> = parts.collect();
        self.say(&format!(
            "         {}; now {}",
            self.tally.line(),
            parts.join(", ")
        ));
    }
}
