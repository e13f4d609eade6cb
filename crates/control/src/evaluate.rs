//! Evaluation of a policy: whole episodes in an environment of its own.

use era_envs::{EnvError, Episode};
use era_harness::seed::Streams;

/// What an evaluation found, one entry an episode.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// Undiscounted returns.
    pub returns: Vec<f64>,
    /// Steps.
    pub lengths: Vec<u32>,
}

impl Evaluation {
    /// The mean return; NaN of no episode.
    pub fn mean_return(&self) -> f64 {
        self.returns.iter().sum::<f64>() / self.returns.len() as f64
    }
}

/// Runs `episodes` whole episodes of `policy`, a function that reads an observation and writes an action.
///
/// Episode `i` starts from the stream (`eval`, `i`) of the run: every evaluation of a run starts from the same states,
/// so that its returns differ by the policy alone; and it leaves nothing behind, so that it needs no checkpoint.
///
/// # Errors
/// The policy's action or the simulation is not finite.
pub fn evaluate(
    episode: &mut Episode,
    streams: Streams,
    episodes: u64,
    mut policy: impl FnMut(&[f32], &mut [f32]),
) -> Result<Evaluation, EnvError> {
    let mut evaluation = Evaluation::default();
    let mut action = vec![0.0; episode.spec().act_dim];
    for index in 0..episodes {
        episode.reset(&mut streams.at("eval", index))?;
        let mut earned = 0.0;
        loop {
            policy(episode.observation(), &mut action);
            let transition = episode.step(&action)?;
            earned += transition.reward;
            if transition.done() {
                break;
            }
        }
        evaluation.returns.push(earned);
        evaluation.lengths.push(episode.steps());
    }
    Ok(evaluation)
}

#[cfg(test)]
mod tests;
