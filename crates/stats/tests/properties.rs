//! What holds for any scores, and what the formulas give where they can be worked out by hand.
#![expect(clippy::unwrap_used, reason = "a test stops at the first fault")]

use era_stats::{
    Bootstrap, Estimate, Interval, Scores, ScoresError, aggregate, difference, improvement,
    profile, ratio,
};
use proptest::prelude::*;

fn quick() -> Bootstrap {
    Bootstrap::new(600, 0.9, 3).unwrap()
}

fn ragged(fewest: usize) -> impl Strategy<Value = Vec<Vec<f64>>> {
    // Multiples of a quarter: sums are exact, and ties happen.
    let score = (-40_i32..40).prop_map(|quarters| f64::from(quarters) / 4.0);
    prop::collection::vec(prop::collection::vec(score, fewest..7), 1..6)
}

fn scores(tasks: &[Vec<f64>]) -> Scores {
    Scores::new(tasks).unwrap()
}

/// The interquartile mean by its definition: every run repeated as often as it counts, sorted, trimmed.
fn plain_iqm(scores: &Scores) -> f64 {
    let mut all = Vec::new();
    for task in 0..scores.tasks() {
        for &score in scores.runs(task) {
            all.extend(std::iter::repeat_n(score, scores.weight(task) as usize));
        }
    }
    all.sort_by(f64::total_cmp);
    let cut = all.len() / 4;
    let kept = &all[cut..all.len() - cut];
    kept.iter().sum::<f64>() / kept.len() as f64
}

proptest! {
    #[test]
    fn iqm_is_the_trimmed_mean(tasks in ragged(1)) {
        let scores = scores(&tasks);
        prop_assert!((aggregate::values(&scores, 1.0).iqm - plain_iqm(&scores)).abs() < 1e-12);
    }

    #[test]
    fn aggregates_follow_shift_and_order(tasks in ragged(1), quarters in -8_i32..8) {
        let shift = f64::from(quarters) / 4.0;
        let before = aggregate::values(&scores(&tasks), 1.0).to_array();
        let moved: Vec<Vec<f64>> =
            tasks.iter().rev().map(|runs| runs.iter().rev().map(|run| run + shift).collect()).collect();
        let after = aggregate::values(&scores(&moved), 1.0 + shift).to_array();
        for at in 0..3 {
            prop_assert!((after[at] - before[at] - shift).abs() < 1e-12);
        }
        // Scores and γ move together: the gap stays.
        prop_assert!((after[3] - before[3]).abs() < 1e-12);
    }

    #[test]
    fn doubling_every_run_changes_no_value(tasks in ragged(1)) {
        // Up to the rounding of N/4, which the interquartile mean has and the others have not.
        let doubled: Vec<Vec<f64>> = tasks.iter().map(|runs| [&runs[..], runs].concat()).collect();
        let (once, twice) = (aggregate::values(&scores(&tasks), 1.0), aggregate::values(&scores(&doubled), 1.0));
        prop_assert!((once.mean - twice.mean).abs() < 1e-12);
        prop_assert!((once.median - twice.median).abs() < 1e-12);
        prop_assert!((once.optimality_gap - twice.optimality_gap).abs() < 1e-12);
    }

    #[test]
    fn intervals_lie_within_the_scores(tasks in ragged(2)) {
        let scores = scores(&tasks);
        let low = scores.values().iter().copied().fold(f64::INFINITY, f64::min);
        let high = scores.values().iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let estimates = aggregate::intervals(&scores, 1.0, &quick());
        for Estimate { interval, .. } in [estimates.iqm, estimates.mean, estimates.median] {
            let interval = interval.unwrap();
            prop_assert!(low - 1e-12 <= interval.low && interval.low <= interval.high);
            prop_assert!(interval.high <= high + 1e-12);
        }
    }

    #[test]
    fn improvements_of_both_sides_add_to_one(left in ragged(1), right in ragged(1)) {
        let tasks = left.len().min(right.len());
        let (left, right) = (scores(&left[..tasks]), scores(&right[..tasks]));
        let there = improvement::probability(&left, &right, &quick()).unwrap();
        let back = improvement::probability(&right, &left, &quick()).unwrap();
        prop_assert!((there.value + back.value - 1.0).abs() < 1e-12);
        prop_assert_eq!(improvement::probability(&left, &left, &quick()).unwrap().value, 0.5);
    }

    #[test]
    fn profiles_fall_from_one_to_zero(tasks in ragged(2)) {
        let scores = scores(&tasks);
        let thresholds: Vec<f64> = (-41..=40).map(|step| f64::from(step) / 4.0).collect();
        for profile in [profile::score_distribution, profile::mean_scores] {
            let shares = profile(&scores, &thresholds, &quick()).unwrap();
            prop_assert!((shares[0].value - 1.0).abs() < 1e-12);
            prop_assert_eq!(shares.last().unwrap().value, 0.0);
            for pair in shares.windows(2) {
                prop_assert!(pair[0].value >= pair[1].value);
                prop_assert!(pair[0].interval.unwrap().low >= pair[1].interval.unwrap().low);
                prop_assert!(pair[0].interval.unwrap().high >= pair[1].interval.unwrap().high);
            }
        }
    }

    #[test]
    fn a_constant_lead_has_no_spread_when_paired(tasks in ragged(2), quarters in -8_i32..8) {
        let lead = f64::from(quarters) / 4.0;
        let ahead: Vec<Vec<f64>> = tasks.iter().map(|runs| runs.iter().map(|run| run + lead).collect()).collect();
        let estimates = difference::paired(&scores(&ahead), &scores(&tasks), 1.0, &quick()).unwrap();
        for Estimate { value, interval } in [estimates.iqm, estimates.mean, estimates.median] {
            let interval = interval.unwrap();
            for found in [value, interval.low, interval.high] {
                prop_assert!((found - lead).abs() < 1e-12);
            }
        }
    }

    /// Against a side without spread a difference stays where the other side's scores are; against itself it has zero in it.
    #[test]
    fn an_unpaired_difference_stays_in_reach(tasks in ragged(2), quarters in -8_i32..8) {
        let level = f64::from(quarters) / 4.0;
        let flat: Vec<Vec<f64>> = tasks.iter().map(|_| vec![level; 3]).collect();
        let (scores, flat) = (scores(&tasks), scores(&flat));
        let difference = difference::unpaired(&scores, &flat, 1.0, &quick()).unwrap().iqm;
        let value = aggregate::values(&scores, 1.0).iqm;
        prop_assert!((difference.value - (value - level)).abs() < 1e-12);
        let interval = difference.interval.unwrap();
        prop_assert!(interval.low >= value_range(&tasks).0 - level - 1e-12);
        prop_assert!(interval.high <= value_range(&tasks).1 - level + 1e-12);
        let itself = difference::unpaired(&scores, &scores, 1.0, &quick()).unwrap().iqm;
        prop_assert_eq!(itself.value, 0.0);
        let itself = itself.interval.unwrap();
        prop_assert!(itself.low <= 0.0 && itself.high >= 0.0, "{:?}", itself);
    }
}

/// The smallest and the largest score.
fn value_range(tasks: &[Vec<f64>]) -> (f64, f64) {
    let all = || tasks.iter().flatten().copied();
    (
        all().fold(f64::INFINITY, f64::min),
        all().fold(f64::NEG_INFINITY, f64::max),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_constant_factor_has_no_spread_when_paired(tasks in ragged(2), quarters in 1_i32..12) {
        let factor = f64::from(quarters) / 4.0;
        // Above zero, where ratios mean something.
        let lowest = tasks.iter().flatten().copied().fold(0.0, f64::min);
        let base: Vec<Vec<f64>> = tasks.iter().map(|runs| runs.iter().map(|run| run - lowest + 1.0).collect()).collect();
        let more: Vec<Vec<f64>> = base.iter().map(|runs| runs.iter().map(|run| run * factor).collect()).collect();
        let Estimate { value, interval } = ratio::paired(&scores(&more), &scores(&base), &quick()).unwrap();
        let interval = interval.unwrap();
        for found in [value, interval.low, interval.high] {
            prop_assert!((found - factor).abs() < 1e-9, "{found} for {factor}");
        }
    }
}

#[test]
fn ratios_to_nothing_are_refused_or_have_no_end() {
    let one = Scores::new(&[[1.0, 2.0, 3.0]]).unwrap();
    let zero = Scores::new(&[[-1.0, 0.0, 1.0]]).unwrap();
    let told = ratio::paired(&one, &zero, &quick()).unwrap_err();
    assert_eq!(
        told.to_string(),
        "a ratio to 0 says nothing: it is not above zero"
    );
    // Above zero on the whole, below it in a third of the resamples.
    let wide = Scores::new(&[[-4.0, 1.0, 5.0]]).unwrap();
    let found = ratio::paired(&one, &wide, &quick()).unwrap();
    assert_eq!((found.value, found.interval), (3.0, None));
    let single = Scores::new(&[[2.0]]).unwrap();
    let found = ratio::paired(&single, &single, &quick()).unwrap();
    assert_eq!((found.value, found.interval), (1.0, None));
    assert!(ratio::paired(&one, &single, &quick()).is_err());
}

/// Twelve tasks of six runs; uneven, without structure that a bootstrap could trip over.
fn study() -> Scores {
    let score =
        |task: u32, run: u32| f64::from((task * 37 + run * 101 + task * run * 17) % 97) / 97.0;
    Scores::new(
        &(0..12)
            .map(|task| (0..6).map(|run| score(task, run)).collect())
            .collect::<Vec<Vec<f64>>>(),
    )
    .unwrap()
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let scores = study();
    let with_threads = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            aggregate::intervals(&scores, 1.0, &Bootstrap::new(5_001, 0.95, 7).unwrap())
        })
    };
    assert_eq!(with_threads(1), with_threads(3));
}

#[test]
fn seeds_change_intervals_but_no_value() {
    let intervals =
        |seed| aggregate::intervals(&study(), 1.0, &Bootstrap::new(501, 0.95, seed).unwrap()).mean;
    assert_eq!(intervals(1), intervals(1));
    assert_ne!(intervals(1).interval, intervals(2).interval);
    assert_eq!(intervals(1).value, intervals(2).value);
}

// The bootstrap variance of the mean of task means is exactly the sum over tasks of (biased variance / runs) / tasks².
#[test]
fn the_interval_of_a_mean_has_the_width_that_theory_gives() {
    let scores = study();
    let tasks = scores.tasks() as f64;
    let variance: f64 = (0..scores.tasks())
        .map(|task| {
            let runs = scores.runs(task);
            let n = runs.len() as f64;
            let mean = runs.iter().sum::<f64>() / n;
            runs.iter().map(|run| (run - mean).powi(2)).sum::<f64>() / n / n / tasks.powi(2)
        })
        .sum();
    let mean = aggregate::intervals(&scores, 1.0, &Bootstrap::new(50_000, 0.95, 0).unwrap()).mean;
    let Interval { low, high } = mean.interval.unwrap();
    // 1.959964 is the 97.5 % point of the normal distribution; with twelve tasks the mean is normal to a few per cent.
    let expected = 2.0 * 1.959_964 * variance.sqrt();
    assert!(
        ((high - low) / expected - 1.0).abs() < 0.03,
        "{} against {expected}",
        high - low
    );
    assert!((f64::midpoint(low, high) - mean.value).abs() < 0.05 * expected);
}

#[test]
fn a_wider_level_gives_a_wider_interval() {
    let width = |level| {
        let interval =
            aggregate::intervals(&study(), 1.0, &Bootstrap::new(4_000, level, 0).unwrap())
                .iqm
                .interval;
        interval
            .map(|interval| interval.high - interval.low)
            .unwrap()
    };
    assert!(width(0.5) < width(0.9) && width(0.9) < width(0.99));
}

#[test]
fn a_task_that_lost_runs_counts_as_much_as_the_others() {
    // Means 0 and 1; one task has three runs, the other one.
    let lopsided = Scores::new(&[vec![0.0; 3], vec![1.0]]).unwrap();
    assert_eq!(
        (
            lopsided.weight(0),
            lopsided.weight(1),
            lopsided.total_weight()
        ),
        (1, 3, 6)
    );
    let values = aggregate::values(&lopsided, 1.0);
    assert_eq!(
        (
            values.iqm,
            values.mean,
            values.median,
            values.optimality_gap
        ),
        (0.5, 0.5, 0.5, 0.5)
    );
    let shares = profile::score_distribution(&lopsided, &[0.5], &quick()).unwrap();
    assert_eq!(shares[0].value, 0.5);
}

#[test]
fn a_single_run_has_values_and_no_interval() {
    let single = Scores::new(&[vec![0.25], vec![0.75, 0.5]]).unwrap();
    let estimates = aggregate::intervals(&single, 1.0, &quick());
    assert_eq!(
        estimates.mean,
        Estimate {
            value: 0.4375,
            interval: None
        }
    );
    assert_eq!(
        difference::paired(&single, &single, 1.0, &quick())
            .unwrap()
            .iqm
            .interval,
        None
    );
    assert_eq!(
        improvement::probability(&single, &study_of_two(), &quick())
            .unwrap()
            .interval,
        None
    );
    assert_eq!(
        profile::mean_scores(&single, &[0.0], &quick()).unwrap()[0].interval,
        None
    );
}

fn study_of_two() -> Scores {
    Scores::new(&[vec![0.0, 1.0], vec![0.0, 1.0]]).unwrap()
}

#[test]
fn equal_scores_have_an_interval_of_no_width() {
    let equal = Scores::new(&vec![vec![0.3; 4]; 3]).unwrap();
    for estimate in aggregate::intervals(&equal, 1.0, &quick()).to_array() {
        let interval = estimate.interval.unwrap();
        assert!(
            (interval.low - estimate.value).abs() < 1e-15
                && (interval.high - estimate.value).abs() < 1e-15
        );
    }
}

#[test]
fn one_task_is_enough() {
    let one = Scores::new(&[[1.0, 2.0, 3.0, 10.0]]).unwrap();
    let values = aggregate::values(&one, 5.0);
    assert_eq!(
        (
            values.iqm,
            values.mean,
            values.median,
            values.optimality_gap
        ),
        (2.5, 4.0, 4.0, 2.25)
    );
}

#[test]
fn ties_count_half() {
    let (left, right) = (
        Scores::new(&[[1.0, 2.0]]).unwrap(),
        Scores::new(&[[2.0, 2.0, 0.0]]).unwrap(),
    );
    // Of six pairs: 1 beats 0, 2 beats 0, 2 ties twice.
    assert_eq!(
        improvement::probability(&left, &right, &quick())
            .unwrap()
            .value,
        3.0 / 6.0
    );
}

#[test]
fn profiles_compare_strictly() {
    let scores = Scores::new(&[[0.5, 1.0]]).unwrap();
    let shares = profile::score_distribution(&scores, &[0.5, 0.75, 1.0], &quick()).unwrap();
    assert_eq!(
        shares.iter().map(|share| share.value).collect::<Vec<_>>(),
        [0.5, 0.5, 0.0]
    );
    assert_eq!(
        profile::score_distribution(&scores, &[], &quick()).unwrap(),
        []
    );
}

#[test]
fn faults_are_told_apart() {
    assert_eq!(Scores::new::<Vec<f64>>(&[]), Err(ScoresError::NoTask));
    assert_eq!(
        Scores::new(&[vec![1.0], vec![]]),
        Err(ScoresError::NoRun { task: 1 })
    );
    let infinite = Scores::new(&[vec![1.0], vec![2.0, f64::INFINITY]]);
    assert_eq!(
        infinite,
        Err(ScoresError::NotFinite {
            task: 1,
            run: 1,
            value: f64::INFINITY
        })
    );
    assert!(Scores::new(&[[f64::NAN]]).is_err());
    assert_eq!(
        Scores::from_rows(2, 2, &[0.0; 3]),
        Err(ScoresError::Shape {
            found: 3,
            runs: 2,
            tasks: 2
        })
    );
    let primes = [83, 89, 97, 101, 103].map(|runs| vec![0.0; runs]);
    assert_eq!(Scores::new(&primes), Err(ScoresError::RunCounts));

    let (one, two) = (Scores::new(&[[0.0; 2]]).unwrap(), study_of_two());
    assert!(difference::paired(&one, &two, 1.0, &quick()).is_err());
    let lost = Scores::new(&[vec![0.0; 2], vec![0.0; 3]]).unwrap();
    let told = difference::paired(&two, &lost, 1.0, &quick()).unwrap_err();
    assert_eq!(told.to_string(), "2 runs cannot be paired with 3 on task 1");
    assert!(improvement::probability(&one, &two, &quick()).is_err());
    for thresholds in [&[0.0, 0.0][..], &[1.0, 0.0], &[0.0, f64::NAN]] {
        assert_eq!(
            profile::mean_scores(&one, thresholds, &quick())
                .unwrap_err()
                .at,
            1
        );
    }
}
