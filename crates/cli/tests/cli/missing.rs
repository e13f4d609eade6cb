//! `missing: skip` and `fail` at a scale with a task that no build can run.

use crate::support::{Folder, snapshots};

const MIXED: &str = "
suite: mock
about: a task that can be run and one that cannot
matrix: {task: [mock/absent, mock/steps], method: mock-sgd, seed: 2}
params: {steps: 20}
scales: {smoke: {missing: skip}, strict: {}}
";

#[test]
fn cells_that_cannot_be_run_are_skipped_where_the_scale_says_so() {
    let folder = Folder::with(MIXED);
    let _settings = snapshots();
    assert_eq!(folder.era("needs --suite mock").out, "");
    insta::assert_snapshot!("missing_list", folder.reproduce("--list --jobs 1").out);
    let ended = folder.reproduce("--jobs 1");
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    insta::assert_snapshot!("missing_progress", ended.err);
    assert_eq!(folder.stored().len(), 2);
    // The report is about the others: it does not say that cells are missing from it.
    assert!(!ended.out.contains("mock/absent") && !ended.out.contains("left out"));
    let why = folder.reproduce("--why absent.mock-sgd.s1");
    assert_eq!(why.code, Some(0));
    insta::assert_snapshot!("missing_why", why.out);
    // `s1` is in the name of a cell that is not skipped.
    let other = folder.reproduce("--why mock-sgd.s1").out;
    assert!(other.starts_with("mock_steps"), "{other}");
    assert_eq!(folder.reproduce("--why mock-sgd").code, Some(3));
    let report = folder.era("report --suite mock");
    assert_eq!(report.code, Some(0));
    assert!(report.err.contains("cargo xtask setup mock-part"));
}

#[test]
fn elsewhere_they_are_needed() {
    let folder = Folder::with(MIXED);
    let needs = folder.era("needs --suite mock --scale strict");
    assert_eq!(needs.out, "mock-part\n");
    let ended = folder.reproduce("--scale strict");
    assert_eq!(ended.code, Some(5), "{}", ended.err);
    assert!(
        ended.err.contains("cargo xtask setup mock-part"),
        "{}",
        ended.err
    );
    assert!(folder.cells().is_empty());
}

#[test]
fn an_experiment_that_is_skipped_as_a_whole_leaves_the_report_to_the_others() {
    let folder = Folder::with(MIXED);
    let absent = MIXED
        .replace("[mock/absent, mock/steps]", "mock/absent")
        .replace("scales:", "report: {tables: [vision-accuracy]}\nscales:");
    folder.write("experiments/absent.yaml", &absent);
    let ended = folder.era("reproduce --suite mock,absent");
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(!folder.path("paper/generated/smoke/absent").exists());
}

#[test]
fn nothing_is_skipped_where_nothing_else_is_asked_for() {
    let folder = Folder::with(MIXED);
    let needs = folder.era("needs --suite mock --only task=mock/absent");
    assert_eq!(needs.out, "mock-part\n");
    let ended = folder.reproduce("--only task=mock/absent");
    assert_eq!(ended.code, Some(5), "{}", ended.err);
}

#[test]
fn an_ablation_needs_no_folder_before_its_name() {
    let folder = Folder::with(MIXED);
    folder.write(
        "experiments/ablations/noise.yaml",
        &MIXED.replace("steps: 20", "steps: 20, noise: 0.5"),
    );
    let whole = folder.era("reproduce --list --suite ablations/noise");
    assert!(
        whole.out.starts_with("noise (smoke): a task"),
        "{}",
        whole.out
    );
    assert_eq!(folder.era("reproduce --list --suite noise").out, whole.out);
}
