//! From bytes to numbers.

use crate::{DataError, Image, ImageShape};

/// `(byte / 255 - mean) / std` per channel in f32, and from pixels side by side to one plane a channel: torchvision's
/// `ToTensor` and `Normalize`.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalise {
    /// What every byte becomes, by channel.
    tables: Vec<[f32; 256]>,
}

impl Normalise {
    /// With the mean and the standard deviation of every channel, on the scale from 0 to 1.
    ///
    /// # Errors
    /// [`DataError::Setup`] when there is not one of each for 1 or 3 channels, one is not finite, or a deviation is not
    /// positive.
    pub fn new(mean: &[f32], std: &[f32]) -> Result<Self, DataError> {
        let sound = mean.iter().all(|mean| mean.is_finite())
            && std.iter().all(|std| std.is_finite() && *std > 0.0);
        if mean.len() != std.len() || !matches!(mean.len(), 1 | 3) || !sound {
            return Err(DataError::setup(format!(
                "normalisation needs a mean and a positive deviation for 1 or 3 channels, not {mean:?} and {std:?}"
            )));
        }
        Ok(Self::of(mean.iter().copied().zip(std.iter().copied())))
    }

    /// The tables of pairs of mean and deviation.
    fn of(channels: impl Iterator<Item = (f32, f32)>) -> Self {
        let mut bytes = [0.0; 256];
        for (byte, value) in (0_u8..=255).zip(&mut bytes) {
            *value = f32::from(byte) / 255.0;
        }
        Self {
            tables: channels
                .map(|(mean, std)| bytes.map(|value| (value - mean) / std))
                .collect(),
        }
    }

    /// Fashion-MNIST's training images: 0.2860 and 0.3530.
    pub fn fashion_mnist() -> Self {
        Self::of([(0.2860, 0.3530)].into_iter())
    }

    /// CIFAR-10's training images: (0.4914, 0.4822, 0.4465) and (0.2470, 0.2435, 0.2616).
    pub fn cifar10() -> Self {
        Self::of([(0.4914, 0.2470), (0.4822, 0.2435), (0.4465, 0.2616)].into_iter())
    }

    /// What is customary for ImageNet: (0.485, 0.456, 0.406) and (0.229, 0.224, 0.225).
    pub fn imagenet() -> Self {
        Self::of([(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)].into_iter())
    }

    /// The shapes made in code: 0.5 and 0.25 in every channel.
    pub fn shapes() -> Self {
        Self::of([(0.5, 0.25); 3].into_iter())
    }

    /// The byte that becomes about 0, by channel (a grey image's in all three): timm's colour for what comes into a
    /// picture that is turned or shifted, `round(255 mean)`.
    pub fn mean_bytes(&self) -> [u8; 3] {
        [0, 1, 2].map(|channel| {
            let table = &self.tables[channel.min(self.tables.len() - 1)];
            // (0 - mean) / std and the slope 1 / std give the mean back.
            let mean = -table[0] / (table[255] - table[0]);
            (255.0 * mean).round_ties_even() as u8
        })
    }

    /// 1 or 3.
    pub fn channels(&self) -> usize {
        self.tables.len()
    }

    /// Writes the image to `out`, channel by channel. The image has to have [`channels`](Normalise::channels), `out` the
    /// length of the image.
    pub(crate) fn apply(&self, image: &Image, out: &mut [f32]) {
        let ImageShape { height, width, .. } = image.shape();
        let planes = out.chunks_exact_mut((height * width).max(1));
        for (channel, (table, plane)) in self.tables.iter().zip(planes).enumerate() {
            let bytes = image.pixels[channel..].iter().step_by(image.channels);
            for (out, byte) in plane.iter_mut().zip(bytes) {
                *out = table[usize::from(*byte)];
            }
        }
    }
}
