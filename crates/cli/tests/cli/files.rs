//! Disks that are full, folders that cannot be written, records that are damaged: said, and nothing lost.

use std::fs;

use crate::support::{Folder, run_json};

const TWO: &str = "
suite: mock
about: two cells
matrix: {task: mock/quadratic, method: mock-sgd, seed: 2}
params: {steps: 200, eval_every: 2}
scales: {smoke: {}}
";

#[test]
fn damaged_records_are_said_and_made_again() {
    for (file, keep) in [
        ("metrics.parquet", 200),
        ("run.json", 100),
        ("cell.json", 50),
        ("timings.parquet", 0),
    ] {
        let folder = Folder::with(TWO);
        assert_eq!(folder.reproduce("").code, Some(0));
        let before = folder.stored();
        let path = folder.cell(".s0.").join(file);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..keep]).unwrap();
        let list = folder.reproduce("--list").out;
        assert!(list.contains("damaged"), "{file}: {list}");
        let ended = folder.reproduce("");
        assert_eq!(ended.code, Some(0), "{file}: {}", ended.err);
        assert!(
            ended.err.contains(file),
            "{file}: it is not said: {}",
            ended.err
        );
        assert!(
            ended.err.contains("2 cells: 1 done, 1 to run"),
            "{file}: {}",
            ended.err
        );
        assert_eq!(folder.stored(), before, "{file}");
    }
}

#[test]
fn values_that_changed_in_a_record_are_found() {
    let folder = Folder::with(TWO);
    assert_eq!(folder.reproduce("").code, Some(0));
    let (good, bad) = (folder.cell(".s0."), folder.cell(".s1."));
    // Whole, but the rows of another run.
    fs::copy(good.join("metrics.parquet"), bad.join("metrics.parquet")).unwrap();
    let before = folder.stored();
    let ended = folder.reproduce("");
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.err.contains("1 done, 1 to run"), "{}", ended.err);
    assert_ne!(folder.stored(), before);
    assert_eq!(run_json(&good)["attempts"], 1);
}

#[test]
fn a_full_disk_is_an_error_and_costs_nothing_finished() {
    let long = TWO.replace("steps: 200", "steps: 800");
    let whole = Folder::with(&long);
    assert_eq!(whole.reproduce("").code, Some(0));
    let folder = Folder::with(&long);
    assert_eq!(folder.reproduce("--only seed=0").code, Some(0));
    let before = folder.stored();
    // Files of at most 64 KiB: enough for cell.json, run.json and the report, not for the metrics.
    let ended = folder.shell("trap '' XFSZ; ulimit -f 64; exec \"$ERA\" reproduce --suite mock");
    assert_eq!(ended.code, Some(4), "{}\n{}", ended.out, ended.err);
    assert!(
        ended.out.contains("metrics.jsonl: File too large"),
        "{}",
        ended.out
    );
    assert!(
        ended.out.contains("ulimit -f"),
        "it does not say what to do: {}",
        ended.out
    );
    assert_eq!(folder.stored(), before);
    assert_eq!(folder.reproduce("").code, Some(0));
    assert_eq!(folder.stored(), whole.stored());
}

#[test]
fn folders_that_cannot_be_written_end_it_before_anything_runs() {
    for (blocked, option) in [("artifacts", "--artifacts"), ("paper", "--paper")] {
        let folder = Folder::with(TWO);
        // A file in the folder's place: permissions would not stop root.
        folder.write(blocked, "in the way");
        let ended = folder.reproduce("");
        assert_eq!(ended.code, Some(5), "{}", ended.err);
        assert!(
            ended.err.contains(blocked) && ended.err.contains(option),
            "{}",
            ended.err
        );
        assert!(folder.cells().is_empty());
        assert_eq!(
            fs::read_to_string(folder.path(blocked)).unwrap(),
            "in the way"
        );
    }
}

#[test]
fn a_wrong_experiment_ends_it_before_anything_runs() {
    let folder = Folder::with(TWO);
    folder.write(
        "experiments/other.yaml",
        "suite: mock\nmatrix: {task: mock/step, method: sgd}\n",
    );
    let ended = folder.era("reproduce --suite mock,other");
    assert_eq!(ended.code, Some(3), "{}", ended.err);
    assert!(ended.err.contains("other.yaml:2:"), "{}", ended.err);
    assert!(
        ended.err.contains("did you mean `mock/steps`"),
        "{}",
        ended.err
    );
    assert!(!folder.path("artifacts").exists());
}

#[test]
fn force_replaces_a_record_only_by_a_whole_one() {
    let folder = Folder::with(TWO);
    assert_eq!(folder.reproduce("").code, Some(0));
    let before = folder.stored();
    let inode = |folder: &Folder| {
        use std::os::unix::fs::MetadataExt;
        fs::metadata(folder.cell(".s0.").join("metrics.parquet"))
            .unwrap()
            .ino()
    };
    let old = inode(&folder);
    // It cannot be written: the old records stay.
    let ended =
        folder.shell("trap '' XFSZ; ulimit -f 16; exec \"$ERA\" reproduce --suite mock --force");
    assert_eq!(ended.code, Some(4), "{}", ended.err);
    assert_eq!(folder.stored(), before);
    assert_eq!(inode(&folder), old);
    let ended = folder.reproduce("--force");
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(ended.err.matches("done  ").count(), 2, "{}", ended.err);
    assert_eq!(folder.stored(), before);
    assert_ne!(inode(&folder), old);
    let left: Vec<_> = walk(&folder.path("artifacts/.again"));
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_force_that_was_cut_short_is_finished_by_the_next_command() {
    let folder = Folder::with(TWO);
    assert_eq!(folder.reproduce("").code, Some(0));
    let before = folder.stored();
    // Cut after the old record was put aside, before the new one was put in its place.
    let cell = folder.cell(".s0.");
    let beside = folder.path("artifacts/.again/smoke/mock");
    fs::create_dir_all(&beside).unwrap();
    fs::rename(&cell, beside.join(cell.file_name().unwrap())).unwrap();
    let ended = folder.reproduce("");
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(
        ended.err.contains("2 done, nothing to run"),
        "{}",
        ended.err
    );
    assert_eq!(folder.stored(), before);
}

/// The files under a folder.
fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                walk(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}
