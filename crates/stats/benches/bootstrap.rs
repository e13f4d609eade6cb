//! The study of rliable's Atari figures: 50,000 repetitions of four aggregates over 10 runs of 26 tasks.
#![expect(clippy::unwrap_used, reason = "a benchmark stops at the first fault")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use era_stats::{Bootstrap, Scores, aggregate, difference, improvement, profile};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

fn scores(seed: u64) -> Scores {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let table: Vec<f64> = (0..260)
        .map(|_| f64::from(rng.next_u32()) / f64::from(u32::MAX))
        .collect();
    Scores::from_rows(10, 26, &table).unwrap()
}

fn benches(criterion: &mut Criterion) {
    let (a, b) = (scores(1), scores(2));
    let bootstrap = Bootstrap::new(50_000, 0.95, 0).unwrap();
    let thresholds: Vec<f64> = (0..50).map(|step| f64::from(step) / 50.0).collect();
    let mut group = criterion.benchmark_group("50000 repetitions, 10 runs x 26 tasks");
    group.sample_size(10);
    group.bench_function("four aggregates", |bench| {
        bench.iter(|| aggregate::intervals(black_box(&a), 1.0, &bootstrap));
    });
    group.bench_function("paired difference of four aggregates", |bench| {
        bench.iter(|| difference::paired(black_box(&a), &b, 1.0, &bootstrap));
    });
    group.bench_function("probability of improvement", |bench| {
        bench.iter(|| improvement::probability(black_box(&a), &b, &bootstrap));
    });
    group.bench_function("score distribution at 50 thresholds", |bench| {
        bench.iter(|| profile::score_distribution(black_box(&a), &thresholds, &bootstrap));
    });
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
