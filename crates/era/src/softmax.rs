//! The activation for a bounded classifier.

use crate::error::Error;
use crate::inverse::Inverse;
use crate::real::Real;
use crate::special::{exp, ln};
use serde::{Deserialize, Serialize};
use std::f64::consts::E;

/// What a [`SoftmaxEra`] is built from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SoftmaxEraConfig {
    /// n, the number of classes; at least 2.
    pub classes: usize,
    /// H0: the entropy to hold, in nats; within [`SoftmaxEra::range`].
    ///
    /// 0.6 is the default of the official training script (`--H_min`, `resnet-era/train.py:433`).
    pub target_entropy: f64,
    /// tau, at least e: no output exceeds -log tau, so no class has more than 1/tau of unnormalised mass.
    ///
    /// 4 in the official code (`resnet-era/timm/models/resnet.py:390`).
    pub tau: f64,
    /// How h(z) = -z e^z is inverted; approximately in the official code.
    pub inverse: Inverse,
}

impl SoftmaxEraConfig {
    /// The official configuration for `classes` classes: H0 = 0.6 nats, tau = 4, the approximate inverse.
    ///
    /// With two classes, whose H0 is at most 0.633 for tau = 4, it leaves next to nothing to say.
    pub fn official(classes: usize) -> Self {
        Self {
            classes,
            target_entropy: 0.6,
            tau: 4.0,
            inverse: Inverse::Approximate,
        }
    }
}

/// The activation that keeps a classifier's entropy above a target (ERA for image classification).
///
/// With the raw logits s of one example, n classes, C = exp(H0 - 1) and m = log(tau) / tau:
///
/// ```text
/// h_i  = m - slope (1 - softmax(s)_i) ,   slope = (n m - C) / (n - 1)
/// z'_i = h^-1(h_i) ,                      h(z) = -z e^z on z <= -1
/// ```
///
/// (The paper's section on classification; `resnet-era/timm/models/resnet.py:390-413`, where the same line is written with another
/// intercept.) The h_i of an example sum to C and none exceeds m. The new logits z' take the place of s in the loss.
///
/// The official code then subtracts the smallest z' of the example. That changes no softmax, and is left out here: the value is
/// h^-1 itself, at most -log tau. The paper's max(., 0) around h_i is left out too: within [`SoftmaxEra::range`], which is checked,
/// no h_i is negative.
///
/// ```
/// use era::{SoftmaxEra, SoftmaxEraConfig, softmax_entropy};
///
/// let era = SoftmaxEra::new(SoftmaxEraConfig::official(4))?;
/// let mut logits = [0.0; 4];
/// era.logits(&[100.0, 0.0, -1.0, 0.0], &mut logits);
/// assert!(logits[0] > logits[1]);
/// assert!(softmax_entropy(&logits) > 0.6); // however sure the raw logits are
/// # Ok::<(), era::Error>(())
/// ```
///
/// See the [crate's documentation](crate#classification) for what is guaranteed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SoftmaxEra {
    config: SoftmaxEraConfig,
    /// m = log(tau) / tau, the largest h.
    top: f64,
    /// The smallest h, (C - m) / (n - 1), at least 0.
    bottom: f64,
    /// top - bottom, at least 0.
    slope: f64,
    /// The depth -1 - log(top), at least 0: of h_i where softmax(s)_i = 1.
    top_depth: f64,
}

impl SoftmaxEra {
    /// Checks a configuration and prepares the activation.
    ///
    /// # Errors
    /// Fewer than two classes, a number that is not finite, tau below e, or a target outside [`SoftmaxEra::range`].
    pub fn new(config: SoftmaxEraConfig) -> Result<Self, Error> {
        let SoftmaxEraConfig {
            classes,
            target_entropy,
            tau,
            ..
        } = config;
        if classes < 2 {
            return Err(Error::TooFewClasses { classes });
        }
        for (name, value) in [("target_entropy", target_entropy), ("tau", tau)] {
            if !value.is_finite() {
                return Err(Error::NotFinite { name, value });
            }
        }
        if tau < E {
            return Err(Error::TauTooLow { tau });
        }
        let n = classes as f64;
        let top = tau.ln() / tau;
        let budget = (target_entropy - 1.0).exp();
        let (smallest, largest) = Self::range(classes, tau);
        if target_entropy < smallest {
            return Err(Error::ClassTargetTooLow {
                target_entropy,
                budget,
                tau,
                top,
                smallest,
            });
        }
        if target_entropy > largest {
            return Err(Error::ClassTargetTooHigh {
                target_entropy,
                budget,
                tau,
                classes,
                most: n * top,
                largest,
            });
        }
        // (C - m) / (n - 1) and (n m - C) / (n - 1), exactly 0 at the two ends of the range.
        let bottom = top * (target_entropy - smallest).exp_m1() / (n - 1.0);
        let slope = -n * top * (target_entropy - largest).exp_m1() / (n - 1.0);
        let excess = ((tau - E) / E).ln_1p(); // log(tau) - 1
        Ok(Self {
            config,
            top,
            bottom,
            slope,
            top_depth: (excess - excess.ln_1p()).max(0.0),
        })
    }

    /// The smallest and the largest target that `classes` classes can be given with `tau`, in nats.
    ///
    /// 1 + log(log(tau) / tau), below which C is less than the largest h; and 1 + log(n log(tau) / tau), above which a larger raw logit
    /// would get a smaller share. For tau = 4: -0.0597 to 2.2429 for 10 classes, to 6.8481 for 1000.
    pub fn range(classes: usize, tau: f64) -> (f64, f64) {
        let smallest = 1.0 + (tau.ln() / tau).ln();
        (smallest, smallest + (classes as f64).ln())
    }

    /// The configuration it was built from.
    pub fn config(&self) -> &SoftmaxEraConfig {
        &self.config
    }

    /// n, the number of classes.
    pub fn classes(&self) -> usize {
        self.config.classes
    }

    /// C = exp(H0 - 1), to which the h_i of an example sum.
    pub fn budget(&self) -> f64 {
        (self.config.target_entropy - 1.0).exp()
    }

    /// The factor of the softmax, (n m - C) / (n - 1), at least 0.
    pub fn slope(&self) -> f64 {
        self.slope
    }

    /// The smallest h, (C - m) / (n - 1), at least 0: that of a class without a share.
    pub fn smallest_h(&self) -> f64 {
        self.bottom
    }

    /// The entropy of softmax(z') where the raw logits leave no doubt (one-hot softmax), in nats.
    ///
    /// With the exact inverse no raw logits give less, which is proven; with the approximate one the crate's tests find none that do.
    pub fn min_entropy(&self) -> f64 {
        let (gap, others) = self.one_hot();
        if others == 0.0 {
            return 0.0;
        }
        others.ln_1p() + others * gap / (1.0 + others)
    }

    /// The largest probability in softmax(z') where the raw logits leave no doubt (one-hot softmax).
    ///
    /// No raw logits give more. Proven for the exact inverse, and for the approximate one while [`SoftmaxEra::smallest_h`] >= 5e-5.
    pub fn max_probability(&self) -> f64 {
        1.0 / (1.0 + self.one_hot().1)
    }

    /// The smallest cross-entropy that a classifier behind this activation can have: -log of [`SoftmaxEra::max_probability`].
    ///
    /// A loss that has reached it says that every label is predicted as surely as H0 allows, not that training stopped early.
    pub fn cross_entropy_floor(&self) -> f64 {
        self.one_hot().1.ln_1p()
    }

    /// At a one-hot softmax: how far the largest z' lies above the others, and their mass relative to the largest's.
    fn one_hot(&self) -> (f64, f64) {
        if self.bottom == 0.0 {
            return (f64::INFINITY, 0.0);
        }
        let inverse = self.config.inverse;
        let below = inverse.below_one(self.depth(0.0));
        let gap = (below - inverse.below_one(self.top_depth)).max(0.0);
        (gap, (self.config.classes - 1) as f64 * (-gap).exp())
    }

    /// The new logits z' of each example: `raw` and `out` hold rows of n, of any number.
    ///
    /// Finite for any finite input, also where the softmax of `raw` is one-hot. NaN or +infinity in gives NaN in the whole row;
    /// -infinity (a class that is ruled out) is a share of 0. The order of the raw logits is kept, up to ties and rounding: classes whose
    /// share is lost in [`SoftmaxEra::smallest_h`] come out equal.
    ///
    /// # Panics
    /// When the lengths differ or are no multiple of n.
    #[inline(always)]
    pub fn logits<T: Real>(&self, raw: &[T], out: &mut [T]) {
        self.check(raw.len(), out.len());
        let mut block = Block::for_rows(raw.len(), self.config.classes);
        for (raw, out) in raw
            .chunks(block.capacity)
            .zip(out.chunks_mut(block.capacity))
        {
            self.fill(&mut block, raw);
            // One loop for each inverse, so that each is vectorised.
            match self.config.inverse {
                Inverse::Approximate => outputs(Inverse::Approximate, &block.depths, out),
                Inverse::Exact => outputs(Inverse::Exact, &block.depths, out),
            }
        }
    }

    /// The gradient of a loss with respect to `raw`, from its gradient `upstream` with respect to the new logits. Rows of n.
    ///
    /// It is the derivative of what [`SoftmaxEra::logits`] computes: the approximate inverse is differentiated as it stands. The slope of
    /// either inverse grows without bound towards h = 1/e, which h reaches only for tau = e and a share of 1; but a share's own slope
    /// falls faster, and the two are multiplied before either can overflow, so the gradient is finite for any finite input and goes to
    /// 0 there. For tau = 4 the factor is at most 3.6. At the other end, h near 0 (H0 at the lower end of the range), the factor 1/h is
    /// held by the share in the same way.
    ///
    /// # Panics
    /// When the lengths differ or are no multiple of n.
    #[inline(always)]
    pub fn logits_vjp<T: Real>(&self, raw: &[T], upstream: &[T], grad_raw: &mut [T]) {
        self.check(raw.len(), upstream.len());
        self.check(raw.len(), grad_raw.len());
        let mut block = Block::for_rows(raw.len(), self.config.classes);
        let size = block.capacity;
        for ((raw, upstream), grad_raw) in raw
            .chunks(size)
            .zip(upstream.chunks(size))
            .zip(grad_raw.chunks_mut(size))
        {
            self.fill(&mut block, raw);
            match self.config.inverse {
                Inverse::Approximate => slopes(Inverse::Approximate, &mut block.depths),
                Inverse::Exact => slopes(Inverse::Exact, &mut block.depths),
            }
            self.pull_back(&mut block, upstream, grad_raw);
        }
    }

    /// The gradient of one block, whose depths have been replaced by dw/du there.
    ///
    /// dz'_i/ds_j = (dw/du)_i (slope / h_i) p_i (\[i = j\] - p_j), as dz' = -dw and du = -dh / h.
    #[inline(always)]
    fn pull_back<T: Real>(&self, block: &mut Block, upstream: &[T], grad_raw: &mut [T]) {
        for ((pull, share), upstream) in block.depths.iter_mut().zip(&block.shares).zip(upstream) {
            // The quotient first: it is at most 1 / slope, whatever the share.
            *pull *= share / self.h(*share) * self.slope * upstream.to_f64();
        }
        let n = self.config.classes;
        let rows = block
            .shares
            .chunks_exact(n)
            .zip(block.depths.chunks_exact(n));
        for (((shares, pulls), largest), grad_raw) in
            rows.zip(&block.largest).zip(grad_raw.chunks_exact_mut(n))
        {
            let own = largest.index;
            let others = sum_without(pulls, own);
            let sum = others + pulls[own];
            for ((share, pull), grad) in shares.iter().zip(pulls).zip(grad_raw.iter_mut()) {
                *grad = T::from_f64(pull - share * sum);
            }
            // pull - share * sum cancels where the share is almost 1.
            grad_raw[own] = T::from_f64(pulls[own] * largest.rest - shares[own] * others);
        }
    }

    #[inline(always)]
    fn h(&self, share: f64) -> f64 {
        let h = self.bottom + self.slope * share;
        if h < f64::MIN_POSITIVE {
            f64::MIN_POSITIVE
        } else {
            h
        }
    }

    /// u = -1 - log h for a share; positive.
    #[inline(always)]
    fn depth(&self, share: f64) -> f64 {
        let depth = -1.0 - ln(self.h(share));
        // By convexity it is at least this, which is positive and exact where rounding would leave nothing or less; a NaN takes it.
        let least = self.top_depth + self.slope / self.top * (1.0 - share) + f64::MIN_POSITIVE;
        if depth >= least { depth } else { least }
    }

    /// The shares and depths of a few rows.
    #[inline(always)]
    fn fill<T: Real>(&self, block: &mut Block, raw: &[T]) {
        let n = self.config.classes;
        block.softmax(raw, n);
        block.depths.clear();
        let depths = block.shares.iter().map(|share| self.depth(*share));
        block.depths.extend(depths);
        for (largest, depths) in block.largest.iter().zip(block.depths.chunks_exact_mut(n)) {
            if largest.rest < 0.5 {
                let fallen = -(-self.slope / self.top * largest.rest).ln_1p();
                depths[largest.index] = self.top_depth + fallen + f64::MIN_POSITIVE;
            }
        }
    }

    fn check(&self, one: usize, other: usize) {
        let n = self.config.classes;
        assert_eq!(one, other, "slices of one call must have one length");
        assert_eq!(one % n, 0, "slices must hold whole rows of {n}");
    }
}

/// The entropy of softmax(`logits`) for one example, or at one token, in nats.
pub fn softmax_entropy<T: Real>(logits: &[T]) -> f64 {
    let max = maximum(logits);
    let (mut mass, mut moment) = (0.0, 0.0);
    for x in logits {
        let x = x.to_f64() - max;
        let weight = x.exp();
        mass += weight;
        moment += if weight == 0.0 { 0.0 } else { weight * x };
    }
    f64::ln(mass) - moment / mass
}

#[inline(always)]
fn outputs<T: Real>(inverse: Inverse, depths: &[f64], out: &mut [T]) {
    for (depth, out) in depths.iter().zip(out) {
        *out = T::from_f64(-1.0 - inverse.below_one(*depth));
    }
}

#[inline(always)]
fn slopes(inverse: Inverse, depths: &mut [f64]) {
    for depth in depths {
        *depth = inverse.slope(*depth);
    }
}

#[inline(always)]
fn maximum<T: Real>(row: &[T]) -> f64 {
    row.iter()
        .fold(f64::NEG_INFINITY, |max, x| max.max(x.to_f64()))
}

#[inline(always)]
fn sum_without(row: &[f64], index: usize) -> f64 {
    row[..index].iter().sum::<f64>() + row[index + 1..].iter().sum::<f64>()
}

/// The largest share of a row.
struct Largest {
    index: usize,
    /// What the other classes have together: 1 - share without cancellation.
    rest: f64,
}

/// Elements worked on together; few enough to stay in the nearest cache.
const BLOCK: usize = 1024;

/// A few rows on the way through the activation.
struct Block {
    /// Elements of a full block, whole rows.
    capacity: usize,
    shares: Vec<f64>,
    /// u = -1 - ln h.
    depths: Vec<f64>,
    /// One for each row.
    largest: Vec<Largest>,
}

impl Block {
    fn for_rows(len: usize, n: usize) -> Self {
        let capacity = (BLOCK / n).max(1) * n;
        let reserve = capacity.min(len);
        Self {
            capacity,
            shares: Vec::with_capacity(reserve),
            depths: Vec::with_capacity(reserve),
            largest: Vec::with_capacity(reserve / n),
        }
    }

    /// The softmax of each row of n, taken relative to its maximum.
    #[inline(always)]
    fn softmax<T: Real>(&mut self, raw: &[T], n: usize) {
        self.shares.clear();
        self.largest.clear();
        for row in raw.chunks_exact(n) {
            let max = maximum(row);
            let index = row.iter().position(|x| x.to_f64() == max).unwrap_or(0);
            self.largest.push(Largest { index, rest: 0.0 });
            self.shares.extend(row.iter().map(|x| x.to_f64() - max));
        }
        for share in &mut self.shares {
            *share = exp(*share);
        }
        for (row, largest) in self.shares.chunks_exact_mut(n).zip(&mut self.largest) {
            let rest = sum_without(row, largest.index);
            let scale = 1.0 / (row[largest.index] + rest);
            largest.rest = rest * scale;
            for share in row {
                *share *= scale;
            }
        }
    }
}
