//! Convolutions with batch normalisation, and pooling, against burn's own operations.

use burn::tensor::module::{adaptive_avg_pool2d, conv2d, max_pool2d};
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, TensorData, activation::relu};
use era_nn::conv::{
    ConvNorm, block, conv_affine, conv_norm, global_average_pool, max_pool, unblock,
};
use era_nn::standard_normal;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

const EPSILON: f64 = 1e-5;

fn draw<const D: usize>(rng: &mut ChaCha8Rng, shape: [usize; D]) -> TensorData {
    let mut values = vec![0.0; shape.iter().product()];
    standard_normal(rng, &mut values);
    TensorData::new(values, shape)
}

fn values(data: TensorData) -> Vec<f32> {
    data.try_into_vec().expect("32-bit floats")
}

fn largest_difference(a: TensorData, b: TensorData) -> f32 {
    assert_eq!(a.shape(), b.shape());
    let (a, b) = (values(a), values(b));
    let scale = b.iter().fold(1.0_f32, |scale, x| scale.max(x.abs()));
    a.iter()
        .zip(&b)
        .map(|(a, b)| {
            assert!(a.is_finite());
            (a - b).abs() / scale
        })
        .fold(0.0, f32::max)
}

struct Case {
    samples: usize,
    /// Channels in and out.
    channels: [usize; 2],
    /// Height and width.
    size: [usize; 2],
    kernel: usize,
    stride: usize,
    padding: usize,
    relu: bool,
    other: bool,
}

const CASES: [Case; 8] = [
    case(16, [3, 16], [9, 7], 3, 1, 1, true, false),
    case(5, [4, 8], [6, 6], 3, 1, 1, true, true),
    case(33, [8, 12], [8, 8], 3, 2, 1, true, false),
    case(16, [16, 8], [7, 7], 1, 2, 0, false, false),
    case(20, [3, 9], [15, 14], 7, 2, 3, true, false),
    case(16, [12, 20], [5, 1], 1, 1, 0, true, true),
    case(3, [1, 1], [2, 3], 3, 1, 1, false, true),
    case(48, [5, 6], [4, 4], 3, 2, 1, true, true),
];

#[expect(clippy::too_many_arguments, reason = "a row of a table")]
const fn case(
    samples: usize,
    channels: [usize; 2],
    size: [usize; 2],
    kernel: usize,
    stride: usize,
    padding: usize,
    relu: bool,
    other: bool,
) -> Case {
    Case {
        samples,
        channels,
        size,
        kernel,
        stride,
        padding,
        relu,
        other,
    }
}

impl Case {
    fn out(&self) -> [usize; 2] {
        self.size
            .map(|len| (len + 2 * self.padding - self.kernel) / self.stride + 1)
    }

    fn layer(&self) -> ConvNorm {
        ConvNorm {
            stride: self.stride,
            padding: self.padding,
            relu: self.relu,
            samples: self.samples,
            epsilon: EPSILON,
            bf16: false,
        }
    }
}

/// Images, weight, scale, shift, what is added, and what the output is multiplied with.
fn inputs(case: &Case) -> [TensorData; 6] {
    let mut rng = ChaCha8Rng::seed_from_u64(case.samples as u64);
    let [[inputs, outputs], [height, width], [out_height, out_width]] =
        [case.channels, case.size, case.out()];
    let samples = case.samples;
    [
        draw(&mut rng, [samples, inputs, height, width]),
        draw(&mut rng, [outputs, inputs, case.kernel, case.kernel]),
        draw(&mut rng, [outputs]),
        draw(&mut rng, [outputs]),
        draw(&mut rng, [samples, outputs, out_height, out_width]),
        draw(&mut rng, [samples, outputs, out_height, out_width]),
    ]
}

fn blocked(data: &TensorData, device: &Device) -> Tensor<5> {
    block(&values(data.clone()), data.shape().dims(), device)
}

/// The layer written out in burn's operations.
fn reference(
    case: &Case,
    images: Tensor<4>,
    weight: Tensor<4>,
    [scale, shift]: [Tensor<1>; 2],
    other: Option<Tensor<4>>,
) -> (Tensor<4>, [Tensor<4>; 2]) {
    let (stride, padding) = ([case.stride; 2], [case.padding; 2]);
    let x = conv2d(
        images,
        weight,
        None,
        ConvOptions::new(stride, padding, [1, 1], 1),
    );
    let mean_of = |x: Tensor<4>| x.mean_dim(0).mean_dim(2).mean_dim(3);
    let mean = mean_of(x.clone());
    let centred = x - mean.clone();
    let variance = mean_of(centred.clone() * centred.clone());
    let outputs = case.channels[1];
    let x = centred / (variance.clone() + EPSILON).sqrt() * scale.reshape([1, outputs, 1, 1])
        + shift.reshape([1, outputs, 1, 1]);
    let x = match other {
        Some(other) => x + other,
        None => x,
    };
    let x = if case.relu { relu(x) } else { x };
    (x, [mean, variance])
}

#[test]
fn a_layer_and_its_gradients_are_those_of_burns_operations() {
    let device = Device::flex();
    let tracked = Device::flex().autodiff();
    for (number, case) in CASES.iter().enumerate() {
        let [images, weight, scale, shift, other, factor] = inputs(case);
        let leaf =
            |data: &TensorData| Tensor::<4>::from_data(data.clone(), &tracked).require_grad();
        let leaf1 =
            |data: &TensorData| Tensor::<1>::from_data(data.clone(), &tracked).require_grad();
        let (x, w, a, b, o) = (
            leaf(&images),
            leaf(&weight),
            leaf1(&scale),
            leaf1(&shift),
            leaf(&other),
        );
        let added = case.other.then(|| o.clone());
        let (y, [mean, variance]) =
            reference(case, x.clone(), w.clone(), [a.clone(), b.clone()], added);
        let grads = (y.clone() * Tensor::from_data(factor.clone(), &tracked))
            .sum()
            .backward();

        let input = blocked(&images, &device).autodiff().require_grad();
        let (w2, a2, b2) = (leaf(&weight), leaf1(&scale), leaf1(&shift));
        let o2 = blocked(&other, &device).autodiff().require_grad();
        let added = case.other.then(|| o2.clone());
        let (z, moments) = conv_norm(
            input.clone(),
            w2.clone(),
            [a2.clone(), b2.clone()],
            added,
            case.layer(),
        );
        let grads2 = (z.clone() * blocked(&factor, &device).autodiff())
            .sum()
            .backward();

        let close = |what: &str, ours: TensorData, theirs: TensorData| {
            let error = largest_difference(ours, theirs);
            assert!(error < 2e-5, "case {number}, {what}: {error:e}");
        };
        close(
            "output",
            unblock(z, case.samples).into_data(),
            y.into_data(),
        );
        let outputs = case.channels[1];
        let flat = |x: Vec<f32>| TensorData::new(x, [1, outputs, 1, 1]);
        close("mean", flat(moments.mean), mean.into_data());
        close("variance", flat(moments.variance), variance.into_data());
        let ours = unblock(input.grad(&grads2).unwrap(), case.samples);
        close(
            "input",
            ours.into_data(),
            x.grad(&grads).unwrap().into_data(),
        );
        close(
            "weight",
            w2.grad(&grads2).unwrap().into_data(),
            w.grad(&grads).unwrap().into_data(),
        );
        close(
            "scale",
            a2.grad(&grads2).unwrap().into_data(),
            a.grad(&grads).unwrap().into_data(),
        );
        close(
            "shift",
            b2.grad(&grads2).unwrap().into_data(),
            b.grad(&grads).unwrap().into_data(),
        );
        if case.other {
            let ours = unblock(o2.grad(&grads2).unwrap(), case.samples);
            close(
                "other",
                ours.into_data(),
                o.grad(&grads).unwrap().into_data(),
            );
        }
    }
}

#[test]
fn lanes_without_a_sample_stay_zero() {
    let device = Device::flex();
    for case in CASES.iter().filter(|case| case.samples % 16 != 0) {
        let [images, weight, scale, shift, other, _] = inputs(case);
        let weight = Tensor::<4>::from_data(weight, &device);
        let [scale, shift] = [scale, shift].map(|x| Tensor::<1>::from_data(x, &device));
        let input = blocked(&images, &device);
        let other = case.other.then(|| blocked(&other, &device));
        let tracked = [scale.clone(), shift.clone()].map(Tensor::autodiff);
        let (train, _) = conv_norm(
            input.clone().autodiff(),
            weight.clone().autodiff(),
            tracked,
            other.clone().map(Tensor::autodiff),
            case.layer(),
        );
        let test = conv_affine(input, weight, [scale, shift], other, case.layer());
        for output in [train.inner(), test] {
            let lanes = output.dims()[0] * 16;
            let all = unblock(output, lanes);
            let rest = all.narrow(0, case.samples, lanes - case.samples);
            assert!(values(rest.into_data()).iter().all(|x| *x == 0.0));
        }
    }
}

#[test]
fn a_layer_with_given_numbers_is_a_scaled_convolution() {
    let device = Device::flex();
    for (number, case) in CASES.iter().enumerate() {
        let [images, weight, scale, shift, other, _] = inputs(case);
        let outputs = case.channels[1];
        let weight = Tensor::<4>::from_data(weight, &device);
        let [scale, shift] = [scale, shift].map(|x| Tensor::<1>::from_data(x, &device));
        let other4 = case
            .other
            .then(|| Tensor::<4>::from_data(other.clone(), &device));
        let options = ConvOptions::new([case.stride; 2], [case.padding; 2], [1, 1], 1);
        let x = conv2d(
            Tensor::from_data(images.clone(), &device),
            weight.clone(),
            None,
            options,
        );
        let x = x * scale.clone().reshape([1, outputs, 1, 1])
            + shift.clone().reshape([1, outputs, 1, 1]);
        let x = other4.map_or(x.clone(), |other| x + other);
        let expected = if case.relu { relu(x) } else { x };
        let other5 = case.other.then(|| blocked(&other, &device));
        let found = conv_affine(
            blocked(&images, &device),
            weight,
            [scale, shift],
            other5,
            case.layer(),
        );
        let error = largest_difference(
            unblock(found, case.samples).into_data(),
            expected.into_data(),
        );
        assert!(error < 1e-5, "case {number}: {error:e}");
    }
}

#[test]
fn pooling_and_its_gradients_are_burns() {
    let device = Device::flex();
    let tracked = Device::flex().autodiff();
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for (samples, channels, height, width) in [(16, 4, 7, 8), (21, 3, 5, 5)] {
        let images = draw(&mut rng, [samples, channels, height, width]);
        let input = blocked(&images, &device).autodiff().require_grad();
        let x = Tensor::<4>::from_data(images, &tracked).require_grad();

        let factor = draw(&mut rng, [samples, channels]);
        let ours = global_average_pool(input.clone(), samples);
        let theirs: Tensor<2> = adaptive_avg_pool2d(x.clone(), [1, 1]).reshape([samples, channels]);
        assert!(largest_difference(ours.clone().into_data(), theirs.clone().into_data()) < 1e-6);
        let factor = Tensor::<2>::from_data(factor, &tracked);
        let a = (ours * factor.clone()).sum().backward();
        let b = (theirs * factor).sum().backward();
        let ours = unblock(input.grad(&a).unwrap(), samples).into_data();
        assert!(largest_difference(ours, x.grad(&b).unwrap().into_data()) < 1e-6);

        let ours = max_pool(input.clone(), 3, 2, 1);
        let options = MaxPoolOptions::new([3, 3])
            .with_stride([2, 2])
            .with_padding([1, 1]);
        let theirs = max_pool2d(x.clone(), options);
        let factor = draw(&mut rng, theirs.dims());
        let a = (ours.clone() * blocked(&factor, &device).autodiff())
            .sum()
            .backward();
        assert_eq!(
            largest_difference(
                unblock(ours, samples).into_data(),
                theirs.clone().into_data()
            ),
            0.0
        );
        let b = (theirs * Tensor::from_data(factor, &tracked))
            .sum()
            .backward();
        let ours = unblock(input.grad(&a).unwrap(), samples).into_data();
        assert!(largest_difference(ours, x.grad(&b).unwrap().into_data()) < 1e-6);
    }
}
