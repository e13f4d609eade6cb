//! A token from a row of logits.

use era_nn::{NullaryFnOnce, exp, vectorised};

use super::Sampling;

/// Sums of a loop that run side by side.
const LANES: usize = 32;
/// Logits between two of the partial sums in which a drawn token is looked for.
const BLOCK: usize = 512;

/// A token and what is kept of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) token: u32,
    pub(super) log_prob: f32,
    pub(super) entropy: f32,
}

/// Draws tokens; it keeps its memory.
#[derive(Debug, Default)]
pub(super) struct Drawer {
    /// exp((logit - largest) / temperature).
    weights: Vec<f32>,
    /// Their sums, block by block.
    sums: Vec<f64>,
    /// Tokens that are left by truncation, the most probable first.
    kept: Vec<u32>,
}

impl Drawer {
    /// One token, with a number that is uniform in \[0, 1). `None` if a logit is NaN or +inf, or all are -inf.
    pub(super) fn draw(
        &mut self,
        logits: &[f32],
        sampling: &Sampling,
        uniform: impl FnOnce() -> f64,
    ) -> Option<Token> {
        let (largest, first) = largest(logits)?;
        let temperature = sampling.temperature;
        // The entropy is that of temperature 1.
        let (sum, moment) = self.weigh(logits, largest, 1.0);
        if !(sum.is_finite() && moment.is_finite()) {
            return None;
        }
        let entropy = (sum.ln() - moment / sum) as f32;
        // Greedy tokens have the log-probabilities of temperature 1.
        let (sum, temperature) = if temperature == 0.0 || temperature == 1.0 {
            (sum, 1.0)
        } else {
            (self.weigh(logits, largest, temperature).0, temperature)
        };
        let token = if sampling.temperature == 0.0 {
            first
        } else if sampling.top_k.is_none_or(|k| k >= logits.len()) && sampling.top_p >= 1.0 {
            self.find(uniform() * sum)
        } else {
            self.find_truncated(logits, sampling, sum, uniform())
        };
        let above = f64::from(logits[token] - largest) / temperature;
        Some(Token {
            token: token as u32,
            log_prob: (above - sum.ln()) as f32,
            entropy,
        })
    }

    /// Fills `weights` and `sums`; returns the sum of the weights w and that of w times log w.
    fn weigh(&mut self, logits: &[f32], largest: f32, temperature: f64) -> (f64, f64) {
        let inverse = (1.0 / temperature) as f32;
        self.weights.resize(logits.len(), 0.0);
        self.sums.clear();
        let (mut sum, mut moment) = (0.0, 0.0);
        let blocks = logits.chunks(BLOCK).zip(self.weights.chunks_mut(BLOCK));
        for (logits, weights) in blocks {
            let (of_block, moment_of_block) = vectorised(Weigh {
                logits,
                weights,
                largest,
                inverse,
            });
            self.sums.push(f64::from(of_block));
            sum += f64::from(of_block);
            moment += f64::from(moment_of_block);
        }
        (sum, moment)
    }

    /// The token at which the sum of the weights exceeds `target`.
    fn find(&self, mut target: f64) -> usize {
        // Sums of a block's numbers one by one are not exactly the block's sum, so the last one that can be is kept at hand.
        let mut last = 0;
        for (block, sum) in self.sums.iter().enumerate() {
            let start = block * BLOCK;
            if target < *sum {
                for (at, weight) in self.weights[start..].iter().take(BLOCK).enumerate() {
                    if *weight > 0.0 {
                        last = start + at;
                        target -= f64::from(*weight);
                        if target < 0.0 {
                            return last;
                        }
                    }
                }
                return last;
            }
            target -= sum;
        }
        self.weights.iter().rposition(|w| *w > 0.0).unwrap_or(last)
    }

    /// As [`Drawer::find`], of the tokens that `top_k` and then `top_p` leave, in the order of their probability.
    fn find_truncated(
        &mut self,
        logits: &[f32],
        sampling: &Sampling,
        sum: f64,
        uniform: f64,
    ) -> usize {
        let weights = &self.weights;
        let kept = &mut self.kept;
        kept.clear();
        let mut sum = sum;
        let order = |a: &u32, b: &u32| {
            let (x, y) = (logits[*a as usize], logits[*b as usize]);
            y.total_cmp(&x).then(a.cmp(b))
        };
        match sampling.top_k {
            Some(k) if k < logits.len() => {
                kept.extend(0..logits.len() as u32);
                let (_, last, _) = kept.select_nth_unstable_by(k - 1, order);
                let last = logits[*last as usize];
                kept.retain(|token| logits[*token as usize] >= last);
                kept.sort_unstable_by(order);
                let weight = |token: &u32| f64::from(weights[*token as usize]);
                sum = kept.iter().map(weight).sum();
            }
            _ => {
                // Tokens below this have less than 1 - top_p together, so none of them can be needed to reach top_p.
                let least = (1.0 - sampling.top_p) / logits.len() as f64 * sum * 0.999;
                let enough = |token: &u32| f64::from(weights[*token as usize]) >= least;
                kept.extend((0..logits.len() as u32).filter(enough));
                kept.sort_unstable_by(order);
            }
        }
        if sampling.top_p < 1.0 {
            let (mut before, enough) = (0.0, sampling.top_p * sum);
            let needed = kept.iter().take_while(|token| {
                let needed = before < enough;
                before += f64::from(weights[**token as usize]);
                needed
            });
            let needed = needed.count();
            kept.truncate(needed.max(1));
            let weight = |token: &u32| f64::from(weights[*token as usize]);
            sum = kept.iter().map(weight).sum();
        }
        let mut target = uniform * sum;
        let found = kept.iter().find(|token| {
            target -= f64::from(weights[**token as usize]);
            target < 0.0
        });
        // Rounding: there is at least the most probable token, whose weight is above 0.
        let last = kept.iter().rfind(|token| weights[**token as usize] > 0.0);
        found.or(last).map_or(0, |token| *token as usize)
    }
}

/// The largest logit and where it first stands; `None` if that is not a number, or one is NaN.
fn largest(logits: &[f32]) -> Option<(f32, usize)> {
    let (largest, all_numbers) = vectorised(Largest(logits));
    if !(largest.is_finite() && all_numbers) {
        return None;
    }
    let first = logits.iter().position(|logit| *logit == largest)?;
    Some((largest, first))
}

/// The largest of the numbers, and whether all are numbers.
struct Largest<'a>(&'a [f32]);

impl NullaryFnOnce for Largest<'_> {
    type Output = (f32, bool);

    #[inline(always)]
    fn call(self) -> (f32, bool) {
        let (mut lanes, mut nan) = ([f32::NEG_INFINITY; LANES], [0_u32; LANES]);
        let (chunks, rest) = self.0.as_chunks::<LANES>();
        let mut last = [f32::NEG_INFINITY; LANES];
        last[..rest.len()].copy_from_slice(rest);
        for chunk in chunks.iter().chain([&last]) {
            for i in 0..LANES {
                let x = chunk[i];
                lanes[i] = if x > lanes[i] { x } else { lanes[i] };
                nan[i] |= u32::from(x.is_nan());
            }
        }
        let mut largest = f32::NEG_INFINITY;
        for lane in lanes {
            largest = if lane > largest { lane } else { largest };
        }
        (largest, nan == [0; LANES])
    }
}

/// Partial sums of the weights w and of w log w.
struct Sums {
    weights: [f32; LANES],
    moments: [f32; LANES],
}

impl Sums {
    #[inline(always)]
    fn add(&mut self, logits: &[f32; LANES], out: &mut [f32; LANES], largest: f32, inverse: f32) {
        for i in 0..LANES {
            let below = (logits[i] - largest) * inverse;
            let weight = exp(below);
            out[i] = weight;
            self.weights[i] += weight;
            // -inf times 0 is NaN; e^-88 is 0 here.
            self.moments[i] += weight * if below > -88.0 { below } else { -88.0 };
        }
    }
}

/// Fills `weights` of one block; its sums of the weights w and of w log w.
struct Weigh<'a> {
    logits: &'a [f32],
    weights: &'a mut [f32],
    largest: f32,
    /// 1 / temperature.
    inverse: f32,
}

impl NullaryFnOnce for Weigh<'_> {
    type Output = (f32, f32);

    #[inline(always)]
    fn call(self) -> (f32, f32) {
        let (largest, inverse) = (self.largest, self.inverse);
        let mut sums = Sums {
            weights: [0.0; LANES],
            moments: [0.0; LANES],
        };
        let (chunks, rest) = self.logits.as_chunks::<LANES>();
        let (out, out_rest) = self.weights.as_chunks_mut::<LANES>();
        for (logits, out) in chunks.iter().zip(out) {
            sums.add(logits, out, largest, inverse);
        }
        if !rest.is_empty() {
            let (mut padded, mut out) = ([f32::NEG_INFINITY; LANES], [0.0; LANES]);
            padded[..rest.len()].copy_from_slice(rest);
            sums.add(&padded, &mut out, largest, inverse);
            out_rest.copy_from_slice(&out[..rest.len()]);
        }
        (sums.weights.iter().sum(), sums.moments.iter().sum())
    }
}

#[cfg(test)]
mod tests;
