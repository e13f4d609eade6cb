//! The networks of the PPO family: an actor and a critic apart, with tanh between their layers.

use burn::tensor::{Device, Tensor, TensorData};
use era_envs::Spec;
use era_harness::TrainError;
use era_harness::run::Checkpoint;
use era_harness::seed::Streams;
use era_nn::{Activation, Adam, AdamConfig, Head, Mlp, MlpConfig, ScalarAdam, square_sum};

use crate::ppo_params::Common;
use crate::store;

/// Gain of the orthogonal initialisation of the actor's last layer: the first policy hardly depends on the state
/// (CleanRL; Andrychowicz et al. 2021 find it matters).
const ACTOR_GAIN: f64 = 0.01;
/// Gain of the critic's last layer.
const CRITIC_GAIN: f64 = 1.0;
/// What Adam adds to the root of the second moment: 1e-5 as in CleanRL and the first PPO code, not the usual 1e-8.
const ADAM_EPSILON: f64 = 1e-5;

/// Actor and critic with their optimisers; and numbers that are learned beside them and depend on no state, like PPO's log
/// standard deviations.
#[derive(Debug)]
pub(crate) struct ActorCritic {
    actor: Mlp,
    critic: Mlp,
    pub(crate) free: Vec<f64>,
    actor_adam: Adam,
    critic_adam: Adam,
    free_adam: Vec<ScalarAdam>,
    inputs: usize,
    max_grad_norm: f64,
    device: Device,
}

/// What both networks put out for some observations.
#[derive(Debug)]
pub(crate) struct Pass {
    /// The actor's output, `[B, outputs]`.
    pub(crate) output: Vec<f32>,
    /// Values, `[B]`.
    pub(crate) values: Vec<f64>,
    actor: Mlp,
    critic: Mlp,
    actor_output: Tensor<3>,
    critic_output: Tensor<3>,
}

/// Gradients of a loss with respect to what the networks put out.
#[derive(Clone, Debug, Default)]
pub(crate) struct OutputGradients {
    /// As the actor's output, `[B, outputs]`.
    pub(crate) actor: Vec<f32>,
    /// As the critic's output, `[B]`.
    pub(crate) critic: Vec<f32>,
    /// As the free numbers.
    pub(crate) free: Vec<f64>,
}

impl ActorCritic {
    /// Draws networks: `outputs` of the actor for each state, `free` numbers beside them.
    pub(crate) fn new(
        params: &Common<'_>,
        spec: Spec,
        outputs: usize,
        free: Vec<f64>,
        streams: Streams,
        device: &Device,
    ) -> Self {
        let config = |outputs: usize, gain: f64| MlpConfig {
            members: 1,
            inputs: spec.obs_dim,
            hidden: params.hidden.to_vec(),
            heads: vec![Head { outputs, gain }],
            activation: Activation::Tanh,
            layer_norm: false,
        };
        let draw = |stream: &str, config: &MlpConfig| {
            Mlp::init(config, &mut streams.at(stream, 0), device)
        };
        let actor = draw("init actor", &config(outputs, ACTOR_GAIN));
        let critic = draw("init critic", &config(1, CRITIC_GAIN));
        let adam = AdamConfig {
            epsilon: ADAM_EPSILON,
            ..AdamConfig::new(params.learning_rate)
        };
        Self {
            actor_adam: Adam::new(adam, &actor),
            critic_adam: Adam::new(adam, &critic),
            free_adam: vec![ScalarAdam::new(adam); free.len()],
            actor,
            critic,
            free,
            inputs: spec.obs_dim,
            max_grad_norm: params.max_grad_norm,
            device: device.clone(),
        }
    }

    /// Width of an observation.
    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    /// The actor's output for rows of observations, `[B, outputs]`.
    pub(crate) fn act(&self, obs: &[f32], rows: usize) -> Vec<f32> {
        store::floats(self.actor.forward(self.rows(obs, rows)).into_data())
    }

    /// The values of rows of observations, `[B]`.
    pub(crate) fn values(&self, obs: &[f32], rows: usize) -> Vec<f64> {
        let values = store::floats(self.critic.forward(self.rows(obs, rows)).into_data());
        values.into_iter().map(f64::from).collect()
    }

    /// A forward pass over rows of observations that [`descend`](Self::descend) can go back through.
    pub(crate) fn pass(&self, obs: &[f32], rows: usize) -> Pass {
        let obs = self.rows(obs, rows);
        let (actor, critic) = (self.actor.tracked(), self.critic.tracked());
        let (actor_output, critic_output) = (actor.forward(obs.clone()), critic.forward(obs));
        let host = |tensor: &Tensor<3>| store::floats(tensor.clone().inner().into_data());
        Pass {
            output: host(&actor_output),
            values: host(&critic_output).into_iter().map(f64::from).collect(),
            actor,
            critic,
            actor_output,
            critic_output,
        }
    }

    /// One step of both networks and the free numbers down the gradient of a loss, given along what they put out and
    /// scaled down to `max_grad_norm`. Gives the gradient's norm before that.
    pub(crate) fn descend(
        &mut self,
        pass: Pass,
        gradients: &OutputGradients,
        learning_rate: f64,
    ) -> f64 {
        // The sum of outputs, each times the loss's slope along it, has the loss's gradient: so the graph begins at the
        // networks' outputs, and all behind them is arithmetic on slices.
        let rows = pass.values.len();
        let slope = (pass.actor_output * self.rows(&gradients.actor, rows)).sum()
            + (pass.critic_output * self.rows(&gradients.critic, rows)).sum();
        let mut graph = slope.backward();
        let of_actor = pass.actor.gradients(&mut graph);
        let of_critic = pass.critic.gradients(&mut graph);
        let of_free: f64 = gradients.free.iter().map(|g| g * g).sum();
        let all = of_actor.iter().chain(&of_critic);
        let norm = (all.map(square_sum).sum::<f64>() + of_free).sqrt();
        // torch's clip_grad_norm_: max_norm / (norm + 1e-6), at most 1.
        let scale = (self.max_grad_norm / (norm + 1e-6)).min(1.0);

        self.actor_adam.set_learning_rate(learning_rate);
        self.actor_adam
            .step_scaled(&mut self.actor, of_actor, scale);
        self.critic_adam.set_learning_rate(learning_rate);
        self.critic_adam
            .step_scaled(&mut self.critic, of_critic, scale);
        let adams = self.free_adam.iter_mut().zip(&gradients.free);
        for (value, (adam, gradient)) in self.free.iter_mut().zip(adams) {
            adam.set_learning_rate(learning_rate);
            *value = adam.step(*value, scale * gradient);
        }
        norm
    }

    fn rows(&self, values: &[f32], rows: usize) -> Tensor<3> {
        let data = TensorData::new(values.to_vec(), [1, rows, values.len() / rows]);
        Tensor::from_data(data, &self.device)
    }

    pub(crate) fn save(&self, checkpoint: &mut Checkpoint) {
        store::put_network(checkpoint, "actor", &self.actor);
        store::put_network(checkpoint, "critic", &self.critic);
        store::put_adam(checkpoint, "actor", &self.actor, &self.actor_adam);
        store::put_adam(checkpoint, "critic", &self.critic, &self.critic_adam);
        for (index, (value, adam)) in self.free.iter().zip(&self.free_adam).enumerate() {
            store::put_scalar(checkpoint, &format!("free.{index}"), *value, adam);
        }
    }

    pub(crate) fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        store::get_network(checkpoint, "actor", &mut self.actor)?;
        store::get_network(checkpoint, "critic", &mut self.critic)?;
        store::get_adam(checkpoint, "actor", &self.actor, &mut self.actor_adam)?;
        store::get_adam(checkpoint, "critic", &self.critic, &mut self.critic_adam)?;
        for (index, (value, adam)) in self.free.iter_mut().zip(&mut self.free_adam).enumerate() {
            *value = store::get_scalar(checkpoint, &format!("free.{index}"), adam)?;
        }
        Ok(())
    }
}
