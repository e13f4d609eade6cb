//! What became of a cell whose worker is gone: what its record says, completed by what the driver saw.

use std::path::Path;
use std::time::Duration;

use super::{Exit, Job, JobResult};
use crate::protocol::warn;
use crate::record::{Failure, FailureKind, RunRecord, Status};
use crate::store::{self, Lock, StoreError};
use crate::worker::utc_now;

/// What the driver did to the worker, and for how long it ran.
#[derive(Debug)]
pub(super) struct Seen {
    /// The record before the worker was started.
    pub(super) before: Option<RunRecord>,
    /// It ran past its time limit and was asked to end for that.
    pub(super) timed_out: bool,
    /// It was asked to end because everything ends.
    pub(super) stopped: bool,
    /// How long it ran.
    pub(super) took: Duration,
}

/// Says how the job ended. Where the worker could not write so into its record, this does.
pub(super) fn verdict(job: &Job, exit: &Exit, seen: &Seen) -> JobResult {
    let status = match store::read_run(&job.dir) {
        // What an attempt before this one left says nothing about this one, unless it finished the cell.
        Ok(record) if record == seen.before => record
            .map(|record| record.status)
            .filter(|s| *s == Status::Done),
        Ok(record) => record.map(|record| record.status),
        Err(error) => {
            return JobResult::Failed(failure(FailureKind::Error, error.to_string(), exit));
        }
    };
    let failure = match status {
        Some(Status::Done) if exit.code == Some(0) => return JobResult::Done,
        Some(Status::Failed(said)) if exit.signal.is_none() => Failure {
            tail: exit.tail.clone(),
            ..said
        },
        // It waited for the worker of another command to leave the cell.
        _ if seen.stopped && exit.signal.is_none() && Lock::is_held(&job.dir).unwrap_or(false) => {
            return JobResult::Interrupted;
        }
        _ if seen.timed_out => failure(FailureKind::TimedOut, time_limit(job), exit),
        Some(Status::Interrupted) if exit.signal.is_none() => return JobResult::Interrupted,
        _ => match exit.signal {
            // Ended at once because the user asked twice: the last checkpoint counts.
            Some(_) if seen.stopped => return JobResult::Interrupted,
            Some(signal) => failure(FailureKind::Killed, killed_by(signal), exit),
            None => failure(FailureKind::Error, unexplained(exit), exit),
        },
    };
    if let Err(error) = amend(&job.dir, &failure, seen.took) {
        warn(format_args!(
            "failed to record that {} failed: {error}",
            job.cell.id()
        ));
    }
    JobResult::Failed(failure)
}

fn failure(kind: FailureKind, reason: String, exit: &Exit) -> Failure {
    Failure {
        kind,
        reason,
        tail: exit.tail.clone(),
    }
}

fn time_limit(job: &Job) -> String {
    let limit = job.time_limit.unwrap_or_default();
    format!(
        "it ran past its time limit of {}",
        humantime::format_duration(limit)
    )
}

fn killed_by(signal: i32) -> String {
    let name = nix::sys::signal::Signal::try_from(signal);
    let name = name.map_or_else(|_| format!("signal {signal}"), |signal| signal.to_string());
    // What the kernel sends when memory runs out.
    let guess = if signal == nix::sys::signal::Signal::SIGKILL as i32 {
        " (out of memory?)"
    } else {
        ""
    };
    format!("it was ended by {name}{guess}")
}

fn unexplained(exit: &Exit) -> String {
    let last = exit.tail.iter().rev().find(|line| !line.trim().is_empty());
    let code = exit.code.map_or_else(
        || "an unknown exit code".to_owned(),
        |code| format!("exit code {code}"),
    );
    match last {
        Some(line) => format!("it ended with {code}: {}", line.trim()),
        None => format!("it ended with {code} and said nothing"),
    }
}

/// Writes a failure into the record of a cell, unless another worker is at it.
fn amend(dir: &Path, failure: &Failure, took: Duration) -> Result<(), StoreError> {
    let Some(_lock) = Lock::take(dir)? else {
        return Ok(());
    };
    // Without a record the worker never began, and there is nothing to amend: the cell stays as it was.
    let Some(mut record) = store::read_run(dir)? else {
        return Ok(());
    };
    if record.status == Status::Done {
        return Ok(());
    }
    if record.status == Status::Running {
        record.wall_seconds += took.as_secs_f64();
    }
    record.status = Status::Failed(failure.clone());
    record.updated = utc_now();
    store::write_run(dir, &record)
}
