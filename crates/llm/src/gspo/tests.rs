//! By hand and against differences: the authors' fork of verl is older than GSPO, so no numbers of it are at hand.

use proptest::prelude::*;

use super::*;
use crate::batch::{Lengths, TOKEN_EPSILON, Tokens};
use crate::golden::{Drawn, assert_close, drawn, near};

const WIDE: Gspo = Gspo {
    clip: ClipRange {
        low: 0.2,
        high: 0.3,
    },
};

fn evaluate(loss: Gspo, drawn: &Drawn) -> (GspoReport, Vec<f64>) {
    let mut gradient = vec![f64::NAN; 3];
    let report = loss.evaluate(drawn.batch(), &mut gradient);
    (report, gradient)
}

/// Three responses: ratios e^0.1 (free), e^0.5 (clipped, since A > 0) and, with no token, 1.
#[test]
fn by_hand() {
    let drawn = Drawn {
        lengths: vec![2, 0, 1],
        log_prob: vec![-0.7, -1.0, -0.5],
        old_log_prob: vec![-1.0, -0.9, -1.0],
        advantage: vec![-2.0, -2.0, 1.0],
    };
    let (report, gradient) = evaluate(WIDE, &drawn);
    let free = 2.0 * 0.1_f64.exp();
    assert_close("loss", &[report.loss], &[(free - 1.3) / 3.0]);
    assert_close("gradient", &gradient, &[free / 6.0, free / 6.0, 0.0]);
    assert_close(
        "share",
        &[report.clip_fraction],
        &[1.0 / (3.0 + TOKEN_EPSILON)],
    );
    assert_close("kl", &[report.approx_kl], &[-0.7 / (3.0 + TOKEN_EPSILON)]);
}

/// A token's own ratio may be anywhere while its response's is within the range: PPO would clip both of these tokens.
#[test]
fn only_the_response_s_ratio_is_clipped() {
    let drawn = Drawn {
        lengths: vec![2],
        log_prob: vec![-0.5, -1.5],
        old_log_prob: vec![-1.0, -1.0],
        advantage: vec![1.0, 1.0],
    };
    let (report, gradient) = evaluate(WIDE, &drawn);
    assert_eq!((report.loss, report.clip_fraction), (-1.0, 0.0));
    assert_eq!(gradient, [-0.5, -0.5]);
}

/// GSPO-token: a token's gradient has its own advantage.
#[test]
fn advantages_may_differ_within_a_response() {
    let drawn = Drawn {
        lengths: vec![2],
        log_prob: vec![-0.9, -1.0],
        old_log_prob: vec![-1.0, -0.9],
        advantage: vec![1.0, -3.0],
    };
    let (report, gradient) = evaluate(WIDE, &drawn);
    assert_close("loss", &[report.loss], &[1.0]);
    assert_close("gradient", &gradient, &[-0.5, 1.5]);
}

#[test]
fn far_ratios_are_held_and_nan_is_not_hidden() {
    let at = |log_prob: f64| {
        let (old, advantage) = ([0.0], [-1.0]);
        let tokens = Tokens {
            log_prob: &[log_prob],
            old_log_prob: &old,
            advantage: &advantage,
        };
        let batch = Batch::new(Lengths::new(&[1]), tokens).expect("one token");
        let mut gradient = Vec::new();
        (WIDE.evaluate(batch, &mut gradient).loss, gradient[0])
    };
    for far in [10.5, 1e3, f64::INFINITY] {
        let (loss, slope) = at(far);
        assert_close("loss", &[loss, slope], &[10.0_f64.exp(), 0.0]);
    }
    // Below, the range holds it.
    assert_close("loss", &[at(f64::NEG_INFINITY).0], &[0.8]);
    assert!(at(f64::NAN).0.is_nan() && at(f64::NAN).1.is_nan());
}

/// The advantages of whole responses.
fn of_responses() -> impl Strategy<Value = Drawn> {
    drawn().prop_map(|mut drawn| {
        for range in Lengths::new(&drawn.lengths).ranges() {
            let of_response = drawn.advantage[range.clone()].first().copied();
            drawn.advantage[range].fill(of_response.unwrap_or(0.0));
        }
        drawn
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn gradients_are_the_losses_slopes(drawn in of_responses()) {
        let log_ratios: Vec<f64> = drawn.batch().log_ratios().collect();
        for range in drawn.batch().lengths().ranges().filter(|range| !range.is_empty()) {
            let ratio = (log_ratios[range.clone()].iter().sum::<f64>() / range.len() as f64).exp();
            prop_assume!([0.8, 1.3].iter().all(|corner| (ratio - corner).abs() > 1e-4));
        }
        let (report, gradient) = evaluate(WIDE, &drawn);
        prop_assert!(report.loss.is_finite());
        let slopes = drawn.slopes(|batch| WIDE.evaluate(batch, &mut Vec::new()).loss);
        prop_assert!(near(&gradient, &slopes), "{gradient:?}, {slopes:?}");
    }

    /// On responses of one token GSPO is the surrogate without dual clip.
    #[test]
    fn one_token_is_ppo(mut drawn in drawn()) {
        drawn.lengths = vec![1; drawn.log_prob.len()];
        let ppo = crate::Surrogate {
            clip: WIDE.clip,
            clip_c: f64::INFINITY,
            aggregation: Aggregation::SeqMeanTokenMean,
        };
        let mut expected = Vec::new();
        let of_ppo = ppo.evaluate(drawn.batch(), &mut expected);
        let (report, gradient) = evaluate(WIDE, &drawn);
        prop_assert_eq!(gradient, expected);
        prop_assert_eq!(report.loss, of_ppo.loss);
        prop_assert_eq!(report.clip_fraction, of_ppo.clip_fraction);
    }
}
