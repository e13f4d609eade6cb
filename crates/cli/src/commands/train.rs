//! `era train DIR`: one cell, in this process.

use std::io::Write;

use era_harness::run::CheckpointEvery;
use era_harness::stop::Stop;
use era_harness::worker::{self, WorkerOptions, WorkerOutcome};

use crate::exit::Exit;
use crate::fault::Fault;
use crate::{args, built, registry};

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
    };
    let outcome = worker::train(&registry::suites(), &args.dir, &options)?;
    if !args.driven {
        say(&outcome, out)?;
    }
    Ok(match outcome {
        WorkerOutcome::Done | WorkerOutcome::AlreadyDone => Exit::Done,
        WorkerOutcome::Interrupted { .. } => Exit::Interrupted,
        WorkerOutcome::Busy | WorkerOutcome::Failed(_) => Exit::CellsFailed,
    })
}

fn say(outcome: &WorkerOutcome, out: &mut dyn Write) -> Result<(), Fault> {
    Ok(match outcome {
        WorkerOutcome::Done => writeln!(out, "done")?,
        WorkerOutcome::AlreadyDone => writeln!(out, "was done before; nothing was run")?,
        WorkerOutcome::Interrupted { step } => {
            writeln!(out, "interrupted at step {step}; the same command resumes")?;
        }
        WorkerOutcome::Busy => writeln!(out, "another process is training this cell")?,
        WorkerOutcome::Failed(failure) => writeln!(out, "failed: {}", failure.reason)?,
    })
}

impl From<args::CheckpointEvery> for CheckpointEvery {
    fn from(every: args::CheckpointEvery) -> Self {
        match every {
            args::CheckpointEvery::Time(time) => Self::Time(time),
            args::CheckpointEvery::Asked(times) => Self::Asked(times),
        }
    }
}
