//! What tasks do with the joints: where they start, and what of them is observed.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// Adds to each of `values` a number drawn uniformly from ±`range`.
pub(crate) fn scatter_uniformly(values: &mut [f64], range: f64, rng: &mut ChaCha8Rng) {
    for value in values {
        *value += rng.random_range(-range..range);
    }
}

/// Adds to each of `values` a number drawn from a normal distribution around 0.
pub(crate) fn scatter_normally(values: &mut [f64], deviation: f64, rng: &mut ChaCha8Rng) {
    for value in values {
        let noise: f64 = rng.sample(StandardNormal);
        *value += deviation * noise;
    }
}

/// Writes `parts` one after another into `obs`, which they fill.
pub(crate) fn write<const N: usize>(obs: &mut [f64], parts: [&[f64]; N]) {
    let mut rest = obs;
    for part in parts {
        let (here, after) = rest.split_at_mut(part.len());
        here.copy_from_slice(part);
        rest = after;
    }
    debug_assert!(rest.is_empty());
}

/// Whether `value` lies between the bounds, neither of which it reaches.
pub(crate) fn within(value: f64, (low, high): (f64, f64)) -> bool {
    low < value && value < high
}
