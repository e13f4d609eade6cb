//! One update of each method at HalfCheetah's sizes, and this machine's rate of matrix products to compare it with.
//!
//! `cargo bench -p era-control`; `docs/PERFORMANCE.md` says how to read it. `ERA_BENCH_ENGINE` names the engine, Flex by default.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

use burn::tensor::{Device, Tensor, TensorData};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use era::burn::GaussianEra;
use era_control::methods::{sac, sac_era, sac_fixed_sigma, sac_no_entropy};
use era_control::replay::Batch;
use era_envs::Spec;
use era_harness::run::{CheckpointEvery, Run, RunOptions};
use era_harness::seed::Streams;
use era_harness::stop::Stop;
use era_harness::{Cell, Method, Params, cell};
use rand::RngExt;

/// What the binary `era` uses: with the system's allocator freed tensors go back to the kernel and are faulted in again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const HALF_CHEETAH: Spec = Spec {
    name: "gym/half-cheetah",
    obs_dim: 17,
    act_dim: 6,
    time_limit: 1000,
};

/// The engine that is measured, by name, and its device.
fn engine() -> (String, Device) {
    era_nn::bench_device().unwrap_or_else(|error| panic!("failed to {error}"))
}

/// Waits until the device has done what it was given.
fn finish(device: &Device) {
    device.sync().expect("the device works");
}

/// 256 transitions of random numbers.
fn batch() -> Batch {
    let mut batch = Batch::new(256, HALF_CHEETAH.obs_dim, HALF_CHEETAH.act_dim);
    let mut rng = Streams::new(0).at("bench", 0);
    for field in [
        &mut batch.obs,
        &mut batch.action,
        &mut batch.reward,
        &mut batch.next_obs,
    ] {
        field
            .iter_mut()
            .for_each(|x| *x = rng.random_range(-1.0..1.0));
    }
    batch.mask.fill(1.0);
    batch
}

fn product(c: &mut Criterion) {
    let mut group = c.benchmark_group("product");
    let (_, device) = engine();
    let matrix = Tensor::<2>::ones([256, 256], &device);
    group.throughput(Throughput::ElementsAndBytes {
        elements: 2 * 256 * 256 * 256,
        bytes: 3 * 256 * 256 * 4,
    });
    group.bench_function("256x256x256", |b| {
        b.iter(|| {
            black_box(matrix.clone().matmul(matrix.clone()));
            finish(&device);
        });
    });
    group.finish();
}

/// Benchmarks one method at every size, with and without LayerNorm.
macro_rules! updates {
    ($group:expr, $device:expr, $name:literal, $module:ident :: $params:ident, $new:expr) => {
        for width in [256, 512] {
            for layer_norm in [false, true] {
                let params = $module::$params {
                    hidden: vec![width, width],
                    layer_norm,
                    ..Default::default()
                };
                let mut agent: $module::Agent =
                    $new(params, HALF_CHEETAH, Streams::new(0), $device);
                let batch = batch();
                let norm = if layer_norm { "layer-norm" } else { "plain" };
                $group.bench_function(format!("2x{width}/{norm}/{}", $name), |b| {
                    b.iter(|| {
                        agent.update(&batch, false);
                        finish($device);
                    });
                });
            }
        }
    };
}

fn update(c: &mut Criterion) {
    let device = &engine().1;
    let mut group = c.benchmark_group("update");
    updates!(group, device, "sac", sac::SacParams, sac::Agent::new);
    updates!(
        group,
        device,
        "sac-no-entropy",
        sac_no_entropy::SacNoEntropyParams,
        sac_no_entropy::Agent::new
    );
    updates!(
        group,
        device,
        "sac-fixed-sigma",
        sac_fixed_sigma::SacFixedSigmaParams,
        sac_fixed_sigma::Agent::new
    );
    let era = |params, spec, streams, device: &Device| {
        sac_era::Agent::new(params, spec, streams, device).expect("the defaults are feasible")
    };
    updates!(group, device, "sac-era", sac_era::SacEraParams, era);
    // What a learned compensation costs: the policy's entropy over the batch, exact or from one action a state.
    for (name, distribution) in [
        ("truncated-normal", sac_era::Distribution::TruncatedNormal),
        ("tanh-normal", sac_era::Distribution::TanhNormal),
    ] {
        for compensation in [
            sac_era::CompensationKind::None,
            sac_era::CompensationKind::Learned,
        ] {
            let params = sac_era::SacEraParams {
                distribution,
                compensation,
                ..Default::default()
            };
            let mut agent = era(params, HALF_CHEETAH, Streams::new(0), device);
            let batch = batch();
            group.bench_function(format!("compensation/{name}/{compensation:?}"), |b| {
                b.iter(|| {
                    agent.update(&batch, false);
                    finish(device);
                });
            });
        }
    }
    group.finish();
}

/// The activation alone, as often as an update of `sac-era` computes it: for the target's actions forward, for the actor's loss forward and
/// backward. The same graph without it comes beside it; the difference is what ERA costs.
fn activation(c: &mut Criterion) {
    let device = engine().1;
    let era = era::GaussianEra::new(era::GaussianEraConfig::official(HALF_CHEETAH.act_dim));
    let era = GaussianEra::new(era.expect("the official settings are in range"));
    let random = |purpose: &str| {
        let mut rng = Streams::new(0).at(purpose, 0);
        let values: Vec<f32> = (0..256 * HALF_CHEETAH.act_dim)
            .map(|_| rng.random_range(-1.0..1.0))
            .collect();
        Tensor::<2>::from_data(
            TensorData::new(values, [256, HALF_CHEETAH.act_dim]),
            &device,
        )
    };
    let (next, raw) = (random("next"), random("raw").autodiff());
    let upstream = random("upstream").autodiff();
    let mut group = c.benchmark_group("era/gaussian/256x6");
    let mut measure = |name: &str, activation: &dyn Fn(Tensor<2>) -> Tensor<2>| {
        group.bench_function(name, |b| {
            b.iter(|| {
                black_box(activation(next.clone()));
                let log_std = activation(raw.clone().require_grad());
                black_box((log_std * upstream.clone()).sum().backward());
                finish(&device);
            });
        });
    };
    measure("with", &|raw| era.log_std(raw));
    measure("without", &|raw| raw);
    group.finish();
}

/// Environment steps a second of whole runs, without evaluations: as the runs themselves record it.
fn training(c: &mut Criterion) {
    let info = era_envs::tasks().find(|info| info.spec.name == HALF_CHEETAH.name && info.available);
    let task = info.map_or("mini/reacher", |info| info.spec.name);
    let mut group = c.benchmark_group("step");
    group.sample_size(10);
    let mut measure = |name: &str, method: &'static dyn Method, given: serde_json::Value| {
        let given: Params = serde_json::from_value(given).expect("an object");
        group.bench_function(format!("{task}/{name}/{}", method.name()), |b| {
            b.iter_custom(|steps| {
                let times = (0..steps).map(|_| seconds_per_step(method, task, &given));
                Duration::from_secs_f64(times.sum())
            });
        });
    };
    for method in era_control::suite().methods {
        if method.name().starts_with("ppo") {
            // As in `baselines/peers/ppo_speed.py`: three rollouts of 8 environments; and CleanRL's one environment.
            for (name, environments) in [("2x64", 8), ("2x64/one-environment", 1)] {
                let rollout = 2048 * environments;
                let given = serde_json::json!({
                    "steps": 3 * rollout, "num_envs": environments, "eval_every": rollout, "eval_episodes": 1,
                });
                measure(name, method, given);
            }
            continue;
        }
        // 500 steps with one update each after 100 random ones.
        let mut given = serde_json::json!({
            "steps": 600, "learning_starts": 100, "eval_every": 100, "eval_episodes": 1,
        });
        measure("2x256", method, given.clone());
        if method.name() == "sac" {
            // As in `baselines/peers/sac_speed.py`.
            given["layer_norm"] = false.into();
            measure("2x256/plain", method, given);
        }
    }
    group.finish();
}

/// Trains and gives the shortest mean time of a step between two evaluations, the first stretch left out.
fn seconds_per_step(method: &dyn Method, task: &str, given: &Params) -> f64 {
    let cell = Cell {
        format: cell::CELL_FORMAT,
        suite: "control".to_owned(),
        task: task.to_owned(),
        method: method.name().to_owned(),
        revision: method.revision(),
        seed: 0,
        engine: engine().0,
        params: method.resolve(task, given).expect("valid parameters"),
        inputs: BTreeMap::new(),
    };
    let dir = tempfile::tempdir().expect("a folder");
    let options = RunOptions {
        checkpoint_every: CheckpointEvery::Asked(u64::MAX),
        progress: false,
        stop: Stop::new(),
        cache: std::env::temp_dir(),
        device_index: 0,
    };
    method
        .train(&cell, &mut Run::new(dir.path(), &cell, options))
        .expect("it trains");
    let timings =
        std::fs::read_to_string(dir.path().join("timings.jsonl")).expect("timings were written");
    let speed = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        let rows = line["rows"].as_array()?;
        let row = rows
            .iter()
            .find(|row| row[0] == "speed/env_steps_per_second")?;
        row[2].as_f64()
    };
    let speeds = timings.lines().skip(1).filter_map(speed);
    1.0 / speeds.fold(0.0, f64::max)
}

criterion_group!(benches, product, update, activation, training);
criterion_main!(benches);
