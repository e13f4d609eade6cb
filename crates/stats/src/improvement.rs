//! The probability that a run of one algorithm beats a run of another.

use crate::aggregate::identity;
use crate::bootstrap::{Bootstrap, Estimate, resample};
use crate::scores::Scores;

/// Two algorithms with different numbers of tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{left} tasks cannot be compared with {right}")]
pub struct TasksError {
    /// Tasks of the one.
    pub left: usize,
    /// Tasks of the other.
    pub right: usize,
}

/// Mean over tasks of P(X > Y) + P(X = Y) / 2 for a run X of `left` and a run Y of `right`, with a stratified
/// bootstrap interval that resamples both independently (rliable's `probability_of_improvement`). The numbers of runs
/// may differ.
///
/// # Errors
/// The two have different numbers of tasks.
pub fn probability(
    left: &Scores,
    right: &Scores,
    bootstrap: &Bootstrap,
) -> Result<Estimate, TasksError> {
    if left.tasks() != right.tasks() {
        return Err(TasksError {
            left: left.tasks(),
            right: right.tasks(),
        });
    }
    let table = Table::new(left, right);
    let value = table.probability(&identity(left), &identity(right));
    if left.fewest_runs() < 2 || right.fewest_runs() < 2 {
        return Ok(Estimate {
            value,
            interval: None,
        });
    }
    let intervals = bootstrap.intervals(
        1,
        || (identity(left), identity(right)),
        |(of_left, of_right), rng, row| {
            resample(left, rng, of_left);
            resample(right, rng, of_right);
            row[0] = table.probability(of_left, of_right);
        },
    );
    Ok(Estimate {
        value,
        interval: intervals.first().copied(),
    })
}

/// Every comparison of two runs on the same task, made once: 2 points for a win, 1 for a tie.
struct Table<'a> {
    left: &'a Scores,
    right: &'a Scores,
    /// Task by task, one row of `right`'s runs for each run of `left`.
    points: Vec<u8>,
}

impl<'a> Table<'a> {
    fn new(left: &'a Scores, right: &'a Scores) -> Self {
        let mut points = Vec::new();
        for task in 0..left.tasks() {
            for x in left.runs(task) {
                points.extend(
                    right
                        .runs(task)
                        .iter()
                        .map(|y| u8::from(x > y) + u8::from(x >= y)),
                );
            }
        }
        Self {
            left,
            right,
            points,
        }
    }

    /// The mean over tasks, for runs at the given positions.
    fn probability(&self, of_left: &[u32], of_right: &[u32]) -> f64 {
        let (mut sum, mut points) = (0.0, &self.points[..]);
        for (rows, columns) in self.left.ranges().zip(self.right.ranges()) {
            let (first_row, first_column, width) =
                (rows.start as u32, columns.start as u32, columns.len());
            let (task_points, rest) = points.split_at(rows.len() * width);
            points = rest;
            let mut won = 0_u64;
            for &row in &of_left[rows] {
                let row = &task_points[(row - first_row) as usize * width..][..width];
                let of_row = of_right[columns.clone()]
                    .iter()
                    .map(|&column| row[(column - first_column) as usize]);
                won += of_row.map(u64::from).sum::<u64>();
            }
            sum += won as f64 / (2 * task_points.len()) as f64;
        }
        sum / self.left.tasks() as f64
    }
}
