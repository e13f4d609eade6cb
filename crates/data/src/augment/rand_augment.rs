//! RandAugment (Cubuk et al., 2020) as timm does it.
//!
//! Source: timm 1.0, `timm/data/auto_augment.py`: `rand_augment_transform("rand-m9-mstd0.5-inc1")` and the fifteen
//! operations of `_RAND_INCREASING_TRANSFORMS`, the ranges of the `…_increasing_level_to_arg` functions among them.
//! Geometry is always bilinear, as with timm's `interpolation=bilinear`; its default draws bilinear or bicubic.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::{colour, geometry};
use crate::{DataError, Image};

/// The magnitude at which the ranges end.
const FULL: f64 = 10.0;

/// A few operations, drawn for every image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RandAugment {
    /// Operations an image, drawn with replacement: 2 in timm.
    pub ops: usize,
    /// How strong they are, from 0 to 10: 9 in timm's usual setting.
    pub magnitude: f64,
    /// The standard deviation of the magnitude from image to image: 0.5 in timm's usual setting.
    pub deviation: f64,
    /// With what probability an operation that was drawn is done: 0.5 in timm.
    pub probability: f64,
    /// What comes into the picture where it is turned or shifted, by channel: the rounded mean of the data set in timm.
    pub fill: [u8; 3],
}

/// One operation, at a magnitude from 0 to 10 where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    AutoContrast,
    Equalize,
    Invert,
    Rotate,
    Posterize,
    Solarize,
    SolarizeAdd,
    Colour,
    Contrast,
    Brightness,
    Sharpness,
    ShearX,
    ShearY,
    TranslateX,
    TranslateY,
}

/// All operations, equally likely.
const OPS: [Op; 15] = [
    Op::AutoContrast,
    Op::Equalize,
    Op::Invert,
    Op::Rotate,
    Op::Posterize,
    Op::Solarize,
    Op::SolarizeAdd,
    Op::Colour,
    Op::Contrast,
    Op::Brightness,
    Op::Sharpness,
    Op::ShearX,
    Op::ShearY,
    Op::TranslateX,
    Op::TranslateY,
];

impl RandAugment {
    /// `ops` operations at `magnitude`, the rest as timm's `rand-m9-mstd0.5-inc1` has it; `fill` is
    /// [`Normalise::mean_bytes`](super::Normalise::mean_bytes) there.
    pub fn new(ops: usize, magnitude: f64, fill: [u8; 3]) -> Self {
        Self {
            ops,
            magnitude,
            deviation: 0.5,
            probability: 0.5,
            fill,
        }
    }

    /// Whether the parameters are in their ranges.
    pub(crate) fn check(&self) -> Result<(), DataError> {
        let sound = (0.0..=FULL).contains(&self.magnitude)
            && (0.0..=FULL).contains(&self.deviation)
            && (0.0..=1.0).contains(&self.probability);
        if sound {
            return Ok(());
        }
        Err(DataError::setup(format!(
            "RandAugment has magnitudes and deviations from 0 to 10 and probabilities from 0 to 1, not {self:?}"
        )))
    }

    /// Draws the operations and does them one after the other.
    pub(crate) fn apply(&self, mut image: Image, rng: &mut ChaCha8Rng) -> Image {
        for _ in 0..self.ops {
            let op = OPS[rng.random_range(0..OPS.len() as u32) as usize];
            if rng.random_bool(self.probability) {
                let normal: f64 = StandardNormal.sample(rng);
                let magnitude = (self.magnitude + self.deviation * normal).clamp(0.0, FULL);
                let sign = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
                image = op.apply(image, magnitude / FULL, sign, self.fill);
            }
        }
        image
    }
}

impl Op {
    /// Does the operation at a `level` from 0 to 1, in the direction of `sign` where it has two.
    fn apply(self, mut image: Image, level: f64, sign: f64, fill: [u8; 3]) -> Image {
        // Python's int() cuts, as casts do; all of these lie between 0 and 256.
        let whole = |range: f64| (level * range) as u32;
        let factor = (1.0 + sign * 0.9 * level).max(0.1) as f32;
        match self {
            Self::AutoContrast => colour::autocontrast(&mut image),
            Self::Equalize => colour::equalize(&mut image),
            Self::Invert => colour::invert(&mut image),
            Self::Posterize => colour::posterize(&mut image, 4 - whole(4.0)),
            Self::Solarize => colour::solarize(&mut image, 256 - whole(256.0)),
            Self::SolarizeAdd => colour::solarize_add(&mut image, whole(110.0) as u8),
            Self::Colour => colour::colour(&mut image, factor),
            Self::Contrast => colour::contrast(&mut image, factor),
            Self::Brightness => colour::brightness(&mut image, factor),
            Self::Sharpness => colour::sharpness(&mut image, factor),
            Self::Rotate => return geometry::rotate(&image, sign * 30.0 * level, fill),
            Self::ShearX => return geometry::shear_x(&image, sign * 0.3 * level, fill),
            Self::ShearY => return geometry::shear_y(&image, sign * 0.3 * level, fill),
            Self::TranslateX => return geometry::translate_x(&image, sign * 0.45 * level, fill),
            Self::TranslateY => return geometry::translate_y(&image, sign * 0.45 * level, fill),
        }
        image
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ImageShape;
    use rand::Rng;
    use rand_chacha::rand_core::SeedableRng;

    /// What timm's level functions give by hand at magnitude 9 (level 0.9), for both signs.
    #[test]
    fn ranges_are_timms() {
        let mut image = Image::black(ImageShape {
            channels: 3,
            height: 12,
            width: 10,
        });
        ChaCha8Rng::seed_from_u64(0).fill_bytes(&mut image.pixels);
        let done = |op: Op, sign| op.apply(image.clone(), 0.9, sign, [1, 2, 3]);
        let changed = |change: &dyn Fn(&mut Image)| {
            let mut changed = image.clone();
            change(&mut changed);
            changed
        };
        // 4 - int(0.9 * 4), 256 - int(0.9 * 256), int(0.9 * 110).
        assert_eq!(
            done(Op::Posterize, 1.0),
            changed(&|i| colour::posterize(i, 1))
        );
        assert_eq!(
            done(Op::Solarize, 1.0),
            changed(&|i| colour::solarize(i, 26))
        );
        assert_eq!(
            done(Op::SolarizeAdd, 1.0),
            changed(&|i| colour::solarize_add(i, 99))
        );
        assert_eq!(done(Op::Invert, 1.0), changed(&|i| colour::invert(i)));
        // 1 ± 0.9 * 0.9.
        for (sign, factor) in [(1.0, 1.81), (-1.0, 0.19)] {
            assert_eq!(
                done(Op::Colour, sign),
                changed(&|i| colour::colour(i, factor))
            );
            assert_eq!(
                done(Op::Contrast, sign),
                changed(&|i| colour::contrast(i, factor))
            );
            assert_eq!(
                done(Op::Brightness, sign),
                changed(&|i| colour::brightness(i, factor))
            );
            assert_eq!(
                done(Op::Sharpness, sign),
                changed(&|i| colour::sharpness(i, factor))
            );
            let fill = [1, 2, 3];
            assert_eq!(
                done(Op::Rotate, sign),
                geometry::rotate(&image, sign * 27.0, fill)
            );
            assert_eq!(
                done(Op::ShearX, sign),
                geometry::shear_x(&image, sign * 0.27, fill)
            );
            assert_eq!(
                done(Op::ShearY, sign),
                geometry::shear_y(&image, sign * 0.27, fill)
            );
            let share = sign * 0.405;
            assert_eq!(
                done(Op::TranslateX, sign),
                geometry::translate_x(&image, share, fill)
            );
            assert_eq!(
                done(Op::TranslateY, sign),
                geometry::translate_y(&image, share, fill)
            );
        }
    }

    /// The ends: all of posterize's and solarize's range, and no factor below 0.1.
    #[test]
    fn levels_reach_their_ends() {
        let mut image = Image::black(ImageShape {
            channels: 1,
            height: 1,
            width: 256,
        });
        for (byte, value) in (0_u8..=255).zip(&mut image.pixels) {
            *value = byte;
        }
        let done = |op: Op, level| op.apply(image.clone(), level, -1.0, [0; 3]).pixels;
        assert_eq!(done(Op::Posterize, 1.0), [0; 256]);
        assert_eq!(done(Op::Posterize, 0.0)[255], 0xf0);
        assert_eq!(done(Op::Solarize, 0.0), image.pixels);
        assert!(done(Op::Solarize, 1.0).iter().rev().eq(&image.pixels));
        assert_eq!(done(Op::Brightness, 1.0)[255], 25);
        assert_eq!(done(Op::SolarizeAdd, 1.0)[127], 237);
    }
}
