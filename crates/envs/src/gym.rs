//! Gymnasium's MuJoCo tasks, version 5, step for step.
//!
//! A task is one file with what is fixed about it, for every build, and its rules, for builds with feature `mujoco`; and
//! one line in [`TASKS`].

use crate::registry::TaskInfo;

mod half_cheetah;
#[cfg(feature = "mujoco")]
mod sim;
#[cfg(feature = "mujoco")]
mod simulated;

/// All of them.
pub(crate) const TASKS: [TaskInfo; 1] = [half_cheetah::TASK];
