//! The tasks by name.

use crate::classic::{mountain_car_continuous::MountainCarContinuous, pendulum::Pendulum};
use crate::env::{Env, EnvError, Spec};
use crate::gym;
use crate::mini::{point_mass::PointMass, reacher::Reacher};

/// Makes an environment.
pub(crate) type Make = fn() -> Result<Box<dyn Env>, EnvError>;

/// A task, whether or not this build can make it.
#[derive(Clone, Copy, Debug)]
pub struct TaskInfo {
    /// What is fixed about it.
    pub spec: Spec,
    /// One line for people.
    pub about: &'static str,
    /// The native part it needs, as `cargo xtask setup NAME` calls it.
    pub needs: Option<&'static str>,
    /// Whether this build can make it.
    pub available: bool,
    make: Option<Make>,
}

impl TaskInfo {
    const fn pure(spec: Spec, about: &'static str, make: Make) -> Self {
        Self {
            spec,
            about,
            needs: None,
            available: true,
            make: Some(make),
        }
    }

    /// A task in MuJoCo; builds without it have no `make`.
    pub(crate) const fn mujoco(spec: Spec, about: &'static str, make: Option<Make>) -> Self {
        Self {
            spec,
            about,
            needs: Some("mujoco"),
            available: make.is_some(),
            make,
        }
    }
}

/// All tasks, in the order in which they are listed.
pub fn tasks() -> impl Iterator<Item = &'static TaskInfo> {
    PURE.iter().chain(&gym::TASKS)
}

/// Makes an environment of the task `name`.
///
/// # Errors
/// No task has this name, this build lacks what it needs, or its model cannot be loaded.
pub fn make(name: &str) -> Result<Box<dyn Env>, EnvError> {
    let task = tasks().find(|task| task.spec.name == name);
    let task = task.ok_or_else(|| EnvError::UnknownTask {
        name: name.to_owned(),
    })?;
    match task.make {
        Some(make) => make(),
        None => Err(EnvError::NotBuiltIn {
            task: task.spec.name,
            part: task.needs.unwrap_or_default(),
        }),
    }
}

static PURE: [TaskInfo; 4] = [
    TaskInfo::pure(
        Reacher::SPEC,
        "a planar arm with two joints brings its tip to a target",
        || Ok(Box::new(Reacher::new())),
    ),
    TaskInfo::pure(
        PointMass::SPEC,
        "a point is accelerated in the plane and comes to rest at the origin",
        || Ok(Box::new(PointMass::new())),
    ),
    TaskInfo::pure(
        Pendulum::SPEC,
        "a pendulum with a weak motor swings up and balances (Gymnasium's Pendulum-v1)",
        || Ok(Box::new(Pendulum::new())),
    ),
    TaskInfo::pure(
        MountainCarContinuous::SPEC,
        "a car with a weak motor swings out of a valley (Gymnasium's MountainCarContinuous-v0)",
        || Ok(Box::new(MountainCarContinuous::new())),
    ),
];
