//! A multi-layer perceptron, or an ensemble of them evaluated as one batched product.

use burn::tensor::{Device, Gradients, Tensor};
use rand_chacha::ChaCha8Rng;

use crate::kernels::Activation;
use crate::layer::{Dense, Norm};

/// A block of outputs with its own gain at initialisation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Head {
    /// Number of outputs.
    pub outputs: usize,
    /// Gain of the orthogonal initialisation.
    pub gain: f64,
}

/// What an [`Mlp`] is built from.
#[derive(Clone, Debug, PartialEq)]
pub struct MlpConfig {
    /// Number of networks, evaluated side by side.
    pub members: usize,
    /// Number of inputs.
    pub inputs: usize,
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Blocks of outputs, side by side.
    pub heads: Vec<Head>,
    /// What hidden layers apply to their output.
    pub activation: Activation,
    /// LayerNorm between each hidden layer's product and its activation, which then has to be ELU.
    pub layer_norm: bool,
}

#[derive(Clone, Debug)]
struct Hidden {
    dense: Dense,
    norm: Option<Norm>,
}

/// Dense, (LayerNorm,) activation, ..., dense. Hidden layers start orthogonal with gain sqrt 2.
#[derive(Clone, Debug)]
pub struct Mlp {
    activation: Activation,
    hidden: Vec<Hidden>,
    output: Vec<Dense>,
}

impl Mlp {
    /// Draws a network.
    pub fn init(config: &MlpConfig, rng: &mut ChaCha8Rng, device: &Device) -> Self {
        let mut inputs = config.inputs;
        let mut hidden = Vec::with_capacity(config.hidden.len());
        for &width in &config.hidden {
            let block = Head {
                outputs: width,
                gain: std::f64::consts::SQRT_2,
            };
            let dense = Dense::init(config.members, inputs, &[block], rng, device);
            let norm = config
                .layer_norm
                .then(|| Norm::init(config.members, width, device));
            hidden.push(Hidden { dense, norm });
            inputs = width;
        }
        let output = Dense::init(config.members, inputs, &config.heads, rng, device);
        Self {
            activation: config.activation,
            hidden,
            output: vec![output],
        }
    }

    /// `[E or 1, N, inputs]` to `[E, N, outputs]`.
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let mut x = input;
        for Hidden { dense, norm } in &self.hidden {
            x = match norm {
                Some(norm) => norm.forward_elu(dense.forward(x, Activation::Linear)),
                None => dense.forward(x, self.activation),
            };
        }
        self.output
            .iter()
            .fold(x, |x, dense| dense.forward(x, Activation::Linear))
    }

    /// The same network with its parameters as leaves of an autodiff graph.
    ///
    /// It shares their memory: drop it before an optimiser's step, so that the step can write in place.
    #[must_use]
    pub fn tracked(&self) -> Self {
        let mut copy = self.clone();
        copy.update(|parameter| parameter.autodiff().require_grad());
        copy
    }

    /// Takes the gradients of a [tracked](Self::tracked) network, in the order of [`Mlp::parameters`]; zero where the loss
    /// does not depend on a parameter.
    pub fn gradients(self, gradients: &mut Gradients) -> Vec<Tensor<3>> {
        let gradient = |parameter: &Tensor<3>| {
            parameter
                .grad_remove(gradients)
                .unwrap_or_else(|| parameter.clone().inner().zeros_like())
        };
        self.parameters().into_iter().map(gradient).collect()
    }

    /// Every parameter: layer by layer weight, bias, (scale, shift).
    pub fn parameters(&self) -> Vec<&Tensor<3>> {
        let mut all = Vec::with_capacity(4 * self.hidden.len() + 2);
        for Hidden { dense, norm } in &self.hidden {
            all.extend([&dense.weight, &dense.bias]);
            all.extend(norm.iter().flat_map(|norm| [&norm.scale, &norm.shift]));
        }
        all.extend(
            self.output
                .iter()
                .flat_map(|dense| [&dense.weight, &dense.bias]),
        );
        all
    }

    /// Names of the parameters, in the order of [`Mlp::parameters`]: `0.weight`, `0.bias`, `0.scale`, ..., `output.bias`.
    pub fn names(&self) -> Vec<String> {
        let mut all = Vec::new();
        for (i, Hidden { norm, .. }) in self.hidden.iter().enumerate() {
            all.extend([format!("{i}.weight"), format!("{i}.bias")]);
            if norm.is_some() {
                all.extend([format!("{i}.scale"), format!("{i}.shift")]);
            }
        }
        all.extend(["output.weight".to_owned(), "output.bias".to_owned()]);
        all
    }

    /// Moves every parameter through `change`, in the order of [`Mlp::parameters`].
    pub fn update(&mut self, mut change: impl FnMut(Tensor<3>) -> Tensor<3>) {
        let hidden = std::mem::take(&mut self.hidden).into_iter();
        self.hidden = hidden
            .map(|Hidden { dense, norm }| Hidden {
                dense: dense.map(&mut change),
                norm: norm.map(|norm| norm.map(&mut change)),
            })
            .collect();
        let output = std::mem::take(&mut self.output).into_iter();
        self.output = output.map(|dense| dense.map(&mut change)).collect();
    }

    /// Moves this (target) network towards `online`: target + tau * (online - target).
    pub fn track(&mut self, online: &Self, tau: f64) {
        let mut online = online.parameters().into_iter();
        self.update(|target| match online.next() {
            Some(online) => crate::ops::lerp(target, online.clone(), tau as f32),
            None => target,
        });
    }
}
