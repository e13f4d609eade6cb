//! Several environments, stepped together.

use rand_chacha::ChaCha8Rng;

use crate::env::{EnvError, Spec};
use crate::episode::{Episode, Transition};
use crate::registry::make;

/// What of a state is not its episodes': resets and return of each.
const COUNTS: usize = 2;

/// Several episodes of one task, side by side; an episode that ends begins anew at once.
///
/// The generator of each first state is a function of which environment it is and how often that one was reset, so that
/// what happens in one environment does not depend on the others. A run that steps as many episodes by hand sees the
/// same, bit for bit.
#[derive(Debug)]
pub struct Vector {
    envs: Vec<Slot>,
    spec: Spec,
    observations: Box<[f32]>,
    finals: Box<[f32]>,
    transitions: Vec<Transition>,
    finished: Vec<(f64, u32)>,
}

/// One of the environments.
#[derive(Debug)]
struct Slot {
    episode: Episode,
    /// How often it was reset.
    resets: u64,
    /// What the episode has earned.
    earned: f64,
}

impl Slot {
    fn reset(
        &mut self,
        at: usize,
        rng: &mut impl FnMut(usize, u64) -> ChaCha8Rng,
    ) -> Result<(), EnvError> {
        self.episode.reset(&mut rng(at, self.resets))?;
        self.resets += 1;
        self.earned = 0.0;
        Ok(())
    }
}

impl Vector {
    /// Makes `count` environments of a task; `count` is at least 1.
    ///
    /// # Errors
    /// Those of [`make`].
    ///
    /// # Panics
    /// When `count` is 0.
    pub fn make(task: &str, count: usize) -> Result<Self, EnvError> {
        let episodes = (0..count).map(|_| make(task).map(Episode::new));
        Ok(Self::new(episodes.collect::<Result<_, _>>()?))
    }

    /// Takes episodes. [`reset`](Self::reset) or [`set_state`](Self::set_state) comes before the first step.
    ///
    /// # Panics
    /// When there are none, or they are not all of one task.
    pub fn new(episodes: Vec<Episode>) -> Self {
        assert!(!episodes.is_empty(), "a vector has environments");
        let spec = episodes[0].spec();
        assert!(
            episodes.iter().all(|episode| episode.spec() == spec),
            "the environments of a vector are of one task"
        );
        let count = episodes.len();
        let envs = episodes.into_iter().map(|episode| Slot {
            episode,
            resets: 0,
            earned: 0.0,
        });
        Self {
            envs: envs.collect(),
            spec,
            observations: vec![0.0; count * spec.obs_dim].into(),
            finals: vec![0.0; count * spec.obs_dim].into(),
            transitions: vec![NO_STEP; count],
            finished: Vec::with_capacity(count),
        }
    }

    /// What is fixed about the task.
    pub fn spec(&self) -> Spec {
        self.spec
    }

    /// How many environments there are.
    pub fn len(&self) -> usize {
        self.envs.len()
    }

    /// Whether there are none, which is never so.
    pub fn is_empty(&self) -> bool {
        self.envs.is_empty()
    }

    /// Starts an episode everywhere. `rng(env, episode)` gives the generator of the `episode`-th reset of the `env`-th
    /// environment, both counted from 0, over all resets by whatever method.
    ///
    /// # Errors
    /// A first observation is not finite.
    pub fn reset(&mut self, mut rng: impl FnMut(usize, u64) -> ChaCha8Rng) -> Result<(), EnvError> {
        for (at, env) in self.envs.iter_mut().enumerate() {
            env.reset(at, &mut rng)?;
        }
        self.settle();
        Ok(())
    }

    /// One step everywhere with `actions`, `len · act_dim` numbers; where an episode ended, the next one starts at once.
    /// `rng` is that of [`reset`](Self::reset). Nothing is allocated.
    ///
    /// # Errors
    /// There are too many or too few actions, or one is not finite or out of [-1, 1]: nothing has happened then. Or a
    /// simulation diverged: some environments have taken the step and others have not, and a reset or
    /// [`set_state`](Self::set_state) comes next.
    pub fn step(
        &mut self,
        actions: &[f32],
        mut rng: impl FnMut(usize, u64) -> ChaCha8Rng,
    ) -> Result<(), EnvError> {
        self.check(actions)?;
        self.finished.clear();
        let width = self.spec.obs_dim;
        let rows = self
            .observations
            .chunks_exact_mut(width)
            .zip(self.finals.chunks_exact_mut(width));
        let actions = actions.chunks_exact(self.spec.act_dim);
        let envs = self.envs.iter_mut().zip(&mut self.transitions);
        for (at, (((env, given), action), (now, last))) in envs.zip(actions).zip(rows).enumerate() {
            let transition = env.episode.advance(action)?;
            *given = transition;
            env.earned += transition.reward;
            last.copy_from_slice(env.episode.observation());
            if transition.done() {
                self.finished.push((env.earned, env.episode.steps()));
                env.reset(at, &mut rng)?;
            }
            now.copy_from_slice(env.episode.observation());
        }
        Ok(())
    }

    /// What is observed now, `len · obs_dim` numbers: where an episode ended, the first observation of the next.
    pub fn observations(&self) -> &[f32] {
        &self.observations
    }

    /// What the last step itself led to, `len · obs_dim` numbers: equal to [`observations`](Self::observations) but
    /// where an episode ended.
    pub fn final_observations(&self) -> &[f32] {
        &self.finals
    }

    /// What the last step gave, one for each environment. Zeros before the first.
    pub fn transitions(&self) -> &[Transition] {
        &self.transitions
    }

    /// Undiscounted return and number of steps of the episodes that ended in the last step, in the order of the
    /// environments.
    pub fn finished(&self) -> impl Iterator<Item = (f64, u32)> + '_ {
        self.finished.iter().copied()
    }

    /// All that the future depends on, for a checkpoint. What the last step gave is no part of it.
    pub fn state(&self) -> Vec<f64> {
        let mut state = Vec::new();
        for env in &self.envs {
            state.extend([env.resets as f64, env.earned]);
            state.append(&mut env.episode.state());
        }
        state
    }

    /// Continues from a state that [`state`](Self::state) gave: all that follows is equal bit for bit. No step is the
    /// last one then, as after a reset.
    ///
    /// # Errors
    /// The state is not one of as many environments of this task.
    pub fn set_state(&mut self, state: &[f64]) -> Result<(), EnvError> {
        let expected = self.state().len();
        if state.len() != expected {
            return Err(EnvError::State {
                task: self.spec.name,
                expected,
                found: state.len(),
            });
        }
        let each = expected / self.envs.len();
        for (env, state) in self.envs.iter_mut().zip(state.chunks_exact(each)) {
            let (counts, episode) = state.split_at(COUNTS);
            env.episode.set_state(episode)?;
            (env.resets, env.earned) = (counts[0] as u64, counts[1]);
        }
        self.settle();
        Ok(())
    }

    /// Takes over what is observed at the start, where no step was taken.
    fn settle(&mut self) {
        for (env, row) in self
            .envs
            .iter()
            .zip(self.observations.chunks_exact_mut(self.spec.obs_dim))
        {
            row.copy_from_slice(env.episode.observation());
        }
        self.finals.copy_from_slice(&self.observations);
        self.transitions.fill(NO_STEP);
        self.finished.clear();
    }

    /// Refuses actions before any environment has taken one.
    fn check(&self, actions: &[f32]) -> Result<(), EnvError> {
        let expected = self.envs.len() * self.spec.act_dim;
        if actions.len() != expected {
            return Err(EnvError::ActionLength {
                task: self.spec.name,
                expected,
                found: actions.len(),
            });
        }
        let actions = actions.chunks_exact(self.spec.act_dim);
        for (env, action) in self.envs.iter().zip(actions) {
            env.episode.check(action)?;
        }
        Ok(())
    }
}

/// Stands where no step was taken.
const NO_STEP: Transition = Transition {
    reward: 0.0,
    terminated: false,
    truncated: false,
};
