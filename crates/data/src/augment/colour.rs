//! Operations on colours, each byte for byte what Pillow computes.
//!
//! Sources: Pillow's `ImageOps.py` and `ImageEnhance.py` for the tables, `Blend.c`, `Convert.c` and `Filter.c` for the
//! arithmetic below them.

use crate::Image;

/// Stretches every channel so that its darkest byte becomes 0 and its lightest 255: `ImageOps.autocontrast`.
pub fn autocontrast(image: &mut Image) {
    by_channel(image, |histogram| {
        let low = histogram.iter().position(|&count| count > 0)?;
        let high = histogram.iter().rposition(|&count| count > 0)?;
        if high <= low {
            return None;
        }
        let scale = 255.0 / (high - low) as f64;
        let offset = -(low as f64) * scale;
        // Casts of floats to bytes saturate, here and below.
        Some(table(|byte| (f64::from(byte) * scale + offset) as u8))
    });
}

/// Makes the bytes of every channel about equally frequent: `ImageOps.equalize`.
pub fn equalize(image: &mut Image) {
    by_channel(image, |histogram| {
        let last = histogram.iter().rfind(|&&count| count > 0)?;
        let step = (histogram.iter().sum::<usize>() - last) / 255;
        if step == 0 {
            return None;
        }
        let mut sum = step / 2;
        let mut out = [0; 256];
        for (out, count) in out.iter_mut().zip(histogram) {
            *out = u8::try_from(sum / step).unwrap_or(u8::MAX);
            sum += count;
        }
        Some(out)
    });
}

/// Replaces every byte by 255 minus it: `ImageOps.invert`.
pub fn invert(image: &mut Image) {
    map(image, &table(|byte| 255 - byte));
}

/// Keeps the `bits` highest bits of every byte: `ImageOps.posterize`. With 8 or more nothing changes, with 0 all is black.
pub fn posterize(image: &mut Image, bits: u32) {
    let mask = !(u8::MAX.checked_shr(bits).unwrap_or(0));
    map(image, &table(|byte| byte & mask));
}

/// Inverts the bytes from `threshold` on: `ImageOps.solarize`. From 256 on nothing changes.
pub fn solarize(image: &mut Image, threshold: u32) {
    map(
        image,
        &table(|byte| {
            if u32::from(byte) < threshold {
                byte
            } else {
                255 - byte
            }
        }),
    );
}

/// Adds `addend` to the bytes below 128: timm's `solarize_add`.
pub fn solarize_add(image: &mut Image, addend: u8) {
    map(
        image,
        &table(|byte| {
            if byte < 128 {
                byte.saturating_add(addend)
            } else {
                byte
            }
        }),
    );
}

/// Moves every pixel away from its grey by `factor` (0: grey, 1: as it is): `ImageEnhance.Color`.
pub fn colour(image: &mut Image, factor: f32) {
    if image.channels != 3 {
        return;
    }
    for pixel in image.pixels.as_chunks_mut::<3>().0 {
        let grey = grey(*pixel);
        *pixel = pixel.map(|byte| blend(grey, byte, factor));
    }
}

/// Moves every byte away from the mean grey by `factor` (0: all grey, 1: as it is): `ImageEnhance.Contrast`.
pub fn contrast(image: &mut Image, factor: f32) {
    let sum: u64 = match image.channels {
        3 => image
            .pixels
            .as_chunks::<3>()
            .0
            .iter()
            .map(|&pixel| u64::from(grey(pixel)))
            .sum(),
        _ => image.pixels.iter().map(|&byte| u64::from(byte)).sum(),
    };
    let pixels = (image.height * image.width).max(1);
    let mean = (sum as f64 / pixels as f64 + 0.5) as u8;
    map(image, &table(|byte| blend(mean, byte, factor)));
}

/// Multiplies every byte by `factor`: `ImageEnhance.Brightness`.
pub fn brightness(image: &mut Image, factor: f32) {
    map(image, &table(|byte| blend(0, byte, factor)));
}

/// Moves every pixel away from the mean of its surroundings by `factor` (0: smooth, 1: as it is):
/// `ImageEnhance.Sharpness`. The outermost pixels stay.
pub fn sharpness(image: &mut Image, factor: f32) {
    let smooth = smooth(image);
    for (byte, smooth) in image.pixels.iter_mut().zip(smooth) {
        *byte = blend(smooth, *byte, factor);
    }
}

/// `ImageFilter.SMOOTH`: the mean of 3x3 pixels, in which the middle one counts five times.
fn smooth(image: &Image) -> Vec<u8> {
    let mut out = image.pixels.clone();
    let channels = image.channels;
    let stride = image.width * channels;
    for row in 1..image.height.saturating_sub(1) {
        let rows = [row - 1, row, row + 1].map(|row| image.row(row));
        for at in channels..stride.saturating_sub(channels) {
            let sum: u32 = rows
                .iter()
                .flat_map(|row| [row[at - channels], row[at], row[at + channels]])
                .map(u32::from)
                .sum();
            let sum = sum + 4 * u32::from(rows[1][at]);
            // Thirteenths have no ties: this is Pillow's rounding of the float. At most 255.
            out[row * stride + at] = ((sum + 6) / 13) as u8;
        }
    }
    out
}

/// The luminance as `convert("L")` rounds it (ITU-R 601-2).
fn grey([red, green, blue]: [u8; 3]) -> u8 {
    let sum = u32::from(red) * 19_595 + u32::from(green) * 38_470 + u32::from(blue) * 7_471;
    // The weights add up to 2^16: at most 255.
    ((sum + 0x8000) >> 16) as u8
}

/// `Image.blend`: from `from` (0) to `to` (1) and beyond, in f32, cut to whole numbers towards 0.
fn blend(from: u8, to: u8, factor: f32) -> u8 {
    let [from, to] = [from, to].map(f32::from);
    (from + factor * (to - from)) as u8
}

/// A table of what every byte becomes.
fn table(f: impl Fn(u8) -> u8) -> [u8; 256] {
    let mut out = [0; 256];
    for (byte, out) in (0_u8..=255).zip(&mut out) {
        *out = f(byte);
    }
    out
}

/// Looks every byte up.
fn map(image: &mut Image, table: &[u8; 256]) {
    for byte in &mut image.pixels {
        *byte = table[usize::from(*byte)];
    }
}

/// Looks the bytes of every channel up in a table that `make` makes of their histogram, where it makes one.
fn by_channel(image: &mut Image, make: impl Fn(&[usize; 256]) -> Option<[u8; 256]>) {
    for channel in 0..image.channels {
        let mut histogram = [0; 256];
        for &byte in image.pixels.iter().skip(channel).step_by(image.channels) {
            histogram[usize::from(byte)] += 1;
        }
        if let Some(table) = make(&histogram) {
            for byte in image
                .pixels
                .iter_mut()
                .skip(channel)
                .step_by(image.channels)
            {
                *byte = table[usize::from(*byte)];
            }
        }
    }
}
