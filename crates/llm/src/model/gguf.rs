//! Models as llama.cpp keeps them: one GGUF with weights, mostly quantised, and the tokenizer.

use std::fmt;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use candle_core::Device;
use candle_core::quantized::gguf_file::{Content, Value};

use super::checkpoint::{Assembly, Convention, Role};
use super::config::Config;
use super::error::{ModelError, read_file};
use super::weights::Weights;

const EMBED: &str = "token_embd.weight";
const HEAD: &str = "output.weight";
const ALIGNMENT: &str = "general.alignment";

fn name(role: Role) -> &'static str {
    match role {
        Role::Embed => EMBED,
        Role::Norm => "output_norm.weight",
        Role::Head => HEAD,
        Role::AttentionNorm => "attn_norm.weight",
        Role::Query => "attn_q.weight",
        Role::Key => "attn_k.weight",
        Role::Value => "attn_v.weight",
        Role::QueryBias => "attn_q.bias",
        Role::KeyBias => "attn_k.bias",
        Role::ValueBias => "attn_v.bias",
        Role::Out => "attn_output.weight",
        Role::MlpNorm => "ffn_norm.weight",
        Role::Gate => "ffn_gate.weight",
        Role::Up => "ffn_up.weight",
        Role::Down => "ffn_down.weight",
    }
}

/// A GGUF with a Llama or a Qwen2.
pub struct Gguf {
    path: PathBuf,
    bytes: Vec<u8>,
    content: Content,
    config: Config,
    /// llama.cpp's converter interleaves a Llama's queries and keys, and only a Llama's.
    interleaved: bool,
}

impl fmt::Debug for Gguf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gguf")
            .field("path", &self.path)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Gguf {
    /// Reads the file and what it says of the model.
    ///
    /// # Errors
    /// The file cannot be read, is damaged or no GGUF, or its model is not supported: another architecture, scaled rotary positions,
    /// experts, a sliding window.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let bytes = read_file(path)?;
        // candle would divide by it.
        if aligned_to_nothing(&bytes) {
            return Err(ModelError::damaged(path, "its alignment is 0"));
        }
        let content = Content::read(&mut Cursor::new(&bytes))
            .map_err(|error| ModelError::damaged(path, error.to_string()))?;
        let keys = Keys::new(path, &content)?;
        let config = keys.config()?;
        let interleaved = keys.architecture == "llama";
        Ok(Self {
            path: path.to_owned(),
            bytes,
            content,
            config,
            interleaved,
        })
    }

    /// What the model is built from.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The weights, dequantised.
    ///
    /// # Errors
    /// The file is damaged, or a tensor is missing, unknown or of another shape.
    pub fn weights(&self) -> Result<Weights, ModelError> {
        let sizes = |error: super::ConfigError| ModelError::field(&self.path, "sizes", error.0);
        let convention = Convention {
            block: "blk.",
            name,
            interleaved: self.interleaved,
        };
        let mut assembly = Assembly::new(self.config.clone(), &convention).map_err(sizes)?;
        let mut names: Vec<&String> = self.content.tensor_infos.keys().collect();
        names.sort();
        let mut reader = Cursor::new(&self.bytes);
        for name in names {
            let wrong = |reason: String| ModelError::field(&self.path, name, reason);
            let shape = self.content.tensor_infos[name].shape.dims();
            assembly.check(name, shape).map_err(wrong)?;
            let values = self
                .content
                .tensor(&mut reader, name, &Device::Cpu)
                .and_then(|tensor| tensor.dequantize(&Device::Cpu)?.flatten_all()?.to_vec1())
                .map_err(|error| ModelError::damaged(&self.path, format!("{name}: {error}")))?;
            assembly.put(name, shape, values).map_err(wrong)?;
        }
        assembly
            .finish()
            .map_err(|name| ModelError::field(&self.path, name, "missing"))?
            .map_err(sizes)
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What the file says under a key.
    pub(crate) fn value(&self, key: &str) -> Option<&Value> {
        self.content.metadata.get(key)
    }
}

/// Whether a whole number 0 stands behind the key of the alignment.
fn aligned_to_nothing(bytes: &[u8]) -> bool {
    let key = ALIGNMENT.as_bytes();
    let mut places = bytes.windows(key.len()).enumerate();
    places.any(|(at, window)| {
        // The type's number, then the value.
        let width = match bytes.get(at + key.len()) {
            Some(0 | 1) => 1,
            Some(2 | 3) => 2,
            Some(4 | 5) => 4,
            _ => return false,
        };
        let value = at + key.len() + 4;
        let value = bytes.get(value..value + width);
        window == key && value.is_some_and(|value| value.iter().all(|byte| *byte == 0))
    })
}

/// What the file says of its model.
struct Keys<'a> {
    path: &'a Path,
    content: &'a Content,
    architecture: &'a str,
}

impl<'a> Keys<'a> {
    fn new(path: &'a Path, content: &'a Content) -> Result<Self, ModelError> {
        let field = "general.architecture";
        let architecture = match content.metadata.get(field) {
            Some(Value::String(name)) => name.as_str(),
            _ => return Err(ModelError::field(path, field, "missing")),
        };
        if !matches!(architecture, "llama" | "qwen2") {
            let reason = format!("{architecture:?}; llama and qwen2 are supported");
            return Err(ModelError::field(path, field, reason));
        }
        Ok(Self {
            path,
            content,
            architecture,
        })
    }

    fn config(&self) -> Result<Config, ModelError> {
        self.refuse_unsupported()?;
        let wrong = |field: &str, reason: &str| ModelError::field(self.path, field, reason);
        let (width, heads) = (
            self.size("embedding_length")?,
            self.size("attention.head_count")?,
        );
        let head_width = match self.optional_size("attention.key_length")? {
            Some(width) => width,
            None if heads > 0 && width.is_multiple_of(heads) => width / heads,
            None => {
                return Err(wrong(
                    "attention.head_count",
                    "it does not divide the width",
                ));
            }
        };
        for key in ["attention.value_length", "rope.dimension_count"] {
            if self
                .optional_size(key)?
                .is_some_and(|size| size != head_width)
            {
                return Err(wrong(key, "it is not a head's width"));
            }
        }
        let embed = self.content.tensor_infos.get(EMBED);
        let embed = embed.and_then(|info| info.shape.dims().first());
        let config = Config {
            vocabulary: *embed.ok_or_else(|| wrong(EMBED, "missing"))?,
            width,
            feed_forward: self.size("feed_forward_length")?,
            layers: self.size("block_count")?,
            heads,
            kv_heads: self
                .optional_size("attention.head_count_kv")?
                .unwrap_or(heads),
            head_width,
            norm_epsilon: self
                .number("attention.layer_norm_rms_epsilon")?
                .ok_or_else(|| wrong("attention.layer_norm_rms_epsilon", "missing"))?,
            rope_base: self.number("rope.freq_base")?.unwrap_or(10_000.0),
            qkv_bias: self.content.tensor_infos.contains_key("blk.0.attn_q.bias"),
            tied: !self.content.tensor_infos.contains_key(HEAD),
        };
        config
            .check()
            .map_err(|error| ModelError::field(self.path, "sizes", error.0))?;
        Ok(config)
    }

    fn refuse_unsupported(&self) -> Result<(), ModelError> {
        let wrong = |key: &str| ModelError::field(self.path, key, "not supported");
        match self.get("rope.scaling.type") {
            None => {}
            Some(Value::String(kind)) if kind == "none" => {}
            Some(_) => return Err(wrong("rope.scaling.type")),
        }
        for key in ["expert_count", "attention.sliding_window"] {
            if self.optional_size(key)?.is_some_and(|size| size > 0) {
                return Err(wrong(key));
            }
        }
        Ok(())
    }

    /// Of the architecture's own keys.
    fn get(&self, key: &str) -> Option<&'a Value> {
        self.content
            .metadata
            .get(&format!("{}.{key}", self.architecture))
    }

    fn size(&self, key: &str) -> Result<usize, ModelError> {
        self.optional_size(key)?
            .ok_or_else(|| ModelError::field(self.path, key, "missing"))
    }

    fn optional_size(&self, key: &str) -> Result<Option<usize>, ModelError> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        match whole(value).and_then(|size| usize::try_from(size).ok()) {
            Some(size) => Ok(Some(size)),
            None => Err(ModelError::field(self.path, key, "not a whole number")),
        }
    }

    fn number(&self, key: &str) -> Result<Option<f64>, ModelError> {
        match self.get(key) {
            None => Ok(None),
            // Through its shortest decimal: 1e-5 in single precision is 1e-5 again.
            Some(Value::F32(value)) => Ok(value.to_string().parse().ok()),
            Some(Value::F64(value)) => Ok(Some(*value)),
            Some(_) => Err(ModelError::field(self.path, key, "not a number")),
        }
    }
}

/// A whole number from 0 of whatever type.
pub(crate) fn whole(value: &Value) -> Option<u64> {
    match *value {
        Value::U8(value) => Some(value.into()),
        Value::U16(value) => Some(value.into()),
        Value::U32(value) => Some(value.into()),
        Value::U64(value) => Some(value),
        Value::I8(value) => value.try_into().ok(),
        Value::I16(value) => value.try_into().ok(),
        Value::I32(value) => value.try_into().ok(),
        Value::I64(value) => value.try_into().ok(),
        _ => None,
    }
}
