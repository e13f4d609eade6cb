//! The activation on tensors.

use super::differentiable::{host, vectorised};
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{Autodiff, Flex};
use burn::tensor::{DType, Tensor, TensorData, activation::softmax};

/// [`crate::GaussianEra`] on tensors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GaussianEra {
    reference: crate::GaussianEra,
}

impl GaussianEra {
    /// Wraps a checked activation.
    pub fn new(reference: crate::GaussianEra) -> Self {
        Self { reference }
    }

    /// The activation on slices.
    pub fn reference(&self) -> &crate::GaussianEra {
        &self.reference
    }

    /// The log standard deviations from the raw head output, both `[batch, action_dim]`; differentiable.
    ///
    /// # Panics
    /// When the rows of `raw` are not as long as the activation's dimensions.
    pub fn log_std(&self, raw: Tensor<2>) -> Tensor<2> {
        assert_eq!(
            raw.dims()[1],
            self.reference.action_dim(),
            "the raw output must have one column per action dimension"
        );
        if raw.dtype() != DType::F32 {
            return self.composed(raw);
        }
        if let Ok(tracked) = raw.clone().try_into_primitive::<Tracked>() {
            let values = host::<f32>(&raw);
            let value = self.evaluate(&raw.inner(), &values);
            let Ok(value) = value.clone().try_into_primitive::<Flex>() else {
                unreachable!("the inner device of an autodiff tensor on Flex is Flex")
            };
            let preparation = Activation
                .prepare::<NoCheckpointing>([tracked.node()])
                .compute_bound()
                .stateful();
            let output = match preparation {
                OpsKind::Tracked(preparation) => {
                    preparation.finish((self.reference, values), value)
                }
                OpsKind::UnTracked(preparation) => preparation.finish(value),
            };
            return Tensor::from_primitive::<Tracked>(output);
        }
        if raw.clone().try_into_primitive::<Flex>().is_ok() {
            let values = host::<f32>(&raw);
            return self.evaluate(&raw, &values);
        }
        self.composed(raw)
    }

    fn evaluate(&self, like: &Tensor<2>, raw: &[f32]) -> Tensor<2> {
        let mut log_std = vec![0.0; raw.len()];
        vectorised(
            #[inline(always)]
            || self.reference.log_std(raw, &mut log_std),
        );
        Tensor::from_data(TensorData::new(log_std, like.dims()), &like.device())
    }

    /// The formula in primitives that every backend has.
    fn composed(&self, raw: Tensor<2>) -> Tensor<2> {
        let config = self.reference.config();
        (softmax(raw, 1) * self.reference.slope() + config.log_std_max)
            .clamp(config.log_std_min, config.log_std_max)
    }
}

type Tracked = Autodiff<Flex>;

/// The activation's vector-Jacobian product on Flex.
#[derive(Debug)]
struct Activation;

impl Backward<Flex, 1> for Activation {
    type State = (crate::GaussianEra, Vec<f32>);

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let grad = Tensor::<2>::from_primitive::<Flex>(grads.consume::<Flex>(&ops.node));
        let [Some(parent)] = ops.parents else { return };
        let (era, raw) = ops.state;
        let upstream = host::<f32>(&grad);
        let mut grad_raw = vec![0.0; raw.len()];
        vectorised(
            #[inline(always)]
            || era.log_std_vjp(&raw, &upstream, &mut grad_raw),
        );
        let grad_raw: Tensor<2> =
            Tensor::from_data(TensorData::new(grad_raw, grad.dims()), &grad.device());
        if let Ok(grad_raw) = grad_raw.try_into_primitive::<Flex>() {
            grads.register::<Flex>(parent.id, grad_raw);
        }
    }
}
