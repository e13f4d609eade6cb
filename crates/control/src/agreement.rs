//! The updates of SAC-ERA by themselves, so that an engine can be held to another.

use burn::tensor::Device;
use era_envs::Spec;
use era_harness::TrainError;
use era_harness::agreement::{Trace, pick};
use era_harness::run::Checkpoint;
use era_harness::seed::Streams;
use rand::RngExt;

use crate::methods::sac_era::{Agent, SacEraParams};
use crate::replay::Batch;

/// What [`trace`] computes, for people.
pub const ABOUT: &str = "sac-era, two layers of 256, 256 transitions of half-cheetah's shapes";

/// The task whose shapes the transitions have. It is not simulated, so MuJoCo is not needed.
const TASK: &str = "gym/half-cheetah";

/// Share of transitions that end an episode.
const TERMINATED: f64 = 0.1;

fn streams() -> Streams {
    Streams::new(0)
}

fn agent(device: &Device) -> Result<Agent, TrainError> {
    Agent::new(SacEraParams::default(), spec()?, streams(), device)
}

fn spec() -> Result<Spec, TrainError> {
    let found = era_envs::tasks().find(|task| task.spec.name == TASK);
    let task = found.ok_or_else(|| TrainError::Other(format!("find the task `{TASK}`")))?;
    Ok(task.spec)
}

/// The state before the first update.
///
/// # Errors
/// None that is known: the method's defaults fit.
pub fn start(device: &Device) -> Result<Checkpoint, TrainError> {
    let mut checkpoint = Checkpoint::default();
    agent(device)?.save(&mut checkpoint);
    Ok(checkpoint)
}

/// The first `updates` updates from the state `start`: critics, actor, target critics, with the method's defaults. Transitions and noise are
/// drawn on the host, and are the same on every device.
///
/// # Errors
/// `start` is another method's state, or a loss is not finite.
pub fn trace(device: &Device, start: &Checkpoint, updates: u64) -> Result<Trace, TrainError> {
    let mut agent = agent(device)?;
    agent.restore(start)?;
    let mut trace = Trace {
        start: pick(&state(&agent), parameter),
        ..Trace::default()
    };
    for update in 0..updates {
        let losses = agent.update(&transitions(update)?, false).check(update)?;
        trace.add_losses(&[
            ("critics", losses.critic.loss),
            ("actor", losses.actor.loss),
        ]);
        if update == 0 {
            let state = state(&agent);
            trace.gradients = pick(&state, gradient);
            // One step after zero the first moment is (1 - beta_1) times the gradient.
            let moments = trace.gradients.values_mut().flatten();
            moments.for_each(|value| *value /= 1.0 - 0.9);
            trace.after_first = pick(&state, parameter);
        }
    }
    trace.after_last = pick(&state(&agent), parameter);
    Ok(trace)
}

fn state(agent: &Agent) -> Checkpoint {
    let mut checkpoint = Checkpoint::default();
    agent.save(&mut checkpoint);
    checkpoint
}

/// `critics.adam.0.weight.first` is `critics.0.weight`.
fn gradient(name: &str) -> Option<String> {
    let (network, moment) = name.split_once(".adam.")?;
    let parameter = moment.strip_suffix(".first")?;
    Some(format!("{network}.{parameter}"))
}

fn parameter(name: &str) -> Option<String> {
    (!name.contains(".adam.")).then(|| name.to_owned())
}

/// A batch of the size of the method's: standard normal observations and rewards, uniform actions.
fn transitions(update: u64) -> Result<Batch, TrainError> {
    let spec = spec()?;
    let mut batch = Batch::new(
        SacEraParams::default().batch_size,
        spec.obs_dim,
        spec.act_dim,
    );
    let mut rng = streams().at("transitions", update);
    for values in [&mut batch.obs, &mut batch.next_obs, &mut batch.reward] {
        era_nn::standard_normal(&mut rng, values);
    }
    for action in &mut batch.action {
        *action = rng.random_range(-1.0..=1.0);
    }
    for mask in &mut batch.mask {
        *mask = f32::from(u8::from(!rng.random_bool(TERMINATED)));
    }
    Ok(batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn updates_are_repeatable_and_move_everything() {
        let device = Device::flex();
        let start = start(&device).unwrap();
        let found = trace(&device, &start, 3).unwrap();
        assert_eq!(found, trace(&device, &start, 3).unwrap());
        let before = pick(&start, parameter);
        for (name, values) in &before {
            assert_ne!(*values, found.after_first[name], "{name}");
            assert_ne!(found.after_first[name], found.after_last[name], "{name}");
            let learned = !name.starts_with("targets.");
            assert_eq!(found.gradients.contains_key(name), learned, "{name}");
        }
        assert_eq!(found.losses["critics"].len(), 3);
        assert!(found.gradients.values().flatten().any(|x| *x != 0.0));
    }
}
