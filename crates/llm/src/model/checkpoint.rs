//! From a checkpoint's tensors, one per projection and `[outputs, inputs]`, to the project's layout.

use std::collections::BTreeMap;

use super::config::{Config, ConfigError};
use super::weights::{Array, Weights};

/// No size of a model that is read may be above this; a damaged file must not ask for all memory.
const LARGEST: usize = 1 << 24;
/// No model that is read may have more blocks.
const MOST_LAYERS: usize = 4096;

/// What a tensor of a checkpoint does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Embed,
    Norm,
    Head,
    AttentionNorm,
    Query,
    Key,
    Value,
    QueryBias,
    KeyBias,
    ValueBias,
    Out,
    MlpNorm,
    Gate,
    Up,
    Down,
}

/// How a kind of checkpoint calls its tensors and orders their rows.
pub(super) struct Convention {
    /// What stands before the number of a block, with the dot.
    pub(super) block: &'static str,
    /// Name of a tensor; one of a block without block and number.
    pub(super) name: fn(Role) -> &'static str,
    /// Whether the rows of queries and keys alternate between the halves that are rotated together.
    pub(super) interleaved: bool,
}

/// Where one tensor goes.
struct Part {
    /// Index of the array.
    array: usize,
    /// As the checkpoint has it.
    shape: Vec<usize>,
    /// First column in the array; `None` if the values are taken as they are.
    column: Option<usize>,
    /// Width of a head whose rows alternate.
    interleaved: Option<usize>,
}

/// Collects the tensors of a checkpoint in whatever order they come.
pub(super) struct Assembly {
    config: Config,
    arrays: Vec<Array>,
    parts: BTreeMap<String, Part>,
}

impl Assembly {
    /// Nothing is reserved yet: an array is when its first tensor has come with the right shape.
    pub(super) fn new(config: Config, convention: &Convention) -> Result<Self, ConfigError> {
        plausible(&config)?;
        let arrays: Vec<_> = config.parameters().into_iter().map(empty).collect();
        let mut parts = BTreeMap::new();
        for (index, array) in arrays.iter().enumerate() {
            for (name, mut part) in parts_of(&config, convention, array) {
                part.array = index;
                parts.insert(name, part);
            }
        }
        Ok(Self {
            config,
            arrays,
            parts,
        })
    }

    /// Whether a tensor is still wanted, and in which shape.
    ///
    /// # Errors
    /// The reason why not.
    pub(super) fn check(&self, name: &str, shape: &[usize]) -> Result<(), String> {
        let Some(part) = self.parts.get(name) else {
            return Err("no parameter of such a model, or there twice".to_owned());
        };
        if part.shape != shape {
            return Err(format!(
                "shape {shape:?} where {:?} is expected",
                part.shape
            ));
        }
        Ok(())
    }

    /// Takes a tensor over.
    ///
    /// # Errors
    /// As [`Self::check`], or the values are not as many as the shape says.
    pub(super) fn put(
        &mut self,
        name: &str,
        shape: &[usize],
        values: Vec<f32>,
    ) -> Result<(), String> {
        self.check(name, shape)?;
        if values.len() != shape.iter().product::<usize>() {
            return Err(format!("{} values in a shape {shape:?}", values.len()));
        }
        let Some(part) = self.parts.remove(name) else {
            return Ok(());
        };
        let array = &mut self.arrays[part.array];
        match part.column {
            None => array.values = values,
            Some(column) => {
                let [rows, columns] = array.shape;
                array.values.resize(rows * columns, 0.0);
                transpose(&values, shape[0], &part, column, array);
            }
        }
        Ok(())
    }

    /// The model, when all tensors have come.
    ///
    /// # Errors
    /// The name of the first one missing.
    pub(super) fn finish(self) -> Result<Result<Weights, ConfigError>, String> {
        match self.parts.into_keys().next() {
            Some(name) => Err(name),
            None => Ok(Weights::new(self.config, self.arrays)),
        }
    }
}

/// Refuses sizes that no model has, before anything is computed from them.
pub(super) fn plausible(config: &Config) -> Result<(), ConfigError> {
    config.check()?;
    let sizes = [
        ("vocabulary", config.vocabulary),
        ("width", config.width),
        ("feed_forward", config.feed_forward),
        ("heads", config.heads),
        ("head_width", config.head_width),
    ];
    // Both factors are small enough here for their product.
    let too_large = sizes.into_iter().find(|(_, size)| *size > LARGEST);
    let attention = ("attention width", config.attention_width());
    let too_large = too_large.or(Some(attention).filter(|(_, size)| *size > LARGEST));
    if let Some((name, size)) = too_large {
        return Err(ConfigError(format!("{name} is {size}, above {LARGEST}")));
    }
    if config.layers > MOST_LAYERS {
        let layers = config.layers;
        return Err(ConfigError(format!("{layers} layers, above {MOST_LAYERS}")));
    }
    Ok(())
}

fn empty((name, shape): (String, [usize; 2])) -> Array {
    Array {
        name,
        shape,
        values: Vec::new(),
    }
}

/// The tensors of which an array is made.
fn parts_of(config: &Config, convention: &Convention, array: &Array) -> Vec<(String, Part)> {
    let [rows, columns] = array.shape;
    let queries = config.attention_width();
    let keys = config.kv_heads * config.head_width;
    let (prefix, kind) = match array.name.strip_prefix("layers.") {
        Some(rest) => {
            let (layer, kind) = rest.split_once('.').unwrap_or((rest, ""));
            (format!("{}{layer}.", convention.block), kind)
        }
        None => (String::new(), array.name.as_str()),
    };
    let widths: &[(Role, usize)] = match kind {
        "embed" => &[(Role::Embed, columns)],
        "norm" => &[(Role::Norm, columns)],
        "head" => &[(Role::Head, columns)],
        "attention_norm" => &[(Role::AttentionNorm, columns)],
        "mlp_norm" => &[(Role::MlpNorm, columns)],
        "qkv" => &[
            (Role::Query, queries),
            (Role::Key, keys),
            (Role::Value, keys),
        ],
        "qkv_bias" => &[
            (Role::QueryBias, queries),
            (Role::KeyBias, keys),
            (Role::ValueBias, keys),
        ],
        "out" => &[(Role::Out, columns)],
        "gate_up" => &[(Role::Gate, columns / 2), (Role::Up, columns / 2)],
        _ => &[(Role::Down, columns)],
    };
    let mut column = 0;
    let part = |&(role, width): &(Role, usize)| {
        let direct = matches!(role, Role::Embed | Role::Head);
        let vector = matches!(kind, "norm" | "attention_norm" | "mlp_norm" | "qkv_bias");
        let rotated = matches!(
            role,
            Role::Query | Role::Key | Role::QueryBias | Role::KeyBias
        );
        let part = Part {
            array: 0,
            shape: match (direct, vector) {
                (true, _) => vec![rows, columns],
                (_, true) => vec![width],
                _ => vec![width, rows],
            },
            column: (!direct).then_some(column),
            interleaved: (convention.interleaved && rotated).then_some(config.head_width),
        };
        column += width;
        (format!("{prefix}{}", (convention.name)(role)), part)
    };
    widths.iter().map(part).collect()
}

/// Writes a tensor of `outputs` rows into columns of an array.
fn transpose(values: &[f32], outputs: usize, part: &Part, column: usize, array: &mut Array) {
    // Some rows at once, so that a cache line of the array is filled while it is there.
    const ROWS: usize = 16;
    let [inputs, columns] = array.shape;
    for first in (0..outputs).step_by(ROWS) {
        let rows = first..outputs.min(first + ROWS);
        for input in 0..inputs {
            for row in rows.clone() {
                let to = column + half_rotation(row, part.interleaved);
                array.values[input * columns + to] = values[row * inputs + input];
            }
        }
    }
}

/// Where a row of queries or keys lies when the first half of a head is rotated with the second, as Hugging Face has it: llama.cpp's
/// rows 2i and 2i + 1 belong together.
fn half_rotation(row: usize, interleaved: Option<usize>) -> usize {
    match interleaved {
        None => row,
        Some(width) => {
            let (head, within) = (row / width, row % width);
            head * width + within % 2 * (width / 2) + within / 2
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_come_apart_into_halves() {
        let rows: Vec<usize> = (0..8).map(|row| half_rotation(row, Some(4))).collect();
        assert_eq!(rows, [0, 2, 1, 3, 4, 6, 5, 7]);
        assert_eq!(half_rotation(5, None), 5);
    }
}
