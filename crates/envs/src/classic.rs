//! Gymnasium's classic control tasks with continuous actions, in plain Rust.
//!
//! Each module states its equations, its observation and its reward, and the mean return of two policies that need no
//! learning, as a yardstick: uniform random actions, and a controller written by hand.

pub mod mountain_car_continuous;
pub mod pendulum;
