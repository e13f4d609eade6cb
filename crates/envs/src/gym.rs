//! Gymnasium's MuJoCo tasks, version 5, step for step.
//!
//! A task is one file with what is fixed about it, for every build, and its rules, for builds with feature `mujoco`; and
//! one line in [`TASKS`].

use crate::registry::TaskInfo;

mod ant;
#[cfg(test)]
#[cfg(feature = "mujoco")]
mod check;
mod half_cheetah;
mod hopper;
mod humanoid;
mod inverted_pendulum;
#[cfg(feature = "mujoco")]
mod joints;
#[cfg(feature = "mujoco")]
mod numpy;
mod reacher;
#[cfg(feature = "mujoco")]
mod sim;
#[cfg(feature = "mujoco")]
mod simulated;
mod swimmer;
mod walker2d;

/// All of them.
pub(crate) const TASKS: [TaskInfo; 8] = [
    half_cheetah::TASK,
    hopper::TASK,
    walker2d::TASK,
    ant::TASK,
    humanoid::TASK,
    swimmer::TASK,
    reacher::TASK,
    inverted_pendulum::TASK,
];
