//! AdamW over a policy's parameters, with the gradient's norm clipped.

use crate::model::Policy;
use burn::tensor::{Device, Tensor, TensorData};
use era_harness::TrainError;
use era_harness::run::{Array, Checkpoint};
use era_nn::{AdamConfig, ops, square_sum};

/// AdamW between two steps.
#[derive(Clone, Debug)]
pub struct AdamW {
    steps: u64,
    moments: Vec<(Tensor<3>, Tensor<3>)>,
}

/// What PyTorch's `clip_grad_norm_` adds to the norm that it divides by.
const CLIP_EPSILON: f64 = 1e-6;

impl AdamW {
    /// The optimiser of these parameters before its first step.
    pub fn new(parameters: &[Tensor<3>]) -> Self {
        let zeros = |parameter: &Tensor<3>| (parameter.zeros_like(), parameter.zeros_like());
        Self {
            steps: 0,
            moments: parameters.iter().map(zeros).collect(),
        }
    }

    /// Moves `parameters` along `gradients`, which are made shorter where their norm together is above `clip`. Returns the norm before.
    ///
    /// Betas are 0.9 and 0.999 and epsilon 1e-8, verl's and PyTorch's defaults.
    pub fn step(
        &mut self,
        parameters: &mut [Tensor<3>],
        gradients: Vec<Tensor<3>>,
        learning_rate: f64,
        weight_decay: f64,
        clip: f64,
    ) -> f64 {
        let norm = gradients.iter().map(square_sum).sum::<f64>().sqrt();
        self.steps += 1;
        let config = AdamConfig::new(learning_rate).with_weight_decay(weight_decay);
        let scale = (clip / (norm + CLIP_EPSILON)).min(1.0);
        let step = config.at(self.steps, scale);
        let targets = parameters.iter_mut().zip(&mut self.moments);
        for ((parameter, moments), gradient) in targets.zip(gradients) {
            // Nothing else may hold them, so that they are changed in place.
            let empty = || Tensor::empty([0, 0, 0], &parameter.device());
            let (first, second) = (
                std::mem::replace(&mut moments.0, empty()),
                std::mem::replace(&mut moments.1, empty()),
            );
            let old = std::mem::replace(parameter, empty());
            (*parameter, moments.0, moments.1) = ops::adam(old, gradient, first, second, step);
        }
        norm
    }

    pub(crate) fn save(&self, policy: &Policy, checkpoint: &mut Checkpoint) {
        for (name, (first, second)) in names(policy).iter().zip(&self.moments) {
            save(first, format!("adam.first.{name}"), checkpoint);
            save(second, format!("adam.second.{name}"), checkpoint);
        }
        let steps = Array::U64(vec![1], vec![self.steps]);
        checkpoint.arrays.insert("adam.steps".to_owned(), steps);
    }

    pub(crate) fn restore(
        &mut self,
        policy: &Policy,
        checkpoint: &Checkpoint,
    ) -> Result<(), TrainError> {
        for (name, (first, second)) in names(policy).iter().zip(&mut self.moments) {
            *first = restored(first, &format!("adam.first.{name}"), checkpoint)?;
            *second = restored(second, &format!("adam.second.{name}"), checkpoint)?;
        }
        let steps = checkpoint.arrays.get("adam.steps");
        let Some(Array::U64(_, steps)) = steps else {
            return Err(missing("adam.steps"));
        };
        self.steps = steps
            .first()
            .copied()
            .ok_or_else(|| missing("adam.steps"))?;
        Ok(())
    }
}

fn names(policy: &Policy) -> Vec<String> {
    let parameters = policy.config().parameters().into_iter();
    parameters.map(|(name, _)| name).collect()
}

/// Puts a policy into a checkpoint.
pub(crate) fn save_policy(policy: &Policy, checkpoint: &mut Checkpoint) {
    for (name, parameter) in names(policy).iter().zip(&policy.parameters) {
        save(parameter, format!("policy.{name}"), checkpoint);
    }
}

/// Takes a policy out of a checkpoint.
pub(crate) fn restore_policy(
    policy: &mut Policy,
    checkpoint: &Checkpoint,
) -> Result<(), TrainError> {
    let names = names(policy);
    for (name, parameter) in names.iter().zip(&mut policy.parameters) {
        *parameter = restored(parameter, &format!("policy.{name}"), checkpoint)?;
    }
    Ok(())
}

/// Puts a tensor into a checkpoint.
fn save(tensor: &Tensor<3>, name: String, checkpoint: &mut Checkpoint) {
    let shape = tensor.dims().to_vec();
    let values = tensor
        .clone()
        .into_data()
        .try_into_vec()
        .unwrap_or_default();
    checkpoint.arrays.insert(name, Array::F32(shape, values));
}

/// A tensor of the shape of `like` out of a checkpoint.
fn restored(
    like: &Tensor<3>,
    name: &str,
    checkpoint: &Checkpoint,
) -> Result<Tensor<3>, TrainError> {
    let device: Device = like.device();
    match checkpoint.arrays.get(name) {
        Some(Array::F32(shape, values)) if *shape == like.dims() => Ok(Tensor::from_data(
            TensorData::new(values.clone(), like.dims()),
            &device,
        )),
        _ => Err(missing(name)),
    }
}

pub(crate) fn missing(name: &str) -> TrainError {
    TrainError::Other(format!("the checkpoint has no array `{name}` that fits"))
}
