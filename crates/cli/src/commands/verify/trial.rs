//! Training a cell in a folder of its own, to its end or killed on the way.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ExitStatus};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use era_harness::protocol::Message;
use era_harness::record::Status;
use era_harness::stop::Stop;
use era_harness::store::{self, Store};

use crate::args::CheckpointEvery;
use crate::fault::Fault;
use crate::selection::Planned;
use crate::training;

/// Time between two looks at checkpoints, the clock and the request to stop.
const LOOK: Duration = Duration::from_millis(2);
/// Where in a run it is killed, as a share of its steps; and where it was over before, once it has any checkpoint.
const MOMENTS: [f64; 3] = [0.4, 0.4, 0.0];
/// A run that was over before its first checkpoint writes as many as it can.
const ALWAYS: CheckpointEvery = CheckpointEvery::Asked(1);
/// A run that is not killed needs few checkpoints.
const SELDOM: CheckpointEvery = CheckpointEvery::Time(Duration::from_mins(1));

/// One of the runs that are compared, with the cells that it requires: records and cache of its own.
#[derive(Debug)]
pub(super) struct Trial<'a> {
    store: Store,
    cache: PathBuf,
    scale: &'a str,
    stop: &'a Stop,
}

/// How training ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// Well; where it was killed on the way, when.
    Done(Option<Kill>),
    /// With this reason.
    Failed(String),
    /// By a signal to this program.
    Stopped,
}

/// That a run was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kill {
    /// Step of its newest checkpoint then.
    pub(super) at: u64,
    /// Whether it went on from a checkpoint, and not from nothing.
    pub(super) resumed: bool,
}

/// What one process came to.
struct Process {
    status: Option<ExitStatus>,
    killed: bool,
    timed_out: bool,
    /// The step that it says it goes on from.
    resumed_at: Option<u64>,
    /// The last line that it said on standard error.
    last_words: String,
}

/// The records of the trial of this name below `folder`.
pub(super) fn store(folder: &Path, name: &str) -> Store {
    Store::new(folder.join(name).join("artifacts"))
}

impl<'a> Trial<'a> {
    pub(super) fn new(name: &str, folder: &Path, scale: &'a str, stop: &'a Stop) -> Self {
        Self {
            store: store(folder, name),
            cache: folder.join(name).join("cache"),
            scale,
            stop,
        }
    }

    /// Trains a cell from nothing to its end.
    pub(super) fn whole(&self, planned: &Planned) -> Result<Ended, Fault> {
        let process = self.process(planned, SELDOM, None)?;
        self.ended(planned, &process, None)
    }

    /// Trains a cell from nothing, kills it (SIGKILL, which nobody can prepare for) after a checkpoint, and trains it to its end.
    pub(super) fn killed(&self, planned: &Planned, every: CheckpointEvery) -> Result<Ended, Fault> {
        for (tries, moment) in MOMENTS.into_iter().enumerate() {
            if tries > 0 {
                self.store.discard(self.scale, &planned.cell)?;
            }
            let every = if tries == 0 { every } else { ALWAYS };
            let process = self.process(planned, every, Some(moment))?;
            if !process.killed {
                // It failed, or it was over too soon.
                match self.ended(planned, &process, None)? {
                    Ended::Done(_) if tries + 1 < MOMENTS.len() => continue,
                    ended => return Ok(ended),
                }
            }
            let at = self
                .store
                .checkpoint(self.scale, &planned.cell)?
                .unwrap_or(0);
            let process = self.process(planned, SELDOM, None)?;
            let resumed = process.resumed_at.is_some();
            return self.ended(planned, &process, Some(Kill { at, resumed }));
        }
        Ok(Ended::Done(None))
    }

    /// What the record says after a process that was not killed.
    fn ended(
        &self,
        planned: &Planned,
        process: &Process,
        kill: Option<Kill>,
    ) -> Result<Ended, Fault> {
        if self.stop.requested() {
            return Ok(Ended::Stopped);
        }
        let dir = self.store.dir(self.scale, &planned.cell);
        let status = store::read_run(&dir)?.map(|record| record.status);
        let code = process.status.and_then(|status| status.code());
        Ok(match status {
            Some(Status::Done) if code == Some(0) => Ended::Done(kill),
            Some(Status::Failed(failure)) => Ended::Failed(failure.reason),
            _ if process.timed_out => Ended::Failed("it ran past its time limit".into()),
            _ => Ended::Failed(match (process.status, process.last_words.as_str()) {
                (Some(status), "") => format!("its worker ended with {status} and said nothing"),
                (Some(status), words) => format!("its worker ended with {status}: {words}"),
                (None, words) => words.to_owned(),
            }),
        })
    }

    /// Runs one worker. Where `kill` is given it is killed once it has a checkpoint and has done this share of its steps.
    fn process(
        &self,
        planned: &Planned,
        every: CheckpointEvery,
        kill: Option<f64>,
    ) -> Result<Process, Fault> {
        fs::create_dir_all(&self.cache).map_err(Fault::Temporary)?;
        let dir = self.store.prepare(self.scale, &planned.cell)?;
        let launcher = training::launcher(every, &self.cache)?;
        let mut child = launcher
            .process(&dir, 0)
            .and_then(|mut process| process.spawn())
            .map_err(Fault::NoWorker)?;
        let streams = Streams::of(&mut child);
        let (mut killed, mut timed_out, mut resumed_at) = (false, false, None);
        let mut done = 0.0;
        let began = Instant::now();
        loop {
            match streams.messages.recv_timeout(LOOK) {
                Ok(Message::Started { resumed_at: step }) => resumed_at = step,
                Ok(Message::Progress(progress)) => {
                    done = progress.step as f64 / progress.of.max(1) as f64;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let due = kill.is_some_and(|moment| done >= moment);
            let over = planned
                .time_limit
                .is_some_and(|limit| began.elapsed() > limit);
            if due && !killed && self.store.checkpoint(self.scale, &planned.cell)?.is_some() {
                killed = child.kill().is_ok();
            } else if (over || self.stop.requested()) && !timed_out {
                timed_out = over;
                // It is gone already, if not.
                let _ = child.kill();
            }
        }
        let status = child.wait().ok();
        // One that ended by itself just before was not killed.
        let killed = killed && status.is_some_and(|status| status.code().is_none());
        Ok(Process {
            status,
            killed,
            timed_out,
            resumed_at,
            last_words: streams.last_words.join().unwrap_or_default(),
        })
    }
}

/// What connects a worker to this program.
struct Streams {
    messages: Receiver<Message>,
    last_words: JoinHandle<String>,
    /// Held so that the worker's standard input ends only when this process does.
    _stdin: Option<ChildStdin>,
}

impl Streams {
    fn of(child: &mut Child) -> Self {
        let (sender, messages) = mpsc::channel();
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        thread::spawn(move || {
            let lines = stdout
                .into_iter()
                .flat_map(|stdout| BufReader::new(stdout).split(b'\n').map_while(Result::ok));
            for message in lines.filter_map(|line| Message::from_line(&line)) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let last_words = thread::spawn(move || {
            let mut text = String::new();
            if let Some(mut stderr) = stderr {
                let mut bytes = Vec::new();
                // What came before an error of the pipe counts.
                let _ = stderr.read_to_end(&mut bytes);
                text = String::from_utf8_lossy(&bytes).into_owned();
            }
            let last = text.lines().rev().find(|line| !line.trim().is_empty());
            last.unwrap_or_default().trim().to_owned()
        });
        Self {
            messages,
            last_words,
            _stdin: stdin,
        }
    }
}
