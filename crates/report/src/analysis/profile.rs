//! Performance profiles: the share of runs above each normalised score.

use era_stats::{Estimate, profile};

use super::{Normalised, curve_bootstrap};
use crate::error::ReportError;

/// Number of thresholds, ends included.
const THRESHOLDS: usize = 101;

/// One method's profile.
pub(crate) struct Profile {
    pub(crate) method: String,
    /// Threshold and share of runs above it.
    pub(crate) points: Vec<(f64, Estimate)>,
}

/// The profiles of all normalised methods; or why there are none.
pub(super) fn profiles(
    normalised: &Result<Normalised, String>,
) -> Result<Result<Vec<Profile>, String>, ReportError> {
    let normalised = match normalised {
        Ok(normalised) => normalised,
        Err(reason) => return Ok(Err(reason.clone())),
    };
    let bootstrap = curve_bootstrap()?;
    let all = || {
        normalised
            .rows
            .iter()
            .flat_map(|row| row.scores.iter().flatten())
            .map(|score| score.value)
    };
    // From 0, or from what is worse, to a little above the best.
    let low = all().fold(0.0_f64, f64::min);
    let high = all().fold(1.0_f64, f64::max) * 1.05;
    let thresholds: Vec<f64> = (0..THRESHOLDS)
        .map(|at| low + (high - low) * at as f64 / (THRESHOLDS - 1) as f64)
        .collect();
    let mut profiles = Vec::new();
    for row in &normalised.rows {
        let shares = profile::score_distribution(&row.to_scores()?, &thresholds, &bootstrap)
            .map_err(ReportError::statistics)?;
        profiles.push(Profile {
            method: row.method.clone(),
            points: thresholds.iter().copied().zip(shares).collect(),
        });
    }
    Ok(Ok(profiles))
}
