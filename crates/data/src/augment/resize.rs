//! Resizing with an antialiased bilinear filter, byte for byte as Pillow's `Image.resize(…, BILINEAR)`.
//!
//! Source: Pillow's `Resample.c`: weights of a triangle as wide as two pixels of the smaller image, in fixed point with
//! 22 bits; first along the rows, then along the columns, with bytes between.

use crate::Image;

/// Bits behind the point.
const PRECISION: u32 = 22;

/// A part of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rectangle {
    /// Its first row.
    pub top: usize,
    /// Its first column.
    pub left: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

/// Cuts `part` out of the image and resizes it to `height` x `width`. Pixels beside the part have no influence, as when
/// it is cropped first.
///
/// # Panics
/// When the part is empty or reaches beyond the image, or the size is 0.
pub fn resize(image: &Image, part: Rectangle, height: usize, width: usize) -> Image {
    assert!(part.top + part.height <= image.height && part.left + part.width <= image.width);
    let channels = image.channels;
    let mut narrow = Vec::with_capacity(part.height * width * channels);
    let columns = Weights::new(part.width, width);
    for row in part.top..part.top + part.height {
        let row = &image.row(row)[part.left * channels..][..part.width * channels];
        for target in 0..width {
            let (start, weights) = columns.of(target);
            for channel in 0..channels {
                let bytes = row[start * channels + channel..].iter().step_by(channels);
                narrow.push(weighted(bytes, weights));
            }
        }
    }
    let stride = width * channels;
    let mut pixels = Vec::with_capacity(height * stride);
    let rows = Weights::new(part.height, height);
    for target in 0..height {
        let (start, weights) = rows.of(target);
        for at in 0..stride {
            pixels.push(weighted(
                narrow[start * stride + at..].iter().step_by(stride),
                weights,
            ));
        }
    }
    Image {
        height,
        width,
        channels,
        pixels,
    }
}

/// The weighted mean of bytes.
fn weighted<'a>(bytes: impl Iterator<Item = &'a u8>, weights: &[i32]) -> u8 {
    let half = 1 << (PRECISION - 1);
    let sum = weights
        .iter()
        .zip(bytes)
        .fold(half, |sum, (weight, byte)| sum + weight * i32::from(*byte));
    // Not negative, as no weight is; the weights' rounding may lead above.
    (sum >> PRECISION).min(255) as u8
}

/// Which pixels a pixel of the result comes from, and with what weights.
struct Weights {
    /// For every pixel of the result: its first source, and where its weights end.
    sources: Vec<(usize, usize)>,
    weights: Vec<i32>,
}

impl Weights {
    /// From `from` to `to` pixels.
    fn new(from: usize, to: usize) -> Self {
        assert!(from > 0 && to > 0);
        let scale = from as f64 / to as f64;
        let reach = scale.max(1.0);
        let mut sources = Vec::with_capacity(to);
        let mut weights = Vec::new();
        for target in 0..to {
            let centre = (target as f64 + 0.5) * scale;
            // Casts of floats saturate: below 0 is 0.
            let start = (centre - reach + 0.5) as usize;
            let end = ((centre + reach + 0.5) as usize).min(from);
            let inverse = 1.0 / reach;
            let triangle =
                |source: usize| (1.0 - ((source as f64 - centre + 0.5) * inverse).abs()).max(0.0);
            let sum: f64 = (start..end).map(triangle).sum();
            let fixed = f64::from(1 << PRECISION);
            weights
                .extend((start..end).map(|source| (0.5 + triangle(source) / sum * fixed) as i32));
            sources.push((start, weights.len()));
        }
        Self { sources, weights }
    }

    /// The first source of a pixel and the weights from there on.
    fn of(&self, target: usize) -> (usize, &[i32]) {
        let start = target
            .checked_sub(1)
            .map_or(0, |before| self.sources[before].1);
        let (first, end) = self.sources[target];
        (first, &self.weights[start..end])
    }
}
