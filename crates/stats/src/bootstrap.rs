//! The stratified percentile bootstrap.
//!
//! Runs are drawn with replacement within each task, independently between tasks, as many as the task has; the
//! interval lies between two percentiles of the statistic over the repetitions. One resample serves every statistic
//! that is asked for.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rayon::prelude::*;

use crate::scores::Scores;

/// Repetitions that share one random stream. Fixed, so that no result depends on how threads split the work.
const BLOCK: usize = 256;

/// How intervals are made. The default: 50,000 repetitions, 95 %, seed 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bootstrap {
    repetitions: usize,
    level: f64,
    seed: u64,
}

/// Why settings are not a [`Bootstrap`].
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum BootstrapError {
    /// Percentiles need repetitions.
    #[error("a bootstrap needs at least one repetition")]
    NoRepetition,
    /// The level is a probability.
    #[error("a confidence level lies between 0 and 1, unlike {0}")]
    Level(f64),
}

/// An interval with both ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end, not below `low`.
    pub high: f64,
}

/// A value and how uncertain it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The statistic of the scores themselves.
    pub value: f64,
    /// Its bootstrap interval. `None` where a task has a single run: a bootstrap would show no spread there and the
    /// interval would claim a certainty that nobody has.
    pub interval: Option<Interval>,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self {
            repetitions: 50_000,
            level: 0.95,
            seed: 0,
        }
    }
}

impl Bootstrap {
    /// `repetitions` resamples, an interval that holds the share `level` of them, random numbers from `seed`.
    ///
    /// # Errors
    /// No repetition, or a level outside the open interval (0, 1).
    pub fn new(repetitions: usize, level: f64, seed: u64) -> Result<Self, BootstrapError> {
        if repetitions == 0 {
            return Err(BootstrapError::NoRepetition);
        }
        if !(level > 0.0 && level < 1.0) {
            return Err(BootstrapError::Level(level));
        }
        Ok(Self {
            repetitions,
            level,
            seed,
        })
    }

    /// Number of resamples.
    pub fn repetitions(&self) -> usize {
        self.repetitions
    }

    /// Share of the resampled values inside an interval.
    pub fn level(&self) -> f64 {
        self.level
    }

    /// Seed of the random numbers.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Runs `statistic` once a repetition and returns one interval for each of its `width` values.
    ///
    /// `workspace` makes what a thread reuses between repetitions; `statistic` draws from the generator that it is
    /// given and fills the row. It must not carry anything from one repetition to the next.
    pub(crate) fn intervals<W>(
        &self,
        width: usize,
        workspace: impl Fn() -> W + Sync + Send,
        statistic: impl Fn(&mut W, &mut ChaCha8Rng, &mut [f64]) + Sync + Send,
    ) -> Vec<Interval> {
        let root = ChaCha8Rng::seed_from_u64(self.seed);
        let mut rows = vec![0.0; self.repetitions * width];
        rows.par_chunks_mut(BLOCK * width)
            .enumerate()
            .for_each_init(workspace, |workspace, (block, rows)| {
                let mut rng = root.clone();
                rng.set_stream(block as u64);
                for row in rows.chunks_exact_mut(width) {
                    statistic(workspace, &mut rng, row);
                }
            });
        (0..width)
            .into_par_iter()
            .map(|column| {
                let mut values: Vec<f64> = rows[column..].iter().step_by(width).copied().collect();
                self.percentile_interval(&mut values)
            })
            .collect()
    }

    fn percentile_interval(&self, values: &mut [f64]) -> Interval {
        let tail = (1.0 - self.level) / 2.0;
        Interval {
            low: quantile(values, tail),
            high: quantile(values, 1.0 - tail),
        }
    }
}

/// The quantile `q` in [0, 1] of a slice that is not empty, interpolated between neighbours (numpy's default, the
/// seventh definition of Hyndman and Fan). Reorders the slice.
pub(crate) fn quantile(values: &mut [f64], q: f64) -> f64 {
    let position = q * (values.len() - 1) as f64;
    let below = position.floor() as usize;
    let (_, &mut low, above) = values.select_nth_unstable_by(below, f64::total_cmp);
    match above.iter().copied().min_by(f64::total_cmp) {
        Some(high) => low + (high - low) * (position - below as f64),
        None => low,
    }
}

/// Draws `scores`' runs with replacement within each task: fills `drawn` (as long as [`Scores::values`]) with
/// positions, task by task.
pub(crate) fn resample(scores: &Scores, rng: &mut ChaCha8Rng, drawn: &mut [u32]) {
    for range in scores.ranges() {
        let (start, runs) = (range.start as u32, range.len() as u64);
        for position in &mut drawn[range] {
            // Multiply and shift instead of rejection: off from uniform by less than runs / 2^32.
            *position = start + ((u64::from(rng.next_u32()) * runs) >> 32) as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // numpy.quantile([3, 1, 2, 4], q)
    #[test]
    fn quantiles_interpolate_as_numpy() {
        for (q, expected) in [(0.0, 1.0), (0.25, 1.75), (0.5, 2.5), (0.9, 3.7), (1.0, 4.0)] {
            assert!(
                (quantile(&mut [3.0, 1.0, 2.0, 4.0], q) - expected).abs() < 1e-15,
                "{q}"
            );
        }
        assert_eq!(quantile(&mut [5.0], 0.3), 5.0);
    }

    #[test]
    fn resamples_stay_in_their_task_and_reach_every_run() {
        let scores = Scores::new(&[vec![0.0; 3], vec![0.0; 1], vec![0.0; 5]]).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (mut drawn, mut seen) = (vec![0; 9], [0_u32; 9]);
        for _ in 0..1000 {
            resample(&scores, &mut rng, &mut drawn);
            for (at, &position) in drawn.iter().enumerate() {
                let task = (0..3)
                    .find(|&task| scores.range(task).contains(&at))
                    .unwrap();
                assert!(scores.range(task).contains(&(position as usize)));
                seen[position as usize] += 1;
            }
        }
        // 1,000 expected for each; six standard deviations of a binomial are below 180.
        assert!(
            seen.iter().all(|&count| count.abs_diff(1000) < 180),
            "{seen:?}"
        );
    }

    #[test]
    fn settings_are_checked() {
        assert_eq!(
            Bootstrap::new(0, 0.95, 0),
            Err(BootstrapError::NoRepetition)
        );
        for level in [0.0, 1.0, -0.1] {
            assert_eq!(
                Bootstrap::new(10, level, 0),
                Err(BootstrapError::Level(level))
            );
        }
        assert!(Bootstrap::new(10, f64::NAN, 0).is_err());
    }
}
