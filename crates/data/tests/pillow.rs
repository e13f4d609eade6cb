//! Operations on images give what Pillow gives. The images are made by `fixtures/make.py` (Pillow 13.0.0).
#![expect(clippy::unwrap_used, reason = "a test stops at the first fault")]

use std::path::PathBuf;

use era_data::augment::{Rectangle, colour, geometry, resize};
use era_data::{Image, Normalise, Pipeline};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

const FILL: [u8; 3] = [124, 116, 104];

/// Reads an image with 1 or 3 channels.
fn fixture(name: &str) -> Image {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name);
    let image = image::open(path).unwrap();
    let channels = usize::from(image.color().channel_count());
    Image {
        height: image.height() as usize,
        width: image.width() as usize,
        channels,
        pixels: image.into_bytes(),
    }
}

/// The images of 26 rows that lie one above the other.
fn stacked(name: &str) -> Vec<Image> {
    let sheet = fixture(name);
    let (height, width, channels) = (26, sheet.width, sheet.channels);
    let parts = sheet.pixels.chunks_exact(height * width * channels);
    parts
        .map(|pixels| Image {
            height,
            width,
            channels,
            pixels: pixels.to_vec(),
        })
        .collect()
}

/// The operations of the stacks, in their order.
fn operations(image: &Image) -> Vec<(String, Image)> {
    let mut done = vec![("nothing".to_owned(), image.clone())];
    let mut colours = |name: String, change: &dyn Fn(&mut Image)| {
        let mut changed = image.clone();
        change(&mut changed);
        done.push((name, changed));
    };
    colours("autocontrast".to_owned(), &colour::autocontrast);
    colours("equalize".to_owned(), &colour::equalize);
    colours("invert".to_owned(), &colour::invert);
    for bits in [1, 3, 4] {
        colours(format!("posterize {bits}"), &|image| {
            colour::posterize(image, bits);
        });
    }
    for threshold in [26, 128] {
        colours(format!("solarize {threshold}"), &|image| {
            colour::solarize(image, threshold);
        });
    }
    colours("solarize_add".to_owned(), &|image| {
        colour::solarize_add(image, 99);
    });
    type Enhance = fn(&mut Image, f32);
    let kinds: [(&str, Enhance); 4] = [
        ("colour", colour::colour),
        ("contrast", colour::contrast),
        ("brightness", colour::brightness),
        ("sharpness", colour::sharpness),
    ];
    for (name, kind) in kinds {
        for factor in [0.19, 0.7, 1.81] {
            colours(format!("{name} {factor}"), &|image| kind(image, factor));
        }
    }
    for degrees in [27.0, -13.3] {
        done.push((
            format!("rotate {degrees}"),
            geometry::rotate(image, degrees, FILL),
        ));
    }
    for factor in [0.27, -0.11] {
        done.push((
            format!("shear_x {factor}"),
            geometry::shear_x(image, factor, FILL),
        ));
        done.push((
            format!("shear_y {factor}"),
            geometry::shear_y(image, factor, FILL),
        ));
    }
    for share in [0.405, -0.21] {
        done.push((
            format!("translate_x {share}"),
            geometry::translate_x(image, share, FILL),
        ));
        done.push((
            format!("translate_y {share}"),
            geometry::translate_y(image, share, FILL),
        ));
    }
    done
}

#[test]
fn operations_are_pillows_to_the_bit() {
    for sheet in ["operations.png", "operations-grey.png"] {
        let expected = stacked(sheet);
        let found = operations(&expected[0]);
        assert_eq!(found.len(), expected.len());
        for ((name, found), expected) in found.iter().zip(&expected) {
            let worst = found
                .pixels
                .iter()
                .zip(&expected.pixels)
                .map(|(a, b)| a.abs_diff(*b))
                .max();
            assert_eq!(worst, Some(0), "{sheet}: {name}");
        }
    }
}

#[test]
fn resizing_is_pillows_to_the_bit() {
    let image = stacked("operations.png").swap_remove(0);
    let whole = Rectangle {
        top: 0,
        left: 0,
        height: image.height,
        width: image.width,
    };
    let part = Rectangle {
        top: 5,
        left: 3,
        height: 11,
        width: 24,
    };
    assert_eq!(resize(&image, whole, 16, 16), fixture("whole-16x16.png"));
    assert_eq!(resize(&image, whole, 41, 50), fixture("whole-50x41.png"));
    assert_eq!(resize(&image, part, 16, 16), fixture("part-16x16.png"));
    assert_eq!(resize(&image, whole, image.height, image.width), image);
}

#[test]
fn the_crop_to_evaluate_on_is_torchvisions() {
    let image = stacked("operations.png").swap_remove(0);
    // With mean 0 and deviation 1/255 numbers are bytes again.
    let pipeline = Pipeline::center(16, Normalise::new(&[0.0; 3], &[1.0 / 255.0; 3]).unwrap());
    let mut out = vec![0.0; 3 * 16 * 16];
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    pipeline.apply(&image, &mut rng, &mut out).unwrap();
    let expected = fixture("center-16x16.png");
    for (channel, plane) in out.chunks_exact(16 * 16).enumerate() {
        for (at, value) in plane.iter().enumerate() {
            assert_eq!(value.round() as u8, expected.pixels[3 * at + channel]);
        }
    }
}
