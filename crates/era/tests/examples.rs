//! The examples do what they say.

#[cfg(feature = "burn")]
#[path = "../examples/burn_policy.rs"]
#[expect(dead_code, reason = "`main` and what it prints are the example's own")]
mod burn_policy;

#[cfg(feature = "candle")]
#[path = "../examples/candle_classifier.rs"]
#[expect(dead_code, reason = "`main` is the example's own")]
mod candle_classifier;

#[cfg(feature = "tch")]
#[path = "../examples/tch_sac_head.rs"]
#[expect(dead_code, reason = "`main` and what it prints are the example's own")]
mod tch_sac_head;

/// The smallest entropy is that of a one-hot softmax, up to the rounding of logits to `f32`.
#[cfg(feature = "candle")]
#[test]
fn the_candle_classifier_learns_and_stays_unsure() {
    use candle_classifier::{activation, train};
    let era = activation().unwrap();
    let [plain, bounded] = [None, Some(era)].map(|era| train(era).unwrap());
    assert!(plain.accuracy > 0.9, "{}", plain.accuracy);
    assert!(bounded.accuracy > 0.9, "{}", bounded.accuracy);
    // The bound is no accident of these data: without it the network is far surer.
    assert!(plain.min_entropy < 0.01, "{}", plain.min_entropy);
    assert!(bounded.min_entropy > era.min_entropy() - 1e-6);
    assert!(bounded.min_entropy > era.config().target_entropy);
    assert!(bounded.loss > era.cross_entropy_floor() - 1e-6);
    assert!(
        bounded.loss < era.cross_entropy_floor() + 0.2,
        "{}",
        bounded.loss
    );
    let again = train(Some(era)).unwrap();
    assert_eq!(again.loss.to_bits(), bounded.loss.to_bits());
}

#[cfg(feature = "burn")]
#[test]
fn the_burn_policy_learns_and_keeps_its_entropy() {
    use burn_policy::{activation, train};
    let era = activation().unwrap();
    let shown = train(era);
    for snapshot in &shown {
        for entropy in snapshot.entropy {
            assert!((entropy - era.entropy()).abs() < 1e-5, "{snapshot:?}");
        }
    }
    let (first, last) = (&shown[0], &shown[shown.len() - 1]);
    assert!(last.cost < 0.5 * first.cost, "{first:?} {last:?}");
    // What is expensive to miss is done with care, what is cheap at random.
    assert!(
        last.sigma[0] < last.sigma[1] && last.sigma[1] < last.sigma[2],
        "{last:?}"
    );
}

#[cfg(feature = "tch")]
#[test]
fn the_tch_policy_learns_and_keeps_its_entropy() {
    use tch_sac_head::{Snapshot, activation, train};
    let era = activation().unwrap();
    let [plain, held] = [None, Some(era)].map(train);
    for shown in [&plain, &held] {
        let (first, last) = (&shown[0], &shown[shown.len() - 1]);
        assert!(last.cost < 0.5 * first.cost, "{first:?} {last:?}");
    }
    for snapshot in &held {
        for entropy in snapshot.entropy {
            assert!((entropy - era.entropy()).abs() < 1e-5, "{snapshot:?}");
        }
    }
    // The bound is no accident of the task: without it the entropy goes.
    let [_, highest] = plain[plain.len() - 1].entropy;
    assert!(highest < era.entropy() - 3.0, "{highest}");
    // What is expensive to miss is done with care, what is cheap at random.
    let [first, second, third] = held[held.len() - 1].sigma;
    assert!(first < second && second < third, "{held:?}");
    // No clock and no state of a generator in it.
    let again = train(Some(era));
    let costs =
        |shown: &[Snapshot]| -> Vec<u64> { shown.iter().map(|s| s.cost.to_bits()).collect() };
    assert_eq!(costs(&again), costs(&held));
}
