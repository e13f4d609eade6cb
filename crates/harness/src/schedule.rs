//! The scheduler: cells side by side, one worker each; a fault costs its own cell only.

use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::time::Duration;

use crate::cell::Cell;
use crate::protocol::{Message, Progress};
use crate::record::Failure;
use crate::stop::Stop;

/// A cell to be run.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// The cell.
    pub cell: Cell,
    /// Its folder, made by [`Store::prepare`](crate::store::Store::prepare).
    pub dir: PathBuf,
    /// Expected wall-clock seconds.
    pub estimate: f64,
    /// Longest time that one attempt may take.
    pub time_limit: Option<Duration>,
}

/// What comes from a worker, tagged with the number of its job.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A line of the progress protocol.
    Message(Message),
    /// The worker is gone; nothing follows.
    Exited(Exit),
}

/// How a worker's process ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exit {
    /// Exit code, when it exited.
    pub code: Option<i32>,
    /// Signal, when one ended it.
    pub signal: Option<i32>,
    /// Its last lines on standard error.
    pub tail: Vec<String>,
}

/// Where the events of one worker go.
#[derive(Clone, Debug)]
pub struct Events {
    job: usize,
    sender: Sender<(usize, Event)>,
}

/// Starts workers.
pub trait Launcher {
    /// Starts a worker for `job`. It reports to `events`; the last event is [`Event::Exited`].
    ///
    /// # Errors
    /// The worker could not be started.
    fn launch(&self, job: &Job, events: Events) -> std::io::Result<Box<dyn Worker>>;
}

/// A worker that was started.
pub trait Worker {
    /// Asks it to write a checkpoint and to end.
    fn stop(&mut self);
    /// Ends it at once.
    fn kill(&mut self);
}

/// Watches the scheduler. Every call comes from the thread that called [`run`].
pub trait Observer {
    /// A worker was started for `job`; `resumed_at` is the step of the checkpoint that it goes on from.
    fn started(&mut self, job: &Job, resumed_at: Option<u64>);
    /// A run says how far it is.
    fn progress(&mut self, job: &Job, progress: &Progress);
    /// A job has ended, after this time.
    fn ended(&mut self, job: &Job, result: &JobResult, took: Duration);
    /// Stopping was requested: `running` workers are asked to write their checkpoints.
    fn stopping(&mut self, running: usize);
    /// Some time has passed (about ten times a second).
    fn tick(&mut self) {}
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq)]
pub enum JobResult {
    /// The cell is finished.
    Done,
    /// Stopped by request; it resumes.
    Interrupted,
    /// Failed; its record says so.
    Failed(Failure),
}

/// How all jobs ended: their indices, in the order in which they were given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Finished.
    pub done: Vec<usize>,
    /// Failed, with the reason.
    pub failed: Vec<(usize, Failure)>,
    /// Stopped by request, or not begun because of it.
    pub interrupted: Vec<usize>,
}

/// How the scheduler behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Workers at once; at least 1.
    pub jobs: usize,
    /// Time between asking a worker to end and ending it.
    pub grace: Duration,
    /// Ends everything: once with checkpoints, twice at once.
    pub stop: Stop,
}

/// Runs all `jobs` and returns when no worker is left.
#[expect(
    unused_variables,
    clippy::unimplemented,
    reason = "the signatures come first"
)]
pub fn run(
    jobs: &[Job],
    launcher: &dyn Launcher,
    observer: &mut dyn Observer,
    options: &Options,
) -> Outcome {
    unimplemented!()
}

/// Starts workers as processes of this machine.
#[derive(Clone, Debug)]
pub struct LocalLauncher {
    /// The program, and its arguments before the cell's folder: `era train --driven`.
    pub command: Vec<std::ffi::OsString>,
    /// Environment variables to set.
    pub env: Vec<(String, String)>,
}

#[expect(
    unused_variables,
    clippy::unimplemented,
    reason = "the signatures come first"
)]
impl Launcher for LocalLauncher {
    fn launch(&self, job: &Job, events: Events) -> std::io::Result<Box<dyn Worker>> {
        unimplemented!()
    }
}
