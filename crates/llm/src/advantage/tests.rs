//! Against `advantages` and `dynamic_sampling`: `compute_grpo_outcome_advantage` of the authors' fork of verl, and the rule of its DAPO recipe.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::batch::Lengths;
use crate::golden::{Padding, assert_close, row, section, whole};

fn groups(case: &Value) -> Groups {
    Groups::new(&whole(&case["index"]["data"]))
}

#[test]
fn advantages_are_verls() {
    let case = section("advantages");
    let (groups, scores) = (groups(&case), row(&case["score"]));
    let padding = Padding::of(&case["mask"]);
    let found = groups
        .advantages(&scores, Scale::Deviation)
        .expect("one a response");
    assert_close(
        "each response",
        &found,
        &row(&case["advantage_per_response"]),
    );
    let spread = |values: &[f64]| {
        Lengths::new(&padding.lengths)
            .spread(values)
            .expect("one a response")
    };
    assert_close(
        "each token",
        &spread(&found),
        &padding.tokens(&case["advantage"]),
    );
    let found = groups
        .advantages(&scores, Scale::One)
        .expect("one a response");
    assert_close(
        "without deviation",
        &spread(&found),
        &padding.tokens(&case["advantage_no_std"]),
    );
}

#[test]
fn dynamic_sampling_keeps_what_verl_keeps() {
    let case = section("dynamic_sampling");
    let (groups, scores) = (groups(&case), row(&case["metric"]));
    let signal = groups.signal(&scores).expect("one a response");
    let kept = groups.indices().zip(&signal).filter(|(_, signal)| **signal);
    let expected = whole(&case["kept_groups"]);
    assert_eq!(kept.map(|(index, _)| index).collect::<Vec<_>>(), expected);
    assert_eq!(groups.kept(&scores), Ok(whole(&case["kept_rows"])));
    let share = (signal.len() - expected.len()) as f64 / signal.len() as f64;
    assert_eq!(groups.share_without_signal(&scores), Ok(share));
}

/// The paper's setting: eight responses, rewards ±1. The advantage of a right answer, by how many are right.
#[test]
fn rare_successes_earn_more() {
    let groups = Groups::new(&[7; 8]);
    for (right, expected) in [2.475, 1.620, 1.208, 0.935, 0.725, 0.540, 0.354]
        .iter()
        .enumerate()
    {
        let scores: Vec<f64> = (0..8)
            .map(|at| if at <= right { 1.0 } else { -1.0 })
            .collect();
        let found = groups
            .advantages(&scores, Scale::Deviation)
            .expect("one a response");
        assert!(
            (found[0] - expected).abs() < 5e-4,
            "{} right: {}",
            right + 1,
            found[0]
        );
    }
}

/// The mean of three times 0.1 is not 0.1 in floating point: a deviation of 1e-17, and NumPy's rule would keep the group.
#[test]
fn equal_scores_are_no_signal_whatever_rounding_says() {
    let groups = Groups::new(&[0; 3]);
    for scale in [Scale::Deviation, Scale::One] {
        assert_eq!(groups.advantages(&[0.1; 3], scale), Ok(vec![0.0; 3]));
    }
    assert_eq!(groups.signal(&[0.1; 3]), Ok(vec![false]));
    assert_eq!(groups.share_without_signal(&[0.1; 3]), Ok(1.0));
}

#[test]
fn scores_that_are_not_finite_stay_in_their_group() {
    let groups = Groups::new(&[0, 0, 1, 1, 2]);
    for bad in [f64::NAN, f64::INFINITY] {
        let scores = [bad, 1.0, 1.0, -1.0, bad];
        for scale in [Scale::Deviation, Scale::One] {
            let found = groups.advantages(&scores, scale).expect("one a response");
            let finite: Vec<bool> = found.iter().map(|a| a.is_finite()).collect();
            assert_eq!(finite, [false, false, true, true, false]);
        }
        assert_eq!(groups.signal(&scores), Ok(vec![false, true, true]));
    }
}

#[test]
fn no_groups_and_wrong_lengths() {
    let groups = Groups::new(&[]);
    assert_eq!(groups.advantages(&[], Scale::Deviation), Ok(Vec::new()));
    assert_eq!(groups.share_without_signal(&[]), Ok(0.0));
    assert!(groups.advantages(&[1.0], Scale::One).is_err());
    assert!(groups.signal(&[1.0]).is_err() && groups.kept(&[1.0]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    /// Mean 0 and, but for the epsilon, deviation 1 in each group; what they are called and how they are mixed does not matter.
    #[test]
    fn groups_are_centred_and_scaled(
        responses in prop::collection::vec((0_usize..4, -3.0_f64..3.0), 0..20), shift in 0_usize..1000,
    ) {
        let (index, scores): (Vec<usize>, Vec<f64>) = responses.into_iter().unzip();
        let found = Groups::new(&index).advantages(&scores, Scale::Deviation).expect("one a response");
        let renamed: Vec<usize> = index.iter().map(|group| shift + 3 * (7 - group)).collect();
        prop_assert_eq!(&found, &Groups::new(&renamed).advantages(&scores, Scale::Deviation).expect("one a response"));
        for group in 0..4 {
            let of_group = |values: &[f64]| -> Vec<f64> {
                index.iter().zip(values).filter(|(at, _)| **at == group).map(|(_, x)| *x).collect()
            };
            let (advantages, scores) = (of_group(&found), of_group(&scores));
            let spread = scores.iter().copied().fold(f64::MIN, f64::max)
                - scores.iter().copied().fold(f64::MAX, f64::min);
            if advantages.len() > 1 && spread > 0.1 {
                let count = advantages.len() as f64;
                prop_assert!(advantages.iter().sum::<f64>().abs() < 1e-9);
                let squares = advantages.iter().map(|a| a * a).sum::<f64>();
                prop_assert!((squares / (count - 1.0) - 1.0).abs() < 1e-4);
            }
        }
    }
}
