//! Values and gradients on random inputs, however they lie in memory: the reference's, the differences', the burn adapter's.

use crate::{
    DIMS, ROWS, TYPES, VIEWS, View, cases, classifier, classifiers, close, gaussian, gaussians,
    largest, read, run, tensor, upstreams, values,
};
use era::tch::{GaussianEra, SoftmaxEra, log_probs};
use era::{Inverse, Vocabulary};
use proptest::collection::vec;
use proptest::prelude::*;
use tch::{Kind, Tensor};

const INVERSES: [Inverse; 2] = [Inverse::Approximate, Inverse::Exact];

pub(crate) fn vocabularies() -> [Vocabulary; 3] {
    [Vocabulary::Full, largest(2), largest(9)]
}

/// The reference's log-probabilities and their gradient.
pub(crate) fn expected_log_probs(
    raw: &[f64],
    upstream: &[f64],
    taken: &[usize],
    factors: &[f64],
    vocabulary: Vocabulary,
) -> (Vec<f64>, Vec<f64>) {
    let rows = || raw.chunks(DIMS).zip(taken).zip(factors);
    let value = rows()
        .map(|((row, token), factor)| vocabulary.log_prob(row, *token, *factor))
        .collect();
    let mut grad = vec![f64::NAN; raw.len()];
    for ((((row, token), factor), up), grad) in rows().zip(upstream).zip(grad.chunks_mut(DIMS)) {
        vocabulary.log_prob_vjp(row, *token, *factor, *up, grad);
    }
    (value, grad)
}

/// A function on tensors.
type Function<'a> = &'a dyn Fn(&Tensor) -> Tensor;

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn the_gaussian_activation_is_the_references(
        raw in values(ROWS * DIMS), upstream in upstreams(ROWS * DIMS),
    ) {
        for reference in gaussians() {
            let (mut value, mut grad) = (vec![f64::NAN; raw.len()], vec![f64::NAN; raw.len()]);
            reference.log_std(&raw, &mut value);
            reference.log_std_vjp(&raw, &upstream, &mut grad);
            let era = GaussianEra::new(reference);
            for (kind, tolerance) in TYPES {
                for view in VIEWS {
                    let (ours, our_grad) = run(view, &raw, &upstream, kind, |raw| era.log_std(raw));
                    close("log_std", tolerance, &ours, &value);
                    close("its gradient", tolerance, &our_grad, &grad);
                }
            }
        }
    }

    #[test]
    fn the_classification_activation_is_the_references(
        raw in values(ROWS * DIMS), upstream in upstreams(ROWS * DIMS),
    ) {
        for (reference, view) in classifiers().into_iter().zip(VIEWS.into_iter().cycle()) {
            let (mut value, mut grad) = (vec![f64::NAN; raw.len()], vec![f64::NAN; raw.len()]);
            reference.logits(&raw, &mut value);
            reference.logits_vjp(&raw, &upstream, &mut grad);
            let era = SoftmaxEra::new(reference);
            for (kind, tolerance) in TYPES {
                let (ours, our_grad) = run(view, &raw, &upstream, kind, |raw| era.logits(raw));
                let settings = reference.config();
                close(&format!("logits of {settings:?}"), tolerance, &ours, &value);
                close(&format!("gradient of {settings:?}"), tolerance, &our_grad, &grad);
            }
        }
    }

    #[test]
    fn the_log_probabilities_are_the_references(
        raw in values(ROWS * DIMS),
        upstream in upstreams(ROWS),
        taken in vec(0..DIMS, ROWS),
        factors in vec(0.25..4.0, ROWS),
    ) {
        for vocabulary in vocabularies() {
            let (value, grad) = expected_log_probs(&raw, &upstream, &taken, &factors, vocabulary);
            let function = |raw: &Tensor| log_probs(raw, &taken, &factors, vocabulary);
            for (kind, tolerance) in TYPES {
                for view in VIEWS {
                    let (ours, our_grad) = run(view, &raw, &upstream, kind, function);
                    close("log p", tolerance, &ours, &value);
                    close("its gradient", tolerance, &our_grad, &grad);
                }
            }
        }
    }

    /// With equal logits at the border of the largest, those of the lower numbers take part.
    #[test]
    fn equal_logits_are_taken_in_order(
        raw in vec((-1..2_i8).prop_map(f64::from), ROWS * DIMS),
        upstream in upstreams(ROWS),
        taken in vec(0..DIMS, ROWS),
    ) {
        for vocabulary in vocabularies() {
            let (value, grad) = expected_log_probs(&raw, &upstream, &taken, &[1.0; ROWS], vocabulary);
            let function = |raw: &Tensor| log_probs(raw, &taken, &[1.0; ROWS], vocabulary);
            let (ours, our_grad) = run(View::Plain, &raw, &upstream, Kind::Double, function);
            close("log p", 1e-14, &ours, &value);
            close("its gradient", 1e-14, &our_grad, &grad);
        }
    }

    /// The rows of a broadcast tensor are one row in memory, which gets the sum of their gradients.
    #[test]
    fn a_broadcast_row_gets_the_sum(row in values(DIMS), upstream in values(ROWS * DIMS)) {
        let raw = row.repeat(ROWS);
        let (gaussian, softmax) = (gaussian(), classifier(0.6, 4.0, Inverse::Exact));
        let mut grads = [vec![f64::NAN; raw.len()], vec![f64::NAN; raw.len()]];
        gaussian.log_std_vjp(&raw, &upstream, &mut grads[0]);
        softmax.logits_vjp(&raw, &upstream, &mut grads[1]);
        let (gaussian, softmax) = (GaussianEra::new(gaussian), SoftmaxEra::new(softmax));
        let functions: [Function<'_>; 2] =
            [&|raw| gaussian.log_std(raw), &|raw| softmax.logits(raw)];
        for (function, grad) in functions.into_iter().zip(&grads) {
            let expected: Vec<f64> = (0..DIMS)
                .map(|i| grad.iter().skip(i).step_by(DIMS).sum())
                .collect();
            let variable = tensor(&row, &[DIMS], Kind::Double).set_requires_grad(true);
            let wide = variable.expand([ROWS as i64, DIMS as i64], false);
            let weights = tensor(&upstream, &[ROWS, DIMS], Kind::Double);
            (function(&wide) * weights).sum(None).backward();
            close("sum of gradients", 1e-12, &read(&variable.grad()), &expected);
        }
    }

    /// Central differences of a weighted sum, in f64; independent of the reference's derivatives. And of its gradients, where there is a second
    /// derivative.
    #[test]
    fn gradients_are_slopes(
        raw in vec(-2.0..2.0, 2 * DIMS),
        upstream in vec(-1.0..1.0, 2 * DIMS),
        taken in vec(0..DIMS, 2),
    ) {
        let gaussian = GaussianEra::new(gaussian());
        let [approximate, exact] = INVERSES.map(|i| SoftmaxEra::new(classifier(0.6, 4.0, i)));
        let functions: [(Function<'_>, usize, bool); 4] = [
            (&|raw| gaussian.log_std(raw), 2 * DIMS, true),
            (&|raw| approximate.logits(raw), 2 * DIMS, true),
            (&|raw| exact.logits(raw), 2 * DIMS, false),
            (&|raw| log_probs(raw, &taken, &[2.0, 0.5], Vocabulary::Full), 2, true),
        ];
        for (function, outputs, twice) in functions {
            let upstream = &upstream[..outputs];
            let loss = |raw: &[f64]| -> f64 {
                let (value, _) = run(View::Plain, raw, upstream, Kind::Double, function);
                value.iter().zip(upstream).map(|(v, u)| v * u).sum()
            };
            let (_, grad) = run(View::Plain, &raw, upstream, Kind::Double, function);
            close("gradient", 1e-8, &grad, &slopes(&raw, loss));
            if twice {
                let norm = |raw: &[f64]| gradient_norm(raw, upstream, function).0;
                let (_, second) = gradient_norm(&raw, upstream, function);
                close("second derivative", 1e-7, &second, &slopes(&raw, norm));
            }
        }
    }
}

fn slopes(at: &[f64], function: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let moved = |i: usize, step: f64| {
        let mut moved = at.to_vec();
        moved[i] += step;
        function(&moved)
    };
    (0..at.len())
        .map(|i| (moved(i, 1e-5) - moved(i, -1e-5)) / 2e-5)
        .collect()
}

/// The sum of squares of a gradient, and its own gradient.
fn gradient_norm(raw: &[f64], upstream: &[f64], function: Function<'_>) -> (f64, Vec<f64>) {
    let raw = tensor(raw, &[2, DIMS], Kind::Double).set_requires_grad(true);
    let output = function(&raw);
    let loss = (output.reshape([-1]) * Tensor::from_slice(upstream)).sum(None);
    let grad = Tensor::run_backward(&[loss], &[&raw], true, true);
    let norm = grad[0].square().sum(None);
    let second = Tensor::run_backward(&[&norm], &[&raw], false, false);
    (norm.double_value(&[]), read(&second[0]))
}

/// The two adapters give one answer, in `f32` and in `f64`.
#[cfg(feature = "burn")]
mod burn {
    use super::*;
    use ::burn::tensor::{self as burn, DType, Device, TensorData};

    fn run_burn<const D: usize>(
        raw: &[f64],
        upstream: &[f64],
        dtype: DType,
        function: impl Fn(burn::Tensor<2>) -> burn::Tensor<D>,
    ) -> [Vec<f64>; 2] {
        let device = Device::flex().autodiff();
        let data = TensorData::new(raw.to_vec(), [raw.len() / DIMS, DIMS]);
        let raw = burn::Tensor::<2>::from_data(data, (&device, dtype)).require_grad();
        let output = function(raw.clone());
        let upstream = TensorData::new(upstream.to_vec(), output.dims());
        let upstream = burn::Tensor::<D>::from_data(upstream, (&device, dtype));
        let grads = (output.clone() * upstream).sum().backward();
        let grad = raw.grad(&grads).expect("the input is tracked");
        [
            output.into_data().iter::<f64>().collect(),
            grad.into_data().iter::<f64>().collect(),
        ]
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn burn_and_tch_agree(
            raw in values(ROWS * DIMS),
            upstream in upstreams(ROWS * DIMS),
            taken in vec(0..DIMS, ROWS),
            factors in vec(0.25..4.0, ROWS),
        ) {
            let types = [DType::F32, DType::F64].into_iter().zip(TYPES);
            for (dtype, (kind, tolerance)) in types {
                let agree = |what, ours: (Vec<f64>, Vec<f64>), burns: [Vec<f64>; 2]| {
                    close(what, tolerance, &ours.0, &burns[0]);
                    close(what, tolerance, &ours.1, &burns[1]);
                };
                let ours = |up: &[f64], function: &dyn Fn(&Tensor) -> Tensor| {
                    run(View::Plain, &raw, up, kind, function)
                };

                let reference = gaussian();
                let (era, theirs) = (GaussianEra::new(reference), era::burn::GaussianEra::new(reference));
                agree(
                    "log_std",
                    ours(&upstream, &|raw| era.log_std(raw)),
                    run_burn(&raw, &upstream, dtype, |raw| theirs.log_std(raw)),
                );
                for inverse in INVERSES {
                    let reference = classifier(0.6, 4.0, inverse);
                    let (era, theirs) = (SoftmaxEra::new(reference), era::burn::SoftmaxEra::new(reference));
                    agree(
                        "logits",
                        ours(&upstream, &|raw| era.logits(raw)),
                        run_burn(&raw, &upstream, dtype, |raw| theirs.logits(raw)),
                    );
                }
                for vocabulary in vocabularies() {
                    let upstream = &upstream[..ROWS];
                    agree(
                        "log p",
                        ours(upstream, &|raw| log_probs(raw, &taken, &factors, vocabulary)),
                        run_burn(&raw, upstream, dtype, |raw| {
                            era::burn::log_probs(raw, &taken, &factors, vocabulary)
                        }),
                    );
                }
            }
        }
    }
}
