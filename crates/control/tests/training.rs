//! Every method through the harness: it goes where it went before, and it resumes bit for bit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use era_harness::run::{CheckpointEvery, Run, RunOptions};
use era_harness::stop::Stop;
use era_harness::{Cell, Method, Params, TrainError, cell};
use serde::{Deserialize, Serialize};

const TASK: &str = "mini/point-mass";

/// Whether the method learns from rollouts, which is where it asks for a checkpoint.
fn on_policy(method: &dyn Method) -> bool {
    method.name().starts_with("ppo")
}

/// A tiny network and an evaluation after every tenth of 50 updates; on policy six rollouts, long enough for a time limit.
fn cell(method: &dyn Method, more: serde_json::Value) -> Cell {
    let given = if on_policy(method) {
        serde_json::json!({
            "steps": 240, "num_envs": 2, "rollout_steps": 20, "minibatch_size": 20, "epochs": 2,
            "hidden": [16, 16], "eval_every": 40, "eval_episodes": 1,
        })
    } else {
        serde_json::json!({
            "steps": 250, "learning_starts": 200, "hidden": [16, 16], "batch_size": 32,
            "eval_every": 10, "eval_episodes": 1,
        })
    };
    let mut given: Params = serde_json::from_value(given).expect("an object");
    given.extend(serde_json::from_value::<Params>(more).expect("an object"));
    Cell {
        format: cell::CELL_FORMAT,
        suite: "control".to_owned(),
        task: TASK.to_owned(),
        method: method.name().to_owned(),
        revision: method.revision(),
        seed: 7,
        engine: "flex".to_owned(),
        params: method.resolve(TASK, &given).expect("valid parameters"),
        inputs: BTreeMap::new(),
    }
}

fn run(dir: &Path, cell: &Cell, checkpoint_every: u64, stop: &Stop) -> Run {
    let options = RunOptions {
        checkpoint_every: CheckpointEvery::Asked(checkpoint_every),
        progress: false,
        stop: stop.clone(),
        cache: std::env::temp_dir(),
        device_index: 0,
    };
    Run::new(dir, cell, options)
}

/// Trains to the end, with a checkpoint every so many steps, and gives the lines of metrics.
fn train(method: &dyn Method, cell: &Cell, dir: &Path, checkpoint_every: u64) -> String {
    let mut run = run(dir, cell, checkpoint_every, &Stop::new());
    method.train(cell, &mut run).expect("it trains");
    std::fs::read_to_string(dir.join("metrics.jsonl")).expect("metrics were written")
}

fn variants() -> Vec<(&'static dyn Method, serde_json::Value)> {
    let methods = era_control::suite().methods;
    let mut variants: Vec<_> = methods
        .iter()
        .map(|method| (*method, serde_json::json!({})))
        .collect();
    let more = [
        (
            "sac",
            serde_json::json!({"temperature": "fixed", "alpha_init": 0.01}),
        ),
        (
            "sac-era",
            serde_json::json!({"compensation": "learned", "target_entropy_per_dim": -0.5}),
        ),
        (
            "sac-era",
            serde_json::json!({"compensation": "learned", "distribution": "tanh-normal"}),
        ),
        ("ppo-era", serde_json::json!({"distribution": "normal"})),
        (
            "ppo",
            serde_json::json!({"normalise_observations": false, "normalise_rewards": false}),
        ),
    ];
    for (name, params) in more {
        variants.push((method(name), params));
    }
    variants
}

fn method(name: &str) -> &'static dyn Method {
    let mut methods = era_control::suite().methods.into_iter();
    methods
        .find(|method| method.name() == name)
        .expect("it is there")
}

/// What is left behind by a run that was killed after its checkpoint at step 180 (before the first update), 215 or 240; on
/// policy after its fourth, fifth or last rollout.
#[test]
fn resumed_runs_equal_uninterrupted_ones() {
    for (method, more) in variants() {
        let cell = cell(method, more);
        let whole = tempfile::tempdir().expect("a folder");
        let expected = train(method, &cell, whole.path(), u64::MAX);
        let kills = if on_policy(method) {
            [4, 5, 6]
        } else {
            [180, 215, 120]
        };
        for checkpoint_every in kills {
            let dir = tempfile::tempdir().expect("a folder");
            train(method, &cell, dir.path(), checkpoint_every);
            let resumed = train(method, &cell, dir.path(), u64::MAX);
            assert!(
                resumed == expected,
                "{} from step {checkpoint_every}",
                method.name()
            );
        }
    }
}

#[test]
fn a_request_to_stop_ends_the_run_with_a_checkpoint() {
    for (method, more) in variants() {
        let cell = cell(method, more);
        let dir = tempfile::tempdir().expect("a folder");
        let unit = if on_policy(method) { 40 } else { 1 };
        for expected in [unit, 2 * unit] {
            let stop = Stop::new();
            stop.request();
            let ended = method.train(&cell, &mut run(dir.path(), &cell, u64::MAX, &stop));
            assert!(
                matches!(ended, Err(TrainError::Interrupted { step }) if step == expected),
                "{ended:?}"
            );
        }
    }
}

#[test]
fn a_policy_that_leaves_the_finite_numbers_fails_the_run_as_diverged() {
    for name in ["ppo", "ppo-era"] {
        let method = method(name);
        let cell = cell(method, serde_json::json!({"learning_rate": 1e30}));
        let dir = tempfile::tempdir().expect("a folder");
        let ended = method.train(&cell, &mut run(dir.path(), &cell, u64::MAX, &Stop::new()));
        assert!(
            matches!(ended, Err(TrainError::Diverged { step: 40..=80, .. })),
            "{ended:?}"
        );
    }
}

#[test]
fn a_loss_that_is_not_finite_fails_the_run_as_diverged() {
    let method = era_control::suite().methods[0];
    let cell = cell(method, serde_json::json!({"critic_lr": 1e30}));
    let dir = tempfile::tempdir().expect("a folder");
    let ended = method.train(&cell, &mut run(dir.path(), &cell, u64::MAX, &Stop::new()));
    assert!(
        matches!(
            ended,
            Err(TrainError::Diverged {
                step: 201..=205,
                ..
            })
        ),
        "{ended:?}"
    );
}

#[test]
fn era_refuses_what_it_cannot_do() {
    for method in era_control::suite().methods {
        let instead = match method.name() {
            "sac-era" => Some("`sac-fixed-sigma` trains there"),
            "ppo-era" => Some("`ppo` trains there"),
            _ => None,
        };
        match (method.supports("classic/pendulum"), instead) {
            (Err(reason), Some(instead)) => assert!(reason.ends_with(instead), "{reason}"),
            (supported, instead) => assert!(supported.is_ok() && instead.is_none()),
        }
        assert_eq!(method.supports(TASK), Ok(()));
    }
}

#[test]
fn a_fixed_temperature_stays_and_steers_to_nothing() {
    let fixed = serde_json::json!({"temperature": "fixed", "alpha_init": 0.01});
    let metrics = metrics(method("sac"), fixed);
    assert!(!metrics["alpha"].is_empty());
    assert!(
        metrics["alpha"]
            .iter()
            .all(|alpha| (alpha - 0.01).abs() < 1e-12)
    );
    for absent in ["loss/alpha", "policy/bound", "policy/bound_violations"] {
        assert!(!metrics.contains_key(absent), "{absent}");
    }
}

/// From the first evaluation on, which is before the first update.
#[test]
fn every_evaluation_records_the_compensation_where_there_is_one() {
    let era = |compensation: &str, distribution: &str| {
        let params =
            serde_json::json!({"compensation": compensation, "distribution": distribution});
        metrics(method("sac-era"), params)
    };
    for distribution in ["truncated-normal", "tanh-normal"] {
        assert!(!era("none", distribution).contains_key("era/delta"));
        // 0.75 in each of two dimensions; an evaluation after every tenth of 250 steps.
        let constant = era("constant", distribution);
        assert_eq!(constant["era/delta"], [1.5; 25]);
        let learned = era("learned", distribution);
        let delta = &learned["era/delta"];
        assert_eq!(delta.len(), 25);
        assert!((delta[0] - 1.5).abs() < 1e-12 && (delta[24] - 1.5).abs() > 1e-6);
        assert_eq!(learned["loss/delta"].len(), 5);
    }
}

/// Both have the Gaussian's entropy that the activation gives, and lose a different amount of it.
#[test]
fn the_distribution_decides_the_entropy_that_bounding_costs() {
    let of = |distribution: &str| {
        let params = serde_json::json!({"distribution": distribution});
        metrics(method("sac-era"), params)
    };
    let (truncated, tanh) = (of("truncated-normal"), of("tanh-normal"));
    let first = |metrics: &BTreeMap<String, Vec<f64>>, name: &str| metrics[name][0];
    for metrics in [&truncated, &tanh] {
        let gaussian = first(metrics, "policy/gaussian_entropy_mean");
        assert!((gaussian - 0.5).abs() < 1e-4, "{gaussian}");
        assert!(first(metrics, "policy/entropy_mean") < gaussian);
    }
    assert_ne!(
        first(&truncated, "policy/entropy_mean"),
        first(&tanh, "policy/entropy_mean")
    );
}

/// A recorded trajectory: values of every metric, in the order of the evaluations.
#[derive(Debug, Serialize, Deserialize)]
struct Trajectory {
    revision: u32,
    metrics: BTreeMap<String, Vec<f64>>,
}

fn trajectory(method: &dyn Method) -> Trajectory {
    Trajectory {
        revision: method.revision(),
        metrics: metrics(method, serde_json::json!({})),
    }
}

/// The values of every metric of a run, in the order of the evaluations.
fn metrics(method: &dyn Method, more: serde_json::Value) -> BTreeMap<String, Vec<f64>> {
    /// A line of the harness's log.
    #[derive(Deserialize)]
    struct Line {
        rows: Vec<(String, u32, f64)>,
    }
    let dir = tempfile::tempdir().expect("a folder");
    let lines = train(method, &cell(method, more), dir.path(), u64::MAX);
    let mut metrics: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for line in lines.lines() {
        let line: Line = serde_json::from_str(line).expect("a row");
        for (metric, _, value) in line.rows {
            metrics.entry(metric).or_default().push(value);
        }
    }
    metrics
}

fn stored(method: &dyn Method) -> PathBuf {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/trajectories");
    fixtures.join(format!("{}.json", method.name()))
}

/// Largest difference of a value, relative to the largest of its metric: other instruction sets round differently, and
/// 50 updates amplify it.
const TOLERANCE: f64 = 1e-3;
/// Largest mean difference of a metric, likewise: catches a drift to one side that each value alone hides.
const DRIFT: f64 = 3e-4;

/// Fails when a method no longer goes where it went. If that is meant, bump its `revision` (finished runs are then done
/// again) and record anew: `cargo test --release -p era-control --test training record -- --ignored`.
#[test]
fn trajectories_are_the_recorded_ones() {
    for method in era_control::suite().methods {
        let name = method.name();
        let text = std::fs::read_to_string(stored(method)).expect("recorded trajectories");
        let recorded: Trajectory = serde_json::from_str(&text).expect("a trajectory");
        let found = trajectory(method);
        assert_eq!(
            recorded.revision, found.revision,
            "{name}: the revision is new; record its trajectory"
        );
        let names =
            |trajectory: &Trajectory| trajectory.metrics.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&recorded), names(&found), "{name}");
        for (metric, expected) in &recorded.metrics {
            let found = &found.metrics[metric];
            assert_eq!(found.len(), expected.len(), "{name}: {metric}");
            let scale = expected.iter().fold(1e-6_f64, |max, x| max.max(x.abs()));
            let differences = found
                .iter()
                .zip(expected)
                .map(|(found, expected)| (found - expected) / scale);
            let largest = differences.clone().fold(0.0_f64, |max, x| max.max(x.abs()));
            let mean = differences.sum::<f64>() / expected.len() as f64;
            assert!(
                largest <= TOLERANCE && mean.abs() <= DRIFT,
                "{name} goes elsewhere: {metric} differs by {largest:.1e}, {mean:.1e} on average; \
                 if that is meant, bump its revision and record its trajectory"
            );
        }
    }
}

#[test]
#[ignore = "records what the test above compares with"]
fn record() {
    for method in era_control::suite().methods {
        let path = stored(method);
        std::fs::create_dir_all(path.parent().expect("a folder"))
            .expect("the fixtures are writable");
        let text = serde_json::to_string_pretty(&trajectory(method)).expect("finite numbers");
        std::fs::write(path, text + "\n").expect("the fixtures are writable");
    }
}
