//! The tasks by name.

use crate::env::{Env, EnvError, Spec};
use crate::gym;
use crate::mini::{pendulum::Pendulum, point_mass::PointMass, reacher::Reacher};

/// A task, whether or not this build can make it.
#[derive(Clone, Copy, Debug)]
pub struct TaskInfo {
    /// What is fixed about it.
    pub spec: Spec,
    /// One line for people.
    pub about: &'static str,
    /// The native part it needs, as `cargo xtask setup` names it.
    pub needs: Option<&'static str>,
    /// Whether this build has that part.
    pub available: bool,
    make: fn() -> Result<Box<dyn Env>, EnvError>,
}

/// All tasks, in the order in which they are listed.
pub fn tasks() -> &'static [TaskInfo] {
    &TASKS
}

/// Makes an environment of the task `name`.
///
/// # Errors
/// No task has this name, this build lacks what it needs, or its model cannot be loaded.
pub fn make(name: &str) -> Result<Box<dyn Env>, EnvError> {
    let task = TASKS.iter().find(|task| task.spec.name == name);
    let task = task.ok_or_else(|| EnvError::UnknownTask {
        name: name.to_owned(),
    })?;
    (task.make)()
}

static TASKS: [TaskInfo; 4] = [
    pure(
        Reacher::SPEC,
        "a planar arm with two joints brings its tip to a target",
        || Ok(Box::new(Reacher::new())),
    ),
    pure(
        PointMass::SPEC,
        "a point is accelerated in the plane and comes to rest at the origin",
        || Ok(Box::new(PointMass::new())),
    ),
    pure(
        Pendulum::SPEC,
        "a pendulum with a weak motor swings up and balances (Gymnasium's Pendulum-v1)",
        || Ok(Box::new(Pendulum::new())),
    ),
    gym::half_cheetah::TASK,
];

const fn pure(
    spec: Spec,
    about: &'static str,
    make: fn() -> Result<Box<dyn Env>, EnvError>,
) -> TaskInfo {
    TaskInfo {
        spec,
        about,
        needs: None,
        available: true,
        make,
    }
}

/// A task that needs MuJoCo; `make` is never called where this build lacks it.
pub(crate) const fn mujoco(
    spec: Spec,
    about: &'static str,
    make: fn() -> Result<Box<dyn Env>, EnvError>,
) -> TaskInfo {
    TaskInfo {
        spec,
        about,
        needs: Some("mujoco"),
        available: cfg!(feature = "mujoco"),
        make,
    }
}
