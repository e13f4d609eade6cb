//! What can be wrong with an experiment file.

/// Everything that is wrong with an experiment file or with what was asked of it.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("read experiment")]
pub struct SpecError {}
