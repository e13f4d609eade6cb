//! The activation for classification: what is promised for any logits, and the numbers of the documentation.

use era::{Error, Inverse, SoftmaxEra, SoftmaxEraConfig, softmax_entropy};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use std::f64::consts::E;

const INVERSES: [Inverse; 2] = [Inverse::Approximate, Inverse::Exact];

/// Failures are printed with their input; no seed files are written into the source tree.
fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::with_cases(512)
    }
}

fn build(classes: usize, target_entropy: f64, tau: f64, inverse: Inverse) -> SoftmaxEra {
    SoftmaxEra::new(SoftmaxEraConfig {
        classes,
        target_entropy,
        tau,
        inverse,
    })
    .expect("the target is feasible")
}

fn logits(era: &SoftmaxEra, raw: &[f64]) -> Vec<f64> {
    let mut out = vec![f64::NAN; raw.len()];
    era.logits(raw, &mut out);
    out
}

fn gradient(era: &SoftmaxEra, raw: &[f64], upstream: &[f64]) -> Vec<f64> {
    let mut out = vec![f64::NAN; raw.len()];
    era.logits_vjp(raw, upstream, &mut out);
    out
}

fn largest_probability(logits: &[f64]) -> f64 {
    let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    1.0 / logits.iter().map(|z| (z - max).exp()).sum::<f64>()
}

/// One row of 2 to 40 logits, from tame to one-hot: spread out, or all -100, 0 or 100.
fn any_row() -> impl Strategy<Value = Vec<f64>> {
    let extreme = prop_oneof![Just(-100.0), Just(0.0), Just(100.0)];
    prop_oneof![
        vec(-1.0..1.0_f64, 2..41),
        vec(-6.0..6.0_f64, 2..41),
        vec(-100.0..100.0_f64, 2..41),
        vec(-1e4..1e4_f64, 2..41),
        vec(extreme, 2..41),
    ]
}

/// tau from its smallest value upwards, and where in H0's range to be: the ends themselves, near them, and within.
fn any_setting() -> impl Strategy<Value = (f64, f64)> {
    let tau = prop_oneof![
        Just(E),
        Just(4.0),
        (0.0..1e-6_f64).prop_map(|x| E + x),
        E..50.0_f64
    ];
    let place = prop_oneof![
        Just(0.0),
        Just(1.0),
        0.0..1e-3_f64,
        (0.0..1e-3_f64).prop_map(|x| 1.0 - x),
        0.0..1.0_f64
    ];
    (tau, place)
}

fn both(classes: usize, (tau, place): (f64, f64)) -> [SoftmaxEra; 2] {
    let (low, high) = SoftmaxEra::range(classes, tau);
    let target = if place == 1.0 {
        high
    } else {
        low + place * (high - low)
    };
    INVERSES.map(|inverse| build(classes, target, tau, inverse))
}

proptest! {
    #![proptest_config(config())]

    /// Proven for the exact inverse. For the approximate one this is the search that the documentation speaks of.
    #[test]
    fn no_logits_have_less_entropy_than_the_target(raw in any_row(), setting in any_setting()) {
        for era in both(raw.len(), setting) {
            let z = logits(&era, &raw);
            let entropy = softmax_entropy(&z);
            prop_assert!(entropy >= era.config().target_entropy - 1e-12, "{era:?}: {entropy}");
            prop_assert!(entropy >= era.min_entropy() - 1e-12, "{era:?}: {entropy}");
            prop_assert!(era.min_entropy() >= era.config().target_entropy - 1e-12);
            let largest = largest_probability(&z);
            prop_assert!(largest <= era.max_probability() + 1e-12, "{era:?}: {largest}");
        }
    }

    #[test]
    fn the_budget_is_spent_exactly(raw in any_row(), setting in any_setting()) {
        let [_, exact] = both(raw.len(), setting);
        let spent: f64 = logits(&exact, &raw).iter().map(|z| -z * z.exp()).sum();
        prop_assert!((spent - exact.budget()).abs() <= 1e-13 * raw.len() as f64, "{exact:?}: {spent}");
    }

    #[test]
    fn no_logit_exceeds_minus_log_tau_and_their_order_is_kept(
        raw in any_row(),
        setting in any_setting(),
    ) {
        let [approximate, exact] = both(raw.len(), setting);
        for z in logits(&exact, &raw) {
            prop_assert!(z <= -exact.config().tau.ln() + 1e-12);
        }
        for era in [approximate, exact] {
            let z = logits(&era, &raw);
            for i in 0..raw.len() {
                for j in 0..raw.len() {
                    prop_assert!(
                        raw[i] > raw[j] || z[i] <= z[j] + 1e-11 * z[j].abs(),
                        "{era:?}: raw {} and {}, {} and {}", raw[i], raw[j], z[i], z[j]
                    );
                }
            }
        }
    }

    /// The gradient sums to 0 over a row, as the softmax does not see a common shift.
    #[test]
    fn gradients_are_finite_and_sum_to_zero(
        raw in any_row(),
        setting in any_setting(),
        weights in vec(-2.0..2.0_f64, 41),
    ) {
        for era in both(raw.len(), setting) {
            let grad = gradient(&era, &raw, &weights[..raw.len()]);
            prop_assert!(grad.iter().all(|g| g.is_finite()), "{era:?}: {grad:?}");
            let size = grad.iter().fold(1.0, |size: f64, g| size.max(g.abs()));
            prop_assert!(grad.iter().sum::<f64>().abs() <= 1e-11 * size, "{era:?}: {grad:?}");
        }
    }

    #[test]
    fn gradients_are_slopes(
        raw in vec(-2.0..2.0_f64, 2..12),
        tau in E..20.0_f64,
        place in 0.0..1.0_f64,
        weights in vec(-2.0..2.0_f64, 12),
    ) {
        let weights = &weights[..raw.len()];
        for era in both(raw.len(), (tau, place)) {
            let loss = |raw: &[f64]| -> f64 {
                logits(&era, raw).iter().zip(weights).map(|(z, w)| z * w).sum()
            };
            let grad = gradient(&era, &raw, weights);
            for i in 0..raw.len() {
                let mut moved = [raw.clone(), raw.clone()];
                moved[0][i] += 1e-5;
                moved[1][i] -= 1e-5;
                let numeric = (loss(&moved[0]) - loss(&moved[1])) / 2e-5;
                prop_assert!(
                    (grad[i] - numeric).abs() <= 1e-7 * numeric.abs().max(1.0),
                    "{era:?}: {} against {numeric}", grad[i]
                );
            }
        }
    }

    /// Rows neither see one another nor the block they are computed in; f32 slices hold the rounded f64 result.
    #[test]
    fn a_row_among_many_is_the_row_alone(
        raw in vec(-8.0..8.0_f64, 7 * 400),
        weights in vec(-1.0..1.0_f64, 7 * 400),
    ) {
        let round = |values: &[f64]| -> Vec<f32> { values.iter().map(|x| *x as f32).collect() };
        let (raw, weights) = (round(&raw), round(&weights));
        for era in both(7, (4.0, 0.4)) {
            let (mut z, mut grad) = (vec![f32::NAN; raw.len()], vec![f32::NAN; raw.len()]);
            era.logits(&raw, &mut z);
            era.logits_vjp(&raw, &weights, &mut grad);
            for start in (0..raw.len()).step_by(7) {
                let row = start..start + 7;
                let double = |values: &[f32]| -> Vec<f64> {
                    values[row.clone()].iter().copied().map(f64::from).collect()
                };
                prop_assert_eq!(&z[row.clone()], round(&logits(&era, &double(&raw))));
                let alone = gradient(&era, &double(&raw), &double(&weights));
                prop_assert_eq!(&grad[row.clone()], round(&alone));
            }
        }
    }
}

/// At tau = e, h reaches 1/e, where the inverse's slope is infinite: the gradient of a one-hot softmax is still a number, and small.
#[test]
fn the_gradient_fades_where_the_inverse_is_steepest() {
    for era in both(3, (E, 0.5)) {
        let mut last = f64::INFINITY;
        for gap in [1.0, 10.0, 30.0, 60.0, 200.0, 600.0, 1e4, 1e300] {
            let grad = gradient(&era, &[gap, 0.0, 0.0], &[1.0, 0.0, 0.0]);
            assert!(
                grad[0] > 0.0 && grad[0] < last.min(1.0) || gap > 690.0,
                "{gap}: {grad:?}"
            );
            assert!(grad.iter().all(|g| g.is_finite()), "{gap}: {grad:?}");
            // sqrt(2 e (1 - p) slope) / 2 to first order: half the distance that z' still has from -1.
            let rest: f64 = 2.0 * (-gap).exp();
            let expected = (2.0 * E * era.slope() * rest).sqrt() / 2.0;
            if (30.0..690.0).contains(&gap) {
                assert!(
                    (grad[0] / expected - 1.0).abs() < 1e-5,
                    "{gap}: {grad:?} {expected}"
                );
            }
            last = grad[0];
        }
    }
}

#[test]
fn odd_inputs_stay_in_their_row() {
    let inf = f64::INFINITY;
    for era in both(3, (4.0, 0.3)) {
        // A class that is ruled out has the share 0; what cannot be a logit spoils its row only.
        let raw = [
            1.0,
            -inf,
            0.5,
            f64::NAN,
            0.0,
            0.0,
            inf,
            0.0,
            0.0,
            -inf,
            -inf,
            -inf,
            1.0,
            2.0,
            3.0,
        ];
        let z = logits(&era, &raw);
        let grad = gradient(&era, &raw, &[1.0; 15]);
        for values in [z, grad] {
            assert!(
                values[..3]
                    .iter()
                    .chain(&values[12..])
                    .all(|x| x.is_finite()),
                "{values:?}"
            );
            assert!(values[3..12].iter().all(|x| x.is_nan()), "{values:?}");
        }
        assert!(logits(&era, &[]).is_empty());
    }
}

/// z = [2, 1, 0, -1] with H0 = 0.6 and tau = 4, worked out by hand from the official formula.
#[test]
fn a_small_example() {
    let era = SoftmaxEra::new(SoftmaxEraConfig::official(4)).unwrap();
    let z = logits(&era, &[2.0, 1.0, 0.0, -1.0]);
    let expected = [-2.081531, -2.872841, -3.236881, -3.390213];
    for (ours, expected) in z.iter().zip(expected) {
        assert!((ours - expected).abs() < 1e-6, "{z:?}");
    }
    assert!((softmax_entropy(&z) - 1.240078).abs() < 1e-6);
    assert!((largest_probability(&z) - 0.490587).abs() < 1e-6);
}

/// The table at the top of the crate is what the code computes, and what a one-hot softmax gives.
#[test]
fn the_documented_table_is_computed() {
    let table = include_str!("../src/lib.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("//! | 10"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim));
    let mut rows = 0;
    for row in table {
        let cells: Vec<f64> = row.map(|cell| cell.parse().unwrap_or(10.0)).collect();
        let classes = if cells[0] == 0.0 { 1000 } else { 10 };
        for (inverse, printed) in INVERSES.into_iter().zip(cells[2..].chunks(3)) {
            let era = build(classes, cells[1], 4.0, inverse);
            let mut raw = vec![-1e4; classes];
            raw[3] = 1e4;
            let z = logits(&era, &raw);
            let realised = [
                (era.min_entropy(), softmax_entropy(&z)),
                (era.max_probability(), largest_probability(&z)),
                (era.cross_entropy_floor(), -largest_probability(&z).ln()),
            ];
            for ((computed, realised), printed) in realised.into_iter().zip(printed) {
                assert!((computed - realised).abs() < 1e-12, "{era:?}");
                assert!(
                    (computed - printed).abs() <= 5.1e-5,
                    "{era:?}: {computed} {printed}"
                );
            }
        }
        rows += 1;
    }
    assert_eq!(rows, 8);
}

#[test]
fn the_range_is_the_documented_one_and_its_ends_can_be_used() {
    let (low, high) = SoftmaxEra::range(10, 4.0);
    assert!((low + 0.0597).abs() < 1e-4 && (high - 2.2429).abs() < 1e-4);
    assert!((SoftmaxEra::range(1000, 4.0).1 - 6.8481).abs() < 1e-4);
    for inverse in INVERSES {
        // At the upper end there is nothing left to say, at the lower one nothing is asked for.
        let flat = build(10, high, 4.0, inverse);
        assert!(flat.slope() < 1e-15 && (flat.max_probability() - 0.1).abs() < 1e-12);
        let free = build(10, low, 4.0, inverse);
        assert_eq!(free.smallest_h(), 0.0);
        assert_eq!((free.min_entropy(), free.max_probability()), (0.0, 1.0));
        assert_eq!(free.cross_entropy_floor(), 0.0);
    }
}

#[test]
fn configurations_out_of_range_are_refused_with_the_formula_and_the_numbers() {
    let official = SoftmaxEraConfig::official(10);
    let refused = |config: SoftmaxEraConfig| SoftmaxEra::new(config).unwrap_err();
    for classes in [0, 1] {
        let error = refused(SoftmaxEraConfig {
            classes,
            ..official
        });
        assert_eq!(error, Error::TooFewClasses { classes });
    }
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let target = refused(SoftmaxEraConfig {
            target_entropy: value,
            ..official
        });
        let tau = refused(SoftmaxEraConfig {
            tau: value,
            ..official
        });
        for (error, parameter) in [(target, "target_entropy"), (tau, "tau")] {
            assert!(matches!(error, Error::NotFinite { name, .. } if name == parameter));
        }
    }
    for tau in [2.7, 0.0, -4.0] {
        assert_eq!(
            refused(SoftmaxEraConfig { tau, ..official }),
            Error::TauTooLow { tau }
        );
    }
    let low = refused(SoftmaxEraConfig {
        target_entropy: -0.1,
        ..official
    })
    .to_string();
    for part in [
        "-0.1 nats",
        "exp(H0 - 1) = 0.332871",
        "log(tau) / tau = 0.346574",
        "= -0.059660",
    ] {
        assert!(low.contains(part), "{part}: {low}");
    }
    let high = refused(SoftmaxEraConfig {
        target_entropy: 2.3,
        ..official
    })
    .to_string();
    for part in [
        "2.3 nats",
        "= 3.669297",
        "n log(tau) / tau = 3.465736",
        "n = 10",
        "= 2.242925",
    ] {
        assert!(high.contains(part), "{part}: {high}");
    }
}

#[test]
fn a_configuration_is_read_strictly() {
    let text = r#"{"classes":10,"target_entropy":0.6,"tau":4.0,"inverse":"approximate"}"#;
    let config: SoftmaxEraConfig = serde_json::from_str(text).unwrap();
    assert_eq!(config, SoftmaxEraConfig::official(10));
    assert_eq!(serde_json::to_string(&config).unwrap(), text);
    let unknown = text.replace("tau", "Tau");
    assert!(serde_json::from_str::<SoftmaxEraConfig>(&unknown).is_err());
}
