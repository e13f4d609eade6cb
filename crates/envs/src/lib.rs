//! Continuous-control environments of the ERA benchmark suite: pure Rust and MuJoCo.
