//! The updates of ERA for classification by themselves, so that an engine can be held to another.

use ::era::burn::SoftmaxEra;
use burn::tensor::Device;
use era_harness::TrainError;
use era_harness::agreement::{Arrays, Trace, pick};
use era_harness::run::{Array, Checkpoint};
use era_harness::seed::Streams;

use crate::methods::era::{self, EraParams};
use crate::nets::Arch;
use crate::training::Training;

/// What [`trace`] computes, for people.
pub const ABOUT: &str = "era, ResNet-8, 64 drawn images of 32×32";

const SEED: u64 = 0;

/// Drawn by the program.
const TASK: &str = "shapes";

/// Images of each of the ten classes.
const PER_CLASS: usize = 64;

/// The method's defaults but for a learning rate without warm-up, and low, since what ten updates make of a rounding grows with it; and
/// for blocks that are not the identity at first: else most gradients of the first update were 0.
fn params() -> EraParams {
    EraParams {
        arch: Arch::ResNet8,
        batch_size: 64,
        learning_rate: 0.01,
        warmup_epochs: 0.0,
        zero_init_residual: false,
        train_per_class: PER_CLASS,
        test_per_class: 1,
        ..EraParams::default()
    }
}

fn training(device: &Device, start: Option<&Checkpoint>) -> Result<Training, TrainError> {
    let streams = Streams::new(SEED);
    Training::open(TASK, params().common(), streams, device, start)
}

/// The state before the first update.
///
/// # Errors
/// None that is known: the images are drawn.
pub fn start(device: &Device) -> Result<Checkpoint, TrainError> {
    Ok(training(device, None)?.save())
}

/// The first `updates` updates from the state `start`. Images are drawn, cropped and mirrored on the host.
///
/// # Errors
/// `start` is another method's state, or a loss is not finite.
pub fn trace(device: &Device, start: &Checkpoint, updates: u64) -> Result<Trace, TrainError> {
    let mut training = training(device, Some(start))?;
    let activation = params().activation(training.classes);
    let activation = activation.map_err(|error| TrainError::Other(error.to_string()))?;
    let activation = SoftmaxEra::new(activation);
    let mut trace = Trace {
        start: pick(&training.save(), parameter),
        ..Trace::default()
    };
    for update in 0..updates {
        let Some(step) = training.next()? else { break };
        let loss = era::descend(&mut training, &activation, &step)?;
        trace.add_losses(&[("cross-entropy", loss)]);
        if update == 0 {
            let state = training.save();
            trace.gradients = gradients(start, &state);
            trace.after_first = pick(&state, parameter);
        }
    }
    trace.after_last = pick(&training.save(), parameter);
    Ok(trace)
}

/// Parameters and running statistics.
fn parameter(name: &str) -> Option<String> {
    name.strip_prefix("net.").map(str::to_owned)
}

/// One step after zero the momentum is the gradient and, of weights, what they decay by.
fn gradients(start: &Checkpoint, state: &Checkpoint) -> Arrays {
    let momentum = |name: &str| name.strip_prefix("momentum.").map(str::to_owned);
    let mut gradients = pick(state, momentum);
    let decay = params().weight_decay as f32;
    for (name, gradient) in &mut gradients {
        if let Some(Array::F32(shape, weights)) = start.arrays.get(&format!("net.{name}"))
            && shape.len() > 1
        {
            let both = gradient.iter_mut().zip(weights);
            both.for_each(|(gradient, weight)| *gradient -= decay * weight);
        }
    }
    gradients
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
        for (name, values) in pick(&start, parameter) {
            assert_ne!(values, found.after_first[&name], "{name}");
            assert_ne!(found.after_first[&name], found.after_last[&name], "{name}");
        }
        for (name, slopes) in &found.gradients {
            assert!(slopes.iter().any(|slope| slope.abs() > 1e-4), "{name}");
        }
        assert_eq!(found.losses["cross-entropy"].len(), 3);
    }
}
