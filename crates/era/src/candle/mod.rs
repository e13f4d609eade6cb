//! The activations on candle tensors.
//!
//! The types have the names of the reference they wrap, and the methods those of the module for burn. What differs from that one is
//! candle's own way: tensors are borrowed; a wrong shape or type is a [`candle_core::Error`] where burn panics; the number of dimensions
//! is not part of a tensor's type, so rows may lie along the last dimension of a tensor of any rank; and [`GaussianEra`] and [`SoftmaxEra`] are
//! [`candle_core::Module`]s, which go behind the last layer of a `candle_nn::Sequential`. [`ResponseEra`] has a type of its own here, because
//! candle's users have the logits of a batch as one tensor. The two bounded policies are on slices and for burn only, so far.
//!
//! ```
//! use candle_core::{Module, Tensor, Device, Var};
//! use era::candle::SoftmaxEra;
//!
//! let era = SoftmaxEra::new(era::SoftmaxEra::new(era::SoftmaxEraConfig::official(3)).expect("official settings"));
//! let raw = Var::new(&[[9.0_f32, 0.0, -1.0]], &Device::Cpu)?;
//! let logits = era.forward(raw.as_tensor())?; // or `era.logits`, the same
//! let gradients = logits.narrow(1, 0, 1)?.sum_all()?.backward()?;
//! assert!(gradients.get(&raw).is_some());
//! # Ok::<(), candle_core::Error>(())
//! ```
//!
//! # Gradients
//!
//! Several of candle's fused operations have no backward pass, and candle then takes what lies before them for constants without a word
//! (`candle_nn::ops::softmax_last_dim` in 0.11, for one). On the CPU each operation here is one node with a backward pass of its own: the
//! `f64` reference's, on values and gradients, whatever the type. On other devices it is composed of candle's primitives, in the tensor's type,
//! of which only such are used whose gradients are right and which do not cut the graph (an affine map with the factor 0 does). There is no
//! second derivative on the CPU: asking for it is an error.
//!
//! Tensors of type `f16` and `bf16` are computed in `f32`. Strided tensors (transposed, narrowed, broadcast) are copied first.
//!
//! NaN in gives NaN out, in the same row.

mod fused;
mod gaussian;
mod primitives;
mod response;
mod softmax;

#[cfg(test)]
mod tests;

pub use gaussian::GaussianEra;
pub use response::{ResponseEra, log_probs};
pub use softmax::SoftmaxEra;
