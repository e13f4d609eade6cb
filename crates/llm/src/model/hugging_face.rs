//! Models as Hugging Face keeps them: a folder with `config.json` and one or more safetensors.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde_json::{Map, Value};

use super::checkpoint::{Assembly, Convention, Role};
use super::config::Config;
use super::error::{ModelError, read_file};
use super::weights::Weights;

const CONFIG: &str = "config.json";
const WHOLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

const CONVENTION: Convention = Convention {
    block: "model.layers.",
    name: |role| match role {
        Role::Embed => "model.embed_tokens.weight",
        Role::Norm => "model.norm.weight",
        Role::Head => "lm_head.weight",
        Role::AttentionNorm => "input_layernorm.weight",
        Role::Query => "self_attn.q_proj.weight",
        Role::Key => "self_attn.k_proj.weight",
        Role::Value => "self_attn.v_proj.weight",
        Role::QueryBias => "self_attn.q_proj.bias",
        Role::KeyBias => "self_attn.k_proj.bias",
        Role::ValueBias => "self_attn.v_proj.bias",
        Role::Out => "self_attn.o_proj.weight",
        Role::MlpNorm => "post_attention_layernorm.weight",
        Role::Gate => "mlp.gate_proj.weight",
        Role::Up => "mlp.up_proj.weight",
        Role::Down => "mlp.down_proj.weight",
    },
    interleaved: false,
};

impl Config {
    /// Reads the `config.json` of a Llama or a Qwen2.
    ///
    /// # Errors
    /// The file cannot be read or is no JSON object, a field is missing or has the wrong type, or the model is not supported: another
    /// architecture, scaled rotary positions, a sliding window in use, biases elsewhere than at Qwen2's queries, keys and values.
    pub fn read_hugging_face(path: &Path) -> Result<Self, ModelError> {
        let fields = Fields::read(path)?;
        let qwen = fields.architecture()?;
        fields.refuse_unsupported(qwen)?;
        let (width, heads) = (
            fields.size("hidden_size")?,
            fields.size("num_attention_heads")?,
        );
        let head_width = match fields.optional_size("head_dim")? {
            Some(width) => width,
            None if heads > 0 && width.is_multiple_of(heads) => width / heads,
            None => {
                return Err(
                    fields.wrong("head_dim", "missing, and the heads do not divide the width")
                );
            }
        };
        let config = Self {
            vocabulary: fields.size("vocab_size")?,
            width,
            feed_forward: fields.size("intermediate_size")?,
            layers: fields.size("num_hidden_layers")?,
            heads,
            kv_heads: fields
                .optional_size("num_key_value_heads")?
                .unwrap_or(heads),
            head_width,
            norm_epsilon: fields.number("rms_norm_eps")?.unwrap_or(1e-6),
            rope_base: fields.rope_base()?,
            qkv_bias: qwen,
            tied: fields.flag("tie_word_embeddings")?,
        };
        config
            .check()
            .map_err(|error| fields.wrong("sizes", error.0))?;
        Ok(config)
    }
}

impl Weights {
    /// Opens a folder with `config.json` and `model.safetensors`, or its shards and their index. F32, F16 and BF16 become f32.
    ///
    /// # Errors
    /// As [`Config::read_hugging_face`]; or a file cannot be read or is damaged, a tensor is missing, unknown, or of another shape or type.
    pub fn open_hugging_face(folder: &Path) -> Result<Self, ModelError> {
        let config_path = folder.join(CONFIG);
        let config = Config::read_hugging_face(&config_path)?;
        let tied = config.tied;
        let mut assembly = Assembly::new(config, &CONVENTION)
            .map_err(|error| ModelError::field(&config_path, "sizes", error.0))?;
        let files = files(folder)?;
        for path in &files {
            let bytes = read_file(path)?;
            let tensors = SafeTensors::deserialize(&bytes)
                .map_err(|error| ModelError::damaged(path, error.to_string()))?;
            for (name, tensor) in tensors.iter() {
                // A copy of the embeddings, and what old versions kept though it can be computed.
                let spare =
                    tied && name == "lm_head.weight" || name.ends_with(".rotary_emb.inv_freq");
                if spare {
                    continue;
                }
                let wrong = |reason: String| ModelError::field(path, name, reason);
                assembly.check(name, tensor.shape()).map_err(wrong)?;
                let values = values(&tensor).map_err(wrong)?;
                assembly.put(name, tensor.shape(), values).map_err(wrong)?;
            }
        }
        let last = files.last().unwrap_or(&config_path);
        assembly
            .finish()
            .map_err(|name| ModelError::field(last, name, "missing"))?
            .map_err(|error| ModelError::field(&config_path, "sizes", error.0))
    }
}

/// The values of a tensor as f32.
pub(super) fn values(tensor: &TensorView<'_>) -> Result<Vec<f32>, String> {
    let data = tensor.data();
    Ok(match tensor.dtype() {
        Dtype::F32 => data
            .as_chunks()
            .0
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect(),
        Dtype::F16 => data
            .as_chunks()
            .0
            .iter()
            .map(|bytes| half::f16::from_le_bytes(*bytes).to_f32())
            .collect(),
        Dtype::BF16 => data
            .as_chunks()
            .0
            .iter()
            .map(|bytes| half::bf16::from_le_bytes(*bytes).to_f32())
            .collect(),
        other => return Err(format!("type {other:?}; F32, F16 and BF16 can be read")),
    })
}

/// The files with tensors: one, or those that the index names.
fn files(folder: &Path) -> Result<Vec<PathBuf>, ModelError> {
    let index = folder.join(INDEX);
    if folder.join(WHOLE).exists() || !index.exists() {
        return Ok(vec![folder.join(WHOLE)]);
    }
    let fields = Fields::read(&index)?;
    let Some(Value::Object(map)) = fields.map.get("weight_map") else {
        return Err(fields.wrong("weight_map", "missing, or not an object"));
    };
    let mut files = BTreeSet::new();
    for (tensor, file) in map {
        // Only files of this folder: an index is not to reach elsewhere.
        let name = file
            .as_str()
            .filter(|name| Path::new(name).file_name() == Some(name.as_ref()));
        let name =
            name.ok_or_else(|| fields.wrong("weight_map", format!("{tensor} has no file's name")))?;
        files.insert(folder.join(name));
    }
    Ok(files.into_iter().collect())
}

/// The fields of a JSON file.
struct Fields<'a> {
    path: &'a Path,
    map: Map<String, Value>,
}

impl<'a> Fields<'a> {
    fn read(path: &'a Path) -> Result<Self, ModelError> {
        let bytes = read_file(path)?;
        let map = serde_json::from_slice(&bytes)
            .map_err(|error| ModelError::damaged(path, error.to_string()))?;
        Ok(Self { path, map })
    }

    fn wrong(&self, field: &str, reason: impl Into<String>) -> ModelError {
        ModelError::field(self.path, field, reason)
    }

    /// Whether it is a Qwen2, not a Llama.
    fn architecture(&self) -> Result<bool, ModelError> {
        let field = "model_type";
        match self.get(field) {
            Some(Value::String(name)) if name == "llama" => Ok(false),
            Some(Value::String(name)) if name == "qwen2" => Ok(true),
            Some(other) => {
                Err(self.wrong(field, format!("{other}; llama and qwen2 are supported")))
            }
            None => Err(self.wrong(field, "missing")),
        }
    }

    /// Refuses what would make the model another one than is built here.
    fn refuse_unsupported(&self, qwen: bool) -> Result<(), ModelError> {
        if let Some(Value::Array(names)) = self.get("architectures") {
            let expected = if qwen {
                "Qwen2ForCausalLM"
            } else {
                "LlamaForCausalLM"
            };
            if !names.iter().all(|name| name == expected) {
                return Err(self.wrong("architectures", format!("{expected} is supported only")));
            }
        }
        if let Some(activation) = self.get("hidden_act").filter(|name| *name != "silu") {
            return Err(self.wrong("hidden_act", format!("{activation}; silu is supported")));
        }
        let scaling = self.get("rope_scaling");
        if scaling.is_some_and(|value| !harmless_scaling(value)) {
            return Err(self.wrong("rope_scaling", "not supported"));
        }
        if self.get("quantization_config").is_some() {
            return Err(self.wrong("quantization_config", "not supported"));
        }
        // A Llama with it has a bias at the output's projection too.
        let biases = ["attention_bias", "mlp_bias", "use_sliding_window"];
        for field in biases {
            if self.flag(field)? && !(qwen && field == "attention_bias") {
                return Err(self.wrong(field, "not supported"));
            }
        }
        if self
            .number("partial_rotary_factor")?
            .is_some_and(|part| part != 1.0)
        {
            return Err(self.wrong("partial_rotary_factor", "not supported"));
        }
        Ok(())
    }

    /// Of the field itself, or of the object in which newer versions keep it.
    fn rope_base(&self) -> Result<f64, ModelError> {
        let Some(parameters) = self.get("rope_parameters") else {
            return Ok(self.number("rope_theta")?.unwrap_or(10_000.0));
        };
        let kind = parameters.get("rope_type");
        if kind.is_some_and(|kind| kind != "default") {
            return Err(self.wrong("rope_parameters", "scaled positions are not supported"));
        }
        match parameters.get("rope_theta") {
            Some(base) => base
                .as_f64()
                .ok_or_else(|| self.wrong("rope_parameters", "rope_theta is not a number")),
            None => Ok(self.number("rope_theta")?.unwrap_or(10_000.0)),
        }
    }

    /// The field unless it is missing or null.
    fn get(&self, field: &str) -> Option<&Value> {
        self.map.get(field).filter(|value| !value.is_null())
    }

    fn size(&self, field: &str) -> Result<usize, ModelError> {
        self.optional_size(field)?
            .ok_or_else(|| self.wrong(field, "missing"))
    }

    fn optional_size(&self, field: &str) -> Result<Option<usize>, ModelError> {
        let read = |value: &Value| value.as_u64().and_then(|size| usize::try_from(size).ok());
        self.typed(field, "a whole number", read)
    }

    fn number(&self, field: &str) -> Result<Option<f64>, ModelError> {
        self.typed(field, "a number", Value::as_f64)
    }

    fn flag(&self, field: &str) -> Result<bool, ModelError> {
        Ok(self
            .typed(field, "true or false", Value::as_bool)?
            .unwrap_or(false))
    }

    fn typed<T>(
        &self,
        field: &str,
        kind: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, ModelError> {
        let Some(value) = self.get(field) else {
            return Ok(None);
        };
        match read(value) {
            Some(read) => Ok(Some(read)),
            None => Err(self.wrong(field, format!("{value} is not {kind}"))),
        }
    }
}

/// Some write out that nothing is scaled.
fn harmless_scaling(value: &Value) -> bool {
    let kind = value.get("rope_type").or_else(|| value.get("type"));
    kind.is_some_and(|kind| kind == "default")
}
