//! Tables, figures and numbers of the paper from run records.
