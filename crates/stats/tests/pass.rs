//! pass@k against `fixtures/pass_at_k.json` (the ERA authors' fork of verl), and by counting.

use era_stats::pass::{Answers, PassError, mean_pass_at};
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    rows: Vec<(u64, u64, u64, f64)>,
}

#[test]
fn values_are_verls() {
    let golden: Golden = serde_json::from_str(include_str!("fixtures/pass_at_k.json")).unwrap();
    assert_eq!(golden.rows.len(), 174);
    for (drawn, right, attempts, expected) in golden.rows {
        let found = Answers { drawn, right }.pass_at(attempts).unwrap();
        assert!(
            (found - expected).abs() < 1e-13,
            "{right} of {drawn}, {attempts} attempts: {found} instead of {expected}"
        );
    }
}

#[test]
fn counts_that_make_no_sense_are_told() {
    let answers = |drawn, right| Answers { drawn, right };
    let error = answers(4, 4).pass_at(5).unwrap_err();
    assert_eq!(
        error,
        PassError::TooFew {
            attempts: 5,
            drawn: 4
        }
    );
    assert_eq!(
        error.to_string(),
        "5 attempts cannot be chosen from 4 answers"
    );
    let error = answers(4, 5).pass_at(1).unwrap_err();
    assert_eq!(error, PassError::TooManyRight { right: 5, drawn: 4 });
    assert_eq!(mean_pass_at(&[], 1), Err(PassError::NoProblems));
    assert!(mean_pass_at(&[answers(4, 1), answers(2, 1)], 3).is_err());
}

/// AIME has 30 problems; 32 answers to each make pass@32 a multiple of 1/30 (the paper's curves end at 22/30).
#[test]
fn a_mean_counts_problems_alike() {
    let problem = |solved| Answers {
        drawn: 32,
        right: u64::from(solved),
    };
    let problems: Vec<Answers> = (0..30).map(|at| problem(at < 22)).collect();
    assert!((mean_pass_at(&problems, 32).unwrap() - 22.0 / 30.0).abs() < 1e-15);
    assert!((mean_pass_at(&problems, 1).unwrap() - 22.0 / 960.0).abs() < 1e-15);
}

/// Where 1 minus a product would have no digits left.
#[test]
fn small_results_keep_their_digits() {
    let rare = Answers {
        drawn: 10_u64.pow(15),
        right: 1,
    };
    for attempts in [1, 7, 1000] {
        let found = rare.pass_at(attempts).unwrap();
        let expected = attempts as f64 * 1e-15;
        assert!((found / expected - 1.0).abs() < 1e-12, "{found}");
    }
}

#[test]
fn no_attempt_and_no_right_answer_pass_nothing() {
    let many = u64::MAX;
    for (drawn, right, attempts) in [
        (0, 0, 0),
        (5, 0, 5),
        (5, 5, 0),
        (many, 0, many),
        (many, many, 0),
    ] {
        assert_eq!(Answers { drawn, right }.pass_at(attempts), Ok(0.0));
    }
}

/// C(n, k), exact for the sizes here.
fn choose(n: u64, k: u64) -> u128 {
    (0..k).fold(1, |product, i| {
        product * u128::from(n.saturating_sub(i)) / u128::from(i + 1)
    })
}

proptest! {
    #[test]
    fn it_is_the_share_of_choices_with_a_right_answer(
        (drawn, right, attempts) in (0_u64..60).prop_flat_map(|n| (Just(n), 0..=n, 0..=n)),
    ) {
        let all = choose(drawn, attempts);
        let with_right = all - choose(drawn - right, attempts);
        let found = Answers { drawn, right }.pass_at(attempts).unwrap();
        prop_assert!((found - with_right as f64 / all as f64).abs() < 1e-13);
        prop_assert!((0.0..=1.0).contains(&found));
    }
}
