//! The composed formulas, which no test can reach through a tensor on the CPU, against the reference: values and gradients.

use super::response::{Constants, Tokens, composed_entropies};
use super::{GaussianEra, SoftmaxEra};
use crate::{GaussianEraConfig, Inverse, SoftmaxEraConfig, Vocabulary, softmax_entropy};
use candle_core::{DType, Device, Result, Tensor, Var};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use std::num::NonZeroUsize;
use std::sync::Arc;

const DIMS: usize = 5;
const ROWS: usize = 7;
/// In `f32` the formulas lose a few digits in each step; in `f64` they have them.
const TYPES: [(DType, f64); 2] = [(DType::F32, 1e-5), (DType::F64, 1e-12)];

fn cases() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::with_cases(32)
    }
}

/// Random values that are exact in f32.
fn values(count: usize) -> impl Strategy<Value = Vec<f64>> {
    vec((-6.0..6.0).prop_map(|x| f64::from(x as f32)), count)
}

fn tensor(values: &[f64], dtype: DType) -> Tensor {
    let rows = values.len() / DIMS;
    let tensor = Tensor::from_slice(values, (rows, DIMS), &Device::Cpu);
    tensor.and_then(|t| t.to_dtype(dtype)).expect("whole rows")
}

fn read(tensor: &Tensor) -> Vec<f64> {
    let flat = tensor.to_dtype(DType::F64).and_then(|t| t.flatten_all());
    flat.and_then(|t| t.to_vec1()).expect("floats")
}

/// Value and gradient of a composed function for an upstream gradient.
fn run(
    raw: &[f64],
    upstream: &[f64],
    dtype: DType,
    function: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<(Vec<f64>, Vec<f64>)> {
    let raw = Var::from_tensor(&tensor(raw, dtype))?;
    let output = function(raw.as_tensor())?;
    let upstream = Tensor::from_slice(upstream, output.shape(), &Device::Cpu)?.to_dtype(dtype)?;
    let grads = output.mul(&upstream)?.sum_all()?.backward()?;
    let grad = grads.get(&raw).expect("the input is in the graph");
    Ok((read(&output), read(grad)))
}

fn close(what: &str, tolerance: f64, actual: &[f64], expected: &[f64]) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
        let error = (a - e).abs() / e.abs().max(1.0);
        assert!(error <= tolerance, "{what}, element {i}: {a} against {e}");
    }
}

fn classifier(target_entropy: f64, tau: f64, inverse: Inverse) -> crate::SoftmaxEra {
    let config = SoftmaxEraConfig {
        classes: DIMS,
        target_entropy,
        tau,
        inverse,
    };
    crate::SoftmaxEra::new(config).expect("settings in range")
}

/// At both ends of the range of targets too; at the upper end of a Gaussian's the slope is 0.
fn gaussians() -> Vec<crate::GaussianEra> {
    let official = GaussianEraConfig::official(DIMS);
    [official.target_per_dim, -2.0, crate::ENTROPY_OF_UNIT_NORMAL]
        .map(|target_per_dim| {
            let config = GaussianEraConfig {
                target_per_dim,
                ..official
            };
            crate::GaussianEra::new(config).expect("settings in range")
        })
        .to_vec()
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn the_gaussian_activation(raw in values(ROWS * DIMS), upstream in values(ROWS * DIMS)) {
        for reference in gaussians() {
            let (mut value, mut grad) = (vec![f64::NAN; raw.len()], vec![f64::NAN; raw.len()]);
            reference.log_std(&raw, &mut value);
            reference.log_std_vjp(&raw, &upstream, &mut grad);
            for (dtype, tolerance) in TYPES {
                let era = GaussianEra::new(reference);
                let (actual, actual_grad) = run(&raw, &upstream, dtype, |raw| era.composed(raw)).unwrap();
                close("log_std", tolerance, &actual, &value);
                // Terms of |slope| times the upstream gradient cancel in a row.
                let tolerance = tolerance * reference.slope().abs().max(1.0);
                close("its gradient", tolerance, &actual_grad, &grad);
            }
        }
    }

    #[test]
    fn the_classification_activation(raw in values(ROWS * DIMS), upstream in values(ROWS * DIMS)) {
        for inverse in [Inverse::Approximate, Inverse::Exact] {
            for target in [0.6, 0.0, 1.5] {
                let reference = classifier(target, 4.0, inverse);
                let (mut value, mut grad) = (vec![f64::NAN; raw.len()], vec![f64::NAN; raw.len()]);
                reference.logits(&raw, &mut value);
                reference.logits_vjp(&raw, &upstream, &mut grad);
                for (dtype, tolerance) in TYPES {
                    let era = SoftmaxEra::new(reference);
                    let (actual, actual_grad) = run(&raw, &upstream, dtype, |raw| era.composed(raw)).unwrap();
                    close("logits", tolerance, &actual, &value);
                    close("their gradient", tolerance, &actual_grad, &grad);
                }
            }
        }
    }

    #[test]
    fn the_log_probabilities_of_tokens(
        raw in values(ROWS * DIMS),
        upstream in values(ROWS),
        taken in vec(0..DIMS, ROWS),
        factors in vec(0.25..4.0, ROWS),
    ) {
        let largest = |count| Vocabulary::Largest(NonZeroUsize::new(count).unwrap());
        for vocabulary in [Vocabulary::Full, largest(2), largest(9)] {
            let rows = || raw.chunks(DIMS).zip(&taken).zip(&factors);
            let value: Vec<f64> = rows()
                .map(|((row, token), factor)| vocabulary.log_prob(row, *token, *factor))
                .collect();
            let mut grad = vec![f64::NAN; raw.len()];
            for ((((row, token), factor), up), grad) in rows().zip(&upstream).zip(grad.chunks_mut(DIMS)) {
                vocabulary.log_prob_vjp(row, *token, *factor, *up, grad);
            }
            let tokens = tokens(&taken, &factors, vocabulary);
            for (dtype, tolerance) in TYPES {
                let (actual, actual_grad) = run(&raw, &upstream, dtype, |raw| tokens.composed(raw)).unwrap();
                close("log p", tolerance, &actual, &value);
                close("its gradient", tolerance, &actual_grad, &grad);
            }
        }
    }

    #[test]
    fn the_entropies_of_tokens(raw in values(ROWS * DIMS)) {
        let expected: Vec<f64> = raw.chunks(DIMS).map(softmax_entropy).collect();
        for (dtype, tolerance) in TYPES {
            let actual = composed_entropies(&tensor(&raw, dtype)).unwrap();
            close("entropy", tolerance, &actual, &expected);
        }
    }
}

fn tokens(taken: &[usize], factors: &[f64], vocabulary: Vocabulary) -> Tokens {
    Tokens(Arc::new(Constants {
        taken: taken.to_vec(),
        factors: factors.to_vec(),
        vocabulary,
        width: DIMS,
    }))
}

/// Also where h reaches 1/e (tau = e) and 0 (the lower end of H0's range).
#[test]
fn extreme_logits_have_finite_values_and_gradients() {
    let rows = [
        [100.0, -100.0, -100.0, -100.0, -100.0],
        [100.0, 100.0, -100.0, 0.0, -100.0],
        [1e4, -1e4, 0.0, 1.0, -1e4],
        [0.0; DIMS],
    ];
    let raw = rows.concat();
    let upstream: Vec<f64> = (0..raw.len()).map(|i| i as f64 - 9.5).collect();
    let e = std::f64::consts::E;
    for (dtype, _) in TYPES {
        for (target, tau) in [(0.6, 4.0), (0.6, e), (0.0, e)] {
            for inverse in [Inverse::Approximate, Inverse::Exact] {
                let era = SoftmaxEra::new(classifier(target, tau, inverse));
                let (value, grad) = run(&raw, &upstream, dtype, |raw| era.composed(raw)).unwrap();
                let all = || value.iter().chain(&grad);
                assert!(
                    all().all(|x| x.is_finite()),
                    "{dtype:?} {era:?}: {value:?} {grad:?}"
                );
            }
        }
        for reference in gaussians() {
            let era = GaussianEra::new(reference);
            let (value, grad) = run(&raw, &upstream, dtype, |raw| era.composed(raw)).unwrap();
            assert!(
                value.iter().chain(&grad).all(|x| x.is_finite()),
                "{dtype:?} {era:?}"
            );
        }
    }
}

/// NaN shows in its own row; a token that is ruled out moves nothing.
#[test]
fn odd_logits_are_the_references() {
    let mut raw = [0.5, -1.0, 2.0, 0.0, 0.0].repeat(2);
    raw[1] = f64::NAN;
    let gaussian = GaussianEra::new(gaussians()[0]);
    let softmax = SoftmaxEra::new(classifier(0.6, 4.0, Inverse::Exact));
    let two = Vocabulary::Largest(NonZeroUsize::MIN.saturating_add(1));
    let log_probs = [Vocabulary::Full, two].map(|v| tokens(&[3, 3], &[2.0, 2.0], v));
    for (dtype, _) in TYPES {
        let raw = tensor(&raw, dtype);
        for output in [gaussian.composed(&raw), softmax.composed(&raw)] {
            let output = read(&output.unwrap());
            let (first, second) = output.split_at(DIMS);
            assert!(first.iter().all(|x| x.is_nan()), "{first:?}");
            assert!(second.iter().all(|x| x.is_finite()), "{second:?}");
        }
        for tokens in &log_probs {
            let output = read(&tokens.composed(&raw).unwrap());
            assert!(output[0].is_nan() && output[1].is_finite(), "{output:?}");
        }

        let ruled_out = [0.0, 0.0, 0.0, f64::NEG_INFINITY, 0.0];
        let one = tokens(&[1], &[2.0], Vocabulary::Full);
        let (value, grad) = run(&ruled_out, &[1.0], dtype, |raw| one.composed(raw)).unwrap();
        close("log p", 1e-6, &value, &[-(4.0_f64.ln())]);
        close("its gradient", 1e-6, &grad, &[-0.5, 1.5, -0.5, 0.0, -0.5]);
        let entropy = composed_entropies(&tensor(&ruled_out, dtype)).unwrap();
        close("entropy", 1e-6, &entropy, &[4.0_f64.ln()]);
    }
    let none = tensor(&[], DType::F32);
    let empty = tokens(&[], &[], Vocabulary::Full).composed(&none).unwrap();
    assert_eq!(empty.dims(), [0]);
}
