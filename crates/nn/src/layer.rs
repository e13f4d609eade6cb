//! The layers of an ensemble of networks of one shape. Parameters are plain tensors outside autodiff.

use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;

use crate::init::orthogonal;
use crate::kernels::Activation;
use crate::mlp::Head;
use crate::ops;

/// x W + b for each of E members.
#[derive(Clone, Debug)]
pub struct Dense {
    /// `[E, inputs, outputs]`.
    pub weight: Tensor<3>,
    /// `[E, 1, outputs]`.
    pub bias: Tensor<3>,
}

impl Dense {
    /// Orthogonal weights of each head's own gain, zero biases.
    pub fn init(
        members: usize,
        inputs: usize,
        heads: &[Head],
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Self {
        let outputs = heads.iter().map(|head| head.outputs).sum();
        let mut weight = vec![0.0; members * inputs * outputs];
        for member in weight.chunks_exact_mut(inputs * outputs) {
            let mut offset = 0;
            for head in heads {
                let block = orthogonal(rng, inputs, head.outputs, head.gain);
                for (row, block) in member
                    .chunks_exact_mut(outputs)
                    .zip(block.chunks_exact(head.outputs))
                {
                    row[offset..offset + head.outputs].copy_from_slice(block);
                }
                offset += head.outputs;
            }
        }
        Self {
            weight: Tensor::from_data(TensorData::new(weight, [members, inputs, outputs]), device),
            bias: Tensor::zeros([members, 1, outputs], device),
        }
    }

    /// `[E or 1, N, inputs]` to `[E, N, outputs]`.
    pub fn forward(&self, input: Tensor<3>, activation: Activation) -> Tensor<3> {
        ops::dense(input, self.weight.clone(), self.bias.clone(), activation)
    }

    pub(crate) fn map(self, change: &mut impl FnMut(Tensor<3>) -> Tensor<3>) -> Self {
        let weight = change(self.weight);
        Self {
            weight,
            bias: change(self.bias),
        }
    }
}

/// Scale and shift of a LayerNorm for each of E members.
#[derive(Clone, Debug)]
pub struct Norm {
    /// `[E, 1, width]`, ones at first.
    pub scale: Tensor<3>,
    /// `[E, 1, width]`, zeros at first.
    pub shift: Tensor<3>,
}

/// What flax's LayerNorm adds to the variance, and so the official SAC-ERA code.
const NORM_EPSILON: f32 = 1e-6;

impl Norm {
    /// The identity after normalising.
    pub fn init(members: usize, width: usize, device: &Device) -> Self {
        Self {
            scale: Tensor::ones([members, 1, width], device),
            shift: Tensor::zeros([members, 1, width], device),
        }
    }

    /// LayerNorm, then ELU: `[E, N, width]`.
    pub fn forward_elu(&self, input: Tensor<3>) -> Tensor<3> {
        ops::norm_elu(input, self.scale.clone(), self.shift.clone(), NORM_EPSILON)
    }

    pub(crate) fn map(self, change: &mut impl FnMut(Tensor<3>) -> Tensor<3>) -> Self {
        let scale = change(self.scale);
        Self {
            scale,
            shift: change(self.shift),
        }
    }
}
