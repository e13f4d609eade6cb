//! The tch adapter against the `f64` reference and against the burn adapter.
//!
//! It is composed of LibTorch's operations in the tensor's own type, so values and gradients differ from the reference by what these round.
#![cfg(feature = "tch")]

mod agreement;
mod edges;
mod layers;
mod response;

use era::{GaussianEraConfig, Inverse, SoftmaxEraConfig};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use std::num::NonZeroUsize;
use tch::{Kind, Tensor};

pub(crate) const DIMS: usize = 5;
pub(crate) const ROWS: usize = 13;

/// How far a value or a gradient may lie from the reference, relative to max(1, |expected|).
pub(crate) const TYPES: [(Kind, f64); 2] = [(Kind::Float, 1e-5), (Kind::Double, 1e-10)];

pub(crate) fn cases() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::with_cases(32)
    }
}

/// Random values that are exact in f32.
pub(crate) fn values(count: usize) -> impl Strategy<Value = Vec<f64>> {
    proptest::collection::vec((-6.0..6.0).prop_map(|x| f64::from(x as f32)), count)
}

/// Random gradients with respect to the output, exact in f32.
pub(crate) fn upstreams(count: usize) -> impl Strategy<Value = Vec<f64>> {
    proptest::collection::vec((-1.0..1.0).prop_map(|x| f64::from(x as f32)), count)
}

pub(crate) fn tensor(values: &[f64], shape: &[usize], kind: Kind) -> Tensor {
    let shape: Vec<i64> = shape.iter().map(|n| *n as i64).collect();
    Tensor::from_slice(values).reshape(shape).to_kind(kind)
}

pub(crate) fn read(tensor: &Tensor) -> Vec<f64> {
    let flat = tensor.detach().to_kind(Kind::Double).reshape([-1]);
    Vec::try_from(flat).expect("a flat tensor of doubles")
}

/// What a function makes of rows, and the gradient of its weighted sum, both in the rows' order.
pub(crate) fn run(
    view: View,
    raw: &[f64],
    upstream: &[f64],
    kind: Kind,
    function: impl Fn(&Tensor) -> Tensor,
) -> (Vec<f64>, Vec<f64>) {
    let rows = raw.len() / DIMS;
    let variable = view.variable(&tensor(raw, &[rows, DIMS], kind));
    let variable = variable.set_requires_grad(true);
    let seen = view.see(&variable, rows);
    let output = function(&seen);
    let upstream = Tensor::from_slice(upstream)
        .to_kind(output.kind())
        .reshape(output.size());
    // A product of transposes, so that the upstream gradient is strided as well.
    let weighted = if output.dim() == 2 {
        output.tr() * upstream.tr()
    } else {
        &output * upstream
    };
    weighted.sum(None).backward();
    (read(&output), read(&view.see(&variable.grad(), rows)))
}

/// How rows can lie in the memory of a variable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum View {
    Plain,
    Transposed,
    /// Every second column of a larger tensor, from its second row on.
    Stepped,
}

pub(crate) const VIEWS: [View; 3] = [View::Plain, View::Transposed, View::Stepped];

impl View {
    /// A tensor in which [`View::see`] sees `rows`.
    fn variable(self, rows: &Tensor) -> Tensor {
        match self {
            Self::Plain => rows.copy(),
            Self::Transposed => rows.tr().contiguous(),
            Self::Stepped => {
                let stepped = rows.repeat_interleave_self_int(2, 1, None);
                stepped.constant_pad_nd([0, 0, 1, 2])
            }
        }
    }

    fn see(self, variable: &Tensor, rows: usize) -> Tensor {
        match self {
            Self::Plain => variable.shallow_clone(),
            Self::Transposed => variable.tr(),
            Self::Stepped => {
                let rows = variable.narrow(0, 1, rows as i64);
                rows.slice(1, 0, None, 2)
            }
        }
    }
}

#[test]
fn views_lie_in_memory_as_they_should() {
    let rows = tensor(
        &[1.0, 2.0, 3.0, 4.0, 5.0].repeat(2),
        &[2, DIMS],
        Kind::Float,
    );
    for view in VIEWS {
        let seen = view.see(&view.variable(&rows), 2);
        assert_eq!(read(&seen), read(&rows), "{view:?}");
        assert_eq!(seen.is_contiguous(), view == View::Plain, "{view:?}");
    }
}

#[track_caller]
pub(crate) fn close(what: &str, tolerance: f64, actual: &[f64], expected: &[f64]) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
        let error = (a - e).abs() / e.abs().max(1.0);
        assert!(error <= tolerance, "{what}, element {i}: {a} against {e}");
    }
}

/// So many tokens with the largest logits.
pub(crate) fn largest(count: usize) -> era::Vocabulary {
    era::Vocabulary::Largest(NonZeroUsize::new(count).expect("some tokens"))
}

pub(crate) fn gaussian() -> era::GaussianEra {
    era::GaussianEra::new(GaussianEraConfig::official(DIMS)).expect("official settings")
}

/// At both ends of the range of targets too: at the upper one the slope is 0, at the lower one some dimension is often clipped.
pub(crate) fn gaussians() -> [era::GaussianEra; 3] {
    let official = GaussianEraConfig::official(DIMS);
    let smallest = official.log_std_min + era::ENTROPY_OF_UNIT_NORMAL;
    [
        official.target_per_dim,
        smallest + 1.0,
        era::ENTROPY_OF_UNIT_NORMAL,
    ]
    .map(|target_per_dim| {
        let config = GaussianEraConfig {
            target_per_dim,
            ..official
        };
        era::GaussianEra::new(config).expect("settings in range")
    })
}

pub(crate) fn classifier(target_entropy: f64, tau: f64, inverse: Inverse) -> era::SoftmaxEra {
    let config = SoftmaxEraConfig {
        classes: DIMS,
        target_entropy,
        tau,
        inverse,
    };
    era::SoftmaxEra::new(config).expect("settings in range")
}

/// Both inverses, inside the range of targets and at its ends; tau from e on, where h reaches 1/e.
pub(crate) fn classifiers() -> Vec<era::SoftmaxEra> {
    let mut all = Vec::new();
    for inverse in [Inverse::Approximate, Inverse::Exact] {
        for tau in [std::f64::consts::E, 3.0, 3.5, 4.0, 20.0] {
            let (smallest, largest) = era::SoftmaxEra::range(DIMS, tau);
            for part in [0.0, 1e-6, 0.4, 0.999] {
                let target = smallest + part * (largest - smallest);
                all.push(classifier(target, tau, inverse));
            }
        }
    }
    all
}
