//! Which cells fit a time budget.

use std::time::Duration;

/// Splits cells, given their expected seconds, into those that fit `budget` on `jobs` workers and those that do not:
/// the indices kept and the indices left out, each in the given order.
///
/// Cells are taken in the given order, each as long as the whole then fits: what the matrix names first matters most,
/// and a cell that is too long does not keep shorter ones behind it out.
pub fn plan_budget(seconds: &[f64], jobs: usize, budget: Duration) -> (Vec<usize>, Vec<usize>) {
    let (mut kept, mut left_out) = (Vec::new(), Vec::new());
    let mut times = Vec::new();
    for (index, &time) in seconds.iter().enumerate() {
        times.push(time);
        if makespan(&times, jobs) <= budget.as_secs_f64() {
            kept.push(index);
        } else {
            times.pop();
            left_out.push(index);
        }
    }
    (kept, left_out)
}

/// Expected seconds until all are done on `jobs` workers, the longest begun first, as the scheduler does.
pub fn makespan(seconds: &[f64], jobs: usize) -> f64 {
    let mut longest_first = seconds.to_vec();
    longest_first.sort_by(|a, b| b.total_cmp(a));
    let mut busy_until = vec![0.0_f64; jobs.max(1)];
    for time in longest_first {
        // The first to be free takes the next.
        if let Some(worker) = busy_until.iter_mut().min_by(|a, b| a.total_cmp(b)) {
            *worker += time;
        }
    }
    busy_until.into_iter().fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plan(seconds: &[f64], jobs: usize, budget: u64) -> (Vec<usize>, Vec<usize>) {
        plan_budget(seconds, jobs, Duration::from_secs(budget))
    }

    #[test]
    fn cells_are_kept_in_order_as_long_as_they_fit() {
        assert_eq!(plan(&[5.0, 5.0, 5.0], 1, 10), (vec![0, 1], vec![2]));
        assert_eq!(plan(&[5.0, 5.0, 5.0], 2, 10), (vec![0, 1, 2], vec![]));
        assert_eq!(
            plan(&[20.0, 5.0], 1, 10),
            (vec![1], vec![0]),
            "a long one does not keep others out"
        );
        assert_eq!(plan(&[1.0], 1, 0), (vec![], vec![0]));
        assert_eq!(plan(&[], 3, 0), (vec![], vec![]));
    }

    #[test]
    fn the_longest_begins_first() {
        assert_eq!(makespan(&[1.0, 1.0, 1.0, 3.0], 2), 3.0);
        assert_eq!(makespan(&[], 2), 0.0);
    }

    proptest! {
        #[test]
        fn a_plan_fits_its_budget_and_loses_no_cell(
            seconds in proptest::collection::vec(0.0..100.0_f64, 0..12), jobs in 1..5_usize, budget in 0..300_u64,
        ) {
            let (kept, left_out) = plan(&seconds, jobs, budget);
            let times: Vec<f64> = kept.iter().map(|&index| seconds[index]).collect();
            prop_assert!(makespan(&times, jobs) <= budget as f64);
            let mut all: Vec<usize> = kept.iter().chain(&left_out).copied().collect();
            all.sort();
            prop_assert_eq!(all, (0..seconds.len()).collect::<Vec<_>>());
            // Bounds that hold for any schedule.
            let (total, longest) = (seconds.iter().sum::<f64>(), seconds.iter().copied().fold(0.0, f64::max));
            let span = makespan(&seconds, jobs);
            prop_assert!(span >= longest - 1e-9 && span >= total / jobs as f64 - 1e-9 && span <= total + 1e-9);
        }
    }
}
