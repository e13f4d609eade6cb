//! The operations in burn's primitives, for every backend: right, not fast.

use burn::backend::tensor::{Device, FloatTensor, IntTensor};
use burn::backend::{Backend, Scalar, TensorMetadata};
use burn::tensor::{IndexingUpdateOp, IntDType, Shape, Slice, TensorData};
use std::ops::Range;
use std::sync::Arc;

use super::kernels::Attended;
use super::layout::{Layout, Targets};

/// The log-probability of a token that takes no part, a constant of the released ERA code.
pub(crate) const OUTSIDE: f32 = -1e4;

fn scalar(value: f32) -> Scalar {
    Scalar::from(value)
}

fn device<B: Backend>(tensor: &FloatTensor<B>) -> Device<B> {
    tensor.device()
}

fn numbers<B: Backend>(values: Vec<f32>, shape: [usize; 3], device: &Device<B>) -> FloatTensor<B> {
    B::float_from_data(TensorData::new(values, shape), device)
}

fn indexes<B: Backend>(
    values: &[u32],
    shape: impl Into<Shape>,
    device: &Device<B>,
) -> IntTensor<B> {
    let values: Vec<i32> = values.iter().map(|index| *index as i32).collect();
    B::int_from_data(TensorData::new(values, shape), device)
}

/// Part of an axis.
fn part<B: Backend>(tensor: FloatTensor<B>, axis: usize, range: Range<usize>) -> FloatTensor<B> {
    let mut slices = [Slice::full(); 3];
    slices[axis] = Slice::from(range);
    B::float_slice(tensor, &slices)
}

pub(crate) fn linear<B: Backend>(
    input: &FloatTensor<B>,
    weight: &FloatTensor<B>,
    transposed: bool,
    add: Option<FloatTensor<B>>,
) -> FloatTensor<B> {
    let weight = if transposed {
        B::float_swap_dims(weight.clone(), 1, 2)
    } else {
        weight.clone()
    };
    let product = B::float_matmul(input.clone(), weight);
    match add {
        Some(add) => B::float_add(product, add),
        None => product,
    }
}

pub(crate) fn linear_backward_weight<B: Backend>(
    grad: &FloatTensor<B>,
    input: &FloatTensor<B>,
    transposed: bool,
) -> FloatTensor<B> {
    let (left, right) = if transposed {
        (grad, input)
    } else {
        (input, grad)
    };
    B::float_matmul(B::float_swap_dims(left.clone(), 1, 2), right.clone())
}

pub(crate) fn rms_norm<B: Backend>(
    input: &FloatTensor<B>,
    scale: &FloatTensor<B>,
    epsilon: f32,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let square = B::float_mean_dim(B::float_mul(input.clone(), input.clone()), 2);
    let inverse = B::float_recip(B::float_sqrt(B::float_add_scalar(square, scalar(epsilon))));
    let normalised = B::float_mul(input.clone(), inverse.clone());
    (B::float_mul(normalised, scale.clone()), inverse)
}

pub(crate) fn rms_norm_backward<B: Backend>(
    grad: FloatTensor<B>,
    input: &FloatTensor<B>,
    inverse: &FloatTensor<B>,
    scale: &FloatTensor<B>,
    onto: Option<FloatTensor<B>>,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let normalised = B::float_mul(input.clone(), inverse.clone());
    let of_scale = B::float_sum_dim(B::float_mul(grad.clone(), normalised.clone()), 1);
    let pull = B::float_mul(grad, scale.clone());
    let along = B::float_mean_dim(B::float_mul(pull.clone(), normalised.clone()), 2);
    let rest = B::float_sub(pull, B::float_mul(normalised, along));
    let of_input = B::float_mul(rest, inverse.clone());
    let of_input = match onto {
        Some(onto) => B::float_add(onto, of_input),
        None => of_input,
    };
    (of_input, of_scale)
}

fn halves<B: Backend>(input: FloatTensor<B>) -> (FloatTensor<B>, FloatTensor<B>) {
    let width = input.shape()[2];
    (
        part::<B>(input.clone(), 2, 0..width / 2),
        part::<B>(input, 2, width / 2..width),
    )
}

fn sigmoid<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let power = B::float_exp(B::float_neg(x));
    B::float_recip(B::float_add_scalar(power, scalar(1.0)))
}

pub(crate) fn swiglu<B: Backend>(input: FloatTensor<B>) -> FloatTensor<B> {
    let (gate, up) = halves::<B>(input);
    let silu = B::float_mul(gate.clone(), sigmoid::<B>(gate));
    B::float_mul(silu, up)
}

pub(crate) fn swiglu_backward<B: Backend>(
    grad: FloatTensor<B>,
    input: FloatTensor<B>,
) -> FloatTensor<B> {
    let (gate, up) = halves::<B>(input);
    let sigmoid = sigmoid::<B>(gate.clone());
    let silu = B::float_mul(gate, sigmoid.clone());
    // silu' = s + silu (1 - s)
    let rest = B::float_add_scalar(B::float_neg(sigmoid.clone()), scalar(1.0));
    let slope = B::float_add(sigmoid, B::float_mul(silu.clone(), rest));
    let of_gate = B::float_mul(B::float_mul(grad.clone(), up), slope);
    B::float_cat(vec![of_gate, B::float_mul(grad, silu)], 2)
}

/// Rotates `[heads, N, W]` by the positions' angles, or back with `sign` = -1.
fn rotate<B: Backend>(heads: FloatTensor<B>, layout: &Layout, sign: f32) -> FloatTensor<B> {
    let device = device::<B>(&heads);
    let (tokens, width) = (layout.tokens(), layout.head_width);
    let mut tables = [Vec::new(), Vec::new()];
    for position in &layout.positions {
        let (cos, sin) = layout.rope.at(*position);
        tables[0].extend(cos.iter().chain(cos));
        tables[1].extend(sin.iter().map(|sin| -sign * sin));
        tables[1].extend(sin.iter().map(|sin| sign * sin));
    }
    let [cos, sin] = tables.map(|table| numbers::<B>(table, [1, tokens, width], &device));
    let (first, second) = halves::<B>(heads.clone());
    let swapped = B::float_cat(vec![second, first], 2);
    B::float_add(B::float_mul(heads, cos), B::float_mul(swapped, sin))
}

/// Queries (H heads), keys and values (each repeated to H heads) of some tokens of rotated `[H + 2 G, N, W]`.
fn split<B: Backend>(
    rotated: &FloatTensor<B>,
    span: &Range<usize>,
    layout: &Layout,
) -> [FloatTensor<B>; 3] {
    let (heads, kv_heads) = (layout.heads, layout.kv_heads);
    let (tokens, width) = (span.len(), layout.head_width);
    let rotated = part::<B>(rotated.clone(), 1, span.clone());
    let repeat = |from: usize| {
        let some = part::<B>(rotated.clone(), 0, from..from + kv_heads);
        let some = B::float_reshape(some, Shape::from([kv_heads, 1, tokens * width]));
        let all = B::float_repeat_dim(some, 1, layout.sharing());
        B::float_reshape(all, Shape::from([heads, tokens, width]))
    };
    [
        part::<B>(rotated.clone(), 0, 0..heads),
        repeat(heads),
        repeat(heads + kv_heads),
    ]
}

fn scores<B: Backend>(
    query: FloatTensor<B>,
    key: FloatTensor<B>,
    span: &Range<usize>,
    layout: &Layout,
) -> FloatTensor<B> {
    let attends = layout.attends();
    let pairs = span
        .clone()
        .flat_map(|from| span.clone().map(move |to| (from, to)));
    let mask = pairs.map(|(from, to)| if attends(from, to) { 0.0 } else { -1e30 });
    let shape = [1, span.len(), span.len()];
    let mask = numbers::<B>(mask.collect(), shape, &device::<B>(&query));
    let product = B::float_matmul(query, B::float_swap_dims(key, 1, 2));
    let scale = 1.0 / (layout.head_width as f32).sqrt();
    B::float_add(B::float_mul_scalar(product, scalar(scale)), mask)
}

pub(crate) fn attention<B: Backend>(qkv: FloatTensor<B>, layout: &Layout) -> Attended<B> {
    let (heads, kv_heads) = (layout.heads, layout.kv_heads);
    let (tokens, width) = (layout.tokens(), layout.head_width);
    let all = heads + 2 * kv_heads;
    let by_head = B::float_reshape(qkv, Shape::from([tokens, all, width]));
    let by_head = B::float_swap_dims(by_head, 0, 1);
    let turned = rotate::<B>(
        part::<B>(by_head.clone(), 0, 0..heads + kv_heads),
        layout,
        1.0,
    );
    let values = part::<B>(by_head, 0, heads + kv_heads..all);
    let rotated = B::float_cat(vec![turned, values], 0);
    let attend = |span: &Range<usize>| {
        let [query, key, value] = split::<B>(&rotated, span, layout);
        let scores = scores::<B>(query, key, span, layout);
        let max = B::float_max_dim(scores.clone(), 2);
        let mass = B::float_sum_dim(B::float_exp(B::float_sub(scores.clone(), max.clone())), 2);
        let log_mass = B::float_add(B::float_log(mass), max);
        let shares = B::float_exp(B::float_sub(scores, log_mass.clone()));
        (B::float_matmul(shares, value), log_mass)
    };
    let (outputs, log_masses) = layout.spans().iter().map(attend).unzip();
    let output = B::float_swap_dims(B::float_cat(outputs, 1), 0, 1);
    Attended {
        output: B::float_reshape(output, Shape::from([1, tokens, heads * width])),
        rotated,
        log_mass: B::float_cat(log_masses, 1),
    }
}

pub(crate) fn attention_backward<B: Backend>(
    grad: FloatTensor<B>,
    saved: Attended<B>,
    layout: &Layout,
) -> FloatTensor<B> {
    let (heads, kv_heads) = (layout.heads, layout.kv_heads);
    let (tokens, width) = (layout.tokens(), layout.head_width);
    let by_head = |tensor| {
        let tensor = B::float_reshape(tensor, Shape::from([tokens, heads, width]));
        B::float_swap_dims(tensor, 0, 1)
    };
    let transposed = |tensor| B::float_swap_dims(tensor, 1, 2);
    let (grad, output) = (by_head(grad), by_head(saved.output));
    let mut gradients = [Vec::new(), Vec::new(), Vec::new()];
    for span in &layout.spans() {
        let of = |tensor: &FloatTensor<B>| part::<B>(tensor.clone(), 1, span.clone());
        let (grad, output) = (of(&grad), of(&output));
        let [query, key, value] = split::<B>(&saved.rotated, span, layout);
        let scores = scores::<B>(query.clone(), key.clone(), span, layout);
        let shares = B::float_exp(B::float_sub(scores, of(&saved.log_mass)));
        let of_value = B::float_matmul(transposed(shares.clone()), grad.clone());
        let of_shares = B::float_matmul(grad.clone(), transposed(value));
        let mean = B::float_sum_dim(B::float_mul(grad, output), 2);
        let of_scores = B::float_mul(shares, B::float_sub(of_shares, mean));
        let scale = scalar(1.0 / (width as f32).sqrt());
        let of_scores = B::float_mul_scalar(of_scores, scale);
        gradients[0].push(B::float_matmul(of_scores.clone(), key));
        gradients[1].push(B::float_matmul(transposed(of_scores), query));
        gradients[2].push(of_value);
    }
    let [of_query, of_key, of_value] = gradients.map(|parts| B::float_cat(parts, 1));
    let together = |tensor| {
        let shape = Shape::from([kv_heads, layout.sharing(), tokens * width]);
        let sum = B::float_sum_dim(B::float_reshape(tensor, shape), 1);
        B::float_reshape(sum, Shape::from([kv_heads, tokens, width]))
    };
    let turned = B::float_cat(vec![of_query, together(of_key)], 0);
    let back = rotate::<B>(turned, layout, -1.0);
    let all = B::float_cat(vec![back, together(of_value)], 0);
    let shape = Shape::from([1, tokens, layout.qkv_width()]);
    B::float_reshape(B::float_swap_dims(all, 0, 1), shape)
}

/// 1 for the logits that take part, 0 for the others: the `count` largest, of equals the first.
fn members<B: Backend>(logits: &FloatTensor<B>, count: usize) -> FloatTensor<B> {
    let [_, rows, _] = logits.shape().dims();
    let device = device::<B>(logits);
    let mut rest = logits.clone();
    let mut members = B::float_mul_scalar(logits.clone(), scalar(0.0));
    for _ in 0..count {
        let place = B::float_argmax(rest.clone(), 2, IntDType::I32);
        let fill = |value| numbers::<B>(vec![value; rows], [1, rows, 1], &device);
        let add = IndexingUpdateOp::Add;
        members = B::float_scatter(2, members, place.clone(), fill(1.0), add);
        rest = B::float_scatter(2, rest, place, fill(-1e30), add);
    }
    members
}

/// What both passes compute of the logits.
struct LogProb<B: Backend> {
    taken: IntTensor<B>,
    factors: FloatTensor<B>,
    /// Logits relative to the largest of their row.
    relative: FloatTensor<B>,
    max: FloatTensor<B>,
    /// e^(factor * relative) of those that take part, 0 of the others.
    powers: FloatTensor<B>,
    /// 1 where the taken token takes part.
    inside: FloatTensor<B>,
}

impl<B: Backend> LogProb<B> {
    fn new(logits: &FloatTensor<B>, targets: &Targets) -> Self {
        let [_, rows, vocabulary] = logits.shape().dims();
        let device = device::<B>(logits);
        let taken = indexes::<B>(&targets.taken, [1, rows, 1], &device);
        let factors = numbers::<B>(targets.factors.to_vec(), [1, rows, 1], &device);
        let max = B::float_max_dim(logits.clone(), 2);
        let relative = B::float_sub(logits.clone(), max.clone());
        let powers = B::float_exp(B::float_mul(relative.clone(), factors.clone()));
        let (powers, inside) = match targets.top {
            Some(count) if count < vocabulary => {
                let members = members::<B>(logits, count);
                let inside = B::float_gather(2, members.clone(), taken.clone());
                (B::float_mul(powers, members), inside)
            }
            _ => (powers, numbers::<B>(vec![1.0; rows], [1, rows, 1], &device)),
        };
        Self {
            taken,
            factors,
            relative,
            max,
            powers,
            inside,
        }
    }
}

pub(crate) fn token_log_prob<B: Backend>(
    logits: &FloatTensor<B>,
    targets: &Targets,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let one = LogProb::<B>::new(logits, targets);
    let all = B::float_exp(one.relative.clone());
    let mass = B::float_sum_dim(all.clone(), 2);
    let log_mass = B::float_log(mass.clone());
    let mean = B::float_sum_dim(B::float_mul(all, one.relative.clone()), 2);
    let entropy = B::float_sub(log_mass.clone(), B::float_div(mean, mass));
    let log_scaled_mass = B::float_log(B::float_sum_dim(one.powers, 2));
    let logit = B::float_mul(B::float_gather(2, one.relative, one.taken), one.factors);
    let log_prob = B::float_sub(logit, log_scaled_mass.clone());
    let outside = B::float_add_scalar(B::float_neg(one.inside.clone()), scalar(1.0));
    let log_prob = B::float_add(
        B::float_mul(log_prob, one.inside),
        B::float_mul_scalar(outside, scalar(OUTSIDE)),
    );
    let output = B::float_cat(vec![log_prob, entropy.clone()], 2);
    let sums = B::float_cat(vec![one.max, log_mass, log_scaled_mass, entropy], 2);
    (output, sums)
}

pub(crate) fn token_log_prob_backward<B: Backend>(
    grad: &FloatTensor<B>,
    logits: &FloatTensor<B>,
    sums: &FloatTensor<B>,
    targets: &Targets,
) -> FloatTensor<B> {
    let one = LogProb::<B>::new(logits, targets);
    let column = |tensor: &FloatTensor<B>, i: usize| part::<B>(tensor.clone(), 2, i..i + 1);
    let of_log_prob = B::float_mul(B::float_mul(column(grad, 0), one.factors), one.inside);
    let scaled_mass = B::float_exp(column(sums, 2));
    let shares = B::float_div(one.powers, scaled_mass);
    let spread = B::float_neg(B::float_mul(shares, of_log_prob.clone()));
    let add = IndexingUpdateOp::Add;
    let from_log_prob = B::float_scatter(2, spread, one.taken, of_log_prob, add);
    let log_shares = B::float_sub(one.relative, column(sums, 1));
    let weight = B::float_add(log_shares.clone(), column(sums, 3));
    let pull = B::float_mul(B::float_exp(log_shares), weight);
    let from_entropy = B::float_mul(pull, column(grad, 1));
    B::float_sub(from_log_prob, from_entropy)
}

pub(crate) fn gather<B: Backend>(table: &FloatTensor<B>, rows: &Arc<[u32]>) -> FloatTensor<B> {
    let indexes = indexes::<B>(rows, [rows.len()], &device::<B>(table));
    B::float_select(table.clone(), 1, indexes)
}

pub(crate) fn scatter_add<B: Backend>(
    onto: FloatTensor<B>,
    values: &FloatTensor<B>,
    rows: &Arc<[u32]>,
) -> FloatTensor<B> {
    let indexes = indexes::<B>(rows, [rows.len()], &device::<B>(&onto));
    B::float_select_assign(onto, 1, indexes, values.clone(), IndexingUpdateOp::Add)
}

/// As many rows of zeros, as wide as those of `like`.
pub(crate) fn zeros<B: Backend>(like: &FloatTensor<B>, rows: usize) -> FloatTensor<B> {
    let width = like.shape()[2];
    numbers::<B>(
        vec![0.0; rows * width],
        [1, rows, width],
        &device::<B>(like),
    )
}
