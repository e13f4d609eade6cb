//! A tch user's policy head, as SAC has it, with and without ERA behind its standard deviations.
//!
//! A toy critic: the point to hit depends on the state, in three dimensions of which the first is expensive to miss and the last is cheap. The
//! loss is the actor's of SAC without an entropy term: the mean of -Q(s, a) over actions of a tanh-Gaussian. A plain head makes them ever more
//! certain. With [`GaussianEra`] the Gaussian's entropy stays what it is asked to be, and training moves randomness from the expensive
//! dimension to the cheap one.
//!
//! `cargo run --release -p era --features tch --example tch_sac_head`
#![expect(clippy::print_stdout, reason = "an example shows what it did")]

use era::GaussianEraConfig;
use era::tch::GaussianEra;
use tch::nn::{self, Module, OptimizerConfig};
use tch::{Device, Kind, Tensor};

const STATE: usize = 2;
const ACTION: usize = 3;
const HIDDEN: usize = 32;
const BATCH: usize = 64;
const STEPS: usize = 300;
/// What a squared unit of error costs in each dimension.
const COSTS: [f32; ACTION] = [10.0, 1.0, 0.1];

/// The user's network: a hidden layer and two heads.
struct Policy {
    hidden: nn::Linear,
    mean: nn::Linear,
    raw: nn::Linear,
}

impl Policy {
    fn new(store: &nn::VarStore, random: &mut Random) -> Self {
        let mut linear = |name: &str, inputs, outputs, scale| {
            let path = store.root() / name;
            let [i, o] = [inputs as i64, outputs as i64];
            let mut layer = nn::linear(path, i, o, nn::LinearConfig::default());
            // tch's own initialisation draws from a generator that all threads share.
            let weights = random.tensor(outputs, inputs) * scale;
            tch::no_grad(|| {
                layer.ws.copy_(&weights);
                layer.bs.as_mut().map(Tensor::zero_)
            });
            layer
        };
        Self {
            hidden: linear("hidden", STATE, HIDDEN, 1.0),
            mean: linear("mean", HIDDEN, ACTION, 0.1),
            raw: linear("raw", HIDDEN, ACTION, 0.1),
        }
    }

    /// Means and log standard deviations, both `[batch, ACTION]`.
    fn forward(&self, state: &Tensor, era: Option<era::GaussianEra>) -> [Tensor; 2] {
        let hidden = self.hidden.forward(state).tanh();
        let raw = self.raw.forward(&hidden);
        let log_std = match era {
            Some(era) => GaussianEra::new(era).log_std(&raw), // the one line
            None => (raw - 1.0).clamp(-8.0, 0.0),
        };
        [self.mean.forward(&hidden), log_std]
    }
}

/// The policy at one step of training.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) step: usize,
    /// The mean of -Q, which is minimised.
    pub(crate) cost: f64,
    /// The smallest and the largest entropy of the Gaussian over the batch's states, in nats.
    pub(crate) entropy: [f64; 2],
    /// The mean standard deviation of each dimension.
    pub(crate) sigma: [f64; ACTION],
}

fn main() -> Result<(), era::Error> {
    let era = activation()?;
    println!("H0 = {} nats in {ACTION} dimensions", era.entropy());
    for (name, era) in [("plain", None), ("with ERA", Some(era))] {
        println!("\n{name:8}    cost   entropy (all states)   mean sigma by dimension");
        for Snapshot {
            step,
            cost,
            entropy: [low, high],
            sigma: [first, second, third],
        } in train(era)
        {
            println!(
                "{step:8} {cost:7.4}   {low:9.6} to {high:9.6}   {first:.4} {second:.4} {third:.4}"
            );
        }
    }
    Ok(())
}

/// The official settings: 0.25 nats per dimension.
pub(crate) fn activation() -> Result<era::GaussianEra, era::Error> {
    era::GaussianEra::new(GaussianEraConfig::official(ACTION))
}

/// Trains a policy, with the activation where there is one, and shows it every 50 steps.
pub(crate) fn train(era: Option<era::GaussianEra>) -> Vec<Snapshot> {
    let mut random = Random(1);
    let store = nn::VarStore::new(Device::Cpu);
    let policy = Policy::new(&store, &mut random);
    let mut optimiser = nn::Adam::default()
        .build(&store, 0.01)
        .expect("the store has variables");
    let costs = Tensor::from_slice(&COSTS);
    let mut shown = Vec::new();
    for step in 0..=STEPS {
        let state = random.tensor(BATCH, STATE);
        let noise = random.normal(BATCH, ACTION);
        let [mean, log_std] = policy.forward(&state, era);
        let action = (mean + log_std.exp() * noise).tanh();
        let target = state.repeat([1, 2]).narrow(1, 0, ACTION as i64) * 0.5;
        let cost = ((action - target).square() * &costs)
            .sum_dim_intlist(1, false, Kind::Float)
            .mean(None);
        if step % 50 == 0 {
            shown.push(snapshot(step, &cost, &log_std));
        }
        optimiser.backward_step(&cost);
    }
    shown
}

fn snapshot(step: usize, cost: &Tensor, log_std: &Tensor) -> Snapshot {
    let mut host = vec![0.0_f32; BATCH * ACTION];
    log_std.copy_data(&mut host, BATCH * ACTION);
    let rows = host.chunks(ACTION);
    let entropies = rows.clone().map(era::gaussian_entropy);
    let mean = |i| rows.clone().map(|row| f64::from(row[i]).exp()).sum::<f64>() / BATCH as f64;
    Snapshot {
        step,
        cost: cost.double_value(&[]),
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
    fn tensor(&mut self, rows: usize, columns: usize) -> Tensor {
        let values: Vec<f32> = (0..rows * columns).map(|_| self.next()).collect();
        Tensor::from_slice(&values).reshape([rows as i64, columns as i64])
    }

    /// A tensor of normal numbers: the sum of twelve uniform ones is close enough here.
    fn normal(&mut self, rows: usize, columns: usize) -> Tensor {
        let mut sum = self.tensor(rows, columns);
        for _ in 1..12 {
            sum += self.tensor(rows, columns);
        }
        sum * 0.5
    }

    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    }
}
