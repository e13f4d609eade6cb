//! `era train DIR`: one cell, in this process.

use std::io::Write;
use std::time::Duration;

use era_harness::run::CheckpointEvery;
use era_harness::stop::Stop;
use era_harness::worker::{self, WorkerOptions, WorkerOutcome};

use crate::exit::Exit;
use crate::fault::Fault;
use crate::{args, built, registry};

/// Time between two tries to train a cell that another process is training.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

pub(crate) fn run(args: &args::Train, out: &mut dyn Write) -> Result<Exit, Fault> {
    let stop = Stop::new();
    stop.on_signals().map_err(Fault::Signals)?;
    if args.driven {
        stop.on_end_of_input().map_err(Fault::Signals)?;
    }
    let options = WorkerOptions {
        checkpoint_every: args.checkpoints.checkpoint_every.into(),
        progress: args.driven,
        stop,
        versions: built::versions(),
        commit: built::COMMIT.to_owned(),
        cache: args.cache.cache_dir.clone(),
        device_index: args.device_index,
    };
    let outcome = train(args, &options)?;
    if !args.driven {
        say(&outcome, out)?;
    }
    Ok(match outcome {
        WorkerOutcome::Done | WorkerOutcome::AlreadyDone => Exit::Done,
        WorkerOutcome::Interrupted { .. } => Exit::Interrupted,
        WorkerOutcome::Busy if args.driven => Exit::Interrupted,
        WorkerOutcome::Busy | WorkerOutcome::Failed(_) => Exit::CellsFailed,
    })
}

/// A driven worker waits for another one that trains the same cell, and takes over what that one leaves unfinished: two
/// commands on one store share the work and both end with all of it done.
fn train(args: &args::Train, options: &WorkerOptions) -> Result<WorkerOutcome, Fault> {
    let suites = registry::suites();
    loop {
        let outcome = worker::train(&suites, &args.dir, options)?;
        if outcome != WorkerOutcome::Busy || !args.driven || options.stop.requested() {
            return Ok(outcome);
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

fn say(outcome: &WorkerOutcome, out: &mut dyn Write) -> Result<(), Fault> {
    match outcome {
        WorkerOutcome::Done => writeln!(out, "done")?,
        WorkerOutcome::AlreadyDone => writeln!(out, "was done before; nothing was run")?,
        WorkerOutcome::Interrupted { step } => {
            writeln!(out, "interrupted at step {step}; the same command resumes")?;
        }
        WorkerOutcome::Busy => writeln!(out, "another process is training this cell")?,
        WorkerOutcome::Failed(failure) => writeln!(out, "failed: {}", failure.reason)?,
    }
    Ok(())
}

impl From<args::CheckpointEvery> for CheckpointEvery {
    fn from(every: args::CheckpointEvery) -> Self {
        match every {
            args::CheckpointEvery::Time(time) => Self::Time(time),
            args::CheckpointEvery::Asked(times) => Self::Asked(times),
        }
    }
}
