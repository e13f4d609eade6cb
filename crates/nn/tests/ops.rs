//! The fused operations against the same formulas in burn's own operations, values and gradients.

use burn::tensor::{Device, Gradients, Tensor, TensorData, activation};
use era_nn::kernels::Activation;
use era_nn::{Adam, AdamConfig, Head, Mlp, MlpConfig, ScalarAdam, ops, standard_normal};
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

fn random(rng: &mut ChaCha8Rng, shape: [usize; 3]) -> Tensor<3> {
    let mut values = vec![0.0; shape.iter().product()];
    standard_normal(rng, &mut values);
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec().expect("32-bit floats")
}

/// Relative to the largest value, so that sums over many rows are not held to the precision of one product.
fn assert_close(what: &str, found: Tensor<3>, expected: Tensor<3>) {
    assert_eq!(found.dims(), expected.dims(), "{what}");
    let (found, expected) = (values(found), values(expected));
    let scale = expected.iter().fold(1.0_f32, |max, x| max.max(x.abs()));
    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert!(
            (found - expected).abs() <= 4e-6 * scale,
            "{what}[{i}]: {found} instead of {expected}"
        );
    }
}

fn plain_dense(x: Tensor<3>, weight: Tensor<3>, bias: Tensor<3>, kind: Activation) -> Tensor<3> {
    let output = x.matmul(weight) + bias;
    match kind {
        Activation::Linear => output,
        Activation::Elu => activation::elu(output, 1.0),
        Activation::Tanh => output.tanh(),
    }
}

fn plain_norm_elu(x: Tensor<3>, scale: Tensor<3>, shift: Tensor<3>, epsilon: f32) -> Tensor<3> {
    let centred = x.clone() - x.mean_dim(2);
    let variance = (centred.clone() * centred.clone()).mean_dim(2);
    activation::elu(centred / (variance + epsilon).sqrt() * scale + shift, 1.0)
}

fn leaves<const N: usize>(tensors: &[Tensor<3>; N]) -> [Tensor<3>; N] {
    tensors
        .clone()
        .map(|tensor| tensor.autodiff().require_grad())
}

fn gradient(tensor: &Tensor<3>, gradients: &Gradients) -> Tensor<3> {
    tensor.grad(gradients).expect("a gradient")
}

/// Compares values and the gradients of a random weighting of them with respect to all three operands.
fn compare(
    rng: &mut ChaCha8Rng,
    operands: [Tensor<3>; 3],
    fused: impl Fn([Tensor<3>; 3]) -> Tensor<3>,
    plain: impl Fn([Tensor<3>; 3]) -> Tensor<3>,
) {
    let (ours, theirs) = (leaves(&operands), leaves(&operands));
    let (output, expected) = (fused(ours.clone()), plain(theirs.clone()));
    assert_close("value", output.clone().inner(), expected.clone().inner());
    assert_close(
        "value outside autodiff",
        fused(operands),
        expected.clone().inner(),
    );
    let weights = random(rng, output.dims());
    let gradients = (output * weights.clone()).sum().backward();
    let expected = (expected * weights).sum().backward();
    for (i, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        let what = format!("gradient of operand {i}");
        assert_close(
            &what,
            gradient(ours, &gradients),
            gradient(theirs, &expected),
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn dense_is_product_bias_and_activation(
        seed: u64, members in 1..4_usize, shared: bool, rows in 1..40_usize,
        inputs in 1..40_usize, outputs in 1..70_usize, kind in 0..3_usize,
    ) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let kind = [Activation::Linear, Activation::Elu, Activation::Tanh][kind];
        let copies = if shared { 1 } else { members };
        let operands = [
            random(&mut rng, [copies, rows, inputs]),
            random(&mut rng, [members, inputs, outputs]),
            random(&mut rng, [members, 1, outputs]),
        ];
        compare(
            &mut rng,
            operands,
            |[x, w, b]| ops::dense(x, w, b, kind),
            |[x, w, b]| plain_dense(x, w, b, kind),
        );
    }

    #[test]
    fn norm_elu_is_layer_norm_and_elu(
        seed: u64, members in 1..4_usize, rows in 1..20_usize, width in 2..100_usize,
    ) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let operands = [
            random(&mut rng, [members, rows, width]),
            random(&mut rng, [members, 1, width]),
            random(&mut rng, [members, 1, width]),
        ];
        // A large epsilon keeps rows of two almost equal numbers well conditioned.
        compare(
            &mut rng,
            operands,
            |[x, scale, shift]| ops::norm_elu(x, scale, shift, 0.1),
            |[x, scale, shift]| plain_norm_elu(x, scale, shift, 0.1),
        );
    }
}

#[test]
fn operands_that_are_views_are_read_right() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let x = random(&mut rng, [2, 9, 5]).swap_dims(1, 2);
    let weight = random(&mut rng, [2, 9, 8]).narrow(2, 1, 7);
    let bias = random(&mut rng, [1, 1, 7]).expand([2, 1, 7]);
    let fused = ops::dense(x.clone(), weight.clone(), bias.clone(), Activation::Elu);
    assert_close(
        "value",
        fused,
        plain_dense(x, weight, bias, Activation::Elu),
    );
}

#[test]
fn constants_get_no_gradient_and_pass_it_on() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let x = random(&mut rng, [1, 6, 4]).autodiff().require_grad();
    let (weight, bias) = (random(&mut rng, [2, 4, 3]), random(&mut rng, [2, 1, 3]));
    let output = ops::dense(x.clone(), weight.clone(), bias.clone(), Activation::Linear);
    let gradients = output.sum().backward();
    let expected = weight
        .clone()
        .sum_dim(2)
        .sum_dim(0)
        .reshape([1, 1, 4])
        .expand([1, 6, 4]);
    assert_close("gradient", gradient(&x, &gradients), expected);
}

fn config(layer_norm: bool) -> MlpConfig {
    MlpConfig {
        members: 2,
        inputs: 5,
        hidden: vec![16, 8],
        heads: vec![
            Head {
                outputs: 2,
                gain: 1.0,
            },
            Head {
                outputs: 1,
                gain: 0.1,
            },
        ],
        activation: Activation::Elu,
        layer_norm,
    }
}

/// Moves a parameter that the caller can still see, or not: steps in place must not change what others hold.
#[test]
fn steps_leave_other_owners_untouched() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut network = Mlp::init(&config(true), &mut rng, &Device::flex());
    let kept = network.clone();
    let before: Vec<_> = kept
        .parameters()
        .into_iter()
        .map(|p| values(p.clone()))
        .collect();
    let mut adam = Adam::new(AdamConfig::new(0.1), &network);
    let ones: Vec<_> = network
        .parameters()
        .into_iter()
        .map(Tensor::ones_like)
        .collect();
    adam.step(&mut network, ones.clone());
    adam.step(&mut network, ones);
    let after: Vec<_> = kept
        .parameters()
        .into_iter()
        .map(|p| values(p.clone()))
        .collect();
    assert_eq!(before, after);
    // Equal gradients: every step is the learning rate, whatever the moments.
    for (old, new) in before.iter().zip(network.parameters()) {
        for (old, new) in old.iter().zip(values(new.clone())) {
            assert!((old - 0.2 - new).abs() < 1e-5, "{old} became {new}");
        }
    }
}

/// `optax.adamw(0.01, weight_decay=0.1)` and `torch.optim.AdamW` on one number: by the formula of Loshchilov and Hutter,
/// in `f64`, against tensors in `f32`.
#[test]
fn adam_follows_its_formula() {
    let config = AdamConfig::new(0.01).with_weight_decay(0.1);
    let mut network = Mlp::init(
        &self::config(false),
        &mut ChaCha8Rng::seed_from_u64(4),
        &Device::flex(),
    );
    let mut adam = Adam::new(config, &network);
    let start = values(network.parameters()[0].clone());
    let gradients = [0.3, -2.0, 1e-4, 0.7, 0.0];
    for gradient in gradients {
        let all = network
            .parameters()
            .into_iter()
            .map(|p| p.full_like(gradient))
            .collect();
        adam.step(&mut network, all);
    }
    let found = values(network.parameters()[0].clone());
    for (start, found) in start.into_iter().zip(found) {
        let (mut p, mut m, mut v) = (f64::from(start), 0.0, 0.0);
        let mut scalar = ScalarAdam::new(config);
        let mut alone = p;
        for (t, g) in (1..).zip(gradients) {
            m = 0.9 * m + 0.1 * g;
            v = 0.999 * v + 0.001 * g * g;
            let direction =
                (m / (1.0 - 0.9_f64.powi(t))) / ((v / (1.0 - 0.999_f64.powi(t))).sqrt() + 1e-8);
            p -= 0.01 * (direction + 0.1 * p);
            alone = scalar.step(alone, g);
        }
        assert!(
            (f64::from(found) - p).abs() < 1e-6,
            "{found} instead of {p}"
        );
        assert!((alone - p).abs() < 1e-14, "{alone} instead of {p}");
    }
}

#[test]
fn a_network_depends_on_its_generator_alone() {
    let draw = |seed| {
        let network = Mlp::init(
            &config(true),
            &mut ChaCha8Rng::seed_from_u64(seed),
            &Device::flex(),
        );
        network
            .parameters()
            .into_iter()
            .map(|p| values(p.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(draw(5), draw(5));
    assert_ne!(draw(5), draw(6));
}

#[test]
fn targets_move_by_tau() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let online = Mlp::init(&config(true), &mut rng, &Device::flex());
    let mut target = Mlp::init(&config(true), &mut rng, &Device::flex());
    let before: Vec<_> = target.parameters().into_iter().cloned().collect();
    target.track(&online, 0.25);
    for ((old, new), online) in before
        .into_iter()
        .zip(target.parameters())
        .zip(online.parameters())
    {
        assert_close("target", new.clone(), old * 0.75 + online.clone() * 0.25);
    }
}
