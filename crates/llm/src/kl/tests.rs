//! Against `kl`: `kl_penalty` of the authors' fork of verl and PyTorch's gradients of it.

use proptest::prelude::*;

use super::*;
use crate::golden::{self, assert_close, drawn, near, row, section};

const ALL: [(Kl, &str); 4] = [
    (Kl::K1, "k1"),
    (Kl::Abs, "abs"),
    (Kl::K2, "k2"),
    (Kl::K3, "k3"),
];

#[test]
fn estimates_and_gradients_are_verls() {
    let section = section("kl");
    let (log_prob, reference) = (row(&section["log_prob"]), row(&section["ref_log_prob"]));
    for (kl, name) in ALL {
        let pairs = log_prob.iter().zip(&reference);
        let (values, slopes): (Vec<f64>, Vec<f64>) = pairs
            .map(|(log_prob, reference)| kl.token(*log_prob, *reference))
            .unzip();
        assert_close(name, &values, &row(&section[name]));
        assert_close(name, &slopes, &row(&section[format!("{name}_grad")]));
    }
}

/// Where the documentation says that k3 stops pulling.
#[test]
fn k3_has_no_gradient_far_away() {
    for (difference, pulled) in [(-2.62, false), (-2.6, true), (10.9, true), (11.1, false)] {
        assert_eq!(
            Kl::K3.token(difference, 0.0).1 != 0.0,
            pulled,
            "{difference}"
        );
    }
    for infinite in [f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(Kl::K3.token(infinite, 0.0), (10.0, 0.0));
    }
    // (e^-d - 1) + d in its plain form has no digits left here.
    assert!((Kl::K3.token(1e-9, 0.0).1 - 1e-9).abs() < 1e-17);
}

#[test]
fn nan_is_not_hidden_and_lengths_are_checked() {
    let (lengths, mut gradient) = (Lengths::new(&[1]), Vec::new());
    for (kl, name) in ALL {
        let (value, slope) = kl.token(f64::NAN, 0.0);
        assert!(value.is_nan() && slope.is_nan(), "{name}");
        let mut check = |log_prob: &[f64], reference: &[f64]| {
            kl.evaluate(
                lengths,
                log_prob,
                reference,
                Aggregation::TokenMean,
                &mut gradient,
            )
        };
        assert!(check(&[0.0; 2], &[0.0]).is_err() && check(&[0.0], &[]).is_err());
    }
}

/// Over the whole distribution: k1 and k3 have the divergence as their mean, and k2's gradient, pulled back to the logits, is the divergence's.
#[test]
fn means_over_a_distribution_are_the_divergence() {
    let (p, q) = ([0.5_f64, 0.3, 0.2], [0.2_f64, 0.35, 0.45]);
    let each = || p.iter().zip(&q);
    let divergence: f64 = each().map(|(p, q)| p * (p / q).ln()).sum();
    let mean = |kl: Kl| -> f64 { each().map(|(p, q)| p * kl.token(p.ln(), q.ln()).0).sum() };
    assert_close("means", &[mean(Kl::K1), mean(Kl::K3)], &[divergence; 2]);
    for (j, (pj, qj)) in each().enumerate() {
        // d KL / d z_j, and the mean of a token's slope times d log p(token) / d z_j.
        let expected = pj * ((pj / qj).ln() - divergence);
        let pulled = |kl: Kl| -> f64 {
            let tokens = each().enumerate();
            tokens
                .map(|(i, (p, q))| p * kl.token(p.ln(), q.ln()).1 * (f64::from(i == j) - pj))
                .sum()
        };
        assert_close(
            "k1 and k2",
            &[pulled(Kl::K1), pulled(Kl::K2)],
            &[0.0, expected],
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn gradients_are_the_losses_slopes(drawn in drawn(), kl in 0_usize..4, mode in 0_usize..4) {
        let kl = ALL[kl].0;
        for (new, old) in drawn.log_prob.iter().zip(&drawn.old_log_prob) {
            prop_assume!((new - old).abs() > 1e-4 && (new - old + 2.6111).abs() > 1e-3);
        }
        let lengths = Lengths::new(&drawn.lengths);
        let loss = |log_prob: &[f64]| {
            let mut gradient = vec![f64::NAN; 2];
            let loss = kl.evaluate(lengths, log_prob, &drawn.old_log_prob, golden::MODES[mode], &mut gradient);
            (loss.expect("lengths that fit"), gradient)
        };
        let (value, gradient) = loss(&drawn.log_prob);
        prop_assert!(value.is_finite());
        let slopes = drawn.slopes(|batch| loss(batch.tokens().log_prob).0);
        prop_assert!(near(&gradient, &slopes), "{gradient:?}, {slopes:?}");
    }
}
