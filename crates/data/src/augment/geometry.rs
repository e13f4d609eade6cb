//! Operations on places: rotation, shear, translation, as Pillow computes them with `Image.BILINEAR`.
//!
//! Sources: `Image.rotate` in Pillow's `Image.py` for the matrix, `Geometry.c` for the interpolation.

use crate::Image;

/// Rotates counter-clockwise about the middle by `degrees`, in the same frame; what comes from outside is `fill` (of a
/// grey image its first number): `Image.rotate`.
pub fn rotate(image: &Image, degrees: f64, fill: [u8; 3]) -> Image {
    let (sin, cos) = (-degrees.to_radians()).sin_cos();
    let (x, y) = (image.width as f64 / 2.0, image.height as f64 / 2.0);
    let matrix = [
        cos,
        sin,
        x - cos * x - sin * y,
        -sin,
        cos,
        y + sin * x - cos * y,
    ];
    affine(image, matrix, fill)
}

/// Shifts every row to the left by `factor` times its distance from the top.
pub fn shear_x(image: &Image, factor: f64, fill: [u8; 3]) -> Image {
    affine(image, [1.0, factor, 0.0, 0.0, 1.0, 0.0], fill)
}

/// Shifts every column up by `factor` times its distance from the left.
pub fn shear_y(image: &Image, factor: f64, fill: [u8; 3]) -> Image {
    affine(image, [1.0, 0.0, 0.0, factor, 1.0, 0.0], fill)
}

/// Shifts to the left by `share` of the width.
pub fn translate_x(image: &Image, share: f64, fill: [u8; 3]) -> Image {
    affine(
        image,
        [1.0, 0.0, share * image.width as f64, 0.0, 1.0, 0.0],
        fill,
    )
}

/// Shifts up by `share` of the height.
pub fn translate_y(image: &Image, share: f64, fill: [u8; 3]) -> Image {
    affine(
        image,
        [1.0, 0.0, 0.0, 0.0, 1.0, share * image.height as f64],
        fill,
    )
}

/// `Image.transform` with `Transform.AFFINE`: the pixel at (x, y) comes from (a x + b y + c, d x + e y + f), both counted
/// from the corner of the image to the middle of the pixel.
fn affine(image: &Image, [a, b, c, d, e, f]: [f64; 6], fill: [u8; 3]) -> Image {
    let mut out = Image::black(image.shape());
    let (width, height) = (image.width as f64, image.height as f64);
    for row in 0..image.height {
        for column in 0..image.width {
            let (x, y) = (column as f64 + 0.5, row as f64 + 0.5);
            let (from_x, from_y) = (a * x + b * y + c, d * x + e * y + f);
            let start = (row * image.width + column) * image.channels;
            let pixel = &mut out.pixels[start..start + image.channels];
            if (0.0..width).contains(&from_x) && (0.0..height).contains(&from_y) {
                interpolate(image, from_x - 0.5, from_y - 0.5, pixel);
            } else {
                pixel.copy_from_slice(&fill[..image.channels]);
            }
        }
    }
    out
}

/// Writes to `pixel` what lies at (`x`, `y`) between the four middles of pixels around; beyond the outermost there is
/// only their colour. Cut to whole numbers, not rounded.
fn interpolate(image: &Image, x: f64, y: f64, pixel: &mut [u8]) {
    let (left, top) = (x.floor(), y.floor());
    let (dx, dy) = (x - left, y - top);
    // Casts of floats saturate: -1 becomes 0.
    let columns = [left as usize, ((left + 1.0) as usize).min(image.width - 1)];
    let rows = [top as usize, ((top + 1.0) as usize).min(image.height - 1)];
    let [upper, lower] = rows.map(|row| columns.map(|column| image.pixel(row, column)));
    for (channel, out) in pixel.iter_mut().enumerate() {
        let along = |[left, right]: [&[u8]; 2]| {
            let (left, right) = (f64::from(left[channel]), f64::from(right[channel]));
            left + (right - left) * dx
        };
        let (upper, lower) = (along(upper), along(lower));
        *out = (upper + (lower - upper) * dy) as u8;
    }
}
