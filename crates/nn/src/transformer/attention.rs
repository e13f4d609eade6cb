//! Causal attention with rotary positions on slices: blocks of tokens, one group of heads at a time.
//!
//! Queries, keys and values are packed as `[G, N, H/G, W]`, `[G, N, W]` and `[G, N, W]`, one after another: all queries that meet the same
//! keys are rows of one matrix. Queries are scaled by 1 / sqrt(W) as they are packed.

use pulp::NullaryFnOnce;

use super::layout::{Block, Layout};
use super::rows::rotate;
use crate::simd::{exp, run};

/// Columns of a row that are worked on together; rows of scores are padded to a multiple.
const STEP: usize = 16;

/// A matrix within a slice, by strides.
#[derive(Clone, Copy)]
struct View<'a> {
    data: &'a [f32],
    shape: [usize; 2],
    strides: [usize; 2],
}

impl<'a> View<'a> {
    /// Rows that lie `stride` apart.
    fn new(data: &'a [f32], rows: usize, columns: usize, stride: usize) -> Self {
        Self {
            data,
            shape: [rows, columns],
            strides: [stride, 1],
        }
    }

    fn transposed(self) -> Self {
        let ([rows, columns], [row, column]) = (self.shape, self.strides);
        Self {
            shape: [columns, rows],
            strides: [column, row],
            ..self
        }
    }

    fn check(&self) {
        let last: usize = (0..2).map(|i| (self.shape[i] - 1) * self.strides[i]).sum();
        assert!(last < self.data.len(), "an operand must be whole");
    }
}

/// out = left * right, or added with `add`; rows of `out` lie `stride` apart.
fn product(out: &mut [f32], stride: usize, add: bool, left: View, right: View) {
    let ([m, k], [inner, n]) = (left.shape, right.shape);
    assert_eq!(k, inner, "inner sizes of a product must agree");
    if m == 0 || n == 0 || k == 0 {
        return;
    }
    left.check();
    right.check();
    assert!(
        (m - 1) * stride + n <= out.len() && n <= stride,
        "the result must be whole"
    );
    // SAFETY: all three matrices were checked to lie within their slices.
    #[expect(unsafe_code, reason = "`gemm` takes pointers")]
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            stride as isize,
            add,
            left.data.as_ptr(),
            left.strides[1] as isize,
            left.strides[0] as isize,
            right.data.as_ptr(),
            right.strides[1] as isize,
            right.strides[0] as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// Where the packed queries, keys and values of a group lie.
#[derive(Clone, Copy)]
struct Group {
    query: usize,
    key: usize,
    value: usize,
}

impl Group {
    fn of(layout: &Layout, group: usize) -> Self {
        let plane = layout.tokens() * layout.head_width;
        Self {
            query: group * layout.sharing() * plane,
            key: (layout.heads + group) * plane,
            value: (layout.heads + layout.kv_heads + group) * plane,
        }
    }
}

fn scale(layout: &Layout) -> f32 {
    1.0 / (layout.head_width as f32).sqrt()
}

/// Copies token by token from `[N, qkv]` to the packed layout, rotating queries and keys.
pub(crate) fn pack(qkv: &[f32], layout: &Layout, packed: &mut [f32]) {
    struct Kernel<'a>(&'a [f32], &'a Layout, &'a mut [f32]);
    impl NullaryFnOnce for Kernel<'_> {
        type Output = ();
        #[inline(always)]
        fn call(self) {
            let Self(qkv, layout, packed) = self;
            let (width, sharing, scale) = (layout.head_width, layout.sharing(), scale(layout));
            let rows = qkv.chunks_exact(layout.qkv_width());
            for (token, (row, position)) in rows.zip(&layout.positions).enumerate() {
                let (cos, sin) = layout.rope.at(*position);
                let mut heads = row.chunks_exact(width);
                for head in 0..layout.heads {
                    let (group, member) = (head / sharing, head % sharing);
                    let start = Group::of(layout, group).query + (token * sharing + member) * width;
                    let to = &mut packed[start..start + width];
                    to.copy_from_slice(heads.next().unwrap_or_default());
                    rotate(to, cos, sin);
                    for x in to {
                        *x *= scale;
                    }
                }
                for group in 0..layout.kv_heads {
                    let start = Group::of(layout, group).key + token * width;
                    let to = &mut packed[start..start + width];
                    to.copy_from_slice(heads.next().unwrap_or_default());
                    rotate(to, cos, sin);
                }
                for group in 0..layout.kv_heads {
                    let start = Group::of(layout, group).value + token * width;
                    packed[start..start + width].copy_from_slice(heads.next().unwrap_or_default());
                }
            }
        }
    }
    run(Kernel(qkv, layout, packed));
}

/// The way back for gradients.
pub(crate) fn unpack(packed: &[f32], layout: &Layout, qkv: &mut [f32]) {
    struct Kernel<'a>(&'a [f32], &'a Layout, &'a mut [f32]);
    impl NullaryFnOnce for Kernel<'_> {
        type Output = ();
        #[inline(always)]
        fn call(self) {
            let Self(packed, layout, qkv) = self;
            let (width, sharing, scale) = (layout.head_width, layout.sharing(), scale(layout));
            let rows = qkv.chunks_exact_mut(layout.qkv_width());
            for (token, (row, position)) in rows.zip(&layout.positions).enumerate() {
                let (cos, sin) = layout.rope.at(*position);
                for (head, to) in row.chunks_exact_mut(width).enumerate() {
                    let kind = (head.max(layout.heads) - layout.heads) / layout.kv_heads;
                    let group = (head.max(layout.heads) - layout.heads) % layout.kv_heads;
                    if head < layout.heads {
                        let (group, member) = (head / sharing, head % sharing);
                        let start =
                            Group::of(layout, group).query + (token * sharing + member) * width;
                        turn_back(&packed[start..start + width], cos, sin, scale, to);
                    } else if kind == 0 {
                        let start = Group::of(layout, group).key + token * width;
                        turn_back(&packed[start..start + width], cos, sin, 1.0, to);
                    } else {
                        let start = Group::of(layout, group).value + token * width;
                        to.copy_from_slice(&packed[start..start + width]);
                    }
                }
            }
        }
    }
    run(Kernel(packed, layout, qkv));
}

/// The transpose of a rotation, times `scale`.
#[inline(always)]
fn turn_back(from: &[f32], cos: &[f32], sin: &[f32], scale: f32, to: &mut [f32]) {
    let half = cos.len();
    let (first, second) = from.split_at(half);
    let (to_first, to_second) = to.split_at_mut(half);
    let from = first.iter().zip(second).zip(cos.iter().zip(sin));
    for ((to_a, to_b), ((a, b), (cos, sin))) in to_first.iter_mut().zip(to_second).zip(from) {
        *to_a = (a * cos + b * sin) * scale;
        *to_b = (b * cos - a * sin) * scale;
    }
}

/// One block of one group: the operands of its products.
struct Part<'a> {
    layout: &'a Layout,
    block: &'a Block,
    group: Group,
    packed: &'a [f32],
}

impl<'a> Part<'a> {
    /// The rows of all queries of the block.
    fn rows(&self) -> usize {
        self.block.len * self.layout.sharing()
    }

    fn keys(&self, offset: usize, start: usize, len: usize) -> View<'a> {
        let width = self.layout.head_width;
        View::new(&self.packed[offset + start * width..], len, width, width)
    }

    /// For each part of the keys: rows of the block's matrices from and to, columns from and to, and the keys' tokens.
    fn products(&self) -> impl Iterator<Item = Product> {
        let (sharing, shared) = (self.layout.sharing(), self.block.shared());
        let first = self.block.start;
        let with_prefix = self.block.prefix.map(|(start, len)| Product {
            rows: (0, self.rows()),
            columns: (0, len),
            keys: start,
            add: false,
        });
        let own = self.block.pieces.iter().map(move |piece| Product {
            rows: (
                (piece.start - first) * sharing,
                (piece.start + piece.len - first) * sharing,
            ),
            columns: (shared, shared + piece.key_count()),
            keys: piece.keys,
            add: shared > 0,
        });
        with_prefix.into_iter().chain(own)
    }

    /// left (rows of the block) times the transposed keys or values at `offset`, into `out` with rows of `stride`.
    fn against(&self, out: &mut [f32], stride: usize, left: &[f32], offset: usize) {
        let width = self.layout.head_width;
        for part in self.products() {
            let ((from, to), (column, end)) = (part.rows, part.columns);
            product(
                &mut out[from * stride + column..],
                stride,
                false,
                View::new(&left[from * width..], to - from, width, width),
                self.keys(offset, part.keys, end - column).transposed(),
            );
        }
    }

    /// weights times the keys or values at `offset`, into `out`.
    fn gathered(&self, out: &mut [f32], weights: &[f32], stride: usize, offset: usize) {
        let width = self.layout.head_width;
        for part in self.products() {
            let ((from, to), (column, end)) = (part.rows, part.columns);
            product(
                &mut out[from * width..],
                width,
                part.add,
                View::new(
                    &weights[from * stride + column..],
                    to - from,
                    end - column,
                    stride,
                ),
                self.keys(offset, part.keys, end - column),
            );
        }
    }

    /// The transposed weights times `right` (rows of the block), added to `out` at the keys or values.
    fn spread(
        &self,
        out: &mut [f32],
        weights: &[f32],
        stride: usize,
        right: &[f32],
        offset: usize,
    ) {
        let width = self.layout.head_width;
        for part in self.products() {
            let ((from, to), (column, end)) = (part.rows, part.columns);
            let weights = View::new(
                &weights[from * stride + column..],
                to - from,
                end - column,
                stride,
            );
            product(
                &mut out[offset + part.keys * width..],
                width,
                true,
                weights.transposed(),
                View::new(&right[from * width..], to - from, width, width),
            );
        }
    }

    /// Of each row, how many columns it meets and how many the piece has, whole steps.
    fn extents(&self) -> impl Iterator<Item = (usize, usize)> {
        let (sharing, shared) = (self.layout.sharing(), self.block.shared());
        self.block.pieces.iter().flat_map(move |piece| {
            let before = piece.start - piece.keys;
            let all = (shared + piece.key_count()).next_multiple_of(STEP);
            (0..piece.len * sharing).map(move |row| (shared + before + row / sharing + 1, all))
        })
    }
}

/// A product of a part of the rows with a run of keys.
struct Product {
    rows: (usize, usize),
    columns: (usize, usize),
    keys: usize,
    add: bool,
}

/// e^(score - max), zeros where nothing is met; the sum's inverse and log(sum) + max of each row.
struct Softmax<'a> {
    part: &'a Part<'a>,
    scores: &'a mut [f32],
    stride: usize,
    inverse: &'a mut [f32],
    log_mass: &'a mut [f32],
}

impl NullaryFnOnce for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let rows = self.scores.chunks_mut(self.stride).zip(self.part.extents());
        let results = self.inverse.iter_mut().zip(self.log_mass);
        for ((row, (met, all)), (inverse, log_mass)) in rows.zip(results) {
            row[met..all].fill(f32::NEG_INFINITY);
            let (row, _) = row[..all].as_chunks_mut::<STEP>();
            let mut lanes = [f32::NEG_INFINITY; STEP];
            for x in &*row {
                for i in 0..STEP {
                    lanes[i] = if x[i] > lanes[i] { x[i] } else { lanes[i] };
                }
            }
            let max = lanes.iter().fold(f32::NEG_INFINITY, |a, b| a.max(*b));
            let mut lanes = [0.0; STEP];
            for x in row {
                for i in 0..STEP {
                    x[i] = exp(x[i] - max);
                    lanes[i] += x[i];
                }
            }
            let mass: f32 = lanes.iter().sum();
            *inverse = 1.0 / mass;
            *log_mass = mass.ln() + max;
        }
    }
}

/// Attention of packed tokens: the heads' results `[N, H W]`, and the logarithm of each softmax's denominator `[G, N, H/G]`.
pub(crate) fn forward(packed: &[f32], layout: &Layout, output: &mut [f32], log_mass: &mut [f32]) {
    let (width, sharing, tokens) = (layout.head_width, layout.sharing(), layout.tokens());
    let (mut scores, mut result) = (Vec::new(), Vec::new());
    let mut inverse = Vec::new();
    for block in layout.blocks() {
        let stride = block.keys().next_multiple_of(STEP);
        for group in 0..layout.kv_heads {
            let part = Part {
                layout,
                block: &block,
                group: Group::of(layout, group),
                packed,
            };
            let rows = part.rows();
            grow(&mut scores, rows * stride);
            grow(&mut result, rows * width);
            grow(&mut inverse, rows);
            let queries = &packed[part.group.query + block.start * sharing * width..];
            part.against(&mut scores, stride, queries, part.group.key);
            let first = (group * tokens + block.start) * sharing;
            run(Softmax {
                part: &part,
                scores: &mut scores[..rows * stride],
                stride,
                inverse: &mut inverse[..rows],
                log_mass: &mut log_mass[first..first + rows],
            });
            part.gathered(&mut result, &scores, stride, part.group.value);
            let of_block = output[block.start * layout.width()..].chunks_exact_mut(layout.width());
            let column = group * sharing * width;
            let result = result[..rows * width].chunks_exact(sharing * width);
            for ((token, result), inverse) in
                of_block.zip(result).zip(inverse.chunks_exact(sharing))
            {
                let heads = token[column..column + sharing * width].chunks_exact_mut(width);
                for ((to, from), inverse) in heads.zip(result.chunks_exact(width)).zip(inverse) {
                    for (to, from) in to.iter_mut().zip(from) {
                        *to = from * inverse;
                    }
                }
            }
        }
    }
}

/// Room for `len` values; what stands in it does not matter.
fn grow(buffer: &mut Vec<f32>, len: usize) {
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
}

/// Scores to probabilities, and the gradient of those to that of the scores.
struct SoftmaxBackward<'a> {
    part: &'a Part<'a>,
    scores: &'a mut [f32],
    grads: &'a mut [f32],
    stride: usize,
    log_mass: &'a [f32],
    /// Of each row, gradient times result.
    means: &'a [f32],
}

impl NullaryFnOnce for SoftmaxBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let rows = self
            .scores
            .chunks_mut(self.stride)
            .zip(self.grads.chunks_mut(self.stride));
        let of_row = self.log_mass.iter().zip(self.means);
        for (((row, grad), (met, all)), (log_mass, mean)) in
            rows.zip(self.part.extents()).zip(of_row)
        {
            row[met..all].fill(f32::NEG_INFINITY);
            grad[met..all].fill(0.0);
            let (row, _) = row[..all].as_chunks_mut::<STEP>();
            let (grad, _) = grad[..all].as_chunks_mut::<STEP>();
            for (x, grad) in row.iter_mut().zip(grad) {
                for i in 0..STEP {
                    x[i] = exp(x[i] - log_mass);
                    grad[i] = x[i] * (grad[i] - mean);
                }
            }
        }
    }
}

/// What the backward pass needs.
pub(crate) struct Backward<'a> {
    pub(crate) layout: &'a Layout,
    /// `[N, H W]`.
    pub(crate) grad: &'a [f32],
    pub(crate) output: &'a [f32],
    pub(crate) packed: &'a [f32],
    pub(crate) log_mass: &'a [f32],
}

impl Backward<'_> {
    /// Adds the packed gradients to `out`.
    pub(crate) fn run(&self, out: &mut [f32]) {
        let layout = self.layout;
        let (width, sharing, tokens) = (layout.head_width, layout.sharing(), layout.tokens());
        let (mut scores, mut grads) = (Vec::new(), Vec::new());
        let (mut upstream, mut means) = (Vec::new(), Vec::new());
        for block in layout.blocks() {
            let stride = block.keys().next_multiple_of(STEP);
            for group in 0..layout.kv_heads {
                let part = Part {
                    layout,
                    block: &block,
                    group: Group::of(layout, group),
                    packed: self.packed,
                };
                let rows = part.rows();
                let Group { query, key, value } = part.group;
                grow(&mut scores, rows * stride);
                grow(&mut grads, rows * stride);
                self.upstream(&block, group, &mut upstream, &mut means);
                let first = query + block.start * sharing * width;
                let queries = &self.packed[first..];
                part.against(&mut scores, stride, queries, key);
                part.against(&mut grads, stride, &upstream, value);
                let row = (group * tokens + block.start) * sharing;
                run(SoftmaxBackward {
                    part: &part,
                    scores: &mut scores[..rows * stride],
                    grads: &mut grads[..rows * stride],
                    stride,
                    log_mass: &self.log_mass[row..row + rows],
                    means: &means,
                });
                part.spread(out, &scores, stride, &upstream, value);
                part.spread(out, &grads, stride, queries, key);
                part.gathered(&mut out[first..], &grads, stride, key);
            }
        }
    }

    /// Copies a group's part of the gradient, and takes the products of its rows with the result's.
    fn upstream(&self, block: &Block, group: usize, upstream: &mut Vec<f32>, means: &mut Vec<f32>) {
        let (width, sharing) = (self.layout.head_width, self.layout.sharing());
        let column = group * sharing * width;
        upstream.clear();
        means.clear();
        for token in block.start..block.start + block.len {
            let place = token * self.layout.width() + column;
            let place = place..place + sharing * width;
            let (grad, output) = (&self.grad[place.clone()], &self.output[place]);
            upstream.extend_from_slice(grad);
            for (grad, output) in grad.chunks_exact(width).zip(output.chunks_exact(width)) {
                let products = grad.iter().zip(output).map(|(grad, output)| grad * output);
                means.push(products.sum());
            }
        }
    }
}
