//! Pooling of blocks of sixteen samples.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, Tensor};

use super::composed;
use super::flex::{Floats, Tracked, flex, tensor, tracked};
use super::lanes::{LANES, Lane};

/// The mean over rows and columns, `[B, H, W, C, 16]` to `[samples, C]`; differentiable.
pub fn global_average_pool(input: Tensor<5>, samples: usize) -> Tensor<2> {
    let dims = input.dims();
    let float = input.dtype() == DType::F32;
    if float && input.clone().try_into_primitive::<Flex>().is_ok() {
        let output = average(&flex(input), dims, samples);
        return Tensor::from_primitive::<Flex>(output);
    }
    match tracked(input.clone()) {
        Some(value) if float => {
            let (value, node) = value.into_parts();
            let output = average(&value, dims, samples);
            let preparation = Average.prepare::<NoCheckpointing>([node]);
            let output = match preparation.compute_bound().stateful() {
                OpsKind::Tracked(preparation) => preparation.finish(dims, output),
                OpsKind::UnTracked(preparation) => preparation.finish(output),
            };
            Tensor::from_primitive::<Tracked>(output)
        }
        _ => composed::global_average_pool(input, samples),
    }
}

fn average(
    input: &FlexTensor,
    [_, height, width, channels, _]: [usize; 5],
    samples: usize,
) -> FlexTensor {
    let input = Floats::of(input);
    let scale = 1.0 / (height * width) as f32;
    let mut output = vec![0.0; samples * channels];
    let mut sums: Vec<Lane> = Vec::new();
    let blocks = input.lanes().chunks_exact(height * width * channels);
    for (block, output) in blocks.zip(output.chunks_mut(LANES * channels)) {
        sums.clear();
        sums.resize(channels, [0.0; LANES]);
        for column in block.chunks_exact(channels) {
            for (sum, x) in sums.iter_mut().zip(column) {
                for lane in 0..LANES {
                    sum[lane] += x[lane];
                }
            }
        }
        for (lane, output) in output.chunks_exact_mut(channels).enumerate() {
            for (output, sum) in output.iter_mut().zip(&sums) {
                *output = sum[lane] * scale;
            }
        }
    }
    tensor(output, [samples, channels])
}

#[derive(Debug)]
struct Average;

impl Backward<Flex, 1> for Average {
    type State = [usize; 5];

    fn backward(self, ops: Ops<[usize; 5], 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node);
        let [Some(parent)] = ops.parents else { return };
        let [_, height, width, channels, _] = ops.state;
        let grad = Tensor::<2>::from_primitive::<Flex>(grad) / (height * width) as f64;
        let grad: Vec<f32> = grad.into_data().try_into_vec().unwrap_or_default();
        let mut values: Vec<Lane> = Vec::with_capacity(ops.state.iter().product::<usize>() / LANES);
        for block in grad.chunks(LANES * channels) {
            let mut column = vec![[0.0; LANES]; channels];
            for (lane, sample) in block.chunks_exact(channels).enumerate() {
                for (column, x) in column.iter_mut().zip(sample) {
                    column[lane] = *x;
                }
            }
            for _ in 0..height * width {
                values.extend_from_slice(&column);
            }
        }
        grads.register::<Flex>(parent.id, tensor(values.into_flattened(), ops.state));
    }
}

/// Sizes of a pooling.
#[derive(Clone, Copy, Debug)]
struct Windows {
    dims: [usize; 5],
    kernel: usize,
    stride: usize,
    padding: usize,
}

impl Windows {
    fn out(&self) -> [usize; 5] {
        let [blocks, height, width, channels, lanes] = self.dims;
        let out = |len: usize| (len + 2 * self.padding - self.kernel) / self.stride + 1;
        [blocks, out(height), out(width), channels, lanes]
    }

    /// What the window at `at` covers of an axis of length `len`.
    fn window(&self, at: usize, len: usize) -> std::ops::Range<usize> {
        let start = at * self.stride;
        let end = (start + self.kernel).saturating_sub(self.padding).min(len);
        start.saturating_sub(self.padding)..end
    }

    /// The largest of each window, and where it stands in its block. Of equal ones the first, as in PyTorch.
    fn largest(&self, input: &[Lane]) -> (Vec<Lane>, Vec<[u32; LANES]>) {
        let [_, height, width, channels, _] = self.dims;
        let [blocks, out_height, out_width, ..] = self.out();
        let count = blocks * out_height * out_width * channels;
        let mut output = Vec::with_capacity(count);
        let mut places = Vec::with_capacity(count);
        for block in input.chunks_exact(height * width * channels) {
            for (y, x) in (0..out_height).flat_map(|y| (0..out_width).map(move |x| (y, x))) {
                for channel in 0..channels {
                    let mut best = [f32::NEG_INFINITY; LANES];
                    let mut place = [0_u32; LANES];
                    for row in self.window(y, height) {
                        for column in self.window(x, width) {
                            let at = (row * width + column) * channels + channel;
                            for lane in 0..LANES {
                                if block[at][lane] > best[lane] {
                                    best[lane] = block[at][lane];
                                    place[lane] = at as u32;
                                }
                            }
                        }
                    }
                    output.push(best);
                    places.push(place);
                }
            }
        }
        (output, places)
    }
}

/// The largest number of each window, `[B, H, W, C, 16]` to `[B, H', W', C, 16]`; differentiable.
pub fn max_pool(input: Tensor<5>, kernel: usize, stride: usize, padding: usize) -> Tensor<5> {
    let windows = Windows {
        dims: input.dims(),
        kernel,
        stride,
        padding,
    };
    let float = input.dtype() == DType::F32;
    if float && input.clone().try_into_primitive::<Flex>().is_ok() {
        let (output, _) = windows.largest(Floats::of(&flex(input)).lanes());
        let output = tensor(output.into_flattened(), windows.out());
        return Tensor::from_primitive::<Flex>(output);
    }
    match tracked(input.clone()) {
        Some(value) if float => {
            let (value, node) = value.into_parts();
            let (output, places) = windows.largest(Floats::of(&value).lanes());
            let output = tensor(output.into_flattened(), windows.out());
            let preparation = Max.prepare::<NoCheckpointing>([node]);
            let output = match preparation.compute_bound().stateful() {
                OpsKind::Tracked(preparation) => preparation.finish((windows, places), output),
                OpsKind::UnTracked(preparation) => preparation.finish(output),
            };
            Tensor::from_primitive::<Tracked>(output)
        }
        _ => composed::max_pool(input, kernel, stride, padding),
    }
}

#[derive(Debug)]
struct Max;

impl Backward<Flex, 1> for Max {
    type State = (Windows, Vec<[u32; LANES]>);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = Floats::of(&grads.consume::<Flex>(&ops.node));
        let [Some(parent)] = ops.parents else { return };
        let (windows, places) = ops.state;
        let [blocks, height, width, channels, _] = windows.dims;
        let len = height * width * channels;
        let mut values = vec![[0.0; LANES]; blocks * len];
        let of_block = places.len() / blocks;
        let out = grad.lanes().chunks_exact(of_block);
        let blocks = values.chunks_exact_mut(len).zip(out);
        for ((values, grads), places) in blocks.zip(places.chunks_exact(of_block)) {
            for (grad, place) in grads.iter().zip(places) {
                for lane in 0..LANES {
                    values[place[lane] as usize][lane] += grad[lane];
                }
            }
        }
        grads.register::<Flex>(parent.id, tensor(values.into_flattened(), windows.dims));
    }
}
