//! The candle adapter against the same numbers, values and gradients.
//!
//! In `f64` as the reference is; in `f32` the fixture's inputs are rounded first, which its raw values of up to 1e4 make visible, and the
//! official `f32` itself is up to 1.2e-5 from its `f64`. So there the numbers are also those that the reference has on the rounded inputs.

use crate::{assert_close, era_gaussian, era_response, era_softmax, fixture};
use candle_core::{DType, Device, Result, Tensor, Var};
use era::candle::{GaussianEra, ResponseEra, SoftmaxEra, log_probs};

/// The function of a variable that holds rows, and the gradient of its sum with these weights.
fn run(
    raw: &[f64],
    weights: &[f64],
    dims: usize,
    dtype: DType,
    function: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<[Vec<f64>; 2]> {
    let tensor = |values: &[f64]| {
        let shape = (values.len() / dims, dims);
        Tensor::from_slice(values, shape, &Device::Cpu)?.to_dtype(dtype)
    };
    let raw = Var::from_tensor(&tensor(raw)?)?;
    let output = function(&raw)?;
    let grads = output.mul(&tensor(weights)?)?.sum_all()?.backward()?;
    let grad = grads.get(&raw).expect("the input is in the graph");
    Ok([read(&output)?, read(grad)?])
}

fn read(tensor: &Tensor) -> Result<Vec<f64>> {
    tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1()
}

fn compare(what: &str, tolerance: f64, actual: &[f64], expected: &[f64]) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    let pairs = actual.iter().copied().zip(expected.iter().copied());
    assert_close(what, tolerance, pairs);
}

fn rounded(values: &[f64]) -> Vec<f64> {
    values.iter().map(|x| f64::from(*x as f32)).collect()
}

#[test]
fn the_activation_and_its_gradient() {
    let fixture: era_gaussian::Fixture = fixture("era_gaussian");
    for (block, case, reference) in era_gaussian::feasible(&fixture) {
        let (dims, raw, weights) = (block.action_dim, &block.raw.data, &block.w.data);
        let era = GaussianEra::new(reference);
        let log_std = |raw: &Tensor| era.log_std(raw);
        let [value, grad] = run(raw, weights, dims, DType::F64, log_std).unwrap();
        compare("log_std", 1e-10, &value, &case.log_std.data);
        compare("grad_raw", 1e-10, &grad, &case.grad_raw.data);

        let [value, grad] = run(raw, weights, dims, DType::F32, log_std).unwrap();
        compare("log_std in f32", 2e-5, &value, &case.log_std.data);
        compare("grad_raw in f32", 2e-5, &grad, &case.grad_raw.data);
        let (raw, weights) = (rounded(raw), rounded(weights));
        let mut expected = [vec![f64::NAN; raw.len()], vec![f64::NAN; raw.len()]];
        reference.log_std(&raw, &mut expected[0]);
        reference.log_std_vjp(&raw, &weights, &mut expected[1]);
        compare("log_std of rounded inputs", 1e-5, &value, &expected[0]);
        compare("grad_raw of rounded inputs", 1e-5, &grad, &expected[1]);
    }
}

#[test]
fn the_classification_activation_and_its_gradient() {
    let fixture: era_softmax::Fixture = fixture("era_softmax");
    fixture.each(|block, _, expected| {
        let label = &expected.label;
        let (classes, raw) = (block.classes, &block.logits.data);
        let (_, upstream) = block.cross_entropy(&expected.z);
        let reference = expected.era;
        let era = SoftmaxEra::new(reference);
        let logits = |raw: &Tensor| era.logits(raw);
        let [double, double_grad] = run(raw, &upstream, classes, DType::F64, logits).unwrap();
        compare(label, 1e-10, &double, &expected.z);
        let [single, single_grad] = run(raw, &upstream, classes, DType::F32, logits).unwrap();
        compare(label, 2e-6, &single, &expected.z);
        if let Some(gradient) = &expected.gradient {
            compare(label, 1e-10, &double_grad, gradient);
            compare(label, 1e-6, &single_grad, gradient);
        }
        let (raw, upstream) = (rounded(raw), rounded(&upstream));
        let mut expected = [vec![f64::NAN; raw.len()], vec![f64::NAN; raw.len()]];
        reference.logits(&raw, &mut expected[0]);
        reference.logits_vjp(&raw, &upstream, &mut expected[1]);
        compare(label, 1e-6, &single, &expected[0]);
        compare(label, 1e-6, &single_grad, &expected[1]);
    });
}

/// From the batch's logits to factors and advantages, log-probabilities and the gradient of the official loss.
#[test]
fn the_activation_for_language_models_and_its_gradient() {
    // In `f32` the logits are rounded and then multiplied by up to k.
    for (dtype, tolerance, gradients) in [(DType::F64, 1e-12, 1e-14), (DType::F32, 1e-5, 1e-6)] {
        let mut compared = 0;
        era_response::each(|case, variant, label| {
            compared +=
                usize::from(responses(case, variant, label, dtype, tolerance, gradients).unwrap());
        });
        assert_eq!(compared, 17);
    }
}

/// Compares one case; says whether it has gradients.
fn responses(
    case: &era_response::Case,
    variant: &era_response::Variant,
    label: &str,
    dtype: DType,
    tolerance: f64,
    gradients: f64,
) -> Result<bool> {
    let lengths = case.lengths();
    let shape = (lengths.len(), case.positions, case.vocabulary);
    let logits = Tensor::from_slice(&case.logits.data, shape, &Device::Cpu)?;
    let logits = Var::from_tensor(&logits.to_dtype(dtype)?)?;
    let advantages: Vec<f64> = (0..lengths.len() * case.positions)
        .map(|i| case.advantages.data[i / case.positions])
        .collect();
    let era = ResponseEra::new(variant.era(case));
    let scaled = era.scale_batch(&lengths, &logits, &advantages)?;
    let rows = logits.flatten_to(1)?;
    let (taken, factors) = (&case.actions.data, &scaled.logit_factors);
    let log_probs = log_probs(&rows, taken, factors, variant.vocabulary())?;
    let values = read(&log_probs)?;
    for (what, ours, theirs) in [
        ("factor", factors, &variant.logit_scale),
        ("advantage", &scaled.advantages, &variant.adv_scaled),
        ("log-probability", &values, &variant.log_prob),
    ] {
        let pairs = case.tokens().map(|i| (ours[i], theirs.data[i]));
        assert_close(&format!("{what}, {label}"), tolerance, pairs);
    }
    let Some(gradient) = &variant.grad else {
        return Ok(false);
    };
    let count = case.tokens().count() as f64;
    let mut slopes = vec![0.0; values.len()];
    for i in case.tokens() {
        let old = if variant.on_policy {
            values[i]
        } else {
            case.old_log_prob_off_policy.data[i]
        };
        slopes[i] = variant.surrogate(values[i], old, scaled.advantages[i]).1 / count;
    }
    let slopes = Tensor::new(slopes, &Device::Cpu)?;
    let loss = log_probs.mul(&slopes.to_dtype(dtype)?)?;
    let grads = loss.sum_all()?.backward()?;
    let grad = grads.get(&logits).expect("the logits are in the graph");
    let label = format!("gradient, {label}");
    compare(&label, gradients, &read(grad)?, &gradient.data);
    Ok(true)
}
