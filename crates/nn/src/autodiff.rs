//! The fused operations as nodes of burn's autodiff graph.
//!
//! A node keeps only what the wanted gradients need: with critics as constants in the actor's update their inputs are
//! freed at once and no product for their weights is computed.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, TensorMetadata};

use crate::kernels::{Activation, DenseSaved, Kernels, Normed};
use crate::ops::Fused;

#[derive(Debug)]
struct DenseNode;

impl<B: Kernels> Backward<B, 3> for DenseNode {
    type State = DenseSaved<B>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let gradients = B::dense_backward(grad, ops.state);
        let [input, weight, bias] = ops.parents;
        if let (Some(node), Some(gradient)) = (input, gradients.input) {
            grads.register::<B>(node.id, gradient);
        }
        if let Some((of_weight, of_bias)) = gradients.weight_and_bias {
            if let Some(node) = weight {
                grads.register::<B>(node.id, of_weight);
            }
            if let Some(node) = bias {
                grads.register::<B>(node.id, of_bias);
            }
        }
    }
}

#[derive(Debug)]
struct NormNode;

impl<B: Kernels> Backward<B, 3> for NormNode {
    type State = (Normed<B>, FloatTensor<B>);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let (saved, scale) = ops.state;
        let gradients = B::norm_elu_backward(grad, saved, &scale);
        let values = [gradients.input, gradients.scale, gradients.shift];
        for (node, gradient) in ops.parents.into_iter().zip(values) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

impl<B: Kernels, C: CheckpointStrategy> Fused for Autodiff<B, C> {
    fn dense(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        let wants_input = input.is_tracked();
        let wants_weight = weight.is_tracked() || bias.is_tracked();
        let shared_input = input.shape()[0] < weight.shape()[0];
        let (input, input_node) = input.into_parts();
        let (weight, weight_node) = weight.into_parts();
        let (bias, bias_node) = bias.into_parts();
        let output = B::dense(&input, &weight, &bias, activation);
        match DenseNode
            .prepare::<C>([input_node, weight_node, bias_node])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prepared) => {
                let saved = DenseSaved {
                    input: wants_weight.then_some(input),
                    weight: wants_input.then_some(weight),
                    activation,
                    output: (activation != Activation::Linear).then(|| output.clone()),
                    shared_input,
                };
                prepared.finish(saved, output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    fn norm_elu(
        input: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self> {
        let (input, input_node) = input.into_parts();
        let (scale, scale_node) = scale.into_parts();
        let (shift, shift_node) = shift.into_parts();
        let normed = B::norm_elu(input, &scale, &shift, epsilon);
        match NormNode
            .prepare::<C>([input_node, scale_node, shift_node])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prepared) => {
                let output = normed.output.clone();
                prepared.finish((normed, scale), output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(normed.output),
        }
    }
}
