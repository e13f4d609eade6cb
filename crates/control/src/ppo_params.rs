//! What the parameter structs of the PPO family have in common. Defaults are those of CleanRL's
//! `ppo_continuous_action.py` where nothing else is said.

use era_harness::{Cost, ParamError};

use crate::params;
use crate::ppo_loss::PpoLoss;

/// Declares a method's parameter struct: the fields that are its own, with their defaults, and those that all of the
/// family have.
macro_rules! ppo_parameters {
    (
        $(#[$about:meta])*
        $name:ident {
            $( $(#[$doc:meta])* $field:ident : $type:ty = $default:expr, )*
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $( $(#[$doc])* pub $field: $type, )*
            /// Environment steps of the run, over all environments. Only whole rollouts are trained on: what is left
            /// over after the last is not stepped.
            pub steps: u64,
            /// Environments side by side, N. 1 in CleanRL.
            pub num_envs: usize,
            /// Steps of each environment in a rollout, T.
            pub rollout_steps: usize,
            /// Transitions of an update; divides a rollout's N T.
            pub minibatch_size: usize,
            /// Passes over a rollout.
            pub epochs: u64,
            /// Widths of the hidden layers of actor and critic, with tanh between them.
            pub hidden: Vec<usize>,
            /// Learning rate of both networks (Adam with epsilon 1e-5) at the start.
            pub learning_rate: f64,
            /// Whether the learning rate falls linearly, to 0 after the last rollout.
            pub anneal_learning_rate: bool,
            /// Discount factor gamma.
            pub discount: f64,
            /// Lambda of generalised advantage estimation.
            pub gae_lambda: f64,
            /// c of the clipped surrogate.
            pub clip: f64,
            /// Whether value updates are clipped by c too. CleanRL does; SB3 does not by default.
            pub clip_value: bool,
            /// Weight of the value loss, which has the factor 1/2.
            pub value_coef: f64,
            /// Largest norm of the gradient over all parameters of both networks; longer ones are scaled down to it.
            pub max_grad_norm: f64,
            /// Whether advantages are brought to mean 0 and deviation 1 in each minibatch.
            pub normalise_advantages: bool,
            /// Whether observations are brought to mean 0 and variance 1 by running statistics, and clipped to ±10.
            pub normalise_observations: bool,
            /// Whether rewards are scaled by the running deviation of the discounted return, and clipped to ±10.
            pub normalise_rewards: bool,
            /// Environment steps between evaluations: one follows the first rollout that ends on or past a multiple.
            pub eval_every: u64,
            /// Episodes of an evaluation, with the policy's mode.
            pub eval_episodes: u64,
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $( $field: $default, )*
                    steps: 1_000_000,
                    num_envs: 1,
                    rollout_steps: 2048,
                    minibatch_size: 64,
                    epochs: 10,
                    hidden: vec![64, 64],
                    learning_rate: 3e-4,
                    anneal_learning_rate: true,
                    discount: 0.99,
                    gae_lambda: 0.95,
                    clip: 0.2,
                    clip_value: true,
                    value_coef: 0.5,
                    max_grad_norm: 0.5,
                    normalise_advantages: true,
                    normalise_observations: true,
                    normalise_rewards: true,
                    eval_every: 25_000,
                    eval_episodes: 10,
                }
            }
        }

        impl $name {
            /// The parameters that all of the family have.
            pub(crate) fn common(&self) -> crate::ppo_params::Common<'_> {
                crate::ppo_params::Common {
                    steps: self.steps,
                    num_envs: self.num_envs,
                    rollout_steps: self.rollout_steps,
                    minibatch_size: self.minibatch_size,
                    epochs: self.epochs,
                    hidden: &self.hidden,
                    learning_rate: self.learning_rate,
                    anneal_learning_rate: self.anneal_learning_rate,
                    discount: self.discount,
                    gae_lambda: self.gae_lambda,
                    clip: self.clip,
                    clip_value: self.clip_value,
                    value_coef: self.value_coef,
                    max_grad_norm: self.max_grad_norm,
                    normalise_advantages: self.normalise_advantages,
                    normalise_observations: self.normalise_observations,
                    normalise_rewards: self.normalise_rewards,
                    eval_every: self.eval_every,
                    eval_episodes: self.eval_episodes,
                }
            }
        }
    };
}
pub(crate) use ppo_parameters;

/// A view of the parameters that all of the family have; [`ppo_parameters`] documents them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Common<'a> {
    pub(crate) steps: u64,
    pub(crate) num_envs: usize,
    pub(crate) rollout_steps: usize,
    pub(crate) minibatch_size: usize,
    pub(crate) epochs: u64,
    pub(crate) hidden: &'a [usize],
    pub(crate) learning_rate: f64,
    pub(crate) anneal_learning_rate: bool,
    pub(crate) discount: f64,
    pub(crate) gae_lambda: f64,
    pub(crate) clip: f64,
    pub(crate) clip_value: bool,
    pub(crate) value_coef: f64,
    pub(crate) max_grad_norm: f64,
    pub(crate) normalise_advantages: bool,
    pub(crate) normalise_observations: bool,
    pub(crate) normalise_rewards: bool,
    pub(crate) eval_every: u64,
    pub(crate) eval_episodes: u64,
}

impl Common<'_> {
    /// Transitions of a rollout, N T.
    pub(crate) fn rollout_size(&self) -> u64 {
        (self.num_envs * self.rollout_steps) as u64
    }

    /// Environment steps of all whole rollouts: where the run ends.
    pub(crate) fn last_step(&self) -> u64 {
        self.steps / self.rollout_size() * self.rollout_size()
    }

    /// The learning rate of the rollout that begins at `step`: `learning_rate * (1 - done / all)` over rollouts.
    pub(crate) fn learning_rate_at(&self, step: u64) -> f64 {
        if self.anneal_learning_rate {
            self.learning_rate * (1.0 - step as f64 / self.last_step() as f64)
        } else {
            self.learning_rate
        }
    }

    /// Whether an evaluation follows the rollout that ended at `step`.
    pub(crate) fn evaluation_due(&self, step: u64) -> bool {
        let before = step - self.rollout_size();
        step / self.eval_every > before / self.eval_every || step == self.last_step()
    }

    /// What is minimised, with this weight of the entropy.
    pub(crate) fn loss(&self, entropy_coef: f64) -> PpoLoss {
        PpoLoss {
            clip: self.clip,
            value_clip: self.clip_value.then_some(self.clip),
            value_coef: self.value_coef,
            entropy_coef,
        }
    }

    /// Checks ranges.
    pub(crate) fn validate(&self) -> Result<(), ParamError> {
        for (key, value) in [
            ("num_envs", self.num_envs as u64),
            ("rollout_steps", self.rollout_steps as u64),
            ("minibatch_size", self.minibatch_size as u64),
            ("epochs", self.epochs),
            ("eval_every", self.eval_every),
            ("eval_episodes", self.eval_episodes),
        ] {
            params::at_least_one(key, value)?;
        }
        let size = self.rollout_size();
        if self.steps < size {
            return Err(params::range(
                "steps",
                format!(
                    "must be at least one rollout, num_envs * rollout_steps = {size}, not {}",
                    self.steps
                ),
            ));
        }
        if !size.is_multiple_of(self.minibatch_size as u64) {
            return Err(params::range(
                "minibatch_size",
                format!(
                    "must divide a rollout, num_envs * rollout_steps = {size}, not be {}",
                    self.minibatch_size
                ),
            ));
        }
        params::widths("hidden", self.hidden)?;
        params::positive("learning_rate", self.learning_rate)?;
        params::share("discount", self.discount)?;
        params::share("gae_lambda", self.gae_lambda)?;
        params::positive("clip", self.clip)?;
        params::not_negative("value_coef", self.value_coef)?;
        params::positive("max_grad_norm", self.max_grad_norm)
    }

    /// What a run costs: 40 microseconds a step for environment and policy (measured on HalfCheetah), and for each
    /// transition of each epoch the products of both networks at 50 GFLOP/s with as much again beside them.
    pub(crate) fn cost(&self, task: &str) -> Cost {
        let spec = era_envs::tasks()
            .map(|info| info.spec)
            .find(|spec| spec.name == task);
        let (obs, act) = spec.map_or((20, 6), |spec| (spec.obs_dim, spec.act_dim));
        let mut weights = obs * self.hidden.first().unwrap_or(&0);
        weights += (act + 1) * self.hidden.last().unwrap_or(&0) / 2;
        weights += self
            .hidden
            .windows(2)
            .map(|pair| pair[0] * pair[1])
            .sum::<usize>();
        // Two networks; forward, and backward twice as much.
        let flop = 2.0 * 3.0 * 2.0 * weights as f64;
        let learning = self.epochs as f64 * 2.0 * flop / 50e9;
        let evaluated = self.steps / self.eval_every * self.eval_episodes * 1000;
        let kept = self.rollout_size() * (4 * (obs + act) as u64 + 64);
        Cost {
            seconds: self.steps as f64 * (4e-5 + learning) + evaluated as f64 * 4e-5,
            memory: 2 * kept + (64 << 20),
        }
    }
}
