//! Extreme logits, odd shapes and types, and what is refused.

use crate::agreement::expected_log_probs;
use crate::{
    DIMS, TYPES, View, classifier, classifiers, close, gaussian, gaussians, largest, read, run,
    tensor,
};
use era::tch::{GaussianEra, SoftmaxEra, f_log_probs, log_probs};
use era::{GaussianEraConfig, Inverse, Vocabulary};
use tch::{Kind, TchError, Tensor, nn::Module};

const EXTREME: [[f64; DIMS]; 5] = [
    [100.0, -100.0, -100.0, -100.0, -100.0],
    [100.0, 100.0, -100.0, 0.0, -100.0],
    [-100.0; DIMS],
    [1e4, -1e4, 0.0, 1.0, -1e4],
    [3.0, f64::NEG_INFINITY, 1.0, f64::NEG_INFINITY, -40.0],
];

/// The reference's values and gradients, which are finite: also where h reaches 1/e (tau = e) or 0 (the lower end of H0's range), where a
/// dimension is clipped and where a class is ruled out.
#[test]
fn extreme_logits_have_the_references_values_and_gradients() {
    let raw = EXTREME.concat();
    let upstream: Vec<f64> = (0..raw.len()).map(|i| (i as f64 * 0.7).sin()).collect();
    let upstream: Vec<f64> = upstream.iter().map(|x| f64::from(*x as f32)).collect();
    let (mut value, mut grad) = (vec![f64::NAN; raw.len()], vec![f64::NAN; raw.len()]);
    for (kind, tolerance) in TYPES {
        for reference in gaussians() {
            reference.log_std(&raw, &mut value);
            reference.log_std_vjp(&raw, &upstream, &mut grad);
            let era = GaussianEra::new(reference);
            let (ours, our_grad) = run(View::Plain, &raw, &upstream, kind, |raw| era.log_std(raw));
            let what = format!("{:?}", reference.config());
            close(&what, tolerance, &ours, &value);
            close(&what, tolerance, &our_grad, &grad);
        }
        for reference in classifiers() {
            // Of a root that goes to 0 half the digits of h are left.
            let tolerance = if reference.config().tau < 3.0 {
                tolerance.max(1e-7)
            } else {
                tolerance
            };
            reference.logits(&raw, &mut value);
            reference.logits_vjp(&raw, &upstream, &mut grad);
            let era = SoftmaxEra::new(reference);
            let (ours, our_grad) = run(View::Plain, &raw, &upstream, kind, |raw| era.logits(raw));
            let what = format!("{kind:?}, {:?}", reference.config());
            close(&what, tolerance, &ours, &value);
            assert!(
                our_grad.iter().all(|g| g.is_finite()),
                "{what}: {our_grad:?}"
            );
            // Where h can be as small as a share, the reference's exponential ends at e^-690 and its gradient does not.
            let compared = if reference.smallest_h() == 0.0 { 3 } else { 5 } * DIMS;
            close(&what, tolerance, &our_grad[..compared], &grad[..compared]);
        }
    }
}

#[test]
fn extreme_logits_have_log_probabilities() {
    let raw = EXTREME.concat();
    let (taken, factors) = ([1, 3, 0, 2, 0], [2.0, 0.5, 1.0, 2.0, 2.0]);
    let upstream = [0.5, -1.0, 0.25, 1.0, -0.75];
    for vocabulary in [Vocabulary::Full, largest(3), largest(4)] {
        let (value, grad) = expected_log_probs(&raw, &upstream, &taken, &factors, vocabulary);
        for (kind, tolerance) in TYPES {
            let function = |raw: &Tensor| log_probs(raw, &taken, &factors, vocabulary);
            let (ours, our_grad) = run(View::Plain, &raw, &upstream, kind, function);
            close("log p", tolerance, &ours, &value);
            close("its gradient", tolerance, &our_grad, &grad);
        }
    }
}

/// A dimension exactly at sigma_min passes its gradient, one that is raised to it does not: as the reference has it.
#[test]
fn the_bound_passes_gradients_and_what_is_beyond_it_does_not() {
    // Two dimensions with equal shares: log sigma = -16/2 = -8 for both, without rounding.
    let config = GaussianEraConfig {
        target_per_dim: era::ENTROPY_OF_UNIT_NORMAL - 8.0,
        ..GaussianEraConfig::official(2)
    };
    let reference = era::GaussianEra::new(config).unwrap();
    assert_eq!(reference.slope(), -16.0);
    for (kind, _) in TYPES {
        let raw = tensor(&[0.0, 0.0, 1.0, 0.0], &[2, 2], kind).set_requires_grad(true);
        let log_std = GaussianEra::new(reference).log_std(&raw);
        assert_eq!(read(&log_std)[..3], [-8.0; 3]);
        log_std.select(1, 0).sum(None).backward();
        let grad = read(&raw.grad());
        assert_eq!(grad[..2], [-4.0, 4.0]);
        assert_eq!(grad[2..], [0.0, 0.0]);
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
    let flat = tensor(&raw, &[6, DIMS], Kind::Double);
    let deep = tensor(&raw, &[2, 3, DIMS], Kind::Double);
    let one = tensor(&raw[..DIMS], &[DIMS], Kind::Double);
    let layers: [&dyn Module; 2] = [&gaussian, &softmax];
    for layer in layers {
        let expected = read(&layer.forward(&flat));
        let output = layer.forward(&deep);
        assert_eq!(output.size(), [2, 3, DIMS as i64]);
        close("deep", 1e-15, &read(&output), &expected);
        close(
            "one row",
            1e-15,
            &read(&layer.forward(&one)),
            &expected[..DIMS],
        );
    }
}

#[test]
fn a_batch_may_be_empty() {
    for (kind, _) in TYPES {
        let none = tensor(&[], &[0, DIMS], kind).set_requires_grad(true);
        let mut outputs = vec![
            log_probs(&none, &[], &[], Vocabulary::Full),
            log_probs(&none, &[], &[], largest(2)),
        ];
        outputs.extend(gaussians().map(|era| GaussianEra::new(era).log_std(&none)));
        let classifiers = classifiers().into_iter();
        outputs.extend(classifiers.map(|era| SoftmaxEra::new(era).logits(&none)));
        for output in outputs {
            assert_eq!(output.size()[0], 0);
            output.sum(None).backward();
            assert_eq!(none.grad().size(), [0, DIMS as i64]);
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
    for tau in [4.0, 3.0] {
        let reference = classifier(0.6, tau, Inverse::Exact);
        let (mut value, mut grad) = (vec![0.0; raw.len()], vec![0.0; raw.len()]);
        reference.logits(&raw, &mut value);
        reference.logits_vjp(&raw, &upstream, &mut grad);
        for (kind, tolerance) in [(Kind::Half, 1e-3), (Kind::BFloat16, 8e-3)] {
            let era = SoftmaxEra::new(reference);
            let (ours, our_grad) = run(View::Plain, &raw, &upstream, kind, |raw| era.logits(raw));
            close("logits", tolerance, &ours, &value);
            close("their gradient", tolerance, &our_grad, &grad);
        }
    }
    let taken = [1, 2];
    for kind in [Kind::Half, Kind::BFloat16] {
        let raw_half = tensor(&raw, &[2, DIMS], kind).set_requires_grad(true);
        assert_eq!(GaussianEra::new(gaussian()).log_std(&raw_half).kind(), kind);
        for vocabulary in [Vocabulary::Full, largest(4)] {
            let (value, _) = expected_log_probs(&raw, &[1.0; 2], &taken, &[2.0, 0.5], vocabulary);
            let log_probs = log_probs(&raw_half, &taken, &[2.0, 0.5], vocabulary);
            assert_eq!(log_probs.kind(), Kind::Float);
            // The raw values are exact in halves.
            close("log p", 1e-6, &read(&log_probs), &value);
            log_probs.sum(None).backward();
            assert_eq!(raw_half.grad().kind(), kind);
        }
    }
}

#[test]
fn nan_stays_in_its_row() {
    let mut raw = [0.5, -1.0, 2.0, 0.0, 0.0].repeat(3);
    raw[1] = f64::NAN;
    raw[2 * DIMS] = f64::INFINITY;
    let split = |values: Vec<f64>, width: usize| {
        let (odd, fine) = (values.clone(), values[width..2 * width].to_vec());
        let odd = [&odd[..width], &odd[2 * width..]].concat();
        assert!(odd.iter().all(|x| x.is_nan()), "{odd:?}");
        assert!(fine.iter().all(|x| x.is_finite()), "{fine:?}");
    };
    for (kind, _) in TYPES {
        let raw = tensor(&raw, &[3, DIMS], kind);
        for reference in gaussians() {
            split(read(&GaussianEra::new(reference).log_std(&raw)), DIMS);
        }
        for reference in classifiers() {
            split(read(&SoftmaxEra::new(reference).logits(&raw)), DIMS);
        }
        for vocabulary in [Vocabulary::Full, largest(2)] {
            // Token 3 is none of the two largest.
            for token in [2, 3] {
                split(
                    read(&log_probs(&raw, &[token; 3], &[2.0; 3], vocabulary)),
                    1,
                );
            }
        }
    }
}

/// The largest feasible target leaves nothing to allocate: the gradient is zero, but it is there.
#[test]
fn a_gradient_of_zero_is_a_gradient() {
    let era = GaussianEra::new(gaussians()[2]);
    let raw = [3.0, 1.0, -2.0, 0.0, 0.5];
    let (value, grad) = run(View::Plain, &raw, &[1.0; DIMS], Kind::Float, |raw| {
        era.log_std(raw)
    });
    let grad: Vec<f64> = grad.iter().map(|x| x.abs()).collect();
    assert_eq!((value, grad), (vec![0.0; DIMS], vec![0.0; DIMS]));
}

/// Without tracking there is no graph, and the values are the same.
#[test]
fn nothing_is_tracked_where_nobody_asks() {
    let raw = tensor(&[0.5, -1.0, 2.0, 0.0, 1.0], &[1, DIMS], Kind::Float);
    let raw = raw.set_requires_grad(true);
    for reference in classifiers() {
        let era = SoftmaxEra::new(reference);
        let tracked = era.logits(&raw);
        assert!(tracked.requires_grad());
        let free = tch::no_grad(|| era.logits(&raw));
        assert!(!free.requires_grad());
        assert_eq!(read(&free), read(&tracked));
    }
}

fn refused(result: Result<Tensor, TchError>, parts: &[&str]) {
    let message = result.expect_err("the call must be refused").to_string();
    for part in parts {
        assert!(message.contains(part), "{message:?} does not say {part:?}");
    }
}

#[test]
fn wrong_shapes_and_types_are_errors_that_say_so() {
    let gaussian = GaussianEra::new(gaussian());
    let softmax = SoftmaxEra::new(classifier(0.6, 4.0, Inverse::Exact));
    for shape in [
        vec![],
        vec![DIMS as i64, 4],
        vec![2, 6],
        vec![DIMS as i64, 0],
        vec![2, DIMS as i64, 1],
    ] {
        let raw = Tensor::zeros(&shape, tch::kind::FLOAT_CPU);
        let shape = format!("{shape:?}");
        let parts = ["GaussianEra", "must be 5", "action dimension", &shape];
        refused(gaussian.f_log_std(&raw), &parts);
        let parts = ["SoftmaxEra", "must be 5", "class", &shape];
        refused(softmax.f_logits(&raw), &parts);
    }
    for kind in [Kind::Uint8, Kind::Int64, Kind::Bool, Kind::ComplexFloat] {
        let raw = Tensor::zeros([2, DIMS as i64], (kind, tch::Device::Cpu));
        let name = format!("{kind:?}");
        refused(gaussian.f_log_std(&raw), &["GaussianEra", &name, "Float"]);
        refused(softmax.f_logits(&raw), &["SoftmaxEra", &name, "Float"]);
        let log_probs = f_log_probs(&raw, &[0, 0], &[1.0; 2], Vocabulary::Full);
        refused(log_probs, &["log_probs", &name]);
    }
    refused(gaussian.f_log_std(&Tensor::new()), &["undefined"]);
}

#[test]
fn tokens_and_factors_that_do_not_fit_are_errors_that_say_so() {
    let raw = Tensor::zeros([2, DIMS as i64], tch::kind::FLOAT_CPU);
    let full = Vocabulary::Full;
    refused(
        f_log_probs(&raw, &[0], &[1.0; 2], full),
        &["1 tokens", "2 factors", "2 positions"],
    );
    refused(f_log_probs(&raw, &[0; 2], &[1.0; 3], full), &["3 factors"]);
    refused(
        f_log_probs(&raw, &[0, 5], &[1.0; 2], full),
        &["token 5", "vocabulary of 5"],
    );
    for factor in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let part = format!("is {factor}");
        let result = f_log_probs(&raw, &[0, 0], &[1.0, factor], full);
        refused(result, &[&part, "positive"]);
    }
    refused(
        f_log_probs(&raw.unsqueeze(0), &[0], &[1.0], full),
        &["[positions, vocabulary]", "[1, 2, 5]"],
    );
    let nothing = Tensor::zeros([2, 0], tch::kind::FLOAT_CPU);
    refused(
        f_log_probs(&nothing, &[0, 0], &[1.0; 2], full),
        &["vocabulary of 0"],
    );
}

#[test]
#[should_panic(expected = "one for each action dimension, but the shape is [2, 4]")]
fn without_the_f_it_panics() {
    let _ = GaussianEra::new(gaussian()).log_std(&Tensor::zeros([2, 4], tch::kind::FLOAT_CPU));
}
