//! How often the paired bootstrap is right with few runs: where docs/METHODOLOGY.md has its table from.
//!
//! `cargo test --release -p era-stats --test coverage -- --ignored --nocapture` prints it.
#![expect(clippy::unwrap_used, reason = "a test stops at the first fault")]

use era_stats::{Bootstrap, Scores, difference};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Studies of each size.
const STUDIES: u32 = 4_000;

/// A normal number (Box and Muller).
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let mut uniform = || (f64::from(rng.next_u32()) + 0.5) / 2_f64.powi(32);
    let radius = (-2.0 * uniform().ln()).sqrt();
    radius * (std::f64::consts::TAU * uniform()).cos()
}

fn scores(tasks: usize, runs: usize, rng: &mut ChaCha8Rng) -> Scores {
    let task = |rng: &mut ChaCha8Rng| (0..runs).map(|_| normal(rng)).collect::<Vec<f64>>();
    let tasks: Vec<Vec<f64>> = (0..tasks).map(|_| task(rng)).collect();
    Scores::new(&tasks).unwrap()
}

/// How often a 95 % interval of the difference of two equal methods holds 0, and how often it lies above.
fn shares(tasks: usize, runs: usize) -> (f64, f64) {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let bootstrap = Bootstrap::new(1_000, 0.95, 0).unwrap();
    let (mut holds, mut above) = (0, 0);
    for _ in 0..STUDIES {
        let (left, right) = (scores(tasks, runs, &mut rng), scores(tasks, runs, &mut rng));
        let estimate = difference::paired(&left, &right, 1.0, &bootstrap).unwrap();
        let interval = estimate.iqm.interval.unwrap();
        holds += u32::from(interval.low <= 0.0 && interval.high >= 0.0);
        above += u32::from(interval.low > 0.0);
    }
    let share = |count: u32| f64::from(count) / f64::from(STUDIES);
    (share(holds), share(above))
}

#[test]
#[ignore = "it prints a table and takes a minute"]
fn the_table_of_the_methodology() {
    println!("runs a task, tasks: intervals that hold the truth, that lie above it");
    for runs in [2, 3, 5, 10] {
        for tasks in [1, 3] {
            let (holds, above) = shares(tasks, runs);
            println!("{runs:>2}, {tasks}: {holds:.3}, {above:.3}");
        }
    }
}

#[test]
fn many_runs_are_near_what_is_promised() {
    let (holds, above) = shares(1, 20);
    assert!((0.92..0.97).contains(&holds), "{holds}");
    assert!((0.01..0.045).contains(&above), "{above}");
}
