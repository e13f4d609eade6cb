//! A MuJoCo simulation as Gymnasium drives it (`gymnasium/envs/mujoco/mujoco_env.py`, 1.4.0).

use std::env;
use std::path::PathBuf;
use std::sync::Once;

use mujoco_rs::mujoco_c::{mjtState, mjtWarning};
use mujoco_rs::prelude::{MjData, MjLogMessage, MjModel, MjtLogLevel, set_log_handler};

use super::numpy;
use crate::env::EnvError;

/// All that steps depend on: positions, velocities, time, warm start of the solver, controls, applied forces.
const STATE: u32 = mjtState::mjSTATE_INTEGRATION as u32;

/// What MuJoCo warns of, in the order of `mjtWarning`. After each of them the simulation is no longer that of the model;
/// after the three about positions, velocities and accelerations MuJoCo has even reset it.
const WARNINGS: [&str; mjtWarning::mjNWARNING as usize] = [
    "the inertia matrix is singular",
    "there are too many contacts",
    "there are too many constraints",
    "a position is not finite or too large",
    "a velocity is not finite or too large",
    "an acceleration is not finite or too large",
    "a control is not finite or too large",
];

/// One model and its state.
///
/// After a step, positions and velocities are new; what MuJoCo derives from them (Cartesian positions, sensors) is that
/// from within the last substep (of the last stage of the integrator), as in Gymnasium. The positions and velocities
/// alone do not give it back: what a task needs of it in its next step is part of the task's own state.
#[derive(Debug)]
pub(crate) struct Sim {
    task: &'static str,
    data: MjData<Box<MjModel>>,
    substeps: u32,
}

impl Sim {
    /// Loads `model`, a file among Gymnasium's; a step of the task is `substeps` of the simulation.
    pub(crate) fn load(task: &'static str, model: &str, substeps: u32) -> Result<Self, EnvError> {
        keep_quiet();
        let path = models().join(model);
        let refused = |reason: String| EnvError::Model { task, reason };
        if !path.is_file() {
            return Err(refused(format!("{} is missing", path.display())));
        }
        let model = MjModel::from_xml(&path).map_err(|error| refused(error.to_string()))?;
        let data = MjData::try_new(Box::new(model)).map_err(|error| refused(error.to_string()))?;
        Ok(Self {
            task,
            data,
            substeps,
        })
    }

    /// Positions, `nq` numbers.
    pub(crate) fn qpos(&self) -> &[f64] {
        self.data.qpos()
    }

    /// Velocities, `nv` numbers.
    pub(crate) fn qvel(&self) -> &[f64] {
        self.data.qvel()
    }

    /// Seconds of a step of the task.
    pub(crate) fn dt(&self) -> f64 {
        self.data.model_opt().timestep * f64::from(self.substeps)
    }

    /// What the motors were told in the last step, before MuJoCo clamps it.
    pub(crate) fn controls(&self) -> &[f64] {
        self.data.ctrl()
    }

    /// What the motors take.
    #[cfg(test)]
    pub(crate) fn control_bounds(&self) -> Vec<[f64; 2]> {
        self.data.model().actuator_ctrlrange().to_vec()
    }

    /// Where the frame of each body was, as MuJoCo derived it last (meters).
    pub(crate) fn frames(&self) -> &[[f64; 3]] {
        self.data.xpos()
    }

    /// Where the center of mass of all bodies was, as MuJoCo derived it last, along x (meters).
    pub(crate) fn center_of_mass(&self) -> f64 {
        let masses = self.data.model().body_mass();
        let centers = self.data.xipos().iter().zip(masses);
        centers.map(|(center, mass)| mass * center[0]).sum::<f64>() / numpy::sum(masses)
    }

    /// Inertia and mass of each body about the center of mass, as MuJoCo derived them last.
    pub(crate) fn inertias(&self) -> &[[f64; 10]] {
        self.data.cinert()
    }

    /// Velocity of each body about the center of mass, rotation first, as MuJoCo derived it last.
    pub(crate) fn velocities(&self) -> &[[f64; 6]] {
        self.data.cvel()
    }

    /// Force of the motors at each of the `nv` joints, as MuJoCo derived it last.
    pub(crate) fn motor_forces(&self) -> &[f64] {
        self.data.qfrc_actuator()
    }

    /// Force of contacts on each body, torque first, as [`derive_contact_forces`](Self::derive_contact_forces) left it;
    /// zeros after a reset.
    pub(crate) fn contact_forces(&self) -> &[[f64; 6]] {
        self.data.cfrc_ext()
    }

    /// Derives the forces of the contacts of the last substep.
    pub(crate) fn derive_contact_forces(&mut self) {
        self.data.rne_post_constraint();
    }

    /// Positions, to be followed by [`forward`](Self::forward).
    pub(crate) fn qpos_mut(&mut self) -> &mut [f64] {
        self.data.qpos_mut()
    }

    /// Velocities, to be followed by [`forward`](Self::forward).
    pub(crate) fn qvel_mut(&mut self) -> &mut [f64] {
        self.data.qvel_mut()
    }

    /// Puts everything back to the model's own first state.
    pub(crate) fn reset(&mut self) {
        self.data.reset();
    }

    /// Derives everything else from positions and velocities.
    pub(crate) fn forward(&mut self) {
        self.data.forward();
    }

    /// One step of the task with `reach` × `action` as controls; MuJoCo clamps them to what the motors take.
    pub(crate) fn step(&mut self, action: &[f64], reach: f64) -> Result<(), EnvError> {
        for (control, a) in self.data.ctrl_mut().iter_mut().zip(action) {
            *control = reach * a;
        }
        for _ in 0..self.substeps {
            self.data.step();
        }
        let counts = self.data.ffi().warning.iter().map(|warning| warning.number);
        match counts.zip(WARNINGS).find(|(count, _)| *count > 0) {
            Some((_, what)) => Err(EnvError::Diverged {
                task: self.task,
                what: what.to_owned(),
            }),
            None => Ok(()),
        }
    }

    /// Numbers in a state.
    pub(crate) fn state_len(&self) -> usize {
        self.data.model().state_size(STATE)
    }

    /// The state, for [`set_state`](Self::set_state).
    pub(crate) fn state(&self) -> Vec<f64> {
        self.data.state(STATE).into_vec()
    }

    /// Continues from a state: the steps after it are equal bit for bit.
    pub(crate) fn set_state(&mut self, state: &[f64]) -> Result<(), EnvError> {
        let expected = self.state_len();
        let refused = EnvError::State {
            task: self.task,
            expected,
            found: state.len(),
        };
        if state.len() != expected {
            return Err(refused);
        }
        // Warnings are no part of the state.
        self.data.reset();
        self.data.set_state(state, STATE).map_err(|_| refused)
    }
}

/// Where the models are: under `ERA_NATIVE_DIR` where that is set, else where they were when this was built.
fn models() -> PathBuf {
    match env::var_os("ERA_NATIVE_DIR").filter(|folder| !folder.is_empty()) {
        Some(folder) => PathBuf::from(folder).join("mujoco-3.17.0/models"),
        None => PathBuf::from(env!("ERA_MUJOCO_MODELS")),
    }
}

/// MuJoCo writes what it has to say to `MUJOCO_LOG.TXT` in the current folder, whatever that is. Here only its last words
/// count: it ends the process after an error. Its warnings are looked for after every step.
fn keep_quiet() {
    fn handle(message: &MjLogMessage) {
        if message.level() == MjtLogLevel::mjLOG_ERROR {
            eprintln!("mujoco: {}", message.subject());
        }
    }
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        #[expect(unsafe_code, reason = "MuJoCo has one handler for all threads")]
        // SAFETY: MuJoCo is used by this module alone, and there only after this call has returned.
        unsafe {
            set_log_handler(handle);
        }
    });
}
