//! The fused operations on every engine of this build, values and gradients, against the default one.
//!
//! A build with one engine has nothing to compare, and says so; `cargo xtask test --engine NAME` makes one with more.

use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use era_nn::conv::{self, ConvNorm};
use era_nn::transformer::{self, Layout, RopeTable, Segment, Targets};
use era_nn::{Activation, AdamStep, ENGINES, devices, ops};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// What two engines may differ by, of a tensor's length: 32-bit floats, sums in another order.
const TOLERANCE: f64 = 2e-5;

/// An operation: a name, the shapes of its inputs, and itself.
type Operation = (
    &'static str,
    Vec<[usize; 3]>,
    Box<dyn Fn(Vec<Tensor<3>>) -> Tensor<3>>,
);

fn operations() -> Vec<Operation> {
    let mut all: Vec<Operation> = Vec::new();
    for (name, activation) in [
        ("dense", Activation::Linear),
        ("dense elu", Activation::Elu),
        ("dense tanh", Activation::Tanh),
    ] {
        all.push((
            name,
            vec![[1, 19, 13], [2, 13, 24], [2, 1, 24]],
            Box::new(move |x| ops::dense(x[0].clone(), x[1].clone(), x[2].clone(), activation)),
        ));
    }
    all.push((
        "norm elu",
        vec![[2, 19, 24], [2, 1, 24], [2, 1, 24]],
        Box::new(|x| ops::norm_elu(x[0].clone(), x[1].clone(), x[2].clone(), 1e-6)),
    ));
    all.push((
        "linear",
        vec![[1, 19, 13], [1, 13, 24], [1, 19, 24]],
        Box::new(|x| transformer::linear(x[0].clone(), x[1].clone(), Some(x[2].clone()))),
    ));
    all.push((
        "linear transposed",
        vec![[1, 19, 13], [1, 24, 13]],
        Box::new(|x| transformer::linear_transposed(x[0].clone(), x[1].clone())),
    ));
    all.push((
        "rms norm",
        vec![[1, 19, 24], [1, 1, 24]],
        Box::new(|x| transformer::rms_norm(x[0].clone(), x[1].clone(), 1e-5)),
    ));
    all.push((
        "swiglu",
        vec![[1, 19, 24]],
        Box::new(|x| transformer::swiglu(x[0].clone())),
    ));
    all.push((
        "attention",
        vec![[1, 19, 64]],
        Box::new(|x| transformer::attention(x[0].clone(), layout())),
    ));
    all.push((
        "token log-probability",
        vec![[1, 19, 24]],
        Box::new(|x| transformer::token_log_prob(x[0].clone(), targets(None))),
    ));
    all.push((
        "token log-probability of the top 20",
        vec![[1, 19, 24]],
        Box::new(|x| transformer::token_log_prob(x[0].clone(), targets(Some(20)))),
    ));
    all.extend([residual_layer(1), residual_layer(2)]);
    all
}

/// 4 query heads on 2 key heads, 8 wide; a prompt of 7 tokens and two answers to it.
fn layout() -> Arc<Layout> {
    let segment = |start, len, prefix| Segment { start, len, prefix };
    let segments = vec![
        segment(0, 7, None),
        segment(7, 5, Some(0)),
        segment(12, 7, Some(0)),
    ];
    let rope = Arc::new(RopeTable::new(10_000.0, 8, 32));
    Arc::new(Layout::new(4, 2, rope, segments).expect("a layout"))
}

fn targets(top: Option<usize>) -> Targets {
    Targets {
        taken: (0..19).map(|row| row * 5 % 24).collect(),
        factors: (0..19).map(|row| [1.0, 2.0, 0.5][row % 3]).collect(),
        top,
    }
}

/// Convolution, batch normalisation, shortcut, ReLU, a maximum and a mean, over a batch that does not fill its lanes.
fn residual_layer(stride: usize) -> Operation {
    const SAMPLES: usize = 18;
    let side = 8 / stride;
    let shapes = vec![
        [SAMPLES, 4, 64],
        [4, 4, 9],
        [1, 1, 4],
        [1, 1, 4],
        [SAMPLES, 4, side * side],
    ];
    let run = move |x: Vec<Tensor<3>>| {
        let images = |tensor: &Tensor<3>, side: usize| {
            let padded = SAMPLES.next_multiple_of(conv::LANES);
            let zeros = Tensor::zeros([padded - SAMPLES, 4, side, side], &tensor.device());
            let images = tensor.clone().reshape([SAMPLES, 4, side, side]);
            Tensor::cat(vec![images, zeros], 0)
                .reshape([padded / conv::LANES, conv::LANES, 4, side, side])
                .permute([0, 3, 4, 2, 1])
        };
        let norm = [&x[2], &x[3]].map(|tensor| tensor.clone().reshape([4]));
        let layer = ConvNorm {
            stride,
            padding: 1,
            relu: true,
            samples: SAMPLES,
            epsilon: 1e-5,
            bf16: false,
        };
        let (output, _) = conv::conv_norm(
            images(&x[0], 8),
            x[1].clone().reshape([4, 4, 3, 3]),
            norm,
            Some(images(&x[4], side)),
            layer,
        );
        let pooled = conv::max_pool(output, 3, 2, 1);
        conv::global_average_pool(pooled, SAMPLES).unsqueeze()
    };
    let name = ["residual layer", "residual layer, stride 2"][stride - 1];
    (name, shapes, Box::new(run))
}

/// The operation's output and the gradient of each of its inputs.
fn evaluate((_, shapes, run): &Operation, device: &Device) -> Vec<Vec<f32>> {
    let device = device.clone().autodiff();
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut draw = |shape: [usize; 3]| {
        let mut values = vec![0.0; shape.iter().product()];
        era_nn::standard_normal(&mut rng, &mut values);
        Tensor::<3>::from_data(TensorData::new(values, shape), &device)
    };
    let leaves: Vec<Tensor<3>> = shapes
        .iter()
        .map(|shape| draw(*shape).require_grad())
        .collect();
    let output = run(leaves.clone());
    let weights = draw(output.dims());
    let gradients = (output.clone() * weights).sum().backward();
    let of_inputs = leaves.iter().map(|leaf| leaf.grad(&gradients));
    std::iter::once(output.inner())
        .chain(of_inputs.map(|gradient| gradient.expect("every input has a gradient")))
        .map(floats)
        .collect()
}

fn floats(tensor: Tensor<3>) -> Vec<f32> {
    tensor.into_data().try_into_vec().expect("32-bit floats")
}

/// |a - b| / |a|.
fn distance(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let length = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let difference = a.iter().zip(b).map(|(a, b)| f64::from(a - b));
    length(&mut { difference }) / length(&mut a.iter().map(|a| f64::from(*a))).max(1e-30)
}

/// The other engines of this build that have a device here.
fn others() -> Vec<(&'static str, Device)> {
    let there = ENGINES
        .iter()
        .filter(|name| **name != "flex" && devices(name).is_some_and(|found| found > 0));
    let others: Vec<_> = there
        .map(|name| (*name, era_nn::device(name, 0).expect("it was counted")))
        .collect();
    if others.is_empty() {
        eprintln!("skipped: this build has no second engine with a device here");
    }
    others
}

#[test]
fn operations_and_their_gradients_agree() {
    for (engine, device) in others() {
        for operation in &operations() {
            let ours = evaluate(operation, &Device::flex());
            let theirs = evaluate(operation, &device);
            for (part, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
                let apart = distance(ours, theirs);
                let what = operation.0;
                assert!(
                    apart < TOLERANCE,
                    "{what} on {engine}, output and gradients, part {part}: {apart:e}"
                );
            }
        }
    }
}

#[test]
fn optimiser_steps_agree() {
    let step = AdamStep {
        learning_rate: 3e-4,
        beta_1: 0.9,
        beta_2: 0.999,
        first_scale: 10.0,
        second_scale: 1000.0,
        epsilon: 1e-8,
        keep: 0.999,
        gradient_scale: 0.5,
    };
    let run = |device: &Device| {
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        let mut draw = || {
            let mut values = vec![0.0; 60];
            era_nn::standard_normal(&mut rng, &mut values);
            Tensor::<3>::from_data(TensorData::new(values, [2, 5, 6]), device)
        };
        let (parameter, gradient, first) = (draw(), draw(), draw());
        let second = draw().powi_scalar(2);
        let (parameter, first, second) = ops::adam(parameter, gradient, first, second, step);
        let mean = ops::lerp(parameter.clone(), first.clone(), 0.005);
        [parameter, first, second, mean].map(floats)
    };
    for (engine, device) in others() {
        for (ours, theirs) in run(&Device::flex()).iter().zip(&run(&device)) {
            let apart = distance(ours, theirs);
            assert!(apart < TOLERANCE, "{engine}: {apart:e}");
        }
    }
}
