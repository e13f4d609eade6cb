//! A folder with experiments of the mock suite, and the binary run in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// Long enough for anything here on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder of its own, as a clone has it: `experiments`, `artifacts`, `paper`.
pub(crate) struct Folder(TempDir);

/// What a command left behind.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A finished cell as stored.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stored {
    pub(crate) hash: String,
    pub(crate) parquet: Vec<u8>,
}

impl Folder {
    /// A folder with one experiment, `mock.yaml`.
    pub(crate) fn with(yaml: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("experiments/mock.yaml", yaml);
        folder
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(self.0.path())
            .env_remove("RUST_LOG")
            .env_remove("ERA_DATA_DIR")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs `era` with these arguments to its end.
    pub(crate) fn era(&self, args: &str) -> Ended {
        self.start(args).end()
    }

    /// Runs `era reproduce --suite mock` with these arguments more.
    pub(crate) fn reproduce(&self, args: &str) -> Ended {
        self.era(&format!("reproduce --suite mock {args}"))
    }

    /// Runs a shell script in which `$ERA` is the binary.
    pub(crate) fn shell(&self, script: &str) -> Ended {
        let mut command = self.command("bash", &["-c", script]);
        command.env("ERA", env!("CARGO_BIN_EXE_era"));
        Started(command.spawn().unwrap()).end()
    }

    /// Starts `era` with these arguments.
    pub(crate) fn start(&self, args: &str) -> Started {
        self.start_with(args, &[])
    }

    /// Starts `era` with these arguments and these variables more.
    pub(crate) fn start_with(&self, args: &str, variables: &[(&str, &Path)]) -> Started {
        let args: Vec<&str> = args.split_whitespace().collect();
        let mut command = self.command(env!("CARGO_BIN_EXE_era"), &args);
        command.envs(variables.iter().copied());
        Started(command.spawn().unwrap())
    }

    /// The folders of all cells, by name.
    pub(crate) fn cells(&self) -> Vec<PathBuf> {
        let inside = |folder: PathBuf| {
            let entries = fs::read_dir(folder).into_iter().flatten();
            entries.map(|entry| entry.unwrap().path())
        };
        let suites = inside(self.path("artifacts/smoke"));
        let mut cells: Vec<PathBuf> = suites.flat_map(inside).collect();
        cells.sort();
        cells
    }

    /// The folder of the cell that has `part` in its name.
    pub(crate) fn cell(&self, part: &str) -> PathBuf {
        let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        self.cells()
            .into_iter()
            .find(|path| name(path).contains(part))
            .unwrap()
    }

    /// All finished cells by name: what must be equal bit for bit.
    pub(crate) fn stored(&self) -> BTreeMap<String, Stored> {
        let cells = self.cells().into_iter();
        let begun = cells.filter(|cell| cell.join("run.json").exists());
        let done = begun.filter(|cell| run_json(cell)["status"]["state"] == "done");
        let stored = |cell: PathBuf| {
            let hash = run_json(&cell)["metrics_hash"].as_str().unwrap().to_owned();
            let parquet = fs::read(cell.join("metrics.parquet")).unwrap();
            (
                cell.file_name().unwrap().to_string_lossy().into_owned(),
                Stored { hash, parquet },
            )
        };
        done.map(stored).collect()
    }

    /// Bytes of metrics that all cells have written so far.
    pub(crate) fn written(&self) -> u64 {
        let size =
            |cell: &PathBuf| fs::metadata(cell.join("metrics.jsonl")).map_or(0, |file| file.len());
        self.cells().iter().map(size).sum()
    }
}

/// A cell's `run.json`.
pub(crate) fn run_json(cell: &Path) -> Value {
    serde_json::from_slice(&fs::read(cell.join("run.json")).unwrap()).unwrap()
}

/// A command that is running. It is killed when it is dropped, so that a failed test leaves nothing behind.
pub(crate) struct Started(Child);

impl Started {
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.0.id().cast_signed()), signal).unwrap();
    }

    /// Its workers: the processes that have it as their parent.
    pub(crate) fn workers(&self) -> Vec<Pid> {
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let own = |number: &i32| {
            // "1234 (name) S PARENT …"
            let stat = fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
            let parent = stat
                .rsplit(')')
                .next()
                .and_then(|rest| rest.split_whitespace().nth(1));
            parent == Some(self.0.id().to_string().as_str())
        };
        numbers.filter(own).map(Pid::from_raw).collect()
    }

    /// Kills it and its workers in one go, as a power cut does.
    pub(crate) fn cut(mut self) {
        let workers = self.workers();
        self.signal(Signal::SIGKILL);
        for worker in workers {
            // Gone already, perhaps.
            let _ = kill(worker, Signal::SIGKILL);
        }
        self.0.wait().unwrap();
    }

    pub(crate) fn end(mut self) -> Ended {
        let child = &mut self.0;
        let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let read = |stream: &mut dyn std::io::Read| {
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        let (out, err) = thread::scope(|scope| {
            let out = scope.spawn(move || read(&mut out));
            let err = read(&mut err);
            (out.join().unwrap(), err)
        });
        Ended {
            code: child.wait().unwrap().code(),
            out,
            err,
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It has ended, where all went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until `holds`.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Snapshots with times replaced: `1m20s`, `0.4s`, dates.
pub(crate) fn snapshots() -> insta::internals::SettingsBindDropGuard {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "[date]");
    settings.add_filter(r"\b\d+(\.\d+)?(s|m\d\ds|h\d\dm)\b", "[time]");
    settings.add_filter(r"by commit \S+,", "by commit [commit],");
    settings.bind_to_scope()
}
