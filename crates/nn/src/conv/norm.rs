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
    fn apply<A: Vectors>(
        &self,
        arch: A,
        from: &[Lane],
        row: &mut [MaybeUninit<Lane>],
        start: usize,
    ) {
        let channels = self.scale.len();
        let other = self.other.map(|other| &other[start..start + from.len()]);
        for (place, column) in row.chunks_exact_mut(channels).enumerate() {
            let place = place * channels..(place + 1) * channels;
            let (from, other) = (&from[place.clone()], other.map(|other| &other[place]));
            for (channel, y) in column.iter_mut().enumerate() {
                let scaled = arch.mul(arch.load(&self.scale[channel]), arch.load(&from[channel]));
                let mut sum = arch.add(scaled, arch.load(&self.shift[channel]));
                if let Some(other) = other {
                    sum = arch.add(sum, arch.load(&other[channel]));
                }
                if self.relu {
                    sum = arch.where_positive(sum, sum);
                }
                y.write(arch.store(sum));
            }
        }
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
                            |row| affine.apply(arch, &convolved, row, start),
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
                        sums.add(arch, &output[start..], &output[start..]);
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
    fn add<A: Vectors>(&mut self, arch: A, x: &[Lane], y: &[Lane]) {
        let channels = self.first.len();
        let mut channel = 0;
        while channel < channels {
            if channel + 4 <= channels {
                self.add_channels::<A, 4>(arch, x, y, channel);
                channel += 4;
            } else {
                self.add_channels::<A, 1>(arch, x, y, channel);
                channel += 1;
            }
        }
    }

    #[inline(always)]
    fn add_channels<A: Vectors, const N: usize>(
        &mut self,
        arch: A,
        x: &[Lane],
        y: &[Lane],
        channel: usize,
    ) {
        let channels = self.first.len();
        let mut sums = [arch.splat(0.0); N];
        let mut products = [arch.splat(0.0); N];
        for (x, y) in x.chunks_exact(channels).zip(y.chunks_exact(channels)) {
            let (x, y) = (&x[channel..channel + N], &y[channel..channel + N]);
            for n in 0..N {
                let (x, y) = (arch.load(&x[n]), arch.load(&y[n]));
                sums[n] = arch.add(sums[n], x);
                products[n] = arch.add(products[n], arch.mul(x, y));
            }
        }
        for n in 0..N {
            let [sum, product] = [arch.store(sums[n]), arch.store(products[n])];
            self.first[channel + n] += f64::from(sum.iter().sum::<f32>());
            self.second[channel + n] += f64::from(product.iter().sum::<f32>());
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
    fn run<A: Vectors>(self, arch: A) -> Vec<Lane> {
        let (block_len, row_len) = self.lens;
        let mut output = Vec::with_capacity(self.input.len());
        for input in self.input.chunks_exact(row_len) {
            let start = output.len();
            append(
                &mut output,
                row_len,
                #[inline(always)]
                |row| self.affine.apply(arch, input, row, start),
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
    fn run<A: Vectors>(self, arch: A) -> (Vec<f64>, Vec<f64>) {
        let mut sums = Sums::new(self.channels);
        for (i, grad) in self.grad.chunks_exact_mut(self.row_len).enumerate() {
            let place = i * self.row_len..(i + 1) * self.row_len;
            if let Some(output) = self.output {
                for (grad, output) in grad.iter_mut().zip(&output[place.clone()]) {
                    *grad = arch.store(arch.where_positive(arch.load(output), arch.load(grad)));
                }
            }
            sums.add(arch, grad, &self.convolved[place]);
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
            self.convolved_grad(arch, block, &mut grad);
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
    fn convolved_grad<A: Vectors>(&self, arch: A, block: usize, out: &mut [Lane]) {
        let channels = self.geometry.outputs;
        let place = block * out.len()..(block + 1) * out.len();
        let (grad, convolved) = (&self.grad[place.clone()], &self.convolved[place]);
        let columns = grad
            .chunks_exact(channels)
            .zip(convolved.chunks_exact(channels));
        for (out, (grad, convolved)) in out.chunks_exact_mut(channels).zip(columns) {
            for (channel, out) in out.iter_mut().enumerate() {
                let a = arch.mul(arch.load(&self.of_grad[channel]), arch.load(&grad[channel]));
                let b = arch.mul(
                    arch.load(&self.of_convolved[channel]),
                    arch.load(&convolved[channel]),
                );
                let sum = arch.add(arch.add(a, b), arch.load(&self.constant[channel]));
                *out = arch.store(sum);
            }
        }
        mask(out, block, self.samples);
    }
}
