//! The transformer's log-probabilities in `f32` against ERA's in `f64`, with all logits and with the largest only.

use std::num::NonZeroUsize;

use burn::tensor::{Device, Tensor, TensorData};
use era::Vocabulary;
use era_nn::transformer::{Targets, rows, token_log_prob};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

const ROWS: usize = 24;
const VOCABULARY: usize = 300;

#[test]
fn log_probabilities_and_their_gradients_are_those_of_era() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut logits = vec![0.0; ROWS * VOCABULARY];
    era_nn::standard_normal(&mut rng, &mut logits);
    for (i, logit) in logits.iter_mut().enumerate() {
        // Steps of a quarter make equals, also around the smallest that takes part.
        *logit = (8.0 * *logit).round()
            / if (i / VOCABULARY).is_multiple_of(2) {
                4.0
            } else {
                1.0
            };
    }
    let factors: Vec<f32> = (0..ROWS).map(|row| [1.0, 2.5, 0.6][row % 3]).collect();
    let taken: Vec<u32> = logits
        .chunks(VOCABULARY)
        .enumerate()
        .map(|(row, logits)| match row % 4 {
            0 => row as u32,
            rank => {
                let mut order: Vec<u32> = (0..VOCABULARY as u32).collect();
                order.sort_by(|a, b| logits[*b as usize].total_cmp(&logits[*a as usize]));
                order[[0, 19, 20][rank - 1]]
            }
        })
        .collect();
    for top in [None, NonZeroUsize::new(20), NonZeroUsize::new(VOCABULARY)] {
        let reference = top.map_or(Vocabulary::Full, Vocabulary::Largest);
        let data = TensorData::new(logits.clone(), [1, ROWS, VOCABULARY]);
        let leaf = Tensor::<3>::from_data(data, &Device::flex().autodiff()).require_grad();
        let targets = Targets {
            taken: taken.clone().into(),
            factors: factors.clone().into(),
            top: top.map(NonZeroUsize::get),
        };
        let log_probs = token_log_prob(leaf.clone(), targets).slice([0..1, 0..ROWS, 0..1]);
        let floats = |tensor: Tensor<3>| -> Vec<f32> {
            tensor.into_data().try_into_vec().expect("32-bit floats")
        };
        let gradient = floats(
            leaf.grad(&log_probs.clone().sum().backward())
                .expect("a gradient"),
        );
        for (row, log_prob) in floats(log_probs).into_iter().enumerate() {
            let place = row * VOCABULARY..(row + 1) * VOCABULARY;
            let exact: Vec<f64> = logits[place.clone()]
                .iter()
                .map(|z| f64::from(*z))
                .collect();
            let (token, factor) = (taken[row] as usize, f64::from(factors[row]));
            let expected = reference.log_prob(&exact, token, factor);
            assert!(
                (f64::from(log_prob) - expected).abs() <= 1e-6 * expected.abs().max(1.0),
                "row {row}: {log_prob} instead of {expected}"
            );
            let mut slopes = vec![0.0; VOCABULARY];
            reference.log_prob_vjp(&exact, token, factor, 1.0, &mut slopes);
            for (slope, expected) in gradient[place.clone()].iter().zip(&slopes) {
                assert!((f64::from(*slope) - expected).abs() < 3e-6);
            }
            if top.is_none() {
                let (of_slice, _) = rows::log_prob_entropy(&logits[place], token, factors[row]);
                assert_eq!(of_slice, log_prob);
            }
        }
    }
}
