//! Extreme logits, odd shapes and types, and what is refused.

use crate::{DIMS, TYPES, View, classifier, close, gaussian, read, run, tensor};
use candle_core::{DType, Device, Error, Module, Result, Tensor, Var};
use era::candle::{GaussianEra, SoftmaxEra, log_probs};
use era::{ENTROPY_OF_UNIT_NORMAL, GaussianEraConfig, Inverse, Vocabulary};

/// Also where h reaches 1/e (tau = e) and 0 (the lower end of H0's range).
#[test]
fn extreme_logits_have_finite_values_and_gradients() {
    let rows = [
        [100.0, -100.0, -100.0, -100.0, -100.0],
        [100.0, 100.0, -100.0, 0.0, -100.0],
        [-100.0; DIMS],
        [1e4, -1e4, 0.0, 1.0, -1e4],
    ];
    let raw = rows.concat();
    let upstream: Vec<f64> = (0..raw.len()).map(|i| i as f64 - 9.5).collect();
    let finite = |what: &str, function: &dyn Fn(&Tensor) -> Result<Tensor>, outputs: usize| {
        for (dtype, _) in TYPES {
            let up = &upstream[..outputs];
            let (value, grad) = run(View::Plain, &raw, up, dtype, function).unwrap();
            let mut all = value.iter().chain(&grad);
            assert!(
                all.all(|x| x.is_finite()),
                "{what} in {dtype:?}: {value:?} {grad:?}"
            );
        }
    };
    let era = GaussianEra::new(gaussian());
    finite("log_std", &|raw| era.log_std(raw), raw.len());
    let e = std::f64::consts::E;
    for (target, tau) in [(0.6, 4.0), (0.6, e), (0.0, e)] {
        for inverse in [Inverse::Approximate, Inverse::Exact] {
            let era = SoftmaxEra::new(classifier(target, tau, inverse));
            finite("logits", &|raw| era.logits(raw), raw.len());
        }
    }
    for vocabulary in [Vocabulary::Full, Vocabulary::OFFICIAL] {
        let factors = [2.0, 0.5, 1.0, 2.0];
        finite(
            "log p",
            &|raw| log_probs(raw, &[1, 3, 0, 4], &factors, vocabulary),
            4,
        );
    }
}

/// Rows lie along the last dimension, whatever stands before it.
#[test]
fn any_rank_is_rows() {
    let raw: Vec<f64> = (0..6 * DIMS)
        .map(|i| (i as f64 * 0.7).sin() * 3.0)
        .collect();
    let (gaussian, softmax) = (
        GaussianEra::new(gaussian()),
        SoftmaxEra::new(classifier(0.6, 4.0, Inverse::Exact)),
    );
    let flat = tensor(&raw, (6, DIMS), DType::F64);
    let deep = tensor(&raw, (2, 3, DIMS), DType::F64);
    let one = tensor(&raw[..DIMS], DIMS, DType::F64);
    let layers: [&dyn Module; 2] = [&gaussian, &softmax];
    for layer in layers {
        let expected = read(&layer.forward(&flat).unwrap());
        let output = layer.forward(&deep).unwrap();
        assert_eq!(output.dims(), [2, 3, DIMS]);
        assert_eq!(read(&output), expected);
        assert_eq!(read(&layer.forward(&one).unwrap()), expected[..DIMS]);
    }
}

#[test]
fn a_batch_may_be_empty() {
    for (dtype, _) in TYPES {
        let none = Var::from_tensor(&tensor(&[], (0, DIMS), dtype)).unwrap();
        let outputs = [
            GaussianEra::new(gaussian()).log_std(&none),
            SoftmaxEra::new(classifier(0.6, 4.0, Inverse::Exact)).logits(&none),
            log_probs(&none, &[], &[], Vocabulary::Full),
        ];
        for output in outputs {
            let output = output.unwrap();
            assert_eq!(output.dim(0).unwrap(), 0);
            let grads = output.sum_all().unwrap().backward().unwrap();
            assert_eq!(grads.get(&none).unwrap().dims(), [0, DIMS]);
        }
    }
}

/// Computed in f32, in halves at both ends; log-probabilities stay f32.
#[test]
fn halves_are_computed_in_f32() {
    let raw: Vec<f64> = (0..2 * DIMS)
        .map(|i| f64::from(i as u8) * 0.5 - 2.0)
        .collect();
    let upstream = [0.5, -1.0, 2.0, 0.25, 1.0].repeat(2);
    let reference = classifier(0.6, 4.0, Inverse::Exact);
    let (mut value, mut grad) = (vec![0.0; raw.len()], vec![0.0; raw.len()]);
    reference.logits(&raw, &mut value);
    reference.logits_vjp(&raw, &upstream, &mut grad);
    for (dtype, tolerance) in [(DType::F16, 1e-3), (DType::BF16, 8e-3)] {
        let era = SoftmaxEra::new(reference);
        let (ours, our_grad) =
            run(View::Plain, &raw, &upstream, dtype, |raw| era.logits(raw)).unwrap();
        close("logits", tolerance, &ours, &value);
        close("their gradient", tolerance, &our_grad, &grad);
        let raw = Var::from_tensor(&tensor(&raw, (2, DIMS), dtype)).unwrap();
        let log_std = GaussianEra::new(gaussian()).log_std(&raw).unwrap();
        assert_eq!(log_std.dtype(), dtype);
        let log_probs = log_probs(&raw, &[1, 2], &[2.0, 0.5], Vocabulary::Full).unwrap();
        assert_eq!(log_probs.dtype(), DType::F32);
        let grads = log_probs.sum_all().unwrap().backward().unwrap();
        assert_eq!(grads.get(&raw).unwrap().dtype(), dtype);
    }
}

#[test]
fn nan_stays_in_its_row() {
    let mut raw = [0.5, -1.0, 2.0, 0.0, 0.0].repeat(2);
    raw[1] = f64::NAN;
    for (dtype, _) in TYPES {
        let raw = tensor(&raw, (2, DIMS), dtype);
        let outputs = [
            GaussianEra::new(gaussian()).log_std(&raw),
            SoftmaxEra::new(classifier(0.6, 4.0, Inverse::Exact)).logits(&raw),
        ];
        for output in outputs {
            let output = read(&output.unwrap());
            let (first, second) = output.split_at(DIMS);
            assert!(first.iter().all(|x| x.is_nan()) && second.iter().all(|x| x.is_finite()));
        }
        let output = read(&log_probs(&raw, &[3, 3], &[2.0, 2.0], Vocabulary::Full).unwrap());
        assert!(output[0].is_nan() && output[1].is_finite());
    }
}

/// The largest feasible target leaves nothing to allocate: the gradient is zero, but it is there.
#[test]
fn a_gradient_of_zero_is_a_gradient() {
    let config = GaussianEraConfig {
        target_per_dim: ENTROPY_OF_UNIT_NORMAL,
        ..GaussianEraConfig::official(DIMS)
    };
    let era = GaussianEra::new(era::GaussianEra::new(config).unwrap());
    let raw = [3.0, 1.0, -2.0, 0.0, 0.5];
    let (value, grad) = run(View::Plain, &raw, &[1.0; DIMS], DType::F32, |raw| {
        era.log_std(raw)
    })
    .unwrap();
    assert_eq!(
        (value, grad.iter().map(|x| x.abs()).collect()),
        (vec![0.0; DIMS], vec![0.0; DIMS])
    );
}

/// Taken for zero without a word, it would spoil a penalty on gradients.
#[test]
fn a_second_derivative_is_refused() {
    let raw = Var::from_tensor(&tensor(&[0.0; DIMS], (1, DIMS), DType::F64)).unwrap();
    let loss = GaussianEra::new(gaussian()).log_std(&raw).unwrap();
    let grads = loss.sqr().unwrap().sum_all().unwrap().backward().unwrap();
    let again = grads.get(&raw).unwrap().sum_all().unwrap().backward();
    let error = again.expect_err("there is no second derivative");
    assert!(error.to_string().contains("GaussianEra"), "{error}");
}

fn refused(result: Result<Tensor>, parts: &[&str]) {
    let error: Error = result.expect_err("the call must be refused");
    let message = error.to_string();
    for part in parts {
        assert!(message.contains(part), "{message:?} does not say {part:?}");
    }
}

#[test]
fn wrong_shapes_and_types_are_errors_that_say_so() {
    let gaussian = GaussianEra::new(gaussian());
    let softmax = SoftmaxEra::new(classifier(0.6, 4.0, Inverse::Exact));
    let device = &Device::Cpu;
    for shape in [
        vec![],
        vec![DIMS, 4],
        vec![2, 6],
        vec![DIMS, 0],
        vec![2, DIMS, 1],
    ] {
        let raw = Tensor::zeros(shape.as_slice(), DType::F32, device).unwrap();
        let shape = format!("{shape:?}");
        refused(
            gaussian.log_std(&raw),
            &["GaussianEra", "must be 5", "action dimension", &shape],
        );
        refused(
            softmax.logits(&raw),
            &["SoftmaxEra", "must be 5", "class", &shape],
        );
    }
    for dtype in [DType::U8, DType::U32, DType::I64] {
        let raw = Tensor::zeros((2, DIMS), dtype, device).unwrap();
        let name = format!("{dtype:?}");
        refused(gaussian.log_std(&raw), &["GaussianEra", &name, "f32"]);
        refused(softmax.logits(&raw), &["SoftmaxEra", &name, "f32"]);
        refused(
            log_probs(&raw, &[0, 0], &[1.0; 2], Vocabulary::Full),
            &["log_probs", &name],
        );
    }
    let raw = Tensor::zeros((2, DIMS), DType::F32, device).unwrap();
    let full = Vocabulary::Full;
    refused(
        log_probs(&raw, &[0], &[1.0; 2], full),
        &["1 tokens", "2 factors", "2 positions"],
    );
    refused(log_probs(&raw, &[0; 2], &[1.0; 3], full), &["3 factors"]);
    refused(
        log_probs(&raw, &[0, 5], &[1.0; 2], full),
        &["token 5", "vocabulary of 5"],
    );
    for factor in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let part = format!("is {factor}");
        refused(
            log_probs(&raw, &[0, 0], &[1.0, factor], full),
            &[&part, "positive"],
        );
    }
    let deep = raw.unsqueeze(0).unwrap();
    refused(
        log_probs(&deep, &[0], &[1.0], full),
        &["[positions, vocabulary]", "[1, 2, 5]"],
    );
    let nothing = Tensor::zeros((2, 0), DType::F32, device).unwrap();
    refused(
        log_probs(&nothing, &[0, 0], &[1.0; 2], full),
        &["vocabulary of 0"],
    );
}
