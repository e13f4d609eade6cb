//! Against `cov`: `compute_policy_loss_clip_cov` and `compute_policy_loss_kl_cov` of the authors' fork of verl, where the file's permutation
//! stood in for `torch.randperm`.

use proptest::prelude::*;
use rand_chacha::rand_core::SeedableRng;
use serde_json::Value;

use super::*;
use crate::golden::{
    self, Drawn, Padding, assert_close, drawn, flags, list, near, number, row, section, whole,
};

fn golden_batch(section: &Value) -> (Padding, Drawn) {
    let padding = Padding::of(&section["mask"]);
    let values = |name: &str| padding.tokens(&section[name]);
    let drawn = Drawn {
        lengths: padding.lengths.clone(),
        log_prob: values("log_prob"),
        old_log_prob: values("old_log_prob"),
        advantage: values("advantages"),
    };
    (padding, drawn)
}

fn cases<'a>(section: &'a Value, method: &'a str) -> impl Iterator<Item = &'a Value> {
    list(&section["cases"])
        .iter()
        .filter(move |case| case["method"] == method)
}

/// The positions of the selected tokens, in the file's order.
fn selected(case: &Value, padding: &Padding) -> Vec<usize> {
    let pairs = whole(&case["selected"]["data"]);
    pairs
        .chunks_exact(2)
        .map(|at| padding.position(at))
        .collect()
}

#[test]
fn clip_cov_is_verls() {
    let section = section("cov");
    let (padding, drawn) = golden_batch(&section);
    for case in cases(&section, "clip_cov") {
        let loss = ClipCov {
            clip: ClipRange {
                low: number(case, "clip_low"),
                high: number(case, "clip_high"),
            },
            share: number(case, "ratio"),
            lower: number(case, "lb"),
            upper: number(case, "ub"),
            aggregation: Aggregation::TokenMean,
        };
        let batch = drawn.batch();
        assert_close(
            "covariances",
            &covariances(batch, TOKEN_EPSILON),
            &padding.tokens(&case["cov"]),
        );
        let candidates = loss.candidates(batch);
        let flags = padding.flat(&flags(&case["candidates"]), 1);
        let expected: Vec<usize> = (0..flags.len()).filter(|at| flags[*at]).collect();
        assert_eq!(candidates, expected);

        let count = whole(&Value::from(vec![case["clip_num"].clone()]))[0];
        assert_eq!(loss.count(batch), count);
        let permutation = whole(&case["permutation"]["data"]);
        let chosen: Vec<usize> = permutation
            .iter()
            .take(count)
            .map(|at| candidates[*at])
            .collect();
        assert_eq!(chosen, selected(case, &padding));

        let mut gradient = Vec::new();
        let report = loss.without(batch, &chosen, &mut gradient);
        assert_close(
            "report",
            &[report.loss, report.clip_fraction, report.approx_kl],
            &["loss", "clipfrac", "ppo_kl"].map(|name| number(case, name)),
        );
        assert_close(
            "gradient",
            &gradient,
            &padding.tokens(&case["grad_log_prob"]),
        );
    }
}

#[test]
fn kl_cov_is_verls() {
    let section = section("cov");
    let (padding, drawn) = golden_batch(&section);
    for case in cases(&section, "kl_cov") {
        let loss = KlCov {
            share: number(case, "ratio"),
            coefficient: number(case, "ppo_kl_coef"),
            aggregation: Aggregation::TokenMean,
        };
        let batch = drawn.batch();
        // The file has these for the valid tokens only, or for all: the valid ones are compared.
        let expected = row(&case["cov"]);
        let expected = if expected.len() == padding.lengths.len() * padding.width {
            padding.flat(&expected, 1)
        } else {
            expected
        };
        assert_close("covariances", &covariances(batch, 0.0), &expected);
        assert_eq!(loss.largest(batch), selected(case, &padding));
        let mut gradient = Vec::new();
        let report = loss.evaluate(batch, &mut gradient);
        assert_close(
            "report",
            &[report.loss, report.abs_kl, report.penalised as f64],
            &["loss", "ppo_kl_abs", "num"].map(|name| number(case, name)),
        );
        assert_close(
            "gradient",
            &gradient,
            &padding.tokens(&case["grad_log_prob"]),
        );
    }
}

const CLIP_COV: ClipCov = ClipCov {
    clip: ClipRange {
        low: 0.2,
        high: 0.2,
    },
    share: 0.2,
    lower: 0.1,
    upper: 5.0,
    aggregation: Aggregation::TokenMean,
};

const KL_COV: KlCov = KlCov {
    share: 0.2,
    coefficient: 0.7,
    aggregation: Aggregation::TokenMean,
};

/// The choice is the generator's: the same for the same seed, and every candidate's turn comes.
#[test]
fn clip_cov_s_choice_is_its_generator_s() {
    let section = section("cov");
    let (_, drawn) = golden_batch(&section);
    let loss = ClipCov {
        clip: ClipRange {
            low: 1.0,
            high: 1.0,
        },
        ..CLIP_COV
    };
    let evaluate = |seed| {
        let mut gradient = Vec::new();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let report = loss.evaluate(drawn.batch(), &mut rng, &mut gradient);
        let dropped: Vec<usize> = (0..gradient.len())
            .filter(|at| gradient[*at] == 0.0)
            .collect();
        (report, dropped)
    };
    let candidates = loss.candidates(drawn.batch());
    let mut seen = vec![0_usize; drawn.log_prob.len()];
    for seed in 0..200 {
        let (report, dropped) = evaluate(seed);
        assert_eq!((report, dropped.clone()), evaluate(seed));
        assert_eq!(dropped.len(), loss.count(drawn.batch()));
        dropped.iter().for_each(|at| seen[*at] += 1);
    }
    let expected = 200.0 * loss.count(drawn.batch()) as f64 / candidates.len() as f64;
    for (at, times) in seen.iter().enumerate() {
        if candidates.contains(&at) {
            assert!(
                (*times as f64 - expected).abs() < 0.4 * expected,
                "{at}: {times} of {expected}"
            );
        } else {
            assert_eq!(*times, 0);
        }
    }
}

/// A share of 0 still takes one token out in Clip-Cov, and penalises none in KL-Cov: verl's `max(.., 1)` and its check.
#[test]
fn a_share_of_nothing() {
    let section = section("cov");
    let (_, drawn) = golden_batch(&section);
    let clip_cov = ClipCov {
        share: 0.0,
        ..CLIP_COV
    };
    assert_eq!(clip_cov.count(drawn.batch()), 1);
    let kl_cov = KlCov {
        share: 0.0,
        ..KL_COV
    };
    assert_eq!(kl_cov.evaluate(drawn.batch(), &mut Vec::new()).penalised, 0);
    let everything = KlCov {
        share: 7.0,
        ..KL_COV
    };
    let penalised = everything
        .evaluate(drawn.batch(), &mut Vec::new())
        .penalised;
    assert_eq!(penalised, drawn.log_prob.len());
}

#[test]
fn equal_covariances_are_taken_in_their_order() {
    let drawn = Drawn {
        lengths: vec![2, 2],
        log_prob: vec![-1.0, -2.0, -1.0, -2.0],
        old_log_prob: vec![-1.0; 4],
        advantage: vec![1.0, -1.0, 1.0, -1.0],
    };
    let loss = KlCov {
        share: 0.75,
        ..KL_COV
    };
    assert_eq!(loss.largest(drawn.batch()), [0, 1, 2]);
}

#[test]
fn nan_is_not_hidden() {
    let section = section("cov");
    let (_, clean) = golden_batch(&section);
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    for place in 0..3 {
        let mut drawn = clean.clone();
        let values = [
            &mut drawn.log_prob,
            &mut drawn.old_log_prob,
            &mut drawn.advantage,
        ];
        values.into_iter().nth(place).expect("three")[4] = f64::NAN;
        let mut gradient = Vec::new();
        let kl_cov = KL_COV.evaluate(drawn.batch(), &mut gradient);
        assert!(kl_cov.loss.is_nan() && gradient[4].is_nan());
        // The token itself is not taken out, so it cannot hide.
        for _ in 0..50 {
            let clip_cov = CLIP_COV.evaluate(drawn.batch(), &mut rng, &mut gradient);
            assert!(clip_cov.loss.is_nan() && gradient[4].is_nan());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    /// With the selection held, since no gradient goes through it.
    #[test]
    fn gradients_are_the_losses_slopes(drawn in drawn(), mode in 0_usize..4, seed in 0_u64..1000) {
        for (new, old) in drawn.log_prob.iter().zip(&drawn.old_log_prob) {
            let log_ratio = new - old;
            prop_assume!(log_ratio.abs() > 1e-4);
            prop_assume!([0.8, 1.2].iter().all(|corner| (log_ratio.exp() - corner).abs() > 1e-4));
        }
        let mut gradient = vec![f64::NAN; 99];
        let loss = KlCov { aggregation: golden::MODES[mode], ..KL_COV };
        let selected = loss.largest(drawn.batch());
        loss.evaluate(drawn.batch(), &mut gradient);
        let slopes = drawn.slopes(|batch| loss.with(batch, &selected, &mut Vec::new()).loss);
        // Ratios up to e^3 without clipping: differences lose two more digits.
        prop_assert!(near(&gradient, &slopes), "{gradient:?}, {slopes:?}");

        let loss = ClipCov { aggregation: golden::MODES[mode], ..CLIP_COV };
        let report = loss.evaluate(drawn.batch(), &mut ChaCha8Rng::seed_from_u64(seed), &mut gradient);
        prop_assert!(report.loss.is_finite());
        let mut selected = loss.candidates(drawn.batch());
        let (selected, _) = selected.partial_shuffle(&mut ChaCha8Rng::seed_from_u64(seed), loss.count(drawn.batch()));
        let slopes = drawn.slopes(|batch| loss.without(batch, selected, &mut Vec::new()).loss);
        prop_assert!(near(&gradient, &slopes), "{gradient:?}, {slopes:?}");
    }
}
