//! The activations and the policies on burn tensors.
//!
//! The types have the names of the reference they wrap. All tensors are `[batch, action_dim]` (`[batch, classes]` for [`SoftmaxEra`],
//! `[positions, vocabulary]` for [`log_probs`])
//! unless said otherwise; means are those before tanh. Nothing here draws random numbers: uniforms and normals are given.
//!
//! Values and derivatives of the policies are computed on the host by the `f64` reference, whatever the tensors' type, and enter the
//! graph as one operation with known partial derivatives: no rounding of an inverse error function reaches a gradient, and a batch costs
//! one node of the graph. On Flex that operation is a custom node; on other backends it is composed of primitives
//! (`value + (x - x.detach()) * dx`), and the inputs are copied to the host. The activations are custom nodes on Flex in `f32` and
//! their plain formulas elsewhere.
//!
//! NaN in gives NaN out, in the same row.

mod differentiable;
mod fused;
mod gaussian;
mod response;
mod softmax;
mod tanh_normal;
mod truncated;

pub use gaussian::GaussianEra;
pub use response::log_probs;
pub use softmax::SoftmaxEra;
pub use tanh_normal::TanhNormal;
pub use truncated::TruncatedNormal;
