//! One block of the transformer, forward and backward, on a tape of its own.

use std::sync::Arc;

use burn::tensor::Tensor;
use era_nn::transformer::tape::{self, Attention};
use era_nn::transformer::{Layout, linear, swiglu};

use super::config::Config;

/// The parameters of one block, in their order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block<'a> {
    attention_norm: &'a Tensor<3>,
    qkv: &'a Tensor<3>,
    qkv_bias: Option<&'a Tensor<3>>,
    out: &'a Tensor<3>,
    mlp_norm: &'a Tensor<3>,
    gate_up: &'a Tensor<3>,
    down: &'a Tensor<3>,
    epsilon: f32,
}

/// What the backward pass of a block needs.
#[derive(Debug)]
pub(super) struct BlockTape {
    input: Tensor<3>,
    attention_norm: Tensor<3>,
    attention_inverse: Tensor<3>,
    attention: Attention,
    middle: Tensor<3>,
    mlp_norm: Tensor<3>,
    mlp_inverse: Tensor<3>,
    gate_up: Tensor<3>,
    gated: Tensor<3>,
}

/// Number of parameters of a block.
pub(super) fn parameter_count(config: &Config) -> usize {
    if config.qkv_bias { 7 } else { 6 }
}

impl<'a> Block<'a> {
    /// `parameters` are those of one block.
    pub(super) fn new(config: &Config, parameters: &'a [Tensor<3>]) -> Self {
        let (qkv_bias, rest) = match parameters {
            [_, _, bias, rest @ ..] if config.qkv_bias => (Some(bias), rest),
            [_, _, rest @ ..] => (None, rest),
            _ => (None, parameters),
        };
        Self {
            attention_norm: &parameters[0],
            qkv: &parameters[1],
            qkv_bias,
            out: &rest[0],
            mlp_norm: &rest[1],
            gate_up: &rest[2],
            down: &rest[3],
            epsilon: config.norm_epsilon as f32,
        }
    }

    /// The output alone.
    pub(super) fn forward(&self, input: Tensor<3>, layout: &Arc<Layout>) -> Tensor<3> {
        let attended = {
            let (normed, _) = tape::rms_norm(&input, self.attention_norm, self.epsilon);
            let qkv = linear(normed, self.qkv.clone(), self.qkv_bias.cloned());
            tape::attention(qkv, layout).output
        };
        let middle = linear(attended, self.out.clone(), Some(input));
        let (normed, _) = tape::rms_norm(&middle, self.mlp_norm, self.epsilon);
        let gated = swiglu(linear(normed, self.gate_up.clone(), None));
        linear(gated, self.down.clone(), Some(middle))
    }

    /// The output and the tape; without the output where only the tape is wanted.
    pub(super) fn record(
        &self,
        input: Tensor<3>,
        layout: &Arc<Layout>,
        output_wanted: bool,
    ) -> (Option<Tensor<3>>, BlockTape) {
        let (attention_norm, attention_inverse) =
            tape::rms_norm(&input, self.attention_norm, self.epsilon);
        let qkv = linear(
            attention_norm.clone(),
            self.qkv.clone(),
            self.qkv_bias.cloned(),
        );
        let attention = tape::attention(qkv, layout);
        let middle = linear(
            attention.output.clone(),
            self.out.clone(),
            Some(input.clone()),
        );
        let (mlp_norm, mlp_inverse) = tape::rms_norm(&middle, self.mlp_norm, self.epsilon);
        let gate_up = linear(mlp_norm.clone(), self.gate_up.clone(), None);
        let gated = swiglu(gate_up.clone());
        let output =
            output_wanted.then(|| linear(gated.clone(), self.down.clone(), Some(middle.clone())));
        let tape = BlockTape {
            input,
            attention_norm,
            attention_inverse,
            attention,
            middle,
            mlp_norm,
            mlp_inverse,
            gate_up,
            gated,
        };
        (output, tape)
    }

    /// The gradient of the input from that of the output, and those of the parameters, in their order.
    pub(super) fn backward(
        &self,
        grad: Tensor<3>,
        tape: BlockTape,
        layout: &Arc<Layout>,
    ) -> (Tensor<3>, Vec<Tensor<3>>) {
        let of_down = tape::linear_backward_weight(&grad, &tape.gated, false);
        drop(tape.gated);
        let of_gated = tape::linear_backward_input(&grad, self.down, false);
        let of_gate_up = tape::swiglu_backward(of_gated, tape.gate_up);
        let of_gate_up_weight = tape::linear_backward_weight(&of_gate_up, &tape.mlp_norm, false);
        let of_norm = tape::linear_backward_input(&of_gate_up, self.gate_up, false);
        drop(of_gate_up);
        let (grad, of_mlp_norm) = tape::rms_norm_backward(
            of_norm,
            &tape.middle,
            &tape.mlp_inverse,
            self.mlp_norm,
            Some(grad),
        );
        let of_out = tape::linear_backward_weight(&grad, &tape.attention.output, false);
        let of_attended = tape::linear_backward_input(&grad, self.out, false);
        let of_qkv = tape::attention_backward(of_attended, tape.attention, layout);
        let of_bias = self.qkv_bias.map(|_| of_qkv.clone().sum_dim(1));
        let of_qkv_weight = tape::linear_backward_weight(&of_qkv, &tape.attention_norm, false);
        let of_norm = tape::linear_backward_input(&of_qkv, self.qkv, false);
        let (grad, of_attention_norm) = tape::rms_norm_backward(
            of_norm,
            &tape.input,
            &tape.attention_inverse,
            self.attention_norm,
            Some(grad),
        );
        let mut gradients = vec![of_attention_norm, of_qkv_weight];
        gradients.extend(of_bias);
        gradients.extend([of_out, of_mlp_norm, of_gate_up_weight, of_down]);
        (grad, gradients)
    }
}
