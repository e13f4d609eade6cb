//! Values and gradients on random inputs, however they lie in memory: the reference's, the differences', the burn adapter's.

use crate::{
    DIMS, ROWS, TYPES, VIEWS, View, cases, classifier, close, gaussian, read, run, tensor, values,
};
use candle_core::{DType, Result, Tensor, Var};
use era::candle::{GaussianEra, SoftmaxEra, log_probs};
use era::{Inverse, Vocabulary};
use proptest::collection::vec;
use proptest::prelude::*;
use std::num::NonZeroUsize;

type Function<'a> = &'a dyn Fn(&Tensor) -> Result<Tensor>;

const INVERSES: [Inverse; 2] = [Inverse::Approximate, Inverse::Exact];

fn vocabularies() -> [Vocabulary; 3] {
    let largest = |count| Vocabulary::Largest(NonZeroUsize::new(count).expect("not 0"));
    [Vocabulary::Full, largest(2), largest(9)]
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn the_gaussian_activation_is_the_references(
        raw in values(ROWS * DIMS), upstream in values(ROWS * DIMS),
    ) {
        let reference = gaussian();
        let (mut value, mut grad) = (vec![f64::NAN; raw.len()], vec![f64::NAN; raw.len()]);
        reference.log_std(&raw, &mut value);
        reference.log_std_vjp(&raw, &upstream, &mut grad);
        let era = GaussianEra::new(reference);
        for (dtype, tolerance) in TYPES {
            for view in VIEWS {
                let (ours, our_grad) = run(view, &raw, &upstream, dtype, |raw| era.log_std(raw)).unwrap();
                close("log_std", tolerance, &ours, &value);
                // A row's upstream gradients reach 30 in sum and are multiplied with the slope.
                close("its gradient", 10.0 * tolerance, &our_grad, &grad);
            }
        }
    }

    #[test]
    fn the_classification_activation_is_the_references(
        raw in values(ROWS * DIMS), upstream in values(ROWS * DIMS),
    ) {
        for inverse in INVERSES {
            let reference = classifier(0.6, 4.0, inverse);
            let (mut value, mut grad) = (vec![f64::NAN; raw.len()], vec![f64::NAN; raw.len()]);
            reference.logits(&raw, &mut value);
            reference.logits_vjp(&raw, &upstream, &mut grad);
            let era = SoftmaxEra::new(reference);
            for (dtype, tolerance) in TYPES {
                for view in VIEWS {
                    let (ours, our_grad) = run(view, &raw, &upstream, dtype, |raw| era.logits(raw)).unwrap();
                    close("logits", tolerance, &ours, &value);
                    close("their gradient", tolerance, &our_grad, &grad);
                }
            }
        }
    }

    #[test]
    fn the_log_probabilities_are_the_references(
        raw in values(ROWS * DIMS),
        upstream in values(ROWS),
        taken in vec(0..DIMS, ROWS),
        factors in vec(0.25..4.0, ROWS),
    ) {
        for vocabulary in vocabularies() {
            let rows = || raw.chunks(DIMS).zip(&taken).zip(&factors);
            let value: Vec<f64> = rows()
                .map(|((row, token), factor)| vocabulary.log_prob(row, *token, *factor))
                .collect();
            let mut grad = vec![f64::NAN; raw.len()];
            for ((((row, token), factor), up), grad) in rows().zip(&upstream).zip(grad.chunks_mut(DIMS)) {
                vocabulary.log_prob_vjp(row, *token, *factor, *up, grad);
            }
            let function = |raw: &Tensor| log_probs(raw, &taken, &factors, vocabulary);
            for (dtype, tolerance) in TYPES {
                for view in VIEWS {
                    let (ours, our_grad) = run(view, &raw, &upstream, dtype, function).unwrap();
                    close("log p", tolerance, &ours, &value);
                    close("its gradient", tolerance, &our_grad, &grad);
                }
            }
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
        let functions: [Function; 2] =
            [&|raw| gaussian.log_std(raw), &|raw| softmax.logits(raw)];
        for (function, grad) in functions.into_iter().zip(&grads) {
            let expected: Vec<f64> = (0..DIMS)
                .map(|i| grad.iter().skip(i).step_by(DIMS).sum())
                .collect();
            let var = Var::from_tensor(&tensor(&row, DIMS, DType::F64)).unwrap();
            let wide = var.broadcast_as((ROWS, DIMS)).unwrap();
            let weights = tensor(&upstream, (ROWS, DIMS), DType::F64);
            let loss = function(&wide).unwrap().mul(&weights).unwrap().sum_all().unwrap();
            let grads = loss.backward().unwrap();
            close("sum of gradients", 1e-12, &read(grads.get(&var).unwrap()), &expected);
        }
    }

    /// Central differences of a weighted sum, in f64; independent of the reference's derivatives.
    #[test]
    fn gradients_are_slopes(
        raw in vec(-2.0..2.0, 2 * DIMS),
        upstream in vec(-1.0..1.0, 2 * DIMS),
        taken in vec(0..DIMS, 2),
    ) {
        let gaussian = GaussianEra::new(gaussian());
        let [approximate, exact] = INVERSES.map(|i| SoftmaxEra::new(classifier(0.6, 4.0, i)));
        let functions: [(Function, usize); 4] = [
            (&|raw| gaussian.log_std(raw), 2 * DIMS),
            (&|raw| approximate.logits(raw), 2 * DIMS),
            (&|raw| exact.logits(raw), 2 * DIMS),
            (&|raw| log_probs(raw, &taken, &[2.0, 0.5], Vocabulary::Full), 2),
        ];
        for (function, outputs) in functions {
            let upstream = &upstream[..outputs];
            let loss = |raw: &[f64]| -> f64 {
                let (value, _) = run(View::Plain, raw, upstream, DType::F64, function).unwrap();
                value.iter().zip(upstream).map(|(v, u)| v * u).sum()
            };
            let (_, grad) = run(View::Plain, &raw, upstream, DType::F64, function).unwrap();
            for i in 0..raw.len() {
                let at = |step: f64| {
                    let mut moved = raw.clone();
                    moved[i] += step;
                    loss(&moved)
                };
                let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
                prop_assert!((grad[i] - slope).abs() <= 1e-8, "{i}: {} against {slope}", grad[i]);
            }
        }
    }
}

/// The two adapters give one answer, in `f32` and in `f64`.
#[cfg(feature = "burn")]
mod burn {
    use super::*;
    use ::burn::tensor::{self as burn, DType as BurnType, Device, TensorData};

    fn run_burn<const D: usize>(
        raw: &[f64],
        upstream: &[f64],
        dtype: BurnType,
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
        fn burn_and_candle_agree(
            raw in values(ROWS * DIMS),
            upstream in values(ROWS * DIMS),
            taken in vec(0..DIMS, ROWS),
            factors in vec(0.25..4.0, ROWS),
        ) {
            let types = [(DType::F32, BurnType::F32, 1e-5), (DType::F64, BurnType::F64, 1e-10)];
            for (dtype, burn_type, tolerance) in types {
                let agree = |what, ours: (Vec<f64>, Vec<f64>), burns: [Vec<f64>; 2]| {
                    close(what, tolerance, &ours.0, &burns[0]);
                    close(what, tolerance, &ours.1, &burns[1]);
                };
                let ours = |up: &[f64], function: Function| {
                    run(View::Plain, &raw, up, dtype, function).unwrap()
                };

                let reference = gaussian();
                let (era, theirs) = (GaussianEra::new(reference), era::burn::GaussianEra::new(reference));
                agree(
                    "log_std",
                    ours(&upstream, &|raw| era.log_std(raw)),
                    run_burn(&raw, &upstream, burn_type, |raw| theirs.log_std(raw)),
                );
                for inverse in INVERSES {
                    let reference = classifier(0.6, 4.0, inverse);
                    let (era, theirs) = (SoftmaxEra::new(reference), era::burn::SoftmaxEra::new(reference));
                    agree(
                        "logits",
                        ours(&upstream, &|raw| era.logits(raw)),
                        run_burn(&raw, &upstream, burn_type, |raw| theirs.logits(raw)),
                    );
                }
                for vocabulary in vocabularies() {
                    let upstream = &upstream[..ROWS];
                    agree(
                        "log p",
                        ours(upstream, &|raw| log_probs(raw, &taken, &factors, vocabulary)),
                        run_burn(&raw, upstream, burn_type, |raw| {
                            era::burn::log_probs(raw, &taken, &factors, vocabulary)
                        }),
                    );
                }
            }
        }
    }
}
