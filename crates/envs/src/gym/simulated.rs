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

    /// Moves positions and velocities away from the model's own first state.
    fn scatter(sim: &mut Sim, rng: &mut ChaCha8Rng);
    /// Writes what is observed, `SPEC.obs_dim` numbers.
    fn observe(sim: &Sim, obs: &mut [f64]);
    /// Lets the simulation take a step with `action` and judges it.
    fn step(sim: &mut Sim, action: &[f64]) -> Result<Step, EnvError>;
}

/// Makes the environment of `R`; its model is loaded anew.
pub(crate) fn make<R: Rules>() -> Result<Box<dyn Env>, EnvError> {
    Ok(Box::new(Simulated::<R>::load()?))
}

/// The environment of `R`.
#[derive(Debug)]
pub(crate) struct Simulated<R> {
    sim: Sim,
    rules: PhantomData<R>,
}

impl<R: Rules> Simulated<R> {
    fn load() -> Result<Self, EnvError> {
        Ok(Self {
            sim: Sim::load(R::SPEC.name, R::MODEL, R::SUBSTEPS)?,
            rules: PhantomData,
        })
    }
}

impl<R: Rules> Env for Simulated<R> {
    fn spec(&self) -> Spec {
        R::SPEC
    }

    fn reset(&mut self, rng: &mut ChaCha8Rng, obs: &mut [f64]) {
        self.sim.reset();
        R::scatter(&mut self.sim, rng);
        self.sim.forward();
        R::observe(&self.sim, obs);
    }

    fn step(&mut self, action: &[f64], obs: &mut [f64]) -> Result<Step, EnvError> {
        let step = R::step(&mut self.sim, action)?;
        R::observe(&self.sim, obs);
        Ok(step)
    }

    fn state(&self) -> Vec<f64> {
        self.sim.state()
    }

    fn set_state(&mut self, state: &[f64]) -> Result<(), EnvError> {
        self.sim.set_state(state)
    }
}

/// Tests that every task has.
#[cfg(test)]
pub(crate) mod check {
    use rand_chacha::rand_core::SeedableRng;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Fixture {
        envs: [Recorded; 1],
    }

    #[derive(Debug, Deserialize)]
    struct Recorded {
        trajectories: Vec<Trajectory>,
    }

    #[derive(Debug, Deserialize)]
    struct Trajectory {
        qpos0: Array<f64>,
        qvel0: Array<f64>,
        obs0: Array<f64>,
        actions: Array<f64>,
        obs: Array<f64>,
        reward: Array<f64>,
        terminated: Array<bool>,
    }

    /// Row major.
    #[derive(Debug, Deserialize)]
    struct Array<T> {
        data: Vec<T>,
    }

    /// Steps from each recorded first state with the recorded actions and compares bit for bit: the library is the same,
    /// so nothing else would do.
    pub(crate) fn replay<R: Rules>(fixture: &str) {
        let fixture: Fixture = serde_json::from_str(fixture).unwrap();
        let mut env = Simulated::<R>::load().unwrap();
        let mut obs = vec![0.0; R::SPEC.obs_dim];
        for trajectory in &fixture.envs[0].trajectories {
            // As after steps that went elsewhere: nothing of them may stay.
            env.reset(&mut ChaCha8Rng::seed_from_u64(3), &mut obs);
            env.step(&vec![0.3; R::SPEC.act_dim], &mut obs).unwrap();
            env.sim.reset();
            env.sim.qpos_mut().copy_from_slice(&trajectory.qpos0.data);
            env.sim.qvel_mut().copy_from_slice(&trajectory.qvel0.data);
            env.sim.forward();
            R::observe(&env.sim, &mut obs);
            assert_eq!(obs, trajectory.obs0.data);
            let actions = trajectory.actions.data.chunks_exact(R::SPEC.act_dim);
            let expected = trajectory.obs.data.chunks_exact(R::SPEC.obs_dim);
            assert_eq!(actions.len(), trajectory.reward.data.len());
            for (at, (action, expected)) in actions.zip(expected).enumerate() {
                let step = env.step(action, &mut obs).unwrap();
                assert_eq!(obs, expected, "observation {at}");
                assert_eq!(step.reward, trajectory.reward.data[at], "reward {at}");
                assert_eq!(step.terminated, trajectory.terminated.data[at], "end {at}");
            }
        }
    }

    /// A velocity beyond MuJoCo's bound (1e10) makes it reset the simulation and go on; the task must not.
    pub(crate) fn diverge<R: Rules>() {
        let mut env = Simulated::<R>::load().unwrap();
        let mut obs = vec![0.0; R::SPEC.obs_dim];
        env.reset(&mut ChaCha8Rng::seed_from_u64(3), &mut obs);
        let whole = env.state();
        env.sim.qvel_mut()[0] = 1e11;
        let error = env.step(&vec![0.0; R::SPEC.act_dim], &mut obs).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("a velocity is not finite or too large"),
            "{error}"
        );
        env.set_state(&whole).unwrap();
        env.step(&vec![0.0; R::SPEC.act_dim], &mut obs).unwrap();
    }
}
