//! Agreement with rliable 1.2.0.
//!
//! `fixtures/rliable.json` was printed by rliable itself:
//!
//! ```python
//! from rliable import library as rly, metrics
//! metrics.aggregate_iqm(scores), metrics.aggregate_mean(scores), metrics.aggregate_median(scores)
//! metrics.aggregate_optimality_gap(scores, gamma), metrics.probability_of_improvement(x, y)
//! rly.run_score_deviation(scores, tau), rly.mean_score_deviation(scores, tau)   # the two profiles
//! rly.get_interval_estimates({name: scores}, all_metrics, reps=20_000)          # five seeds
//! ```
#![expect(clippy::unwrap_used, reason = "a test stops at the first fault")]

use std::collections::BTreeMap;

use era_stats::{Bootstrap, Estimate, Scores, aggregate, improvement, profile};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    algorithms: BTreeMap<String, Algorithm>,
    taus: Array,
    probability_of_improvement: Vec<Pair>,
    bootstrap: BTreeMap<String, Intervals>,
    bootstrap_probability_of_improvement: PairInterval,
}

#[derive(Deserialize)]
struct Array {
    shape: Vec<usize>,
    data: Vec<f64>,
}

#[derive(Deserialize)]
struct Algorithm {
    scores: Array,
    iqm: f64,
    mean: f64,
    median: f64,
    optimality_gap: f64,
    #[serde(rename = "optimality_gap_gamma_0.5")]
    optimality_gap_half: f64,
    profile_score_distribution: Array,
    profile_mean_scores: Array,
}

#[derive(Deserialize)]
struct Pair {
    x: String,
    y: String,
    value: f64,
}

#[derive(Deserialize)]
struct Intervals {
    low: Array,
    high: Array,
    low_sd_over_seeds: Array,
    high_sd_over_seeds: Array,
}

#[derive(Deserialize)]
struct PairInterval {
    x: String,
    y: String,
    low: f64,
    high: f64,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("fixtures/rliable.json")).unwrap()
}

impl Algorithm {
    fn scores(&self) -> Scores {
        Scores::from_rows(
            self.scores.shape[0],
            self.scores.shape[1],
            &self.scores.data,
        )
        .unwrap()
    }
}

fn assert_close(ours: f64, theirs: f64, tolerance: f64, what: &str) {
    assert!(
        (ours - theirs).abs() <= tolerance,
        "{what}: {ours} is not within {tolerance} of {theirs}"
    );
}

#[test]
fn aggregates() {
    for (name, algorithm) in golden().algorithms {
        let ours = aggregate::values(&algorithm.scores(), 1.0).to_array();
        let theirs = [
            algorithm.iqm,
            algorithm.mean,
            algorithm.median,
            algorithm.optimality_gap,
        ];
        for (ours, theirs) in ours.into_iter().zip(theirs) {
            assert_close(ours, theirs, 1e-12, &name);
        }
        let half = aggregate::values(&algorithm.scores(), 0.5).optimality_gap;
        assert_close(half, algorithm.optimality_gap_half, 1e-12, &name);
    }
}

#[test]
fn profiles() {
    let golden = golden();
    let bootstrap = Bootstrap::new(10, 0.95, 0).unwrap();
    for (name, algorithm) in &golden.algorithms {
        let check = |ours: Vec<Estimate>, theirs: &Array| {
            assert_eq!(ours.len(), theirs.data.len());
            for (ours, &theirs) in ours.iter().zip(&theirs.data) {
                assert_close(ours.value, theirs, 1e-12, name);
            }
        };
        let scores = algorithm.scores();
        let distribution =
            profile::score_distribution(&scores, &golden.taus.data, &bootstrap).unwrap();
        check(distribution, &algorithm.profile_score_distribution);
        let means = profile::mean_scores(&scores, &golden.taus.data, &bootstrap).unwrap();
        check(means, &algorithm.profile_mean_scores);
    }
}

#[test]
fn probabilities_of_improvement() {
    let golden = golden();
    let bootstrap = Bootstrap::new(10, 0.95, 0).unwrap();
    for Pair { x, y, value } in &golden.probability_of_improvement {
        let (left, right) = (golden.algorithms[x].scores(), golden.algorithms[y].scores());
        let ours = improvement::probability(&left, &right, &bootstrap).unwrap();
        assert_close(ours.value, *value, 1e-12, &format!("{x} over {y}"));
    }
}

// rliable's ends move between its own seeds: accept five of their standard deviations and 0.003.
#[test]
fn intervals_of_aggregates() {
    let golden = golden();
    for (name, theirs) in &golden.bootstrap {
        for seed in 0..3 {
            let bootstrap = Bootstrap::new(20_000, 0.95, seed).unwrap();
            let ours =
                aggregate::intervals(&golden.algorithms[name].scores(), 1.0, &bootstrap).to_array();
            for (at, ours) in ours.iter().enumerate() {
                let interval = ours.interval.unwrap();
                let what = format!("{name}, metric {at}, seed {seed}");
                let tolerance = |sd: &Array| 5.0 * sd.data[at] + 0.003;
                assert_close(
                    interval.low,
                    theirs.low.data[at],
                    tolerance(&theirs.low_sd_over_seeds),
                    &what,
                );
                assert_close(
                    interval.high,
                    theirs.high.data[at],
                    tolerance(&theirs.high_sd_over_seeds),
                    &what,
                );
            }
        }
    }
}

// The values of a probability of improvement form a coarse lattice: one step of it is 0.02.
#[test]
fn interval_of_a_probability_of_improvement() {
    let golden = golden();
    let theirs = &golden.bootstrap_probability_of_improvement;
    let (left, right) = (
        golden.algorithms[&theirs.x].scores(),
        golden.algorithms[&theirs.y].scores(),
    );
    let ours =
        improvement::probability(&left, &right, &Bootstrap::new(4_000, 0.95, 0).unwrap()).unwrap();
    let interval = ours.interval.unwrap();
    assert_close(interval.low, theirs.low, 0.02, "low");
    assert_close(interval.high, theirs.high, 0.02, "high");
}
