//! A task in MuJoCo: what its rules share.

use std::fmt;
use std::marker::PhantomData;

use rand_chacha::ChaCha8Rng;

use super::sim::Sim;
use crate::env::{Env, EnvError, Spec, Step};

/// What sets one of Gymnasium's tasks apart.
pub(crate) trait Rules: fmt::Debug + Send + 'static {
    /// What is fixed about the task.
    const SPEC: Spec;
    /// The file of its model, among Gymnasium's.
    const MODEL: &'static str;
    /// Steps of the simulation in one of the task (Gymnasium's `frame_skip`).
    const SUBSTEPS: u32;
    /// What an action of 1 tells the motors: the bound of Gymnasium's action space.
    const REACH: f64 = 1.0;
    /// Whether the forces of contacts are derived after each step.
    const CONTACT_FORCES: bool = false;

    /// Moves positions and velocities away from the model's own first state.
    fn scatter(sim: &mut Sim, rng: &mut ChaCha8Rng);

    /// Writes what is observed, `SPEC.obs_dim` numbers.
    fn observe(sim: &Sim, obs: &mut [f64]);

    /// How far it has come along x, in meters, as Gymnasium measures its speed.
    fn place(sim: &Sim) -> f64 {
        sim.qpos()[0]
    }

    /// Judges the step that the simulation has just taken, in which the place moved at `speed` (m/s).
    fn judge(sim: &Sim, speed: f64) -> Step;
}

/// Makes the environment of `R`; its model is loaded anew.
pub(crate) fn make<R: Rules>() -> Result<Box<dyn Env>, EnvError> {
    Ok(Box::new(Simulated::<R>::load()?))
}

/// The environment of `R`.
#[derive(Debug)]
pub(crate) struct Simulated<R> {
    pub(super) sim: Sim,
    /// Where the last step ended. Gymnasium reads some tasks' places from what MuJoCo derived within that step, which
    /// the simulation's state does not hold.
    place: f64,
    rules: PhantomData<R>,
}

impl<R: Rules> Simulated<R> {
    pub(super) fn load() -> Result<Self, EnvError> {
        Ok(Self {
            sim: Sim::load(R::SPEC.name, R::MODEL, R::SUBSTEPS)?,
            place: 0.0,
            rules: PhantomData,
        })
    }

    /// Starts an episode from the positions and velocities that the simulation now has.
    pub(super) fn begin(&mut self, obs: &mut [f64]) {
        self.sim.forward();
        self.place = R::place(&self.sim);
        R::observe(&self.sim, obs);
    }

    /// One step with `reach` × `action` as controls.
    pub(super) fn drive(
        &mut self,
        action: &[f64],
        reach: f64,
        obs: &mut [f64],
    ) -> Result<Step, EnvError> {
        self.sim.step(action, reach)?;
        if R::CONTACT_FORCES {
            self.sim.derive_contact_forces();
        }
        let before = self.place;
        self.place = R::place(&self.sim);
        let speed = (self.place - before) / self.sim.dt();
        R::observe(&self.sim, obs);
        Ok(R::judge(&self.sim, speed))
    }
}

impl<R: Rules> Env for Simulated<R> {
    fn spec(&self) -> Spec {
        R::SPEC
    }

    fn reset(&mut self, rng: &mut ChaCha8Rng, obs: &mut [f64]) {
        self.sim.reset();
        R::scatter(&mut self.sim, rng);
        self.begin(obs);
    }

    fn step(&mut self, action: &[f64], obs: &mut [f64]) -> Result<Step, EnvError> {
        self.drive(action, R::REACH, obs)
    }

    /// The place, then the simulation's state.
    fn state(&self) -> Vec<f64> {
        let mut state = vec![self.place];
        state.append(&mut self.sim.state());
        state
    }

    fn set_state(&mut self, state: &[f64]) -> Result<(), EnvError> {
        let expected = 1 + self.sim.state_len();
        match state {
            [place, rest @ ..] if state.len() == expected => {
                self.sim.set_state(rest)?;
                self.place = *place;
                Ok(())
            }
            _ => Err(EnvError::State {
                task: R::SPEC.name,
                expected,
                found: state.len(),
            }),
        }
    }
}
