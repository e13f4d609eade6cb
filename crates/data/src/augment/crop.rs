//! Crops without a change of scale, and the mirror.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::Image;

/// A random crop of the original size out of the image with a black border around it: torchvision's
/// `RandomCrop(size, padding)`, where every one of the (2 `padding` + 1)² places is equally likely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PadCrop {
    /// Pixels of border on every side; 4 for CIFAR-10 in He et al., 2016.
    pub padding: usize,
}

impl PadCrop {
    /// Draws the place and crops.
    pub(crate) fn apply(self, image: &Image, rng: &mut ChaCha8Rng) -> Image {
        let top = rng.random_range(0..=2 * self.padding as u64);
        let left = rng.random_range(0..=2 * self.padding as u64);
        self.at(image, top as usize, left as usize)
    }

    /// The crop whose upper left corner lies at (`top`, `left`) of the padded image, both from 0 to 2 `padding`.
    pub fn at(self, image: &Image, top: usize, left: usize) -> Image {
        let mut out = Image::black(image.shape());
        let channels = image.channels;
        // Columns of the image that the crop holds, and where they start in it.
        let from = left.saturating_sub(self.padding).min(image.width);
        let to = (left + image.width)
            .saturating_sub(self.padding)
            .min(image.width);
        let start = self.padding.saturating_sub(left);
        if from >= to {
            return out;
        }
        for row in 0..image.height {
            let Some(source) = (row + top).checked_sub(self.padding) else {
                continue;
            };
            if source < image.height {
                let target = (row * image.width + start) * channels;
                out.pixels[target..target + (to - from) * channels]
                    .copy_from_slice(&image.row(source)[from * channels..to * channels]);
            }
        }
        out
    }
}

/// Mirrors left and right.
pub fn mirror(image: &mut Image) {
    let stride = (image.width * image.channels).max(1);
    for row in image.pixels.chunks_exact_mut(stride) {
        let (mut left, mut right) = (0, image.width.saturating_sub(1));
        while left < right {
            for channel in 0..image.channels {
                row.swap(
                    left * image.channels + channel,
                    right * image.channels + channel,
                );
            }
            left += 1;
            right -= 1;
        }
    }
}
