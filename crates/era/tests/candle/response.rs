//! A batch of responses is scaled as the reference scales it.

use crate::{TYPES, cases, tensor};
use candle_core::{DType, Result};
use era::candle::ResponseEra;
use era::{ResponseEraConfig, ScaledBatch, Scope, token_entropies};
use proptest::collection::vec;
use proptest::prelude::*;

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
        let shape = (RESPONSES, POSITIONS, VOCABULARY);
        for scope in [Scope::Response, Scope::TopTokens] {
            let era = era(scope);
            let expected = era.reference().scale_batch(&lengths, &entropies, &advantages);
            for (dtype, _) in TYPES {
                let logits = tensor(&raw, shape, dtype);
                // The same logits, strided.
                let strided = logits.permute((2, 0, 1)).unwrap().contiguous().unwrap();
                let strided = strided.permute((1, 2, 0)).unwrap();
                prop_assert!(!strided.is_contiguous());
                for logits in [logits, strided] {
                    let scaled = era.scale_batch(&lengths, &logits, &advantages).unwrap();
                    same(&scaled, &expected);
                }
            }
        }
    }
}

/// Compared by their text, in which a NaN is equal to itself.
fn same(ours: &ScaledBatch, expected: &ScaledBatch) {
    assert_eq!(format!("{ours:?}"), format!("{expected:?}"));
}

#[test]
fn halves_are_read_as_they_are() {
    let raw: Vec<f64> = (0..POSITIONS * VOCABULARY)
        .map(|i| f64::from(i as u8 % 7))
        .collect();
    let era = era(Scope::Response);
    let scaled = |dtype| {
        let logits = tensor(&raw, (1, POSITIONS, VOCABULARY), dtype);
        era.scale_batch(&[POSITIONS], &logits, &[1.0; POSITIONS])
            .unwrap()
    };
    for dtype in [DType::F16, DType::BF16] {
        same(&scaled(dtype), &scaled(DType::F32));
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let era = era(Scope::Response);
    let logits = |shape: (usize, usize, usize)| {
        tensor(&vec![0.0; shape.0 * shape.1 * shape.2], shape, DType::F32)
    };
    let refused = |result: Result<ScaledBatch>, parts: &[&str]| {
        let message = result.expect_err("the call must be refused").to_string();
        for part in parts {
            assert!(message.contains(part), "{message:?} does not say {part:?}");
        }
    };
    let flat = tensor(&[0.0; 4], (2, 2), DType::F32);
    refused(
        era.scale_batch(&[1, 1], &flat, &[1.0; 2]),
        &["[responses, positions, vocabulary]", "[2, 2]"],
    );
    let batch = logits((2, 3, 4));
    refused(
        era.scale_batch(&[1], &batch, &[1.0; 6]),
        &["1 lengths", "2 responses"],
    );
    refused(
        era.scale_batch(&[1, 1], &batch, &[1.0; 5]),
        &["5 advantages"],
    );
    refused(
        era.scale_batch(&[1, 4], &batch, &[1.0; 6]),
        &["4 tokens", "row of 3"],
    );
    refused(
        era.scale_batch(&[1, 1], &logits((2, 3, 0)), &[1.0; 6]),
        &["must have tokens"],
    );
    let integers = batch.to_dtype(DType::I64).unwrap();
    refused(
        era.scale_batch(&[1, 1], &integers, &[1.0; 6]),
        &["I64", "f32"],
    );
    let empty = era.scale_batch(&[], &logits((0, 3, 4)), &[]).unwrap();
    assert!(empty.logit_factors.is_empty());
}
