//! The example does what it says.

#[path = "../../examples/tch_sac_head.rs"]
#[expect(dead_code, reason = "`main` and what it prints are the example's own")]
mod tch_sac_head;

use tch_sac_head::{activation, train};

#[test]
fn the_policy_learns_and_keeps_its_entropy() {
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
    let costs = |shown: &[tch_sac_head::Snapshot]| -> Vec<u64> {
        shown.iter().map(|s| s.cost.to_bits()).collect()
    };
    assert_eq!(costs(&again), costs(&held));
}
