//! The activations behind a user's layers: nothing is dropped on the way back.

use crate::{DIMS, close, read, tensor};
use candle_core::{DType, Result, Tensor, Var};
use candle_nn::{Activation, Linear, Module, Sequential, seq};
use era::candle::{GaussianEra, SoftmaxEra, log_probs};
use era::{GaussianEraConfig, SoftmaxEraConfig, Vocabulary};

const INPUTS: usize = 3;
const HIDDEN: usize = 4;

/// Numbers in [-1, 1), a different run of them for each `salt`.
fn numbers(count: usize, salt: usize) -> Vec<f64> {
    let mix = |i: usize| ((i + 1) * 7919 + salt * 104_729) % 2003;
    (0..count).map(|i| mix(i) as f64 / 1001.5 - 1.0).collect()
}

/// Weights and biases of a hidden layer and of an output layer.
fn variables() -> Vec<Var> {
    let shapes: [&[usize]; 4] = [&[HIDDEN, INPUTS], &[HIDDEN], &[DIMS, HIDDEN], &[DIMS]];
    let variable = |(salt, shape): (usize, &&[usize])| {
        let values = numbers(shape.iter().product(), salt);
        Var::from_tensor(&tensor(&values, *shape, DType::F64)).expect("a variable of floats")
    };
    shapes.iter().enumerate().map(variable).collect()
}

fn network(vars: &[Var]) -> Sequential {
    let linear = |at: usize| {
        let bias = Some(vars[at + 1].as_tensor().clone());
        Linear::new(vars[at].as_tensor().clone(), bias)
    };
    seq().add(linear(0)).add(Activation::Silu).add(linear(2))
}

fn input() -> Tensor {
    tensor(&numbers(6 * INPUTS, 9), (6, INPUTS), DType::F64)
}

/// Every variable's gradient is there and is the slope of the loss.
fn complete(vars: &[Var], loss: impl Fn() -> Result<Tensor>) -> Result<()> {
    let grads = loss()?.backward()?;
    for (at, var) in vars.iter().enumerate() {
        let grad = grads.get(var);
        let grad = read(grad.unwrap_or_else(|| panic!("variable {at} gets no gradient")));
        assert!(grad.iter().any(|g| *g != 0.0), "variable {at}'s is zero");
        let before = var.as_tensor().copy()?;
        let moved = |i: usize, step: f64| {
            let mut values = read(&before);
            values[i] += step;
            var.set(&tensor(&values, before.shape(), DType::F64))?;
            loss()?.to_scalar::<f64>()
        };
        let slopes: Result<Vec<f64>> = (0..grad.len())
            .map(|i| Ok((moved(i, 1e-5)? - moved(i, -1e-5)?) / 2e-5))
            .collect();
        var.set(&before)?;
        close(&format!("variable {at}"), 1e-8, &grad, &slopes?);
    }
    Ok(())
}

#[test]
fn a_policy_gets_every_gradient() {
    let era = era::GaussianEra::new(GaussianEraConfig::official(DIMS)).unwrap();
    let (raw, mean) = (variables(), variables());
    // Two networks, one for the spread and one for the mean, in one loss.
    let policy = network(&raw).add(GaussianEra::new(era));
    let means = network(&mean);
    let noise = tensor(&numbers(6 * DIMS, 5), (6, DIMS), DType::F64);
    let vars = [raw, mean].concat();
    complete(&vars, || {
        let log_std = policy.forward(&input())?;
        let action = means.forward(&input())?.add(&log_std.exp()?.mul(&noise)?)?;
        action.tanh()?.sqr()?.mean_all()
    })
    .unwrap();
}

#[test]
fn a_classifier_gets_every_gradient() {
    let era = era::SoftmaxEra::new(SoftmaxEraConfig::official(DIMS)).unwrap();
    let vars = variables();
    let model = network(&vars).add(SoftmaxEra::new(era));
    let labels = Tensor::new(&[0_u32, 1, 2, 3, 4, 0], input().device()).unwrap();
    complete(&vars, || {
        candle_nn::loss::cross_entropy(&model.forward(&input())?, &labels)
    })
    .unwrap();
}

#[test]
fn a_language_model_gets_every_gradient() {
    let vars = variables();
    let model = network(&vars);
    let advantages = tensor(&[0.5, 1.0, 2.0, -1.0, 0.25, -0.5], 6, DType::F64);
    let factors = [2.0, 2.0, 1.0, 1.0, 0.5, 1.0];
    complete(&vars, || {
        let logits = model.forward(&input())?;
        let log_probs = log_probs(&logits, &[0, 1, 2, 3, 4, 0], &factors, Vocabulary::Full)?;
        log_probs.mul(&advantages)?.mean_all()?.neg()
    })
    .unwrap();
}
