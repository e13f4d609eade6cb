//! A set whose images should all have one size.

use std::sync::Arc;

use crate::{DataError, Image, ImageShape, Images};

/// The same images, with the promise that every one has one shape: one that has not is an error when it is read.
#[derive(Debug)]
pub struct Uniform {
    images: Arc<dyn Images>,
    shape: ImageShape,
}

impl Uniform {
    /// `images`, each of `shape`.
    pub fn new(images: Arc<dyn Images>, shape: ImageShape) -> Self {
        Self { images, shape }
    }
}

impl Images for Uniform {
    fn shape(&self) -> Option<ImageShape> {
        Some(self.shape)
    }

    fn classes(&self) -> &[String] {
        self.images.classes()
    }

    fn len(&self) -> usize {
        self.images.len()
    }

    fn label(&self, index: usize) -> usize {
        self.images.label(index)
    }

    fn read(&self, index: usize) -> Result<Image, DataError> {
        let image = self.images.read(index)?;
        if image.shape() == self.shape {
            Ok(image)
        } else {
            Err(DataError::setup(format!(
                "image {index} is {} where all are said to be {}",
                image.shape(),
                self.shape
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::InMemory;

    #[test]
    fn an_image_of_another_size_is_an_error() {
        let shape = |width| ImageShape {
            channels: 1,
            height: 1,
            width,
        };
        let images = InMemory::new(shape(2), vec!["a".to_owned()], vec![0], vec![1, 2]).unwrap();
        let images: Arc<dyn Images> = Arc::new(images);
        let same = Uniform::new(Arc::clone(&images), shape(2));
        assert_eq!(same.read(0).unwrap().pixels, [1, 2]);
        assert_eq!(same.shape(), Some(shape(2)));
        let other = Uniform::new(images, shape(3));
        let text = other.read(0).unwrap_err().to_string();
        assert!(text.contains("image 0 is"), "{text}");
    }
}
