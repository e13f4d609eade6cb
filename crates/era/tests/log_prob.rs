//! Log-probabilities under scaled logits: what is promised for any logits.

use era::{Vocabulary, softmax_entropy};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use std::num::NonZeroUsize;

/// Failures are printed with their input; no seed files are written into the source tree.
fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::with_cases(512)
    }
}

fn only(count: usize) -> Vocabulary {
    Vocabulary::Largest(NonZeroUsize::new(count).expect("at least one token takes part"))
}

fn gradient(vocabulary: Vocabulary, logits: &[f64], token: usize, scale: f64) -> Vec<f64> {
    let mut grad = vec![f64::NAN; logits.len()];
    vocabulary.log_prob_vjp(logits, token, scale, 1.0, &mut grad);
    grad
}

/// The logits of one position over 1 to 40 tokens, from tame to one-hot: spread out, or all -100, 0 or 100.
fn any_logits() -> impl Strategy<Value = Vec<f64>> {
    let extreme = prop_oneof![Just(-100.0), Just(0.0), Just(100.0)];
    prop_oneof![
        vec(-1.0..1.0_f64, 1..41),
        vec(-6.0..6.0_f64, 1..41),
        vec(-100.0..100.0_f64, 1..41),
        vec(extreme, 1..41),
    ]
}

fn any_vocabulary() -> impl Strategy<Value = Vocabulary> {
    prop_oneof![
        Just(Vocabulary::Full),
        Just(Vocabulary::OFFICIAL),
        (1..45_usize).prop_map(only)
    ]
}

/// The factor on the logits, and which token was taken, as a share of the vocabulary.
fn any_choice() -> impl Strategy<Value = (f64, f64)> {
    (prop_oneof![Just(1.0), 0.1..8.0_f64], 0.0..1.0_f64)
}

fn token(share: f64, vocabulary: usize) -> usize {
    (share * vocabulary as f64) as usize
}

proptest! {
    #![proptest_config(config())]

    /// For `f32` rows as for `f64` rows, at +-100 as well; those of tokens that take no part are 0.
    #[test]
    fn gradients_are_finite_and_sum_to_zero_over_the_vocabulary(
        logits in any_logits(),
        vocabulary in any_vocabulary(),
        (scale, share) in any_choice(),
    ) {
        let token = token(share, logits.len());
        let log_prob = vocabulary.log_prob(&logits, token, scale);
        prop_assert!(log_prob.is_finite() && log_prob <= 0.0, "{log_prob}");
        let grad = gradient(vocabulary, &logits, token, scale);
        prop_assert!(grad.iter().all(|g| g.is_finite()), "{grad:?}");
        prop_assert!(grad.iter().sum::<f64>().abs() <= 1e-14 * scale, "{grad:?}");
        prop_assert!(grad[token] >= 0.0);
        if log_prob == Vocabulary::OUTSIDE {
            prop_assert!(grad.iter().all(|g| *g == 0.0), "{grad:?}");
        }

        let single: Vec<f32> = logits.iter().map(|z| *z as f32).collect();
        let double: Vec<f64> = single.iter().copied().map(f64::from).collect();
        let mut grad = vec![f32::NAN; single.len()];
        vocabulary.log_prob_vjp(&single, token, scale, 1.0, &mut grad);
        let exact = gradient(vocabulary, &double, token, scale);
        prop_assert_eq!(grad, exact.iter().map(|g| *g as f32).collect::<Vec<_>>());
    }

    #[test]
    fn gradients_are_slopes(
        logits in vec(-3.0..3.0_f64, 2..30),
        (scale, share) in any_choice(),
        count in 1..30_usize,
    ) {
        let token = token(share, logits.len());
        for vocabulary in [Vocabulary::Full, only(count)] {
            let grad = gradient(vocabulary, &logits, token, scale);
            for j in 0..logits.len() {
                let mut moved = [logits.clone(), logits.clone()];
                moved[0][j] += 1e-5;
                moved[1][j] -= 1e-5;
                let [up, down] = moved.map(|z| vocabulary.log_prob(&z, token, scale));
                let numeric = (up - down) / 2e-5;
                // Two logits may change places between the two, and one of them leave.
                let near = |a: f64| logits.iter().filter(|z| (a - **z).abs() < 1e-4).count() > 1;
                prop_assert!(
                    (grad[j] - numeric).abs() <= 1e-6 || near(logits[j]),
                    "{vocabulary:?} {j}: {} against {numeric}", grad[j]
                );
            }
        }
    }

    /// What is left out makes the others likelier, and those that are left in add up to 1.
    #[test]
    fn the_largest_tokens_share_all_probability(
        logits in any_logits(),
        (scale, _) in any_choice(),
        count in 1..45_usize,
    ) {
        let mut mass = 0.0;
        let mut inside = 0;
        for token in 0..logits.len() {
            let log_prob = only(count).log_prob(&logits, token, scale);
            if log_prob != Vocabulary::OUTSIDE {
                prop_assert!(log_prob >= Vocabulary::Full.log_prob(&logits, token, scale));
                mass += log_prob.exp();
                inside += 1;
            }
        }
        prop_assert_eq!(inside, count.min(logits.len()));
        prop_assert!((mass - 1.0).abs() <= 1e-13, "{mass}");
    }
}

/// Among equal logits the lower tokens take part.
#[test]
fn the_first_of_equal_logits_take_part() {
    let logits = [0.0, 3.0, 1.0, 1.0, 1.0];
    let outside = |token| only(3).log_prob(&logits, token, 2.0) == Vocabulary::OUTSIDE;
    assert_eq!(
        [0, 1, 2, 3, 4].map(outside),
        [true, false, false, false, true]
    );
    assert_eq!(only(1).log_prob(&logits, 1, 2.0), 0.0);
    assert_eq!(Vocabulary::OFFICIAL, only(20));
    let grad = gradient(only(3), &logits, 4, 2.0);
    assert_eq!(grad, [0.0; 5]);
}

#[test]
fn small_probabilities_and_their_complements_keep_their_digits() {
    // One token of probability 1 - 1e-26, where 1 - p in f64 is 0.
    let z = [60.0, 0.0];
    let rest = (-60.0_f64).exp();
    assert_eq!(Vocabulary::Full.log_prob(&z, 0, 1.0), -rest);
    assert_eq!(Vocabulary::Full.log_prob(&z, 1, 1.0), -60.0);
    assert_eq!(gradient(Vocabulary::Full, &z, 0, 1.0), [rest, -rest]);
    // Half the gap, from half the factor.
    let expected = -30.0 - (-30.0_f64).exp();
    assert_eq!(Vocabulary::Full.log_prob(&z, 1, 0.5), expected);
}

#[test]
fn odd_inputs_show_and_do_no_harm() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    // A token that is ruled out has no probability and no gradient.
    let z = [1.0, -inf, 0.0];
    assert_eq!(Vocabulary::Full.log_prob(&z, 1, 2.0), -inf);
    assert_eq!(gradient(Vocabulary::Full, &z, 0, 2.0)[1], 0.0);
    assert!((softmax_entropy(&z) - softmax_entropy(&[1.0, 0.0])).abs() < 1e-15);
    for vocabulary in [Vocabulary::Full, only(2)] {
        for z in [
            [nan, 0.0, 1.0],
            [0.0, 1.0, nan],
            [inf, 0.0, 1.0],
            [nan; 3],
            [-inf; 3],
        ] {
            let odd = z.iter().position(|z| !z.is_finite()).unwrap();
            for token in 0..3 {
                assert!(vocabulary.log_prob(&z, token, 2.0).is_nan(), "{z:?}");
            }
            let grad = gradient(vocabulary, &z, odd, 2.0);
            assert!(grad[odd].is_nan(), "{z:?}");
        }
    }
}

#[test]
fn the_largest_factor_does_not_overflow() {
    for scale in [1e300, 1e-300] {
        let grad = gradient(Vocabulary::Full, &[100.0, -100.0, 99.0], 0, scale);
        assert!(grad.iter().all(|g| g.is_finite()), "{grad:?}");
        assert!(
            Vocabulary::Full
                .log_prob(&[100.0, -100.0], 0, scale)
                .is_finite()
        );
    }
}

#[test]
#[should_panic(expected = "token 3 is not in a vocabulary of 3")]
fn a_token_beyond_the_vocabulary_panics() {
    Vocabulary::Full.log_prob(&[0.0; 3], 3, 1.0);
}

#[test]
#[should_panic(expected = "it must be positive and finite")]
fn a_factor_of_0_panics() {
    Vocabulary::OFFICIAL.log_prob(&[0.0; 3], 1, 0.0);
}

#[test]
fn a_vocabulary_is_read_strictly() {
    let official: Vocabulary = serde_json::from_str(r#"{"largest":20}"#).unwrap();
    assert_eq!(official, Vocabulary::OFFICIAL);
    assert_eq!(
        serde_json::to_string(&Vocabulary::default()).unwrap(),
        r#""full""#
    );
    assert!(serde_json::from_str::<Vocabulary>(r#"{"largest":0}"#).is_err());
}
