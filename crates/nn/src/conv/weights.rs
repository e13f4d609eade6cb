//! The gradient of a convolution's weights over sixteen samples.

use super::geometry::Geometry;
use super::lanes::{LANES, Lane, Vectors};

/// Channels of each side whose products are kept in registers.
const CHANNELS: usize = 4;

/// Columns that are worked through at once: what four channels need of them stays in the first cache.
const COLUMNS: usize = 128;

/// Adds up the gradient of the weights, block by block.
#[derive(Debug)]
pub(crate) struct WeightGradient {
    geometry: Geometry,
    /// `[taps, outputs, inputs]`.
    sums: Vec<f32>,
    inputs: Vec<[Lane; CHANNELS]>,
    grads: Vec<[Lane; CHANNELS]>,
}

impl WeightGradient {
    /// Zero.
    pub(crate) fn new(geometry: Geometry) -> Self {
        Self {
            geometry,
            sums: vec![0.0; geometry.taps() * geometry.outputs * geometry.inputs],
            inputs: Vec::new(),
            grads: Vec::new(),
        }
    }

    /// `[outputs, inputs, kernel, kernel]`.
    pub(crate) fn finish(self) -> Vec<f32> {
        let pairs = self.geometry.outputs * self.geometry.inputs;
        (0..pairs)
            .flat_map(|pair| self.sums.iter().skip(pair).step_by(pairs).copied())
            .collect()
    }

    /// Adds what one block contributes: `input` `[rows, columns, inputs]`, `grad` `[rows, columns, outputs]`.
    #[inline(always)]
    pub(crate) fn add<A: Vectors>(&mut self, arch: A, input: &[Lane], grad: &[Lane]) {
        let g = self.geometry;
        let (rows, out_width) = (g.out_height(), g.out_width());
        let chunk = (COLUMNS / out_width).clamp(1, rows);
        for first in (0..rows).step_by(chunk) {
            let end = (first + chunk).min(rows);
            // The rows of the input that these rows of the gradient meet.
            let top = (first * g.stride).saturating_sub(g.padding);
            let bottom = ((end - 1) * g.stride + g.kernel).saturating_sub(g.padding);
            let bottom = bottom.min(g.height);
            let (in_row, out_row) = (g.width * g.inputs, out_width * g.outputs);
            by_fours(
                &input[top * in_row..bottom * in_row],
                g.inputs,
                &mut self.inputs,
            );
            by_fours(
                &grad[first * out_row..end * out_row],
                g.outputs,
                &mut self.grads,
            );
            let rows = Rows {
                geometry: g,
                first,
                end,
                top,
            };
            self.add_rows(arch, rows, bottom - top);
        }
    }

    #[inline(always)]
    fn add_rows<A: Vectors>(&mut self, arch: A, rows: Rows, in_rows: usize) {
        let g = self.geometry;
        let out_columns = (rows.end - rows.first) * g.out_width();
        for (i, inputs) in self.inputs.chunks_exact(in_rows * g.width).enumerate() {
            for (o, grads) in self.grads.chunks_exact(out_columns).enumerate() {
                let (i, o) = (i * CHANNELS, o * CHANNELS);
                let valid = CHANNELS.min(g.inputs - i);
                for tap in 0..g.taps() {
                    let products = rows.tap(arch, inputs, grads, tap);
                    for (b, products) in products.iter().enumerate().take(g.outputs - o) {
                        let start = (tap * g.outputs + o + b) * g.inputs + i;
                        let sums = &mut self.sums[start..start + valid];
                        for (sum, product) in sums.iter_mut().zip(products) {
                            *sum += product;
                        }
                    }
                }
            }
        }
    }
}

/// `[columns, channels]` to `[channels / 4, columns, 4]`, with zeros for channels beyond the last. Where channels are a power of
/// two, columns lie that far apart and share a few lines of the first cache; moved together they have all of it.
#[inline(always)]
fn by_fours(values: &[Lane], channels: usize, out: &mut Vec<[Lane; CHANNELS]>) {
    out.clear();
    for first in (0..channels).step_by(CHANNELS) {
        for column in values.chunks_exact(channels) {
            let mut four = [[0.0; LANES]; CHANNELS];
            for (four, channel) in four.iter_mut().zip(&column[first..]) {
                *four = *channel;
            }
            out.push(four);
        }
    }
}

/// Some rows of a block.
#[derive(Clone, Copy)]
struct Rows {
    geometry: Geometry,
    /// The first row of the gradient.
    first: usize,
    /// The row after the last of the gradient.
    end: usize,
    /// The first row of the input.
    top: usize,
}

impl Rows {
    /// Four by four entries of one tap's gradient, `[outputs, inputs]`, summed over samples.
    #[inline(always)]
    fn tap<A: Vectors>(
        self,
        arch: A,
        inputs: &[[Lane; CHANNELS]],
        grads: &[[Lane; CHANNELS]],
        tap: usize,
    ) -> [[f32; CHANNELS]; CHANNELS] {
        let g = self.geometry;
        let (ky, kx) = (tap / g.kernel, tap % g.kernel);
        // Columns of the gradient whose source lies inside.
        let out_width = g.out_width();
        let low = g.padding.saturating_sub(kx).div_ceil(g.stride);
        let high = (g.width + g.padding)
            .saturating_sub(kx)
            .div_ceil(g.stride)
            .min(out_width);
        let mut products = [[arch.splat(0.0); CHANNELS]; CHANNELS];
        for y in self.first..self.end {
            let source = (y * g.stride + ky).checked_sub(g.padding);
            let Some(source) = source.filter(|source| *source < g.height && low < high) else {
                continue;
            };
            let x = low * g.stride + kx - g.padding;
            let inputs = &inputs[(source - self.top) * g.width + x..];
            let grads = &grads[(y - self.first) * out_width..][low..high];
            products = add_row(arch, products, inputs, grads, g.stride);
        }
        let mut sums = [[0.0; CHANNELS]; CHANNELS];
        for (sums, products) in sums.iter_mut().zip(&products) {
            for (sum, product) in sums.iter_mut().zip(products) {
                *sum = arch.sum(*product);
            }
        }
        sums
    }
}

/// Adds the products of one row. It takes and returns them, so that they stay in registers.
#[inline(always)]
fn add_row<A: Vectors>(
    arch: A,
    mut products: [[A::V; CHANNELS]; CHANNELS],
    inputs: &[[Lane; CHANNELS]],
    grads: &[[Lane; CHANNELS]],
    stride: usize,
) -> [[A::V; CHANNELS]; CHANNELS] {
    for (input, grad) in inputs.iter().step_by(stride).zip(grads) {
        let [a, b, c, d] = input;
        let values = [arch.load(a), arch.load(b), arch.load(c), arch.load(d)];
        for (products, grad) in products.iter_mut().zip(grad) {
            let grad = arch.load(grad);
            for (product, value) in products.iter_mut().zip(values) {
                *product = arch.mul_add(grad, value, *product);
            }
        }
    }
    products
}
