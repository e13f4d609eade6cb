//! Small tasks in plain Rust, for smoke runs: short episodes, dense rewards, nothing to install.
//!
//! Each module states its equations, its observation and its reward, and the mean return of two policies that need no
//! learning, as a yardstick: uniform random actions, and a controller written by hand.

use crate::env::Step;

pub mod pendulum;
pub mod point_mass;
pub mod reacher;

/// A step of a task that never terminates.
fn ongoing(reward: f64) -> Step {
    Step {
        reward,
        terminated: false,
    }
}

/// Mean undiscounted return of two policies that need no learning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reference {
    /// Of actions drawn uniformly from [-1, 1].
    pub random: f64,
    /// Of the controller in `controller`, a function from observations to actions.
    pub scripted: f64,
}
