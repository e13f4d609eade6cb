//! Yardsticks.

/// Mean undiscounted return of two policies that need no learning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reference {
    /// Of actions drawn uniformly from [-1, 1].
    pub random: f64,
    /// Of the controller in `controller`, a function from observations to actions.
    pub scripted: f64,
}
