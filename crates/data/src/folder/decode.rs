//! From a file to an image.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use image::{ImageFormat, ImageReader};

use crate::{DataError, Image};

/// Reads a JPEG or PNG file, whichever its contents say that it is (ImageNet has a PNG that is named `.JPEG`), as red,
/// green and blue. Grey is repeated, CMYK converted, alpha dropped; an orientation that the camera noted is not applied,
/// as torchvision does not.
pub(super) fn read(path: &Path) -> Result<Image, DataError> {
    let bytes = fs::read(path).map_err(DataError::io(path))?;
    decode(&bytes).map_err(|reason| DataError::Decode {
        path: path.to_owned(),
        reason,
    })
}

fn decode(bytes: &[u8]) -> Result<Image, String> {
    let reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| error.to_string())?;
    match reader.format() {
        Some(ImageFormat::Jpeg) if !reaches_its_end(bytes) => {
            return Err("the JPEG is cut off: it has no end-of-image marker".to_owned());
        }
        Some(ImageFormat::Jpeg | ImageFormat::Png) => {}
        _ => return Err("it is neither JPEG nor PNG".to_owned()),
    }
    let image = reader
        .decode()
        .map_err(|error| error.to_string())?
        .into_rgb8();
    Ok(Image {
        height: image.height() as usize,
        width: image.width() as usize,
        channels: 3,
        pixels: image.into_raw(),
    })
}

/// Whether an end-of-image marker follows the last scan of a JPEG. The decoder fills what is missing with grey and says
/// nothing. Within a scan 0xff is always followed by 0 or a restart marker, so nothing else looks like the marker.
fn reaches_its_end(bytes: &[u8]) -> bool {
    let last = |marker: u8| bytes.windows(2).rposition(|pair| pair == [0xff, marker]);
    let [start_of_scan, end_of_image] = [last(0xda), last(0xd9)];
    end_of_image.is_some() && end_of_image > start_of_scan
}
