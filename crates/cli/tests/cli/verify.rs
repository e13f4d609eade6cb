//! Runs that repeat, and such as do not.

use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{Ended, Folder, run_json, until};

const RUNS: &str = "
suite: mock
about: two methods that descend
matrix: {task: mock/quadratic, method: [mock-momentum, mock-sgd], seed: 2}
params: {steps: 400, sleep_ms: 1}
scales: {smoke: {}}
";

/// `era verify` with a folder for temporary files that is this test's own.
fn verify(folder: &Folder, args: &str) -> Ended {
    fs::create_dir_all(folder.path("tmp")).unwrap();
    folder.shell(&format!(
        "TMPDIR=\"$PWD/tmp\" exec \"$ERA\" verify --suite mock {args}"
    ))
}

fn left(folder: &Folder) -> usize {
    fs::read_dir(folder.path("tmp")).unwrap().count()
}

#[test]
fn runs_that_repeat_are_equal() {
    let folder = Folder::with(RUNS);
    let ended = verify(&folder, "");
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.out, ended.err);
    let lines: Vec<&str> = ended.out.lines().collect();
    assert_eq!(lines.len(), 2, "{}", ended.out);
    // Of equally cheap ones the first of the matrix.
    assert!(
        lines[1].starts_with("mock_quadratic.mock-momentum.s0."),
        "{}",
        lines[1]
    );
    assert_eq!(lines[1].matches("equal").count(), 2, "{}", lines[1]);
    assert!(
        lines[1].contains("(killed at ") && lines[1].ends_with('-'),
        "{}",
        lines[1]
    );
    assert_eq!(left(&folder), 0);
    assert!(!folder.path("artifacts").exists());
    let kept = verify(&folder, "--keep --cell mock-sgd.s1");
    assert_eq!(kept.code, Some(0), "{}", kept.err);
    assert!(kept.err.contains("kept: "), "{}", kept.err);
    assert_eq!(left(&folder), 1);
}

#[test]
fn a_run_that_does_not_repeat_is_found_with_its_first_row() {
    let folder = Folder::with(&RUNS.replace("sleep_ms: 1", "sleep_ms: 1, drift_at: 25"));
    let ended = verify(&folder, "");
    assert_eq!(ended.code, Some(7), "{}\n{}", ended.out, ended.err);
    assert!(ended.out.contains("DIFFERS"), "{}", ended.out);
    // Evaluated each ten steps.
    assert!(
        ended.out.contains("train/loss at step 30 is "),
        "{}",
        ended.out
    );
}

#[test]
fn state_that_a_checkpoint_lacks_is_found() {
    let folder = Folder::with(&RUNS.replace("sleep_ms: 1", "sleep_ms: 1, forgetful: true"));
    let ended = verify(&folder, "--cell momentum.s0");
    assert_eq!(ended.code, Some(7), "{}\n{}", ended.out, ended.err);
    let line = ended.out.lines().nth(1).unwrap();
    let columns: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(columns[2..4], ["equal", "DIFFERS"], "{line}");
    assert!(
        ended
            .out
            .contains("the interrupted run differs from the first from row"),
        "{}",
        ended.out
    );
}

#[test]
fn the_stored_record_is_compared_unless_it_is_another_machines() {
    let folder = Folder::with(RUNS);
    assert_eq!(folder.reproduce("").code, Some(0));
    let only = "--only method=mock-sgd --only seed=0";
    let same = verify(&folder, only);
    assert_eq!(same.code, Some(0), "{}", same.out);
    assert!(
        same.out.lines().nth(1).unwrap().ends_with("equal"),
        "{}",
        same.out
    );
    // Somebody else's rows under this cell's name, whole in themselves.
    let (cell, other) = (folder.cell("mock-sgd.s0."), folder.cell("mock-sgd.s1."));
    fs::copy(other.join("metrics.parquet"), cell.join("metrics.parquet")).unwrap();
    change(&cell, |run| {
        run["metrics_hash"] = run_json(&other)["metrics_hash"].clone();
    });
    let ended = verify(&folder, only);
    assert_eq!(ended.code, Some(7), "{}", ended.out);
    assert!(
        ended
            .out
            .contains("the stored record differs from the first from row 1 on"),
        "{}",
        ended.out
    );
    change(&cell, |run| {
        run["machine"]["cpu"] = json!("another processor");
    });
    let ended = verify(&folder, only);
    assert_eq!(ended.code, Some(0), "{}", ended.out);
    assert!(
        ended
            .out
            .contains("made on another type of machine (another processor, "),
        "{}",
        ended.out
    );
}

fn change(cell: &Path, change: impl Fn(&mut serde_json::Value)) {
    let mut run = run_json(cell);
    change(&mut run);
    fs::write(cell.join("run.json"), run.to_string()).unwrap();
}

#[test]
fn cells_that_others_require_are_trained_and_compared_too() {
    let folder = Folder::with(&RUNS.replace("[mock-momentum, mock-sgd]", "mock-warm"));
    let ended = verify(&folder, "");
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.out, ended.err);
    let lines: Vec<&str> = ended.out.lines().skip(1).collect();
    assert!(
        lines[0].contains("mock-source") && lines[0].contains("equal (whole)"),
        "{}",
        ended.out
    );
    assert!(
        lines[1].contains("mock-warm") && lines[1].contains("(killed at "),
        "{}",
        ended.out
    );
}

#[test]
fn a_cell_that_fails_is_named_and_the_others_are_verified() {
    let folder = Folder::with(RUNS);
    folder.write(
        "experiments/other.yaml",
        &RUNS.replace("sleep_ms: 1", "sleep_ms: 1, fail_at: 9"),
    );
    let ended = verify(&folder, "--suite other");
    assert_eq!(ended.code, Some(4), "{}\n{}", ended.out, ended.err);
    assert!(
        ended
            .out
            .contains("failed: the mock was asked to fail at step 9 (first run)"),
        "{}",
        ended.out
    );
    assert!(ended.out.contains("equal"), "{}", ended.out);
}

#[test]
fn names_and_parts_that_are_not_there() {
    let folder = Folder::with(RUNS);
    assert_eq!(verify(&folder, "--cell adam").code, Some(3));
    assert_eq!(verify(&folder, "--cell mock-sgd").code, Some(3));
    let absent = RUNS.replace("mock/quadratic", "mock/absent");
    folder.write("experiments/mock.yaml", &absent);
    let ended = verify(&folder, "");
    assert_eq!(ended.code, Some(5), "{}", ended.out);
    assert!(
        ended.err.contains("cargo xtask setup mock-part"),
        "{}",
        ended.err
    );
}

#[test]
fn an_interrupt_leaves_nothing_behind() {
    let folder = Folder::with(&RUNS.replace("sleep_ms: 1", "sleep_ms: 50"));
    let tmp = folder.path("tmp");
    fs::create_dir(&tmp).unwrap();
    let running = folder.start_with("verify --suite mock", &[("TMPDIR", &tmp)]);
    until("a worker is at it", || !running.workers().is_empty());
    running.signal(Signal::SIGINT);
    let ended = running.end();
    assert_eq!(ended.code, Some(130), "{}", ended.err);
    assert_eq!(left(&folder), 0);
}
