//! Functions of (mean, log std) evaluated on the host with their derivatives, as nodes of burn's graph.

use crate::WithGradient;
use crate::real::Real;
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
    let outputs = map(&inputs, function);
    let mut reduce = reduce.into_iter();
    outputs.map(|output| {
        let reduce = reduce.next().unwrap_or(Reduce::Each);
        attach(&mean, &log_std, output, shape, reduce)
    })
}

/// The values of a function and its derivatives, row major.
struct Output<T> {
    value: Vec<T>,
    d_mean: Vec<T>,
    d_log_std: Vec<T>,
}

fn map<T: Real, const M: usize>(
    [mean, log_std, constant]: &[Vec<T>; 3],
    function: impl Fn(f64, f64, f64) -> [WithGradient; M],
) -> [Output<T>; M] {
    let n = mean.len();
    let mut outputs = std::array::from_fn(|_| Output {
        value: Vec::with_capacity(n),
        d_mean: Vec::with_capacity(n),
        d_log_std: Vec::with_capacity(n),
    });
    for ((mean, log_std), constant) in mean.iter().zip(log_std).zip(constant) {
        let results = function(mean.to_f64(), log_std.to_f64(), constant.to_f64());
        for (output, result) in outputs.iter_mut().zip(results) {
            output.value.push(T::from_f64(result.value));
            output.d_mean.push(T::from_f64(result.d_mean));
            output.d_log_std.push(T::from_f64(result.d_log_std));
        }
    }
    outputs
}

fn host<T: Element>(tensor: &Tensor<2>) -> Vec<T> {
    tensor.clone().into_data().iter::<T>().collect()
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
                .map(|row| T::from_f64(row.iter().map(|x| x.to_f64()).sum()))
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
