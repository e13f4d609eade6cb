//! Networks and optimisers to arrays of a checkpoint and back, bit for bit.

use std::collections::BTreeMap;

use burn::tensor::{Tensor, TensorData};
use era_harness::TrainError;
use era_harness::run::{Array, Checkpoint};
use era_nn::{Adam, Mlp, ScalarAdam};

/// Stores every parameter of `network` as `<name>.<layer>.<parameter>`.
pub(crate) fn put_network(checkpoint: &mut Checkpoint, name: &str, network: &Mlp) {
    for (parameter, tensor) in network.names().into_iter().zip(network.parameters()) {
        checkpoint
            .arrays
            .insert(format!("{name}.{parameter}"), array(tensor));
    }
}

/// Takes on what [`put_network`] stored.
pub(crate) fn get_network(
    checkpoint: &Checkpoint,
    name: &str,
    network: &mut Mlp,
) -> Result<(), TrainError> {
    let mut stored = Vec::new();
    for (parameter, tensor) in network.names().into_iter().zip(network.parameters()) {
        stored.push(restored(
            &checkpoint.arrays,
            &format!("{name}.{parameter}"),
            tensor,
        )?);
    }
    let mut stored = stored.into_iter();
    network.update(|old| stored.next().unwrap_or(old));
    Ok(())
}

/// Stores the moments as `<name>.adam.<layer>.<parameter>.first` and `.second`, and the number of steps.
pub(crate) fn put_adam(checkpoint: &mut Checkpoint, name: &str, network: &Mlp, adam: &Adam) {
    for (parameter, (first, second)) in network.names().into_iter().zip(adam.moments()) {
        checkpoint
            .arrays
            .insert(format!("{name}.adam.{parameter}.first"), array(first));
        checkpoint
            .arrays
            .insert(format!("{name}.adam.{parameter}.second"), array(second));
    }
    checkpoint
        .meta
        .insert(format!("{name}.adam.steps"), adam.steps().into());
}

/// Takes on what [`put_adam`] stored.
pub(crate) fn get_adam(
    checkpoint: &Checkpoint,
    name: &str,
    network: &Mlp,
    adam: &mut Adam,
) -> Result<(), TrainError> {
    let mut moments = Vec::new();
    for (parameter, (first, second)) in network.names().into_iter().zip(adam.moments()) {
        let read = |which: &str, like: &Tensor<3>| {
            restored(
                &checkpoint.arrays,
                &format!("{name}.adam.{parameter}.{which}"),
                like,
            )
        };
        moments.push((read("first", first)?, read("second", second)?));
    }
    adam.restore(
        get_meta(checkpoint, &format!("{name}.adam.steps"))?,
        moments,
    );
    Ok(())
}

/// Stores a number and its optimiser.
pub(crate) fn put_scalar(checkpoint: &mut Checkpoint, name: &str, value: f64, adam: &ScalarAdam) {
    let state = vec![value, adam.first, adam.second];
    checkpoint
        .arrays
        .insert(name.to_owned(), Array::F64(vec![3], state));
    checkpoint
        .meta
        .insert(format!("{name}.steps"), adam.steps.into());
}

/// Takes on what [`put_scalar`] stored; gives the number.
pub(crate) fn get_scalar(
    checkpoint: &Checkpoint,
    name: &str,
    adam: &mut ScalarAdam,
) -> Result<f64, TrainError> {
    let values = get_f64(checkpoint, name)?;
    let &[value, first, second] = values else {
        return Err(missing(name));
    };
    (adam.first, adam.second) = (first, second);
    adam.steps = get_meta(checkpoint, &format!("{name}.steps"))?;
    Ok(value)
}

/// The array `name`, in `f64`.
pub(crate) fn get_f64<'a>(checkpoint: &'a Checkpoint, name: &str) -> Result<&'a [f64], TrainError> {
    match checkpoint.arrays.get(name) {
        Some(Array::F64(_, values)) => Ok(values),
        _ => Err(missing(name)),
    }
}

/// The small value `name`.
pub(crate) fn get_meta<T: serde::de::DeserializeOwned>(
    checkpoint: &Checkpoint,
    name: &str,
) -> Result<T, TrainError> {
    let value = checkpoint.meta.get(name).ok_or_else(|| missing(name))?;
    serde_json::from_value(value.clone()).map_err(|_| missing(name))
}

pub(crate) fn missing(name: &str) -> TrainError {
    TrainError::Other(format!(
        "restore the checkpoint: it has no `{name}` that fits this method"
    ))
}

fn array(tensor: &Tensor<3>) -> Array {
    Array::F32(tensor.dims().to_vec(), floats(tensor.clone().into_data()))
}

/// The numbers of a tensor of 32-bit floats, which all tensors here are.
pub(crate) fn floats(data: TensorData) -> Vec<f32> {
    data.try_into_vec().unwrap_or_default()
}

fn restored(
    arrays: &BTreeMap<String, Array>,
    name: &str,
    like: &Tensor<3>,
) -> Result<Tensor<3>, TrainError> {
    match arrays.get(name) {
        Some(Array::F32(shape, values)) if shape[..] == like.dims() => {
            let data = TensorData::new(values.clone(), like.dims());
            Ok(Tensor::from_data(data, &like.device()))
        }
        _ => Err(missing(name)),
    }
}
