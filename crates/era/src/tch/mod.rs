//! The activations on the tensors of tch, which are LibTorch's.
//!
//! The types have the names of the reference they wrap, and the methods those of the module for burn. What differs from that one is tch's
//! own way: tensors are borrowed; each function has a twin whose name begins with `f_` and which returns a [`TchError`](tch::TchError) where
//! the other panics; the number of dimensions is not part of a tensor's type, so rows may lie along the last dimension of a tensor of any rank;
//! and [`GaussianEra`] and [`SoftmaxEra`] are [`tch::nn::Module`]s, which go behind the last layer of a `tch::nn::seq()`. [`ResponseEra`] has a
//! type of its own here, because tch's users have the logits of a batch as one tensor. The two bounded policies are on slices and for burn
//! only, so far.
//!
//! ```no_run
//! use era::tch::{GaussianEra, ResponseEra, SoftmaxEra, log_probs};
//! use tch::{Tensor, nn};
//!
//! fn classifier(era: era::SoftmaxEra, path: &nn::Path) -> nn::Sequential {
//!     nn::seq()
//!         .add(nn::linear(path / "hidden", 784, 128, Default::default()))
//!         .add_fn(Tensor::relu)
//!         .add(nn::linear(path / "logits", 128, 10, Default::default()))
//!         .add(SoftmaxEra::new(era)) // the line
//! }
//!
//! fn spread(era: era::GaussianEra, raw: &Tensor) -> Tensor {
//!     GaussianEra::new(era).log_std(raw) // the line
//! }
//!
//! /// The policy gradient loss of a batch of responses; `logits` are `[responses, positions, vocabulary]`.
//! fn loss(
//!     era: era::ResponseEra,
//!     logits: &Tensor,
//!     lengths: &[usize],
//!     taken: &[usize],
//!     advantages: &[f64],
//! ) -> Tensor {
//!     let scaled = ResponseEra::new(era).scale_batch(lengths, logits, advantages); // the line
//!     let rows = logits.flatten(0, 1);
//!     let log_probs = log_probs(&rows, taken, &scaled.logit_factors, era::Vocabulary::Full);
//!     let advantages = Tensor::from_slice(&scaled.advantages);
//!     let advantages = advantages.to_kind(log_probs.kind()).to_device(logits.device());
//!     let tokens = lengths.iter().sum::<usize>() as f64;
//!     (log_probs * advantages).sum(None) / -tokens
//! }
//! ```
//!
//! # How it computes
//!
//! tch has no operation whose backward pass a user writes. So each function is composed of LibTorch's operations, and the gradient is
//! LibTorch's: tensors stay on their device and are computed in their own type (`Half` and `BFloat16` in `Float`), strided ones as they
//! are, and a derivative is nowhere that of a formula other than the value's. Two places need more than that:
//!
//! - The exact inverse of [`SoftmaxEra`] is a root that steps find. They are taken outside of the graph; the last one is in it, and with the
//!   root found its derivative is the root's. So a gradient costs one multiplication, but there is no second derivative behind it: one that is
//!   asked for comes out as if the inverse were linear. All other functions can be differentiated as often as one likes.
//! - For tau below 3.5 h comes so close to 1/e that its inverse would lose half of the digits: there [`SoftmaxEra`] computes in `Double`,
//!   whatever the tensor's type.
//!
//! `tests/tch` holds values and gradients (for upstream ones of up to 1) to the `f64` reference's: to 1e-5 in `Float` and 1e-10 in `Double`,
//! relative to the larger of 1 and the reference's; to 1e-7 in `Double` where tau is e and a share is 1 to the last digit. NaN in gives NaN out,
//! in the same row.
//!
//! # Finding LibTorch
//!
//! As tch does: LibTorch 2.9 where `LIBTORCH` says. Programs need its folder `lib` in `LD_LIBRARY_PATH`, or as an rpath of their own (this
//! crate's tests and examples have one).

mod gaussian;
mod response;
mod rows;
mod softmax;

pub use gaussian::GaussianEra;
pub use response::{ResponseEra, f_log_probs, log_probs};
pub use softmax::SoftmaxEra;
