//! An environment with its time limit, at the precision of agents.

use rand_chacha::ChaCha8Rng;

use crate::env::{Env, EnvError, Spec};

/// What a step gives besides the observation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transition {
    /// The reward of this step.
    pub reward: f64,
    /// Whether the task itself ended: the value of the next observation counts for nothing.
    pub terminated: bool,
    /// Whether the time limit cut the episode off: the value of the next observation still counts.
    pub truncated: bool,
}

impl Transition {
    /// Whether [`Episode::reset`] comes next.
    pub fn done(&self) -> bool {
        self.terminated || self.truncated
    }
}

/// One environment and where it is in its episode. Counts the steps, tells truncation from termination, refuses actions
/// out of bounds and observations that are not finite, and speaks `f32` with agents while the environment computes in `f64`.
#[derive(Debug)]
pub struct Episode {
    env: Box<dyn Env>,
    spec: Spec,
    steps: u32,
    action: Box<[f64]>,
    wide: Box<[f64]>,
    observation: Box<[f32]>,
}

impl Episode {
    /// Takes an environment. [`reset`](Self::reset) or [`set_state`](Self::set_state) comes before the first step.
    pub fn new(env: Box<dyn Env>) -> Self {
        let spec = env.spec();
        Self {
            env,
            spec,
            steps: 0,
            action: vec![0.0; spec.act_dim].into(),
            wide: vec![0.0; spec.obs_dim].into(),
            observation: vec![0.0; spec.obs_dim].into(),
        }
    }

    /// What is fixed about the task.
    pub fn spec(&self) -> Spec {
        self.spec
    }

    /// Steps taken since the last reset.
    pub fn steps(&self) -> u32 {
        self.steps
    }

    /// What is observed now: `obs_dim` numbers, valid until the next step or reset.
    pub fn observation(&self) -> &[f32] {
        &self.observation
    }

    /// Starts an episode in a state drawn from `rng`.
    ///
    /// # Errors
    /// The first observation is not finite.
    pub fn reset(&mut self, rng: &mut ChaCha8Rng) -> Result<(), EnvError> {
        self.env.reset(rng, &mut self.wide);
        self.steps = 0;
        self.observe()
    }

    /// Takes one step. An episode that is over has to be reset first; that is not checked, as the simulation itself
    /// could go on.
    ///
    /// # Errors
    /// The action has the wrong length, is not finite or is out of [-1, 1]: nothing has happened then. Or the simulation
    /// diverged.
    pub fn step(&mut self, action: &[f32]) -> Result<Transition, EnvError> {
        self.check(action)?;
        self.advance(action)
    }

    /// Takes one step with an action that [`check`](Self::check) let pass.
    pub(crate) fn advance(&mut self, action: &[f32]) -> Result<Transition, EnvError> {
        for (wide, &value) in self.action.iter_mut().zip(action) {
            *wide = f64::from(value);
        }
        let step = self.env.step(&self.action, &mut self.wide)?;
        self.steps += 1;
        self.observe()?;
        if !step.reward.is_finite() {
            return Err(self.diverged(format!("the reward is {}", step.reward)));
        }
        let truncated = !step.terminated && self.steps >= self.spec.time_limit;
        Ok(Transition {
            reward: step.reward,
            terminated: step.terminated,
            truncated,
        })
    }

    /// All that the episode's future depends on, for a checkpoint.
    pub fn state(&self) -> Vec<f64> {
        let mut state = vec![f64::from(self.steps)];
        state.extend_from_slice(&self.wide);
        state.append(&mut self.env.state());
        state
    }

    /// Continues from a state that [`state`](Self::state) gave: all that follows is equal bit for bit.
    ///
    /// # Errors
    /// The state is not one of this task.
    pub fn set_state(&mut self, state: &[f64]) -> Result<(), EnvError> {
        let head = 1 + self.spec.obs_dim;
        if state.len() < head {
            return Err(EnvError::State {
                task: self.spec.name,
                expected: head,
                found: state.len(),
            });
        }
        let (head, rest) = state.split_at(head);
        self.env.set_state(rest)?;
        self.steps = head[0] as u32;
        self.wide.copy_from_slice(&head[1..]);
        self.observe()
    }

    /// Refuses an action that is not one of the task's. Methods clip theirs before they step: what a network gave and
    /// what the environment got are two numbers, and which of them is stored is the method's to decide.
    pub(crate) fn check(&self, action: &[f32]) -> Result<(), EnvError> {
        let task = self.spec.name;
        if action.len() != self.spec.act_dim {
            return Err(EnvError::ActionLength {
                task,
                expected: self.spec.act_dim,
                found: action.len(),
            });
        }
        for (index, &value) in action.iter().enumerate() {
            if !value.is_finite() {
                return Err(EnvError::Action { task, index, value });
            }
            if value.abs() > 1.0 {
                return Err(EnvError::ActionBounds { task, index, value });
            }
        }
        Ok(())
    }

    /// Narrows the observation; refuses one that would poison a network.
    fn observe(&mut self) -> Result<(), EnvError> {
        for (index, (narrow, &wide)) in self.observation.iter_mut().zip(&self.wide).enumerate() {
            *narrow = wide as f32;
            if !narrow.is_finite() {
                return Err(
                    self.diverged(format!("component {index} of the observation is {wide}"))
                );
            }
        }
        Ok(())
    }

    fn diverged(&self, what: String) -> EnvError {
        EnvError::Diverged {
            task: self.spec.name,
            what,
        }
    }
}
