//! A part of a data set.

use std::fmt;
use std::sync::Arc;

use crate::{DataError, Image, ImageShape, Images};

/// Some images of a data set, in the order in which they lie there.
#[derive(Clone)]
pub struct Subset {
    images: Arc<dyn Images>,
    indices: Vec<u32>,
}

impl Subset {
    /// The first `count` images, or all where there are fewer.
    pub fn first(images: Arc<dyn Images>, count: usize) -> Self {
        let count = u32::try_from(images.len().min(count)).unwrap_or(u32::MAX);
        Self {
            indices: (0..count).collect(),
            images,
        }
    }

    /// The first `count` images of every class, or all of a class that has fewer.
    pub fn per_class(images: Arc<dyn Images>, count: usize) -> Self {
        let mut taken = vec![0; images.classes().len()];
        let indices = (0..u32::try_from(images.len()).unwrap_or(u32::MAX))
            .filter(|&index| {
                let taken = &mut taken[images.label(index as usize)];
                *taken += 1;
                *taken <= count
            })
            .collect();
        Self { images, indices }
    }

    /// Where an image lies in the whole data set.
    fn whole(&self, index: usize) -> usize {
        self.indices[index] as usize
    }
}

impl fmt::Debug for Subset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subset")
            .field("images", &self.images)
            .field("len", &self.indices.len())
            .finish_non_exhaustive()
    }
}

impl Images for Subset {
    fn shape(&self) -> Option<ImageShape> {
        self.images.shape()
    }

    fn classes(&self) -> &[String] {
        self.images.classes()
    }

    fn len(&self) -> usize {
        self.indices.len()
    }

    fn label(&self, index: usize) -> usize {
        self.images.label(self.whole(index))
    }

    fn read(&self, index: usize) -> Result<Image, DataError> {
        self.images.read(self.whole(index))
    }
}
