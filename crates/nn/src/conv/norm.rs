//! A layer on slices: convolution, batch normalisation, addition and ReLU, forward and backward, one pass over memory each.

use std::mem::MaybeUninit;

use pulp::{Simd, WithSimd};

use super::direct::Direct;
use super::geometry::Geometry;
use super::lanes::{Arrays, LANES, Lane, Registers, Vectors};
use super::weights::WeightGradient;

/// Runs `$self.run(arch)` with registers of sixteen lanes where the machine has them.
macro_rules! with_lanes {
    ($name:ident, $output:ty) => {
        impl WithSimd for $name<'_> {
            type Output = $output;

            #[inline(always)]
            fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
                if S::F32_LANES == LANES {
                    self.run(Registers(simd))
                } else {
                    self.run(Arrays)
                }
            }
        }
    };
}

/// A number of every channel, sixteen times, as it is met in memory.
pub(crate) fn spread(numbers: impl IntoIterator<Item = f32>) -> Vec<Lane> {
    numbers.into_iter().map(|number| [number; LANES]).collect()
}

/// 1 for the lanes of `block` that hold samples, 0 for the others.
fn lanes_of(block: usize, samples: usize) -> Lane {
    std::array::from_fn(|lane| f32::from(u8::from(block * LANES + lane < samples)))
}

/// scale * x + shift + other, then perhaps ReLU; lanes without a sample become zero.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Affine<'a> {
    /// `[channels]`, spread.
    pub(crate) scale: &'a [Lane],
    /// `[channels]`, spread.
    pub(crate) shift: &'a [Lane],
    /// `[blocks, rows, columns, channels]`.
    pub(crate) other: Option<&'a [Lane]>,
    pub(crate) relu: bool,
    pub(crate) samples: usize,
}

impl Affine<'_> {
    /// Of a row that begins at `start` in all of the tensor. All of `row` is written.
    #[inline(always)]
    fn apply(&self, from: &[Lane], row: &mut [MaybeUninit<Lane>], start: usize) {
        let channels = self.scale.len();
        let columns = row
            .chunks_exact_mut(channels)
            .zip(from.chunks_exact(channels));
        if let Some(other) = self.other {
            let other = &other[start..start + from.len()];
            for ((column, from), other) in columns.zip(other.chunks_exact(channels)) {
                let terms = self.scale.iter().zip(self.shift).zip(other);
                for ((y, x), ((scale, shift), other)) in column.iter_mut().zip(from).zip(terms) {
                    y.write(std::array::from_fn(|lane| {
                        self.end(scale[lane] * x[lane] + shift[lane] + other[lane])
                    }));
                }
            }
        } else {
            for (column, from) in columns {
                let terms = self.scale.iter().zip(self.shift);
                for ((y, x), (scale, shift)) in column.iter_mut().zip(from).zip(terms) {
                    y.write(std::array::from_fn(|lane| {
                        self.end(scale[lane] * x[lane] + shift[lane])
                    }));
                }
            }
        }
    }

    #[inline(always)]
    fn end(&self, x: f32) -> f32 {
        if self.relu { x.max(0.0) } else { x }
    }
}

/// Appends `len` values, all of which `fill` writes: memory that is written anyway is not cleared first, and a row goes where it
/// belongs while the next numbers of it are computed.
#[inline(always)]
#[expect(
    unsafe_code,
    reason = "clearing memory that is overwritten costs a pass over it"
)]
fn append(values: &mut Vec<Lane>, len: usize, fill: impl FnOnce(&mut [MaybeUninit<Lane>])) {
    values.reserve(len);
    fill(&mut values.spare_capacity_mut()[..len]);
    // SAFETY: `reserve` made room for `len` values, and both callers of `fill` ([`Direct::row`], [`Affine::apply`]) write all of them.
    unsafe {
        values.set_len(values.len() + len);
    }
}

/// Zeros in the lanes that hold no sample.
#[inline(always)]
fn mask(row: &mut [Lane], block: usize, samples: usize) {
    if (block + 1) * LANES > samples {
        let valid = lanes_of(block, samples);
        for x in row {
            for lane in 0..LANES {
                x[lane] = if valid[lane] > 0.0 { x[lane] } else { 0.0 };
            }
        }
    }
}

/// A convolution of all blocks, with sums over its output, or with an affine map on it.
#[derive(Debug)]
pub(crate) struct Convolve<'a> {
    pub(crate) geometry: Geometry,
    pub(crate) direct: &'a Direct<'a>,
    pub(crate) input: &'a [Lane],
    pub(crate) affine: Option<Affine<'a>>,
}

/// The output of a convolution and, of each channel, the sum and the sum of squares; zeros after an affine map.
#[derive(Debug)]
pub(crate) struct Convolved {
    pub(crate) output: Vec<Lane>,
    pub(crate) sum: Vec<f64>,
    pub(crate) square_sum: Vec<f64>,
}

with_lanes!(Convolve, Convolved);

impl Convolve<'_> {
    #[inline(always)]
    fn run<A: Vectors>(self, arch: A) -> Convolved {
        let g = self.geometry;
        let blocks = self.input.len() / g.input_len();
        let row_len = self.direct.row_len();
        let mut convolved = Vec::with_capacity(row_len);
        let mut sums = Sums::new(g.outputs);
        let mut output = Vec::with_capacity(blocks * g.output_len());
        for (block, input) in self.input.chunks_exact(g.input_len()).enumerate() {
            for y in 0..g.out_height() {
                let start = output.len();
                match self.affine {
                    Some(affine) => {
                        convolved.clear();
                        append(
                            &mut convolved,
                            row_len,
                            #[inline(always)]
                            |row| self.direct.row(arch, input, y, row),
                        );
                        append(
                            &mut output,
                            row_len,
                            #[inline(always)]
                            |row| affine.apply(&convolved, row, start),
                        );
                        mask(&mut output[start..], block, affine.samples);
                    }
                    None => {
                        append(
                            &mut output,
                            row_len,
                            #[inline(always)]
                            |row| self.direct.row(arch, input, y, row),
                        );
                        sums.add(&output[start..], &output[start..]);
                    }
                }
            }
        }
        Convolved {
            output,
            sum: sums.first,
            square_sum: sums.second,
        }
    }
}

/// For each channel the sums of x and of x times y: over a row in `f32`, lane by lane, over rows in `f64`.
#[derive(Debug)]
struct Sums {
    first: Vec<f64>,
    second: Vec<f64>,
}

impl Sums {
    fn new(channels: usize) -> Self {
        Self {
            first: vec![0.0; channels],
            second: vec![0.0; channels],
        }
    }

    /// Adds a row. Four channels at a time, so that their sums stay in registers and do not wait for one another.
    #[inline(always)]
    fn add(&mut self, x: &[Lane], y: &[Lane]) {
        let channels = self.first.len();
        let mut channel = 0;
        while channel + 4 <= channels {
            self.add_channels::<4>(x, y, channel);
            channel += 4;
        }
        while channel < channels {
            self.add_channels::<1>(x, y, channel);
            channel += 1;
        }
    }

    #[inline(always)]
    fn add_channels<const N: usize>(&mut self, x: &[Lane], y: &[Lane], channel: usize) {
        let channels = self.first.len();
        let mut sums = [[[0.0_f32; LANES]; 2]; N];
        for (x, y) in x.chunks_exact(channels).zip(y.chunks_exact(channels)) {
            let (x, y) = (&x[channel..channel + N], &y[channel..channel + N]);
            for (sum, (x, y)) in sums.iter_mut().zip(x.iter().zip(y)) {
                for lane in 0..LANES {
                    sum[0][lane] += x[lane];
                    sum[1][lane] += x[lane] * y[lane];
                }
            }
        }
        for (n, [x, xy]) in sums.iter().enumerate() {
            self.first[channel + n] += f64::from(x.iter().sum::<f32>());
            self.second[channel + n] += f64::from(xy.iter().sum::<f32>());
        }
    }
}

/// An affine map of a tensor that is kept.
#[derive(Debug)]
pub(crate) struct Map<'a> {
    pub(crate) input: &'a [Lane],
    /// Numbers of a block and of a row.
    pub(crate) lens: (usize, usize),
    pub(crate) affine: Affine<'a>,
}

with_lanes!(Map, Vec<Lane>);

impl Map<'_> {
    #[inline(always)]
    fn run<A: Vectors>(self, _arch: A) -> Vec<Lane> {
        let (block_len, row_len) = self.lens;
        let mut output = Vec::with_capacity(self.input.len());
        for input in self.input.chunks_exact(row_len) {
            let start = output.len();
            append(
                &mut output,
                row_len,
                #[inline(always)]
                |row| self.affine.apply(input, row, start),
            );
            mask(&mut output[start..], start / block_len, self.affine.samples);
        }
        output
    }
}

/// The first pass backward: the gradient through ReLU, in place, and what normalising needs of it.
#[derive(Debug)]
pub(crate) struct Reduce<'a> {
    pub(crate) grad: &'a mut [Lane],
    /// The layer's output where it ends in a ReLU.
    pub(crate) output: Option<&'a [Lane]>,
    /// The convolution's output.
    pub(crate) convolved: &'a [Lane],
    pub(crate) row_len: usize,
    pub(crate) channels: usize,
}

with_lanes!(Reduce, (Vec<f64>, Vec<f64>));

impl Reduce<'_> {
    /// For each channel, the sum of the gradient and of the gradient times the convolution's output.
    #[inline(always)]
    fn run<A: Vectors>(self, _arch: A) -> (Vec<f64>, Vec<f64>) {
        let mut sums = Sums::new(self.channels);
        for (i, grad) in self.grad.chunks_exact_mut(self.row_len).enumerate() {
            let place = i * self.row_len..(i + 1) * self.row_len;
            if let Some(output) = self.output {
                let output = output[place.clone()].as_flattened();
                for (grad, output) in grad.as_flattened_mut().iter_mut().zip(output) {
                    *grad = if *output > 0.0 { *grad } else { 0.0 };
                }
            }
            sums.add(grad, &self.convolved[place]);
        }
        (sums.first, sums.second)
    }
}

/// The second pass backward: block by block the gradient of the convolution's output, and from it those of weights and input.
#[derive(Debug)]
pub(crate) struct Propagate<'a> {
    pub(crate) geometry: Geometry,
    /// After [`Reduce`].
    pub(crate) grad: &'a [Lane],
    pub(crate) convolved: &'a [Lane],
    /// The gradient of the convolution's output is `of_grad * grad + of_convolved * convolved + constant`; each
    /// `[channels]`, spread.
    pub(crate) of_grad: &'a [Lane],
    pub(crate) of_convolved: &'a [Lane],
    pub(crate) constant: &'a [Lane],
    pub(crate) samples: usize,
    pub(crate) input: &'a [Lane],
    /// Where the gradient of the input is wanted.
    pub(crate) direct: Option<&'a Direct<'a>>,
}

with_lanes!(Propagate, (Vec<f32>, Option<Vec<Lane>>));

impl Propagate<'_> {
    #[inline(always)]
    fn run<A: Vectors>(self, arch: A) -> (Vec<f32>, Option<Vec<Lane>>) {
        let g = self.geometry;
        let mut weights = WeightGradient::new(g);
        let mut of_input = self
            .direct
            .map(|direct| (direct, Vec::with_capacity(self.input.len())));
        let mut grad = vec![[0.0; LANES]; g.output_len()];
        for (block, input) in self.input.chunks_exact(g.input_len()).enumerate() {
            self.convolved_grad(block, &mut grad);
            weights.add(arch, input, &grad);
            if let Some((direct, result)) = &mut of_input {
                for y in 0..g.height {
                    append(
                        result,
                        direct.row_len(),
                        #[inline(always)]
                        |row| direct.row(arch, &grad, y, row),
                    );
                }
            }
        }
        (weights.finish(), of_input.map(|(_, result)| result))
    }

    #[inline(always)]
    fn convolved_grad(&self, block: usize, out: &mut [Lane]) {
        let channels = self.geometry.outputs;
        let place = block * out.len()..(block + 1) * out.len();
        let (grad, convolved) = (&self.grad[place.clone()], &self.convolved[place]);
        let columns = grad
            .chunks_exact(channels)
            .zip(convolved.chunks_exact(channels));
        for (out, (grad, convolved)) in out.chunks_exact_mut(channels).zip(columns) {
            let factors = self
                .of_grad
                .iter()
                .zip(self.of_convolved.iter().zip(self.constant));
            let values = grad.iter().zip(convolved);
            for ((out, (a, (b, c))), (grad, convolved)) in out.iter_mut().zip(factors).zip(values) {
                for lane in 0..LANES {
                    out[lane] = a[lane] * grad[lane] + b[lane] * convolved[lane] + c[lane];
                }
            }
        }
        mask(out, block, self.samples);
    }
}
