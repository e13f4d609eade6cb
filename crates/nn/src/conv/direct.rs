//! Direct convolutions of sixteen samples: forward, and backward to the input.

use std::mem::MaybeUninit;

use super::geometry::{Axis, Geometry};
use super::lanes::{LANES, Lane, Vectors};

/// Channels of the result that are kept in registers.
const CHANNELS: usize = 8;

/// A sum over taps and channels for every number of the result.
#[derive(Debug)]
pub(crate) struct Direct<'a> {
    along_y: Axis,
    along_x: Axis,
    kernel: usize,
    /// Columns and channels of what is read.
    from: (usize, usize),
    /// Columns and channels of the result.
    to: (usize, usize),
    /// Distance of columns that meet the same taps: the stride, backward.
    step: usize,
    /// `[blocks of 8 channels of the result, taps, channels that are read, 8]`.
    packed: Vec<f32>,
    zeros: &'a [Lane],
}

/// Zeros for [`Direct`]: what taps outside of the image read.
pub(crate) fn zeros(g: &Geometry) -> Vec<Lane> {
    vec![[0.0; LANES]; g.inputs.max(g.outputs)]
}

impl<'a> Direct<'a> {
    /// From input to output, with weights `[outputs, inputs, kernel, kernel]`.
    pub(crate) fn forward(g: &Geometry, weight: &[f32], zeros: &'a [Lane]) -> Self {
        let (stride, padding) = (g.stride, g.padding);
        let axis = |len| Axis::Forward {
            stride,
            padding,
            len,
        };
        let at = |out: usize, from: usize, tap: usize| (out * g.inputs + from) * g.taps() + tap;
        Self {
            along_y: axis(g.height),
            along_x: axis(g.width),
            kernel: g.kernel,
            from: (g.width, g.inputs),
            to: (g.out_width(), g.outputs),
            step: 1,
            packed: pack(weight, g.outputs, g.inputs, g.taps(), at),
            zeros: &zeros[..g.inputs],
        }
    }

    /// From the gradient of the output to that of the input.
    pub(crate) fn backward(g: &Geometry, weight: &[f32], zeros: &'a [Lane]) -> Self {
        let (stride, padding) = (g.stride, g.padding);
        let axis = |len| Axis::Backward {
            stride,
            padding,
            len,
        };
        let at = |out: usize, from: usize, tap: usize| (from * g.inputs + out) * g.taps() + tap;
        Self {
            along_y: axis(g.out_height()),
            along_x: axis(g.out_width()),
            kernel: g.kernel,
            from: (g.out_width(), g.outputs),
            to: (g.width, g.inputs),
            step: g.stride,
            packed: pack(weight, g.inputs, g.outputs, g.taps(), at),
            zeros: &zeros[..g.outputs],
        }
    }

    /// Numbers of a row of the result.
    pub(crate) fn row_len(&self) -> usize {
        self.to.0 * self.to.1
    }

    /// Row `y` of the result of one block, `[columns, channels]`. All of `row` is written.
    #[inline(always)]
    pub(crate) fn row<A: Vectors>(
        &self,
        arch: A,
        from: &[Lane],
        y: usize,
        row: &mut [MaybeUninit<Lane>],
    ) {
        let row = &mut row[..self.row_len()];
        let panel = self.kernel * self.kernel * self.from.1 * CHANNELS;
        for (block, weights) in self.packed.chunks_exact(panel).enumerate() {
            for first in 0..self.step.min(self.to.0) {
                let mut left = (self.to.0 - first).div_ceil(self.step);
                let mut at = Place {
                    y,
                    x: first,
                    channel: block * CHANNELS,
                };
                while left > 0 {
                    let columns = left.min(A::COLUMNS);
                    if columns == 2 {
                        self.columns::<A, 2>(arch, from, weights, at, row);
                    } else {
                        self.columns::<A, 1>(arch, from, weights, at, row);
                    }
                    left -= columns;
                    at.x += columns * self.step;
                }
            }
        }
    }

    /// Eight channels of `N` columns.
    #[inline(always)]
    fn columns<A: Vectors, const N: usize>(
        &self,
        arch: A,
        from: &[Lane],
        weights: &[f32],
        at: Place,
        row: &mut [MaybeUninit<Lane>],
    ) {
        let (width, channels) = self.from;
        let mut sums = [[arch.splat(0.0); N]; CHANNELS];
        for ky in 0..self.kernel {
            let Some(y) = self.along_y.source(at.y, ky) else {
                continue;
            };
            for kx in 0..self.kernel {
                let mut sources = [self.zeros; N];
                let mut any = false;
                for (n, source) in sources.iter_mut().enumerate() {
                    if let Some(x) = self.along_x.source(at.x + n * self.step, kx) {
                        let start = (y * width + x) * channels;
                        *source = &from[start..start + channels];
                        any = true;
                    }
                }
                if any {
                    let tap = (ky * self.kernel + kx) * channels * CHANNELS;
                    let (weights, _) = weights[tap..tap + channels * CHANNELS].as_chunks();
                    sums = add_tap(arch, sums, sources, weights);
                }
            }
        }
        self.store(arch, sums, at, row);
    }

    #[inline(always)]
    fn store<A: Vectors, const N: usize>(
        &self,
        arch: A,
        sums: [[A::V; N]; CHANNELS],
        at: Place,
        row: &mut [MaybeUninit<Lane>],
    ) {
        let channels = self.to.1;
        for n in 0..N {
            let mut column = [[0.0; LANES]; CHANNELS];
            for (column, sums) in column.iter_mut().zip(&sums) {
                *column = arch.store(sums[n]);
            }
            let start = (at.x + n * self.step) * channels + at.channel;
            let valid = CHANNELS.min(channels - at.channel);
            for (out, value) in row[start..start + valid].iter_mut().zip(&column) {
                out.write(*value);
            }
        }
    }
}

/// A number of the result.
#[derive(Clone, Copy)]
struct Place {
    y: usize,
    x: usize,
    channel: usize,
}

/// Adds what one tap contributes: over the channels that are read, weight times value. It takes and returns the sums, so that they
/// stay in registers.
#[inline(always)]
fn add_tap<A: Vectors, const N: usize>(
    arch: A,
    mut sums: [[A::V; N]; CHANNELS],
    sources: [&[Lane]; N],
    weights: &[[f32; CHANNELS]],
) -> [[A::V; N]; CHANNELS] {
    // One length for all: no index below needs a check.
    let sources = sources.map(|source| &source[..weights.len()]);
    for (channel, weights) in weights.iter().enumerate() {
        let values: [A::V; N] = std::array::from_fn(|n| arch.load(&sources[n][channel]));
        for (sums, weight) in sums.iter_mut().zip(weights) {
            let weight = arch.splat(*weight);
            for n in 0..N {
                sums[n] = arch.mul_add(weight, values[n], sums[n]);
            }
        }
    }
    sums
}

/// Weights in the order in which [`Direct::row`] reads them, with zeros for channels beyond the last.
fn pack(
    weight: &[f32],
    to: usize,
    from: usize,
    taps: usize,
    at: impl Fn(usize, usize, usize) -> usize,
) -> Vec<f32> {
    let mut packed = Vec::with_capacity(to.next_multiple_of(CHANNELS) * taps * from);
    for block in (0..to).step_by(CHANNELS) {
        for tap in 0..taps {
            for from in 0..from {
                packed.extend((block..block + CHANNELS).map(|to_channel| {
                    if to_channel < to {
                        weight[at(to_channel, from, tap)]
                    } else {
                        0.0
                    }
                }));
            }
        }
    }
    packed
}
