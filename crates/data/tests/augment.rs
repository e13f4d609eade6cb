//! Properties of the augmentation.
#![expect(clippy::unwrap_used, reason = "a test stops at the first fault")]

use era_data::augment::{PadCrop, mirror};
use era_data::{
    Crop, Image, ImageShape, Normalise, Pipeline, RandAugment, RandomErasing, RandomResizedCrop,
    ResizeCenterCrop,
};
use proptest::prelude::*;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// An image of noise.
fn noise(channels: usize, height: usize, width: usize, seed: u64) -> Image {
    let mut image = Image::black(ImageShape {
        channels,
        height,
        width,
    });
    rng(seed).fill_bytes(&mut image.pixels);
    image
}

/// Numbers that are bytes.
fn bytes(channels: usize) -> Normalise {
    Normalise::new(&vec![0.0; channels], &vec![1.0 / 255.0; channels]).unwrap()
}

fn through(pipeline: &Pipeline, image: &Image, seed: u64) -> Vec<f32> {
    let shape = pipeline.output(Some(image.shape())).unwrap();
    let mut out = vec![f32::NAN; shape.numel()];
    pipeline.apply(image, &mut rng(seed), &mut out).unwrap();
    out
}

/// One or three channels, and a size.
fn images() -> impl Strategy<Value = Image> {
    (
        prop_oneof![Just(1_usize), Just(3)],
        1..40_usize,
        1..40_usize,
        any::<u64>(),
    )
        .prop_map(|(channels, height, width, seed)| noise(channels, height, width, seed))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn mirroring_twice_changes_nothing(image in images()) {
        let mut twice = image.clone();
        mirror(&mut twice);
        for row in 0..image.height {
            let at = |column: usize| (row * image.width + column) * image.channels;
            let (first, last) = (at(0), at(image.width - 1));
            prop_assert_eq!(
                &twice.pixels[first..first + image.channels],
                &image.pixels[last..last + image.channels]
            );
        }
        mirror(&mut twice);
        prop_assert_eq!(twice, image);
    }

    #[test]
    fn a_padded_crop_is_a_window(image in images(), padding in 0..50_usize, top in 0..=1000_usize, left in 0..=1000_usize) {
        let (top, left) = (top % (2 * padding + 1), left % (2 * padding + 1));
        let crop = PadCrop { padding }.at(&image, top, left);
        prop_assert_eq!(crop.shape(), image.shape());
        for row in 0..image.height {
            for column in 0..image.width {
                for channel in 0..image.channels {
                    let source = (row + top).checked_sub(padding).zip((column + left).checked_sub(padding));
                    let expected = source
                        .filter(|&(y, x)| y < image.height && x < image.width)
                        .map_or(0, |(y, x)| image.pixels[(y * image.width + x) * image.channels + channel]);
                    prop_assert_eq!(crop.pixels[(row * image.width + column) * image.channels + channel], expected);
                }
            }
        }
        prop_assert_eq!(PadCrop { padding }.at(&image, padding, padding), image);
    }

    #[test]
    fn every_image_comes_through_every_pipeline(image in images(), seed in any::<u64>(), magnitude in 0.0..=10.0_f64) {
        let full = |crop| Pipeline {
            crop,
            flip: 0.5,
            rand_augment: Some(RandAugment::new(3, magnitude, [124, 116, 104])),
            erasing: Some(RandomErasing { probability: 0.5 }),
            ..Pipeline::plain(bytes(image.channels))
        };
        let crops = [
            Crop::Keep,
            Crop::Pad(PadCrop { padding: 4 }),
            Crop::RandomResized(RandomResizedCrop::new(9)),
            Crop::Center(ResizeCenterCrop::new(9)),
        ];
        for crop in crops {
            let pipeline = full(crop);
            let out = through(&pipeline, &image, seed);
            prop_assert!(out.iter().all(|value| value.is_finite()));
            prop_assert_eq!(out, through(&pipeline, &image, seed));
        }
    }
}

#[test]
fn the_plain_pipeline_is_the_formula() {
    let image = noise(3, 5, 4, 1);
    let out = through(&Pipeline::plain(Normalise::imagenet()), &image, 0);
    let (mean, std) = ([0.485_f32, 0.456, 0.406], [0.229_f32, 0.224, 0.225]);
    for (at, value) in out.iter().enumerate() {
        let (channel, pixel) = (at / 20, at % 20);
        let byte = f32::from(image.pixels[3 * pixel + channel]);
        assert_eq!(*value, (byte / 255.0 - mean[channel]) / std[channel]);
    }
    assert_eq!(Normalise::imagenet().mean_bytes(), [124, 116, 104]);
    assert_eq!(Normalise::fashion_mnist().mean_bytes(), [73; 3]);
}

/// Draws of what comes out of many images that are all white.
fn erased(probability: f64, seeds: u64) -> Vec<(usize, bool)> {
    let (height, width) = (32, 24);
    let mut image = noise(3, height, width, 1);
    image.pixels.fill(255);
    let pipeline = Pipeline {
        erasing: Some(RandomErasing { probability }),
        ..Pipeline::plain(bytes(3))
    };
    (0..seeds)
        .map(|seed| {
            let out = through(&pipeline, &image, seed);
            let gone = |plane: usize, pixel: usize| out[plane * height * width + pixel] < 200.0;
            let pixels: Vec<usize> = (0..height * width)
                .filter(|&pixel| gone(0, pixel))
                .collect();
            let rows = pixels.iter().map(|pixel| pixel / width);
            let columns = pixels.iter().map(|pixel| pixel % width);
            let length = |of: Vec<usize>| {
                of.iter()
                    .max()
                    .map_or(0, |max| max - of.iter().min().unwrap() + 1)
            };
            let rectangle = length(rows.collect()) * length(columns.collect()) == pixels.len();
            let alike = (0..height * width).all(|pixel| gone(0, pixel) == gone(2, pixel));
            (pixels.len(), rectangle && alike)
        })
        .collect()
}

#[test]
fn erasing_takes_a_rectangle_of_the_right_share() {
    let all = erased(1.0, 2000);
    assert!(all.iter().all(|(_, sound)| *sound));
    // From 2 % to a third of 768 pixels, with the rounding of two sides.
    assert!(all.iter().all(|&(pixels, _)| (8..=290).contains(&pixels)));
    let mean = all
        .iter()
        .map(|&(pixels, _)| pixels as f64 / 768.0)
        .sum::<f64>()
        / 2000.0;
    // 0.1722 with a deviation of 0.002: 200,000 draws of timm's algorithm, written anew in Python.
    assert!((0.166..0.178).contains(&mean), "{mean}");
    let some = erased(0.25, 2000)
        .iter()
        .filter(|(pixels, _)| *pixels > 0)
        .count();
    // Binomial: 500 with a deviation of 19.
    assert!((400..600).contains(&some), "{some}");
    assert!(erased(0.0, 50).iter().all(|&(pixels, _)| pixels == 0));
}

#[test]
fn what_is_erased_is_standard_normal_noise() {
    let mut image = noise(1, 64, 64, 1);
    image.pixels.fill(255);
    let pipeline = Pipeline {
        erasing: Some(RandomErasing { probability: 1.0 }),
        ..Pipeline::plain(bytes(1))
    };
    let values: Vec<f64> = (0..100)
        .flat_map(|seed| through(&pipeline, &image, seed))
        .filter(|value| *value < 200.0)
        .map(f64::from)
        .collect();
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values
        .iter()
        .map(|value| (value - mean).powi(2))
        .sum::<f64>()
        / count;
    // About 70,000 numbers: five deviations.
    assert!(
        mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03,
        "{mean} {variance}"
    );
}

#[test]
fn random_parts_have_the_right_area() {
    // The image is dark on the left and light on the right: what comes out tells where the part lies.
    let (height, width) = (60, 90);
    let mut image = noise(1, height, width, 1);
    for (at, byte) in image.pixels.iter_mut().enumerate() {
        *byte = (at % width * 2) as u8;
    }
    let pipeline = Pipeline {
        flip: 0.0,
        ..Pipeline::random_resized(30, bytes(1))
    };
    let mut widths = Vec::new();
    for seed in 0..1000 {
        let out = through(&pipeline, &image, seed);
        assert!(out.iter().all(|value| (-0.01..=178.01).contains(value)));
        let rises = out.chunks_exact(30).all(<[f32]>::is_sorted);
        assert!(rises);
        // Twenty columns in the middle of thirty, two levels a column of the image.
        widths.push(f64::from(out[24] - out[4]) / 2.0 * 1.5);
    }
    let mean = widths.iter().sum::<f64>() / 1000.0;
    // 45.7 with a deviation of 0.5: 200,000 draws of torchvision's algorithm, written anew in Python.
    assert!((44.2..47.2).contains(&mean), "{mean}");
    // From sqrt(0.08 * 0.75 * 5400) to the whole width.
    assert!(widths.iter().all(|width| (16.0..91.5).contains(width)));
}

#[test]
fn long_images_are_cut_in_the_middle() {
    // No part of this image has an allowed ratio but slices that are drawn hardly ever.
    let mut image = noise(1, 2, 400, 1);
    for (at, byte) in image.pixels.iter_mut().enumerate() {
        *byte = if (197..203).contains(&(at % 400)) {
            255
        } else {
            0
        };
    }
    let pipeline = Pipeline {
        flip: 0.0,
        ..Pipeline::random_resized(4, bytes(1))
    };
    let white = |seed: &u64| {
        through(&pipeline, &image, *seed)
            .iter()
            .all(|value| *value > 254.0)
    };
    assert!((0..50).filter(white).count() == 50);
}

#[test]
fn rand_augment_draws_what_it_says() {
    let image = noise(3, 16, 16, 1);
    let with = |step: RandAugment| Pipeline {
        rand_augment: Some(step),
        ..Pipeline::plain(bytes(3))
    };
    let plain = through(&Pipeline::plain(bytes(3)), &image, 0);
    let usual = RandAugment::new(2, 9.0, [0; 3]);
    let never = with(RandAugment {
        probability: 0.0,
        ..usual
    });
    let unchanged = |pipeline: &Pipeline| {
        (0..400)
            .filter(|&seed| through(pipeline, &image, seed) == plain)
            .count()
    };
    assert_eq!(unchanged(&never), 400);
    // A quarter of the images has no operation; autocontrast and equalize do nothing or little to noise.
    let left = unchanged(&with(usual));
    assert!((80..160).contains(&left), "{left}");
}

#[test]
fn parameters_out_of_range_are_told() {
    let told = |pipeline: Pipeline| {
        let image = noise(3, 8, 8, 0);
        let shape = Some(image.shape());
        pipeline.output(shape).unwrap_err().to_string()
    };
    let plain = || Pipeline::plain(bytes(3));
    let text = told(Pipeline {
        flip: 1.5,
        ..plain()
    });
    assert_eq!(
        text,
        "load batches: the probability of a mirrored image is 1.5"
    );
    let erasing = Some(RandomErasing {
        probability: f64::NAN,
    });
    assert!(told(Pipeline { erasing, ..plain() }).contains("random erasing is NaN"));
    let rand_augment = Some(RandAugment::new(2, 11.0, [0; 3]));
    assert!(
        told(Pipeline {
            rand_augment,
            ..plain()
        })
        .contains("magnitude: 11.0")
    );
    assert!(told(Pipeline::center(0, bytes(3))).contains("a centre crop has a size"));
    assert!(
        told(Pipeline::random_resized(0, bytes(3))).contains("a random resized crop has a size")
    );
    assert!(
        told(Pipeline::plain(bytes(1)))
            .contains("3x8x8 do not fit the normalisation of 1 channels")
    );
    let varied = Pipeline::pad_crop_flip(4, bytes(3))
        .output(None)
        .unwrap_err()
        .to_string();
    assert!(varied.contains("need a crop that brings them to one"));
    for (mean, std) in [
        (&[0.0; 2][..], &[1.0; 2][..]),
        (&[0.0], &[0.0]),
        (&[f32::NAN], &[1.0]),
        (&[0.0], &[1.0; 3]),
    ] {
        assert!(Normalise::new(mean, std).is_err());
    }
}
