//! The fused operations on Flex, burn's CPU backend: products by `gemm`, one vectorised pass over memory for the rest.

use burn::backend::flex::{FlexTensor, Layout};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::{Bytes, DType, Shape};

use crate::adam::AdamStep;
use crate::kernels::{Activation, DenseGradients, DenseSaved, Kernels, NormGradients, Normed};
use crate::rows;

/// A row-major matrix or its transpose, of any number of members.
#[derive(Clone, Copy)]
pub(crate) struct Operand<'a> {
    pub(crate) data: &'a [f32],
    /// Rows and columns as stored.
    pub(crate) shape: [usize; 2],
    pub(crate) transposed: bool,
}

impl Operand<'_> {
    pub(crate) fn shape(&self) -> [usize; 2] {
        let [rows, columns] = self.shape;
        if self.transposed {
            [columns, rows]
        } else {
            [rows, columns]
        }
    }

    /// Row and column strides.
    fn strides(&self) -> [isize; 2] {
        let columns = self.shape[1] as isize;
        if self.transposed {
            [1, columns]
        } else {
            [columns, 1]
        }
    }
}

/// Multiplies into `out` (`m * n` values), which holds what is added to the product, or nothing that was written yet.
///
/// # Safety
/// `out` must be valid for writes of `m * n` values, and for reads of them when `add` is set.
#[expect(unsafe_code, reason = "`gemm` takes pointers")]
unsafe fn multiply(out: *mut f32, add: bool, left: Operand, right: Operand) {
    let ([m, k], [inner, n]) = (left.shape(), right.shape());
    assert_eq!(k, inner, "inner sizes of a product must agree");
    assert!(
        left.data.len() == m * k && right.data.len() == k * n && k > 0,
        "operands must be whole"
    );
    let ([left_row, left_column], [right_row, right_column]) = (left.strides(), right.strides());
    // SAFETY: both operands were checked to be whole above; the caller vouches for `out`.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out,
            1,
            n as isize,
            add,
            left.data.as_ptr(),
            left_column,
            left_row,
            right.data.as_ptr(),
            right_column,
            right_row,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// out += left * right.
pub(crate) fn multiply_add(out: &mut [f32], left: Operand, right: Operand) {
    assert_eq!(
        out.len(),
        left.shape()[0] * right.shape()[1],
        "the result must be whole"
    );
    // SAFETY: `out` is a slice of m * n initialised values.
    #[expect(unsafe_code, reason = "`gemm` takes pointers")]
    unsafe {
        multiply(out.as_mut_ptr(), true, left, right);
    }
}

/// out = left * right.
pub(crate) fn multiply_over(out: &mut [f32], left: Operand, right: Operand) {
    assert_eq!(
        out.len(),
        left.shape()[0] * right.shape()[1],
        "the result must be whole"
    );
    // SAFETY: `out` is a slice of m * n initialised values.
    #[expect(unsafe_code, reason = "`gemm` takes pointers")]
    unsafe {
        multiply(out.as_mut_ptr(), false, left, right);
    }
}

/// Appends left * right to `out`, without writing zeros first.
pub(crate) fn multiply_append(out: &mut Vec<f32>, left: Operand, right: Operand) {
    let size = left.shape()[0] * right.shape()[1];
    out.reserve(size);
    let end = out.spare_capacity_mut()[..size].as_mut_ptr().cast();
    // SAFETY: `reserve` made room for `size` values, which `gemm` writes without reading them, as `add` is not set.
    #[expect(
        unsafe_code,
        reason = "memory that the product overwrites is not cleared first"
    )]
    unsafe {
        multiply(end, false, left, right);
        out.set_len(out.len() + size);
    }
}

/// The values of a tensor, which is made contiguous first if it must.
pub(crate) struct Values {
    tensor: FlexTensor,
    pub(crate) shape: [usize; 3],
}

impl Values {
    pub(crate) fn of(tensor: &FlexTensor) -> Self {
        let contiguous = tensor.is_contiguous();
        let tensor = if contiguous {
            tensor.clone()
        } else {
            tensor.to_contiguous()
        };
        let shape = tensor.shape().dims();
        Self { tensor, shape }
    }

    pub(crate) fn slice(&self) -> &[f32] {
        let start = self.tensor.layout().start_offset();
        &self.tensor.storage()[start..start + self.shape.iter().product::<usize>()]
    }

    /// The matrix of one member; of the only one when all share it.
    pub(crate) fn member(&self, index: usize) -> Operand<'_> {
        let [members, rows, columns] = self.shape;
        let size = rows * columns;
        let start = if members == 1 { 0 } else { index * size };
        Operand {
            data: &self.slice()[start..start + size],
            shape: [rows, columns],
            transposed: false,
        }
    }

    pub(crate) fn member_transposed(&self, index: usize) -> Operand<'_> {
        Operand {
            transposed: true,
            ..self.member(index)
        }
    }
}

/// A tensor with the memory of `values`.
pub(crate) fn tensor(values: Vec<f32>, shape: [usize; 3]) -> FlexTensor {
    debug_assert_eq!(values.len(), shape.iter().product::<usize>());
    FlexTensor::new(
        Bytes::from_elems(values),
        Layout::contiguous(Shape::from(shape)),
        DType::F32,
    )
}

/// A tensor that may be written in place: contiguous from the start of its memory.
pub(crate) fn writable(tensor: FlexTensor) -> FlexTensor {
    let whole = tensor.layout().start_offset() == 0
        && tensor.is_contiguous()
        && tensor.storage::<f32>().len() == tensor.layout().num_elements();
    if whole {
        tensor
    } else {
        tensor.to_contiguous()
    }
}

impl Kernels for Flex {
    fn dense(
        input: &FloatTensor<Self>,
        weight: &FloatTensor<Self>,
        bias: &FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        let (input, weight, bias) = (Values::of(input), Values::of(weight), Values::of(bias));
        let ([members, _, outputs], rows) = (weight.shape, input.shape[1]);
        // The bias stands in the result before the product is added to it: one pass less.
        let mut output = Vec::with_capacity(members * rows * outputs);
        for member in 0..members {
            for _ in 0..rows {
                output.extend_from_slice(bias.member(member).data);
            }
            let start = member * rows * outputs;
            multiply_add(
                &mut output[start..],
                input.member(member),
                weight.member(member),
            );
            match activation {
                Activation::Linear => {}
                Activation::Elu => rows::elu_in_place(&mut output[start..]),
                Activation::Tanh => rows::tanh_in_place(&mut output[start..]),
            }
        }
        tensor(output, [members, rows, outputs])
    }

    fn dense_backward(grad: FloatTensor<Self>, saved: DenseSaved<Self>) -> DenseGradients<Self> {
        let mut grad = writable(grad);
        let [members, rows, outputs] = grad.shape().dims();
        let mut bias = vec![0.0; members * outputs];
        let size = rows * outputs;
        if let Some(output) = &saved.output {
            let output = Values::of(output);
            let backward = match saved.activation {
                Activation::Tanh => rows::tanh_backward,
                Activation::Elu | Activation::Linear => rows::elu_backward,
            };
            let grad = grad.storage_mut::<f32>().chunks_exact_mut(size);
            for (member, (grad, bias)) in grad.zip(bias.chunks_exact_mut(outputs)).enumerate() {
                backward(grad, output.member(member).data, bias);
            }
        } else if saved.input.is_some() {
            let grad = grad.storage::<f32>().chunks_exact(size);
            for (grad, bias) in grad.zip(bias.chunks_exact_mut(outputs)) {
                rows::sum_rows(grad, bias);
            }
        }
        let grad = Values::of(&grad);
        let weight_and_bias = saved.input.map(|input| {
            let input = Values::of(&input);
            let inputs = input.shape[2];
            let mut weight = Vec::with_capacity(members * inputs * outputs);
            for member in 0..members {
                multiply_append(
                    &mut weight,
                    input.member_transposed(member),
                    grad.member(member),
                );
            }
            (
                tensor(weight, [members, inputs, outputs]),
                tensor(bias, [members, 1, outputs]),
            )
        });
        let input = saved.weight.map(|weight| {
            let weight = Values::of(&weight);
            let inputs = weight.shape[1];
            let copies = if saved.shared_input { 1 } else { members };
            let mut input = Vec::with_capacity(copies * rows * inputs);
            for member in 0..members {
                let (left, right) = (grad.member(member), weight.member_transposed(member));
                if member < copies {
                    multiply_append(&mut input, left, right);
                } else {
                    multiply_add(&mut input, left, right);
                }
            }
            tensor(input, [copies, rows, inputs])
        });
        DenseGradients {
            input,
            weight_and_bias,
        }
    }

    fn norm_elu(
        input: FloatTensor<Self>,
        scale: &FloatTensor<Self>,
        shift: &FloatTensor<Self>,
        epsilon: f32,
    ) -> Normed<Self> {
        let mut normalised = writable(input);
        let shape @ [members, rows, width] = normalised.shape().dims();
        let (scale, shift) = (Values::of(scale), Values::of(shift));
        let mut output = vec![0.0; members * rows * width];
        let mut inverse_std = vec![0.0; members * rows];
        let size = rows * width;
        let x = normalised.storage_mut::<f32>().chunks_exact_mut(size);
        let results = output
            .chunks_exact_mut(size)
            .zip(inverse_std.chunks_exact_mut(rows));
        for (member, (x, (output, inverse_std))) in x.zip(results).enumerate() {
            let (scale, shift) = (scale.member(member).data, shift.member(member).data);
            rows::NormForward {
                x,
                scale,
                shift,
                epsilon,
                output,
                inverse_std,
            }
            .run();
        }
        Normed {
            output: tensor(output, shape),
            normalised,
            inverse_std: tensor(inverse_std, [members, rows, 1]),
        }
    }

    fn norm_elu_backward(
        grad: FloatTensor<Self>,
        saved: Normed<Self>,
        scale: &FloatTensor<Self>,
    ) -> NormGradients<Self> {
        let mut grad = writable(grad);
        let [members, rows, width] = grad.shape().dims();
        let scale = Values::of(scale);
        let output = Values::of(&saved.output);
        let normalised = Values::of(&saved.normalised);
        let inverse_std = Values::of(&saved.inverse_std);
        let mut grad_scale = vec![0.0; members * width];
        let mut grad_shift = vec![0.0; members * width];
        let results = grad_scale
            .chunks_exact_mut(width)
            .zip(grad_shift.chunks_exact_mut(width));
        let grads = grad.storage_mut::<f32>().chunks_exact_mut(rows * width);
        for (member, (grad, (grad_scale, grad_shift))) in grads.zip(results).enumerate() {
            let kernel = rows::NormBackward {
                grad,
                output: output.member(member).data,
                normalised: normalised.member(member).data,
                inverse_std: inverse_std.member(member).data,
                scale: scale.member(member).data,
                grad_scale,
                grad_shift,
            };
            kernel.run();
        }
        NormGradients {
            input: grad,
            scale: tensor(grad_scale, [members, 1, width]),
            shift: tensor(grad_shift, [members, 1, width]),
        }
    }

    fn adam(
        parameter: FloatTensor<Self>,
        gradient: &FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        step: AdamStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let gradient = Values::of(gradient);
        let (mut parameter, mut first, mut second) =
            (writable(parameter), writable(first), writable(second));
        rows::adam(
            parameter.storage_mut(),
            gradient.slice(),
            first.storage_mut(),
            second.storage_mut(),
            step,
        );
        (parameter, first, second)
    }

    fn lerp(from: FloatTensor<Self>, to: &FloatTensor<Self>, weight: f32) -> FloatTensor<Self> {
        let mut from = writable(from);
        rows::lerp(from.storage_mut(), Values::of(to).slice(), weight);
        from
    }
}
