//! Small tasks in plain Rust, for smoke runs: short episodes, dense rewards, nothing to install.
//!
//! Each module states its equations, its observation and its reward, and the mean return of two policies that need no
//! learning, as a yardstick: uniform random actions, and a controller written by hand.

pub mod point_mass;
pub mod reacher;
