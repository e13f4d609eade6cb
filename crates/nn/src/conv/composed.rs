//! The same layers in burn's own operations: for backends without kernels of ours, and to test those that have them.

use burn::tensor::module::{adaptive_avg_pool2d, conv2d, max_pool2d};
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};
use burn::tensor::{DType, Tensor, activation::relu};

use super::flex::{ConvNorm, Moments};
use super::lanes::LANES;
use super::layout::unblock;

/// `[N, C, H, W]` to blocks, differentiable.
fn reblock(images: Tensor<4>) -> Tensor<5> {
    let [samples, channels, height, width] = images.dims();
    let padded = samples.next_multiple_of(LANES);
    let images = if padded == samples {
        images
    } else {
        let zeros = Tensor::zeros(
            [padded - samples, channels, height, width],
            &images.device(),
        );
        Tensor::cat(vec![images, zeros], 0)
    };
    images
        .reshape([padded / LANES, LANES, channels, height, width])
        .permute([0, 3, 4, 2, 1])
}

fn convolve(input: Tensor<5>, weight: Tensor<4>, layer: ConvNorm) -> Tensor<4> {
    let (stride, padding) = (layer.stride, layer.padding);
    let options = ConvOptions::new([stride; 2], [padding; 2], [1; 2], 1);
    let images = unblock(input, layer.samples);
    if layer.bf16 {
        let (images, weight) = (images.cast(DType::BF16), weight.cast(DType::BF16));
        return conv2d(images, weight, None, options).cast(DType::F32);
    }
    conv2d(images, weight, None, options)
}

fn finish(normed: Tensor<4>, other: Option<Tensor<5>>, layer: ConvNorm) -> Tensor<5> {
    let sum = match other {
        Some(other) => normed + unblock(other, layer.samples),
        None => normed,
    };
    reblock(if layer.relu { relu(sum) } else { sum })
}

fn by_channel(x: Tensor<1>) -> Tensor<4> {
    let channels = x.dims()[0];
    x.reshape([1, channels, 1, 1])
}

/// As [`super::conv_norm`].
pub(super) fn conv_norm(
    input: Tensor<5>,
    weight: Tensor<4>,
    [scale, shift]: [Tensor<1>; 2],
    other: Option<Tensor<5>>,
    layer: ConvNorm,
) -> (Tensor<5>, Moments) {
    let convolved = convolve(input, weight, layer);
    let mean_of = |x: Tensor<4>| x.mean_dim(0).mean_dim(2).mean_dim(3);
    let mean = mean_of(convolved.clone());
    let centred = convolved - mean.clone();
    let variance = mean_of(centred.clone().powi_scalar(2));
    let normalised = centred / (variance.clone() + layer.epsilon).sqrt();
    let normed = normalised * by_channel(scale) + by_channel(shift);
    let values = |x: Tensor<4>| x.into_data().try_into_vec().unwrap_or_default();
    let moments = Moments {
        mean: values(mean),
        variance: values(variance),
    };
    (finish(normed, other, layer), moments)
}

/// As [`super::conv_affine`].
pub(super) fn conv_affine(
    input: Tensor<5>,
    weight: Tensor<4>,
    [scale, shift]: [Tensor<1>; 2],
    other: Option<Tensor<5>>,
    layer: ConvNorm,
) -> Tensor<5> {
    let convolved = convolve(input, weight, layer);
    let mapped = convolved * by_channel(scale) + by_channel(shift);
    finish(mapped, other, layer)
}

/// As [`super::global_average_pool`].
pub(super) fn global_average_pool(input: Tensor<5>, samples: usize) -> Tensor<2> {
    adaptive_avg_pool2d(unblock(input, samples), [1, 1]).flatten(1, 3)
}

/// As [`super::max_pool`].
pub(super) fn max_pool(
    input: Tensor<5>,
    kernel: usize,
    stride: usize,
    padding: usize,
) -> Tensor<5> {
    let samples = input.dims()[0] * LANES;
    let options = MaxPoolOptions::new([kernel; 2])
        .with_stride([stride; 2])
        .with_padding([padding; 2]);
    reblock(max_pool2d(unblock(input, samples), options))
}
