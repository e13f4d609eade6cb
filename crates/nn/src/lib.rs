//! Layers, optimisers, initialisation and fused operations on burn, shared by the ERA benchmark suites.
//!
//! The operations of a small network cost more in passes over memory and in calls than in arithmetic, once the matrix
//! products are fast. So a [dense layer](ops::dense), [LayerNorm followed by ELU](ops::norm_elu), an
//! [Adam step](ops::adam) and a [Polyak average](ops::lerp) are one operation each, with their own backward pass. They
//! enter burn as a backend extension: [`kernels`] says what a backend must compute, with a body composed of burn's own
//! primitives for every backend, and a hand-written one for Flex. Nothing above [`ops`] knows which one runs.
//!
//! [`conv`] and [`transformer`] have the larger families of operations in the same way.
//!
//! Randomness comes from generators that the caller passes in, never from a backend's own.

#![cfg_attr(
    feature = "libtorch",
    expect(
        deprecated,
        reason = "burn 0.22 is the last with a LibTorch backend: the one with oneDNN's and cuDNN's convolutions"
    )
)]

mod adam;
mod autodiff;
pub mod conv;
mod device;
mod flex;
mod init;
pub mod kernels;
mod layer;
mod mlp;
pub mod ops;
pub mod panels;
mod rows;
mod simd;
pub mod transformer;

pub use burn::tensor::Device;

pub use adam::{Adam, AdamConfig, AdamStep, ScalarAdam};
pub use device::{BENCH_ENGINE, ENGINES, NoDevice, bench_device, device, devices, one_thread};
pub use init::{orthogonal, standard_normal, standard_uniform};
pub use kernels::Activation;
pub use layer::{Dense, Norm};
pub use mlp::{Head, Mlp, MlpConfig};
pub use ops::square_sum;
pub use pulp::NullaryFnOnce;
pub use simd::{exp, vectorised};
