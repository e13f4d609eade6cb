//! Shapes: ten classes of 32x32 colour images made in code, for tests and smoke runs without a file.
//!
//! One object of the class lies at a random place, in a random size, rotation and colour, on a background with a gradient
//! and a texture, among stripes and dots that partly cover it, under noise. Some objects are covered or faint beyond
//! recognition. More than half of the objects have a colour that goes with their class, as grass goes with cows: it is
//! learned within few steps, the form takes longer.
//!
//! An image is a function of (seed, split, index) alone. The arithmetic has no transcendental function in it, so that its
//! bytes are the same on every machine.

use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::image::names;
use crate::{DataError, Image, ImageShape, Images, Split};

/// The classes by label.
pub const CLASSES: [&str; 10] = [
    "disc",
    "ring",
    "half-disc",
    "crescent",
    "square",
    "bar",
    "triangle",
    "cross",
    "star",
    "angle",
];

/// Rows and columns.
const SIDE: usize = 32;

/// How often an object has its class's colour instead of any.
const TYPICAL_COLOUR: f64 = 0.7;

/// Colours that go with the classes.
const COLOURS: [[f32; 3]; 10] = [
    [220.0, 60.0, 60.0],
    [60.0, 180.0, 75.0],
    [60.0, 90.0, 220.0],
    [230.0, 200.0, 60.0],
    [150.0, 60.0, 190.0],
    [70.0, 200.0, 210.0],
    [240.0, 140.0, 50.0],
    [230.0, 110.0, 190.0],
    [120.0, 120.0, 60.0],
    [225.0, 225.0, 225.0],
];

/// The data set. Images are drawn as they are read; labels go round the classes (index modulo 10).
#[derive(Clone, Debug)]
pub struct Shapes {
    seed: u64,
    split: Split,
    count: usize,
    classes: Vec<String>,
}

impl Shapes {
    /// `count` images of a split; seeds are data sets of their own.
    pub fn new(seed: u64, split: Split, count: usize) -> Self {
        Self {
            seed,
            split,
            count,
            classes: names(&CLASSES),
        }
    }

    /// The generator of an image.
    fn rng(&self, index: usize) -> ChaCha8Rng {
        let mut key = *b"era-data 1 shapes               ";
        key[18] = match self.split {
            Split::Train => 0,
            Split::Test => 1,
        };
        key[24..].copy_from_slice(&self.seed.to_le_bytes());
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(index as u64);
        rng
    }
}

impl Images for Shapes {
    fn shape(&self) -> Option<ImageShape> {
        Some(ImageShape {
            channels: 3,
            height: SIDE,
            width: SIDE,
        })
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn len(&self) -> usize {
        self.count
    }

    fn label(&self, index: usize) -> usize {
        assert!(index < self.count, "image {index} of {}", self.count);
        index % CLASSES.len()
    }

    fn read(&self, index: usize) -> Result<Image, DataError> {
        Ok(draw(self.label(index), &mut self.rng(index)))
    }
}

/// Draws an image of a class.
fn draw(class: usize, rng: &mut ChaCha8Rng) -> Image {
    let mut canvas = Canvas::background(rng);
    let colour = if rng.random_bool(TYPICAL_COLOUR) {
        COLOURS[class].map(|channel| channel + rng.random_range(-30.0..30.0))
    } else {
        any_colour(rng)
    };
    for _ in 0..rng.random_range(0..3) {
        canvas.clutter(rng, 1.0);
    }
    let object = Placement::random(rng);
    let opacity = rng.random_range(0.6..1.0);
    let variant = rng.random_range(0.0..1.0);
    canvas.paint(&object, 1.5, colour, opacity, |x, y| {
        distance(class, variant, x, y)
    });
    for _ in 0..rng.random_range(0..3) {
        canvas.clutter(rng, 0.8);
    }
    canvas.develop(rng)
}

/// Any colour.
fn any_colour(rng: &mut ChaCha8Rng) -> [f32; 3] {
    [(); 3].map(|()| rng.random_range(0.0..255.0))
}

/// A colour near grey.
fn pale_colour(rng: &mut ChaCha8Rng) -> [f32; 3] {
    let grey = rng.random_range(50.0..205.0);
    [(); 3].map(|()| grey + rng.random_range(-45.0..45.0))
}

/// A direction, evenly distributed: a point of the disc, scaled to length 1.
fn direction(rng: &mut ChaCha8Rng) -> [f32; 2] {
    loop {
        let [x, y]: [f32; 2] = [(); 2].map(|()| rng.random_range(-1.0..1.0));
        let square = x * x + y * y;
        if (0.01..=1.0).contains(&square) {
            let length = square.sqrt();
            return [x / length, y / length];
        }
    }
}

/// Where an object lies, in pixels.
struct Placement {
    centre: [f32; 2],
    /// The direction of its x axis.
    axis: [f32; 2],
    /// Pixels a unit, along its x axis and across.
    scale: [f32; 2],
}

impl Placement {
    fn random(rng: &mut ChaCha8Rng) -> Self {
        let size = rng.random_range(6.0..12.0);
        let stretch = rng.random_range(0.85..1.15);
        // A quarter of the object may lie outside.
        let margin = 0.75 * size;
        Self {
            centre: [(); 2].map(|()| rng.random_range(margin..SIDE as f32 - margin)),
            axis: direction(rng),
            scale: [size * stretch, size / stretch],
        }
    }
}

/// The signed distance from (x, y) to the form of a class, about 1 in radius: negative inside. `variant` in [0, 1) moves
/// its proportions.
fn distance(class: usize, variant: f32, x: f32, y: f32) -> f32 {
    let radius = |x: f32, y: f32| (x * x + y * y).sqrt();
    let bar = |x: f32, y: f32, half_x: f32, half_y: f32| (x.abs() - half_x).max(y.abs() - half_y);
    match class {
        0 => radius(x, y) - 0.9,
        1 => (radius(x, y) - 0.95).max(0.35 + 0.25 * variant - radius(x, y)),
        2 => (radius(x, y + 0.4) - 1.0).max(-y - 0.4 + 0.2 * variant),
        3 => (radius(x, y) - 1.0).max(0.75 + 0.15 * variant - radius(x - 0.5, y)),
        4 => bar(x, y, 0.8, 0.8),
        5 => bar(x, y, 1.0, 0.25 + 0.2 * variant),
        6 => edges(&TRIANGLE, x, y)[0] - 0.55,
        7 => {
            let arm = 0.2 + 0.15 * variant;
            bar(x, y, 1.0, arm).min(bar(x, y, arm, 1.0))
        }
        // A pentagram is where at most one of the five lines is crossed.
        8 => edges(&PENTAGON, x, y)[1] - 0.35 - 0.08 * variant,
        _ => {
            let arm = 0.2 + 0.15 * variant;
            bar(x, y + 0.9 - arm, 0.9, arm).min(bar(x + 0.9 - arm, y, arm, 0.9))
        }
    }
}

/// Normals of an equilateral triangle.
const TRIANGLE: [[f32; 2]; 3] = [[0.0, 1.0], [0.866_025_4, -0.5], [-0.866_025_4, -0.5]];

/// Normals of a regular pentagon.
const PENTAGON: [[f32; 2]; 5] = [
    [0.0, 1.0],
    [0.951_056_5, 0.309_017],
    [0.587_785_25, -0.809_017],
    [-0.587_785_25, -0.809_017],
    [-0.951_056_5, 0.309_017],
];

/// The two greatest distances from the origin along `normals`, the greatest first.
fn edges(normals: &[[f32; 2]], x: f32, y: f32) -> [f32; 2] {
    normals
        .iter()
        .fold([f32::NEG_INFINITY; 2], |[most, second], [nx, ny]| {
            let along = nx * x + ny * y;
            [most.max(along), second.max(along.min(most))]
        })
}

/// An image while it is painted: levels from 0 to 255, and beyond.
struct Canvas {
    levels: Vec<[f32; 3]>,
}

impl Canvas {
    /// A gradient between two colours, and waves across it.
    fn background(rng: &mut ChaCha8Rng) -> Self {
        let from = pale_colour(rng);
        let to = pale_colour(rng);
        let along = direction(rng);
        let waves = direction(rng);
        let length = rng.random_range(3.0..12.0);
        let phase = rng.random_range(0.0..1.0);
        let height = rng.random_range(0.0..35.0);
        let middle = SIDE as f32 / 2.0;
        let mut levels = Vec::with_capacity(SIDE * SIDE);
        for row in 0..SIDE {
            for column in 0..SIDE {
                let (x, y) = (column as f32 - middle, row as f32 - middle);
                let share = 0.5 + (along[0] * x + along[1] * y) / (3.0 * middle);
                let turn = (waves[0] * x + waves[1] * y) / length + phase;
                let wave = height * (4.0 * (turn - turn.floor() - 0.5).abs() - 1.0);
                levels.push([0, 1, 2].map(|c| from[c] + share * (to[c] - from[c]) + wave));
            }
        }
        Self { levels }
    }

    /// Paints the form of which `distance` gives the signed distance in units of the placement, with soft edges. It has
    /// to lie within `reach` units of the centre.
    fn paint(
        &mut self,
        at: &Placement,
        reach: f32,
        colour: [f32; 3],
        opacity: f32,
        distance: impl Fn(f32, f32) -> f32,
    ) {
        let pixels = at.scale[0].min(at.scale[1]);
        let reach = reach * at.scale[0].max(at.scale[1]) + 1.0;
        let range = |centre: f32| {
            // Casts of floats saturate: what is left of the image starts at 0.
            let end = (centre + reach).max(0.0) as usize + 1;
            (centre - reach).max(0.0) as usize..end.min(SIDE)
        };
        for row in range(at.centre[1]) {
            for column in range(at.centre[0]) {
                let (dx, dy) = (column as f32 - at.centre[0], row as f32 - at.centre[1]);
                let x = (at.axis[0] * dx + at.axis[1] * dy) / at.scale[0];
                let y = (at.axis[0] * dy - at.axis[1] * dx) / at.scale[1];
                let cover = opacity * (0.5 - distance(x, y) * pixels).clamp(0.0, 1.0);
                if cover > 0.0 {
                    let level = &mut self.levels[row * SIDE + column];
                    *level = [0, 1, 2].map(|c| level[c] + cover * (colour[c] - level[c]));
                }
            }
        }
    }

    /// Paints a stripe across the image or a dot.
    fn clutter(&mut self, rng: &mut ChaCha8Rng, opacity: f32) {
        let colour = any_colour(rng);
        let at = Placement {
            centre: [(); 2].map(|()| rng.random_range(0.0..SIDE as f32)),
            axis: direction(rng),
            scale: [1.0; 2],
        };
        let half = rng.random_range(0.5..1.5);
        if rng.random_bool(0.5) {
            self.paint(&at, 48.0, colour, opacity, |_, y| y.abs() - half);
        } else {
            let radius = 2.0 * half;
            self.paint(&at, radius, colour, opacity, |x, y| {
                (x * x + y * y).sqrt() - radius
            });
        }
    }

    /// The image, with noise: the sum of two bytes, from -1 to 1 with a peak in the middle.
    fn develop(self, rng: &mut ChaCha8Rng) -> Image {
        let strength: f32 = rng.random_range(8.0..50.0);
        let mut noise = [0; 2 * 3 * SIDE * SIDE];
        rng.fill_bytes(&mut noise);
        let pixels = self
            .levels
            .as_flattened()
            .iter()
            .zip(noise.as_chunks::<2>().0)
            .map(|(level, [a, b])| {
                let noise = (f32::from(*a) + f32::from(*b)) / 255.0 - 1.0;
                // The cast saturates at 0 and 255.
                (level + strength * noise + 0.5) as u8
            })
            .collect();
        Image {
            height: SIDE,
            width: SIDE,
            channels: 3,
            pixels,
        }
    }
}
