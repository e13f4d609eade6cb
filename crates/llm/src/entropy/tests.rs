//! Against `entropy_bonus`: verl's `entropy_from_logits`, and the gradient of its loss with the bonus with respect to the logits.

use proptest::prelude::*;

use super::*;
use crate::batch::{Batch, Tokens};
use crate::golden::{self, Padding, assert_close, list, near, number, row, section, whole};
use crate::surrogate::{ClipRange, Surrogate};

#[test]
fn losses_and_gradients_are_verls() {
    let section = section("entropy_bonus");
    let padding = Padding::of(&section["mask"]);
    let vocabulary = whole(&section["logits"]["shape"])[2];
    let logits = padding.flat(&row(&section["logits"]), vocabulary);
    let actions = padding.flat(&whole(&section["actions"]["data"]), 1);
    let rows = || logits.chunks_exact(vocabulary);
    let entropies: Vec<f64> = rows().map(entropy).collect();
    assert_close("entropy", &entropies, &padding.tokens(&section["entropy"]));

    let log_probs: Vec<Vec<f64>> = rows().map(log_softmax).collect();
    let of_actions: Vec<f64> = log_probs
        .iter()
        .zip(&actions)
        .map(|(row, at)| row[*at])
        .collect();
    let clip = number(&section, "clip");
    let surrogate = Surrogate {
        clip: ClipRange {
            low: clip,
            high: clip,
        },
        clip_c: number(&section, "clip_c"),
        aggregation: Aggregation::TokenMean,
    };
    let lengths = Lengths::new(&padding.lengths);
    let tokens = Tokens {
        log_prob: &of_actions,
        old_log_prob: &padding.tokens(&section["old_log_prob"]),
        advantage: &padding.tokens(&section["advantages"]),
    };
    let batch = Batch::new(lengths, tokens).expect("lengths that fit");
    let mut slopes = Vec::new();
    let policy = surrogate.evaluate(batch, &mut slopes);
    // d log p(a) / d z_j = [a = j] - p_j.
    let mut of_policy = Vec::new();
    for ((row, action), slope) in log_probs.iter().zip(&actions).zip(&slopes) {
        let each = row.iter().enumerate();
        of_policy.extend(each.map(|(j, l)| slope * (f64::from(j == *action) - l.exp())));
    }
    for case in list(&section["cases"]) {
        let bonus = EntropyBonus {
            coefficient: number(case, "coef"),
            aggregation: Aggregation::TokenMean,
        };
        let mut gradient = of_policy.clone();
        let report = bonus
            .evaluate(lengths, &logits, vocabulary, &mut gradient)
            .expect("lengths that fit");
        assert_close(
            "report",
            &[policy.loss, report.entropy, policy.loss + report.loss],
            &["pg_loss", "entropy_mean", "loss"].map(|name| number(case, name)),
        );
        let expected = padding.flat(&row(&case["grad_logits"]), vocabulary);
        assert_close("gradient", &gradient, &expected);
    }
}

#[test]
fn ends_of_the_range() {
    assert_close("uniform", &[entropy(&[3.0; 8])], &[8.0_f64.ln()]);
    assert!((0.0..1e-300).contains(&entropy(&[700.0, -700.0, 0.0])));
    assert_eq!(entropy(&[5.0]), 0.0);
    assert_eq!(entropy(&[]), 0.0);
    // Tokens that cannot come take no part.
    assert_close(
        "masked",
        &[entropy(&[1.0, f64::NEG_INFINITY, 1.0])],
        &[2.0_f64.ln()],
    );
    for bad in [f64::NAN, f64::INFINITY] {
        assert!(entropy(&[0.0, bad]).is_nan());
    }
    assert!(entropy(&[f64::NEG_INFINITY; 2]).is_nan());
}

const BONUS: EntropyBonus = EntropyBonus {
    coefficient: 0.3,
    aggregation: Aggregation::SeqMeanTokenMean,
};

#[test]
fn a_token_that_cannot_come_has_no_gradient() {
    let logits = [1.0, f64::NEG_INFINITY, 0.0];
    let mut gradient = [0.0; 3];
    let report = BONUS.evaluate(Lengths::new(&[1]), &logits, 3, &mut gradient);
    assert!(report.expect("lengths that fit").entropy > 0.5);
    assert_eq!(gradient[1], 0.0);
    assert!(gradient[0] > 0.0 && gradient[2] < 0.0); // towards the less likely one, when descended
}

#[test]
fn nothing_is_no_bonus_and_lengths_are_checked() {
    let lengths = Lengths::new(&[0, 0]);
    assert_eq!(
        BONUS
            .evaluate(lengths, &[], 5, &mut [])
            .map(|report| report.entropy),
        Ok(0.0)
    );
    let lengths = Lengths::new(&[2]);
    assert_eq!(
        BONUS
            .evaluate(lengths, &[], 0, &mut [])
            .map(|report| report.entropy),
        Ok(0.0)
    );
    assert!(
        BONUS
            .evaluate(lengths, &[0.0; 5], 3, &mut [0.0; 6])
            .is_err()
    );
    assert!(
        BONUS
            .evaluate(lengths, &[0.0; 6], 3, &mut [0.0; 5])
            .is_err()
    );
    assert!(
        BONUS
            .evaluate(lengths, &[0.0; 6], usize::MAX, &mut [0.0; 6])
            .is_err()
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    /// And the gradient of a row sums to 0, since a shift of all logits changes nothing.
    #[test]
    fn gradients_are_the_bonus_s_slopes(
        of in prop::collection::vec(0_usize..4, 0..4), mode in 0_usize..4,
        drawn in prop::collection::vec(-6.0_f64..6.0, 9 * 4),
    ) {
        let (lengths, vocabulary) = (Lengths::new(&of), 4);
        prop_assume!(lengths.tokens() <= 9);
        let mut logits = drawn[..lengths.tokens() * vocabulary].to_vec();
        let bonus = EntropyBonus { aggregation: golden::MODES[mode], ..BONUS };
        let loss = |logits: &[f64]| {
            let mut gradient = vec![0.0; logits.len()];
            let report = bonus.evaluate(lengths, logits, vocabulary, &mut gradient);
            (report.expect("lengths that fit").loss, gradient)
        };
        let (value, gradient) = loss(&logits);
        prop_assert!(value.is_finite() && value <= 0.0);
        let step = 1e-5;
        let slopes: Vec<f64> = (0..logits.len()).map(|at| {
            let middle = logits[at];
            let mut at_step = |step| {
                logits[at] = middle + step;
                loss(&logits).0
            };
            let slope = (at_step(step) - at_step(-step)) / (2.0 * step);
            logits[at] = middle;
            slope
        }).collect();
        prop_assert!(near(&gradient, &slopes), "{gradient:?}, {slopes:?}");
        for row in gradient.chunks_exact(vocabulary) {
            prop_assert!(row.iter().sum::<f64>().abs() < 1e-12);
        }
    }
}
