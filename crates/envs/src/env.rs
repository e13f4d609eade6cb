//! What an environment is.

use std::fmt;

use rand_chacha::ChaCha8Rng;

/// What is fixed about a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Name, for example `gym/half-cheetah`.
    pub name: &'static str,
    /// Length of an observation.
    pub obs_dim: usize,
    /// Length of an action; every component lies in [-1, 1].
    pub act_dim: usize,
    /// Steps after which an episode is cut off. That is truncation, not termination: values are bootstrapped.
    pub time_limit: u32,
}

/// What a step gives besides the observation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The reward of this step.
    pub reward: f64,
    /// Whether the task itself ended (a fall, a goal): nothing is earned after it.
    pub terminated: bool,
}

impl Step {
    /// A step after which the task goes on.
    pub(crate) fn ongoing(reward: f64) -> Self {
        Self {
            reward,
            terminated: false,
        }
    }
}

/// A task in simulation, without its time limit (that is [`Episode`](crate::Episode)'s).
///
/// Everything random is drawn in [`reset`](Env::reset) from the generator that it is given: steps are a function of
/// state and action. No call allocates but [`state`](Env::state).
pub trait Env: fmt::Debug + Send {
    /// What is fixed about the task.
    fn spec(&self) -> Spec;

    /// Starts an episode: draws its first state from `rng` and writes its observation, `obs_dim` numbers, to `obs`.
    fn reset(&mut self, rng: &mut ChaCha8Rng, obs: &mut [f64]);

    /// Takes one step with `action` (`act_dim` finite numbers in [-1, 1]) and writes what is observed after it to
    /// `obs`.
    ///
    /// # Errors
    /// [`EnvError::Diverged`] when the simulation left the finite numbers.
    fn step(&mut self, action: &[f64], obs: &mut [f64]) -> Result<Step, EnvError>;

    /// All that the steps to come depend on; its length is the same for every state of the task.
    fn state(&self) -> Vec<f64>;

    /// Continues from a state that [`state`](Env::state) gave: the steps after it are equal bit for bit.
    ///
    /// # Errors
    /// [`EnvError::State`] when its length is another task's.
    fn set_state(&mut self, state: &[f64]) -> Result<(), EnvError>;
}

/// Why an environment could not be made or could not go on. Reads after "failed to".
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EnvError {
    /// No task has this name.
    #[error("find the task `{name}`")]
    UnknownTask {
        /// The name given.
        name: String,
    },
    /// The task needs a native part that this build lacks.
    #[error("make {task}: this build lacks {part}; run `cargo xtask setup {part}`")]
    NotBuiltIn {
        /// The task.
        task: &'static str,
        /// The native part, as `cargo xtask setup` names it.
        part: &'static str,
    },
    /// The task's model could not be loaded.
    #[error("load the model of {task}: {reason}; `cargo xtask setup mujoco` brings it")]
    Model {
        /// The task.
        task: &'static str,
        /// What is wrong with the file.
        reason: String,
    },
    /// An action is not finite.
    #[error("step {task}: component {index} of the action is {value}")]
    Action {
        /// The task.
        task: &'static str,
        /// Which component.
        index: usize,
        /// What stands there.
        value: f32,
    },
    /// An action is out of bounds.
    #[error("step {task}: component {index} of the action is {value}, not in [-1, 1]")]
    ActionBounds {
        /// The task.
        task: &'static str,
        /// Which component.
        index: usize,
        /// What stands there.
        value: f32,
    },
    /// An action has another length than the task's.
    #[error("step {task}: its actions have {expected} components, not {found}")]
    ActionLength {
        /// The task.
        task: &'static str,
        /// `act_dim`.
        expected: usize,
        /// Components given.
        found: usize,
    },
    /// The simulation left the finite numbers, or came so close that the engine gave up.
    #[error("step {task}: the simulation diverged ({what})")]
    Diverged {
        /// The task.
        task: &'static str,
        /// What was seen.
        what: String,
    },
    /// A saved state does not fit the task.
    #[error("restore {task}: its state has {expected} numbers, not {found}")]
    State {
        /// The task.
        task: &'static str,
        /// Numbers that a state of the task has.
        expected: usize,
        /// Numbers given.
        found: usize,
    },
}

/// Reads a state of `N` numbers.
pub(crate) fn fixed<const N: usize>(
    task: &'static str,
    state: &[f64],
) -> Result<[f64; N], EnvError> {
    state.try_into().map_err(|_| EnvError::State {
        task,
        expected: N,
        found: state.len(),
    })
}
