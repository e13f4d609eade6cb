//! The input of every statistic: checked scores.

use std::ops::Range;

/// Final scores of one algorithm: for every task, one finite number a run.
///
/// Tasks may have different numbers of runs. Then each task still has the same weight: [`Scores::weight`] says how
/// often each of its runs counts, so that all tasks count as often as each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// Runs of task 0, then of task 1…
    values: Vec<f64>,
    /// Where each task starts in `values`, and the number of values.
    starts: Vec<usize>,
    /// Least common multiple of the numbers of runs.
    per_task: u64,
}

/// Why numbers are not [`Scores`].
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ScoresError {
    /// There is no task.
    #[error("no task has a score")]
    NoTask,
    /// A task has no run.
    #[error("task {task} has no run")]
    NoRun {
        /// Position of the task, from 0.
        task: usize,
    },
    /// A score is infinite or not a number.
    #[error("the score of run {run} on task {task} is {value}, not a finite number")]
    NotFinite {
        /// Position of the task, from 0.
        task: usize,
        /// Position of the run, from 0.
        run: usize,
        /// The score.
        value: f64,
    },
    /// A table has another number of scores than runs × tasks.
    #[error("{found} scores do not make a table of {runs} runs and {tasks} tasks")]
    Shape {
        /// Number of scores.
        found: usize,
        /// Number of runs asked for.
        runs: usize,
        /// Number of tasks asked for.
        tasks: usize,
    },
    /// The numbers of runs have no common multiple that can be counted with.
    #[error("the tasks have too many different numbers of runs")]
    RunCounts,
}

impl Scores {
    /// Scores by task: `tasks[t][r]` is the score of run `r` on task `t`.
    ///
    /// # Errors
    /// No task, a task without a run, a score that is not finite, or numbers of runs whose least common multiple
    /// times the number of tasks is beyond 2^32 (only some dozens of different large numbers get there).
    pub fn new<T: AsRef<[f64]>>(tasks: &[T]) -> Result<Self, ScoresError> {
        if tasks.is_empty() {
            return Err(ScoresError::NoTask);
        }
        let mut scores = Self {
            values: Vec::new(),
            starts: vec![0],
            per_task: 1,
        };
        for (task, runs) in tasks.iter().map(AsRef::as_ref).enumerate() {
            if runs.is_empty() {
                return Err(ScoresError::NoRun { task });
            }
            if let Some((run, &value)) = runs
                .iter()
                .enumerate()
                .find(|(_, value)| !value.is_finite())
            {
                return Err(ScoresError::NotFinite { task, run, value });
            }
            scores.values.extend_from_slice(runs);
            scores.starts.push(scores.values.len());
            scores.per_task = least_common_multiple(scores.per_task, runs.len() as u64)
                .filter(|multiple| {
                    u32::try_from(multiple.saturating_mul(tasks.len() as u64)).is_ok()
                })
                .ok_or(ScoresError::RunCounts)?;
        }
        Ok(scores)
    }

    /// Scores from a table with one row a run and one column a task, row by row: rliable's layout.
    ///
    /// # Errors
    /// As [`Scores::new`], or the table does not have `runs` × `tasks` scores.
    pub fn from_rows(runs: usize, tasks: usize, table: &[f64]) -> Result<Self, ScoresError> {
        if runs.checked_mul(tasks) != Some(table.len()) {
            return Err(ScoresError::Shape {
                found: table.len(),
                runs,
                tasks,
            });
        }
        let column = |task| {
            (0..runs)
                .map(|run| table[run * tasks + task])
                .collect::<Vec<_>>()
        };
        Self::new(&(0..tasks).map(column).collect::<Vec<_>>())
    }

    /// Number of tasks, at least 1.
    pub fn tasks(&self) -> usize {
        self.starts.len() - 1
    }

    /// Scores of the runs of one task, at least one.
    ///
    /// # Panics
    /// There is no such task.
    pub fn runs(&self, task: usize) -> &[f64] {
        &self.values[self.range(task)]
    }

    /// Smallest number of runs of a task.
    pub fn fewest_runs(&self) -> usize {
        self.ranges().map(|range| range.len()).min().unwrap_or(0)
    }

    /// All scores, task by task.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// How often each run of a task counts, so that every task counts the same: 1 where all tasks have the same
    /// number of runs; 2 and 3 where one task has three runs and the other two.
    ///
    /// # Panics
    /// There is no such task.
    pub fn weight(&self, task: usize) -> u64 {
        self.per_task / self.range(task).len() as u64
    }

    /// Sum of the weights of all runs.
    pub fn total_weight(&self) -> u64 {
        self.per_task * self.tasks() as u64
    }

    /// Positions of a task's runs in [`Scores::values`].
    pub(crate) fn range(&self, task: usize) -> Range<usize> {
        self.starts[task]..self.starts[task + 1]
    }

    /// [`Scores::range`] of every task, in order.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.starts.windows(2).map(|pair| pair[0]..pair[1])
    }
}

fn least_common_multiple(a: u64, b: u64) -> Option<u64> {
    let (mut divisor, mut rest) = (a, b);
    while rest != 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    (a / divisor).checked_mul(b)
}
