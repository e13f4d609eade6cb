//! Steps a second of every task that this build can make, with actions that change from step to step.
#![expect(clippy::unwrap_used, reason = "a benchmark stops at the first fault")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use era_envs::{Episode, Vector};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

fn steps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("step");
    group.throughput(Throughput::Elements(1));
    for task in era_envs::tasks().filter(|task| task.available) {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let mut episode = Episode::new(era_envs::make(task.spec.name).unwrap());
        episode.reset(&mut rng).unwrap();
        let mut action = vec![0.0; task.spec.act_dim];
        group.bench_function(task.spec.name, |bencher| {
            bencher.iter(|| {
                action
                    .iter_mut()
                    .for_each(|a| *a = rng.random_range(-1.0..=1.0));
                if episode.step(&action).unwrap().done() {
                    episode.reset(&mut rng).unwrap();
                }
            });
        });
    }
    group.finish();
}

/// The same of several HalfCheetahs side by side, as PPO steps them.
fn vector(criterion: &mut Criterion) {
    const TASK: &str = "gym/half-cheetah";
    const COUNT: usize = 8;
    if !era_envs::tasks().any(|task| task.spec.name == TASK && task.available) {
        return;
    }
    let first = |env: usize, episode: u64| {
        let mut rng = ChaCha8Rng::seed_from_u64(episode);
        rng.set_stream(env as u64);
        rng
    };
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut vector = Vector::make(TASK, COUNT).unwrap();
    vector.reset(first).unwrap();
    let mut actions = vec![0.0; COUNT * vector.spec().act_dim];
    let mut group = criterion.benchmark_group("vector");
    group.throughput(Throughput::Elements(COUNT as u64));
    group.bench_function(format!("{TASK}/{COUNT}"), |bencher| {
        bencher.iter(|| {
            actions
                .iter_mut()
                .for_each(|a| *a = rng.random_range(-1.0..=1.0));
            vector.step(&actions, first).unwrap();
        });
    });
    group.finish();
}

criterion_group!(benches, steps, vector);
criterion_main!(benches);
