//! Whether a difference is worse than a margin, from few runs, in a family of many such questions.
//!
//! Percentile intervals are too short for few runs. Of the difference of two sets of normal scores that differ in nothing, the
//! interval that says 95 times in 100 leaves out zero 10 times in 100 with five pairs, 25 with three, 50 with two. [`widened`]
//! stretches both halves of a bootstrap interval by what Student's t and the degree of freedom that a bootstrap variance lacks
//! ask for (the factor of Hesterberg, "What Teachers Should Know About the Bootstrap", *The American Statistician* 69, 2015,
//! who moves percentiles by it), and by what the number of questions asks for (Bonferroni). It then misses 1 to 6 times in 100, with three
//! pairs or more.

use crate::bootstrap::{Estimate, Interval};
use crate::student;

/// Level of the bootstrap intervals that are taken.
pub const LEVEL: f64 = 0.95;
/// The normal quantile that belongs to [`LEVEL`].
const NORMAL: f64 = 1.959_963_984_540_054;
/// How often an effect of the size [`Judged::detectable`] is found.
pub const POWER: f64 = 0.8;

/// Fewest degrees of freedom with which anything is said: three runs of one task. Two runs that happen to lie together look as if
/// there were no spread, and returns of reinforcement learning do lie together, in one of two or three heaps.
pub const LEAST_FREEDOM: usize = 2;

/// What stands behind an estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Support {
    /// Runs: pairs, where runs are paired, else the runs of the side that has fewer.
    pub runs: usize,
    /// Groups that are resampled apart: tasks.
    pub strata: usize,
}

impl Support {
    /// Degrees of freedom of the spread within groups.
    pub fn freedom(self) -> usize {
        self.runs.saturating_sub(self.strata)
    }

    /// Whether there are enough of them, [`LEAST_FREEDOM`].
    pub fn suffices(self) -> bool {
        self.freedom() >= LEAST_FREEDOM
    }
}

/// What can be said of a difference, seen from a margin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Wholly above the margin.
    Better,
    /// Wholly above minus the margin, and not above the margin.
    NoWorse,
    /// On both sides of minus the margin, or without an interval.
    Undecided,
    /// Wholly below minus the margin.
    Worse,
}

/// A difference that was held against a margin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// The difference.
    pub value: f64,
    /// Its interval at the level [`simultaneous`] says; `None` where too little stands behind it.
    pub interval: Option<Interval>,
    /// What follows.
    pub verdict: Verdict,
    /// The smallest true loss that runs with this spread would have shown to be below the margin four times in five
    /// ([`POWER`]); at least the margin. `None` without an interval.
    pub detectable: Option<f64>,
}

/// The level at which each of `tests` intervals is taken, so that all of them together hold with [`LEVEL`] (Bonferroni).
pub fn simultaneous(tests: usize) -> f64 {
    1.0 - (1.0 - LEVEL) / tests.max(1) as f64
}

/// A bootstrap interval of [`LEVEL`], stretched about its value for the number of runs and to the level of one of `tests`
/// intervals. `None` where there is no interval, or too little behind it.
pub fn widened(estimate: Estimate, support: Support, tests: usize) -> Option<Interval> {
    let interval = estimate.interval.filter(|_| support.suffices())?;
    let freedom = support.freedom();
    let tail = (1.0 - simultaneous(tests)) / 2.0;
    let student = student::quantile(1.0 - tail, freedom)?;
    let factor = student / NORMAL * (support.runs as f64 / freedom as f64).sqrt();
    let half = |length: f64| length.max(0.0) * factor;
    Some(Interval {
        low: estimate.value - half(estimate.value - interval.low),
        high: estimate.value + half(interval.high - estimate.value),
    })
}

/// Holds a difference (larger is better) against `margin`, which is not negative, as one of `tests`.
pub fn judge(estimate: Estimate, support: Support, margin: f64, tests: usize) -> Judged {
    let value = estimate.value;
    let Some(interval) = widened(estimate, support, tests) else {
        return Judged {
            value,
            interval: None,
            verdict: Verdict::Undecided,
            detectable: None,
        };
    };
    let verdict = match interval {
        Interval { low, .. } if low > margin => Verdict::Better,
        Interval { high, .. } if high < -margin => Verdict::Worse,
        Interval { low, .. } if low >= -margin => Verdict::NoWorse,
        _ => Verdict::Undecided,
    };
    let tail = (1.0 - simultaneous(tests)) / 2.0;
    let quantile = |p| student::quantile(p, support.freedom());
    let detectable = quantile(1.0 - tail)
        .zip(quantile(POWER))
        .map(|(level, power)| margin + (interval.high - value) * (1.0 + power / level));
    Judged {
        value,
        interval: Some(interval),
        verdict,
        detectable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bootstrap, Scores, difference};
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    fn estimate(value: f64, low: f64, high: f64) -> Estimate {
        Estimate {
            value,
            interval: Some(Interval { low, high }),
        }
    }

    const MANY: Support = Support {
        runs: 2000,
        strata: 1,
    };

    #[test]
    fn verdicts_follow_the_interval() {
        for (low, high, expected) in [
            (0.06, 0.2, Verdict::Better),
            (0.01, 0.2, Verdict::NoWorse),
            (-0.04, 0.04, Verdict::NoWorse),
            (-0.06, 0.2, Verdict::Undecided),
            (-0.2, -0.04, Verdict::Undecided),
            (-0.2, -0.06, Verdict::Worse),
        ] {
            let judged = judge(estimate(f64::midpoint(low, high), low, high), MANY, 0.05, 1);
            assert_eq!(judged.verdict, expected, "{low} {high}");
        }
    }

    #[test]
    fn few_runs_and_many_questions_widen() {
        let given = estimate(0.0, -1.0, 1.0);
        let of = |runs, tests| widened(given, Support { runs, strata: 1 }, tests);
        assert_eq!((of(1, 1), of(2, 1)), (None, None));
        // t(0.975, 4) / 1.96 * sqrt(5 / 4)
        let five = of(5, 1).unwrap();
        assert!((five.high - 1.583_8).abs() < 1e-3, "{five:?}");
        assert_eq!(five.low, -five.high);
        assert!(of(5, 20).unwrap().high > 2.0 * five.high);
        assert!((of(2000, 1).unwrap().high - 1.0).abs() < 2e-3);
        // A value outside its own interval keeps its place.
        let skewed = widened(estimate(2.0, -1.0, 1.0), MANY, 1).unwrap();
        assert_eq!(skewed.high, 2.0);
    }

    #[test]
    fn without_an_interval_nothing_is_decided() {
        let single = Estimate {
            value: -0.9,
            interval: None,
        };
        let judged = judge(single, Support { runs: 1, strata: 1 }, 0.05, 1);
        assert_eq!(judged.verdict, Verdict::Undecided);
        assert_eq!((judged.interval, judged.detectable), (None, None));
    }

    /// A standard normal number, by Box and Muller.
    fn normal(rng: &mut ChaCha8Rng) -> f64 {
        let mut uniform = || (f64::from(rng.next_u32()) + 0.5) / 2_f64.powi(32);
        let (radius, angle) = (uniform(), uniform());
        (-2.0 * radius.ln()).sqrt() * (angle * std::f64::consts::TAU).cos()
    }

    /// How often the interval of a difference of two honest sets of `runs` runs leaves out zero.
    fn misses(runs: usize, pairs: bool, tests: usize) -> f64 {
        const TRIALS: usize = 2000;
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let bootstrap = Bootstrap::new(1000, LEVEL, 1).unwrap();
        let missed = (0..TRIALS).filter(|_| {
            let mut side = || -> Scores {
                let scores: Vec<f64> = (0..runs).map(|_| normal(&mut rng)).collect();
                Scores::new(&[scores]).unwrap()
            };
            let (left, right) = (side(), side());
            let (estimate, support) = match pairs {
                true => (
                    difference::paired(&left, &right, 1.0, &bootstrap)
                        .unwrap()
                        .iqm,
                    Support { runs, strata: 1 },
                ),
                false => (
                    difference::unpaired(&left, &right, 1.0, &bootstrap)
                        .unwrap()
                        .iqm,
                    Support { runs, strata: 1 },
                ),
            };
            let interval = widened(estimate, support, tests).unwrap();
            interval.low > 0.0 || interval.high < 0.0
        });
        missed.count() as f64 / TRIALS as f64
    }

    #[test]
    fn intervals_of_few_honest_runs_miss_about_as_often_as_they_say() {
        // 5 in 100 are asked for.
        for (runs, pairs) in [(3, true), (5, true), (10, true), (3, false), (5, false)] {
            let rate = misses(runs, pairs, 1);
            assert!(rate < 0.08, "{runs} runs, pairs: {pairs}: {rate}");
        }
        for runs in [3, 5] {
            let rate = misses(runs, true, 50);
            assert!(rate < 0.004, "{runs} runs of one of 50: {rate}");
        }
    }
}
