//! The parameters of a model in the host's memory, in the layout that the trainer and the sampler share.

use rand_chacha::ChaCha8Rng;

use super::config::{Config, ConfigError};

/// One parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// As in [`Config::parameters`].
    pub name: String,
    /// Rows and columns.
    pub shape: [usize; 2],
    /// Row by row.
    pub values: Vec<f32>,
}

/// All parameters of a model, in the order of [`Config::parameters`].
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    config: Config,
    arrays: Vec<Array>,
}

impl Weights {
    /// Puts arrays together.
    ///
    /// # Errors
    /// They are not the parameters of `config`, or not in order, or a shape or length does not fit.
    pub fn new(config: Config, arrays: Vec<Array>) -> Result<Self, ConfigError> {
        config.check()?;
        let expected = config.parameters();
        if arrays.len() != expected.len() {
            return Err(ConfigError(format!(
                "{} parameters where {} are expected",
                arrays.len(),
                expected.len()
            )));
        }
        for (array, (name, shape)) in arrays.iter().zip(&expected) {
            let [rows, columns] = *shape;
            if array.name != *name || array.shape != *shape || array.values.len() != rows * columns
            {
                return Err(ConfigError(format!(
                    "parameter {} of shape {:?} and {} values where {name} of shape {shape:?} is expected",
                    array.name,
                    array.shape,
                    array.values.len()
                )));
            }
        }
        Ok(Self { config, arrays })
    }

    /// Random weights: normal with a deviation of 0.02, as Hugging Face's Llama and Qwen2 begin (`initializer_range`); norms are 1, biases 0.
    /// The two matrices that write to the residual stream have 0.02 / √(2 layers), as GPT-2 has them.
    ///
    /// # Errors
    /// As [`Config::check`].
    pub fn init(config: Config, rng: &mut ChaCha8Rng) -> Result<Self, ConfigError> {
        config.check()?;
        let residual = 0.02 / (2.0 * config.layers as f32).sqrt();
        let mut arrays = Vec::new();
        for (name, shape) in config.parameters() {
            let size = shape[0] * shape[1];
            let kind = name.rsplit('.').next().unwrap_or(&name);
            let mut normal = |deviation: f32| -> Vec<f32> {
                let mut draws = vec![0.0; size];
                era_nn::standard_normal(rng, &mut draws);
                draws.iter_mut().for_each(|draw| *draw *= deviation);
                draws
            };
            let values = match kind {
                "attention_norm" | "mlp_norm" | "norm" => vec![1.0; size],
                "qkv_bias" => vec![0.0; size],
                "out" | "down" => normal(residual),
                _ => normal(0.02),
            };
            arrays.push(Array {
                name,
                shape,
                values,
            });
        }
        Self::new(config, arrays)
    }

    /// What the model is built from.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The parameters, in order.
    pub fn arrays(&self) -> &[Array] {
        &self.arrays
    }

    /// The parameters to be changed in place; their shapes are not to be.
    pub fn arrays_mut(&mut self) -> &mut [Array] {
        &mut self.arrays
    }

    /// Number of parameters.
    pub fn size(&self) -> usize {
        self.arrays.iter().map(|array| array.values.len()).sum()
    }
}
