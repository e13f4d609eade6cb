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

/// A parameter in `f32`, as networks hold it, `[1, 1, N]`.
pub(crate) fn line(array: &Value) -> Tensor<3> {
    let values: Vec<f32> = row(array).iter().map(|x| *x as f32).collect();
    let shape = [1, 1, values.len()];
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

/// Two critics' values, `[2, B, 1]`.
pub(crate) fn pair(case: &Value, first: &str, second: &str) -> Tensor<3> {
    let values = [row(&case[first]), row(&case[second])].concat();
    let size = values.len() / 2;
    tensor(values, [2, size, 1])
}

/// The gradient of the smaller of two critics, `[2, B, 1]`. Where both are equal the reference (PyTorch) gives each half
/// and burn gives the first all: there the sum is compared.
pub(crate) fn assert_close_of_smaller(found: Tensor<3>, q: &Tensor<3>, expected: &[f64]) {
    let [_, batch, _] = q.dims();
    let q = numbers(q.clone());
    let mut found = numbers(found);
    let mut expected = expected.to_vec();
    for (first, second) in (0..batch).zip(batch..) {
        if q[first] == q[second] {
            for values in [&mut found, &mut expected] {
                values[first] += std::mem::take(&mut values[second]);
            }
        }
    }
    close(&found, &expected);
}

pub(crate) fn leaf<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    tensor.autodiff().require_grad()
}

/// To 1e-7: the tensors are `f64` (parameters `f32`), but burn rounds the numbers that they are multiplied with (discount, temperature) to
/// `f32`.
pub(crate) fn assert_close<const D: usize>(found: Tensor<D>, expected: &[f64]) {
    close(&numbers(found), expected);
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    let data = tensor.into_data().convert::<f64>();
    data.try_into_vec().expect("64-bit floats")
}

fn close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found - expected).abs() <= 1e-7 * expected.abs().max(1.0),
            "{found} instead of {expected}"
        );
    }
}
