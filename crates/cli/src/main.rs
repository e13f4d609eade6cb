//! The binary `era`.
fn main() {}
