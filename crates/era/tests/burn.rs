//! The burn adapter in f32 against the f64 reference on random inputs, on each of its paths into the graph.
//!
//! Values and gradients agree to 1e-5 relative to max(1, |expected|) for sigma between e^-5 and e: the adapter computes in f64 and its
//! inputs are exact in f32, so what is left is the rounding of the results. Only the activation's sums of a row in f32 add to it.
#![cfg(feature = "burn")]

use burn::tensor::{DType, Device, GradientCheckpointingStrategy, Tensor, TensorData};
use era::burn::{GaussianEra, SoftmaxEra, TanhNormal, TruncatedNormal, log_probs};
use era::{GaussianEraConfig, Inverse, SoftmaxEraConfig, Vocabulary, WithGradient};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use std::num::NonZeroUsize;

const DIMS: usize = 5;
const ROWS: usize = 13; // 65 elements: two whole blocks and one of a single element

fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::with_cases(32)
    }
}

/// How a tensor can enter the graph.
#[derive(Clone, Copy, Debug)]
enum Path {
    /// f32 on Flex: a custom node.
    Custom,
    /// Another checkpointing strategy is another backend type: composed of primitives, as on any other engine.
    Composed,
    /// f64 on Flex.
    Double,
}

const PATHS: [Path; 3] = [Path::Custom, Path::Composed, Path::Double];

impl Path {
    fn tensor(self, values: &[f64]) -> Tensor<2> {
        let device = Device::flex().autodiff();
        let data = TensorData::new(values.to_vec(), [values.len() / DIMS, DIMS]);
        match self {
            Self::Custom => Tensor::from_data(data, (&device, DType::F32)),
            Self::Composed => Tensor::from_data(data, (&device, DType::F32))
                .with_gradient_checkpointing_strategy(GradientCheckpointingStrategy::Balanced),
            Self::Double => Tensor::from_data(data, (&device, DType::F64)),
        }
    }
}

/// Random values that are exact in f32.
fn values(low: f64, high: f64) -> impl Strategy<Value = Vec<f64>> {
    vec((low..high).prop_map(|x| f64::from(x as f32)), ROWS * DIMS)
}

fn read(tensor: Tensor<2>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

fn close(what: &str, path: Path, actual: &[f64], expected: &[f64]) -> Result<(), TestCaseError> {
    prop_assert_eq!(actual.len(), expected.len());
    for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
        let error = (a - e).abs() / e.abs().max(1.0);
        prop_assert!(
            error <= 1e-5,
            "{what}, {path:?}, element {i}: {a} against {e}"
        );
    }
    Ok(())
}

/// Compares a function's values and gradients with the reference `expected`, for an upstream gradient of `weights`.
fn agrees(
    what: &str,
    path: Path,
    inputs: [&[f64]; 2],
    weights: &[f64],
    function: impl Fn(Tensor<2>, Tensor<2>) -> Tensor<2>,
    expected: impl Fn(usize) -> WithGradient,
) -> Result<(), TestCaseError> {
    let [mean, log_std] = inputs.map(|values| path.tensor(values).require_grad());
    let output = function(mean.clone(), log_std.clone());
    let summed = output.dims()[1] == 1;
    let reference: Vec<WithGradient> = (0..ROWS * DIMS).map(expected).collect();
    let value: Vec<f64> = if summed {
        reference
            .chunks(DIMS)
            .map(|row| row.iter().map(|w| w.value).sum())
            .collect()
    } else {
        reference.iter().map(|w| w.value).collect()
    };
    close(what, path, &read(output.clone()), &value)?;

    let upstream: Vec<f64> = if summed {
        // The same weight for a row's dimensions: the first one's.
        weights
            .chunks(DIMS)
            .flat_map(|row| [row[0]; DIMS])
            .collect()
    } else {
        weights.to_vec()
    };
    let upstream_tensor = path.tensor(&upstream);
    let upstream_tensor = if summed {
        upstream_tensor.narrow(1, 0, 1)
    } else {
        upstream_tensor
    };
    let grads = (output * upstream_tensor).sum().backward();
    let weighted = |get: fn(&WithGradient) -> f64| -> Vec<f64> {
        reference
            .iter()
            .zip(&upstream)
            .map(|(w, g)| get(w) * g)
            .collect()
    };
    close(
        what,
        path,
        &read(mean.grad(&grads).expect("the mean is tracked")),
        &weighted(|w| w.d_mean),
    )?;
    close(
        what,
        path,
        &read(log_std.grad(&grads).expect("the log std is tracked")),
        &weighted(|w| w.d_log_std),
    )
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_activation(raw in values(-6.0, 6.0), weights in values(-1.0, 1.0)) {
        let reference = era::GaussianEra::new(GaussianEraConfig::official(DIMS)).unwrap();
        let mut log_std = vec![f64::NAN; raw.len()];
        let mut grad_raw = vec![f64::NAN; raw.len()];
        reference.log_std(&raw, &mut log_std);
        reference.log_std_vjp(&raw, &weights, &mut grad_raw);
        for path in PATHS {
            let tensor = path.tensor(&raw).require_grad();
            let output = GaussianEra::new(reference).log_std(tensor.clone());
            close("log_std", path, &read(output.clone()), &log_std)?;
            let grads = (output * path.tensor(&weights)).sum().backward();
            close("grad_raw", path, &read(tensor.grad(&grads).unwrap()), &grad_raw)?;
        }
        let plain = path_free(&raw);
        close("log_std", Path::Custom, &read(GaussianEra::new(reference).log_std(plain)), &log_std)?;
    }

    #[test]
    fn the_classification_activation(raw in values(-6.0, 6.0), weights in values(-1.0, 1.0)) {
        for inverse in [Inverse::Approximate, Inverse::Exact] {
            let reference = classifier(0.6, 4.0, inverse);
            let (mut logits, mut grad_raw) = (vec![f64::NAN; raw.len()], vec![f64::NAN; raw.len()]);
            reference.logits(&raw, &mut logits);
            reference.logits_vjp(&raw, &weights, &mut grad_raw);
            for path in PATHS {
                let tensor = path.tensor(&raw).require_grad();
                let output = SoftmaxEra::new(reference).logits(tensor.clone());
                close("logits", path, &read(output.clone()), &logits)?;
                let grads = (output * path.tensor(&weights)).sum().backward();
                close("grad_raw", path, &read(tensor.grad(&grads).unwrap()), &grad_raw)?;
            }
            let plain = SoftmaxEra::new(reference).logits(path_free(&raw));
            close("logits", Path::Custom, &read(plain), &logits)?;
        }
    }

    #[test]
    fn the_log_probabilities_of_tokens(
        raw in values(-6.0, 6.0),
        weights in values(-1.0, 1.0),
        taken in vec(0..DIMS, ROWS),
        factors in vec(0.25..4.0, ROWS),
    ) {
        let weights = &weights[..ROWS];
        let largest = |count| Vocabulary::Largest(NonZeroUsize::new(count).unwrap());
        for vocabulary in [Vocabulary::Full, largest(2), largest(9)] {
            let rows = || raw.chunks(DIMS).zip(&taken).zip(&factors);
            let values: Vec<f64> = rows()
                .map(|((row, token), factor)| vocabulary.log_prob(row, *token, *factor))
                .collect();
            let mut grad_raw = vec![f64::NAN; raw.len()];
            for ((((row, token), factor), weight), grad) in rows().zip(weights).zip(grad_raw.chunks_mut(DIMS)) {
                vocabulary.log_prob_vjp(row, *token, *factor, *weight, grad);
            }
            for path in PATHS {
                let tensor = path.tensor(&raw).require_grad();
                let output = log_probs(tensor.clone(), &taken, &factors, vocabulary);
                let read_one = |tensor: Tensor<1>| read(tensor.unsqueeze_dim(1));
                close("log p", path, &read_one(output.clone()), &values)?;
                let upstream = TensorData::new(weights.to_vec(), [ROWS]);
                let upstream = Tensor::<1>::from_data(upstream, (&output.device(), output.dtype()));
                let grads = (output * upstream).sum().backward();
                close("grad", path, &read(tensor.grad(&grads).unwrap()), &grad_raw)?;
                // Outside autodiff.
                let plain = log_probs(path_free(&raw), &taken, &factors, vocabulary);
                close("log p", path, &read_one(plain), &values)?;
            }
        }
    }

    #[test]
    fn the_truncated_normal(
        mean in values(-3.0, 3.0),
        log_std in values(-5.0, 1.0),
        uniform in values(0.001, 0.999),
        weights in values(-1.0, 1.0),
    ) {
        let (policy, reference) = (TruncatedNormal::default(), era::TruncatedNormal::default());
        let inputs = [mean.as_slice(), log_std.as_slice()];
        let at = |i: usize| (mean[i], log_std[i]);
        for path in PATHS {
            let u = path.tensor(&uniform);
            agrees("sample", path, inputs, &weights, |m, s| policy.sample(m, s, u.clone()), |i| {
                reference.sample_with_gradient(at(i).0, at(i).1, uniform[i])
            })?;
            agrees(
                "log_prob of the sample", path, inputs, &weights,
                |m, s| policy.sample_with_log_prob(m, s, u.clone()).1,
                |i| reference.sample_log_prob(at(i).0, at(i).1, uniform[i]),
            )?;
            // Any number can serve as an action; near the mean its density is of a size that a policy meets.
            let actions: Vec<f64> = mean.iter().map(|m| f64::from((m.tanh() * 0.999) as f32)).collect();
            agrees(
                "log_prob", path, inputs, &weights,
                |m, s| policy.log_prob(m, s, path.tensor(&actions)),
                |i| reference.log_prob(at(i).0, at(i).1, actions[i]),
            )?;
            agrees("entropy", path, inputs, &weights, |m, s| policy.entropy(m, s), |i| {
                reference.entropy(at(i).0, at(i).1)
            })?;
        }
    }

    #[test]
    fn the_tanh_normal(
        mean in values(-3.0, 3.0),
        log_std in values(-5.0, 1.0),
        noise in values(-4.0, 4.0),
        weights in values(-1.0, 1.0),
    ) {
        let inputs = [mean.as_slice(), log_std.as_slice()];
        for path in PATHS {
            let eps = path.tensor(&noise);
            agrees("sample", path, inputs, &weights, |m, s| TanhNormal.sample(m, s, eps.clone()), |i| {
                era::TanhNormal.draw(mean[i], log_std[i], noise[i]).0
            })?;
            agrees(
                "log_prob of the sample", path, inputs, &weights,
                |m, s| TanhNormal.sample_with_log_prob(m, s, eps.clone()).1,
                |i| era::TanhNormal.draw(mean[i], log_std[i], noise[i]).1,
            )?;
            agrees("entropy", path, inputs, &weights, |m, s| TanhNormal.entropy(m, s), |i| {
                era::TanhNormal.entropy(mean[i], log_std[i])
            })?;
        }
    }

    /// Tensors outside autodiff (acting, targets) take a path of their own, without derivatives.
    #[test]
    fn values_outside_autodiff_are_those_inside(
        mean in values(-3.0, 3.0),
        log_std in values(-5.0, 1.0),
        uniform in values(0.0, 1.0),
    ) {
        let policy = TruncatedNormal::default();
        let tracked = |values: &[f64]| Path::Custom.tensor(values).require_grad();
        let inside = policy.sample_with_log_prob(
            tracked(&mean), tracked(&log_std), Path::Custom.tensor(&uniform),
        );
        let outside = policy.sample_with_log_prob(
            path_free(&mean), path_free(&log_std), path_free(&uniform),
        );
        prop_assert_eq!(read(inside.0), read(outside.0));
        prop_assert_eq!(read(inside.1), read(outside.1));
    }
}

fn classifier(target_entropy: f64, tau: f64, inverse: Inverse) -> era::SoftmaxEra {
    era::SoftmaxEra::new(SoftmaxEraConfig {
        classes: DIMS,
        target_entropy,
        tau,
        inverse,
    })
    .expect("settings in range")
}

/// Also where h reaches 1/e (tau = e) and 0 (the lower end of H0's range), on every path.
#[test]
fn extreme_logits_have_finite_classifications_and_gradients() {
    let e = std::f64::consts::E;
    let rows = [
        [100.0, -100.0, -100.0, -100.0, -100.0],
        [100.0, 100.0, -100.0, 0.0, -100.0],
        [1e4, -1e4, 0.0, 1.0, -1e4],
        [0.0; DIMS],
    ];
    let raw = rows.concat();
    let weights: Vec<f64> = (0..raw.len()).map(|i| f64::from(i as u8) - 9.5).collect();
    for (target, tau) in [(0.6, 4.0), (0.6, e), (0.0, e)] {
        for inverse in [Inverse::Approximate, Inverse::Exact] {
            let era = SoftmaxEra::new(classifier(target, tau, inverse));
            for path in PATHS {
                let tensor = path.tensor(&raw).require_grad();
                let output = era.logits(tensor.clone());
                let grads = (output.clone() * path.tensor(&weights)).sum().backward();
                for values in [output, tensor.grad(&grads).unwrap()] {
                    let values = read(values);
                    assert!(
                        values.iter().all(|x| x.is_finite()),
                        "{path:?} {era:?}: {values:?}"
                    );
                }
            }
        }
    }
}

/// An f32 tensor on Flex without autodiff.
fn path_free(values: &[f64]) -> Tensor<2> {
    let data = TensorData::new(values.to_vec(), [values.len() / DIMS, DIMS]);
    Tensor::from_data(data, (&Device::flex(), DType::F32))
}

/// From the raw head output to an action and on to a loss: the chain of the two custom nodes.
#[test]
fn gradients_flow_from_the_action_to_the_raw_output() {
    let reference = era::GaussianEra::new(GaussianEraConfig::official(DIMS)).unwrap();
    let raw: Vec<f64> = (0..DIMS).map(|i| 0.25 * i as f64 - 0.5).collect();
    let mean: Vec<f64> = (0..DIMS).map(|i| 0.5 - 0.125 * i as f64).collect();
    let uniform = [0.125, 0.5, 0.75, 0.25, 0.9375];

    let raw_tensor = Path::Custom.tensor(&raw).require_grad();
    let log_std = GaussianEra::new(reference).log_std(raw_tensor.clone());
    // The mean is a constant here: only one of the node's parents is tracked.
    let action = TruncatedNormal::default().sample(
        Path::Custom.tensor(&mean),
        log_std,
        Path::Custom.tensor(&uniform),
    );
    let grads = action.sum().backward();

    let mut log_std = vec![0.0; DIMS];
    reference.log_std(&raw, &mut log_std);
    let policy = era::TruncatedNormal::default();
    let upstream: Vec<f64> = (0..DIMS)
        .map(|i| {
            policy
                .sample_with_gradient(mean[i], log_std[i], uniform[i])
                .d_log_std
        })
        .collect();
    let mut expected = vec![0.0; DIMS];
    reference.log_std_vjp(&raw, &upstream, &mut expected);
    for (a, e) in read(raw_tensor.grad(&grads).unwrap()).iter().zip(&expected) {
        assert!((a - e).abs() < 1e-6, "{a} against {e}");
    }
}

#[test]
fn the_mode_is_the_slices_mode() {
    let mean: Vec<f64> = (0..DIMS).map(|i| 5.0 * i as f64 - 10.0).collect();
    let mut expected = vec![0.0; DIMS];
    era::TruncatedNormal::default().mode(&mean, &mut expected);
    let actual = read(TruncatedNormal::default().mode(path_free(&mean)));
    for (a, e) in actual.iter().zip(&expected) {
        assert!((a - e).abs() < 1e-6 && a.abs() < 1.0, "{a} against {e}");
    }
}

#[test]
fn a_token_that_is_ruled_out_moves_nothing() {
    let mut raw = [0.0; DIMS];
    raw[3] = f64::NEG_INFINITY;
    let tensor = Path::Custom.tensor(&raw).require_grad();
    let output = log_probs(tensor.clone(), &[1], &[2.0], Vocabulary::Full);
    let value: f64 = output.clone().into_scalar::<f32>().into();
    assert!((value + 4.0_f64.ln()).abs() < 1e-6, "{value}");
    let grads = output.backward();
    let grads = read(tensor.grad(&grads).unwrap());
    assert_eq!(grads, [-0.5, 1.5, -0.5, 0.0, -0.5]);
    let none = Path::Custom.tensor(&[]).require_grad();
    assert_eq!(log_probs(none, &[], &[], Vocabulary::Full).dims(), [0]);
}
