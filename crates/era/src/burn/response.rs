//! The log-probabilities of the tokens taken, under the activation for language models, on tensors.

use super::differentiable::host;
use crate::Vocabulary;
use crate::real::Real;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{Autodiff, Flex};
use burn::tensor::{DType, Element, Tensor, TensorData};

/// log p' of the token taken at each position, in nats, `[positions]`; differentiable in `logits`, the raw ones, `[positions, vocabulary]`.
///
/// `taken` are the tokens, `factors` what [`crate::ResponseEra`] multiplies the logits by (1 without it), one of each for a position, and
/// `vocabulary` says over which tokens the softmax is taken. The factors are constants: the entropy that decided them has no gradient.
///
/// Computed on the host by the `f64` reference ([`Vocabulary::log_prob`], [`Vocabulary::log_prob_vjp`]), values and gradients, whatever the
/// tensor's type. In `f32` on Flex this is one node of the graph; elsewhere the derivatives are kept as a tensor of the logits' shape, and
/// a logit of -infinity makes the value NaN there, if gradients are tracked.
///
/// # Panics
/// When `taken` or `factors` are not one for each position, a token is none of the vocabulary, or a factor is not positive and finite.
pub fn log_probs(
    logits: Tensor<2>,
    taken: &[usize],
    factors: &[f64],
    vocabulary: Vocabulary,
) -> Tensor<1> {
    let [positions, width] = logits.dims();
    assert!(
        taken.len() == positions && factors.len() == positions,
        "there must be one token and one factor for each of {positions} positions"
    );
    let rows = Rows {
        taken: taken.to_vec(),
        factors: factors.to_vec(),
        vocabulary,
        width,
    };
    if logits.dtype() == DType::F32 {
        custom(&logits, &rows).unwrap_or_else(|| composed::<f32>(logits, &rows))
    } else {
        composed::<f64>(logits, &rows)
    }
}

/// What belongs to the rows of logits.
#[derive(Clone, Debug)]
struct Rows {
    taken: Vec<usize>,
    factors: Vec<f64>,
    vocabulary: Vocabulary,
    width: usize,
}

impl Rows {
    fn values<T: Real>(&self, logits: &[T]) -> Vec<T> {
        let rows = logits.chunks_exact(self.width);
        let constants = self.taken.iter().zip(&self.factors);
        rows.zip(constants)
            .map(|(row, (token, factor))| {
                T::from_f64(self.vocabulary.log_prob(row, *token, *factor))
            })
            .collect()
    }

    /// The gradient with respect to the logits from that with respect to the values.
    fn vjp<T: Real>(&self, logits: &[T], upstream: &[T]) -> Vec<T> {
        let mut grad = vec![T::from_f64(0.0); logits.len()];
        let rows = logits.chunks_exact(self.width);
        let rows = rows.zip(grad.chunks_exact_mut(self.width)).zip(upstream);
        let constants = self.taken.iter().zip(&self.factors);
        for (((row, grad), upstream), (token, factor)) in rows.zip(constants) {
            self.vocabulary
                .log_prob_vjp(row, *token, *factor, upstream.to_f64(), grad);
        }
        grad
    }
}

type Tracked = Autodiff<Flex>;

/// The values as one node of the graph, or as plain values where nothing is tracked; `None` on another backend than Flex.
fn custom(logits: &Tensor<2>, rows: &Rows) -> Option<Tensor<1>> {
    let Ok(tracked) = logits.clone().try_into_primitive::<Tracked>() else {
        logits.clone().try_into_primitive::<Flex>().ok()?;
        return Some(plain(logits, rows.values(&host::<f32>(logits))));
    };
    let raw = host::<f32>(logits);
    let value = plain(&logits.clone().inner(), rows.values(&raw));
    let value = value.try_into_primitive::<Flex>().ok()?;
    let preparation = Node
        .prepare::<NoCheckpointing>([tracked.node()])
        .compute_bound()
        .stateful();
    let output = match preparation {
        OpsKind::Tracked(preparation) => preparation.finish((rows.clone(), raw), value),
        OpsKind::UnTracked(preparation) => preparation.finish(value),
    };
    Some(Tensor::from_primitive::<Tracked>(output))
}

fn plain<T: Element>(like: &Tensor<2>, values: Vec<T>) -> Tensor<1> {
    let count = values.len();
    Tensor::from_data(
        TensorData::new(values, [count]),
        (&like.device(), like.dtype()),
    )
}

/// The values with their derivatives out of primitives that every backend has.
fn composed<T: Real + Element>(logits: Tensor<2>, rows: &Rows) -> Tensor<1> {
    let raw = host::<T>(&logits);
    let value = plain(&logits, rows.values(&raw));
    if !logits.is_tracked() {
        return value;
    }
    let ones = vec![T::from_f64(1.0); rows.taken.len()];
    let slopes = TensorData::new(rows.vjp(&raw, &ones), logits.dims());
    let slopes = Tensor::<2>::from_data(slopes, (&logits.device(), logits.dtype()));
    let change = (logits.clone() - logits.detach()) * slopes;
    value + change.sum_dim(1).squeeze_dim(1)
}

/// The vector-Jacobian product on Flex; what it keeps are the logits.
#[derive(Debug)]
struct Node;

impl Backward<Flex, 1> for Node {
    type State = (Rows, Vec<f32>);

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let grad = Tensor::<1>::from_primitive::<Flex>(grads.consume::<Flex>(&ops.node));
        let [Some(parent)] = ops.parents else { return };
        let (rows, raw) = ops.state;
        let upstream = host::<f32>(&grad.clone().unsqueeze_dim(1));
        let shape = [rows.taken.len(), rows.width];
        let grad_raw = TensorData::new(rows.vjp(&raw, &upstream), shape);
        let grad_raw: Tensor<2> = Tensor::from_data(grad_raw, &grad.device());
        if let Ok(grad_raw) = grad_raw.try_into_primitive::<Flex>() {
            grads.register::<Flex>(parent.id, grad_raw);
        }
    }
}
