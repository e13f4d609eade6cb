//! What is promised, for any input: and what is not, shown by example.

use era::{
    Compensation, Densities, ENTROPY_OF_UNIT_NORMAL, Error, GaussianEra, GaussianEraConfig,
    LearnedDelta, TanhNormal, TruncatedNormal, gaussian_entropy,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use std::f64::consts::LN_2;

/// Failures are printed with their input; no seed files are written into the source tree.
fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::with_cases(512)
    }
}

fn official(action_dim: usize) -> GaussianEra {
    GaussianEra::new(GaussianEraConfig::official(action_dim))
        .expect("the official configuration is valid")
}

fn log_std(era: &GaussianEra, raw: &[f64]) -> Vec<f64> {
    let mut out = vec![f64::NAN; raw.len()];
    era.log_std(raw, &mut out);
    out
}

/// A row of 1 to 32 raw outputs, from tame to +-1e4, with a feasible target.
fn any_row() -> impl Strategy<Value = (Vec<f64>, GaussianEra)> {
    let raw = prop_oneof![
        vec(-3.0..3.0, 1..33),
        vec(-1e4..1e4, 1..33),
        vec(-30.0..30.0, 1..33)
    ];
    (raw, -6.5..0.999_f64, -8.0..-7.99_f64, 0.0..2.0_f64).prop_map(|(raw, share, low, high)| {
        let era = GaussianEra::new(GaussianEraConfig {
            action_dim: raw.len(),
            target_per_dim: high + ENTROPY_OF_UNIT_NORMAL - (1.0 - share),
            log_std_min: low,
            log_std_max: high,
            compensation: Compensation::None,
        });
        (raw, era.expect("the target is feasible"))
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_entropy_is_the_target_unless_a_clip_is_active((raw, era) in any_row()) {
        let audit = era.audit(&raw).next().unwrap();
        let entropy = gaussian_entropy(&log_std(&era, &raw));
        prop_assert!((entropy - audit.entropy).abs() <= 1e-11 * raw.len() as f64);
        if audit.exact {
            prop_assert!((entropy - era.entropy()).abs() <= 1e-11 * raw.len() as f64);
        } else {
            prop_assert!(entropy > era.entropy());
        }
    }

    #[test]
    fn every_sigma_lies_within_its_bounds((raw, era) in any_row()) {
        for value in log_std(&era, &raw) {
            prop_assert!((era.config().log_std_min..=era.config().log_std_max).contains(&value));
        }
    }

    #[test]
    fn reordering_the_dimensions_reorders_the_result(
        (raw, era) in any_row(),
        turn in 0_usize..32,
    ) {
        let turn = turn % raw.len();
        let mut turned = raw.clone();
        turned.rotate_left(turn);
        let mut expected = log_std(&era, &raw);
        expected.rotate_left(turn);
        for (a, b) in log_std(&era, &turned).into_iter().zip(expected) {
            prop_assert!((a - b).abs() <= 1e-12);
        }
    }

    /// The gradient sums to 0 over a row, as the softmax does not see a common shift.
    #[test]
    fn gradients_of_the_activation_are_finite_and_keep_the_budget(
        (raw, era) in any_row(),
        weights in vec(-2.0..2.0_f64, 32),
    ) {
        let mut grad = vec![f64::NAN; raw.len()];
        era.log_std_vjp(&raw, &weights[..raw.len()], &mut grad);
        prop_assert!(grad.iter().all(|g| g.is_finite()));
        prop_assert!(grad.iter().sum::<f64>().abs() <= 1e-10);
    }

    #[test]
    fn the_gradient_of_the_activation_is_its_slope(
        raw in vec(-2.0..2.0_f64, 2..8),
        weights in vec(-2.0..2.0_f64, 8),
    ) {
        let era = official(raw.len());
        let weights = &weights[..raw.len()];
        let loss = |raw: &[f64]| -> f64 {
            log_std(&era, raw).iter().zip(weights).map(|(s, w)| s * w).sum()
        };
        let mut grad = vec![f64::NAN; raw.len()];
        era.log_std_vjp(&raw, weights, &mut grad);
        prop_assume!(era.audit(&raw).all(|audit| audit.exact));
        for i in 0..raw.len() {
            let mut moved = [raw.clone(), raw.clone()];
            moved[0][i] += 1e-5;
            moved[1][i] -= 1e-5;
            let numeric = (loss(&moved[0]) - loss(&moved[1])) / 2e-5;
            prop_assert!((grad[i] - numeric).abs() <= 1e-7 * numeric.abs().max(1.0));
        }
    }

    #[test]
    fn truncated_normal_is_finite_and_inside_for_any_input(
        mean in -1e4..1e4_f64,
        log_std in -8.0..2.0_f64,
        u in 0.0..=1.0_f64,
    ) {
        let policy = TruncatedNormal::default();
        let (low, high) = policy.support();
        let action = policy.sample_with_gradient(mean, log_std, u);
        prop_assert!((low..=high).contains(&action.value));
        for w in [
            action,
            policy.sample_log_prob(mean, log_std, u),
            policy.log_prob(mean, log_std, action.value),
            policy.entropy(mean, log_std),
        ] {
            prop_assert!([w.value, w.d_mean, w.d_log_std].iter().all(|x| x.is_finite()), "{w:?}");
        }
        // Moving the location moves the quantile by at most as much, and never back.
        prop_assert!((-1e-9..=1.0 + 1e-9).contains(&action.d_mean));
    }

    #[test]
    fn truncated_normal_gradients_are_slopes(
        mean in -2.0..2.0_f64,
        log_std in -3.0..1.0_f64,
        u in 0.01..0.99_f64,
    ) {
        let policy = TruncatedNormal::default();
        let x = policy.sample_with_gradient(mean, log_std, u).value;
        type Function = Box<dyn Fn(f64, f64) -> era::WithGradient>;
        let functions: [(&str, Function); 4] = [
            ("sample", Box::new(move |m, s| policy.sample_with_gradient(m, s, u))),
            ("sample_log_prob", Box::new(move |m, s| policy.sample_log_prob(m, s, u))),
            ("log_prob", Box::new(move |m, s| policy.log_prob(m, s, x))),
            ("entropy", Box::new(move |m, s| policy.entropy(m, s))),
        ];
        for (name, function) in functions {
            let h = 1e-5;
            let at = function(mean, log_std);
            let d_mean = (function(mean + h, log_std).value - function(mean - h, log_std).value) / (2.0 * h);
            let d_std = (function(mean, log_std + h).value - function(mean, log_std - h).value) / (2.0 * h);
            for (kind, ours, numeric) in [("mean", at.d_mean, d_mean), ("log_std", at.d_log_std, d_std)] {
                prop_assert!(
                    (ours - numeric).abs() <= 1e-6 * numeric.abs().max(1.0),
                    "d{name}/d{kind}: {ours} against {numeric}"
                );
            }
        }
    }

    #[test]
    fn tanh_normal_is_finite_for_any_input(
        mean in -1e4..1e4_f64,
        log_std in -8.0..2.0_f64,
        noise in -8.0..8.0_f64,
    ) {
        let (action, log_prob) = TanhNormal.draw(mean, log_std, noise);
        prop_assert!(action.value.abs() <= 1.0);
        for w in [action, log_prob, TanhNormal.entropy(mean, log_std)] {
            prop_assert!([w.value, w.d_mean, w.d_log_std].iter().all(|x| x.is_finite()), "{w:?}");
        }
    }

    #[test]
    fn a_bounded_policy_has_less_entropy_than_its_gaussian(
        mean in -4.0..4.0_f64,
        log_std in -6.0..1.0_f64,
    ) {
        let gaussian = log_std + ENTROPY_OF_UNIT_NORMAL;
        prop_assert!(TruncatedNormal::default().entropy(mean, log_std).value <= gaussian + 1e-12);
        prop_assert!(TanhNormal.entropy(mean, log_std).value <= gaussian + 1e-12);
    }
}

/// The numbers of the documentation: 19 dimensions, one raw value of 12, the target 4.75 and a Gaussian entropy of 18.957.
#[test]
fn an_active_clip_lifts_the_entropy_far_above_the_target() {
    let era = official(19);
    let mut raw = [0.0; 19];
    raw[0] = 12.0;
    let audit = era.audit(&raw).next().unwrap();
    assert!((era.entropy() - 4.75).abs() < 1e-12);
    assert!((audit.entropy - 18.957).abs() < 1e-3, "{audit:?}");
    assert_eq!((audit.clipped, audit.exact), (1, false));
}

#[test]
fn one_dimension_leaves_a_constant_without_a_gradient() {
    let era = official(1);
    for raw in [-1e4, -3.0, 0.0, 7.0, 1e4] {
        assert!((log_std(&era, &[raw])[0] - era.uniform_sigma().ln()).abs() < 1e-12);
        let mut grad = [f64::NAN];
        era.log_std_vjp(&[raw], &[1.0], &mut grad);
        assert_eq!(grad, [0.0]);
    }
}

/// sigma = [0.423917, 0.097016, 0.729263] for raw [0, 1, -1] at 0.25 nats per dimension: larger raw, smaller sigma.
#[test]
fn a_larger_raw_value_gives_a_smaller_sigma() {
    let sigma: Vec<f64> = log_std(&official(3), &[0.0, 1.0, -1.0])
        .into_iter()
        .map(f64::exp)
        .collect();
    for (ours, expected) in sigma.iter().zip([0.423917, 0.097016, 0.729263]) {
        assert!((ours - expected).abs() < 1e-6, "{sigma:?}");
    }
}

/// The table of the documentation: what truncation to [-1, 1] takes from a normal distribution, in nats per dimension.
#[test]
fn the_entropy_lost_to_truncation_is_the_documented_table() {
    let policy = TruncatedNormal::on(-1.0, 1.0).unwrap();
    let lost = |loc: f64, sigma: f64| {
        sigma.ln() + ENTROPY_OF_UNIT_NORMAL - policy.entropy(loc.atanh(), sigma.ln()).value
    };
    let centre = [(0.3107, 0.0085), (0.5, 0.160), (0.7, 0.409), (1.0, 0.736)];
    for (sigma, expected) in centre {
        assert!(
            (lost(0.0, sigma) - expected).abs() < 6e-4,
            "{sigma}: {}",
            lost(0.0, sigma)
        );
    }
    let largest = [
        (0.3107, LN_2),
        (0.4, LN_2),
        (0.5, 0.694),
        (0.7, 0.717),
        (1.0, 0.853),
    ];
    for (sigma, expected) in largest {
        let worst = (0..=1000)
            .map(|i| lost(f64::from(i) / 1000.0, sigma))
            .fold(f64::NEG_INFINITY, f64::max);
        assert!((worst - expected).abs() < 6e-4, "{sigma}: {worst}");
    }
    let sigma = official(1).uniform_sigma();
    assert!((sigma - 0.3107).abs() < 1e-4);
    for (loc, expected) in [(0.0, 0.2415), (0.5, 0.102), (0.9, -0.315), (1.0, -0.443)] {
        let entropy = 0.25 - lost(loc, sigma);
        assert!((entropy - expected).abs() < 6e-4, "{loc}: {entropy}");
    }
}

#[test]
fn compensation_raises_the_entropy_by_delta() {
    let config = GaussianEraConfig {
        target_per_dim: -0.5,
        compensation: Compensation::Constant { delta: 3.0 * 0.75 },
        ..GaussianEraConfig::official(3)
    };
    let era = GaussianEra::new(config).unwrap();
    assert!((era.entropy() - 0.75).abs() < 1e-12);
    let audit = era.audit(&[0.4, -0.2, 0.1]).next().unwrap();
    assert!(audit.exact && (audit.entropy - 0.75).abs() < 1e-12);
}

#[test]
fn a_learned_delta_closes_the_gap() {
    // A policy whose entropy is its Gaussian's less 0.8: delta must find 0.8 from either side.
    for start in [0.01, 3.0] {
        let mut learned = LearnedDelta::starting_at(start);
        assert!((learned.delta() - start).abs() < 1e-12);
        for _ in 0..5_000 {
            learned = learned.descend(-1.5 + learned.delta() - 0.8, -1.5, 0.5);
        }
        assert!((learned.delta() - 0.8).abs() < 1e-6, "{learned:?}");
    }
}

#[test]
fn the_gradient_of_the_learned_delta_is_the_slope_of_its_loss() {
    let h = 1e-6;
    for start in [0.05, 0.7, 4.0] {
        let learned = LearnedDelta::starting_at(start);
        // A step of gradient descent with rate h / gradient moves rho by h.
        let moved = |sign: f64| {
            let rate = -sign * h / learned.gradient(1.3, 2.0);
            learned.descend(1.3, 2.0, rate).loss(1.3, 2.0)
        };
        let numeric = (moved(1.0) - moved(-1.0)) / (2.0 * h);
        assert!((learned.gradient(1.3, 2.0) - numeric).abs() < 1e-8);
    }
}

#[test]
fn a_learned_delta_stays_positive_and_finite() {
    let mut learned = LearnedDelta::starting_at(0.0);
    for _ in 0..1_000 {
        learned = learned.descend(50.0, 0.0, 1.0);
        assert!(learned.delta() >= 0.0 && learned.loss(50.0, 0.0).is_finite());
    }
}

#[test]
fn configurations_out_of_range_are_refused() {
    let official = GaussianEraConfig::official(6);
    let constant = |delta| Compensation::Constant { delta };
    let refused = |config: GaussianEraConfig| GaussianEra::new(config).unwrap_err();

    assert_eq!(refused(GaussianEraConfig::official(0)), Error::NoAction);
    let error = refused(GaussianEraConfig {
        target_per_dim: f64::NAN,
        ..official
    });
    assert!(matches!(
        error,
        Error::NotFinite {
            name: "target_per_dim",
            ..
        }
    ));
    let error = refused(GaussianEraConfig {
        compensation: constant(f64::INFINITY),
        ..official
    });
    assert!(matches!(error, Error::NotFinite { name: "delta", .. }));
    let error = refused(GaussianEraConfig {
        compensation: constant(-0.1),
        ..official
    });
    assert_eq!(error, Error::NegativeDelta { delta: -0.1 });
    for (min, max) in [(0.0, 0.0), (1.0, 0.0), (-50.0, 0.0), (-8.0, 20.0)] {
        let error = refused(GaussianEraConfig {
            log_std_min: min,
            log_std_max: max,
            ..official
        });
        assert_eq!(error, Error::Bounds { min, max });
    }
    // The compensation counts: 0.25 is feasible, 0.25 + 9/6 is not.
    let error = refused(GaussianEraConfig {
        compensation: constant(9.0),
        ..official
    });
    assert!(matches!(error, Error::TargetTooHigh { target_per_dim, .. } if target_per_dim == 1.75));
    let error = refused(GaussianEraConfig {
        target_per_dim: -7.0,
        ..official
    });
    assert!(matches!(error, Error::TargetTooLow { .. }));
    assert!(error.to_string().starts_with("build the activation: "));

    let no_sigma = official.with_sigma_bounds(0.0, 1.0);
    assert!(matches!(
        refused(no_sigma),
        Error::NotFinite {
            name: "log_std_min",
            ..
        }
    ));
    assert!(GaussianEra::new(official.with_sigma_bounds(1e-3, 2.0)).is_ok());

    for (low, high) in [
        (0.0, 1.0),
        (-1.0, 0.0),
        (-1.1, 1.0),
        (-1.0, 1.1),
        (f64::NAN, 1.0),
        (-1.0, f64::NAN),
    ] {
        assert!(TruncatedNormal::on(low, high).is_err(), "({low}, {high})");
    }
}

#[test]
fn a_configuration_is_read_strictly() {
    let config = GaussianEraConfig {
        compensation: Compensation::Learned(LearnedDelta::starting_at(0.5)),
        ..GaussianEraConfig::official(4)
    };
    let text = serde_json::to_string(&config).unwrap();
    assert_eq!(
        serde_json::from_str::<GaussianEraConfig>(&text).unwrap(),
        config
    );
    let unknown = text.replacen("action_dim", "action_dims", 1);
    assert!(serde_json::from_str::<GaussianEraConfig>(&unknown).is_err());
}

proptest! {
    #![proptest_config(config())]

    /// Whole blocks and rests alike, bit for bit; what stood there before does not matter.
    #[test]
    fn densities_are_those_of_each_dimension(
        rows in vec((-4.0..4.0_f64, -8.0..0.5_f64, -1.0..1.0_f64), 1..100), stale in 0..200_usize,
    ) {
        let policy = TruncatedNormal::default();
        let column = |pick: fn(&(f64, f64, f64)) -> f64| rows.iter().map(pick).collect::<Vec<f64>>();
        let mut found = Densities::default();
        found.resize(stale);
        policy.densities(&column(|row| row.0), &column(|row| row.1), &column(|row| row.2), &mut found);
        prop_assert_eq!(found.log_prob.value.len(), rows.len());
        for (at, (mean, log_std, action)) in rows.into_iter().enumerate() {
            let expected = [policy.log_prob(mean, log_std, action), policy.entropy(mean, log_std)];
            for (columns, expected) in [&found.log_prob, &found.entropy].into_iter().zip(expected) {
                prop_assert_eq!(columns.value[at], expected.value);
                prop_assert_eq!(columns.d_mean[at], expected.d_mean);
                prop_assert_eq!(columns.d_log_std[at], expected.d_log_std);
            }
        }
    }
}
