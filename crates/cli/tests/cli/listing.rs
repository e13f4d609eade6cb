//! `--list`, `--why`, `--budget`: what is said before anything runs.

use crate::support::{Folder, snapshots};

const FOUR: &str = "
suite: mock
about: noisy descent with and without momentum
matrix: {task: mock/quadratic, method: [mock-sgd, mock-momentum], seed: 2}
params: {steps: 40}
scales: {smoke: {}}
";

#[test]
fn a_listing_runs_nothing_and_shows_every_cell() {
    let folder = Folder::with(FOUR);
    let _settings = snapshots();
    insta::assert_snapshot!("list_new", folder.reproduce("--list --jobs 2").out);
    assert!(!folder.path("artifacts").exists());
    let ended = folder.reproduce("--jobs 1 --only method=mock-sgd");
    assert_eq!(ended.code, Some(0));
    insta::assert_snapshot!("progress", ended.err);
    let list = folder.reproduce("--list --jobs 2").out;
    insta::assert_snapshot!("list_half_done", list);
    assert!(
        list.lines().all(|line| line.chars().count() <= 80),
        "{list}"
    );
}

#[test]
fn a_suite_is_all_of_its_experiments_and_a_name_is_one() {
    let folder = Folder::with(FOUR);
    let other = FOUR.replace("steps: 40", "steps: 50");
    folder.write("experiments/fifty.yaml", &other);
    folder.write(
        "experiments/ablations/sixty.yaml",
        &FOUR.replace("40", "60"),
    );
    let list = folder.reproduce("--list").out;
    for header in ["fifty (smoke)", "mock (smoke)", "8 cells: 0 done; 8 to run"] {
        assert!(list.contains(header), "{list}");
    }
    assert!(!list.contains("sixty"), "{list}");
    let list = folder.shell("\"$ERA\" reproduce --suite fifty --list").out;
    assert!(list.contains("4 cells: 0 done; 4 to run"), "{list}");
}

#[test]
fn why_names_the_field_that_makes_a_cell_new() {
    let folder = Folder::with(FOUR);
    let _settings = snapshots();
    insta::assert_snapshot!(
        "why_nothing_recorded",
        folder.reproduce("--why mock-sgd.s1").out
    );
    assert_eq!(folder.reproduce("").code, Some(0));
    insta::assert_snapshot!("why_done", folder.reproduce("--why mock-sgd.s1").out);
    folder.write(
        "experiments/mock.yaml",
        &FOUR.replace("steps: 40", "steps: 40, noise: 0.25"),
    );
    insta::assert_snapshot!("why_new", folder.reproduce("--why mock-sgd.s1").out);
    assert!(
        folder
            .reproduce("--list")
            .out
            .contains("4 cells: 0 done; 4 to run")
    );
}

#[test]
fn why_needs_one_cell() {
    let folder = Folder::with(FOUR);
    let _settings = snapshots();
    for (part, name) in [("sgd", "why_several"), ("dqn", "why_none")] {
        let ended = folder.reproduce(&format!("--why {part}"));
        assert_eq!(ended.code, Some(3));
        insta::assert_snapshot!(name, ended.err);
    }
}

#[test]
fn a_budget_says_first_what_it_leaves_out() {
    let folder = Folder::with(&FOUR.replace("steps: 40", "steps: 50, sleep_ms: 10"));
    let _settings = snapshots();
    insta::assert_snapshot!(
        "budget_list",
        folder.reproduce("--list --jobs 1 --budget 1100ms").out
    );
    let ended = folder.reproduce("--jobs 1 --budget 1100ms");
    assert_eq!(ended.code, Some(0));
    insta::assert_snapshot!("budget_progress", ended.err);
    assert_eq!(folder.stored().len(), 2);
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let folder = Folder::with(&FOUR.replace("seed: 2", "seed: 3000"));
    let ended = folder.shell("set -o pipefail; \"$ERA\" reproduce --suite mock --list | head -n 1");
    assert_eq!(
        ended.out,
        "mock (smoke): noisy descent with and without momentum\n"
    );
    assert_eq!(ended.err, "");
}
