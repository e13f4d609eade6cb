//! The operations on Flex: products by `gemm`, vectorised passes over memory for the rest.

use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};
use std::sync::Arc;

use super::attention;
use super::kernels::{Attended, TransformerKernels};
use super::layout::{Layout, Targets};
use super::passes::{self, RmsNormBackward, SUMS};
use super::pool::{self, tensor};
use super::rows;
use crate::flex::{Operand, Values, multiply_add, multiply_over, writable};

impl Values {
    fn matrix(&self, transposed: bool) -> Operand<'_> {
        if transposed {
            self.member_transposed(0)
        } else {
            self.member(0)
        }
    }
}

/// What stands in the result before a product is added: `add` itself, in place, or its one row again and again.
fn begin(add: FlexTensor, rows: usize) -> FlexTensor {
    let [_, given, width] = add.shape().dims();
    if given == rows && add.is_unique() {
        return writable(add);
    }
    let from = Values::of(&add);
    let mut values = pool::buffer(rows * width);
    if given == rows {
        values.copy_from_slice(from.slice());
    } else {
        for row in values.chunks_exact_mut(width) {
            row.copy_from_slice(from.slice());
        }
    }
    tensor(values, [1, rows, width])
}

impl TransformerKernels for Flex {
    fn project(
        input: &FloatTensor<Self>,
        weight: &FloatTensor<Self>,
        transposed: bool,
        add: Option<FloatTensor<Self>>,
    ) -> FloatTensor<Self> {
        let (input, weight) = (Values::of(input), Values::of(weight));
        let (left, right) = (input.member(0), weight.matrix(transposed));
        let [rows, columns] = [left.shape()[0], right.shape()[1]];
        if let Some(add) = add {
            let mut output = begin(add, rows);
            multiply_add(output.storage_mut(), left, right);
            return output;
        }
        let mut output = pool::buffer(rows * columns);
        multiply_over(&mut output, left, right);
        tensor(output, [1, rows, columns])
    }

    fn linear_backward_input(
        grad: &FloatTensor<Self>,
        weight: &FloatTensor<Self>,
        transposed: bool,
    ) -> FloatTensor<Self> {
        <Self as TransformerKernels>::project(grad, weight, !transposed, None)
    }

    fn linear_backward_weight(
        grad: &FloatTensor<Self>,
        input: &FloatTensor<Self>,
        transposed: bool,
    ) -> FloatTensor<Self> {
        let (grad, input) = (Values::of(grad), Values::of(input));
        let (left, right) = if transposed {
            (&grad, &input)
        } else {
            (&input, &grad)
        };
        let shape = [1, left.shape[2], right.shape[2]];
        let mut output = pool::buffer(shape[1] * shape[2]);
        multiply_over(&mut output, left.matrix(true), right.matrix(false));
        tensor(output, shape)
    }

    fn rms_norm(
        input: &FloatTensor<Self>,
        scale: &FloatTensor<Self>,
        epsilon: f32,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let (input, scale) = (Values::of(input), Values::of(scale));
        let shape @ [_, rows, width] = input.shape;
        let (mut output, mut inverse) = (pool::buffer(rows * width), pool::buffer(rows));
        passes::rms_norm(
            input.slice(),
            scale.slice(),
            epsilon,
            &mut output,
            &mut inverse,
        );
        (tensor(output, shape), tensor(inverse, [1, rows, 1]))
    }

    fn rms_norm_backward(
        grad: FloatTensor<Self>,
        input: &FloatTensor<Self>,
        inverse: &FloatTensor<Self>,
        scale: &FloatTensor<Self>,
        onto: Option<FloatTensor<Self>>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let mut grad = writable(grad);
        let mut onto = onto.map(writable);
        let (input, inverse) = (Values::of(input), Values::of(inverse));
        let scale = Values::of(scale);
        let mut of_scale = vec![0.0; scale.slice().len()];
        RmsNormBackward {
            grad: grad.storage_mut(),
            input: input.slice(),
            inverse: inverse.slice(),
            scale: scale.slice(),
            onto: onto.as_mut().map(FlexTensor::storage_mut),
            of_scale: &mut of_scale,
        }
        .run();
        (onto.unwrap_or(grad), tensor(of_scale, scale.shape))
    }

    fn swiglu(input: &FloatTensor<Self>) -> FloatTensor<Self> {
        let input = Values::of(input);
        let [_, rows, width] = input.shape;
        let mut output = pool::buffer(rows * width / 2);
        rows::swiglu_rows(input.slice(), width / 2, &mut output);
        tensor(output, [1, rows, width / 2])
    }

    fn swiglu_backward(grad: FloatTensor<Self>, input: FloatTensor<Self>) -> FloatTensor<Self> {
        let (grad, mut input) = (Values::of(&grad), writable(input));
        passes::swiglu_backward(grad.slice(), grad.shape[2], input.storage_mut());
        input
    }

    fn attend(qkv: FloatTensor<Self>, layout: &Layout) -> Attended<Self> {
        let qkv = Values::of(&qkv);
        let tokens = layout.tokens();
        let mut packed = pool::buffer(qkv.slice().len());
        attention::pack(qkv.slice(), layout, &mut packed);
        let mut output = pool::buffer(tokens * layout.width());
        let mut log_mass = pool::buffer(tokens * layout.heads);
        attention::forward(&packed, layout, &mut output, &mut log_mass);
        Attended {
            output: tensor(output, [1, tokens, layout.width()]),
            rotated: tensor(packed, qkv.shape),
            log_mass: tensor(log_mass, [1, tokens, layout.heads]),
        }
    }

    fn attention_backward(
        grad: FloatTensor<Self>,
        saved: Attended<Self>,
        layout: &Layout,
    ) -> FloatTensor<Self> {
        let (grad, output) = (Values::of(&grad), Values::of(&saved.output));
        let (packed, log_mass) = (Values::of(&saved.rotated), Values::of(&saved.log_mass));
        let mut of_packed = pool::zeros(packed.slice().len());
        attention::Backward {
            layout,
            grad: grad.slice(),
            output: output.slice(),
            packed: packed.slice(),
            log_mass: log_mass.slice(),
        }
        .run(&mut of_packed);
        let mut of_qkv = pool::buffer(of_packed.len());
        attention::unpack(&of_packed, layout, &mut of_qkv);
        pool::give(of_packed);
        tensor(of_qkv, [1, layout.tokens(), layout.qkv_width()])
    }

    fn token_log_prob(
        logits: &FloatTensor<Self>,
        targets: &Targets,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let logits = Values::of(logits);
        let rows = logits.shape[1];
        let (mut output, mut sums) = (pool::buffer(2 * rows), pool::buffer(SUMS * rows));
        passes::token_log_prob(logits.slice(), targets, &mut output, &mut sums);
        (tensor(output, [1, rows, 2]), tensor(sums, [1, rows, SUMS]))
    }

    fn token_log_prob_backward(
        grad: FloatTensor<Self>,
        logits: FloatTensor<Self>,
        sums: FloatTensor<Self>,
        targets: &Targets,
    ) -> FloatTensor<Self> {
        let (grad, sums) = (Values::of(&grad), Values::of(&sums));
        let mut logits = writable(logits);
        passes::token_log_prob_backward(grad.slice(), logits.storage_mut(), sums.slice(), targets);
        logits
    }

    fn gather(table: &FloatTensor<Self>, indexes: &Arc<[u32]>) -> FloatTensor<Self> {
        let table = Values::of(table);
        let width = table.shape[2];
        let mut output = pool::buffer(indexes.len() * width);
        for (index, row) in indexes.iter().zip(output.chunks_exact_mut(width)) {
            let start = *index as usize * width;
            row.copy_from_slice(&table.slice()[start..start + width]);
        }
        tensor(output, [1, indexes.len(), width])
    }

    fn scatter_add(
        onto: FloatTensor<Self>,
        values: &FloatTensor<Self>,
        indexes: &Arc<[u32]>,
    ) -> FloatTensor<Self> {
        let (mut onto, values) = (writable(onto), Values::of(values));
        let width = values.shape[2];
        let table: &mut [f32] = onto.storage_mut();
        for (index, row) in indexes.iter().zip(values.slice().chunks_exact(width)) {
            let start = *index as usize * width;
            for (sum, x) in table[start..start + width].iter_mut().zip(row) {
                *sum += x;
            }
        }
        onto
    }

    fn scatter(rows: usize, values: &FloatTensor<Self>, indexes: &Arc<[u32]>) -> FloatTensor<Self> {
        let width = values.shape()[2];
        let zeros = tensor(pool::zeros(rows * width), [1, rows, width]);
        Self::scatter_add(zeros, values, indexes)
    }
}
