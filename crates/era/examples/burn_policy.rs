//! A small policy on burn, as a user has it, with ERA behind the head of its standard deviations.
//!
//! A toy task: hit a point that depends on the state, in three dimensions of which the first is expensive to miss and the last is cheap.
//! The objective has no entropy term. ERA holds the Gaussian's entropy where it is asked to be, so all that training can do is to move
//! randomness from the expensive dimension to the cheap one.
//!
//! `cargo run --release -p era --features burn --example burn_policy`
#![expect(clippy::print_stdout, reason = "an example shows what it did")]

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Tensor, TensorData, activation::tanh};
use era::GaussianEraConfig;
use era::burn::{GaussianEra, TruncatedNormal};

const STATE: usize = 2;
const ACTION: usize = 3;
const HIDDEN: usize = 32;
const BATCH: usize = 64;
const STEPS: usize = 300;
/// What a squared unit of error costs in each dimension.
const COSTS: [f32; ACTION] = [10.0, 1.0, 0.1];

/// The user's network: a hidden layer and two heads.
#[derive(Module, Debug)]
struct Policy {
    hidden: Linear,
    mean: Linear,
    raw: Linear,
}

impl Policy {
    fn new(random: &mut Random, device: &Device) -> Self {
        let mut linear = |inputs, outputs, scale| Linear {
            weight: Param::from_tensor(random.tensor([inputs, outputs], device) * scale),
            bias: Some(Param::from_tensor(Tensor::zeros([outputs], device))),
        };
        Self {
            hidden: linear(STATE, HIDDEN, 1.0),
            mean: linear(HIDDEN, ACTION, 0.1),
            raw: linear(HIDDEN, ACTION, 0.1),
        }
    }

    /// Means and log standard deviations, both `[batch, ACTION]`.
    fn forward(&self, state: Tensor<2>, era: GaussianEra) -> [Tensor<2>; 2] {
        let hidden = tanh(self.hidden.forward(state));
        let mean = self.mean.forward(hidden.clone());
        [mean, era.log_std(self.raw.forward(hidden))] // the one line is the second
    }
}

/// The policy at one step of training.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) step: usize,
    /// The cost of the batch's actions, which is minimised.
    pub(crate) cost: f64,
    /// The smallest and the largest entropy of the Gaussian over the batch's states, in nats.
    pub(crate) entropy: [f64; 2],
    /// The mean standard deviation of each dimension.
    pub(crate) sigma: [f64; ACTION],
}

fn main() -> Result<(), era::Error> {
    let era = activation()?;
    println!("H0 = {} nats in {ACTION} dimensions\n", era.entropy());
    println!("step     cost   entropy (all states)   mean sigma by dimension");
    for Snapshot {
        step,
        cost,
        entropy: [low, high],
        sigma: [first, second, third],
    } in train(era)
    {
        println!("{step:4} {cost:8.4}   {low:.6} to {high:.6}   {first:.3} {second:.3} {third:.3}");
    }
    Ok(())
}

/// The official settings: 0.25 nats per dimension.
pub(crate) fn activation() -> Result<era::GaussianEra, era::Error> {
    era::GaussianEra::new(GaussianEraConfig::official(ACTION))
}

/// Trains a policy and shows it every 50 steps.
pub(crate) fn train(era: era::GaussianEra) -> Vec<Snapshot> {
    let device = Device::flex().autodiff();
    let mut random = Random(1);
    let mut policy = Policy::new(&mut random, &device);
    let mut optimiser = AdamConfig::new().init();
    let costs = Tensor::<1>::from_data(TensorData::from(COSTS), &device).unsqueeze::<2>();
    let mut shown = Vec::new();
    for step in 0..=STEPS {
        let state = random.tensor([BATCH, STATE], &device);
        let uniform = random.tensor([BATCH, ACTION], &device) * 0.5 + 0.5;
        let [mean, log_std] = policy.forward(state.clone(), GaussianEra::new(era));
        let action = TruncatedNormal::default().sample(mean, log_std.clone(), uniform);
        let target = state.repeat_dim(1, 2).narrow(1, 0, ACTION) * 0.5;
        let error = action - target;
        let cost = (error.clone() * error * costs.clone()).sum_dim(1).mean();
        if step % 50 == 0 {
            shown.push(snapshot(step, &cost, log_std));
        }
        let grads = GradientsParams::from_grads(cost.backward(), &policy);
        policy = optimiser.step(0.01, policy, grads);
    }
    shown
}

fn snapshot(step: usize, cost: &Tensor<1>, log_std: Tensor<2>) -> Snapshot {
    let log_std: Vec<f64> = log_std.into_data().iter::<f64>().collect();
    let rows = log_std.chunks(ACTION);
    let entropies = rows.clone().map(era::gaussian_entropy);
    let mean = |i| rows.clone().map(|row| f64::exp(row[i])).sum::<f64>() / BATCH as f64;
    Snapshot {
        step,
        cost: cost.clone().into_scalar::<f32>().into(),
        entropy: [
            entropies.clone().fold(f64::INFINITY, f64::min),
            entropies.fold(f64::NEG_INFINITY, f64::max),
        ],
        sigma: std::array::from_fn(mean),
    }
}

/// Steele, Lea and Flood's SplitMix64: the same numbers everywhere.
struct Random(u64);

impl Random {
    /// A tensor of numbers in [-1, 1).
    fn tensor(&mut self, shape: [usize; 2], device: &Device) -> Tensor<2> {
        let values: Vec<f32> = (0..shape[0] * shape[1]).map(|_| self.next()).collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    }
}
