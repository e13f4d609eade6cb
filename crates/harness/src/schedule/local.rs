//! Workers as processes of this machine.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::{Event, Events, Exit, Job, Launcher, Worker};
use crate::protocol::Message;

/// Lines of standard error that are kept.
const TAIL: usize = 20;
/// Bytes of a line of standard error that are kept.
const TAIL_WIDTH: usize = 500;

/// Starts workers as processes of this machine: one thread each, each the leader of a process group, so that the
/// terminal's Ctrl-C reaches the driver alone, which then asks them to write their checkpoints. A worker holds the
/// other end of a pipe from the driver: when the driver dies, however it dies, its standard input ends.
#[derive(Clone, Debug)]
pub struct LocalLauncher {
    /// The program, and its arguments before the cell's folder.
    pub command: Vec<OsString>,
    /// Environment variables to set.
    pub env: Vec<(String, String)>,
}

impl LocalLauncher {
    /// The process that trains the cell in `dir` on the device of this number among those of its engine, not started: one thread, the leader of a process group, all three streams piped.
    ///
    /// # Errors
    /// There is no program.
    pub fn process(&self, dir: &Path, device: usize) -> io::Result<Command> {
        let (program, arguments) = self.command.split_first().ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "the command of the worker is empty",
            )
        })?;
        let mut process = Command::new(program);
        process
            .args(arguments)
            .arg(dir)
            // Two threads inside one small network are slower than one: cells run side by side instead.
            .envs([
                ("RAYON_NUM_THREADS", "1"),
                ("OMP_NUM_THREADS", "1"),
                ("MKL_NUM_THREADS", "1"),
            ])
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        if device > 0 {
            process.arg("--device-index").arg(device.to_string());
        }
        Ok(process)
    }
}

impl Launcher for LocalLauncher {
    fn launch(&self, job: &Job, device: usize, events: Events) -> io::Result<Box<dyn Worker>> {
        let mut child = self.process(&job.dir, device)?.spawn()?;
        let group = Pid::from_raw(child.id().cast_signed());
        let stdin = child.stdin.take();
        let ended = Arc::new(Mutex::new(false));
        let (watched, thread) = (
            ended.clone(),
            thread::Builder::new().name(format!("worker {group}")),
        );
        thread.spawn(move || watch(child, &events, &watched))?;
        Ok(Box::new(LocalWorker {
            group,
            ended,
            _stdin: stdin,
        }))
    }
}

/// A running process.
#[derive(Debug)]
struct LocalWorker {
    group: Pid,
    /// Set before the process is waited for: its number may then be another's.
    ended: Arc<Mutex<bool>>,
    /// Held so that the worker's standard input ends only when this process does.
    _stdin: Option<ChildStdin>,
}

impl LocalWorker {
    fn signal(&self, signal: Signal) {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if !*ended {
            // The one error there is: no such process, which is what was wanted.
            let _ = killpg(self.group, signal);
        }
    }
}

impl Worker for LocalWorker {
    fn stop(&mut self) {
        self.signal(Signal::SIGTERM);
    }

    fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}

/// Passes on what the worker says until it is gone.
fn watch(mut child: Child, events: &Events, ended: &Mutex<bool>) {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let tail = thread::spawn(move || stderr.map(last_lines).unwrap_or_default());
    for line in stdout
        .into_iter()
        .flat_map(|stdout| BufReader::new(stdout).split(b'\n').map_while(Result::ok))
    {
        // Whatever else a library prints there is not for the driver.
        if let Some(message) = Message::from_line(&line) {
            events.send(Event::Message(message));
        }
    }
    let tail = tail.join().unwrap_or_default();
    let status = wait(&mut child, ended);
    let (code, signal) = status.map_or((None, None), |status| (status.code(), status.signal()));
    events.send(Event::Exited(Exit { code, signal, tail }));
}

/// Waits for the process without ever letting a signal go to a process that took over its number.
fn wait(child: &mut Child, ended: &Mutex<bool>) -> io::Result<ExitStatus> {
    loop {
        let mut ended = ended.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(status) = child.try_wait()? {
            *ended = true;
            return Ok(status);
        }
        drop(ended);
        // Its outputs are closed: it is about to end.
        thread::sleep(std::time::Duration::from_millis(2));
    }
}

/// The last lines of a stream, which is read to its end.
fn last_lines(stream: impl Read) -> Vec<String> {
    let mut tail = VecDeque::new();
    for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
        if tail.len() == TAIL {
            tail.pop_front();
        }
        tail.push_back(String::from_utf8_lossy(&line[..line.len().min(TAIL_WIDTH)]).into_owned());
    }
    tail.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept() {
        let text: String = (0..100).map(|number| format!("line {number}\n")).collect();
        let lines = last_lines(text.as_bytes());
        assert_eq!(lines.len(), TAIL);
        assert_eq!(
            (lines[0].as_str(), lines[TAIL - 1].as_str()),
            ("line 80", "line 99")
        );
        assert_eq!(
            last_lines(&b"no end of line \xff"[..]),
            ["no end of line \u{fffd}"]
        );
        assert_eq!(
            last_lines(vec![b'x'; 10_000].as_slice())[0].len(),
            TAIL_WIDTH
        );
    }
}
