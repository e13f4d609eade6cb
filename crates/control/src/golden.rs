//! The golden losses, in `f64`: `tests/fixtures/rl_losses.json` says where they come from.

use burn::tensor::{DType, Device, Tensor, TensorData};
use serde_json::Value;

pub(crate) fn file() -> Value {
    serde_json::from_str(include_str!("../tests/fixtures/rl_losses.json")).expect("JSON")
}

pub(crate) fn cases() -> Vec<Value> {
    file()["cases"].as_array().expect("a list").clone()
}

pub(crate) fn row(array: &Value) -> Vec<f64> {
    array["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|x| x.as_f64().expect("a number"))
        .collect()
}

fn tensor<const D: usize>(values: Vec<f64>, shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(
        TensorData::new(values, shape),
        (&Device::flex(), DType::F64),
    )
}

/// `[B, 1]`.
pub(crate) fn column(case: &Value, name: &str) -> Tensor<2> {
    let values = row(&case[name]);
    let size = values.len();
    tensor(values, [size, 1])
}

/// Two critics' values, `[2, B, 1]`.
pub(crate) fn pair(case: &Value, first: &str, second: &str) -> Tensor<3> {
    let values = [row(&case[first]), row(&case[second])].concat();
    let size = values.len() / 2;
    tensor(values, [2, size, 1])
}

pub(crate) fn leaf<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    tensor.autodiff().require_grad()
}

/// To 1e-12, the tolerance of the fixture.
pub(crate) fn assert_close<const D: usize>(found: Tensor<D>, expected: &[f64]) {
    let found: Vec<f64> = found.into_data().try_into_vec().expect("64-bit floats");
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found - expected).abs() <= 1e-12 * expected.abs().max(1.0),
            "{found} instead of {expected}"
        );
    }
}
