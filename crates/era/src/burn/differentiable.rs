//! Functions of (mean, log std) evaluated on the host with their derivatives, as nodes of burn's graph.

use crate::WithGradient;
use crate::real::Real;
use crate::simd::vectorised;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex};
use burn::tensor::{DType, Element, Tensor, TensorData};

/// How the elements of a row become a value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reduce {
    /// One value per dimension: `[batch, action_dim]`.
    Each,
    /// Their sum: `[batch, 1]`.
    Sum,
}

/// Evaluates `M` functions of one dimension's mean, log std and a constant (noise or action), each with its two derivatives.
pub(super) fn evaluate<const M: usize>(
    [mean, log_std, constant]: [Tensor<2>; 3],
    reduce: [Reduce; M],
    function: impl Fn(f64, f64, f64) -> [WithGradient; M],
) -> [Tensor<2>; M] {
    if mean.dtype() == DType::F32 {
        evaluate_as::<f32, M>([mean, log_std, constant], reduce, function)
    } else {
        evaluate_as::<f64, M>([mean, log_std, constant], reduce, function)
    }
}

fn evaluate_as<T: Real + Element, const M: usize>(
    [mean, log_std, constant]: [Tensor<2>; 3],
    reduce: [Reduce; M],
    function: impl Fn(f64, f64, f64) -> [WithGradient; M],
) -> [Tensor<2>; M] {
    let shape = mean.dims();
    assert!(
        log_std.dims() == shape && constant.dims() == shape,
        "mean, log_std and the third tensor must have one shape"
    );
    let inputs = [&mean, &log_std, &constant].map(host::<T>);
    let inputs = inputs.each_ref().map(Vec::as_slice);
    // Outside autodiff (acting, targets) nobody can ask for the derivatives.
    let outputs = if mean.is_tracked() || log_std.is_tracked() {
        vectorised(
            #[inline(always)]
            || map::<T, M, true>(inputs, function),
        )
    } else {
        vectorised(
            #[inline(always)]
            || map::<T, M, false>(inputs, function),
        )
    };
    let mut reduce = reduce.into_iter();
    outputs.map(|output| {
        let reduce = reduce.next().unwrap_or(Reduce::Each);
        attach(&mean, &log_std, output, shape, reduce)
    })
}

/// The values of a function, row major, and its derivatives if they were asked for.
struct Output<T> {
    value: Vec<T>,
    d_mean: Vec<T>,
    d_log_std: Vec<T>,
}

/// Elements evaluated together: a block of each column lives on the stack, in a form that the compiler vectorises.
const LANES: usize = 32;

#[inline(always)]
fn map<T: Real, const M: usize, const TRACKED: bool>(
    inputs: [&[T]; 3],
    function: impl Fn(f64, f64, f64) -> [WithGradient; M],
) -> [Output<T>; M] {
    let n = inputs[0].len();
    let column = |wanted: bool| vec![T::from_f64(0.0); if wanted { n } else { 0 }];
    let mut outputs: [Output<T>; M] = std::array::from_fn(|_| Output {
        value: column(true),
        d_mean: column(TRACKED),
        d_log_std: column(TRACKED),
    });
    for start in (0..n).step_by(LANES) {
        let block = start..n.min(start + LANES);
        let mean = load(&inputs[0][block.clone()]);
        let log_std = load(&inputs[1][block.clone()]);
        let constant = load(&inputs[2][block.clone()]);
        let mut results = [[[0.0; LANES]; 3]; M];
        for lane in 0..LANES {
            let values = function(mean[lane], log_std[lane], constant[lane]);
            for (result, value) in results.iter_mut().zip(values) {
                result[0][lane] = value.value;
                if TRACKED {
                    result[1][lane] = value.d_mean;
                    result[2][lane] = value.d_log_std;
                }
            }
        }
        for (output, result) in outputs.iter_mut().zip(&results) {
            store(&mut output.value[block.clone()], &result[0]);
            if TRACKED {
                store(&mut output.d_mean[block.clone()], &result[1]);
                store(&mut output.d_log_std[block.clone()], &result[2]);
            }
        }
    }
    outputs
}

#[inline(always)]
fn load<T: Real>(source: &[T]) -> [f64; LANES] {
    let mut lanes = [0.0; LANES];
    for (lane, x) in lanes.iter_mut().zip(source) {
        *lane = x.to_f64();
    }
    lanes
}

#[inline(always)]
fn store<T: Real>(target: &mut [T], lanes: &[f64; LANES]) {
    for (x, lane) in target.iter_mut().zip(lanes) {
        *x = T::from_f64(*lane);
    }
}

pub(super) fn host<T: Element>(tensor: &Tensor<2>) -> Vec<T> {
    let data = tensor.clone().into_data().convert::<T>();
    data.try_into_vec()
        .expect("the data were converted to this type")
}

/// A tensor with the output's values whose gradients flow to `mean` and `log_std` through the output's derivatives.
fn attach<T: Real + Element>(
    mean: &Tensor<2>,
    log_std: &Tensor<2>,
    output: Output<T>,
    [rows, dims]: [usize; 2],
    reduce: Reduce,
) -> Tensor<2> {
    let options = (&mean.device(), mean.dtype());
    let partial =
        |values: Vec<T>| Tensor::<2>::from_data(TensorData::new(values, [rows, dims]), options);
    let value = match reduce {
        Reduce::Each => partial(output.value),
        Reduce::Sum => {
            let sums: Vec<T> = output
                .value
                .chunks_exact(dims)
                .map(|row| T::from_f64(row.iter().copied().map(Real::to_f64).sum()))
                .collect();
            Tensor::from_data(TensorData::new(sums, [rows, 1]), options)
        }
    };
    if !(mean.is_tracked() || log_std.is_tracked()) {
        return value;
    }
    let partials = [partial(output.d_mean), partial(output.d_log_std)];
    custom_node([mean, log_std], &value, &partials)
        .unwrap_or_else(|| composed([mean, log_std], value, partials, reduce))
}

/// The value with its derivatives out of primitives that every backend has.
fn composed(
    inputs: [&Tensor<2>; 2],
    value: Tensor<2>,
    partials: [Tensor<2>; 2],
    reduce: Reduce,
) -> Tensor<2> {
    let mut sum = value;
    for (input, partial) in inputs.into_iter().zip(partials) {
        let term = (input.clone() - input.clone().detach()) * partial;
        sum = sum
            + match reduce {
                Reduce::Each => term,
                Reduce::Sum => term.sum_dim(1),
            };
    }
    sum
}

/// The value as one node of the graph on Flex; `None` on other backends.
fn custom_node(
    [mean, log_std]: [&Tensor<2>; 2],
    value: &Tensor<2>,
    partials: &[Tensor<2>; 2],
) -> Option<Tensor<2>> {
    type Tracked = Autodiff<Flex>;
    let primitive = |tensor: &Tensor<2>| tensor.clone().try_into_primitive::<Tracked>().ok();
    let (mean, log_std) = (primitive(mean)?, primitive(log_std)?);
    let value = primitive(value)?.into_primitive();
    let [d_mean, d_log_std] = partials;
    let state = (
        primitive(d_mean)?.into_primitive(),
        primitive(d_log_std)?.into_primitive(),
    );
    let preparation = Linear
        .prepare::<burn::backend::autodiff::checkpoint::strategy::NoCheckpointing>([
            mean.node(),
            log_std.node(),
        ])
        .compute_bound()
        .stateful();
    let output = match preparation {
        OpsKind::Tracked(preparation) => preparation.finish(state, value),
        OpsKind::UnTracked(preparation) => preparation.finish(value),
    };
    Some(Tensor::from_primitive::<Tracked>(output))
}

/// Multiplies the incoming gradient with the two stored derivatives; an incoming `[batch, 1]` is broadcast.
#[derive(Debug)]
struct Linear;

impl<B: Backend> Backward<B, 2> for Linear {
    type State = (FloatTensor<B>, FloatTensor<B>);

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let grad = grads.consume::<B>(&ops.node);
        let (d_mean, d_log_std) = ops.state;
        for (parent, partial) in ops.parents.into_iter().zip([d_mean, d_log_std]) {
            if let Some(parent) = parent {
                grads.register::<B>(parent.id, B::float_mul(grad.clone(), partial));
            }
        }
    }
}
