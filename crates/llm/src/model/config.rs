//! What a decoder-only transformer is built from, as Hugging Face's `config.json` says it.

use serde::{Deserialize, Serialize};

/// Why a configuration cannot be built. Reads after "failed to".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("build the model: {0}")]
pub struct ConfigError(pub String);

/// A Llama or Qwen2: RMSNorm before attention and feed-forward, rotary positions, grouped-query attention, SwiGLU.
///
/// Qwen2 differs from Llama in that its query, key and value projections have biases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Number of tokens, V.
    pub vocabulary: usize,
    /// Width of the residual stream, D.
    pub width: usize,
    /// Width of the feed-forward layer, F.
    pub feed_forward: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Number of query heads, H.
    pub heads: usize,
    /// Number of key and value heads, G; it divides H.
    pub kv_heads: usize,
    /// Width of a head, even. D / H unless a model says otherwise.
    pub head_width: usize,
    /// Added to the mean square under RMSNorm's root.
    pub norm_epsilon: f64,
    /// Base of the rotary frequencies: those of a head are `rope_base`^(-2i / head width).
    pub rope_base: f64,
    /// Whether queries, keys and values have a bias (Qwen2).
    pub qkv_bias: bool,
    /// Whether the output's matrix is that of the embeddings.
    pub tied: bool,
}

impl Config {
    /// Checks that the sizes fit together.
    ///
    /// # Errors
    /// A size is 0, heads do not divide, a head's width is odd, or a number is not a positive one.
    pub fn check(&self) -> Result<(), ConfigError> {
        let sizes = [
            ("vocabulary", self.vocabulary),
            ("width", self.width),
            ("feed_forward", self.feed_forward),
            ("layers", self.layers),
            ("heads", self.heads),
            ("kv_heads", self.kv_heads),
            ("head_width", self.head_width),
        ];
        if let Some((name, _)) = sizes.iter().find(|(_, size)| *size == 0) {
            return Err(ConfigError(format!("{name} is 0")));
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            let Self {
                heads, kv_heads, ..
            } = self;
            return Err(ConfigError(format!(
                "{heads} heads cannot share {kv_heads} keys and values evenly"
            )));
        }
        if !self.head_width.is_multiple_of(2) {
            let width = self.head_width;
            return Err(ConfigError(format!(
                "a head's width must be even to be rotated, not {width}"
            )));
        }
        for (name, value) in [
            ("norm_epsilon", self.norm_epsilon),
            ("rope_base", self.rope_base),
        ] {
            if !(value.is_finite() && value > 0.0) {
                return Err(ConfigError(format!("{name} must be above 0, not {value}")));
            }
        }
        Ok(())
    }

    /// Width of queries, keys and values beside each other: (H + 2 G) times a head's width.
    pub fn qkv_width(&self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.head_width
    }

    /// Width of all heads' results, H times a head's width.
    pub fn attention_width(&self) -> usize {
        self.heads * self.head_width
    }

    /// Name and shape, `[inputs, outputs]` of a matrix, `[1, width]` of a vector, of every parameter, in the order in which they are
    /// kept. A row is multiplied from the left: y = x W. `qkv` has the columns of all query heads, then keys, then values; `gate_up` those of
    /// the gate, then of what it gates. `embed` and `head` are `[V, D]`.
    pub fn parameters(&self) -> Vec<(String, [usize; 2])> {
        let (width, wide) = (self.width, self.feed_forward);
        let mut all = vec![("embed".to_owned(), [self.vocabulary, width])];
        for layer in 0..self.layers {
            let mut add =
                |name: &str, shape: [usize; 2]| all.push((format!("layers.{layer}.{name}"), shape));
            add("attention_norm", [1, width]);
            add("qkv", [width, self.qkv_width()]);
            if self.qkv_bias {
                add("qkv_bias", [1, self.qkv_width()]);
            }
            add("out", [self.attention_width(), width]);
            add("mlp_norm", [1, width]);
            add("gate_up", [width, 2 * wide]);
            add("down", [wide, width]);
        }
        all.push(("norm".to_owned(), [1, width]));
        if !self.tied {
            all.push(("head".to_owned(), [self.vocabulary, width]));
        }
        all
    }
}
