//! What is shown while cells train: bars on a terminal, plain lines elsewhere. All of it goes to standard error.

mod bars;
mod lines;
mod tally;

use indicatif::MultiProgress;

pub(crate) use bars::Bars;
pub(crate) use lines::Lines;
pub(crate) use tally::Tally;

use crate::text;
use era_harness::schedule::{JobResult, Observer};

/// Bars where standard error is a terminal, else lines.
pub(crate) fn observer(tally: Tally, multi: &MultiProgress) -> Box<dyn Observer> {
    match console::Term::stderr().is_term() {
        true => Box::new(Bars::new(tally, multi.clone())),
        false => Box::new(Lines::new(tally)),
    }
}

/// The line for a worker that was started.
fn started(name: &str, resumed_at: Option<u64>) -> String {
    match resumed_at {
        None => format!("start    {name}"),
        Some(step) => format!("resume   {name}  from step {step}"),
    }
}

/// The line for a cell that has ended.
fn ended(name: &str, result: &JobResult, seconds: f64) -> String {
    let took = text::time(seconds);
    match result {
        JobResult::Done => format!("done     {name}  {took}"),
        JobResult::Interrupted => format!("stopped  {name}  {took}"),
        JobResult::Failed(failure) => format!("failed   {name}  {took}: {}", failure.reason),
    }
}

/// The lines for what a worker said.
fn said(name: &str, lines: &[String]) -> Vec<String> {
    lines
        .iter()
        .map(|line| format!("note     {name}  {line}"))
        .collect()
}

/// The line for a request to stop.
fn stopping(running: usize) -> String {
    let cells = text::count(running, "cell");
    format!("stopping: {cells} running, each writes a checkpoint; once more ends them at once")
}
