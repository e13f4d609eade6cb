//! The activations behind a user's layers: nothing is dropped on the way back.

use crate::{DIMS, close, read, tensor};
use era::tch::{GaussianEra, SoftmaxEra, log_probs};
use era::{GaussianEraConfig, SoftmaxEraConfig, Vocabulary};
use tch::nn::{self, Module};
use tch::{Device, Kind, Tensor};

const INPUTS: usize = 3;
const HIDDEN: i64 = 4;

/// Numbers in [-1, 1), a different run of them for each `salt`.
fn numbers(count: usize, salt: usize) -> Vec<f64> {
    let mix = |i: usize| ((i + 1) * 7919 + salt * 104_729) % 2003;
    (0..count).map(|i| mix(i) as f64 / 1001.5 - 1.0).collect()
}

/// A network of doubles with a hidden layer, its weights from no generator.
fn network(path: &nn::Path) -> nn::Sequential {
    let linear =
        |name: &str, inputs, outputs| nn::linear(path / name, inputs, outputs, Default::default());
    nn::seq()
        .add(linear("hidden", INPUTS as i64, HIDDEN))
        .add_fn(Tensor::silu)
        .add(linear("output", HIDDEN, DIMS as i64))
}

fn fill(store: &mut nn::VarStore) {
    store.double();
    let mut named: Vec<_> = store.variables().into_iter().collect();
    named.sort_by(|a, b| a.0.cmp(&b.0));
    for (salt, (_, mut variable)) in named.into_iter().enumerate() {
        let values = numbers(variable.numel(), salt);
        tch::no_grad(|| variable.copy_(&Tensor::from_slice(&values).reshape(variable.size())));
    }
}

fn input() -> Tensor {
    tensor(&numbers(6 * INPUTS, 9), &[6, INPUTS], Kind::Double)
}

/// Every variable's gradient is there and is the slope of the loss.
fn complete(store: &nn::VarStore, variables: usize, loss: impl Fn() -> Tensor) {
    let named = store.variables();
    assert_eq!(named.len(), variables);
    loss().backward();
    let mut named: Vec<_> = named.into_iter().collect();
    named.sort_by(|a, b| a.0.cmp(&b.0));
    for (name, mut variable) in named {
        let grad = read(&variable.grad());
        assert!(grad.iter().any(|g| *g != 0.0), "{name} gets no gradient");
        let before = read(&variable);
        let shape = variable.size();
        let mut set = |values: &[f64]| {
            let values = Tensor::from_slice(values).reshape(&shape);
            tch::no_grad(|| variable.copy_(&values));
        };
        let slopes: Vec<f64> = (0..grad.len())
            .map(|i| {
                let mut at = |step: f64| {
                    let mut moved = before.clone();
                    moved[i] += step;
                    set(&moved);
                    loss().double_value(&[])
                };
                (at(1e-5) - at(-1e-5)) / 2e-5
            })
            .collect();
        set(&before);
        close(&name, 1e-8, &grad, &slopes);
    }
}

#[test]
fn a_policy_gets_every_gradient() {
    let era = era::GaussianEra::new(GaussianEraConfig::official(DIMS)).unwrap();
    let mut store = nn::VarStore::new(Device::Cpu);
    // Two networks, one for the spread and one for the mean, in one loss.
    let policy = network(&(store.root() / "raw")).add(GaussianEra::new(era));
    let means = network(&(store.root() / "mean"));
    fill(&mut store);
    let noise = tensor(&numbers(6 * DIMS, 5), &[6, DIMS], Kind::Double);
    complete(&store, 8, || {
        let step = policy.forward(&input()).exp() * &noise;
        let action = (means.forward(&input()) + step).tanh();
        action.square().mean(None)
    });
}

#[test]
fn a_classifier_gets_every_gradient() {
    for inverse in [era::Inverse::Approximate, era::Inverse::Exact] {
        let era = era::SoftmaxEra::new(SoftmaxEraConfig {
            inverse,
            ..SoftmaxEraConfig::official(DIMS)
        });
        let mut store = nn::VarStore::new(Device::Cpu);
        let model = network(&store.root()).add(SoftmaxEra::new(era.unwrap()));
        fill(&mut store);
        let labels = Tensor::from_slice(&[0_i64, 1, 2, 3, 4, 0]);
        complete(&store, 4, || {
            // Not `cross_entropy_for_logits`, which rounds to `Float`.
            model
                .forward(&input())
                .log_softmax(-1, Kind::Double)
                .nll_loss(&labels)
        });
    }
}

#[test]
fn a_language_model_gets_every_gradient() {
    let mut store = nn::VarStore::new(Device::Cpu);
    let model = network(&store.root());
    fill(&mut store);
    let advantages = Tensor::from_slice(&[0.5, 1.0, 2.0, -1.0, 0.25, -0.5]);
    let factors = [2.0, 2.0, 1.0, 1.0, 0.5, 1.0];
    complete(&store, 4, || {
        let logits = model.forward(&input());
        let log_probs = log_probs(&logits, &[0, 1, 2, 3, 4, 0], &factors, Vocabulary::Full);
        -(log_probs * &advantages).mean(None)
    });
}
