//! The truncated normal policy.

use crate::error::Error;
use crate::gaussian::ENTROPY_OF_UNIT_NORMAL;
use crate::real::Real;
use crate::special::{
    FRAC_1_SQRT_2PI, LN_SQRT_2PI, clip, exp, ln, tanh, upper_quantile, upper_tail,
};

/// A normal distribution with location tanh(mean) and scale sigma, restricted to (low, high), independent over dimensions.
///
/// The location is clipped to the support (`sac-era/jaxrl/networks/policies.py:78-145`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TruncatedNormal {
    low: f64,
    high: f64,
}

impl Default for TruncatedNormal {
    /// The official support, +-(1 - 1e-6).
    fn default() -> Self {
        Self {
            low: -1.0 + 1e-6,
            high: 1.0 - 1e-6,
        }
    }
}

/// A value and its derivatives with respect to the mean before tanh and to log sigma.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WithGradient {
    /// The value.
    pub value: f64,
    /// Its derivative with respect to the mean before tanh.
    pub d_mean: f64,
    /// Its derivative with respect to log sigma.
    pub d_log_std: f64,
}

/// Values and their derivatives, one of each a dimension.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns {
    /// The values.
    pub value: Vec<f64>,
    /// Their derivatives with respect to the mean before tanh.
    pub d_mean: Vec<f64>,
    /// Their derivatives with respect to log sigma.
    pub d_log_std: Vec<f64>,
}

impl Columns {
    fn resize(&mut self, size: usize) {
        for column in [&mut self.value, &mut self.d_mean, &mut self.d_log_std] {
            column.resize(size, 0.0);
        }
    }
}

/// Log-densities of given actions and entropies, in nats, one of each a dimension.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Densities {
    /// Log-densities, with their derivatives at fixed actions.
    pub log_prob: Columns,
    /// Entropies.
    pub entropy: Columns,
}

impl Densities {
    /// Makes room for `size` dimensions.
    pub fn resize(&mut self, size: usize) {
        self.log_prob.resize(size);
        self.entropy.resize(size);
    }
}

/// Dimensions evaluated together: columns of so many live on the stack.
const LANES: usize = 32;

/// One dimension of the distribution, with what all formulas need.
#[derive(Clone, Copy)]
pub(crate) struct Marginal {
    low: f64,
    high: f64,
    loc: f64,
    /// d loc / d mean; 0 where tanh(mean) is clipped to the support.
    d_loc: f64,
    log_std: f64,
    sigma: f64,
    inverse_sigma: f64,
    /// (loc - low) / sigma and (high - loc) / sigma, both at least 0, as the location lies in the support.
    below: f64,
    above: f64,
    /// P(X < low), P(X > high) of the untruncated distribution, and the probability between: the two sides add up, none cancels.
    mass_below: f64,
    mass_above: f64,
    mass: f64,
    /// exp(-below^2/2), exp(-above^2/2).
    bell_below: f64,
    bell_above: f64,
}

/// A draw with its derivatives.
#[derive(Clone, Copy)]
pub(crate) struct Draw {
    pub(crate) action: WithGradient,
    pub(crate) log_prob: WithGradient,
}

impl TruncatedNormal {
    /// The policy on another support.
    ///
    /// # Errors
    /// Unless -1 <= low < 0 < high <= 1.
    pub fn on(low: f64, high: f64) -> Result<Self, Error> {
        if (-1.0..0.0).contains(&low) && 0.0 < high && high <= 1.0 {
            Ok(Self { low, high })
        } else {
            Err(Error::Support { low, high })
        }
    }

    /// The lower and the upper end of the support.
    pub fn support(&self) -> (f64, f64) {
        (self.low, self.high)
    }

    #[inline(always)]
    pub(crate) fn marginal(&self, mean: f64, log_std: f64) -> Marginal {
        let (squashed, slope) = tanh(mean);
        let inside = squashed > self.low && squashed < self.high;
        let loc = clip(squashed, self.low, self.high);
        let sigma = exp(log_std);
        let inverse_sigma = 1.0 / sigma;
        let below = (loc - self.low) * inverse_sigma;
        let above = (self.high - loc) * inverse_sigma;
        let (mass_below, bell_below) = upper_tail(below);
        let (mass_above, bell_above) = upper_tail(above);
        Marginal {
            low: self.low,
            high: self.high,
            loc,
            d_loc: if inside { slope } else { 0.0 },
            log_std,
            sigma,
            inverse_sigma,
            below,
            above,
            mass_below,
            mass_above,
            mass: 1.0 - mass_below - mass_above,
            bell_below,
            bell_above,
        }
    }

    /// The mode, tanh(mean) clipped to the support: the action at evaluation.
    pub fn mode<T: Real>(&self, mean: &[T], action: &mut [T]) {
        assert_eq!(
            mean.len(),
            action.len(),
            "slices of one call must have one length"
        );
        for (mean, action) in mean.iter().zip(action) {
            *action = T::from_f64(clip(tanh(mean.to_f64()).0, self.low, self.high));
        }
    }

    /// Actions by inverse CDF: `uniform` in \[0, 1\] is given, nothing is drawn here. All slices have one length.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn sample<T: Real>(&self, mean: &[T], log_std: &[T], uniform: &[T], action: &mut [T]) {
        let n = action.len();
        let (mean, log_std, uniform) = (&mean[..n], &log_std[..n], &uniform[..n]);
        for i in 0..n {
            let marginal = self.marginal(mean[i].to_f64(), log_std[i].to_f64());
            action[i] = T::from_f64(marginal.quantile(uniform[i].to_f64()).1);
        }
    }

    /// One dimension of an action and its derivatives along the reparametrised sample (implicit differentiation of the CDF).
    pub fn sample_with_gradient(&self, mean: f64, log_std: f64, uniform: f64) -> WithGradient {
        self.marginal(mean, log_std).draw(uniform).action
    }

    /// The log-density of the action drawn with `uniform`, and its total derivatives: through the action too.
    pub fn sample_log_prob(&self, mean: f64, log_std: f64, uniform: f64) -> WithGradient {
        self.marginal(mean, log_std).draw(uniform).log_prob
    }

    /// The log-density of one dimension at `action`, clipped to the support, with its partial derivatives at a fixed action.
    pub fn log_prob(&self, mean: f64, log_std: f64, action: f64) -> WithGradient {
        self.marginal(mean, log_std).log_prob(action)
    }

    /// [`log_prob`](Self::log_prob) and [`entropy`](Self::entropy) of many dimensions at once, for about the price of one: all
    /// slices have one length, `densities` takes it on.
    ///
    /// Written so that the compiler can make vector code of it where it is inlined into a function for wide registers.
    ///
    /// # Panics
    /// When the lengths differ.
    #[inline(always)]
    pub fn densities(
        &self,
        mean: &[f64],
        log_std: &[f64],
        action: &[f64],
        densities: &mut Densities,
    ) {
        let n = mean.len();
        assert!(
            log_std.len() == n && action.len() == n,
            "slices of one call must have one length"
        );
        densities.resize(n);
        for start in (0..n).step_by(LANES) {
            let block = start..n.min(start + LANES);
            let [mean, log_std, action] = [mean, log_std, action].map(|column| {
                let mut lanes = [0.0; LANES];
                lanes[..block.len()].copy_from_slice(&column[block.clone()]);
                lanes
            });
            let mut results = [[0.0; LANES]; 6];
            for lane in 0..LANES {
                let marginal = self.marginal(mean[lane], log_std[lane]);
                let (log_prob, entropy) = (marginal.log_prob(action[lane]), marginal.entropy());
                results[0][lane] = log_prob.value;
                results[1][lane] = log_prob.d_mean;
                results[2][lane] = log_prob.d_log_std;
                results[3][lane] = entropy.value;
                results[4][lane] = entropy.d_mean;
                results[5][lane] = entropy.d_log_std;
            }
            let Densities { log_prob, entropy } = densities;
            let columns = [
                &mut log_prob.value,
                &mut log_prob.d_mean,
                &mut log_prob.d_log_std,
                &mut entropy.value,
                &mut entropy.d_mean,
                &mut entropy.d_log_std,
            ];
            for (column, lanes) in columns.into_iter().zip(&results) {
                column[block.clone()].copy_from_slice(&lanes[..block.len()]);
            }
        }
    }

    /// The probability of an action below `action`, in one dimension.
    pub fn cdf(&self, mean: f64, log_std: f64, action: f64) -> f64 {
        self.marginal(mean, log_std).cdf(action)
    }

    /// The exact entropy of one dimension, in nats.
    pub fn entropy(&self, mean: f64, log_std: f64) -> WithGradient {
        self.marginal(mean, log_std).entropy()
    }
}

impl Marginal {
    /// The standardised sample and the sample.
    #[inline(always)]
    fn quantile(&self, uniform: f64) -> (f64, f64) {
        // From whichever side is nearer, so that a small tail keeps its digits.
        let left = self.mass_below + uniform * self.mass;
        let right = self.mass_above + (1.0 - uniform) * self.mass;
        let is_left = left < right;
        let distance = upper_quantile(if is_left { left } else { right });
        let z = if is_left { -distance } else { distance };
        (z, clip(self.loc + self.sigma * z, self.low, self.high))
    }

    /// With F(x; loc, sigma) = u held fixed: dx/dloc = 1 - w_l - w_h and dx/dlog sigma = sigma (z + A w_l - B w_h), where A and B are
    /// the distances to the ends in units of sigma, w_l = (1 - u) phi(A) / phi(z), w_h = u phi(B) / phi(z).
    #[inline(always)]
    pub(crate) fn draw(&self, uniform: f64) -> Draw {
        let (z, x) = self.quantile(uniform);
        let inverse_bell = exp(0.5 * z * z);
        let low = (1.0 - uniform) * self.bell_below * inverse_bell;
        let high = uniform * self.bell_above * inverse_bell;
        let pull = self.below * low - self.above * high;
        let (d_mass_loc, spread) = self.mass_derivatives();
        Draw {
            action: WithGradient {
                value: x,
                d_mean: (1.0 - low - high) * self.d_loc,
                d_log_std: self.sigma * (z + pull),
            },
            log_prob: WithGradient {
                value: -0.5 * z * z - LN_SQRT_2PI - self.log_std - ln(self.mass),
                d_mean: (z * (low + high) * self.inverse_sigma - d_mass_loc) * self.d_loc,
                d_log_std: -z * pull - 1.0 + spread,
            },
        }
    }

    /// d log Z / d loc and -d log Z / d log sigma = (A phi(A) + B phi(B)) / Z.
    #[inline(always)]
    fn mass_derivatives(&self) -> (f64, f64) {
        let scale = FRAC_1_SQRT_2PI / self.mass;
        let d_loc = scale * (self.bell_below - self.bell_above) * self.inverse_sigma;
        let spread = scale * (self.below * self.bell_below + self.above * self.bell_above);
        (d_loc, spread)
    }

    #[inline(always)]
    pub(crate) fn log_prob(&self, action: f64) -> WithGradient {
        let x = clip(action, self.low, self.high);
        let z = (x - self.loc) * self.inverse_sigma;
        let (d_mass_loc, spread) = self.mass_derivatives();
        WithGradient {
            value: -0.5 * z * z - LN_SQRT_2PI - self.log_std - ln(self.mass),
            d_mean: (z * self.inverse_sigma - d_mass_loc) * self.d_loc,
            d_log_std: z * z - 1.0 + spread,
        }
    }

    fn cdf(&self, action: f64) -> f64 {
        let x = clip(action, self.low, self.high);
        let z = (x - self.loc) * self.inverse_sigma;
        let (tail, _) = upper_tail(z.abs());
        if z < 0.0 {
            (tail - self.mass_below) / self.mass
        } else {
            1.0 - (tail - self.mass_above) / self.mass
        }
    }

    /// H = L + log sigma + log Z - S/2 with S = (A phi(A) + B phi(B)) / Z.
    #[inline(always)]
    pub(crate) fn entropy(&self) -> WithGradient {
        let (d_mass_loc, spread) = self.mass_derivatives();
        let scale = FRAC_1_SQRT_2PI / self.mass;
        // A phi(A) has the derivative phi(A) (1 - A^2).
        let curve_below = scale * self.bell_below * (1.0 - self.below * self.below);
        let curve_above = scale * self.bell_above * (1.0 - self.above * self.above);
        let d_spread_loc = (curve_below - curve_above) * self.inverse_sigma - spread * d_mass_loc;
        let d_spread_log_std =
            -(self.below * curve_below + self.above * curve_above) + spread * spread;
        WithGradient {
            value: ENTROPY_OF_UNIT_NORMAL + self.log_std + ln(self.mass) - 0.5 * spread,
            d_mean: (d_mass_loc - 0.5 * d_spread_loc) * self.d_loc,
            d_log_std: 1.0 - spread - 0.5 * d_spread_log_std,
        }
    }
}
