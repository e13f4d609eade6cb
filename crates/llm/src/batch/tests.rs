//! How batches are put together and reduced; the aggregations themselves are held to verl's in the tests of the surrogate.

use proptest::prelude::*;

use super::*;
use crate::golden;

const NOTHING: Tokens<'static> = Tokens {
    log_prob: &[],
    old_log_prob: &[],
    advantage: &[],
};

#[test]
fn responses_lie_one_after_another() {
    let lengths = Lengths::new(&[2, 0, 3]);
    assert_eq!((lengths.responses(), lengths.tokens()), (3, 5));
    assert_eq!(lengths.ranges().collect::<Vec<_>>(), [0..2, 2..2, 2..5]);
    let spread = lengths.spread(&[1.0, 2.0, 3.0]);
    assert_eq!(spread, Ok(vec![1.0, 1.0, 3.0, 3.0, 3.0]));
}

#[test]
fn slices_that_do_not_fit_are_told() {
    let lengths = Lengths::new(&[2, 1]);
    let tokens = Tokens {
        log_prob: &[0.0; 3],
        old_log_prob: &[0.0; 3],
        advantage: &[0.0; 2],
    };
    let error = Batch::new(lengths, tokens).map(|_| ());
    assert_eq!(
        error.map_err(|error| error.to_string()),
        Err("advantages: 2 values where 3 are expected".to_owned())
    );
    assert!(lengths.spread(&[0.0]).is_err());
    // The sum of these overflows.
    let lengths = Lengths::new(&[usize::MAX, 1]);
    assert!(Batch::new(lengths, NOTHING).is_err());
    assert_eq!(lengths.ranges().count(), 2);
}

/// Every mode by hand: four tokens in three responses, one of them empty.
#[test]
fn an_empty_response_counts_in_means_over_responses() {
    let lengths = Lengths::new(&[3, 0, 1]);
    let width = NonZeroUsize::new(5).expect("not 0");
    for (aggregation, weights) in [
        (Aggregation::TokenMean, [1.0 / (4.0 + TOKEN_EPSILON); 2]),
        (Aggregation::SeqMeanTokenSum, [1.0 / 3.0, 1.0 / 3.0]),
        (Aggregation::SeqMeanTokenMean, [1.0 / 9.0, 1.0 / 3.0]),
        (Aggregation::SeqMeanTokenSumNorm { width }, [0.2, 0.2]),
    ] {
        let mut gradient = [1.0, 1.0, 1.0, 1.0];
        let loss = aggregation.reduce(lengths, &[1.0, 2.0, 3.0, 4.0], &mut gradient);
        let expected = 6.0 * weights[0] + 4.0 * weights[1];
        golden::assert_close("loss", &[loss], &[expected]);
        let expected = [weights[0], weights[0], weights[0], weights[1]];
        golden::assert_close("gradient", &gradient, &expected);
        let found: Vec<f64> = aggregation.token_weights(lengths).collect();
        assert_eq!(found, gradient);
    }
}

/// A loss without tokens, with and without responses, is 0 in every mode.
#[test]
fn nothing_is_no_loss() {
    for lengths in [&[][..], &[0], &[0, 0]] {
        for aggregation in golden::MODES {
            let loss = aggregation.reduce(Lengths::new(lengths), &[], &mut []);
            assert_eq!(loss, 0.0);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    /// Where all responses are as long as the width, the modes differ by constants.
    #[test]
    fn modes_agree_on_responses_of_one_length(
        responses in 1_usize..5, length in 1_usize..6, seed in prop::collection::vec(-2.0_f64..2.0, 30),
    ) {
        let of = vec![length; responses];
        let (lengths, losses) = (Lengths::new(&of), &seed[..responses * length]);
        let loss = |aggregation: Aggregation| {
            aggregation.reduce(lengths, losses, &mut vec![0.0; losses.len()])
        };
        let mean = losses.iter().sum::<f64>() / losses.len() as f64;
        let width = NonZeroUsize::new(length).expect("not 0");
        prop_assert!((loss(Aggregation::TokenMean) - mean).abs() < 1e-7);
        prop_assert!((loss(Aggregation::SeqMeanTokenMean) - mean).abs() < 1e-12);
        prop_assert!((loss(Aggregation::SeqMeanTokenSum) - mean * length as f64).abs() < 1e-12);
        let normed = loss(Aggregation::SeqMeanTokenSumNorm { width });
        prop_assert!((normed - mean * responses as f64).abs() < 1e-12);
    }
}
