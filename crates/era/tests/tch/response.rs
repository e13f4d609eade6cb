//! A batch of responses is scaled as the reference scales it.

use crate::{TYPES, cases, tensor};
use era::tch::ResponseEra;
use era::{ResponseEraConfig, ScaledBatch, Scope, token_entropies};
use proptest::collection::vec;
use proptest::prelude::*;
use tch::{Kind, TchError, Tensor};

const RESPONSES: usize = 3;
const POSITIONS: usize = 6;
const VOCABULARY: usize = 4;

fn era(scope: Scope) -> ResponseEra {
    let config = ResponseEraConfig {
        entropy_high: 1.0, // below log 4, so that both ends are met
        scope,
        ..ResponseEraConfig::formula()
    };
    ResponseEra::new(era::ResponseEra::new(config).expect("settings in range"))
}

/// Factors, advantages and bands are the same; entropies up to the order of their sums.
fn same(ours: &ScaledBatch, expected: &ScaledBatch) {
    assert_eq!(ours.logit_factors, expected.logit_factors);
    assert_eq!(ours.advantages, expected.advantages);
    assert_eq!(ours.responses.len(), expected.responses.len());
    for (ours, expected) in ours.responses.iter().zip(&expected.responses) {
        assert_eq!(ours.band, expected.band);
        assert_eq!(ours.entropy.is_nan(), expected.entropy.is_nan());
        assert!(ours.entropy.is_nan() || (ours.entropy - expected.entropy).abs() < 1e-13);
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_batch_is_scaled_as_on_slices(
        raw in vec((-1.0..1.0).prop_map(|x| f64::from(x as f32)), RESPONSES * POSITIONS * VOCABULARY),
        sharpness in vec(0_u8..6, RESPONSES),
        lengths in vec(0..=POSITIONS, RESPONSES),
        advantages in vec(-2.0..2.0, RESPONSES * POSITIONS),
    ) {
        let per_response = POSITIONS * VOCABULARY;
        let raw: Vec<f64> = raw
            .chunks(per_response)
            .zip(&sharpness)
            .flat_map(|(row, s)| row.iter().map(move |x| x * f64::from(1 << s)))
            .collect();
        let mut entropies = vec![f64::NAN; RESPONSES * POSITIONS];
        token_entropies(&raw, VOCABULARY, &mut entropies);
        for scope in [Scope::Response, Scope::TopTokens] {
            let era = era(scope);
            let expected = era.reference().scale_batch(&lengths, &entropies, &advantages);
            for (kind, _) in TYPES {
                let logits = tensor(&raw, &[RESPONSES, POSITIONS, VOCABULARY], kind);
                // The same logits, strided.
                let strided = logits.permute([2, 0, 1]).contiguous().permute([1, 2, 0]);
                prop_assert!(!strided.is_contiguous());
                for logits in [logits.set_requires_grad(true), strided] {
                    same(&era.scale_batch(&lengths, &logits, &advantages), &expected);
                }
            }
        }
    }
}

/// What stands behind a response is not looked at; a NaN in it leaves it as it is; a token that is ruled out has no entropy to give.
#[test]
fn odd_logits_are_the_references() {
    let mut raw: Vec<f64> = (0..RESPONSES * POSITIONS * VOCABULARY)
        .map(|i| (i as f64 * 0.7).sin())
        .collect();
    let per_response = POSITIONS * VOCABULARY;
    raw[per_response - 1] = f64::NAN; // padding
    raw[per_response] = f64::NAN; // a token
    raw[2 * per_response] = f64::NEG_INFINITY;
    let lengths = [POSITIONS - 1, POSITIONS, POSITIONS];
    let advantages = [1.5; RESPONSES * POSITIONS];
    let mut entropies = vec![0.0; RESPONSES * POSITIONS];
    token_entropies(&raw, VOCABULARY, &mut entropies);
    let era = era(Scope::Response);
    let expected = era
        .reference()
        .scale_batch(&lengths, &entropies, &advantages);
    assert!(expected.responses[1].entropy.is_nan() && !expected.responses[0].entropy.is_nan());
    let logits = tensor(&raw, &[RESPONSES, POSITIONS, VOCABULARY], Kind::Double);
    same(&era.scale_batch(&lengths, &logits, &advantages), &expected);
}

#[test]
fn halves_are_read_as_they_are() {
    let raw: Vec<f64> = (0..POSITIONS * VOCABULARY)
        .map(|i| f64::from(i as u8 % 7))
        .collect();
    let era = era(Scope::Response);
    let scaled = |kind| {
        let logits = tensor(&raw, &[1, POSITIONS, VOCABULARY], kind);
        era.scale_batch(&[POSITIONS], &logits, &[1.0; POSITIONS])
    };
    for kind in [Kind::Half, Kind::BFloat16] {
        same(&scaled(kind), &scaled(Kind::Float));
    }
}

fn refused(result: Result<ScaledBatch, TchError>, parts: &[&str]) {
    let message = result.expect_err("the call must be refused").to_string();
    for part in parts {
        assert!(message.contains(part), "{message:?} does not say {part:?}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let era = era(Scope::Response);
    let flat = Tensor::zeros([2, 2], tch::kind::FLOAT_CPU);
    refused(
        era.f_scale_batch(&[1, 1], &flat, &[1.0; 2]),
        &["[responses, positions, vocabulary]", "[2, 2]"],
    );
    let batch = Tensor::zeros([2, 3, 4], tch::kind::FLOAT_CPU);
    refused(
        era.f_scale_batch(&[1], &batch, &[1.0; 6]),
        &["1 lengths", "2 responses"],
    );
    refused(
        era.f_scale_batch(&[1, 1], &batch, &[1.0; 5]),
        &["5 advantages"],
    );
    refused(
        era.f_scale_batch(&[1, 4], &batch, &[1.0; 6]),
        &["4 tokens", "row of 3"],
    );
    let nothing = Tensor::zeros([2, 3, 0], tch::kind::FLOAT_CPU);
    refused(
        era.f_scale_batch(&[1, 1], &nothing, &[1.0; 6]),
        &["must have tokens"],
    );
    let integers = batch.to_kind(Kind::Int64);
    refused(
        era.f_scale_batch(&[1, 1], &integers, &[1.0; 6]),
        &["Int64", "Float"],
    );
    let empty = Tensor::zeros([0, 3, 4], tch::kind::FLOAT_CPU);
    assert!(era.scale_batch(&[], &empty, &[]).logit_factors.is_empty());
}
