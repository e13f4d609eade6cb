//! The activation for language models: what is promised for any responses, and the numbers of the documentation.

use era::{
    EntropyBand, Error, Factors, Fidelity, ResponseEra, ResponseEraConfig, Scope, Vocabulary,
    softmax_entropy, token_entropies,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

/// Failures are printed with their input; no seed files are written into the source tree.
fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::with_cases(512)
    }
}

fn build(config: ResponseEraConfig) -> ResponseEra {
    ResponseEra::new(config).expect("the configuration is valid")
}

fn formula() -> ResponseEra {
    build(ResponseEraConfig::formula())
}

fn official() -> ResponseEra {
    build(ResponseEraConfig::official())
}

fn gradient(vocabulary: Vocabulary, logits: &[f64], token: usize, scale: f64) -> Vec<f64> {
    let mut grad = vec![f64::NAN; logits.len()];
    vocabulary.log_prob_vjp(logits, token, scale, 1.0, &mut grad);
    grad
}

fn softmax(logits: &[f64], scale: f64) -> Vec<f64> {
    let log_prob = |token| Vocabulary::Full.log_prob(logits, token, scale).exp();
    (0..logits.len()).map(log_prob).collect()
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

/// Two rows of token entropies and advantages, with padding behind.
fn any_batch() -> impl Strategy<Value = (Vec<usize>, Vec<f64>, Vec<f64>)> {
    (1..20_usize).prop_flat_map(|positions| {
        (
            vec(0..=positions, 2),
            prop_oneof![
                vec(0.0..0.5_f64, 2 * positions),
                vec(0.0..5.0_f64, 2 * positions)
            ],
            vec(-2.5..2.5_f64, 2 * positions),
        )
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn an_entropy_lies_between_0_and_that_of_equal_logits(logits in any_logits()) {
        let mut entropies = [f64::NAN];
        token_entropies(&logits, logits.len(), &mut entropies);
        let most = (logits.len() as f64).ln();
        prop_assert!((0.0..=most * (1.0 + 1e-15)).contains(&entropies[0]), "{entropies:?}");
    }

    /// With k = 1 the method is the one without ERA, to the last bit.
    #[test]
    fn k_of_1_changes_nothing((lengths, entropies, advantages) in any_batch(), logits in any_logits()) {
        for config in [ResponseEraConfig::formula(), ResponseEraConfig::official()] {
            let era = build(ResponseEraConfig { k: 1.0, ..config });
            let scaled = era.scale_batch(&lengths, &entropies, &advantages);
            let positions = entropies.len() / 2;
            for (i, factor) in scaled.logit_factors.iter().enumerate() {
                prop_assert_eq!(*factor, 1.0);
                let inside = i % positions < lengths[i / positions];
                let expected = if inside { advantages[i] } else { 0.0 };
                prop_assert_eq!(scaled.advantages[i].to_bits(), expected.to_bits());
            }
        }
        let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mass: f64 = logits.iter().map(|z| (z - max).exp()).sum();
        for (token, p) in softmax(&logits, 1.0).into_iter().enumerate() {
            prop_assert!((p - (logits[token] - max).exp() / mass).abs() <= 1e-14);
        }
    }

    /// Outside the band the two factors cancel; an advantage keeps its sign; padding and what is not positive stay as they are.
    #[test]
    fn the_factor_on_the_advantage_undoes_that_on_the_logits(
        (lengths, entropies, advantages) in any_batch(),
        k in 1.0..10.0_f64,
        scope in prop_oneof![Just(Scope::Response), Just(Scope::TopTokens)],
    ) {
        let era = build(ResponseEraConfig { k, scope, ..ResponseEraConfig::formula() });
        let scaled = era.scale_batch(&lengths, &entropies, &advantages);
        let positions = entropies.len() / 2;
        for (i, response) in scaled.responses.iter().enumerate() {
            let row = &entropies[i * positions..][..lengths[i]];
            let top = era.top_tokens(row);
            for t in 0..positions {
                let (factor, advantage) =
                    (scaled.logit_factors[i * positions + t], scaled.advantages[i * positions + t]);
                let before = advantages[i * positions + t];
                if t >= lengths[i] {
                    prop_assert_eq!((factor, advantage), (1.0, 0.0));
                    continue;
                }
                prop_assert!((factor * advantage - before).abs() <= 1e-15 * before.abs());
                let touched = before > 0.0 && (scope == Scope::Response || top.contains(&t));
                let expected = match response.band {
                    EntropyBand::Low if touched => k,
                    EntropyBand::High if touched => 1.0 / k,
                    _ => 1.0,
                };
                prop_assert_eq!(factor, expected);
            }
        }
    }

    /// A batch is its responses one by one, and what stands in padding is not looked at.
    #[test]
    fn a_response_among_others_is_the_response_alone((lengths, mut entropies, mut advantages) in any_batch()) {
        let era = official();
        let positions = entropies.len() / 2;
        let expected = era.scale_batch(&lengths, &entropies, &advantages);
        for (i, length) in lengths.iter().enumerate() {
            for t in *length..positions {
                entropies[i * positions + t] = f64::NAN;
                advantages[i * positions + t] = f64::NAN;
            }
        }
        let scaled = era.scale_batch(&lengths, &entropies, &advantages);
        prop_assert_eq!(&scaled.logit_factors, &expected.logit_factors);
        prop_assert_eq!(&scaled.advantages, &expected.advantages);
        for (i, length) in lengths.iter().enumerate() {
            let row = i * positions..i * positions + length;
            let (mut factors, mut new) = (vec![0.0; *length], vec![0.0; *length]);
            let audit = era.scale_response(
                &entropies[row.clone()], &advantages[row.clone()], &mut factors, &mut new,
            );
            prop_assert_eq!(audit.band, scaled.responses[i].band);
            prop_assert_eq!(&factors, &scaled.logit_factors[row.clone()]);
            prop_assert_eq!(&new, &scaled.advantages[row]);
        }
    }

    #[test]
    fn the_most_uncertain_tokens_are_measured(
        entropies in vec(0.0..4.0_f64, 1..60),
        top_fraction in 0.001..=1.0_f64,
    ) {
        let era = build(ResponseEraConfig { top_fraction, ..ResponseEraConfig::formula() });
        let top = era.top_tokens(&entropies);
        prop_assert_eq!(top.len(), ((top_fraction * entropies.len() as f64) as usize).max(1));
        let mut sorted = entropies.clone();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let mean = sorted[..top.len()].iter().sum::<f64>() / top.len() as f64;
        prop_assert!((era.response_entropy(&entropies) - mean).abs() <= 1e-14 * mean);
        prop_assert!(top.is_sorted());
        for (t, entropy) in entropies.iter().enumerate() {
            prop_assert_eq!(top.contains(&t), *entropy >= sorted[top.len() - 1]);
        }
    }

    /// The derivation in the documentation of `ResponseEra`: along the expected drift the entropy of the policy rises in the low case and
    /// falls in the high case, whatever the logits.
    #[test]
    fn the_expected_drift_moves_the_entropy_towards_the_band(
        logits in vec(-6.0..6.0_f64, 2..41),
        k in 1.05..8.0_f64,
    ) {
        let p = softmax(&logits, 1.0);
        let entropy = softmax_entropy(&logits);
        let slope = |scale: f64| -> f64 {
            let sharpened = softmax(&logits, scale);
            p.iter().zip(sharpened).map(|(p, q)| (p - q) * -p * (p.ln() + entropy)).sum()
        };
        prop_assert!(slope(k) > -1e-15, "{}", slope(k));
        prop_assert!(slope(1.0 / k) < 1e-15, "{}", slope(1.0 / k));
        let spread = logits.iter().fold(f64::INFINITY, |a, z| a.min(*z))
            - logits.iter().fold(f64::NEG_INFINITY, |a, z| a.max(*z));
        if (-4.0..-0.5).contains(&spread) {
            prop_assert!(slope(k) > 0.0 && slope(1.0 / k) < 0.0);
        }
    }
}

/// z = [2, 1, 0] and k = 2: p - p' per unit of advantage, in the low and the high case.
#[test]
fn the_documented_drift_is_computed() {
    let z = [2.0, 1.0, 0.0];
    let p = softmax(&z, 1.0);
    for (band, expected) in [
        (EntropyBand::Low, [-0.2016, 0.1274, 0.0742]),
        (EntropyBand::High, [0.1588, -0.0625, -0.0963]),
    ] {
        let factors = formula().factors(band, 1.0);
        let mut drift = [0.0; 3];
        for (token, drawn) in p.iter().enumerate() {
            let grad = gradient(Vocabulary::Full, &z, token, factors.logits);
            for (drift, g) in drift.iter_mut().zip(grad) {
                *drift += drawn * factors.advantage * g;
            }
        }
        let sharpened = softmax(&z, factors.logits);
        for j in 0..3 {
            assert!((drift[j] - expected[j]).abs() <= 5.1e-5, "{drift:?}");
            assert!((drift[j] - (p[j] - sharpened[j])).abs() <= 1e-15);
        }
    }
}

/// Without the factor on the advantage the step in the low case is k times as large.
#[test]
fn without_scaled_advantages_steps_grow_by_k() {
    let plain = build(ResponseEraConfig {
        scale_advantages: false,
        ..ResponseEraConfig::formula()
    });
    for (band, logits) in [
        (EntropyBand::Low, 2.0),
        (EntropyBand::Within, 1.0),
        (EntropyBand::High, 0.5),
    ] {
        let advantage = 1.0 / logits;
        assert_eq!(formula().factors(band, 0.7), Factors { logits, advantage });
        let advantage = 1.0;
        assert_eq!(plain.factors(band, 0.7), Factors { logits, advantage });
    }
}

/// The advantages of a correct response where 1 to 7 of 8 are correct, rewards +-1: the released code scales the logits of the first
/// three only, and the advantages of all.
#[test]
fn the_official_code_needs_an_advantage_of_1() {
    for (correct, printed) in (1..8).zip([2.475, 1.620, 1.208, 0.935, 0.725, 0.540, 0.354]) {
        let share = f64::from(correct) / 8.0;
        let mean = 2.0 * share - 1.0;
        let deviation = (4.0 * share * (1.0 - share) * 8.0 / 7.0).sqrt();
        let advantage = (1.0 - mean) / (deviation + 1e-6);
        assert!(
            (advantage - printed).abs() <= 5.1e-4,
            "{correct}: {advantage}"
        );
        let factors = official().factors(EntropyBand::Low, advantage);
        assert_eq!(factors.logits, if correct <= 3 { 2.0 } else { 1.0 });
        assert_eq!(factors.advantage, 0.5);
        assert_eq!(formula().factors(EntropyBand::Low, advantage).logits, 2.0);
    }
    let just_below = f64::from_bits(1.0_f64.to_bits() - 1);
    assert_eq!(official().factors(EntropyBand::Low, 1.0).logits, 2.0);
    assert_eq!(official().factors(EntropyBand::Low, just_below).logits, 1.0);
}

#[test]
fn thresholds_are_strict_and_only_positive_advantages_are_touched() {
    let era = formula();
    assert_eq!(era.band(0.45), EntropyBand::Within);
    assert_eq!(era.band(0.449_999_999), EntropyBand::Low);
    assert_eq!(era.band(3.0), EntropyBand::Within);
    assert_eq!(era.band(3.000_000_001), EntropyBand::High);
    assert_eq!(era.band(f64::NAN), EntropyBand::Within);
    let untouched = Factors {
        logits: 1.0,
        advantage: 1.0,
    };
    for era in [formula(), official()] {
        for advantage in [0.0, -0.0, -0.5, -3.0, f64::NAN, f64::NEG_INFINITY] {
            for band in [EntropyBand::Low, EntropyBand::Within, EntropyBand::High] {
                assert_eq!(era.factors(band, advantage), untouched);
            }
        }
    }
}

#[test]
fn the_first_of_equal_entropies_are_measured() {
    let era = formula();
    assert_eq!(era.top_tokens(&[1.0; 10]), [0, 1]);
    assert_eq!(
        era.top_tokens(&[0.0, -0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        [0, 1]
    );
    let entropies = [0.1, 0.7, 0.3, 0.7, 0.9, 0.7, 0.0, 0.2, 0.7, 0.1];
    assert_eq!(era.top_tokens(&entropies), [1, 4]);
    // A response of less than 5 tokens is measured on its most uncertain one, a response of none on none.
    assert_eq!(era.top_tokens(&[0.2, 0.4, 0.4, 0.1]), [1]);
    assert!(era.top_tokens(&[]).is_empty() && era.response_entropy(&[]).is_nan());
    assert_eq!(
        [0, 1, 4, 5, 9, 10, 8192].map(|len| era.top_count(len)),
        [0, 1, 1, 1, 1, 2, 1638]
    );
    let whole = build(ResponseEraConfig {
        top_fraction: 1.0,
        ..ResponseEraConfig::formula()
    });
    assert_eq!(whole.top_tokens(&[0.3, 0.1, 0.2]), [0, 1, 2]);
}

#[test]
fn odd_responses_show_and_do_no_harm() {
    let nan = f64::NAN;
    // A NaN among the entropies shows in the audit, wherever it stands, and nothing is scaled.
    for position in 0..5 {
        let mut entropies = [0.1; 5];
        entropies[position] = if position % 2 == 0 { nan } else { -nan };
        let scaled = formula().scale_batch(&[5], &entropies, &[2.0; 5]);
        assert!(scaled.responses[0].entropy.is_nan());
        assert_eq!(
            (scaled.logit_factors, scaled.advantages),
            (vec![1.0; 5], vec![2.0; 5])
        );
    }
    // No responses, and responses without tokens.
    assert!(formula().scale_batch(&[], &[], &[]).responses.is_empty());
    let empty = formula().scale_batch(&[0, 0], &[], &[]);
    assert_eq!(empty.responses.len(), 2);
    assert_eq!(empty.responses[0].band, EntropyBand::Within);
}

#[test]
#[should_panic(expected = "response 1 has 3 tokens in a row of 2")]
fn a_response_longer_than_its_row_panics() {
    formula().scale_batch(&[2, 3], &[0.0; 4], &[0.0; 4]);
}

#[test]
fn configurations_out_of_range_are_refused_with_the_numbers() {
    let base = ResponseEraConfig::formula();
    let refused = |config: ResponseEraConfig| ResponseEra::new(config).unwrap_err();
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for (config, parameter) in [
            (
                ResponseEraConfig {
                    entropy_low: value,
                    ..base
                },
                "entropy_low",
            ),
            (
                ResponseEraConfig {
                    entropy_high: value,
                    ..base
                },
                "entropy_high",
            ),
            (ResponseEraConfig { k: value, ..base }, "k"),
            (
                ResponseEraConfig {
                    top_fraction: value,
                    ..base
                },
                "top_fraction",
            ),
        ] {
            let error = refused(config);
            assert!(matches!(error, Error::NotFinite { name, .. } if name == parameter));
        }
    }
    for k in [0.999, 0.0, -2.0] {
        let error = refused(ResponseEraConfig { k, ..base });
        assert_eq!(error, Error::FactorBelowOne { k });
    }
    for (low, high) in [(0.0, 3.0), (-0.1, 3.0), (3.0, 3.0), (3.1, 3.0)] {
        let error = refused(ResponseEraConfig {
            entropy_low: low,
            entropy_high: high,
            ..base
        });
        assert_eq!(error, Error::EntropyBand { low, high });
        assert!(
            error
                .to_string()
                .contains(&format!("entropy_low {low} and entropy_high {high}"))
        );
    }
    for top_fraction in [0.0, -0.2, 1.001] {
        let error = refused(ResponseEraConfig {
            top_fraction,
            ..base
        });
        assert_eq!(error, Error::TopFraction { top_fraction });
    }
    let error = refused(ResponseEraConfig {
        scope: Scope::TopTokens,
        ..ResponseEraConfig::official()
    });
    assert_eq!(error, Error::OfficialScope);
    build(ResponseEraConfig {
        k: 1.0,
        top_fraction: 1.0,
        ..base
    });
}

#[test]
fn a_configuration_is_read_strictly() {
    let text = r#"{"entropy_low":0.45,"entropy_high":3.0,"k":2.0,"top_fraction":0.2,"scope":"response","scale_advantages":true,"fidelity":"official"}"#;
    let config: ResponseEraConfig = serde_json::from_str(text).unwrap();
    assert_eq!(config, ResponseEraConfig::official());
    assert_eq!(config.fidelity, Fidelity::Official);
    assert_eq!(serde_json::to_string(&config).unwrap(), text);
    let unknown = text.replace("top_fraction", "fraction");
    assert!(serde_json::from_str::<ResponseEraConfig>(&unknown).is_err());
}
