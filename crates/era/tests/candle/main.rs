//! The candle adapter against the `f64` reference, against the burn adapter, and against candle's own faults.
//!
//! On the CPU the adapter computes in `f64`, so what is left to differ is the rounding of results (in a Gaussian's row also of the shares) to
//! the tensor's type. The formulas for other devices are tested beside them, in `src/candle/tests.rs`.
#![cfg(feature = "candle")]

mod agreement;
mod edges;
mod layers;
mod response;

use candle_core::{DType, Device, Result, Shape, Tensor, Var};
use era::{GaussianEraConfig, Inverse, SoftmaxEraConfig};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

pub(crate) const DIMS: usize = 5;
pub(crate) const ROWS: usize = 13;

/// How far a value or a gradient may lie from the reference, relative to max(1, |expected|).
pub(crate) const TYPES: [(DType, f64); 2] = [(DType::F32, 1e-6), (DType::F64, 1e-13)];

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

pub(crate) fn tensor(values: &[f64], shape: impl Into<Shape>, dtype: DType) -> Tensor {
    let tensor = Tensor::from_slice(values, shape.into(), &Device::Cpu);
    tensor
        .and_then(|t| t.to_dtype(dtype))
        .expect("the values fit the shape")
}

pub(crate) fn read(tensor: &Tensor) -> Vec<f64> {
    let flat = tensor.to_dtype(DType::F64).and_then(|t| t.flatten_all());
    flat.and_then(|t| t.to_vec1()).expect("floats")
}

/// What a function makes of rows, and the gradient of its weighted sum, both in the rows' order.
pub(crate) fn run(
    view: View,
    raw: &[f64],
    upstream: &[f64],
    dtype: DType,
    function: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<(Vec<f64>, Vec<f64>)> {
    let rows = raw.len() / DIMS;
    let raw = tensor(raw, (rows, DIMS), dtype);
    let var = view.var(&raw)?;
    let seen = view.see(&var, rows)?;
    assert_eq!(read(&seen), read(&raw), "{view:?}");
    let output = function(&seen)?;
    let upstream = tensor(upstream, output.shape(), dtype);
    // A product of transposes, so that the upstream gradient is strided as well.
    let weighted = if output.rank() == 2 {
        output.t()?.mul(&upstream.t()?)?
    } else {
        output.mul(&upstream)?
    };
    let grads = weighted.sum_all()?.backward()?;
    let grad = grads.get(&var).expect("the input is in the graph");
    Ok((read(&output), read(&view.see(grad, rows)?)))
}

/// How rows can lie in the memory of a variable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum View {
    Plain,
    Transposed,
    /// Contiguous, but not from the start of the memory.
    Offset,
    /// In the middle of a larger tensor, in both dimensions.
    Narrowed,
}

pub(crate) const VIEWS: [View; 4] = [View::Plain, View::Transposed, View::Offset, View::Narrowed];

impl View {
    /// A variable in which [`View::see`] sees `rows`.
    fn var(self, rows: &Tensor) -> Result<Var> {
        Var::from_tensor(&match self {
            Self::Plain => rows.copy()?,
            Self::Transposed => rows.t()?.contiguous()?,
            Self::Offset => rows.pad_with_zeros(0, 2, 1)?.contiguous()?,
            Self::Narrowed => {
                let padded = rows.pad_with_zeros(0, 2, 1)?;
                padded.pad_with_zeros(1, 1, 3)?.contiguous()?
            }
        })
    }

    fn see(self, var: &Tensor, rows: usize) -> Result<Tensor> {
        match self {
            Self::Plain => Ok(var.clone()),
            Self::Transposed => var.t(),
            Self::Offset => var.narrow(0, 2, rows),
            Self::Narrowed => var.narrow(0, 2, rows)?.narrow(1, 1, DIMS),
        }
    }
}

pub(crate) fn close(what: &str, tolerance: f64, actual: &[f64], expected: &[f64]) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
        let error = (a - e).abs() / e.abs().max(1.0);
        assert!(error <= tolerance, "{what}, element {i}: {a} against {e}");
    }
}

pub(crate) fn gaussian() -> era::GaussianEra {
    era::GaussianEra::new(GaussianEraConfig::official(DIMS)).expect("official settings")
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
