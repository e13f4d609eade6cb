//! What the parameter structs of the methods have in common.

use era_harness::method::{self, ParamSet};
use era_harness::{Cell, Cost, ParamError, TrainError};

/// Declares a method's parameter struct: the fields that are its own, with their defaults, and those that every method
/// here has. It is flat, as the harness wants it: unknown names are refused by name.
macro_rules! parameters {
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
            /// Environment steps of the run.
            pub steps: u64,
            /// Widths of the hidden layers of actor and critics. 256, 256 in SAC's paper (Haarnoja et al. 2018, App. D),
            /// 512, 512 in the official SAC-ERA.
            pub hidden: Vec<usize>,
            /// LayerNorm between the products and the ELUs of the critics (official SAC-ERA); the actor has none.
            pub layer_norm: bool,
            /// Transitions of an update.
            pub batch_size: usize,
            /// Discount factor gamma.
            pub discount: f64,
            /// Steps with uniform random actions and without updates before training begins (official SAC-ERA: 5,000).
            pub learning_starts: u64,
            /// Updates for each environment step after that. 1 in SAC's paper, 2 in the official SAC-ERA.
            pub updates_per_step: u64,
            /// Learning rate of the actor (Adam).
            pub actor_lr: f64,
            /// Learning rate of the critics (AdamW).
            pub critic_lr: f64,
            /// Weight decay of the critics. The official SAC-ERA takes optax's AdamW with its default, 1e-4; SAC's paper
            /// has none.
            pub critic_weight_decay: f64,
            /// Share of the way that the target critics go towards the critics at each update.
            pub tau: f64,
            /// Transitions that are kept.
            pub replay_capacity: usize,
            /// Environment steps between evaluations.
            pub eval_every: u64,
            /// Episodes of an evaluation, with the policy's mode.
            pub eval_episodes: u64,
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $( $field: $default, )*
                    steps: 1_000_000,
                    hidden: vec![256, 256],
                    layer_norm: true,
                    batch_size: 256,
                    discount: 0.99,
                    learning_starts: 5_000,
                    updates_per_step: 1,
                    actor_lr: 3e-4,
                    critic_lr: 3e-4,
                    critic_weight_decay: 1e-4,
                    tau: 0.005,
                    replay_capacity: 1_000_000,
                    eval_every: 25_000,
                    eval_episodes: 10,
                }
            }
        }

        impl $name {
            /// The parameters that every method here has.
            pub(crate) fn common(&self) -> crate::params::Common<'_> {
                crate::params::Common {
                    steps: self.steps,
                    hidden: &self.hidden,
                    layer_norm: self.layer_norm,
                    batch_size: self.batch_size,
                    discount: self.discount,
                    learning_starts: self.learning_starts,
                    updates_per_step: self.updates_per_step,
                    actor_lr: self.actor_lr,
                    critic_lr: self.critic_lr,
                    critic_weight_decay: self.critic_weight_decay,
                    tau: self.tau,
                    replay_capacity: self.replay_capacity,
                    eval_every: self.eval_every,
                    eval_episodes: self.eval_episodes,
                }
            }
        }
    };
}
pub(crate) use parameters;

/// A view of the parameters that every method here has; [`parameters`] documents them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Common<'a> {
    pub(crate) steps: u64,
    pub(crate) hidden: &'a [usize],
    pub(crate) layer_norm: bool,
    pub(crate) batch_size: usize,
    pub(crate) discount: f64,
    pub(crate) learning_starts: u64,
    pub(crate) updates_per_step: u64,
    pub(crate) actor_lr: f64,
    pub(crate) critic_lr: f64,
    pub(crate) critic_weight_decay: f64,
    pub(crate) tau: f64,
    pub(crate) replay_capacity: usize,
    pub(crate) eval_every: u64,
    pub(crate) eval_episodes: u64,
}

impl Common<'_> {
    /// Checks ranges.
    pub(crate) fn validate(&self) -> Result<(), ParamError> {
        at_least_one("steps", self.steps)?;
        at_least_one("batch_size", self.batch_size as u64)?;
        at_least_one("replay_capacity", self.replay_capacity as u64)?;
        at_least_one("eval_every", self.eval_every)?;
        at_least_one("eval_episodes", self.eval_episodes)?;
        at_least_one("learning_starts", self.learning_starts)?;
        widths("hidden", self.hidden)?;
        share("discount", self.discount)?;
        share("tau", self.tau)?;
        positive("actor_lr", self.actor_lr)?;
        positive("critic_lr", self.critic_lr)?;
        not_negative("critic_weight_decay", self.critic_weight_decay)
    }

    /// What a run costs: the products of its updates at 150 GFLOP/s, 1 ms an update and 0.1 ms a step beside them.
    pub(crate) fn cost(&self, task: &str) -> Cost {
        let spec = era_envs::tasks()
            .map(|info| info.spec)
            .find(|spec| spec.name == task);
        let (obs, act) = spec.map_or((20, 6), |spec| (spec.obs_dim, spec.act_dim));
        let mut weights = obs + act + self.hidden.last().unwrap_or(&0);
        weights *= self.hidden.first().unwrap_or(&0);
        weights += self
            .hidden
            .windows(2)
            .map(|pair| pair[0] * pair[1])
            .sum::<usize>();
        // Of the products with each weight matrix, 16 are needed in an update: 5 with the actor's, 11 with the critics'.
        let flop = 16.0 * 2.0 * weights as f64 * self.batch_size as f64;
        let updates = self.steps.saturating_sub(self.learning_starts) * self.updates_per_step;
        let seconds = updates as f64 * (flop / 150e9 + 1e-3) + self.steps as f64 * 1e-4;
        let transition = 4 * (2 * obs + act + 2) as u64;
        let kept = (self.replay_capacity as u64).min(self.steps);
        Cost {
            seconds,
            memory: kept * transition + (64 << 20) + 64 * weights as u64,
        }
    }
}

pub(crate) fn range(key: &str, message: String) -> ParamError {
    ParamError::Range {
        key: key.to_owned(),
        message,
    }
}

pub(crate) fn widths(key: &str, widths: &[usize]) -> Result<(), ParamError> {
    if widths.is_empty() || widths.contains(&0) {
        return Err(range(
            key,
            format!("must be one width or more, each at least 1, not {widths:?}"),
        ));
    }
    Ok(())
}

pub(crate) fn at_least_one(key: &str, value: u64) -> Result<(), ParamError> {
    if value >= 1 {
        Ok(())
    } else {
        Err(range(key, "must be at least 1, not 0".to_owned()))
    }
}

pub(crate) fn share(key: &str, value: f64) -> Result<(), ParamError> {
    if (0.0..=1.0).contains(&value) {
        Ok(())
    } else {
        Err(range(key, format!("must lie between 0 and 1, not {value}")))
    }
}

pub(crate) fn positive(key: &str, value: f64) -> Result<(), ParamError> {
    if value > 0.0 && value.is_finite() {
        Ok(())
    } else {
        Err(range(key, format!("must be above 0, not {value}")))
    }
}

pub(crate) fn not_negative(key: &str, value: f64) -> Result<(), ParamError> {
    if value >= 0.0 && value.is_finite() {
        Ok(())
    } else {
        Err(range(key, format!("must be at least 0, not {value}")))
    }
}

/// That `min` and `max` are bounds of a log standard deviation that the policies' formulas are good for.
pub(crate) fn log_std_bounds(min: f64, max: f64) -> Result<(), ParamError> {
    if !(-20.0..=4.0).contains(&min) {
        return Err(range(
            "log_std_min",
            format!("must lie between -20 and 4, not {min}"),
        ));
    }
    if !(max > min && max <= 4.0) {
        return Err(range(
            "log_std_max",
            format!("must lie between log_std_min ({min}) and 4, not {max}"),
        ));
    }
    Ok(())
}

pub(crate) fn finite(key: &str, value: f64) -> Result<(), ParamError> {
    if value.is_finite() {
        Ok(())
    } else {
        Err(range(key, format!("must be finite, not {value}")))
    }
}

pub(crate) fn between(key: &str, value: f64, min: f64, max: f64) -> Result<(), ParamError> {
    if (min..=max).contains(&value) {
        Ok(())
    } else {
        Err(range(
            key,
            format!("must lie between {min:.3} and {max:.3}, not {value}"),
        ))
    }
}

/// Refuses tasks with one action dimension, where ERA's activation is degenerate; the method `instead` trains there.
pub(crate) fn several_actions(task: &str, instead: &str) -> Result<(), String> {
    match era_envs::tasks().find(|info| info.spec.name == task) {
        Some(info) if info.spec.act_dim == 1 => Err(format!(
            "with one action dimension ERA's standard deviation is a constant that no gradient reaches; \
             `{instead}` trains there"
        )),
        _ => Ok(()),
    }
}

/// The parameters of a cell in their own type.
pub(crate) fn of<P: ParamSet>(cell: &Cell) -> Result<P, TrainError> {
    method::typed(&cell.task, &cell.params).map_err(|error| TrainError::Other(error.to_string()))
}
