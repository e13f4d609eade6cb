//! An activation on rows as one node of burn's graph on Flex, in `f32`.

use super::differentiable::host;
use crate::simd::vectorised;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{Autodiff, Flex};
use burn::tensor::{DType, Tensor, TensorData};
use std::fmt::Debug;
use std::marker::PhantomData;

/// What the reference computes on slices of whole rows. Both functions are to be `inline(always)`, see [`vectorised`].
pub(super) trait Activation: Clone + Debug + Send + 'static {
    /// The activation of `raw`, into `out`.
    fn forward(&self, raw: &[f32], out: &mut [f32]);
    /// The gradient with respect to `raw` from that with respect to the output.
    fn vjp(&self, raw: &[f32], upstream: &[f32], grad_raw: &mut [f32]);
}

/// The activation of `raw` by the reference; `None` on another backend than Flex or in another type than `f32`.
pub(super) fn fused<A: Activation>(activation: &A, raw: &Tensor<2>) -> Option<Tensor<2>> {
    if raw.dtype() != DType::F32 {
        return None;
    }
    if let Ok(tracked) = raw.clone().try_into_primitive::<Tracked>() {
        let values = host::<f32>(raw);
        let value = evaluate(activation, &raw.clone().inner(), &values);
        let Ok(value) = value.try_into_primitive::<Flex>() else {
            unreachable!("the inner device of an autodiff tensor on Flex is Flex")
        };
        let preparation = Node::<A>(PhantomData)
            .prepare::<NoCheckpointing>([tracked.node()])
            .compute_bound()
            .stateful();
        let output = match preparation {
            OpsKind::Tracked(preparation) => {
                preparation.finish((activation.clone(), values), value)
            }
            OpsKind::UnTracked(preparation) => preparation.finish(value),
        };
        return Some(Tensor::from_primitive::<Tracked>(output));
    }
    if raw.clone().try_into_primitive::<Flex>().is_ok() {
        return Some(evaluate(activation, raw, &host::<f32>(raw)));
    }
    None
}

fn evaluate<A: Activation>(activation: &A, like: &Tensor<2>, raw: &[f32]) -> Tensor<2> {
    let mut out = vec![0.0; raw.len()];
    vectorised(
        #[inline(always)]
        || activation.forward(raw, &mut out),
    );
    Tensor::from_data(TensorData::new(out, like.dims()), &like.device())
}

type Tracked = Autodiff<Flex>;

/// The activation's vector-Jacobian product on Flex.
#[derive(Debug)]
struct Node<A>(PhantomData<A>);

impl<A: Activation> Backward<Flex, 1> for Node<A> {
    type State = (A, Vec<f32>);

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let grad = Tensor::<2>::from_primitive::<Flex>(grads.consume::<Flex>(&ops.node));
        let [Some(parent)] = ops.parents else { return };
        let (activation, raw) = ops.state;
        let upstream = host::<f32>(&grad);
        let mut grad_raw = vec![0.0; raw.len()];
        vectorised(
            #[inline(always)]
            || activation.vjp(&raw, &upstream, &mut grad_raw),
        );
        let grad_raw: Tensor<2> =
            Tensor::from_data(TensorData::new(grad_raw, grad.dims()), &grad.device());
        if let Ok(grad_raw) = grad_raw.try_into_primitive::<Flex>() {
            grads.register::<Flex>(parent.id, grad_raw);
        }
    }
}
