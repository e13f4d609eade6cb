//! What happens to an image between the file and the network.
//!
//! The order is torchvision's and timm's: crop, mirror, RandAugment, normalisation, random erasing. All but the last
//! two work on bytes, as Pillow does.

pub mod colour;
mod crop;
mod erasing;
pub mod geometry;
mod normalise;
mod rand_augment;
mod resize;
mod scale;

use std::borrow::Cow;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

pub use crop::{PadCrop, mirror};
pub use erasing::RandomErasing;
pub use normalise::Normalise;
pub use rand_augment::RandAugment;
pub use resize::{Rectangle, resize};
pub use scale::{RandomResizedCrop, ResizeCenterCrop};

use crate::{DataError, Image, ImageShape};

/// Which part of the image is used, at which size.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Crop {
    /// All of it, as it is.
    #[default]
    Keep,
    /// The original size out of a padded image.
    Pad(PadCrop),
    /// A part of random size, resized.
    RandomResized(RandomResizedCrop),
    /// The middle, resized.
    Center(ResizeCenterCrop),
}

/// The way of an image from bytes to numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    /// Which part of the image is used, at which size.
    pub crop: Crop,
    /// The probability that the image is mirrored.
    pub flip: f64,
    /// Operations on colours and places.
    pub rand_augment: Option<RandAugment>,
    /// What bytes become.
    pub normalise: Normalise,
    /// What is cut out of the normalised image.
    pub erasing: Option<RandomErasing>,
}

impl Pipeline {
    /// Nothing but the normalisation.
    pub fn plain(normalise: Normalise) -> Self {
        Self {
            crop: Crop::Keep,
            flip: 0.0,
            rand_augment: None,
            normalise,
            erasing: None,
        }
    }

    /// For small images (CIFAR-10 in He et al., 2016): padded by `padding` and cropped, mirrored half the time.
    pub fn pad_crop_flip(padding: usize, normalise: Normalise) -> Self {
        Self {
            crop: Crop::Pad(PadCrop { padding }),
            flip: 0.5,
            ..Self::plain(normalise)
        }
    }

    /// For images of any size (ImageNet's usual training): a random part resized to `size`, mirrored half the time.
    pub fn random_resized(size: usize, normalise: Normalise) -> Self {
        Self {
            crop: Crop::RandomResized(RandomResizedCrop::new(size)),
            flip: 0.5,
            ..Self::plain(normalise)
        }
    }

    /// For evaluation on images of any size: the middle 87.5 % resized to `size`.
    pub fn center(size: usize, normalise: Normalise) -> Self {
        Self {
            crop: Crop::Center(ResizeCenterCrop::new(size)),
            ..Self::plain(normalise)
        }
    }

    /// Whether two passes of one image may differ.
    pub fn is_random(&self) -> bool {
        let crop = match self.crop {
            Crop::Keep | Crop::Center(_) => false,
            Crop::Pad(_) | Crop::RandomResized(_) => true,
        };
        crop || self.flip > 0.0 || self.rand_augment.is_some() || self.erasing.is_some()
    }

    /// The shape of what comes out when images of `input` (`None`: of any size) go in.
    ///
    /// # Errors
    /// [`DataError::Setup`] when the channels are not the normalisation's, a parameter is out of its range, or images of
    /// different sizes are not brought to one.
    pub fn output(&self, input: Option<ImageShape>) -> Result<ImageShape, DataError> {
        self.check()?;
        let channels = self.normalise.channels();
        if let Some(input) = input
            && (input.channels != channels || input.numel() == 0)
        {
            return Err(DataError::setup(format!(
                "images of {input} do not fit the normalisation of {channels} channels"
            )));
        }
        let square = |size| ImageShape {
            channels,
            height: size,
            width: size,
        };
        match (self.crop, input) {
            (Crop::RandomResized(crop), _) => Ok(square(crop.size)),
            (Crop::Center(crop), _) => Ok(square(crop.size)),
            (Crop::Keep | Crop::Pad(_), Some(input)) => Ok(input),
            (Crop::Keep | Crop::Pad(_), None) => Err(DataError::setup(
                "images of different sizes need a crop that brings them to one",
            )),
        }
    }

    /// Whether the parameters are in their ranges.
    fn check(&self) -> Result<(), DataError> {
        if !(0.0..=1.0).contains(&self.flip) {
            return Err(DataError::setup(format!(
                "the probability of a mirrored image is {}",
                self.flip
            )));
        }
        match self.crop {
            Crop::Keep | Crop::Pad(_) => {}
            Crop::RandomResized(crop) => crop.check()?,
            Crop::Center(crop) => crop.check()?,
        }
        self.rand_augment.map_or(Ok(()), |step| step.check())?;
        self.erasing.map_or(Ok(()), RandomErasing::check)
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
            Crop::RandomResized(crop) => Cow::Owned(crop.apply(image, rng)),
            Crop::Center(crop) => Cow::Owned(crop.apply(image)),
        };
        if self.flip > 0.0 && rng.random_bool(self.flip) {
            mirror(image.to_mut());
        }
        if let Some(step) = self.rand_augment {
            image = Cow::Owned(step.apply(image.into_owned(), rng));
        }
        self.normalise.apply(&image, out);
        if let Some(step) = self.erasing {
            step.apply(shape, out, rng);
        }
        Ok(())
    }
}
