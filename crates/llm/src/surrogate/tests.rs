//! Against `surrogate`: `compute_policy_loss` of the authors' fork of verl, in every aggregation.

use std::num::NonZeroUsize;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::batch::{Lengths, TOKEN_EPSILON, Tokens};
use crate::golden::{self, Drawn, Padding, assert_close, drawn, list, near, number, section};

fn aggregation(name: &Value, width: usize) -> Aggregation {
    match name.as_str().expect("a name") {
        "token-mean" => Aggregation::TokenMean,
        "seq-mean-token-sum" => Aggregation::SeqMeanTokenSum,
        "seq-mean-token-mean" => Aggregation::SeqMeanTokenMean,
        "seq-mean-token-sum-norm" => Aggregation::SeqMeanTokenSumNorm {
            width: NonZeroUsize::new(width).expect("columns"),
        },
        other => panic!("{other}"),
    }
}

#[test]
fn losses_and_gradients_are_verls() {
    let section = section("surrogate");
    let padding = Padding::of(&section["mask"]);
    let values = |name: &str| padding.tokens(&section[name]);
    let drawn = Drawn {
        lengths: padding.lengths.clone(),
        log_prob: values("log_prob"),
        old_log_prob: values("old_log_prob"),
        advantage: values("advantages"),
    };
    for case in list(&section["cases"]) {
        let loss = Surrogate {
            clip: ClipRange {
                low: number(case, "clip_low"),
                high: number(case, "clip_high"),
            },
            clip_c: number(case, "clip_c"),
            aggregation: aggregation(&case["agg"], padding.width),
        };
        let mut gradient = Vec::new();
        let report = loss.evaluate(drawn.batch(), &mut gradient);
        assert_close(
            "report",
            &[
                report.loss,
                report.clip_fraction,
                report.lower_clip_fraction,
                report.approx_kl,
            ],
            &["loss", "clipfrac", "clipfrac_lower", "ppo_kl"].map(|name| number(case, name)),
        );
        let expected = padding.tokens(&case["grad_log_prob"]);
        assert_close("gradient", &gradient, &expected);
    }
}

fn one(log_ratio: f64, advantage: f64, loss: Surrogate) -> (SurrogateReport, f64) {
    let tokens = Tokens {
        log_prob: &[log_ratio],
        old_log_prob: &[0.0],
        advantage: &[advantage],
    };
    let batch = Batch::new(Lengths::new(&[1]), tokens).expect("one token");
    let mut gradient = Vec::new();
    let report = loss.evaluate(batch, &mut gradient);
    (report, gradient[0])
}

const PPO: Surrogate = Surrogate {
    clip: ClipRange {
        low: 0.2,
        high: 0.28,
    },
    clip_c: 3.0,
    aggregation: Aggregation::SeqMeanTokenSum,
};

/// The golden file has no token that dual clip holds: by hand, ρ = 5 and A = -2 make 10, of which 6 are left.
#[test]
fn dual_clip_bounds_what_a_bad_token_costs() {
    let (report, gradient) = one(5.0_f64.ln(), -2.0, PPO);
    assert_close("loss", &[report.loss, gradient], &[6.0, 0.0]);
    assert_close(
        "share",
        &[report.lower_clip_fraction],
        &[1.0 / (1.0 + TOKEN_EPSILON)],
    );
    assert_eq!(report.clip_fraction, 0.0);
    // Below c, and with a positive advantage, it does nothing.
    let (report, gradient) = one(2.0_f64.ln(), -2.0, PPO);
    assert_close("loss", &[report.loss, gradient], &[4.0, 4.0]);
    let (report, _) = one(5.0_f64.ln(), 2.0, PPO);
    assert_close("loss", &[report.loss], &[-2.56]);
    assert_eq!(report.lower_clip_fraction, 0.0);
    // An infinite c is none.
    let free = Surrogate {
        clip_c: f64::INFINITY,
        ..PPO
    };
    let (report, gradient) = one(5.0_f64.ln(), -2.0, free);
    assert_close("loss", &[report.loss, gradient], &[10.0, 10.0]);
}

#[test]
fn far_ratios_are_held_and_have_no_gradient() {
    let wide = Surrogate {
        clip: ClipRange {
            low: 1.0,
            high: f64::INFINITY,
        },
        clip_c: f64::INFINITY,
        ..PPO
    };
    for far in [20.5, 1e4, f64::INFINITY] {
        for (log_ratio, ratio) in [(far, 20.0_f64.exp()), (-far, (-20.0_f64).exp())] {
            let (report, gradient) = one(log_ratio, -1.0, wide);
            assert_close("loss", &[report.loss], &[ratio]);
            assert_eq!(gradient, 0.0);
            assert_close(
                "kl",
                &[report.approx_kl],
                &[-20.0 * log_ratio.signum() / (1.0 + TOKEN_EPSILON)],
            );
        }
    }
    // The bound itself still has one, as in PyTorch.
    let (report, gradient) = one(20.0, -1.0, wide);
    assert_eq!(gradient, report.loss);
}

/// At an end of the range both branches are equal and the slope is the unclipped one's; with A = 0 all is.
#[test]
fn corners_keep_their_gradient() {
    let exact = Surrogate {
        clip: ClipRange {
            low: 0.5,
            high: 0.5,
        },
        ..PPO
    };
    let (report, gradient) = one(0.5_f64.ln(), -1.0, exact);
    assert_close("loss", &[report.loss, gradient], &[0.5, 0.5]);
    let (report, gradient) = one(3.0, 0.0, PPO);
    assert_eq!(
        (report.loss, gradient, report.clip_fraction),
        (0.0, 0.0, 0.0)
    );
}

#[test]
fn nan_is_not_hidden() {
    for (log_ratio, advantage) in [(f64::NAN, 1.0), (f64::NAN, -1.0), (0.1, f64::NAN)] {
        let (report, gradient) = one(log_ratio, advantage, PPO);
        assert!(report.loss.is_nan() && gradient.is_nan());
    }
}

/// A range that is empty, or not a number, is the caller's mistake, and no panic.
#[test]
fn odd_ranges_do_not_panic() {
    for (low, high) in [(-1.0, -1.0), (f64::NAN, f64::NAN), (f64::INFINITY, 0.0)] {
        let odd = Surrogate {
            clip: ClipRange { low, high },
            ..PPO
        };
        one(0.3, 1.0, odd);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn gradients_are_the_losses_slopes(drawn in drawn(), clip_c in 1.5_f64..4.0, mode in 0_usize..4) {
        let loss = Surrogate { clip_c, aggregation: golden::MODES[mode], ..PPO };
        // Not at a corner, where a difference sees both sides.
        for (new, old) in drawn.log_prob.iter().zip(&drawn.old_log_prob) {
            let ratio = (new - old).exp();
            prop_assume!([0.8, 1.28, clip_c].iter().all(|corner| (ratio - corner).abs() > 1e-4));
        }
        let mut gradient = vec![f64::NAN; 99];
        let report = loss.evaluate(drawn.batch(), &mut gradient);
        prop_assert!(report.loss.is_finite());
        let slopes = drawn.slopes(|batch| loss.evaluate(batch, &mut Vec::new()).loss);
        prop_assert!(near(&gradient, &slopes), "{gradient:?}, {slopes:?}");
    }

    /// On policy the surrogate is REINFORCE: the loss is the mean of -A and so is the gradient, whatever is clipped.
    #[test]
    fn on_policy_it_is_the_policy_gradient(mut drawn in drawn(), mode in 0_usize..4) {
        drawn.old_log_prob = drawn.log_prob.clone();
        let aggregation = golden::MODES[mode];
        let mut gradient = Vec::new();
        let report = Surrogate { aggregation, ..PPO }.evaluate(drawn.batch(), &mut gradient);
        let weights = aggregation.token_weights(drawn.batch().lengths());
        let expected: Vec<f64> = weights.zip(&drawn.advantage).map(|(w, a)| -w * a).collect();
        prop_assert!(near(&gradient, &expected));
        prop_assert!((report.loss - expected.iter().sum::<f64>()).abs() < 1e-9);
        prop_assert_eq!((report.clip_fraction, report.lower_clip_fraction), (0.0, 0.0));
    }
}
