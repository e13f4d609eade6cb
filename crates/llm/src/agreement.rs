//! The updates of GRPO with ERA by themselves, so that an engine can be held to another.

use burn::tensor::Device;
use era_harness::TrainError;
use era_harness::agreement::{Trace, pick};
use era_harness::run::Checkpoint;
use era_harness::seed::Streams;
use era_problems::{Problem, Split};
use rand::RngExt;

use crate::methods::grpo_era::GrpoEraParams;
use crate::model::Weights;
use crate::params::refused;
use crate::rollout::{Group, Rollout};
use crate::sample::Generator;
use crate::tasks::{self, TaskInfo};
use crate::text::Text;
use crate::training::{Ask, Training};

/// What [`trace`] computes, for people.
pub const ABOUT: &str = "grpo-era, two layers of 64, 8 prompts with 8 answers of up to 16 tokens";

const SEED: u64 = 0;

/// The problems that are asked.
const TASK: &str = "chain-sum";

/// What random weights are multiplied by: as they are drawn, every token is equally likely.
const SCALE: f32 = 16.0;

/// The method's defaults for a tiny policy, with a learning rate for one, and thresholds among the entropies of its answers: all three branches of the activation are
/// taken.
fn params() -> GrpoEraParams {
    GrpoEraParams {
        prompts: 8,
        group: 8,
        start_layers: 2,
        start_width: 64,
        start_heads: 4,
        start_kv_heads: 2,
        start_feed_forward: 128,
        learning_rate: 1e-3,
        entropy_low: 2.05,
        entropy_high: 2.4,
        ..GrpoEraParams::default()
    }
}

fn task() -> Result<&'static TaskInfo, TrainError> {
    tasks::find(TASK).ok_or_else(|| TrainError::Other(format!("find the task `{TASK}`")))
}

fn weights() -> Result<Weights, TrainError> {
    let config = params().common().start().config();
    let weights = Weights::init(config, &mut Streams::new(SEED).at("weights", 0));
    let mut weights = weights.map_err(refused)?;
    let arrays = weights.arrays_mut().iter_mut();
    for array in arrays.filter(|array| !array.name.ends_with("norm")) {
        array.values.iter_mut().for_each(|value| *value *= SCALE);
    }
    Ok(weights)
}

fn training(device: &Device) -> Result<Training, TrainError> {
    let start = (weights()?, Text::Digits);
    Training::new(task()?, SEED, params().common(), start, device)
}

/// The state before the first update.
///
/// # Errors
/// None that is known: the sizes fit.
pub fn start(device: &Device) -> Result<Checkpoint, TrainError> {
    Ok(training(device)?.save())
}

/// The first `updates` updates from the state `start`. Answers are sampled on the host beforehand, all by random weights, which answer
/// nothing right: a coin decides which answers are rewarded.
///
/// # Errors
/// `start` is another method's state, or a loss is not finite.
pub fn trace(device: &Device, start: &Checkpoint, updates: u64) -> Result<Trace, TrainError> {
    let update = params().update()?;
    let mut training = training(device)?;
    training.restore(start)?;
    let mut trace = Trace {
        start: pick(&training.save(), parameter),
        ..Trace::default()
    };
    for (number, rollout) in rollouts(updates)?.iter().enumerate() {
        let loss = update.descend(&mut training, rollout)?;
        trace.add_losses(&[("surrogate", loss)]);
        if number == 0 {
            let state = training.save();
            // One step after zero the first moment is (1 - beta_1) times the gradient, which was clipped before.
            trace.gradients = pick(&state, gradient);
            let moments = trace.gradients.values_mut().flatten();
            moments.for_each(|value| *value /= 1.0 - 0.9);
            trace.after_first = pick(&state, parameter);
        }
    }
    trace.after_last = pick(&training.save(), parameter);
    Ok(trace)
}

fn gradient(name: &str) -> Option<String> {
    name.strip_prefix("adam.first.").map(str::to_owned)
}

fn parameter(name: &str) -> Option<String> {
    name.strip_prefix("policy.").map(str::to_owned)
}

/// Answers to learn from, as many batches as there are updates.
fn rollouts(updates: u64) -> Result<Vec<Rollout>, TrainError> {
    let (params, weights, streams) = (params().common(), weights()?, Streams::new(SEED));
    let source = task()?.open(params.difficulty(), Split::Train, SEED);
    let source = source.map_err(TrainError::Other)?;
    let mut generator = Generator::default();
    let mut rollout = |update: u64| {
        let first = update * params.prompts as u64;
        let problems = first..first + params.prompts as u64;
        let problems: Vec<Problem> = problems.map(|index| source.problem(index)).collect();
        let ask = Ask {
            text: &Text::Digits,
            problems,
            samples: params.group,
            sampling: params.sampling(Text::Digits.stop().to_vec()),
            streams,
            purpose: "answers",
            first,
        };
        let mut groups: Vec<Group> = ask.of(&mut generator, &weights)?;
        let mut coin = streams.at("rewards", update);
        let answers = groups.iter_mut().flat_map(|group| &mut group.answers);
        answers.for_each(|answer| answer.right = coin.random_bool(0.5));
        Ok(Rollout { groups })
    };
    (0..updates).map(&mut rollout).collect()
}

#[cfg(test)]
mod tests {
    use era::EntropyBand;

    use super::*;

    #[test]
    fn updates_are_repeatable_and_move_everything() {
        let device = Device::flex();
        let start = start(&device).unwrap();
        let found = trace(&device, &start, 3).unwrap();
        assert_eq!(found, trace(&device, &start, 3).unwrap());
        for (name, values) in pick(&start, parameter) {
            assert_ne!(values, found.after_first[&name], "{name}");
            assert_ne!(found.after_first[&name], found.after_last[&name], "{name}");
            assert!(
                found.gradients[&name].iter().any(|slope| *slope != 0.0),
                "{name}"
            );
        }
        assert_eq!(found.losses["surrogate"].len(), 3);
    }

    #[test]
    fn answers_lie_on_both_sides_of_both_thresholds() {
        let era = params().common().thresholds().unwrap();
        let rollouts = rollouts(10).unwrap();
        let mut count = [0; 3];
        for answer in rollouts.iter().flat_map(Rollout::answers) {
            let entropies = answer.response.entropies.iter().copied();
            let entropies: Vec<f64> = entropies.map(f64::from).collect();
            let band = era.band(era.response_entropy(&entropies));
            count[match band {
                EntropyBand::Low => 0,
                EntropyBand::Within => 1,
                EntropyBand::High => 2,
            }] += 1;
        }
        assert!(count.iter().all(|count| *count > 50), "{count:?}");
    }
}
