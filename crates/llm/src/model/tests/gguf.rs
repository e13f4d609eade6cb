use std::io::Cursor;

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::safetensors::load_buffer;
use candle_core::{Device, Tensor};

use super::{Golden, assert_close, golden};
use crate::model::reference::logits;
use crate::model::{Gguf, ModelError};

/// Name of a tensor of Hugging Face in a GGUF.
fn renamed(name: &str) -> String {
    let pairs = [
        ("model.embed_tokens", "token_embd"),
        ("model.norm", "output_norm"),
        ("lm_head", "output"),
        ("model.layers", "blk"),
        ("input_layernorm", "attn_norm"),
        ("post_attention_layernorm", "ffn_norm"),
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.o_proj", "attn_output"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
    ];
    let replace = |name: String, (from, to): &(&str, &str)| name.replace(from, to);
    pairs.iter().fold(name.to_owned(), replace)
}

/// The rows of queries and keys as llama.cpp's converter of Llama orders them.
fn interleave(tensor: &Tensor, heads: usize) -> candle_core::Result<Tensor> {
    let [rows, columns] = *tensor.dims() else {
        panic!("a matrix")
    };
    tensor
        .reshape((heads, 2, rows / heads / 2, columns))?
        .transpose(1, 2)?
        .contiguous()?
        .reshape((rows, columns))
}

/// The model as a GGUF, with some more said in it.
pub(crate) fn written(model: &Golden, dtype: GgmlDType, more: &[(&str, Value)]) -> Vec<u8> {
    let config = &model.json["config"];
    let number = |field: &str| Value::U32(config[field].as_u64().unwrap() as u32);
    let real = |field: &str| Value::F32(config[field].as_f64().unwrap() as f32);
    let architecture = config["model_type"].as_str().unwrap();
    let own = [
        ("block_count", number("num_hidden_layers")),
        ("embedding_length", number("hidden_size")),
        ("feed_forward_length", number("intermediate_size")),
        ("attention.head_count", number("num_attention_heads")),
        ("attention.head_count_kv", number("num_key_value_heads")),
        ("attention.layer_norm_rms_epsilon", real("rms_norm_eps")),
        ("rope.freq_base", real("rope_theta")),
        ("rope.dimension_count", number("head_dim")),
    ];
    let mut metadata = vec![(
        "general.architecture".to_owned(),
        Value::String(architecture.to_owned()),
    )];
    metadata.extend(own.map(|(key, value)| (format!("{architecture}.{key}"), value)));
    metadata.extend(
        more.iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone())),
    );
    let mut tensors: Vec<_> = load_buffer(model.tensors, &Device::Cpu)
        .unwrap()
        .into_iter()
        .map(|(name, tensor)| {
            let tensor = match name.as_str() {
                _ if !model.is_llama() => tensor,
                name if name.ends_with("q_proj.weight") => interleave(&tensor, 4).unwrap(),
                name if name.ends_with("k_proj.weight") => interleave(&tensor, 2).unwrap(),
                _ => tensor,
            };
            let fits = tensor.rank() == 2 && tensor.dims()[1].is_multiple_of(32);
            let dtype = if fits { dtype } else { GgmlDType::F32 };
            (renamed(&name), QTensor::quantize(&tensor, dtype).unwrap())
        })
        .collect();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    let metadata: Vec<_> = metadata
        .iter()
        .map(|(key, value)| (key.as_str(), value))
        .collect();
    let tensors: Vec<_> = tensors
        .iter()
        .map(|(name, tensor)| (name.as_str(), tensor))
        .collect();
    let mut file = Cursor::new(Vec::new());
    gguf_file::write(&mut file, &metadata, &tensors).unwrap();
    file.into_inner()
}

pub(crate) fn open(bytes: &[u8]) -> Result<Gguf, ModelError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    std::fs::write(&path, bytes).unwrap();
    Gguf::open(&path)
}

#[test]
fn a_gguf_is_the_model_it_was_made_of() {
    for model in golden() {
        let file = open(&written(&model, GgmlDType::F32, &[])).unwrap();
        assert_eq!(file.weights().unwrap(), model.weights());
    }
}

#[test]
fn a_quantised_one_says_nearly_the_same() {
    for model in golden() {
        let file = open(&written(&model, GgmlDType::Q8_0, &[])).unwrap();
        let weights = file.weights().unwrap();
        assert_ne!(weights, model.weights());
        for text in model.texts() {
            let (ours, theirs) = (logits(&weights, &text), logits(&model.weights(), &text));
            assert_close(&ours, &theirs, 0.15);
        }
    }
}

#[test]
fn what_is_not_supported_is_named() {
    let [_, model] = golden();
    for (key, value) in [
        ("general.architecture", Value::String("phi3".into())),
        ("llama.rope.scaling.type", Value::String("yarn".into())),
        ("llama.expert_count", Value::U32(8)),
        ("llama.attention.sliding_window", Value::U32(64)),
        ("llama.rope.dimension_count", Value::U32(4)),
        ("llama.attention.value_length", Value::U32(4)),
        (
            "llama.attention.head_count_kv",
            Value::Array(vec![Value::U32(2)]),
        ),
        ("llama.block_count", Value::I32(-1)),
        ("llama.rope.freq_base", Value::String("high".into())),
    ] {
        let named = key.trim_start_matches("llama.").to_owned();
        let error = open(&written(&model, GgmlDType::F32, &[(key, value)])).unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains(&named) && error.contains("model.gguf"),
            "{error}"
        );
    }
    // It would divide by it.
    for zero in [Value::U8(0), Value::I16(0), Value::U32(0)] {
        let bytes = written(&model, GgmlDType::F32, &[("general.alignment", zero)]);
        assert!(matches!(open(&bytes), Err(ModelError::Damaged { .. })));
    }
    // A block more than there is, and one less.
    for (blocks, named) in [(3, "blk.2."), (1, "blk.1.")] {
        let more = [("llama.block_count", Value::U32(blocks))];
        let error = open(&written(&model, GgmlDType::F32, &more))
            .unwrap()
            .weights();
        let error = error.unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
}
