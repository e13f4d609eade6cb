//! The operations as nodes of burn's autodiff graph. A node keeps only what the wanted gradients need.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, TensorMetadata};
use std::sync::Arc;

use super::kernels::{Attended, TransformerKernels};
use super::layout::{Layout, Targets};
use super::ops::Transformer;

/// Operands of a product that are kept.
#[derive(Clone, Debug)]
struct Linear<B: Backend> {
    /// Kept where the weight's gradient is wanted.
    input: Option<FloatTensor<B>>,
    /// Kept where the input's gradient is wanted.
    weight: Option<FloatTensor<B>>,
    transposed: bool,
    /// Rows of what was added.
    added: usize,
}

#[derive(Debug)]
struct LinearNode;

impl<B: TransformerKernels> Backward<B, 3> for LinearNode {
    type State = Linear<B>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let [input, weight, add] = ops.parents;
        let saved = ops.state;
        if let (Some(node), Some(weight)) = (input, saved.weight) {
            let gradient = B::linear_backward_input(&grad, &weight, saved.transposed);
            grads.register::<B>(node.id, gradient);
        }
        if let (Some(node), Some(input)) = (weight, saved.input) {
            let gradient = B::linear_backward_weight(&grad, &input, saved.transposed);
            grads.register::<B>(node.id, gradient);
        }
        if let Some(node) = add {
            let gradient = if saved.added == grad.shape()[1] {
                grad
            } else {
                B::float_sum_dim(grad, 1)
            };
            grads.register::<B>(node.id, gradient);
        }
    }
}

#[derive(Debug)]
struct PlainLinearNode;

impl<B: TransformerKernels> Backward<B, 2> for PlainLinearNode {
    type State = Linear<B>;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let [input, weight] = ops.parents;
        let saved = ops.state;
        if let (Some(node), Some(weight)) = (input, saved.weight) {
            let gradient = B::linear_backward_input(&grad, &weight, saved.transposed);
            grads.register::<B>(node.id, gradient);
        }
        if let (Some(node), Some(input)) = (weight, saved.input) {
            let gradient = B::linear_backward_weight(&grad, &input, saved.transposed);
            grads.register::<B>(node.id, gradient);
        }
    }
}

#[derive(Debug)]
struct RmsNormNode;

impl<B: TransformerKernels> Backward<B, 2> for RmsNormNode {
    /// Input, inverse root mean squares, scale.
    type State = [FloatTensor<B>; 3];

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let [input, inverse, scale] = ops.state;
        let gradients = B::rms_norm_backward(grad, &input, &inverse, &scale, None);
        let [input, scale] = ops.parents;
        if let Some(node) = input {
            grads.register::<B>(node.id, gradients.0);
        }
        if let Some(node) = scale {
            grads.register::<B>(node.id, gradients.1);
        }
    }
}

#[derive(Debug)]
struct SwigluNode;

impl<B: TransformerKernels> Backward<B, 1> for SwigluNode {
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        if let [Some(node)] = ops.parents {
            grads.register::<B>(node.id, B::swiglu_backward(grad, ops.state));
        }
    }
}

#[derive(Debug)]
struct AttentionNode;

impl<B: TransformerKernels> Backward<B, 1> for AttentionNode {
    type State = (Attended<B>, Arc<Layout>);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let (saved, layout) = ops.state;
        if let [Some(node)] = ops.parents {
            grads.register::<B>(node.id, B::attention_backward(grad, saved, &layout));
        }
    }
}

#[derive(Debug)]
struct LogProbNode;

impl<B: TransformerKernels> Backward<B, 1> for LogProbNode {
    /// Logits and the sums over them.
    type State = (FloatTensor<B>, FloatTensor<B>, Targets);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let (logits, sums, targets) = ops.state;
        if let [Some(node)] = ops.parents {
            let gradient = B::token_log_prob_backward(grad, logits, sums, &targets);
            grads.register::<B>(node.id, gradient);
        }
    }
}

impl<B: TransformerKernels, C: CheckpointStrategy> Transformer for Autodiff<B, C> {
    fn transformer_linear(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        transposed: bool,
    ) -> FloatTensor<Self> {
        let (wants_input, wants_weight) = (input.is_tracked(), weight.is_tracked());
        let (input, input_node) = input.into_parts();
        let (weight, weight_node) = weight.into_parts();
        let output = B::project(&input, &weight, transposed, None);
        match PlainLinearNode
            .prepare::<C>([input_node, weight_node])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prepared) => {
                let saved = Linear {
                    input: wants_weight.then_some(input),
                    weight: wants_input.then_some(weight),
                    transposed,
                    added: 0,
                };
                prepared.finish(saved, output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    fn transformer_linear_add(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        add: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let (wants_input, wants_weight) = (input.is_tracked(), weight.is_tracked());
        let added = add.shape()[1];
        let (input, input_node) = input.into_parts();
        let (weight, weight_node) = weight.into_parts();
        let (add, add_node) = add.into_parts();
        let output = B::project(&input, &weight, false, Some(add));
        match LinearNode
            .prepare::<C>([input_node, weight_node, add_node])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prepared) => {
                let saved = Linear {
                    input: wants_weight.then_some(input),
                    weight: wants_input.then_some(weight),
                    transposed: false,
                    added,
                };
                prepared.finish(saved, output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    fn transformer_rms_norm(
        input: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self> {
        let (input, input_node) = input.into_parts();
        let (scale, scale_node) = scale.into_parts();
        let (output, inverse) = B::rms_norm(&input, &scale, epsilon);
        match RmsNormNode
            .prepare::<C>([input_node, scale_node])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prepared) => prepared.finish([input, inverse, scale], output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    fn transformer_swiglu(input: FloatTensor<Self>) -> FloatTensor<Self> {
        let (input, node) = input.into_parts();
        let output = B::swiglu(&input);
        match SwigluNode.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(input, output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    fn transformer_attention(qkv: FloatTensor<Self>, layout: Arc<Layout>) -> FloatTensor<Self> {
        let (qkv, node) = qkv.into_parts();
        let attended = B::attend(qkv, &layout);
        let output = attended.output.clone();
        match AttentionNode
            .prepare::<C>([node])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prepared) => prepared.finish((attended, layout), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    fn transformer_log_prob(logits: FloatTensor<Self>, targets: Targets) -> FloatTensor<Self> {
        let (logits, node) = logits.into_parts();
        let (output, sums) = B::token_log_prob(&logits, &targets);
        match LogProbNode.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((logits, sums, targets), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}
