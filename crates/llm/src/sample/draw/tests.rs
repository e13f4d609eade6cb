use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::{Drawer, Token};
use crate::sample::Sampling;

fn sampling(temperature: f64, top_k: Option<usize>, top_p: f64) -> Sampling {
    Sampling {
        temperature,
        top_p,
        top_k,
        max_tokens: 1,
        stop: Vec::new(),
    }
}

fn logits(seed: u64, size: usize, spread: f32) -> Vec<f32> {
    let mut logits = vec![0.0; size];
    era_nn::standard_normal(&mut ChaCha8Rng::seed_from_u64(seed), &mut logits);
    logits.iter_mut().for_each(|z| *z *= spread);
    logits
}

fn probabilities(logits: &[f32], temperature: f64) -> Vec<f64> {
    let weights: Vec<f64> = logits
        .iter()
        .map(|z| (f64::from(*z) / temperature).exp())
        .collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|w| w / sum).collect()
}

#[test]
fn log_probabilities_and_entropies_are_those_of_f64() {
    let mut drawer = Drawer::default();
    for (size, spread) in [
        (1, 1.0),
        (2, 9.0),
        (30, 1.0),
        (513, 3.0),
        (49_152, 0.1),
        (49_152, 5.0),
        (5_000, 30.0),
    ] {
        for temperature in [0.0, 0.3, 1.0, 2.0] {
            for seed in 0..5 {
                let logits = logits(seed, size, spread);
                let uniform = f64::from(seed as u32) / 5.0;
                let found = drawer.draw(&logits, &sampling(temperature, None, 1.0), || uniform);
                let Token {
                    token,
                    log_prob,
                    entropy,
                } = found.expect("finite logits");
                let scale = if temperature == 0.0 { 1.0 } else { temperature };
                let exact = probabilities(&logits, scale)[token as usize].ln();
                assert!(
                    (f64::from(log_prob) - exact).abs() < 1e-5 * exact.abs().max(1.0),
                    "{log_prob} instead of {exact}"
                );
                let exact: f64 = probabilities(&logits, 1.0)
                    .iter()
                    .map(|p| if *p > 0.0 { -p * p.ln() } else { 0.0 })
                    .sum();
                assert!(
                    (f64::from(entropy) - exact).abs() < 1e-5,
                    "{entropy} instead of {exact}"
                );
            }
        }
    }
}

/// Chi-square over 40,000 draws, and every draw in the set that is allowed.
fn frequencies(logits: &[f32], sampling: &Sampling, expected: &[f64], seed: u64) {
    let (mut drawer, mut rng) = (Drawer::default(), ChaCha8Rng::seed_from_u64(seed));
    let draws = 40_000;
    let mut counts = vec![0_u32; logits.len()];
    for _ in 0..draws {
        let token = drawer
            .draw(logits, sampling, || rng.random())
            .expect("finite logits");
        counts[token.token as usize] += 1;
    }
    let (mut chi, mut freedom) = (0.0, -1.0);
    for (count, p) in counts.iter().zip(expected) {
        if *p == 0.0 {
            assert_eq!(*count, 0);
        } else {
            let mean = p * f64::from(draws);
            chi += (f64::from(*count) - mean).powi(2) / mean;
            freedom += 1.0;
        }
    }
    // Four deviations above its mean.
    let bound = freedom + 4.0 * (2.0_f64 * freedom).sqrt();
    assert!(
        chi <= bound.max(0.0),
        "chi-square {chi} of {freedom} degrees of freedom"
    );
}

fn truncated(mut p: Vec<f64>, kept: &[usize]) -> Vec<f64> {
    let sum: f64 = kept.iter().map(|token| p[*token]).sum();
    for (token, p) in p.iter_mut().enumerate() {
        *p = if kept.contains(&token) { *p / sum } else { 0.0 };
    }
    p
}

#[test]
fn tokens_are_drawn_as_often_as_they_are_probable() {
    for temperature in [0.5, 1.0, 3.0] {
        let logits = logits(1, 30, 1.0);
        let p = probabilities(&logits, temperature);
        frequencies(&logits, &sampling(temperature, None, 1.0), &p, 3);
    }
    // Several blocks.
    let logits = logits(2, 1_100, 0.5);
    frequencies(
        &logits,
        &sampling(1.0, None, 1.0),
        &probabilities(&logits, 1.0),
        4,
    );
}

#[test]
fn truncation_leaves_the_most_probable() {
    // Probabilities 0.1, 0.4, 0.2, 0.3.
    let logits: Vec<f32> = [0.1_f32, 0.4, 0.2, 0.3].iter().map(|p| p.ln()).collect();
    let p = || probabilities(&logits, 1.0);
    for (top_k, top_p, kept) in [
        (Some(1), 1.0, &[1][..]),
        (Some(2), 1.0, &[1, 3]),
        (Some(4), 1.0, &[0, 1, 2, 3]),
        (Some(9), 1.0, &[0, 1, 2, 3]),
        (None, 1e-9, &[1]),
        (None, 0.39, &[1]),
        (None, 0.41, &[1, 3]),
        (None, 0.69, &[1, 3]),
        (None, 0.71, &[1, 2, 3]),
        (None, 0.95, &[0, 1, 2, 3]),
        // Of 0.4 and 0.3, the first has 0.571.
        (Some(2), 0.56, &[1]),
        (Some(2), 0.58, &[1, 3]),
    ] {
        frequencies(
            &logits,
            &sampling(1.0, top_k, top_p),
            &truncated(p(), kept),
            5,
        );
    }
    // Temperature comes first: squared probabilities are 1, 16, 4, 9 of 30.
    let half = probabilities(&logits, 0.5);
    frequencies(
        &logits,
        &sampling(0.5, None, 0.8),
        &truncated(half, &[1, 3]),
        6,
    );
}

#[test]
fn equals_are_kept_by_top_k_and_ordered_by_top_p() {
    let logits = [0.0, 1.0, 1.0, 1.0, -5.0];
    let p = || probabilities(&logits, 1.0);
    frequencies(
        &logits,
        &sampling(1.0, Some(2), 1.0),
        &truncated(p(), &[1, 2, 3]),
        7,
    );
    frequencies(
        &logits,
        &sampling(1.0, None, 0.3),
        &truncated(p(), &[1, 2]),
        8,
    );
    // Greedy takes the first of equals.
    let found = Drawer::default().draw(&logits, &sampling(0.0, None, 1.0), || unreachable!());
    assert_eq!(found.map(|token| token.token), Some(1));
}

#[test]
fn logits_that_are_no_numbers_are_refused_and_minus_infinity_is_never_drawn() {
    let (nan, infinite) = (f32::NAN, f32::INFINITY);
    let mut drawer = Drawer::default();
    for logits in [
        vec![nan],
        vec![1.0, nan, 2.0],
        vec![0.0, infinite],
        vec![-infinite; 40],
        vec![],
    ] {
        for sampling in [
            sampling(0.0, None, 1.0),
            sampling(1.0, None, 1.0),
            sampling(0.7, Some(1), 0.5),
        ] {
            assert_eq!(drawer.draw(&logits, &sampling, || 0.5), None, "{logits:?}");
        }
    }
    let logits = [-infinite, 0.0, -infinite, 0.0, -infinite];
    for uniform in [0.0, 0.49, 0.51, 1.0 - f64::EPSILON / 2.0] {
        for (top_k, top_p) in [(None, 1.0), (Some(4), 1.0), (None, 0.99), (Some(3), 0.99)] {
            let found = drawer
                .draw(&logits, &sampling(1.0, top_k, top_p), || uniform)
                .expect("a token");
            assert_eq!(found.token, if uniform < 0.5 { 1 } else { 3 });
            assert!((f64::from(found.entropy) - 2.0_f64.ln()).abs() < 1e-6);
        }
    }
}
