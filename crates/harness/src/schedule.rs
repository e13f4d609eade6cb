//! The scheduler: cells side by side, one worker each; a fault costs its own cell only.
//!
//! The longest cells begin first: begun last, a long one would run alone at the end while the other cores idle. What is
//! printed stays in the order of the matrix: an [`Outcome`] speaks of jobs by their place in it.

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use crate::cell::Cell;
use crate::protocol::{Message, Progress};
use crate::record::{Failure, FailureKind, RunRecord};
use crate::stop::Stop;
use crate::store;
use verdict::Seen;

mod local;
#[cfg(test)]
mod tests;
mod verdict;

pub use local::LocalLauncher;

/// Time between looks at the clock and at the request to stop.
const TICK: Duration = Duration::from_millis(100);

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
    /// The places of the jobs that must be done before this one begins. They must not wait for one another in a circle.
    pub after: Vec<usize>,
}

/// What comes from a worker.
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

impl Events {
    /// Passes an event on.
    pub fn send(&self, event: Event) {
        // The scheduler listens until every worker has exited; a worker that says more than that is not heard.
        let _ = self.sender.send((self.job, event));
    }
}

/// Starts workers.
pub trait Launcher {
    /// Starts a worker for `job` on the device of this number among those of its engine. It reports to `events`; the last event is [`Event::Exited`].
    ///
    /// # Errors
    /// The worker could not be started.
    fn launch(&self, job: &Job, device: usize, events: Events) -> std::io::Result<Box<dyn Worker>>;
}

/// A worker that was started.
pub trait Worker: Debug {
    /// Asks it to write a checkpoint and to end.
    fn stop(&mut self);
    /// Ends it at once.
    fn kill(&mut self);
}

/// Watches the scheduler. Every call comes from the thread that called [`run`].
pub trait Observer {
    /// The worker of `job` has begun to train; `resumed_at` is the step of the checkpoint that it goes on from.
    fn started(&mut self, job: &Job, resumed_at: Option<u64>);
    /// A run says how far it is.
    fn progress(&mut self, job: &Job, progress: &Progress);
    /// A job has ended, after this time.
    fn ended(&mut self, job: &Job, result: &JobResult, took: Duration);
    /// Stopping was requested: `running` workers are asked to write their checkpoints.
    fn stopping(&mut self, running: usize);
    /// The worker of a job that did not fail said this on standard error (of a damaged checkpoint, say).
    fn said(&mut self, _job: &Job, _lines: &[String]) {}
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

/// How all jobs ended: their places in the order in which they were given, ascending.
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
    /// Numbers of the devices that they share, of the cells' engine; none means the first alone.
    pub devices: Vec<usize>,
    /// Time between asking a worker to end and ending it.
    pub grace: Duration,
    /// Ends everything: once with checkpoints, twice at once.
    pub stop: Stop,
}

/// Runs all `jobs` and returns when no worker is left.
pub fn run(
    jobs: &[Job],
    launcher: &dyn Launcher,
    observer: &mut dyn Observer,
    options: &Options,
) -> Outcome {
    let (sender, receiver) = mpsc::channel();
    let scheduler = Scheduler {
        jobs,
        launcher,
        observer,
        options,
        sender,
        waiting: longest_last(jobs),
        running: Vec::new(),
        results: vec![None; jobs.len()],
        said_stopping: false,
    };
    scheduler.run(&receiver)
}

/// The places of the jobs, so that popping gives the longest; of equals, the first.
fn longest_last(jobs: &[Job]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..jobs.len()).rev().collect();
    places.sort_by(|a, b| jobs[*a].estimate.total_cmp(&jobs[*b].estimate));
    places
}

struct Scheduler<'a> {
    jobs: &'a [Job],
    launcher: &'a dyn Launcher,
    observer: &'a mut dyn Observer,
    options: &'a Options,
    sender: Sender<(usize, Event)>,
    waiting: Vec<usize>,
    running: Vec<Running>,
    results: Vec<Option<JobResult>>,
    said_stopping: bool,
}

/// A worker at work.
struct Running {
    place: usize,
    device: usize,
    worker: Box<dyn Worker>,
    began: Instant,
    /// The record before it began.
    before: Option<RunRecord>,
    /// When it was asked to end.
    asked: Option<Instant>,
    killed: bool,
    timed_out: bool,
    stopped: bool,
}

impl Scheduler<'_> {
    fn run(mut self, events: &Receiver<(usize, Event)>) -> Outcome {
        loop {
            while !self.options.stop.requested() && self.running.len() < self.options.jobs.max(1) {
                let Some(place) = self.next() else {
                    break;
                };
                self.launch(place);
            }
            if self.running.is_empty() {
                return self.outcome();
            }
            match events.recv_timeout(TICK) {
                Ok((place, Event::Message(message))) => self.message(place, &message),
                Ok((place, Event::Exited(exit))) => self.exited(place, &exit),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    self.observer.tick();
                }
            }
            self.enforce();
        }
    }

    /// Takes the longest of the waiting jobs that may begin. One that waits for a job that failed fails with it.
    fn next(&mut self) -> Option<usize> {
        while let Some((at, verdict)) = self
            .waiting
            .iter()
            .enumerate()
            .rev()
            .find_map(|(at, place)| Some((at, self.may_begin(*place)?)))
        {
            let place = self.waiting.remove(at);
            match verdict {
                Ok(()) => return Some(place),
                Err(failure) => self.end(place, JobResult::Failed(failure), Duration::ZERO),
            }
        }
        None
    }

    /// Whether a job may begin, or why it never can; none while it waits for others.
    fn may_begin(&self, place: usize) -> Option<Result<(), Failure>> {
        for &other in &self.jobs[place].after {
            match &self.results[other] {
                Some(JobResult::Done) => {}
                Some(JobResult::Failed(failure)) => {
                    let (cell, reason) = (self.jobs[other].cell.id(), &failure.reason);
                    return Some(Err(Failure {
                        kind: FailureKind::Error,
                        reason: format!("it needs what {cell} makes, which failed: {reason}"),
                        tail: Vec::new(),
                    }));
                }
                Some(JobResult::Interrupted) | None => return None,
            }
        }
        Some(Ok(()))
    }

    fn launch(&mut self, place: usize) {
        let job = &self.jobs[place];
        let events = Events {
            job: place,
            sender: self.sender.clone(),
        };
        // A record that cannot be read is the worker's to complain about.
        let before = store::read_run(&job.dir).unwrap_or_default();
        let device = self.device();
        match self.launcher.launch(job, device, events) {
            Ok(worker) => self.running.push(Running {
                place,
                device,
                worker,
                began: Instant::now(),
                before,
                asked: None,
                killed: false,
                timed_out: false,
                stopped: false,
            }),
            Err(error) => {
                let reason = format!("its worker could not be started: {error}");
                let failure = Failure {
                    kind: FailureKind::Error,
                    reason,
                    tail: Vec::new(),
                };
                self.end(place, JobResult::Failed(failure), Duration::ZERO);
            }
        }
    }

    /// The device with the fewest workers; of equals, the first.
    fn device(&self) -> usize {
        let busy = |device: &&usize| {
            let on_it = |running: &&Running| running.device == **device;
            self.running.iter().filter(on_it).count()
        };
        let devices = self.options.devices.iter();
        devices.min_by_key(busy).copied().unwrap_or_default()
    }

    fn message(&mut self, place: usize, message: &Message) {
        let job = &self.jobs[place];
        match message {
            Message::Started { resumed_at } => self.observer.started(job, *resumed_at),
            Message::Progress(progress) => self.observer.progress(job, progress),
        }
    }

    fn exited(&mut self, place: usize, exit: &Exit) {
        let Some(index) = self
            .running
            .iter()
            .position(|running| running.place == place)
        else {
            return;
        };
        let running = self.running.swap_remove(index);
        let took = running.began.elapsed();
        let Running {
            before,
            timed_out,
            stopped,
            ..
        } = running;
        let seen = Seen {
            before,
            timed_out,
            stopped,
            took,
        };
        let result = verdict::verdict(&self.jobs[place], exit, &seen);
        // What a run that failed said goes into its record instead.
        if !matches!(result, JobResult::Failed(_)) && !exit.tail.is_empty() {
            self.observer.said(&self.jobs[place], &exit.tail);
        }
        self.end(place, result, took);
    }

    fn end(&mut self, place: usize, result: JobResult, took: Duration) {
        self.observer.ended(&self.jobs[place], &result, took);
        self.results[place] = Some(result);
    }

    /// Asks workers to end that are to end, and ends those that were asked and do not.
    fn enforce(&mut self) {
        if self.options.stop.requested() && !self.said_stopping {
            self.said_stopping = true;
            self.observer.stopping(self.running.len());
        }
        for running in &mut self.running {
            let limit = self.jobs[running.place].time_limit;
            if self.options.stop.requested() && !running.timed_out {
                running.stopped = true;
            } else if limit.is_some_and(|limit| running.began.elapsed() > limit) {
                running.timed_out = true;
            }
            if (running.stopped || running.timed_out) && running.asked.is_none() {
                running.asked = Some(Instant::now());
                running.worker.stop();
            }
            let out_of_grace = running
                .asked
                .is_some_and(|asked| asked.elapsed() > self.options.grace);
            if (out_of_grace || self.options.stop.urgent()) && !running.killed {
                running.killed = true;
                running.worker.kill();
            }
        }
    }

    fn outcome(self) -> Outcome {
        let mut outcome = Outcome::default();
        for (place, result) in self.results.into_iter().enumerate() {
            match result {
                Some(JobResult::Done) => outcome.done.push(place),
                Some(JobResult::Failed(failure)) => outcome.failed.push((place, failure)),
                // Without a result: not begun.
                Some(JobResult::Interrupted) | None => outcome.interrupted.push(place),
            }
        }
        outcome
    }
}
