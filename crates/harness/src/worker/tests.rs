use std::cell::Cell as Counter;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::cell::{CELL_FORMAT, Params};
use crate::files::test_hook::at_every_boundary;
use crate::mock;
use crate::run::tensorboard;
use crate::sealed;
use crate::store::Store;

/// A short run of the mock: 3 evaluations, enough for several checkpoints.
pub(crate) fn cell(given: serde_json::Value) -> Cell {
    let mut params: Params = serde_json::from_value(json!({"steps": 9, "eval_every": 3})).unwrap();
    params.extend(serde_json::from_value::<Params>(given).unwrap());
    let method = mock::suite().methods[1];
    Cell {
        format: CELL_FORMAT,
        suite: "mock".into(),
        task: "mock/quadratic".into(),
        method: method.name().into(),
        revision: method.revision(),
        seed: 0,
        engine: "none".into(),
        params: method.resolve("mock/quadratic", &params).unwrap(),
        inputs: BTreeMap::new(),
    }
}

pub(crate) fn options() -> WorkerOptions {
    WorkerOptions {
        checkpoint_every: CheckpointEvery::Asked(2),
        progress: false,
        stop: Stop::new(),
        versions: BTreeMap::from([("era".into(), "0.1.0".into())]),
        commit: "unknown".into(),
        cache: std::env::temp_dir(),
        device_index: 0,
    }
}

fn go(dir: &Path) -> WorkerOutcome {
    train(&[mock::suite()], dir, &options()).unwrap()
}

/// As [`go`], with the request to stop made beforehand: ends after its first step.
fn one_step(dir: &Path) -> WorkerOutcome {
    let options = options();
    options.stop.request();
    train(&[mock::suite()], dir, &options).unwrap()
}

struct Place {
    _root: TempDir,
    store: Store,
    cell: Cell,
    dir: PathBuf,
}

fn place(given: serde_json::Value) -> Place {
    let root = tempfile::tempdir().unwrap();
    let (store, cell) = (Store::new(root.path()), cell(given));
    let dir = store.prepare("smoke", &cell).unwrap();
    Place {
        _root: root,
        store,
        cell,
        dir,
    }
}

impl Place {
    fn state(&self) -> CellState {
        self.store.state("smoke", &self.cell, Verify::Full).unwrap()
    }
}

/// What a run is about: the bytes of the metrics.
fn metrics(dir: &Path) -> Vec<u8> {
    fs::read(dir.join(sealed::METRICS)).unwrap()
}

fn uninterrupted(given: serde_json::Value) -> Vec<u8> {
    let place = place(given);
    assert_eq!(go(&place.dir), WorkerOutcome::Done);
    metrics(&place.dir)
}

fn files_in(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_in(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in files_in(from) {
        // The lock of a process that is gone.
        if !file.ends_with("lock") {
            let target = to.join(file.strip_prefix(from).unwrap());
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::copy(&file, target).unwrap();
        }
    }
}

fn set_status(dir: &Path, status: Status) {
    let record = store::read_run(dir).unwrap().unwrap();
    store::write_run(dir, &RunRecord { status, ..record }).unwrap();
}

fn failure(kind: FailureKind) -> Status {
    Status::Failed(Failure {
        kind,
        reason: "because".into(),
        tail: Vec::new(),
    })
}

#[test]
fn a_finished_run_leaves_its_record_and_nothing_else() {
    let place = place(json!({}));
    assert_eq!(place.state(), CellState::Partial { step: 0 });
    assert_eq!(go(&place.dir), WorkerOutcome::Done);
    let names: Vec<_> = files_in(&place.dir)
        .iter()
        .map(|file| file.file_name().unwrap().to_owned())
        .collect();
    assert_eq!(
        names,
        [
            "cell.json",
            tensorboard::FILE_NAME,
            "metrics.parquet",
            "run.json",
            "timings.parquet"
        ]
    );

    let CellState::Done(record) = place.state() else {
        panic!("not done")
    };
    let rows = sealed::read(&place.dir.join(sealed::METRICS)).unwrap();
    // 3 evaluations of 2 values and 5 episodes.
    assert_eq!((record.rows, rows.len(), record.attempts), (21, 21, 1));
    let names: Vec<_> = rows
        .iter()
        .take(4)
        .map(|row| (row.step, row.metric.as_str(), row.index))
        .collect();
    assert_eq!(
        names,
        [
            (3, "train/loss", 0),
            (3, "eval/entropy", 0),
            (3, "eval/return", 0),
            (3, "eval/return", 1)
        ]
    );
    assert!(
        record.peak_memory > 0 && record.wall_seconds > 0.0,
        "{record:?}"
    );

    let bytes = metrics(&place.dir);
    assert_eq!(go(&place.dir), WorkerOutcome::AlreadyDone);
    assert_eq!(metrics(&place.dir), bytes);
}

#[test]
fn the_mock_has_the_trajectory_it_had() {
    let place = place(json!({}));
    go(&place.dir);
    let CellState::Done(record) = place.state() else {
        panic!("not done")
    };
    // Pinned: bump the revision of the mock when this changes.
    assert_eq!(
        record.metrics_hash,
        "cd70a66f0fbd02dd2c74815a6f0dc636e4e8aaa5df45ec43844b0836ae95a355"
    );
}

#[test]
fn killed_at_any_write_and_resumed_ends_where_an_uninterrupted_run_ends() {
    let expected = uninterrupted(json!({}));
    let place = place(json!({}));
    let copies = tempfile::tempdir().unwrap();
    let count = Rc::new(Counter::new(0));
    let hook = {
        let (from, to, count) = (
            place.dir.clone(),
            copies.path().to_path_buf(),
            count.clone(),
        );
        move || {
            copy(&from, &to.join(count.get().to_string()));
            count.set(count.get() + 1);
        }
    };
    at_every_boundary(hook, || go(&place.dir));
    assert!(count.get() > 50, "{} boundaries", count.get());
    for moment in 0..count.get() {
        let dir = copies.path().join(moment.to_string());
        let outcome = go(&dir);
        assert!(
            matches!(outcome, WorkerOutcome::Done | WorkerOutcome::AlreadyDone),
            "{moment}: {outcome:?}"
        );
        assert_eq!(metrics(&dir), expected, "killed at boundary {moment}");
        assert!(
            !dir.join("checkpoint").exists() && !dir.join("metrics.jsonl").exists(),
            "{moment} left something"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Stops at arbitrary moments, several times, then to the end.
    #[test]
    fn interrupted_anywhere_and_resumed_ends_the_same(moments in proptest::collection::vec(0..60_u32, 1..5)) {
        let expected = uninterrupted(json!({}));
        let place = place(json!({}));
        for moment in moments {
            let options = options();
            let (stop, count) = (options.stop.clone(), Counter::new(0));
            let hook = move || {
                count.set(count.get() + 1);
                if count.get() == moment {
                    stop.request();
                }
            };
            at_every_boundary(hook, || train(&[mock::suite()], &place.dir, &options).unwrap());
        }
        prop_assert!(matches!(go(&place.dir), WorkerOutcome::Done | WorkerOutcome::AlreadyDone));
        prop_assert_eq!(metrics(&place.dir), expected);
    }
}

#[test]
fn an_unfinished_run_with_any_file_cut_or_gone_ends_the_same() {
    let expected = uninterrupted(json!({}));
    let place = place(json!({}));
    for _ in 0..5 {
        one_step(&place.dir);
    }
    assert_eq!(place.state(), CellState::Partial { step: 5 });
    for file in files_in(&place.dir) {
        let length = fs::metadata(&file).unwrap().len();
        for cut in [
            None,
            Some(0),
            Some(1),
            Some(length / 2),
            Some(length.saturating_sub(1)),
        ] {
            let copied = tempfile::tempdir().unwrap();
            copy(&place.dir, copied.path());
            let target = copied.path().join(file.strip_prefix(&place.dir).unwrap());
            match cut {
                None => fs::remove_file(&target).unwrap(),
                Some(cut) => fs::OpenOptions::new()
                    .write(true)
                    .open(&target)
                    .unwrap()
                    .set_len(cut)
                    .unwrap(),
            }
            if file.ends_with("cell.json") && cut != Some(length - 1) {
                // Nothing to train without it; the driver writes it again (`Store::prepare`).
                assert!(train(&[mock::suite()], copied.path(), &options()).is_err());
                continue;
            }
            assert_eq!(
                go(copied.path()),
                WorkerOutcome::Done,
                "{} cut to {cut:?}",
                file.display()
            );
            assert_eq!(
                metrics(copied.path()),
                expected,
                "{} cut to {cut:?}",
                file.display()
            );
        }
    }
}

#[test]
fn a_finished_run_with_any_file_cut_or_gone_is_seen_and_trained_again() {
    let expected = uninterrupted(json!({}));
    for name in ["run.json", sealed::METRICS, sealed::TIMINGS, "cell.json"] {
        for cut in [None, Some(0), Some(10)] {
            let place = place(json!({}));
            go(&place.dir);
            let file = place.dir.join(name);
            match cut {
                None => fs::remove_file(&file).unwrap(),
                Some(cut) => fs::OpenOptions::new()
                    .write(true)
                    .open(&file)
                    .unwrap()
                    .set_len(cut)
                    .unwrap(),
            }
            let state = place
                .store
                .state("smoke", &place.cell, Verify::Quick)
                .unwrap();
            assert!(
                !matches!(state, CellState::Done(_)),
                "{name} cut to {cut:?}: {state:?}"
            );
            place.store.prepare("smoke", &place.cell).unwrap();
            assert!(matches!(
                go(&place.dir),
                WorkerOutcome::Done | WorkerOutcome::AlreadyDone
            ));
            assert_eq!(metrics(&place.dir), expected, "{name} cut to {cut:?}");
        }
    }
}

#[test]
fn a_changed_row_is_seen_by_a_full_look() {
    let place = place(json!({}));
    go(&place.dir);
    let other = tempfile::tempdir().unwrap();
    let mut rows = sealed::read(&place.dir.join(sealed::METRICS)).unwrap();
    rows[7].value += 1e-9;
    sealed::write(&other.path().join("changed"), &rows).unwrap();
    fs::copy(
        other.path().join("changed"),
        place.dir.join(sealed::METRICS),
    )
    .unwrap();
    let CellState::Damaged(reason) = place.state() else {
        panic!("not seen")
    };
    assert!(
        reason.starts_with("metrics.parquet: 21 rows with hash "),
        "{reason}"
    );
}

#[test]
fn faults_are_recorded_with_their_kind() {
    for (given, kind, reason) in [
        (
            json!({"nan_at": 4}),
            FailureKind::Diverged,
            "`train/loss` is not finite at step 4",
        ),
        (
            json!({"fail_at": 4}),
            FailureKind::Error,
            "the mock was asked to fail at step 4",
        ),
        (
            json!({"panic_at": 4}),
            FailureKind::Panic,
            "the mock was asked to panic at step 4",
        ),
    ] {
        let place = place(given);
        let WorkerOutcome::Failed(failure) = go(&place.dir) else {
            panic!("no failure")
        };
        assert_eq!(failure.kind, kind);
        assert!(failure.reason.ends_with(reason), "{}", failure.reason);
        assert_eq!(place.state(), CellState::Failed(failure));
    }
}

#[test]
fn after_divergence_or_a_panic_from_scratch_after_anything_else_from_the_checkpoint() {
    for (kind, resumes_at) in [
        (FailureKind::Diverged, 1),
        (FailureKind::Panic, 1),
        (FailureKind::Killed, 4),
        (FailureKind::TimedOut, 4),
        (FailureKind::Error, 4),
    ] {
        let place = place(json!({}));
        for _ in 0..3 {
            one_step(&place.dir);
        }
        set_status(&place.dir, failure(kind));
        assert_eq!(
            one_step(&place.dir),
            WorkerOutcome::Interrupted { step: resumes_at },
            "{kind:?}"
        );
        assert_eq!(store::read_run(&place.dir).unwrap().unwrap().attempts, 4);
    }
}

#[test]
fn a_cell_has_one_worker() {
    let place = place(json!({}));
    let lock = Lock::take(&place.dir).unwrap();
    assert_eq!(go(&place.dir), WorkerOutcome::Busy);
    assert_eq!(place.state(), CellState::Running);
    drop(lock);
    assert_eq!(go(&place.dir), WorkerOutcome::Done);
}

/// `/dev/full` behind the name of a file that is written: every write says that the disk is full.
#[test]
fn a_full_disk_fails_the_run_and_loses_nothing() {
    let expected = uninterrupted(json!({}));
    for name in [
        "metrics.jsonl",
        "timings.jsonl",
        tensorboard::FILE_NAME,
        "metrics.parquet.tmp",
    ] {
        let place = place(json!({}));
        symlink("/dev/full", place.dir.join(name)).unwrap();
        // No checkpoint in between: `/dev/full` cannot be synced.
        let mut options = options();
        options.checkpoint_every = CheckpointEvery::Asked(u64::MAX);
        let outcome = train(&[mock::suite()], &place.dir, &options).unwrap();
        let WorkerOutcome::Failed(failure) = outcome else {
            panic!("{name}: no failure")
        };
        assert_eq!(failure.kind, FailureKind::Error);
        let file = name.strip_suffix(".tmp").unwrap_or(name);
        let begins = format!(
            "write {}: No space left on device",
            place.dir.join(file).display()
        );
        assert!(failure.reason.starts_with(&begins), "{}", failure.reason);
        assert!(
            failure.reason.contains("free some space"),
            "{}",
            failure.reason
        );
        if place.dir.join(name).exists() {
            fs::remove_file(place.dir.join(name)).unwrap();
        }
        assert_eq!(go(&place.dir), WorkerOutcome::Done, "{name}");
        assert_eq!(metrics(&place.dir), expected, "{name}");
    }
}

#[test]
fn a_checkpoint_that_cannot_be_written_leaves_the_one_before() {
    let expected = uninterrupted(json!({}));
    for name in ["000002.safetensors.tmp", "000002.json.tmp"] {
        let place = place(json!({}));
        one_step(&place.dir);
        let obstacle = place.dir.join("checkpoint").join(name);
        let hook = move || {
            // Removed with other leftovers when the run resumes, so it is put there again and again.
            let _ = symlink("/dev/full", &obstacle);
        };
        let outcome = at_every_boundary(hook, || go(&place.dir));
        let WorkerOutcome::Failed(failure) = outcome else {
            panic!("{name}: no failure")
        };
        assert!(
            failure.reason.contains("No space left"),
            "{}",
            failure.reason
        );
        assert_eq!(
            one_step(&place.dir),
            WorkerOutcome::Interrupted { step: 2 },
            "it goes on from step 1"
        );
        assert_eq!(go(&place.dir), WorkerOutcome::Done);
        assert_eq!(metrics(&place.dir), expected);
    }
}

#[test]
fn a_record_that_cannot_be_written_is_an_error_and_the_old_one_stays() {
    let place = place(json!({}));
    one_step(&place.dir);
    let before = fs::read(place.dir.join("run.json")).unwrap();
    symlink("/dev/full", place.dir.join("run.json.tmp")).unwrap();
    let error = train(&[mock::suite()], &place.dir, &options()).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with(&format!("write {}", place.dir.join("run.json").display())),
        "{error}"
    );
    assert_eq!(fs::read(place.dir.join("run.json")).unwrap(), before);
}

#[test]
fn newer_formats_are_refused() {
    for name in ["cell.json", "run.json"] {
        let place = place(json!({}));
        go(&place.dir);
        let file = place.dir.join(name);
        let text = fs::read_to_string(&file)
            .unwrap()
            .replace("\"format\": 1", "\"format\": 7");
        fs::write(&file, text).unwrap();
        let error = train(&[mock::suite()], &place.dir, &options())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("it has format 7, this program knows up to 1; update the program"),
            "{error}"
        );
    }
}

#[test]
fn a_cell_of_another_build_is_refused() {
    let place = place(json!({}));
    let error = train(&[], &place.dir, &options()).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("this build has no method `mock-momentum` in suite `mock`"),
        "{error}"
    );
    store::write_cell(
        &place.dir,
        &Cell {
            revision: 9,
            ..place.cell.clone()
        },
    )
    .unwrap();
    let error = train(&[mock::suite()], &place.dir, &options()).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("revision 9 of `mock-momentum`, this build has revision 1; plan it again")
    );
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(
        train(&[], empty.path(), &options()),
        Err(WorkerError::NoCell { .. })
    ));
}

#[test]
fn tensorboard_shows_what_was_logged_also_after_a_resume() {
    let place = place(json!({}));
    one_step(&place.dir);
    for moment in 0..3 {
        one_step(&place.dir);
        if moment == 1 {
            // Lost: it is written again from the metrics.
            fs::remove_file(place.dir.join(tensorboard::FILE_NAME)).unwrap();
        }
    }
    go(&place.dir);
    let scalars =
        tensorboard::tests::decode(&fs::read(place.dir.join(tensorboard::FILE_NAME)).unwrap());
    let rows = sealed::read(&place.dir.join(sealed::METRICS)).unwrap();
    let mut expected = Vec::new();
    for group in rows.chunk_by(|a, b| (a.step, &a.metric) == (b.step, &b.metric)) {
        let mean = group.iter().map(|row| row.value).sum::<f64>() / group.len() as f64;
        expected.push((group[0].step, group[0].metric.clone(), mean as f32));
    }
    assert_eq!(scalars, expected);
}
