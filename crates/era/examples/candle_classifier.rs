//! A small candle classifier, as a user has it, with and without ERA behind its last layer.
//!
//! Three arms of a spiral, drawn from a seed; a hidden layer; AdamW on the cross-entropy. With [`SoftmaxEra`] no prediction is surer than
//! the target allows, during training or after it, and the loss needs no term for that.
//!
//! `cargo run --release -p era --features candle --example candle_classifier`
#![expect(clippy::print_stdout, reason = "an example shows what it did")]

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::{Activation, AdamW, Linear, Module, Optimizer, loss::cross_entropy, seq};
use era::candle::SoftmaxEra;
use era::{Inverse, SoftmaxEraConfig, softmax_entropy};
use std::error::Error;

const CLASSES: usize = 3;
const POINTS: usize = 150;
const HIDDEN: usize = 48;
const STEPS: usize = 250;

/// What a trained classifier does on points that it has not seen.
pub(crate) struct Outcome {
    pub(crate) accuracy: f64,
    /// The entropy of its surest prediction, in nats.
    pub(crate) min_entropy: f64,
    /// The cross-entropy at the end of training, in nats.
    pub(crate) loss: f64,
}

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let era = activation()?;
    println!(
        "H0 = {} nats; with it no prediction has less than {:.4} nats, no loss is below {:.4}\n",
        era.config().target_entropy,
        era.min_entropy(),
        era.cross_entropy_floor()
    );
    println!("{:12} accuracy  surest prediction  final loss", "");
    for (name, era) in [("plain", None), ("with ERA", Some(era))] {
        let Outcome {
            accuracy,
            min_entropy,
            loss,
        } = train(era)?;
        println!("{name:12} {accuracy:8.3}  {min_entropy:12.4} nats  {loss:10.4}");
    }
    Ok(())
}

/// H0 = 0.6 nats, which the exact inverse is proven to keep.
pub(crate) fn activation() -> std::result::Result<era::SoftmaxEra, era::Error> {
    era::SoftmaxEra::new(SoftmaxEraConfig {
        inverse: Inverse::Exact,
        ..SoftmaxEraConfig::official(CLASSES)
    })
}

/// Trains a network, with the activation behind it where there is one.
pub(crate) fn train(era: Option<era::SoftmaxEra>) -> Result<Outcome> {
    let mut random = Random(1);
    let (points, labels) = spiral(&mut random)?;
    let mut vars = Vec::new();
    let mut model = seq()
        .add(linear(2, HIDDEN, &mut random, &mut vars)?)
        .add(Activation::Relu)
        .add(linear(HIDDEN, HIDDEN, &mut random, &mut vars)?)
        .add(Activation::Relu)
        .add(linear(HIDDEN, CLASSES, &mut random, &mut vars)?);
    if let Some(era) = era {
        model = model.add(SoftmaxEra::new(era)); // the one line
    }

    let mut optimiser = AdamW::new_lr(vars, 0.01)?;
    let mut loss = f64::NAN;
    for _ in 0..STEPS {
        let step = cross_entropy(&model.forward(&points)?, &labels)?;
        optimiser.backward_step(&step)?;
        loss = step.to_dtype(DType::F64)?.to_scalar()?;
    }

    let (points, labels) = spiral(&mut random)?;
    let logits = model.forward(&points)?;
    let right = logits.argmax(1)?.eq(&labels)?.to_dtype(DType::F64)?;
    let entropies = logits.to_vec2::<f32>()?;
    let entropies = entropies.iter().map(|row| softmax_entropy(row));
    Ok(Outcome {
        accuracy: right.mean_all()?.to_scalar()?,
        min_entropy: entropies.fold(f64::INFINITY, f64::min),
        loss,
    })
}

/// Points `[n, 2]` on the arms of a spiral, with some noise, and the arm of each, `[n]`.
fn spiral(random: &mut Random) -> Result<(Tensor, Tensor)> {
    let (mut points, mut labels) = (Vec::new(), Vec::new());
    for arm in 0..CLASSES as u32 {
        for i in 0..POINTS {
            let radius = (i + 1) as f32 / POINTS as f32;
            let angle = 3.5 * radius + std::f32::consts::TAU * arm as f32 / CLASSES as f32;
            let angle = angle + 0.8 * random.next();
            points.extend([radius * angle.cos(), radius * angle.sin()]);
            labels.push(arm);
        }
    }
    let count = labels.len();
    let points = Tensor::from_vec(points, (count, 2), &Device::Cpu)?;
    Ok((points, Tensor::from_vec(labels, count, &Device::Cpu)?))
}

/// A layer of random weights. Candle's own initialisation on the CPU cannot be seeded.
fn linear(
    inputs: usize,
    outputs: usize,
    random: &mut Random,
    vars: &mut Vec<Var>,
) -> Result<Linear> {
    let scale = (6.0 / inputs as f32).sqrt();
    let weights: Vec<f32> = (0..inputs * outputs)
        .map(|_| scale * random.next())
        .collect();
    let weight = Var::from_vec(weights, (outputs, inputs), &Device::Cpu)?;
    let bias = Var::zeros(outputs, DType::F32, &Device::Cpu)?;
    let layer = Linear::new(weight.as_tensor().clone(), Some(bias.as_tensor().clone()));
    vars.extend([weight, bias]);
    Ok(layer)
}

/// Steele, Lea and Flood's SplitMix64: the same numbers everywhere.
struct Random(u64);

impl Random {
    /// The next number in [-1, 1).
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    }
}
