//! Gymnasium's MuJoCo tasks, version 5, step for step.
//!
//! A task is one small file: its [`TaskInfo`](crate::TaskInfo), and what it does with the simulation in
//! [`sim`](crate::gym) when feature `mujoco` is on.

pub(crate) mod half_cheetah;
