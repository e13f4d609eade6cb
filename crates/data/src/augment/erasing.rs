//! Random erasing (Zhong et al., 2020) as timm does it.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::resize::Rectangle;
use crate::{DataError, ImageShape};

/// Shares of the image that a rectangle covers.
const AREA: [f64; 2] = [0.02, 1.0 / 3.0];

/// Its height over its width lies between this and its inverse.
const ASPECT: f64 = 0.3;

/// Rectangles that are drawn before the image is left alone.
const ATTEMPTS: usize = 10;

/// Replaces a rectangle of the normalised image by numbers from the standard normal distribution, each pixel and channel
/// its own: timm's `RandomErasing(probability, mode="pixel")` (timm 1.0, `timm/data/random_erasing.py`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RandomErasing {
    /// The probability that an image loses a rectangle: 0.25 in timm's usual settings.
    pub probability: f64,
}

impl RandomErasing {
    /// Whether the probability is one.
    pub(crate) fn check(self) -> Result<(), DataError> {
        if (0.0..=1.0).contains(&self.probability) {
            return Ok(());
        }
        Err(DataError::setup(format!(
            "the probability of random erasing is {}",
            self.probability
        )))
    }

    /// Erases in an image of `shape`, channel by channel.
    pub(crate) fn apply(self, shape: ImageShape, out: &mut [f32], rng: &mut ChaCha8Rng) {
        if !rng.random_bool(self.probability) {
            return;
        }
        let Some(part) = rectangle(shape, rng) else {
            return;
        };
        for plane in out.chunks_exact_mut(shape.height * shape.width) {
            for row in part.top..part.top + part.height {
                let start = row * shape.width + part.left;
                for value in &mut plane[start..start + part.width] {
                    *value = StandardNormal.sample(rng);
                }
            }
        }
    }
}

/// A rectangle that is smaller than the image in both directions, if one of the attempts is.
fn rectangle(shape: ImageShape, rng: &mut ChaCha8Rng) -> Option<Rectangle> {
    let area = (shape.height * shape.width) as f64;
    let log_aspect = ASPECT.ln();
    (0..ATTEMPTS).find_map(|_| {
        let target = rng.random_range(AREA[0]..AREA[1]) * area;
        let aspect = rng.random_range(log_aspect..-log_aspect).exp();
        let height = (target * aspect).sqrt().round_ties_even() as usize;
        let width = (target / aspect).sqrt().round_ties_even() as usize;
        (height < shape.height && width < shape.width).then(|| Rectangle {
            top: rng.random_range(0..=(shape.height - height) as u64) as usize,
            left: rng.random_range(0..=(shape.width - width) as u64) as usize,
            height,
            width,
        })
    })
}
