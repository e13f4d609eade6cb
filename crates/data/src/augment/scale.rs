//! Crops that bring images of any size to one.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::resize::{Rectangle, resize};
use crate::{DataError, Image};

/// A part of random area and aspect, resized to `size` x `size`: torchvision's `RandomResizedCrop` on a Pillow image
/// (`get_params` in `torchvision/transforms/transforms.py`), antialiased bilinear.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RandomResizedCrop {
    /// Rows and columns of the result.
    pub size: usize,
    /// Between which shares of the image's area the part's lies.
    pub scale: [f64; 2],
    /// Between which its width over its height lies.
    pub ratio: [f64; 2],
}

impl RandomResizedCrop {
    /// With torchvision's ranges: 0.08 to 1 of the area, 3/4 to 4/3.
    pub fn new(size: usize) -> Self {
        Self {
            size,
            scale: [0.08, 1.0],
            ratio: [3.0 / 4.0, 4.0 / 3.0],
        }
    }

    /// Whether the parameters are in their ranges.
    pub(crate) fn check(&self) -> Result<(), DataError> {
        let ordered = |[low, high]: [f64; 2]| low > 0.0 && low <= high && high.is_finite();
        if self.size > 0 && ordered(self.scale) && self.scale[1] <= 1.0 && ordered(self.ratio) {
            return Ok(());
        }
        Err(DataError::setup(format!(
            "a random resized crop has a size, areas from above 0 to 1 and positive ratios, not {self:?}"
        )))
    }

    pub(crate) fn apply(&self, image: &Image, rng: &mut ChaCha8Rng) -> Image {
        let part = self.part(image.height, image.width, rng);
        resize(image, part, self.size, self.size)
    }

    /// Draws the part of an image of `height` x `width`, neither 0.
    pub(crate) fn part(&self, height: usize, width: usize, rng: &mut ChaCha8Rng) -> Rectangle {
        let area = (height * width) as f64;
        let [low, high] = self.ratio.map(f64::ln);
        for _ in 0..10 {
            let target = area * rng.random_range(self.scale[0]..=self.scale[1]);
            let aspect = rng.random_range(low..=high).exp();
            let part_width = (target * aspect).sqrt().round_ties_even() as usize;
            let part_height = (target / aspect).sqrt().round_ties_even() as usize;
            if (1..=width).contains(&part_width) && (1..=height).contains(&part_height) {
                return Rectangle {
                    top: rng.random_range(0..=(height - part_height) as u64) as usize,
                    left: rng.random_range(0..=(width - part_width) as u64) as usize,
                    height: part_height,
                    width: part_width,
                };
            }
        }
        self.middle(height, width)
    }

    /// The greatest part in the middle whose ratio is within the range: for images that are so long that ten draws do not
    /// fit.
    fn middle(&self, height: usize, width: usize) -> Rectangle {
        let ratio = width as f64 / height as f64;
        let [low, high] = self.ratio;
        let cut = |length: f64| (length.round_ties_even() as usize).max(1);
        let (part_height, part_width) = if ratio < low {
            (cut(width as f64 / low).min(height), width)
        } else if ratio > high {
            (height, cut(height as f64 * high).min(width))
        } else {
            (height, width)
        };
        Rectangle {
            top: (height - part_height) / 2,
            left: (width - part_width) / 2,
            height: part_height,
            width: part_width,
        }
    }
}

/// For evaluation: the shorter side resized to `size / crop_fraction`, then `size` x `size` out of the middle. timm's
/// `transforms_imagenet_eval` with `crop_pct`: torchvision's `Resize` and `CenterCrop` on a Pillow image, antialiased
/// bilinear.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ResizeCenterCrop {
    /// Rows and columns of the result.
    pub size: usize,
    /// The share of the resized image's shorter side that is used: 0.875 is customary.
    pub crop_fraction: f64,
}

impl ResizeCenterCrop {
    /// With the customary 0.875.
    pub fn new(size: usize) -> Self {
        Self {
            size,
            crop_fraction: 0.875,
        }
    }

    /// Whether the parameters are in their ranges.
    pub(crate) fn check(&self) -> Result<(), DataError> {
        // Below a tenth the resized image would be a hundred times what is used of it.
        if self.size > 0 && (0.1..=1.0).contains(&self.crop_fraction) {
            return Ok(());
        }
        Err(DataError::setup(format!(
            "a centre crop has a size and a share from 0.1 to 1, not {self:?}"
        )))
    }

    pub(crate) fn apply(&self, image: &Image) -> Image {
        let short = (self.size as f64 / self.crop_fraction).floor() as usize;
        let long = |long: usize, of: usize| ((short * long) as f64 / of as f64) as usize;
        let (height, width) = if image.width <= image.height {
            (long(image.height, image.width), short)
        } else {
            (short, long(image.width, image.height))
        };
        let whole = Rectangle {
            top: 0,
            left: 0,
            height: image.height,
            width: image.width,
        };
        let resized = resize(image, whole, height, width);
        // Not smaller than the size: it is `short` at least.
        let start = |length: usize| ((length - self.size) as f64 / 2.0).round_ties_even() as usize;
        let (top, left) = (start(height), start(width));
        let channels = resized.channels;
        Image {
            height: self.size,
            width: self.size,
            channels,
            pixels: (top..top + self.size)
                .flat_map(|row| &resized.row(row)[left * channels..(left + self.size) * channels])
                .copied()
                .collect(),
        }
    }
}
