use proptest::prelude::*;
use rand_chacha::rand_core::SeedableRng;

use super::*;

const OBS: usize = 3;
const ACT: usize = 2;

/// Transition `number`, whose every component tells which it is.
fn push(replay: &mut Replay, number: usize) {
    let base = number as f32;
    replay.push(Transition {
        obs: &[base, base + 0.1, base + 0.2],
        action: &[base + 0.3, base + 0.4],
        reward: base + 0.5,
        next_obs: &[base + 0.6, base + 0.7, base + 0.8],
        terminated: number.is_multiple_of(3),
    });
}

/// The numbers of the transitions in `batch`; every row has to be whole.
fn numbers(batch: &Batch) -> Vec<usize> {
    let rows = batch
        .obs
        .chunks_exact(OBS)
        .zip(batch.action.chunks_exact(ACT))
        .zip(batch.next_obs.chunks_exact(OBS));
    let ends = batch.reward.iter().zip(&batch.mask);
    rows.zip(ends)
        .map(|(((obs, action), next_obs), (&reward, &mask))| {
            let base = obs[0];
            assert_eq!(obs, [base, base + 0.1, base + 0.2]);
            assert_eq!(action, [base + 0.3, base + 0.4]);
            assert_eq!(reward, base + 0.5);
            assert_eq!(next_obs, [base + 0.6, base + 0.7, base + 0.8]);
            let number = base as usize;
            assert_eq!(mask, if number.is_multiple_of(3) { 0.0 } else { 1.0 });
            number
        })
        .collect()
}

fn filled(capacity: usize, pushed: usize) -> Replay {
    let mut replay = Replay::new(capacity, OBS, ACT);
    for number in 0..pushed {
        push(&mut replay, number);
    }
    replay
}

fn drawn(replay: &Replay, seed: u64, size: usize) -> Vec<usize> {
    let mut batch = Batch::new(size, OBS, ACT);
    replay.sample(&mut ChaCha8Rng::seed_from_u64(seed), &mut batch);
    numbers(&batch)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn the_newest_transitions_are_in_it(capacity in 1_usize..40, pushed in 1_usize..130, seed: u64) {
        let replay = filled(capacity, pushed);
        prop_assert_eq!(replay.len(), capacity.min(pushed));
        // 30 draws for each leave one out but once in 10^11 times.
        let mut seen = drawn(&replay, seed, 30 * capacity);
        seen.sort_unstable();
        seen.dedup();
        prop_assert_eq!(seen, (pushed.saturating_sub(capacity)..pushed).collect::<Vec<_>>());
    }

    #[test]
    fn a_restored_buffer_goes_on_as_the_first(
        capacity in 1_usize..40, pushed in 0_usize..130, after in 1_usize..60, seed: u64,
    ) {
        let mut first = filled(capacity, pushed);
        let arrays = first.save();
        // Into one with another past.
        let mut second = filled(capacity, 17);
        second.restore(&arrays).unwrap();
        prop_assert_eq!(second.save(), arrays);
        for number in pushed..pushed + after {
            push(&mut first, number);
            push(&mut second, number);
        }
        prop_assert_eq!(drawn(&first, seed, 50), drawn(&second, seed, 50));
        prop_assert_eq!(first.save(), second.save());
    }
}

/// Pearson's statistic over 20 cells has 19 degrees of freedom: beyond 60 once in 4 million times, for a fixed seed never
/// or always. A ring that has wrapped, so that places and ages differ.
#[test]
fn draws_are_uniform() {
    let replay = filled(20, 33);
    let drawn = drawn(&replay, 5, 40_000);
    let expected = drawn.len() as f64 / 20.0;
    let statistic: f64 = (13..33)
        .map(|number| {
            let count = drawn.iter().filter(|&&other| other == number).count() as f64;
            (count - expected).powi(2) / expected
        })
        .sum();
    assert!(statistic < 60.0, "{statistic}");
    // As independent draws are: neighbours are equal as often as chance has it, 2000 times with a deviation of 44.
    let pairs = drawn.windows(2).filter(|pair| pair[0] == pair[1]).count() as f64;
    assert!((pairs - 2000.0).abs() < 5.0 * 44.0, "{pairs}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let whole = filled(10, 14).save();
    let refused = |what: &str, arrays: &BTreeMap<String, Array>| {
        let error = Replay::new(10, OBS, ACT)
            .restore(arrays)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("restore the replay buffer: ") && error.contains(what),
            "{error}"
        );
    };
    for name in whole.keys() {
        let mut arrays = whole.clone();
        arrays.remove(name);
        refused(name, &arrays);
        arrays.insert(name.clone(), Array::F32(vec![10, 1], vec![0.0; 9]));
        refused(name, &arrays);
    }
    let position = |numbers: &[u64]| {
        let mut arrays = whole.clone();
        arrays.insert(
            "replay.position".to_owned(),
            Array::U64(vec![numbers.len()], numbers.to_vec()),
        );
        arrays
    };
    refused("capacity is 11", &position(&[11, 10, 4]));
    refused("10 transitions cannot end at 10", &position(&[10, 10, 10]));
    refused("7 transitions cannot end at 4", &position(&[10, 7, 4]));
    refused("12 transitions cannot end at 2", &position(&[10, 12, 2]));
    refused("has 2 numbers", &position(&[10, 10]));
    let mut wide = Replay::new(10, OBS + 1, ACT);
    assert!(wide.restore(&whole).is_err());
}
