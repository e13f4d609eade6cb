//! A layer as an operation on tensors, with kernels of our own on Flex.

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::{FlexTensor, Layout};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::{Bytes, DType, Shape, Tensor};

use super::composed;
use super::direct::{Direct, zeros};
use super::geometry::Geometry;
use super::lanes::{LANES, Lane};
use super::norm::{Affine, Convolve, Map, Propagate, Reduce, spread};
use crate::simd;

/// What a layer does beside its tensors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConvNorm {
    /// Step of the convolution.
    pub stride: usize,
    /// Zeros on each side of its input.
    pub padding: usize,
    /// Whether the layer ends in a ReLU.
    pub relu: bool,
    /// Samples of the batch: lanes beyond are zero and take no part.
    pub samples: usize,
    /// What is added to the variance.
    pub epsilon: f64,
    /// Whether the convolution is computed in bfloat16, and the rest of the layer in 32-bit floats: on backends composed of burn's
    /// operations only.
    pub bf16: bool,
}

/// Mean and (biased) variance of each channel of a convolution's output over a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// `[channels]`.
    pub mean: Vec<f32>,
    /// `[channels]`.
    pub variance: Vec<f32>,
}

pub(super) type Tracked = Autodiff<Flex>;

/// Puts a layer into the graph. (Its nodes have a type that burn does not name to others.)
macro_rules! attach {
    ($nodes:expr, $saved:expr, $output:expr) => {{
        let preparation = Layer.prepare::<NoCheckpointing>($nodes);
        match preparation.compute_bound().stateful() {
            OpsKind::Tracked(preparation) => preparation.finish($saved.with(&$output), $output),
            OpsKind::UnTracked(preparation) => preparation.finish($output),
        }
    }};
}

/// ReLU(scale * normalised + shift + other), where `normalised` is the convolution of `input` with `weight`, normalised by its mean
/// and variance over the batch (biased, as PyTorch's batch norm in training): `[B, H, W, C, 16]`, `[O, C, k, k]`, `[O]`, `[O]`,
/// `[B, H', W', O, 16]` to `[B, H', W', O, 16]`. Differentiable in all five. Also gives the moments.
///
/// # Panics
/// Where shapes do not belong together.
pub fn conv_norm(
    input: Tensor<5>,
    weight: Tensor<4>,
    norm: [Tensor<1>; 2],
    other: Option<Tensor<5>>,
    layer: ConvNorm,
) -> (Tensor<5>, Moments) {
    let geometry = geometry(&input, &weight, layer);
    let on_flex = input.clone().try_into_primitive::<Tracked>().is_ok();
    if !on_flex || input.dtype() != DType::F32 {
        return composed::conv_norm(input, weight, norm, other, layer);
    }
    let blocks = input.dims()[0];
    let [scale, shift] = norm;
    let (Some(input), Some(weight), Some(scale), Some(shift)) = (
        tracked(input),
        tracked(weight),
        tracked(scale),
        tracked(shift),
    ) else {
        unreachable!("tensors of one layer are on one device")
    };
    let (input, input_node) = input.into_parts();
    let (weight, weight_node) = weight.into_parts();
    let (scale, scale_node) = scale.into_parts();
    let (shift, shift_node) = shift.into_parts();
    let (other, other_node) = other
        .and_then(tracked)
        .map(FloatTensor::<Tracked>::into_parts)
        .unzip();
    let (output, saved, moments) = forward(
        geometry,
        layer,
        [&input, &weight, &scale, &shift],
        other.as_ref(),
    );
    let output = tensor(output.into_flattened(), out_shape(blocks, geometry));
    let nodes = [input_node, weight_node, scale_node, shift_node];
    let output = match other_node {
        None => attach!(nodes, saved, output),
        Some(other_node) => {
            let [input, weight, scale, shift] = nodes;
            attach!([input, weight, scale, shift, other_node], saved, output)
        }
    };
    (Tensor::from_primitive::<Tracked>(output), moments)
}

/// The layer with given numbers in the place of the batch's: ReLU(scale * convolution + shift + other), outside autodiff.
///
/// # Panics
/// Where shapes do not belong together.
pub fn conv_affine(
    input: Tensor<5>,
    weight: Tensor<4>,
    map: [Tensor<1>; 2],
    other: Option<Tensor<5>>,
    layer: ConvNorm,
) -> Tensor<5> {
    let geometry = geometry(&input, &weight, layer);
    let on_flex = input.clone().try_into_primitive::<Flex>().is_ok();
    if !on_flex || input.dtype() != DType::F32 {
        return composed::conv_affine(input, weight, map, other, layer);
    }
    let blocks = input.dims()[0];
    let [scale, shift] = map.map(|x| spread(floats(&flex(x))));
    let other = other.map(|other| Floats::of(&flex(other)));
    let affine = Affine {
        scale: &scale,
        shift: &shift,
        other: other.as_ref().map(Floats::lanes),
        relu: layer.relu,
        samples: layer.samples,
    };
    let zeros = zeros(&geometry);
    let direct = Direct::forward(&geometry, &floats(&flex(weight)), &zeros);
    let input = Floats::of(&flex(input));
    let convolved = simd::run(Convolve {
        geometry,
        direct: &direct,
        input: input.lanes(),
        affine: Some(affine),
    });
    let shape = out_shape(blocks, geometry);
    Tensor::from_primitive::<Flex>(tensor(convolved.output.into_flattened(), shape))
}

fn out_shape(blocks: usize, geometry: Geometry) -> [usize; 5] {
    let (height, width) = (geometry.out_height(), geometry.out_width());
    [blocks, height, width, geometry.outputs, LANES]
}

fn geometry(input: &Tensor<5>, weight: &Tensor<4>, layer: ConvNorm) -> Geometry {
    let [blocks, height, width, inputs, lanes] = input.dims();
    let [outputs, channels, kernel, kernel_width] = weight.dims();
    assert!(
        lanes == LANES && blocks == layer.samples.div_ceil(LANES),
        "images must come in blocks of {LANES}"
    );
    assert!(
        channels == inputs && kernel == kernel_width,
        "kernels must be square and have the channels of the input"
    );
    Geometry {
        inputs,
        outputs,
        height,
        width,
        kernel,
        stride: layer.stride,
        padding: layer.padding,
    }
}

/// What the backward pass needs.
#[derive(Clone, Debug)]
struct Saved {
    geometry: Geometry,
    layer: ConvNorm,
    input: FlexTensor,
    weight: Arc<Vec<f32>>,
    convolved: Arc<Vec<Lane>>,
    /// Where the layer ends in a ReLU.
    output: Option<FlexTensor>,
    mean: Vec<f64>,
    inverse_std: Vec<f64>,
    scale: Vec<f32>,
}

impl Saved {
    fn with(mut self, output: &FlexTensor) -> Self {
        self.output = self.layer.relu.then(|| output.clone());
        self
    }
}

fn forward(
    geometry: Geometry,
    layer: ConvNorm,
    [input, weight, scale, shift]: [&FlexTensor; 4],
    other: Option<&FlexTensor>,
) -> (Vec<Lane>, Saved, Moments) {
    let (weight, scale, shift) = (floats(weight), floats(scale), floats(shift));
    let zeros = zeros(&geometry);
    let values = Floats::of(input);
    let convolved = simd::run(Convolve {
        geometry,
        direct: &Direct::forward(&geometry, &weight, &zeros),
        input: values.lanes(),
        affine: None,
    });
    let count = (layer.samples * geometry.out_height() * geometry.out_width()) as f64;
    let mean: Vec<f64> = convolved.sum.iter().map(|sum| sum / count).collect();
    let variance: Vec<f64> = (convolved.square_sum.iter().zip(&mean))
        .map(|(square_sum, mean)| (square_sum / count - mean * mean).max(0.0))
        .collect();
    let inverse_std: Vec<f64> = variance
        .iter()
        .map(|variance| 1.0 / (variance + layer.epsilon).sqrt())
        .collect();
    let slope: Vec<f64> = (scale.iter().zip(&inverse_std))
        .map(|(scale, inverse)| f64::from(*scale) * inverse)
        .collect();
    let offset = (shift.iter().zip(mean.iter().zip(&slope)))
        .map(|(shift, (mean, slope))| (f64::from(*shift) - mean * slope) as f32);
    let other = other.map(Floats::of);
    let output = simd::run(Map {
        input: &convolved.output,
        lens: (
            geometry.output_len(),
            geometry.out_width() * geometry.outputs,
        ),
        affine: Affine {
            scale: &spread(slope.iter().map(|slope| *slope as f32)),
            shift: &spread(offset),
            other: other.as_ref().map(Floats::lanes),
            relu: layer.relu,
            samples: layer.samples,
        },
    });
    let moments = Moments {
        mean: mean.iter().map(|x| *x as f32).collect(),
        variance: variance.iter().map(|x| *x as f32).collect(),
    };
    let saved = Saved {
        geometry,
        layer,
        input: values.tensor,
        weight: Arc::new(weight),
        convolved: Arc::new(convolved.output),
        output: None,
        mean,
        inverse_std,
        scale,
    };
    (output, saved, moments)
}

/// A layer in the graph, with 4 parents or, where something is added, 5.
#[derive(Debug)]
struct Layer;

impl<const N: usize> Backward<Flex, N> for Layer {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node);
        let wants_input = ops.parents[0].is_some();
        let gradients = backward(&ops.state, grad, wants_input);
        for (parent, gradient) in ops.parents.into_iter().zip(gradients) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                grads.register::<Flex>(parent.id, gradient);
            }
        }
    }
}

/// The gradients of input (where wanted), weight, scale, shift and what was added.
fn backward(saved: &Saved, grad: FlexTensor, wants_input: bool) -> [Option<FlexTensor>; 5] {
    let (g, samples) = (saved.geometry, saved.layer.samples);
    let mut grad = writable(grad);
    let output = saved.output.as_ref().map(Floats::of);
    let (of_shift, with_convolved) = simd::run(Reduce {
        grad: grad.storage_mut::<f32>().as_chunks_mut().0,
        output: output.as_ref().map(Floats::lanes),
        convolved: &saved.convolved,
        row_len: g.out_width() * g.outputs,
        channels: g.outputs,
    });
    let count = (samples * g.out_height() * g.out_width()) as f64;
    let (mut of_scale, mut factors) = (Vec::new(), [const { Vec::new() }; 3]);
    for channel in 0..g.outputs {
        let (mean, inverse) = (saved.mean[channel], saved.inverse_std[channel]);
        let of_this = (with_convolved[channel] - mean * of_shift[channel]) * inverse;
        let slope = f64::from(saved.scale[channel]) * inverse;
        let of_convolved = -slope * inverse * of_this / count;
        let constant = -slope * of_shift[channel] / count - of_convolved * mean;
        for (factors, factor) in factors.iter_mut().zip([slope, of_convolved, constant]) {
            factors.push(factor as f32);
        }
        of_scale.push(of_this as f32);
    }
    let zeros = zeros(&g);
    let direct = wants_input.then(|| Direct::backward(&g, &saved.weight, &zeros));
    let input = Floats::of(&saved.input);
    let [of_grad, of_convolved, constant] = factors.map(spread);
    let (of_weight, of_input) = simd::run(Propagate {
        geometry: g,
        grad: grad.storage::<f32>().as_chunks().0,
        convolved: &saved.convolved,
        of_grad: &of_grad,
        of_convolved: &of_convolved,
        constant: &constant,
        samples,
        input: input.lanes(),
        direct: direct.as_ref(),
    });
    let shape = [samples.div_ceil(LANES), g.height, g.width, g.inputs, LANES];
    let of_shift = of_shift.iter().map(|x| *x as f32).collect();
    [
        of_input.map(|values| tensor(values.into_flattened(), shape)),
        Some(tensor(of_weight, [g.outputs, g.inputs, g.kernel, g.kernel])),
        Some(tensor(of_scale, [g.outputs])),
        Some(tensor(of_shift, [g.outputs])),
        Some(grad),
    ]
}

/// The tensor in the graph.
pub(super) fn tracked<const D: usize>(tensor: Tensor<D>) -> Option<FloatTensor<Tracked>> {
    tensor.try_into_primitive::<Tracked>().ok()
}

pub(super) fn flex<const D: usize>(tensor: Tensor<D>) -> FlexTensor {
    match tensor.try_into_primitive::<Flex>() {
        Ok(tensor) => tensor,
        Err(_) => unreachable!("tensors of one layer are on one device"),
    }
}

/// The numbers of a tensor, which is made contiguous first where it must be.
pub(super) struct Floats {
    tensor: FlexTensor,
}

impl Floats {
    pub(super) fn of(tensor: &FlexTensor) -> Self {
        let tensor = if tensor.is_contiguous() {
            tensor.clone()
        } else {
            tensor.to_contiguous()
        };
        Self { tensor }
    }

    fn slice(&self) -> &[f32] {
        let layout = self.tensor.layout();
        let start = layout.start_offset();
        &self.tensor.storage()[start..start + layout.num_elements()]
    }

    pub(super) fn lanes(&self) -> &[Lane] {
        self.slice().as_chunks().0
    }
}

fn floats(tensor: &FlexTensor) -> Vec<f32> {
    Floats::of(tensor).slice().to_vec()
}

/// A tensor with the memory of `values`.
pub(super) fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    debug_assert_eq!(values.len(), shape.iter().product::<usize>());
    let layout = Layout::contiguous(Shape::from(shape));
    FlexTensor::new(Bytes::from_elems(values), layout, DType::F32)
}

/// A tensor that may be written in place: contiguous from the start of its memory.
fn writable(tensor: FlexTensor) -> FlexTensor {
    let layout = tensor.layout();
    let whole = layout.start_offset() == 0
        && tensor.is_contiguous()
        && tensor.storage::<f32>().len() == layout.num_elements();
    if whole {
        tensor
    } else {
        tensor.to_contiguous()
    }
}
