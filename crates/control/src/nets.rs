//! Actor, critics and their optimisers: what the four methods train in the same way.

use burn::tensor::{Device, Tensor, TensorData};
use era_envs::Spec;
use era_harness::TrainError;
use era_harness::run::Checkpoint;
use era_harness::seed::Streams;
use era_nn::{Activation, Adam, AdamConfig, Head, Mlp, MlpConfig};

use crate::params::Common;
use crate::replay::Batch;
use crate::store;

/// Gain of the orthogonal initialisation everywhere but in the head of the log standard deviations
/// (`sac-era/jaxrl/networks/common.py`: `default_init`).
const GAIN: f64 = std::f64::consts::SQRT_2;
/// Gain of the head of the log standard deviations (`sac-era/jaxrl/networks/policies.py`).
const LOG_STD_GAIN: f64 = 1.0;

/// What the actor puts out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ActorOutput {
    /// A mean for each action dimension.
    Mean,
    /// A mean and a raw log standard deviation for each action dimension.
    MeanAndLogStd,
}

/// Actor, two critics, their target critics and optimisers.
#[derive(Debug)]
pub(crate) struct Nets {
    pub(crate) actor: Mlp,
    pub(crate) critics: Mlp,
    pub(crate) targets: Mlp,
    actor_adam: Adam,
    critic_adam: Adam,
    device: Device,
}

/// A batch as tensors outside autodiff.
#[derive(Clone, Debug)]
pub(crate) struct Tensors {
    /// `[1, B, obs_dim]`.
    pub(crate) obs: Tensor<3>,
    /// `[1, B, act_dim]`.
    pub(crate) action: Tensor<3>,
    /// `[B, 1]`.
    pub(crate) reward: Tensor<2>,
    /// `[1, B, obs_dim]`.
    pub(crate) next_obs: Tensor<3>,
    /// `[B, 1]`.
    pub(crate) mask: Tensor<2>,
}

/// What a step of descent found.
#[derive(Clone, Copy, Debug)]
pub struct Descent {
    /// The loss before the step.
    pub loss: f64,
    /// The Euclidean norm of the gradient, where it was asked for.
    pub grad_norm: Option<f64>,
}

impl Nets {
    /// Draws networks for the task.
    pub(crate) fn new(
        params: Common<'_>,
        spec: Spec,
        output: ActorOutput,
        streams: Streams,
        device: &Device,
    ) -> Self {
        let mean = Head {
            outputs: spec.act_dim,
            gain: GAIN,
        };
        let log_std = Head {
            outputs: spec.act_dim,
            gain: LOG_STD_GAIN,
        };
        let actor = MlpConfig {
            members: 1,
            inputs: spec.obs_dim,
            hidden: params.hidden.to_vec(),
            heads: match output {
                ActorOutput::Mean => vec![mean],
                ActorOutput::MeanAndLogStd => vec![mean, log_std],
            },
            activation: Activation::Elu,
            layer_norm: false,
        };
        let critics = MlpConfig {
            members: 2,
            inputs: spec.obs_dim + spec.act_dim,
            heads: vec![Head {
                outputs: 1,
                gain: GAIN,
            }],
            layer_norm: params.layer_norm,
            ..actor.clone()
        };
        let actor = Mlp::init(&actor, &mut streams.at("init actor", 0), device);
        let critics = Mlp::init(&critics, &mut streams.at("init critics", 0), device);
        let critic_config =
            AdamConfig::new(params.critic_lr).with_weight_decay(params.critic_weight_decay);
        Self {
            actor_adam: Adam::new(AdamConfig::new(params.actor_lr), &actor),
            critic_adam: Adam::new(critic_config, &critics),
            targets: critics.clone(),
            actor,
            critics,
            device: device.clone(),
        }
    }

    /// One step of the actor down the gradient of `loss`.
    pub(crate) fn descend_actor(
        &mut self,
        measure: bool,
        loss: impl FnOnce(&Mlp, &Mlp) -> Tensor<1>,
    ) -> Descent {
        let critics = &self.critics;
        descend(&mut self.actor, &mut self.actor_adam, measure, |actor| {
            loss(actor, critics)
        })
    }

    /// One step of the critics down the gradient of `loss`.
    pub(crate) fn descend_critics(
        &mut self,
        measure: bool,
        loss: impl FnOnce(&Mlp) -> Tensor<1>,
    ) -> Descent {
        descend(&mut self.critics, &mut self.critic_adam, measure, loss)
    }

    /// Moves the target critics by the share `tau` of the way to the critics.
    pub(crate) fn track(&mut self, tau: f64) {
        self.targets.track(&self.critics, tau);
    }

    /// A batch as tensors.
    pub(crate) fn tensors(&self, batch: &Batch) -> Tensors {
        let size = batch.size();
        Tensors {
            obs: self.rows(&batch.obs, size),
            action: self.rows(&batch.action, size),
            reward: self.matrix(&batch.reward, size),
            next_obs: self.rows(&batch.next_obs, size),
            mask: self.matrix(&batch.mask, size),
        }
    }

    /// `rows` rows as an input of the networks, `[1, rows, width]`.
    pub(crate) fn rows(&self, values: &[f32], rows: usize) -> Tensor<3> {
        let data = TensorData::new(values.to_vec(), [1, rows, values.len() / rows]);
        Tensor::from_data(data, &self.device)
    }

    /// `rows` rows, `[rows, width]`.
    pub(crate) fn matrix(&self, values: &[f32], rows: usize) -> Tensor<2> {
        let data = TensorData::new(values.to_vec(), [rows, values.len() / rows]);
        Tensor::from_data(data, &self.device)
    }

    pub(crate) fn save(&self, checkpoint: &mut Checkpoint) {
        store::put_network(checkpoint, "actor", &self.actor);
        store::put_network(checkpoint, "critics", &self.critics);
        store::put_network(checkpoint, "targets", &self.targets);
        store::put_adam(checkpoint, "actor", &self.actor, &self.actor_adam);
        store::put_adam(checkpoint, "critics", &self.critics, &self.critic_adam);
    }

    pub(crate) fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        store::get_network(checkpoint, "actor", &mut self.actor)?;
        store::get_network(checkpoint, "critics", &mut self.critics)?;
        store::get_network(checkpoint, "targets", &mut self.targets)?;
        store::get_adam(checkpoint, "actor", &self.actor, &mut self.actor_adam)?;
        store::get_adam(checkpoint, "critics", &self.critics, &mut self.critic_adam)
    }
}

/// The value of each critic at (obs, action): `[1, B, obs_dim]` and `[1, B, act_dim]` to `[2, B, 1]`.
pub(crate) fn q_values(critics: &Mlp, obs: Tensor<3>, action: Tensor<3>) -> Tensor<3> {
    critics.forward(Tensor::cat(vec![obs, action], 2))
}

/// The actor's output as one row a state: `[1, B, width]` to `[B, width]`.
pub(crate) fn actor_rows(actor: &Mlp, obs: Tensor<3>) -> Tensor<2> {
    let output = actor.forward(obs);
    let [_, batch, width] = output.dims();
    output.reshape([batch, width])
}

fn descend(
    network: &mut Mlp,
    adam: &mut Adam,
    measure: bool,
    loss: impl FnOnce(&Mlp) -> Tensor<1>,
) -> Descent {
    let tracked = network.tracked();
    let loss = loss(&tracked);
    let mut gradients = loss.backward();
    let gradients = tracked.gradients(&mut gradients);
    let grad_norm = measure.then(|| norm(&gradients));
    adam.step(network, gradients);
    Descent {
        loss: f64::from(loss.into_scalar::<f32>()),
        grad_norm,
    }
}

/// The Euclidean norm over all parameters.
fn norm(gradients: &[Tensor<3>]) -> f64 {
    let square = |gradient: &Tensor<3>| {
        let values = store::floats(gradient.clone().into_data());
        values
            .iter()
            .map(|x| f64::from(*x) * f64::from(*x))
            .sum::<f64>()
    };
    gradients.iter().map(square).sum::<f64>().sqrt()
}
