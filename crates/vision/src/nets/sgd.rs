//! Stochastic gradient descent with momentum, as `torch.optim.SGD`.

use burn::tensor::Tensor;

use super::resnet::ResNet;

/// How it steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SgdConfig {
    /// Momentum, without dampening.
    pub momentum: f64,
    /// Nesterov's form.
    pub nesterov: bool,
    /// Weight decay, added to the gradient before momentum.
    pub weight_decay: f64,
    /// Whether scales, shifts and the classifier's bias decay too.
    pub decay_norms_and_biases: bool,
}

/// The optimiser and its momenta.
#[derive(Clone, Debug)]
pub struct Sgd {
    config: SgdConfig,
    /// One for each parameter; zero before the first step.
    pub(crate) momenta: Vec<Tensor<1>>,
}

impl Sgd {
    /// For the parameters of `net`.
    pub fn new(config: SgdConfig, net: &ResNet) -> Self {
        let momenta = net
            .parameters()
            .iter()
            .map(|parameter| parameter.value.zeros_like());
        Self {
            config,
            momenta: momenta.collect(),
        }
    }

    /// g ← g + decay · p, m ← momentum · m + g, p ← p − rate · (g + momentum · m), or p ← p − rate · m without Nesterov.
    ///
    /// # Panics
    /// When the number of gradients is not that of the parameters.
    pub fn step(&mut self, net: &mut ResNet, gradients: Vec<Tensor<1>>, learning_rate: f64) {
        assert_eq!(
            gradients.len(),
            self.momenta.len(),
            "one gradient for each parameter"
        );
        let SgdConfig {
            momentum,
            nesterov,
            weight_decay,
            decay_norms_and_biases,
        } = self.config;
        let state = net.parameters.iter_mut().zip(&mut self.momenta);
        for ((parameter, buffer), gradient) in state.zip(gradients) {
            let decays = weight_decay > 0.0 && (decay_norms_and_biases || parameter.is_weight());
            let gradient = if decays {
                gradient + parameter.value.clone() * weight_decay
            } else {
                gradient
            };
            *buffer = buffer.clone() * momentum + gradient.clone();
            let step = if nesterov {
                gradient + buffer.clone() * momentum
            } else {
                buffer.clone()
            };
            parameter.value = parameter.value.clone() - step * learning_rate;
        }
    }
}
