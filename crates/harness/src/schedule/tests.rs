use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::{fs, io, thread};

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::mock;
use crate::record::Status;
use crate::store::{CellState, Store, Verify};
use crate::worker::{self, WorkerOutcome};

/// What the worker of a cell does; cells are told apart by their seeds.
#[derive(Clone, Copy, Debug)]
enum Script {
    /// Trains, in a thread.
    Trains,
    /// Cannot be started.
    CannotStart,
    /// Begins, then is ended by a signal.
    DiesOf(i32),
    /// Exits before it wrote anything.
    Exits(i32),
    /// Begins and goes on until it is asked to stop (then its record says interrupted) or, if deaf, killed.
    Hangs { deaf: bool },
}

#[derive(Debug, Default)]
struct FakeLauncher {
    scripts: BTreeMap<u64, Script>,
    running: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    order: RefCell<Vec<u64>>,
    devices: RefCell<Vec<usize>>,
}

#[derive(Debug)]
struct FakeWorker {
    stop: Stop,
    killed: Arc<Mutex<bool>>,
}

impl Worker for FakeWorker {
    fn stop(&mut self) {
        self.stop.request();
    }

    fn kill(&mut self) {
        *self.killed.lock().unwrap() = true;
    }
}

impl Launcher for FakeLauncher {
    fn launch(&self, job: &Job, device: usize, events: Events) -> io::Result<Box<dyn Worker>> {
        self.order.borrow_mut().push(job.cell.seed);
        self.devices.borrow_mut().push(device);
        let script = self
            .scripts
            .get(&job.cell.seed)
            .copied()
            .unwrap_or(Script::Trains);
        if matches!(script, Script::CannotStart) {
            return Err(io::Error::other("no such program"));
        }
        let now = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let (stop, killed, running) = (
            Stop::new(),
            Arc::new(Mutex::new(false)),
            self.running.clone(),
        );
        let worker = FakeWorker {
            stop: stop.clone(),
            killed: killed.clone(),
        };
        let dir = job.dir.clone();
        thread::spawn(move || {
            let exit = act(script, &dir, &stop, &killed);
            running.fetch_sub(1, Ordering::SeqCst);
            events.send(Event::Exited(exit));
        });
        Ok(Box::new(worker))
    }
}

fn act(script: Script, dir: &std::path::Path, stop: &Stop, killed: &Mutex<bool>) -> Exit {
    let tail = vec!["last words".to_owned()];
    match script {
        Script::Trains => {
            let options = worker::WorkerOptions {
                stop: stop.clone(),
                ..worker::tests::options()
            };
            let outcome = worker::train(&[mock::suite()], dir, &options).unwrap();
            Exit {
                code: Some(i32::from(!matches!(
                    outcome,
                    WorkerOutcome::Done | WorkerOutcome::AlreadyDone
                ))),
                signal: None,
                tail,
            }
        }
        Script::CannotStart => unreachable!("it was not started"),
        Script::Exits(code) => Exit {
            code: Some(code),
            signal: None,
            tail,
        },
        Script::DiesOf(signal) => {
            begin(dir, Status::Running);
            Exit {
                code: None,
                signal: Some(signal),
                tail,
            }
        }
        Script::Hangs { deaf } => {
            begin(dir, Status::Running);
            loop {
                if *killed.lock().unwrap() {
                    return Exit {
                        code: None,
                        signal: Some(9),
                        tail,
                    };
                }
                if stop.requested() && !deaf {
                    begin(dir, Status::Interrupted);
                    return Exit {
                        code: Some(1),
                        signal: None,
                        tail,
                    };
                }
                thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

/// Leaves a record with this status, as an attempt does.
fn begin(dir: &std::path::Path, status: Status) {
    let options = worker::tests::options();
    options.stop.request();
    worker::train(&[mock::suite()], dir, &options).unwrap();
    let record = store::read_run(dir).unwrap().unwrap();
    store::write_run(dir, &RunRecord { status, ..record }).unwrap();
}

/// Records what it is told.
#[derive(Default)]
struct Log {
    lines: Vec<String>,
    /// Ticks at which it requests to stop.
    stop_at: Vec<u32>,
    stop: Stop,
    ticks: u32,
}

impl Observer for Log {
    fn started(&mut self, job: &Job, resumed_at: Option<u64>) {
        self.lines
            .push(format!("started {} {resumed_at:?}", job.cell.seed));
    }

    fn progress(&mut self, job: &Job, progress: &Progress) {
        self.lines.push(format!(
            "progress {} {}/{}",
            job.cell.seed, progress.step, progress.of
        ));
    }

    fn ended(&mut self, job: &Job, result: &JobResult, _took: Duration) {
        let result = match result {
            JobResult::Done => "done".to_owned(),
            JobResult::Interrupted => "interrupted".to_owned(),
            JobResult::Failed(failure) => failure.reason.clone(),
        };
        self.lines
            .push(format!("ended {}: {result}", job.cell.seed));
    }

    fn stopping(&mut self, running: usize) {
        self.lines.push(format!("stopping {running}"));
    }

    fn tick(&mut self) {
        self.ticks += 1;
        if self.stop_at.contains(&self.ticks) {
            self.stop.request();
        }
    }
}

struct Bench {
    root: TempDir,
    store: Store,
    jobs: Vec<Job>,
    launcher: FakeLauncher,
    options: Options,
}

/// Jobs with seeds from 0 that take as long as `estimates` say.
fn bench(estimates: &[f64], scripts: impl IntoIterator<Item = (u64, Script)>) -> Bench {
    let root = tempfile::tempdir().unwrap();
    let store = Store::new(root.path());
    let job = |(seed, estimate): (u64, &f64)| {
        let cell = Cell {
            seed,
            ..worker::tests::cell(json!({}))
        };
        let dir = store.prepare("smoke", &cell).unwrap();
        Job {
            cell,
            dir,
            estimate: *estimate,
            time_limit: None,
            after: Vec::new(),
        }
    };
    let jobs = (0..).zip(estimates).map(job).collect();
    let launcher = FakeLauncher {
        scripts: scripts.into_iter().collect(),
        ..Default::default()
    };
    let options = Options {
        jobs: 2,
        devices: Vec::new(),
        grace: Duration::from_secs(60),
        stop: Stop::new(),
    };
    Bench {
        root,
        store,
        jobs,
        launcher,
        options,
    }
}

impl Bench {
    fn run(&self, log: &mut Log) -> Outcome {
        run(&self.jobs, &self.launcher, log, &self.options)
    }

    fn state(&self, place: usize) -> CellState {
        self.store
            .state("smoke", &self.jobs[place].cell, Verify::Full)
            .unwrap()
    }
}

fn reasons(outcome: &Outcome) -> Vec<(usize, FailureKind, &str)> {
    outcome
        .failed
        .iter()
        .map(|(place, failure)| (*place, failure.kind, failure.reason.as_str()))
        .collect()
}

#[test]
fn all_are_run_the_longest_first_and_never_more_than_allowed() {
    let bench = bench(&[1.0, 3.0, 2.0, 3.0, 1.0], []);
    let outcome = bench.run(&mut Log::default());
    assert_eq!(
        outcome,
        Outcome {
            done: vec![0, 1, 2, 3, 4],
            ..Outcome::default()
        }
    );
    assert_eq!(*bench.launcher.order.borrow(), [1, 3, 2, 0, 4]);
    assert!(bench.launcher.most.load(Ordering::SeqCst) <= 2);
}

#[test]
fn devices_share_the_cells() {
    // All hang until they are out of time, so that none makes room for another.
    let hangs = Script::Hangs { deaf: false };
    let mut bench = bench(&[1.0; 4], (0..4).map(|seed| (seed, hangs)));
    for job in &mut bench.jobs {
        job.time_limit = Some(Duration::from_millis(500));
    }
    bench.options.jobs = 4;
    bench.options.devices = vec![2, 5];
    bench.run(&mut Log::default());
    assert_eq!(*bench.launcher.devices.borrow(), [2, 5, 2, 5]);
}

#[test]
fn two_jobs_at_once_give_what_one_gives() {
    let hashes = |jobs: usize| {
        let mut bench = bench(&[1.0; 4], []);
        bench.options.jobs = jobs;
        bench.run(&mut Log::default());
        let runs = bench.store.records("smoke", "mock").unwrap();
        runs.into_iter()
            .map(|run| (run.cell.seed, run.record.metrics_hash))
            .collect::<Vec<_>>()
    };
    let one = hashes(1);
    assert_eq!(one.len(), 4);
    assert_eq!(one, hashes(2));
}

#[test]
fn every_fault_costs_its_own_cell_and_is_recorded() {
    let scripts = [
        (0, Script::DiesOf(9)),
        (1, Script::CannotStart),
        (2, Script::Exits(3)),
        (3, Script::DiesOf(11)),
    ];
    let bench = bench(&[1.0; 6], scripts);
    let outcome = bench.run(&mut Log::default());
    assert_eq!(outcome.done, [4, 5]);
    assert_eq!(
        reasons(&outcome),
        [
            (
                0,
                FailureKind::Killed,
                "it was ended by SIGKILL (out of memory?)"
            ),
            (
                1,
                FailureKind::Error,
                "its worker could not be started: no such program"
            ),
            (
                2,
                FailureKind::Error,
                "it ended with exit code 3: last words"
            ),
            (3, FailureKind::Killed, "it was ended by SIGSEGV"),
        ]
    );
    let CellState::Failed(failure) = bench.state(0) else {
        panic!("not recorded")
    };
    assert_eq!(
        (failure.kind, failure.tail),
        (FailureKind::Killed, vec!["last words".to_owned()])
    );
    // These two never wrote anything: their cells are as they were.
    assert_eq!(bench.state(1), CellState::Partial { step: 0 });
    assert_eq!(bench.state(2), CellState::Partial { step: 0 });
}

#[test]
fn an_old_failure_is_not_taken_for_a_new_one() {
    let mut bench = bench(&[1.0], [(0, Script::DiesOf(9))]);
    bench.run(&mut Log::default());
    bench.launcher.scripts.insert(0, Script::Exits(2));
    let outcome = bench.run(&mut Log::default());
    assert_eq!(
        reasons(&outcome),
        [(
            0,
            FailureKind::Error,
            "it ended with exit code 2: last words"
        )]
    );
}

#[test]
fn a_run_that_hangs_is_asked_then_ended_and_recorded_as_out_of_time() {
    for deaf in [false, true] {
        let mut bench = bench(&[1.0, 1.0], [(0, Script::Hangs { deaf })]);
        bench.jobs[0].time_limit = Some(Duration::from_millis(10));
        bench.options.grace = Duration::from_millis(10);
        let outcome = bench.run(&mut Log::default());
        assert_eq!(outcome.done, [1]);
        assert_eq!(
            reasons(&outcome),
            [(
                0,
                FailureKind::TimedOut,
                "it ran past its time limit of 10ms"
            )]
        );
        assert!(matches!(
            bench.state(0),
            CellState::Failed(Failure {
                kind: FailureKind::TimedOut,
                ..
            })
        ));
        // From its checkpoint when it is tried again.
        bench.launcher = FakeLauncher::default();
        bench.jobs[0].time_limit = None;
        assert_eq!(bench.run(&mut Log::default()).done, [0, 1], "deaf: {deaf}");
    }
}

#[test]
fn stopping_lets_running_ones_write_their_checkpoints_and_begins_no_others() {
    let hangs = Script::Hangs { deaf: false };
    let bench = bench(&[1.0; 4], [(0, hangs), (1, hangs)]);
    let mut log = Log {
        stop_at: vec![1],
        stop: bench.options.stop.clone(),
        ..Log::default()
    };
    let outcome = bench.run(&mut log);
    assert_eq!(
        outcome,
        Outcome {
            interrupted: vec![0, 1, 2, 3],
            ..Outcome::default()
        }
    );
    assert_eq!(log.lines[0], "stopping 2");
    assert_eq!(bench.launcher.order.borrow().len(), 2, "no other was begun");
    assert_eq!(bench.state(0), CellState::Partial { step: 2 });
}

#[test]
fn a_second_request_ends_them_at_once_and_their_checkpoints_count() {
    let bench = bench(&[1.0], [(0, Script::Hangs { deaf: true })]);
    let mut log = Log {
        stop_at: vec![1, 2],
        stop: bench.options.stop.clone(),
        ..Log::default()
    };
    let outcome = bench.run(&mut log);
    assert_eq!(outcome.interrupted, [0]);
    assert_eq!(bench.state(0), CellState::Partial { step: 1 });
}

/// A process that stands in for a worker: a line of shell, with the cell's folder as `$0`.
fn shell(line: &str) -> LocalLauncher {
    LocalLauncher {
        command: ["sh", "-c", line].map(Into::into).into(),
        env: vec![("WORD".into(), "spoken".into())],
    }
}

#[test]
fn a_process_is_heard_and_its_end_explained() {
    let bench = bench(&[1.0], []);
    let launcher = shell(
        r#"echo '{"started":{"resumed_at":4}}'; echo noise; echo '{"progress":{"step":5,"of":9,"headline":[["return",1.5]]}}'
        test -f "$0/cell.json" && echo "threads $RAYON_NUM_THREADS, $WORD" >&2; exit 7"#,
    );
    let mut log = Log::default();
    let outcome = run(&bench.jobs, &launcher, &mut log, &bench.options);
    assert_eq!(
        reasons(&outcome),
        [(
            0,
            FailureKind::Error,
            "it ended with exit code 7: threads 1, spoken"
        )]
    );
    assert_eq!(log.lines[..2], ["started 0 Some(4)", "progress 0 5/9"]);
}

#[test]
fn a_process_is_asked_with_sigterm_and_ended_with_its_children() {
    let mut bench = bench(&[1.0], []);
    bench.jobs[0].time_limit = Some(Duration::from_millis(200));
    let mark = bench.root.path().join("heard");
    let line = format!(
        "trap 'touch {}' TERM; while :; do sleep 0.05; done",
        mark.display()
    );
    bench.options.grace = Duration::from_millis(500);
    let outcome = run(
        &bench.jobs,
        &shell(&line),
        &mut Log::default(),
        &bench.options,
    );
    assert_eq!(outcome.failed[0].1.kind, FailureKind::TimedOut);
    assert!(mark.exists(), "SIGTERM came before SIGKILL");
    // No record was there to amend.
    assert!(!fs::exists(bench.jobs[0].dir.join("run.json")).unwrap());
}

#[test]
fn a_worker_has_an_input_that_stays_open_while_its_driver_lives() {
    let bench = bench(&[1.0], []);
    let line = "(sleep 0.2; kill $$) & read -r line; echo the input ended >&2; exit 1";
    let outcome = run(
        &bench.jobs,
        &shell(line),
        &mut Log::default(),
        &bench.options,
    );
    assert_eq!(outcome.failed[0].1.reason, "it was ended by SIGTERM");
}
