//! Interrupted runs end where uninterrupted ones end, bit for bit.

use std::fs;

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::support::{Folder, run_json, until};

/// Two cells of about half a second.
const SLOW: &str = "
suite: mock
about: slow descent
matrix: {task: mock/quadratic, method: [mock-sgd, mock-momentum], seed: 1}
params: {steps: 250, sleep_ms: 2, eval_every: 5}
scales: {smoke: {}}
";

/// Two real trainings of about a second.
const LEARNERS: &str = "
suite: control
about: two short trainings
matrix: {task: mini/point-mass, method: [sac, sac-era], seed: 1}
params:
  {steps: 600, hidden: [16, 16], batch_size: 16, learning_starts: 100, eval_every: 50, eval_episodes: 1}
scales: {smoke: {}}
";

/// The same on policy: a hundred rollouts, the statistics of their normalisation and time limits among them.
const ON_POLICY: &str = "
suite: control
about: two short trainings on policy
matrix: {task: mini/point-mass, method: [ppo, ppo-era], seed: 1}
params:
  {steps: 25600, num_envs: 4, rollout_steps: 64, minibatch_size: 32, hidden: [16, 16], eval_every: 512, eval_episodes: 1}
scales: {smoke: {}}
";

/// Two residual networks: 60 epochs of two updates, with every kind of augmentation, read ahead by a thread.
const VISION: &str = "
suite: vision
about: two short trainings of classifiers
matrix: {task: shapes, method: [dropout, era], seed: 1}
params:
  {arch: resnet-8, epochs: 60, batch_size: 10, train_per_class: 2, test_per_class: 1, rand_augment_ops: 1, random_erasing: 0.5}
scales: {smoke: {}}
";

/// Two policies that learn from rewards, and the one that both start from.
const LANGUAGE: &str = "
suite: llm
about: two short trainings of policies
matrix: {task: chain-sum, method: [grpo, grpo-era], seed: 1}
params:
  {terms: 2, digits: 1, updates: 120, prompts: 8, group: 4, max_tokens: 4, learning_rate: 0.001, eval_every: 10, eval_problems: 8,
  eval_samples: 4, start_layers: 2, start_width: 32, start_heads: 2, start_kv_heads: 1, start_feed_forward: 64, start_updates: 300,
  start_batch: 32}
scales: {smoke: {}}
";

/// Checkpoints as often as makes sense, at steps that do not depend on a clock.
const EVERY: &str = "--checkpoint-every 7x";

/// Numbers from `low` to `high` that look random and are the same each time (the generator of Numerical Recipes).
fn seeded(seed: u32, low: u64, high: u64) -> impl Iterator<Item = u64> {
    let step = |state: &u32| Some(state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    std::iter::successors(Some(seed), step)
        .skip(1)
        .map(move |state| low + u64::from(state >> 8) % (high - low))
}

/// Starts a run of two cells, and gives it back once `bytes` more of metrics are written, or all of them.
fn once_written(folder: &Folder, args: &str, bytes: u64) -> crate::support::Started {
    once_written_of(2, folder, args, bytes)
}

fn once_written_of(
    cells: usize,
    folder: &Folder,
    args: &str,
    bytes: u64,
) -> crate::support::Started {
    let goal = folder.written() + bytes;
    let started = folder.start(&format!("reproduce --suite mock {args}"));
    until("metrics are written", || {
        folder.written() >= goal || folder.stored().len() == cells
    });
    started
}

/// Kills all processes of a run at three moments, each after some more bytes of metrics, and goes on.
fn killed_and_resumed(cells: usize, yaml: &str, moments: impl Iterator<Item = u64>) {
    let (whole, cut) = (Folder::with(yaml), Folder::with(yaml));
    assert_eq!(whole.reproduce("").code, Some(0));
    for bytes in moments.take(3) {
        once_written_of(cells, &cut, EVERY, bytes).cut();
    }
    let attempts: u64 = cut
        .cells()
        .iter()
        .filter_map(|cell| run_json(cell)["attempts"].as_u64())
        .sum();
    assert!(
        attempts > cells as u64,
        "it was not interrupted: {attempts} attempts"
    );
    let ended = cut.reproduce("");
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.err.contains("resume "), "{}", ended.err);
    assert_eq!(cut.stored(), whole.stored());
    assert_eq!(whole.stored().len(), cells);
}

#[test]
fn killed_at_three_moments_and_resumed_it_ends_as_if_it_had_not_been() {
    killed_and_resumed(2, SLOW, seeded(7, 500, 4000));
}

#[test]
fn so_do_sac_and_sac_era() {
    killed_and_resumed(2, LEARNERS, seeded(11, 500, 3000));
}

#[test]
fn so_do_ppo_and_ppo_era() {
    killed_and_resumed(2, ON_POLICY, seeded(13, 500, 3000));
}

#[test]
fn so_do_dropout_and_era_for_classification() {
    killed_and_resumed(2, VISION, seeded(17, 500, 6000));
}

#[test]
fn so_do_grpo_and_grpo_era_and_their_start() {
    killed_and_resumed(3, LANGUAGE, seeded(19, 1000, 20_000));
}

#[test]
fn as_many_jobs_as_one_likes() {
    for yaml in [SLOW, ON_POLICY, VISION, LANGUAGE] {
        let folders = ["--jobs 1", "--jobs 2", "--jobs 7"].map(|jobs| {
            let folder = Folder::with(yaml);
            assert_eq!(folder.reproduce(jobs).code, Some(0));
            folder
        });
        let [one, two, seven] = folders.map(|folder| folder.stored());
        assert_eq!(one, two);
        assert_eq!(one, seven);
    }
}

#[test]
fn an_interrupt_writes_checkpoints_and_resumes() {
    let (whole, cut) = (Folder::with(SLOW), Folder::with(SLOW));
    assert_eq!(whole.reproduce("").code, Some(0));
    // A checkpoint only when it is asked for by the interrupt.
    let running = once_written(&cut, "--checkpoint-every 1h", 2000);
    running.signal(Signal::SIGINT);
    let ended = running.end();
    assert_eq!(ended.code, Some(130), "{}", ended.err);
    assert!(
        ended
            .err
            .contains("interrupted: 0 cells finished, 2 to go on with"),
        "{}",
        ended.err
    );
    assert_eq!(ended.out, "");
    let list = cut.reproduce("--list").out;
    assert_eq!(list.matches("at step").count(), 2, "{list}");
    let resumed = cut.reproduce("");
    assert_eq!(resumed.err.matches("resume ").count(), 2, "{}", resumed.err);
    assert_eq!(cut.stored(), whole.stored());
}

#[test]
fn cells_whose_turn_did_not_come_are_new() {
    let folder = Folder::with(SLOW);
    let running = once_written(&folder, "--jobs 1", 500);
    running.signal(Signal::SIGTERM);
    assert_eq!(running.end().code, Some(130));
    let list = folder.reproduce("--list").out;
    let states = [" new ", " at step "].map(|state| list.matches(state).count());
    assert_eq!(states, [1, 1], "{list}");
}

#[test]
fn workers_end_with_their_driver() {
    let (whole, cut) = (Folder::with(SLOW), Folder::with(SLOW));
    assert_eq!(whole.reproduce("").code, Some(0));
    let running = once_written(&cut, EVERY, 1000);
    let workers = running.workers();
    assert!(!workers.is_empty());
    running.signal(Signal::SIGKILL);
    let alive = |worker: &Pid| fs::exists(format!("/proc/{worker}")).unwrap();
    until("the workers are gone", || !workers.iter().any(alive));
    assert_eq!(cut.stored().len(), 0, "the workers trained on to the end");
    assert_eq!(cut.reproduce("").code, Some(0));
    assert_eq!(cut.stored(), whole.stored());
}

#[test]
fn the_last_good_checkpoint_counts() {
    let (whole, cut) = (Folder::with(SLOW), Folder::with(SLOW));
    assert_eq!(whole.reproduce("").code, Some(0));
    once_written(&cut, EVERY, 6000).cut();
    for cell in cut.cells() {
        // A checkpoint counts once it has a manifest. The kill may have come before the oldest of three was removed.
        let mut manifests: Vec<_> = fs::read_dir(cell.join("checkpoint"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
            .collect();
        manifests.sort();
        assert!(manifests.len() >= 2, "only {manifests:?} to go back to");
        let newest = manifests.pop().unwrap().with_extension("safetensors");
        let bytes = fs::read(&newest).unwrap();
        fs::write(&newest, &bytes[..bytes.len() / 2]).unwrap();
    }
    let ended = cut.reproduce("");
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(
        ended.err.contains("resume "),
        "it began from scratch: {}",
        ended.err
    );
    assert_eq!(
        ended.err.matches("checkpoint").count(),
        2,
        "it does not say so: {}",
        ended.err
    );
    assert_eq!(cut.stored(), whole.stored());
}
