//! Convolutions with batch normalisation, pooling, and the layout that makes them fast on a CPU.
//!
//! # Layout
//! Between layers images are `[B, H, W, C, 16]`: sixteen samples lie side by side and fill one AVX-512 register, so that every
//! step of a convolution is the same for all of them, whatever the size of the image, its borders and the stride. N samples make
//! B = ceil(N / 16) blocks; lanes of the last block beyond N hold zeros, in images and in gradients. [`block`] and [`unblock`]
//! convert from and to `[N, C, H, W]`.
//!
//! # One operation a layer
//! A residual network's layer is a convolution without bias, batch normalisation, perhaps an addition and perhaps a ReLU.
//! [`conv_norm`] is all of it as one node of the graph, because at these sizes passes over memory cost as much as arithmetic: sums for
//! the normalisation are taken of a row that is still in cache, and the backward pass makes the gradient of the
//! convolution's output sixteen samples at a time, just before both products that need it.
//!
//! The products are direct convolutions: `direct` keeps 8 channels of 2 columns in registers and reads each weight once for both,
//! `weights` keeps 4 by 4 channels. Nothing is gathered into patches. On other backends than Flex the same layer is `composed` of
//! burn's operations.

mod composed;
mod direct;
mod flex;
mod geometry;
pub(crate) mod lanes;
mod layout;
mod norm;
mod pool;
mod weights;

pub use flex::{ConvNorm, Moments, conv_affine, conv_norm};
pub use geometry::Geometry;
pub use lanes::LANES;
pub use layout::{block, unblock};
pub use pool::{global_average_pool, max_pool};
