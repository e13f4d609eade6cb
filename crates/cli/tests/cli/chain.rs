//! Cells that start from what another cell made.

use std::fs;

use crate::support::Folder;

const WARM: &str = "
suite: mock
about: descent from where another one ended
matrix: {task: mock/quadratic, method: mock-warm, seed: 2}
params: {steps: 20}
scales: {smoke: {}}
";

fn made(folder: &Folder) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder.path("target/cache/made")).into_iter();
    let paths = entries.flatten().map(|entry| entry.unwrap().path());
    paths.collect()
}

#[test]
fn what_a_cell_starts_from_is_made_once_and_first() {
    let folder = Folder::with(WARM);
    let list = folder.reproduce("--list").out;
    assert!(list.contains("3 cells: 0 done; 3 to run"), "{list}");
    let ended = folder.reproduce("--jobs 4");
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(folder.stored().len(), 3);
    let source = ended.err.find("done     mock-source").unwrap();
    assert!(
        source < ended.err.find("start    mock-warm").unwrap(),
        "{}",
        ended.err
    );
    assert_eq!(made(&folder).len(), 1);
    // The tables are about the cells of the experiment.
    assert!(!ended.out.contains("mock-source"), "{}", ended.out);
}

#[test]
fn what_is_lost_is_made_again_only_where_it_is_wanted() {
    let folder = Folder::with(WARM);
    assert_eq!(folder.reproduce("").code, Some(0));
    let before = folder.stored();
    let [file] = &made(&folder)[..] else {
        panic!("one file is made");
    };
    let bytes = fs::read(file).unwrap();
    fs::remove_file(file).unwrap();
    let ended = folder.reproduce("");
    assert!(ended.err.contains("nothing to run"), "{}", ended.err);
    fs::remove_dir_all(folder.cell("mock-warm.s1")).unwrap();
    assert_eq!(folder.reproduce("").code, Some(0));
    assert_eq!(folder.stored(), before);
    assert_eq!(fs::read(file).unwrap(), bytes);
}

#[test]
fn a_start_that_fails_fails_what_starts_from_it() {
    let folder = Folder::with(&WARM.replace("steps: 20", "steps: 20, fail_at: 7"));
    let ended = folder.reproduce("");
    assert_eq!(ended.code, Some(4), "{}", ended.err);
    assert!(ended.out.contains("3 cells failed"), "{}", ended.out);
    assert!(ended.out.contains("it needs what"), "{}", ended.out);
}
