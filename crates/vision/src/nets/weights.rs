//! Networks to and from files: safetensors with the names of torchvision and timm, and checkpoints of runs.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{Tensor, TensorData};
use era_harness::TrainError;
use era_harness::run::{Array, Checkpoint};
use safetensors::{Dtype, SafeTensors};

use super::resnet::ResNet;
use super::sgd::Sgd;

/// A file of weights that does not fit. Reads after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The file could not be read.
    #[error("read {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no safetensors file.
    #[error("read {path} as safetensors: {reason}")]
    Format {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// An array is missing, or is another network's.
    #[error("take `{name}` from {path}: {reason}")]
    Array {
        /// The file.
        path: String,
        /// Name of the array.
        name: String,
        /// Why.
        reason: String,
    },
}

impl ResNet {
    /// Takes on the weights and running statistics of a safetensors file with torchvision's and timm's names, in 32-bit floats.
    /// Arrays that the network does not have are left alone (`num_batches_tracked`).
    ///
    /// # Errors
    /// The file cannot be read, or an array is missing or has another shape; then nothing was changed.
    pub fn load(&mut self, path: &Path) -> Result<(), WeightsError> {
        let shown = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|source| WeightsError::Read {
            path: shown.clone(),
            source,
        })?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| WeightsError::Format {
            path: shown.clone(),
            reason: error.to_string(),
        })?;
        let mut loaded = self.clone();
        for (name, shape, mut put) in loaded.slots() {
            let refused = |reason: String| WeightsError::Array {
                path: shown.clone(),
                name: name.clone(),
                reason,
            };
            let view = file
                .tensor(&name)
                .map_err(|_| refused("the file does not have it".to_owned()))?;
            if view.shape() != shape {
                return Err(refused(format!(
                    "its shape is {:?} and not {shape:?}",
                    view.shape()
                )));
            }
            if view.dtype() != Dtype::F32 {
                return Err(refused(format!(
                    "its numbers are {:?} and not 32-bit floats",
                    view.dtype()
                )));
            }
            let (numbers, _) = view.data().as_chunks::<4>();
            put(numbers
                .iter()
                .map(|bytes| f32::from_le_bytes(*bytes))
                .collect());
        }
        *self = loaded;
        Ok(())
    }

    /// Every array by name and shape, with what takes on new numbers.
    #[expect(
        clippy::type_complexity,
        reason = "a list of setters, used in two places"
    )]
    fn slots(&mut self) -> Vec<(String, Vec<usize>, Box<dyn FnMut(Vec<f32>) + '_>)> {
        let device = self.device().clone();
        let mut slots: Vec<(String, Vec<usize>, Box<dyn FnMut(Vec<f32>) + '_>)> = Vec::new();
        for parameter in &mut self.parameters {
            let device = device.clone();
            let value = &mut parameter.value;
            slots.push((
                parameter.name.clone(),
                parameter.shape.clone(),
                Box::new(move |numbers| {
                    *value = Tensor::from_data(TensorData::from(numbers.as_slice()), &device);
                }),
            ));
        }
        for running in &mut self.running {
            let shape = vec![running.mean.len()];
            let (mean, variance) = (&mut running.mean, &mut running.variance);
            slots.push((
                format!("{}.running_mean", running.name),
                shape.clone(),
                Box::new(move |numbers| *mean = numbers),
            ));
            slots.push((
                format!("{}.running_var", running.name),
                shape,
                Box::new(move |numbers| *variance = numbers),
            ));
        }
        slots
    }

    /// Every array, for a checkpoint.
    pub(crate) fn save(&self, checkpoint: &mut Checkpoint) {
        for parameter in &self.parameters {
            let array = Array::F32(parameter.shape.clone(), floats(&parameter.value));
            checkpoint
                .arrays
                .insert(format!("net.{}", parameter.name), array);
        }
        for running in &self.running {
            for (which, numbers) in [("mean", &running.mean), ("var", &running.variance)] {
                let array = Array::F32(vec![numbers.len()], numbers.clone());
                checkpoint
                    .arrays
                    .insert(format!("net.{}.running_{which}", running.name), array);
            }
        }
    }

    /// Takes on what [`ResNet::save`] stored.
    pub(crate) fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        for (name, shape, mut put) in self.slots() {
            put(array(&checkpoint.arrays, &format!("net.{name}"), &shape)?.to_vec());
        }
        Ok(())
    }
}

impl Sgd {
    /// The momenta, for a checkpoint.
    pub(crate) fn save(&self, net: &ResNet, checkpoint: &mut Checkpoint) {
        for (parameter, momentum) in net.parameters.iter().zip(&self.momenta) {
            let array = Array::F32(parameter.shape.clone(), floats(momentum));
            checkpoint
                .arrays
                .insert(format!("momentum.{}", parameter.name), array);
        }
    }

    /// Takes on what [`Sgd::save`] stored.
    pub(crate) fn restore(
        &mut self,
        net: &ResNet,
        checkpoint: &Checkpoint,
    ) -> Result<(), TrainError> {
        for (parameter, momentum) in net.parameters.iter().zip(&mut self.momenta) {
            let name = format!("momentum.{}", parameter.name);
            let numbers = array(&checkpoint.arrays, &name, &parameter.shape)?;
            *momentum = Tensor::from_data(TensorData::from(numbers), net.device());
        }
        Ok(())
    }
}

/// The numbers of a tensor of 32-bit floats, which all tensors here are.
pub(crate) fn floats<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor
        .clone()
        .into_data()
        .try_into_vec()
        .unwrap_or_default()
}

fn array<'a>(
    arrays: &'a BTreeMap<String, Array>,
    name: &str,
    like: &[usize],
) -> Result<&'a [f32], TrainError> {
    match arrays.get(name) {
        Some(Array::F32(shape, numbers)) if shape == like => Ok(numbers),
        _ => Err(missing(name)),
    }
}

pub(crate) fn missing(name: &str) -> TrainError {
    TrainError::Other(format!(
        "restore the checkpoint: it has no `{name}` that fits this method"
    ))
}
