//! Continuous control: SAC with and without ERA.

pub mod evaluate;
pub mod replay;
