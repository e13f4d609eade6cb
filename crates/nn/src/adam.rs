//! Adam and AdamW.

use burn::tensor::Tensor;

use crate::mlp::Mlp;
use crate::ops;

/// What an [`Adam`] is built from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamConfig {
    /// Step size.
    pub learning_rate: f64,
    /// Decay of the first moment; 0.9 in the paper (Kingma and Ba 2015) and in every library.
    pub beta_1: f64,
    /// Decay of the second moment; 0.999 likewise.
    pub beta_2: f64,
    /// Added to the root of the second moment; 1e-8 likewise.
    pub epsilon: f64,
    /// Decoupled weight decay (AdamW, Loshchilov and Hutter 2019) of every parameter; 0 is Adam.
    pub weight_decay: f64,
}

impl AdamConfig {
    /// Adam with the paper's constants.
    pub fn new(learning_rate: f64) -> Self {
        Self {
            learning_rate,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
        }
    }

    /// AdamW with this decay.
    #[must_use]
    pub fn with_weight_decay(self, weight_decay: f64) -> Self {
        Self {
            weight_decay,
            ..self
        }
    }

    /// 1 / (1 - beta^t) for both moments at step t >= 1.
    fn bias_corrections(&self, t: u64) -> (f64, f64) {
        let t = t as f64;
        (
            1.0 / (1.0 - self.beta_1.powf(t)),
            1.0 / (1.0 - self.beta_2.powf(t)),
        )
    }

    /// The constants of step `t`, counted from 1, on gradients times `gradient_scale`.
    pub fn at(&self, t: u64, gradient_scale: f64) -> AdamStep {
        let (first_scale, second_scale) = self.bias_corrections(t);
        AdamStep {
            learning_rate: self.learning_rate as f32,
            beta_1: self.beta_1 as f32,
            beta_2: self.beta_2 as f32,
            first_scale: first_scale as f32,
            second_scale: second_scale as f32,
            epsilon: self.epsilon as f32,
            keep: (1.0 - self.learning_rate * self.weight_decay) as f32,
            gradient_scale: gradient_scale as f32,
        }
    }
}

/// The constants of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// Step size.
    pub learning_rate: f32,
    /// Decay of the first moment.
    pub beta_1: f32,
    /// Decay of the second moment.
    pub beta_2: f32,
    /// 1 / (1 - beta_1^t).
    pub first_scale: f32,
    /// 1 / (1 - beta_2^t).
    pub second_scale: f32,
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// 1 - learning rate * weight decay, times the parameter.
    pub keep: f32,
    /// What the gradient is multiplied with before anything else: below 1 where its norm was clipped.
    pub gradient_scale: f32,
}

/// Adam or AdamW over the parameters of one network.
#[derive(Clone, Debug)]
pub struct Adam {
    config: AdamConfig,
    steps: u64,
    moments: Vec<(Tensor<3>, Tensor<3>)>,
}

impl Adam {
    /// The optimiser of `network` before its first step.
    pub fn new(config: AdamConfig, network: &Mlp) -> Self {
        let moments = network
            .parameters()
            .into_iter()
            .map(|parameter| (parameter.zeros_like(), parameter.zeros_like()))
            .collect();
        Self {
            config,
            steps: 0,
            moments,
        }
    }

    /// Moves `network` along `gradients`, which stand in the order of [`Mlp::parameters`].
    ///
    /// # Panics
    /// When the number of gradients is not that of the parameters.
    pub fn step(&mut self, network: &mut Mlp, gradients: Vec<Tensor<3>>) {
        self.step_scaled(network, gradients, 1.0);
    }

    /// The same with every gradient times `scale`, as clipping by the norm over several networks asks for.
    ///
    /// # Panics
    /// When the number of gradients is not that of the parameters.
    pub fn step_scaled(&mut self, network: &mut Mlp, gradients: Vec<Tensor<3>>, scale: f64) {
        assert_eq!(
            gradients.len(),
            self.moments.len(),
            "one gradient for each parameter"
        );
        self.steps += 1;
        let step = self.config.at(self.steps, scale);
        // Moments and parameters are moved through the step, so that it can write in place.
        let mut old = std::mem::take(&mut self.moments).into_iter().zip(gradients);
        let mut new = Vec::with_capacity(old.len());
        network.update(|parameter| {
            let Some(((first, second), gradient)) = old.next() else {
                return parameter;
            };
            let (parameter, first, second) = ops::adam(parameter, gradient, first, second, step);
            new.push((first, second));
            parameter
        });
        self.moments = new;
    }

    /// Takes the steps to come with another step size.
    pub fn set_learning_rate(&mut self, learning_rate: f64) {
        self.config.learning_rate = learning_rate;
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// First and second moment of each parameter, in the order of [`Mlp::parameters`].
    pub fn moments(&self) -> &[(Tensor<3>, Tensor<3>)] {
        &self.moments
    }

    /// Continues from stored moments.
    pub fn restore(&mut self, steps: u64, moments: Vec<(Tensor<3>, Tensor<3>)>) {
        self.steps = steps;
        self.moments = moments;
    }
}

/// Adam on one number, in `f64`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScalarAdam {
    config: AdamConfig,
    /// Steps taken.
    pub steps: u64,
    /// First moment.
    pub first: f64,
    /// Second moment.
    pub second: f64,
}

impl ScalarAdam {
    /// The optimiser before its first step.
    pub fn new(config: AdamConfig) -> Self {
        Self {
            config,
            steps: 0,
            first: 0.0,
            second: 0.0,
        }
    }

    /// Takes the steps to come with another step size.
    pub fn set_learning_rate(&mut self, learning_rate: f64) {
        self.config.learning_rate = learning_rate;
    }

    /// The number after one step along `gradient`.
    #[must_use]
    pub fn step(&mut self, value: f64, gradient: f64) -> f64 {
        let AdamConfig {
            learning_rate,
            beta_1,
            beta_2,
            epsilon,
            weight_decay,
        } = self.config;
        self.steps += 1;
        self.first = beta_1 * self.first + (1.0 - beta_1) * gradient;
        self.second = beta_2 * self.second + (1.0 - beta_2) * gradient * gradient;
        let (first_scale, second_scale) = self.config.bias_corrections(self.steps);
        let direction = self.first * first_scale / ((self.second * second_scale).sqrt() + epsilon);
        value - learning_rate * (direction + weight_decay * value)
    }
}
