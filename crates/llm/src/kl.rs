//! Estimates of KL(π, π_ref) from the tokens that were drawn (Schulman 2020, "Approximating KL divergence"), as verl's `kl_penalty` has them.

use crate::batch::{Aggregation, Lengths, ShapeError};

/// What [`Kl::K3`] holds the difference of log-probabilities within. Its result is [`MAX_K3`] long before; this keeps it from overflowing.
pub const MAX_DIFFERENCE: f64 = 20.0;

/// The most that [`Kl::K3`] can be.
pub const MAX_K3: f64 = 10.0;

/// An estimate for one token, with d = log π - log π_ref.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kl {
    /// d: unbiased in value and often negative. As a loss it teaches nothing: its slope is 1 for every token, and taken back to the logits
    /// that is 0 in the mean over drawn tokens.
    K1,
    /// |d|; no gradient at d = 0.
    Abs,
    /// d² / 2: biased in value; its gradient over drawn tokens is the divergence's.
    K2,
    /// e^-d - 1 + d: unbiased in value and never negative; GRPO's. d is held within ±20 and the result is at most 10, with no gradient
    /// beyond: so d < -2.61 has none, and a token that is 14 times less likely than under the reference is no longer pulled back; nor has
    /// d > 11.
    K3,
}

impl Kl {
    /// The estimate and its derivative with respect to `log_prob`.
    pub fn token(self, log_prob: f64, reference: f64) -> (f64, f64) {
        let difference = log_prob - reference;
        match self {
            Self::K1 => (
                difference,
                if difference.is_nan() { difference } else { 1.0 },
            ),
            Self::Abs => (difference.abs(), sign(difference)),
            Self::K2 => (0.5 * difference * difference, difference),
            Self::K3 => k3(difference),
        }
    }

    /// The estimate of a batch and its gradient with respect to each token's log-probability, which is written to `gradient`, N.
    ///
    /// # Errors
    /// One of the slices does not have as many values as there are tokens.
    pub fn evaluate(
        self,
        lengths: Lengths<'_>,
        log_prob: &[f64],
        reference: &[f64],
        aggregation: Aggregation,
        gradient: &mut Vec<f64>,
    ) -> Result<f64, ShapeError> {
        let tokens = lengths.tokens();
        ShapeError::check("log-probabilities", log_prob.len(), tokens)?;
        ShapeError::check("reference log-probabilities", reference.len(), tokens)?;
        let pairs = log_prob.iter().zip(reference);
        let (losses, slopes): (Vec<f64>, Vec<f64>) = pairs
            .map(|(log_prob, reference)| self.token(*log_prob, *reference))
            .unzip();
        *gradient = slopes;
        Ok(aggregation.reduce(lengths, &losses, gradient))
    }
}

/// e^-d - 1 + d, with what it is held within.
fn k3(difference: f64) -> (f64, f64) {
    let held = difference.clamp(-MAX_DIFFERENCE, MAX_DIFFERENCE);
    // `exp_m1` keeps the digits that matter near d = 0.
    let growth = (-held).exp_m1();
    let estimate = growth + held;
    if estimate > MAX_K3 {
        (MAX_K3, 0.0)
    } else {
        (estimate, -growth)
    }
}

/// The sign, 0 at 0: `f64::signum` has 1 there.
pub(crate) fn sign(x: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x.signum() }
}

#[cfg(test)]
mod tests;
