//! Group-relative advantages: what a response earned beside the other responses to the same prompt (GRPO, Shao et al. 2024, arXiv
//! 2402.03300), and dynamic sampling, which leaves out prompts that teach nothing (DAPO, Yu et al. 2025, arXiv 2503.14476).

use std::collections::BTreeMap;

use crate::batch::ShapeError;

/// What is added to a group's standard deviation before it divides.
pub const DEVIATION_EPSILON: f64 = 1e-6;

/// What the distance from the group's mean is divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// The group's unbiased standard deviation (divisor n - 1, as `torch.std`) plus 1e-6: GRPO. The population's deviation, which NumPy takes,
    /// would make advantages of a group of eight 7 % larger.
    Deviation,
    /// Nothing (Dr. GRPO, Liu et al. 2025, arXiv 2503.20783).
    One,
}

/// Which responses answer the same prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Groups {
    /// The positions of each group's responses, ascending; groups by their index.
    members: BTreeMap<usize, Vec<usize>>,
    responses: usize,
}

impl Groups {
    /// From each response's index of its group. Indices need be neither contiguous nor sorted.
    pub fn new(index: &[usize]) -> Self {
        let mut members = BTreeMap::<usize, Vec<usize>>::new();
        for (at, group) in index.iter().enumerate() {
            members.entry(*group).or_default().push(at);
        }
        Self {
            members,
            responses: index.len(),
        }
    }

    /// The groups' indices, ascending: the order in which [`Groups::signal`] speaks of them.
    pub fn indices(&self) -> impl Iterator<Item = usize> {
        self.members.keys().copied()
    }

    /// (score - mean of its group) / scale, one a response, from the responses' scores.
    ///
    /// A group of one keeps its score: mean 0 and deviation 1 stand in for what cannot be estimated, so with [`Scale::Deviation`] it is
    /// divided by 1 + 1e-6. Where all scores of a group are equal its advantages are exactly 0, also where rounding moves the mean off
    /// them. A score that is not finite leaves no finite advantage in its group.
    ///
    /// # Errors
    /// There is not one score a response.
    pub fn advantages(&self, scores: &[f64], scale: Scale) -> Result<Vec<f64>, ShapeError> {
        ShapeError::check("scores", scores.len(), self.responses)?;
        let mut advantages = vec![0.0; scores.len()];
        for members in self.members.values() {
            let (mean, deviation) = moments(members, scores);
            let divisor = match scale {
                Scale::Deviation => deviation + DEVIATION_EPSILON,
                Scale::One => 1.0,
            };
            for &at in members {
                advantages[at] = (scores[at] - mean) / divisor;
            }
        }
        Ok(advantages)
    }

    /// Whether each group has a gradient to give: its scores differ, or it has one response. Dynamic sampling keeps these.
    ///
    /// verl asks whether NumPy's population deviation is above 0. That is the same, except that rounding can leave a deviation of 1e-17
    /// among equal scores, which are no signal here. A group with a NaN or an infinite score has none in either, unless it is alone.
    ///
    /// # Errors
    /// There is not one score a response.
    pub fn signal(&self, scores: &[f64]) -> Result<Vec<bool>, ShapeError> {
        ShapeError::check("scores", scores.len(), self.responses)?;
        let groups = self.members.values();
        Ok(groups
            .map(|members| {
                let finite = members.iter().all(|at| scores[*at].is_finite());
                members.len() == 1 || (finite && !equal(members, scores))
            })
            .collect())
    }

    /// The responses of the groups with [`Groups::signal`], ascending.
    ///
    /// # Errors
    /// There is not one score a response.
    pub fn kept(&self, scores: &[f64]) -> Result<Vec<usize>, ShapeError> {
        let signal = self.signal(scores)?;
        let groups = self.members.values().zip(signal);
        let mut kept: Vec<usize> = groups
            .filter(|(_, signal)| *signal)
            .flat_map(|(members, _)| members)
            .copied()
            .collect();
        kept.sort_unstable();
        Ok(kept)
    }

    /// Share of the groups without [`Groups::signal`], in \[0, 1\]; 0 where there is no group.
    ///
    /// # Errors
    /// There is not one score a response.
    pub fn share_without_signal(&self, scores: &[f64]) -> Result<f64, ShapeError> {
        let signal = self.signal(scores)?;
        let without = signal.iter().filter(|signal| !**signal).count();
        Ok(without as f64 / signal.len().max(1) as f64)
    }
}

/// Mean and unbiased deviation of a group's scores.
fn moments(members: &[usize], scores: &[f64]) -> (f64, f64) {
    if let [_] = members {
        return (0.0, 1.0);
    }
    if equal(members, scores) {
        return (scores[members[0]], 0.0);
    }
    let count = members.len() as f64;
    let mean = members.iter().map(|at| scores[*at]).sum::<f64>() / count;
    let squares: f64 = members.iter().map(|at| (scores[*at] - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0)).sqrt())
}

/// Whether all scores of a group, which is never empty, are the same; NaN is not the same as itself.
fn equal(members: &[usize], scores: &[f64]) -> bool {
    members.iter().all(|at| scores[*at] == scores[members[0]])
}

#[cfg(test)]
mod tests;
