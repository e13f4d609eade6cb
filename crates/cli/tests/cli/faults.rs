//! A run that fails costs its own cell only, is recorded with its reason, and is listed.

use crate::support::{Folder, run_json, snapshots};

/// One cell for every way to end, told apart by their seeds.
const FAULTS: &str = "
suite: mock
about: one run for every way to end
matrix: {task: mock/steps, method: mock-sgd, seed: 6}
params: {steps: 20}
scales: {smoke: {time_limit: 4s}}
overrides:
  - {match: {seed: 1}, params: {fail_at: 7}}
  - {match: {seed: 2}, params: {panic_at: 7}}
  - {match: {seed: 3}, params: {nan_at: 7}}
  - {match: {seed: 4}, params: {kill_at: 7}}
  - {match: {seed: 5}, params: {hang_at: 7}}
";

#[test]
fn each_fault_costs_its_own_cell() {
    let folder = Folder::with(FAULTS);
    let ended = folder.reproduce("--jobs 6 --grace 100ms");
    assert_eq!(ended.code, Some(4), "{}", ended.err);
    assert_eq!(folder.stored().len(), 1);
    let expected = [
        ("s1", "error", "the mock was asked to fail at step 7"),
        ("s2", "panic", "the mock was asked to panic at step 7"),
        ("s3", "diverged", "is not finite at step 7"),
        ("s4", "killed", "SIGKILL"),
        ("s5", "timed-out", "time limit of 4s"),
    ];
    for (seed, kind, reason) in expected {
        let cell = folder.cell(&format!(".{seed}."));
        let status = &run_json(&cell)["status"];
        assert_eq!(status["state"], "failed", "{seed}");
        assert_eq!(status["kind"], kind, "{seed}");
        let said = status["reason"].as_str().unwrap();
        assert!(said.contains(reason), "{seed}: {said}");
        let name = cell.file_name().unwrap().to_str().unwrap();
        assert!(
            ended.out.contains(name),
            "{seed} is not listed: {}",
            ended.out
        );
        assert!(
            ended.out.contains(said),
            "{seed} is listed without its reason: {}",
            ended.out
        );
    }
}

/// Not the mock: a policy whose step leaves the finite numbers, on and off policy.
#[test]
fn real_trainings_that_diverge_are_recorded() {
    let folder = Folder::with(
        "
suite: control
about: steps that are far too long
matrix: {task: mini/point-mass, method: [ppo, sac], seed: 1}
params: {steps: 400, hidden: [16, 16], eval_every: 100, eval_episodes: 1}
scales: {smoke: {}}
overrides:
  - {match: {method: ppo}, params: {learning_rate: 1.0e+30, rollout_steps: 100, minibatch_size: 50}}
  - {match: {method: sac}, params: {critic_lr: 1.0e+30, learning_starts: 100, batch_size: 16}}
",
    );
    let ended = folder.reproduce("--jobs 2");
    assert_eq!(ended.code, Some(4), "{}", ended.err);
    for method in [".ppo.", ".sac."] {
        let status = &run_json(&folder.cell(method))["status"];
        assert_eq!(status["kind"], "diverged", "{method}: {status}");
        let reason = status["reason"].as_str().unwrap();
        assert!(
            reason.contains("is not finite at step 1")
                || reason.contains("is not finite at step 2"),
            "{reason}"
        );
        assert!(ended.out.contains(reason), "{}", ended.out);
    }
}

#[test]
fn failed_cells_are_listed_explained_and_tried_again() {
    let folder = Folder::with(
        "
suite: mock
about: one fails
matrix: {task: mock/steps, method: mock-sgd, seed: 2}
params: {steps: 20}
scales: {smoke: {}}
overrides: [{match: {seed: 1}, params: {fail_at: 7}}]
",
    );
    let ended = folder.reproduce("--jobs 1");
    assert_eq!(ended.code, Some(4));
    let _settings = snapshots();
    insta::assert_snapshot!("failed_summary", ended.out);
    insta::assert_snapshot!("failed_progress", ended.err);
    insta::assert_snapshot!("failed_list", folder.reproduce("--list").out);
    insta::assert_snapshot!("failed_why", folder.reproduce("--why .s1.").out);
    let again = folder.reproduce("");
    assert_eq!(again.code, Some(4));
    assert!(
        again.err.contains("2 cells: 1 done, 1 to run"),
        "{}",
        again.err
    );
    assert_eq!(run_json(&folder.cell(".s0."))["attempts"], 1);
    assert_eq!(run_json(&folder.cell(".s1."))["attempts"], 2);
}

#[test]
fn time_that_runs_out_leaves_a_checkpoint() {
    let folder = Folder::with(
        "
suite: mock
about: too slow for its limit
matrix: {task: mock/steps, method: mock-sgd, seed: 1}
params: {steps: 300, sleep_ms: 2}
scales: {smoke: {}}
",
    );
    let ended = folder.reproduce("--time-limit 300ms");
    assert_eq!(ended.code, Some(4), "{}", ended.err);
    assert_eq!(run_json(&folder.cell("s0"))["status"]["kind"], "timed-out");
    let ended = folder.reproduce("");
    assert_eq!(ended.code, Some(0));
    assert!(ended.err.contains("resume "), "{}", ended.err);
}
