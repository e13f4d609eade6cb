//! Image data sets, augmentation and loading, without a tensor crate.
//!
//! An [`Images`] gives images of bytes, a [`Pipeline`] makes numbers of them, a [`Loader`] reads batches ahead in the
//! background. All that is random is a pure function of numbers that the caller gives ([`Draws`]), so that neither the
//! number of threads nor an interruption changes a batch.
//!
//! ```
//! # use std::sync::Arc;
//! use era_data::{Loader, Normalise, Pipeline, Split, shapes::Shapes};
//!
//! # fn main() -> Result<(), era_data::DataError> {
//! let images = Arc::new(Shapes::new(0, Split::Test, 100));
//! let mut seen = 0;
//! for batch in Loader::eval(images, Pipeline::plain(Normalise::shapes()), 32, 2)? {
//!     let batch = batch?;
//!     assert_eq!(batch.images.len(), batch.labels.len() * 3 * 32 * 32);
//!     seen += batch.labels.len();
//! }
//! assert_eq!(seen, 100);
//! # Ok(())
//! # }
//! ```

pub mod augment;
pub mod cifar10;
mod error;
pub mod fashion_mnist;
pub mod folder;
pub mod idx;
mod image;
mod loader;
mod place;
pub mod shapes;
mod subset;
mod uniform;

pub use augment::{
    Crop, Normalise, PadCrop, Pipeline, RandAugment, RandomErasing, RandomResizedCrop,
    ResizeCenterCrop,
};
pub use error::DataError;
pub use folder::Folder;
pub use image::{Image, ImageShape, Images, InMemory, Split};
pub use loader::{Batch, Draws, Loader, Position, TrainConfig};
pub use place::data_dir;
pub use subset::Subset;
pub use uniform::Uniform;
