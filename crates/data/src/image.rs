//! What an image and a set of images are.

use std::fmt;

use crate::DataError;

/// The size of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageShape {
    /// 1 (grey) or 3 (red, green, blue).
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl ImageShape {
    /// Numbers in an image of this shape.
    pub fn numel(&self) -> usize {
        self.channels * self.height * self.width
    }
}

impl fmt::Display for ImageShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.channels, self.height, self.width)
    }
}

/// An image of bytes: row by row, within a row pixel by pixel, within a pixel channel by channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// 1 (grey) or 3 (red, green, blue).
    pub channels: usize,
    /// `height * width * channels` bytes.
    pub pixels: Vec<u8>,
}

impl Image {
    /// A black image.
    pub fn black(shape: ImageShape) -> Self {
        Self {
            height: shape.height,
            width: shape.width,
            channels: shape.channels,
            pixels: vec![0; shape.numel()],
        }
    }

    /// Its size.
    pub fn shape(&self) -> ImageShape {
        ImageShape {
            channels: self.channels,
            height: self.height,
            width: self.width,
        }
    }

    /// The channels of one pixel.
    pub(crate) fn pixel(&self, row: usize, column: usize) -> &[u8] {
        let start = (row * self.width + column) * self.channels;
        &self.pixels[start..start + self.channels]
    }

    /// The bytes of one row.
    pub(crate) fn row(&self, row: usize) -> &[u8] {
        let stride = self.width * self.channels;
        &self.pixels[row * stride..(row + 1) * stride]
    }
}

/// A labelled set of images that can be read in any order from several threads.
///
/// Indices run from 0 to [`len`](Images::len) - 1; others panic.
pub trait Images: Send + Sync + fmt::Debug {
    /// The shape that every image has as it is read, before augmentation; `None` when sizes differ.
    fn shape(&self) -> Option<ImageShape>;

    /// The names of the classes, by label.
    fn classes(&self) -> &[String];

    /// The number of images.
    fn len(&self) -> usize;

    /// Whether there are no images.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The label of an image: an index into [`classes`](Images::classes).
    fn label(&self, index: usize) -> usize;

    /// Reads an image.
    ///
    /// # Errors
    /// When its file cannot be read or decoded.
    fn read(&self, index: usize) -> Result<Image, DataError>;
}

/// Which part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// What is trained on.
    Train,
    /// What is evaluated on.
    Test,
}

/// A small data set, held in memory as bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct InMemory {
    shape: ImageShape,
    classes: Vec<String>,
    labels: Vec<u8>,
    pixels: Vec<u8>,
}

impl InMemory {
    /// A set of images of one `shape`, whose `pixels` lie one image after the other as in [`Image`]; one label an
    /// image.
    ///
    /// # Errors
    /// [`DataError::Setup`] when the numbers of pixels and labels differ or a label has no class.
    pub fn new(
        shape: ImageShape,
        classes: Vec<String>,
        labels: Vec<u8>,
        pixels: Vec<u8>,
    ) -> Result<Self, DataError> {
        if labels.len().checked_mul(shape.numel()) != Some(pixels.len()) {
            return Err(DataError::setup(format!(
                "{} bytes of pixels are not {} images of {shape}",
                pixels.len(),
                labels.len()
            )));
        }
        if let Some(label) = labels.iter().find(|&&l| usize::from(l) >= classes.len()) {
            return Err(DataError::setup(format!(
                "label {label} has none of the {} classes",
                classes.len()
            )));
        }
        Ok(Self {
            shape,
            classes,
            labels,
            pixels,
        })
    }
}

impl fmt::Debug for InMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InMemory")
            .field("shape", &self.shape)
            .field("classes", &self.classes)
            .field("images", &self.labels.len())
            .finish_non_exhaustive()
    }
}

impl Images for InMemory {
    fn shape(&self) -> Option<ImageShape> {
        Some(self.shape)
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn len(&self) -> usize {
        self.labels.len()
    }

    fn label(&self, index: usize) -> usize {
        usize::from(self.labels[index])
    }

    fn read(&self, index: usize) -> Result<Image, DataError> {
        let size = self.shape.numel();
        Ok(Image {
            height: self.shape.height,
            width: self.shape.width,
            channels: self.shape.channels,
            pixels: self.pixels[index * size..(index + 1) * size].to_vec(),
        })
    }
}

/// Names as owned strings.
pub(crate) fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}
