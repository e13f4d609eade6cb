//! Running normalisation of observations and rewards, with the formulas of Gymnasium's wrappers `NormalizeObservation`
//! and `NormalizeReward` (1.4.0), which CleanRL's PPO puts round its environments.
//!
//! With several environments all of them share one set of statistics, as in SB3's `VecNormalize`; CleanRL gives each
//! environment its own. With one environment, CleanRL's default, that is the same.

/// What Gymnasium adds to a variance before its root is taken.
const EPSILON: f64 = 1e-8;
/// Observations and rewards are clipped to plus and minus this after they were normalised (CleanRL).
pub(crate) const LIMIT: f64 = 10.0;

/// Mean and variance of a stream of vectors (Chan et al. 1983), from mean 0 and variance 1 with the weight 1e-4.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Moments {
    count: f64,
    mean: Vec<f64>,
    variance: Vec<f64>,
}

impl Moments {
    pub(crate) fn new(dims: usize) -> Self {
        Self {
            count: 1e-4,
            mean: vec![0.0; dims],
            variance: vec![1.0; dims],
        }
    }

    /// Takes one vector in.
    pub(crate) fn update(&mut self, values: impl IntoIterator<Item = f64>) {
        let total = self.count + 1.0;
        let moments = self.mean.iter_mut().zip(&mut self.variance);
        for ((mean, variance), value) in moments.zip(values) {
            let delta = value - *mean;
            *mean += delta / total;
            *variance = (*variance * self.count + delta * delta * self.count / total) / total;
        }
        self.count = total;
    }

    /// Count, means, variances.
    pub(crate) fn state(&self) -> Vec<f64> {
        [&[self.count], &self.mean[..], &self.variance[..]].concat()
    }

    /// Takes on what [`state`](Self::state) gave; false when its length is another one's.
    #[must_use]
    pub(crate) fn set_state(&mut self, state: &[f64]) -> bool {
        let dims = self.mean.len();
        if state.len() != 1 + 2 * dims {
            return false;
        }
        self.count = state[0];
        self.mean.copy_from_slice(&state[1..=dims]);
        self.variance.copy_from_slice(&state[1 + dims..]);
        true
    }
}

/// Observations to mean 0 and variance 1; off, they pass as they are.
#[derive(Clone, Debug)]
pub(crate) struct Observations {
    pub(crate) moments: Moments,
    pub(crate) on: bool,
}

impl Observations {
    pub(crate) fn new(dims: usize, on: bool) -> Self {
        Self {
            moments: Moments::new(dims),
            on,
        }
    }

    /// Takes one observation in.
    pub(crate) fn see(&mut self, obs: &[f32]) {
        if self.on {
            self.moments.update(obs.iter().copied().map(f64::from));
        }
    }

    /// (obs - mean) / sqrt(variance + 1e-8), clipped to ±10, with the moments as they are now.
    pub(crate) fn normalise(&self, obs: &[f32], out: &mut [f32]) {
        if !self.on {
            out.copy_from_slice(obs);
            return;
        }
        let moments = self.moments.mean.iter().zip(&self.moments.variance);
        for ((out, obs), (mean, variance)) in out.iter_mut().zip(obs).zip(moments) {
            let scaled = (f64::from(*obs) - mean) / (variance + EPSILON).sqrt();
            *out = scaled.clamp(-LIMIT, LIMIT) as f32;
        }
    }
}

/// Rewards by the standard deviation of the discounted return so far, not centred; off, they pass as they are.
///
/// The running return of an environment starts anew where the task terminated and goes on over a time limit, as in
/// Gymnasium.
#[derive(Clone, Debug)]
pub(crate) struct Rewards {
    pub(crate) moments: Moments,
    /// The discounted return of each environment.
    pub(crate) returns: Vec<f64>,
    discount: f64,
    on: bool,
}

impl Rewards {
    pub(crate) fn new(environments: usize, discount: f64, on: bool) -> Self {
        Self {
            moments: Moments::new(1),
            returns: vec![0.0; environments],
            discount,
            on,
        }
    }

    /// Takes in the reward of environment `index` and scales it: reward / sqrt(variance + 1e-8), clipped to ±10.
    pub(crate) fn scale(&mut self, index: usize, reward: f64, terminated: bool) -> f64 {
        if !self.on {
            return reward;
        }
        let past = if terminated { 0.0 } else { self.returns[index] };
        self.returns[index] = self.discount * past + reward;
        self.moments.update([self.returns[index]]);
        let scaled = reward / (self.moments.variance[0] + EPSILON).sqrt();
        scaled.clamp(-LIMIT, LIMIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The moments of the values and of 1e-4 copies of a distribution with mean 0 and variance 1, in closed form.
    #[test]
    fn moments_are_those_of_all_values_with_the_prior() {
        let values = [3.0, -1.0, 4.0, 1.5, -9.0];
        let mut moments = Moments::new(1);
        values.iter().for_each(|value| moments.update([*value]));
        let count = 5.0 + 1e-4;
        let mean = values.iter().sum::<f64>() / count;
        let spread: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let variance = (spread + 1e-4 * (1.0 + mean * mean)) / count;
        let [found_count, found_mean, found_variance] = moments.state()[..] else {
            panic!("three numbers");
        };
        assert!((found_count - count).abs() < 1e-12);
        assert!((found_mean - mean).abs() < 1e-12);
        assert!((found_variance - variance).abs() < 1e-9);
    }

    /// Gymnasium 1.4.0, `NormalizeReward(env, gamma=0.9)` on these rewards, a termination with the second and a truncation
    /// with the fourth; clipped to ±10 as CleanRL does behind it.
    #[test]
    fn rewards_are_scaled_as_gymnasium_does() {
        let steps = [
            (1.0, false, 70.714_213_210_623_37),
            (2.0, true, 3.998_800_564_700_165_4),
            (3.0, false, 1.865_247_839_934_831_3),
            (-5.0, false, -2.513_481_621_142_960_3),
            (0.5, false, 0.258_596_026_883_671_3),
        ];
        let mut rewards = Rewards::new(1, 0.9, true);
        for (reward, terminated, expected) in steps {
            let found = rewards.scale(0, reward, terminated);
            let expected = f64::clamp(expected, -LIMIT, LIMIT);
            assert!(
                (found - expected).abs() < 1e-12,
                "{found} instead of {expected}"
            );
        }
    }

    /// Gymnasium 1.4.0, `NormalizeObservation(env)` on the observation of a reset and five steps.
    #[test]
    fn observations_are_normalised_as_gymnasium_does() {
        let seen: [([f32; 2], [f64; 2]); 6] = [
            (
                [0.5, -2.0],
                [0.004_472_967_702_895_403, -0.008_946_471_847_593_784],
            ),
            (
                [0.5, -2.0],
                [0.003_162_644_337_862_73, -0.006_325_762_253_254_652],
            ),
            (
                [1.0, -1.0],
                [1.413_718_581_199_646, 1.413_718_700_408_935_5],
            ),
            (
                [4.0, 0.0],
                [1.715_000_510_215_759_3, 1.507_467_865_943_908_7],
            ),
            ([-3.0, 2.5], [-1.619_722_843_170_166, 1.792_846_918_106_079]),
            (
                [0.25, 7.0],
                [-0.143_452_256_917_953_5, 1.962_185_740_470_886_2],
            ),
        ];
        let mut observations = Observations::new(2, true);
        let mut found = [0.0; 2];
        for (obs, expected) in seen {
            observations.see(&obs);
            observations.normalise(&obs, &mut found);
            for (found, expected) in found.into_iter().zip(expected) {
                // Gymnasium keeps the statistics in the 32 bits of the observations, where the first differences cancel.
                assert!(
                    (f64::from(found) - expected).abs() < 5e-6,
                    "{found}, {expected}"
                );
            }
        }
    }

    #[test]
    fn a_state_continues_and_another_one_is_refused() {
        let mut observations = Observations::new(2, true);
        observations.see(&[1.0, 2.0]);
        observations.see(&[-3.0, 0.5]);
        let mut other = Moments::new(2);
        assert!(other.set_state(&observations.moments.state()));
        assert_eq!(other, observations.moments);
        assert!(!other.set_state(&[1.0]));
        let mut out = [0.0; 2];
        observations.normalise(&[1e9, -1e9], &mut out);
        assert_eq!(out, [10.0, -10.0]);
    }
}
