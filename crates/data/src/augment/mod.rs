//! What happens to an image between the file and the network.
//!
//! The order is torchvision's and timm's: crop, mirror, RandAugment, normalisation, random erasing. All but the last
//! two work on bytes, as Pillow does.

mod crop;
mod normalise;

use std::borrow::Cow;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

pub use crop::{PadCrop, mirror};
pub use normalise::Normalise;

use crate::{DataError, Image, ImageShape};

/// Which part of the image is used, at which size.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Crop {
    /// All of it, as it is.
    #[default]
    Keep,
    /// The original size out of a padded image.
    Pad(PadCrop),
}

/// The way of an image from bytes to numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    /// Which part of the image is used, at which size.
    pub crop: Crop,
    /// The probability that the image is mirrored.
    pub flip: f64,
    /// What bytes become.
    pub normalise: Normalise,
}

impl Pipeline {
    /// Nothing but the normalisation.
    pub fn plain(normalise: Normalise) -> Self {
        Self {
            crop: Crop::Keep,
            flip: 0.0,
            normalise,
        }
    }

    /// For small images (CIFAR-10 in He et al., 2016): padded by `padding` and cropped, mirrored half the time.
    pub fn pad_crop_flip(padding: usize, normalise: Normalise) -> Self {
        Self {
            crop: Crop::Pad(PadCrop { padding }),
            flip: 0.5,
            normalise,
        }
    }

    /// Whether two passes of one image may differ.
    pub fn is_random(&self) -> bool {
        let crop = match self.crop {
            Crop::Keep => false,
            Crop::Pad(_) => true,
        };
        crop || self.flip > 0.0
    }

    /// The shape of what comes out when images of `input` (`None`: of any size) go in.
    ///
    /// # Errors
    /// [`DataError::Setup`] when the channels are not the normalisation's, a parameter is out of its range, or images of
    /// different sizes are not brought to one.
    pub fn output(&self, input: Option<ImageShape>) -> Result<ImageShape, DataError> {
        if !(0.0..=1.0).contains(&self.flip) {
            return Err(DataError::setup(format!(
                "the probability of a mirrored image is {}",
                self.flip
            )));
        }
        let channels = self.normalise.channels();
        if let Some(input) = input
            && input.channels != channels
        {
            return Err(DataError::setup(format!(
                "images of {input} do not fit the normalisation of {channels} channels"
            )));
        }
        match (self.crop, input) {
            (Crop::Keep | Crop::Pad(_), Some(input)) => Ok(input),
            (Crop::Keep | Crop::Pad(_), None) => Err(DataError::setup(
                "images of different sizes need a crop that brings them to one",
            )),
        }
    }

    /// Sends an image through, and writes what comes out to `out`, channel by channel. All that is random is drawn from
    /// `rng`.
    ///
    /// # Errors
    /// [`DataError::Setup`] when the image does not fit the pipeline or its result does not fit `out`.
    pub fn apply(
        &self,
        image: &Image,
        rng: &mut ChaCha8Rng,
        out: &mut [f32],
    ) -> Result<(), DataError> {
        let shape = self.output(Some(image.shape()))?;
        if shape.numel() != out.len() {
            return Err(DataError::setup(format!(
                "an image of {shape} does not fit where {} numbers are expected",
                out.len()
            )));
        }
        let mut image = match self.crop {
            Crop::Keep => Cow::Borrowed(image),
            Crop::Pad(crop) => Cow::Owned(crop.apply(image, rng)),
        };
        if self.flip > 0.0 && rng.random_bool(self.flip) {
            mirror(image.to_mut());
        }
        self.normalise.apply(&image, out);
        Ok(())
    }
}
