use std::collections::HashMap;
use std::fs;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::llama;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::json;
use tempfile::TempDir;

use super::{Golden, assert_close, golden, list, numbers};
use crate::model::reference::{greedy, logits};
use crate::model::{Config, ModelError, Weights};

#[test]
fn golden_logits() {
    for model in golden() {
        let weights = model.weights();
        let ours: Vec<f64> = model
            .texts()
            .iter()
            .flat_map(|text| logits(&weights, text))
            .collect();
        assert_close(&ours, &numbers(&model.json["logits"]), 1e-9);
        for case in list(&model.json["greedy"]) {
            let row = case["row"].as_u64().unwrap() as usize;
            let written = greedy(&weights, &model.texts()[row], 10, &[]);
            assert_eq!(json!(written), case["tokens"]);
        }
    }
}

#[test]
fn candle_agrees_with_the_reference() {
    let [_, model] = golden();
    assert!(model.is_llama());
    let config: llama::LlamaConfig = serde_json::from_value(model.json["config"].clone()).unwrap();
    let config = config.into_config(false);
    let builder =
        VarBuilder::from_slice_safetensors(model.tensors, DType::F32, &Device::Cpu).unwrap();
    let theirs = llama::Llama::load(builder, &config).unwrap();
    let weights = model.weights();
    for text in model.texts() {
        let ours = logits(&weights, &text);
        let mut cache = llama::Cache::new(true, DType::F32, &config, &Device::Cpu).unwrap();
        for (position, token) in text.iter().enumerate() {
            let input = Tensor::new(&[[*token]], &Device::Cpu).unwrap();
            let row = theirs.forward(&input, position, &mut cache).unwrap();
            let row: Vec<f64> = row
                .to_dtype(DType::F64)
                .and_then(|row| row.flatten_all()?.to_vec1())
                .unwrap();
            assert_close(&row, &ours[position * 48..][..48], 1e-4);
        }
    }
}

#[test]
fn shards_make_the_same_model() {
    for model in golden() {
        let folder = TempDir::new().unwrap();
        model.lay(folder.path());
        fs::remove_file(folder.path().join("model.safetensors")).unwrap();
        let tensors = SafeTensors::deserialize(model.tensors).unwrap();
        let mut map = HashMap::new();
        for shard in 0..3 {
            let file = format!("model-{shard}.safetensors");
            let mut part = tensors.tensors();
            part.sort_by(|a, b| a.0.cmp(&b.0));
            // Neighbours in different files: queries, keys and values of a block come from all three.
            let part: Vec<_> = part.into_iter().skip(shard).step_by(3).collect();
            map.extend(part.iter().map(|(name, _)| (name.clone(), file.clone())));
            safetensors::serialize_to_file(part, None, &folder.path().join(&file)).unwrap();
        }
        let index = folder.path().join("model.safetensors.index.json");
        fs::write(
            &index,
            json!({ "metadata": {}, "weight_map": map }).to_string(),
        )
        .unwrap();
        let sharded = Weights::open_hugging_face(folder.path()).unwrap();
        assert_eq!(sharded, model.weights());
        for name in ["../elsewhere.safetensors", "/etc/passwd", "", ".."] {
            map.insert("lm_head.weight".into(), name.into());
            fs::write(&index, json!({ "weight_map": map }).to_string()).unwrap();
            let error = Weights::open_hugging_face(folder.path()).unwrap_err();
            assert!(error.to_string().contains("weight_map"), "{error}");
        }
    }
}

/// The golden model with one tensor replaced, or left out.
fn with(
    model: &Golden,
    name: &str,
    tensor: Option<&(Dtype, Vec<usize>, Vec<u8>)>,
) -> Result<Weights, ModelError> {
    let folder = TempDir::new().unwrap();
    model.lay(folder.path());
    let tensors = SafeTensors::deserialize(model.tensors).unwrap();
    let mut tensors = tensors.tensors();
    tensors.retain(|(other, _)| other != name);
    if let Some((dtype, shape, data)) = tensor {
        let view = TensorView::new(*dtype, shape.clone(), data).unwrap();
        tensors.push((name.to_owned(), view));
    }
    let path = folder.path().join("model.safetensors");
    safetensors::serialize_to_file(tensors, None, &path).unwrap();
    Weights::open_hugging_face(folder.path())
}

#[test]
fn half_precision_is_widened() {
    let [model, _] = golden();
    let name = "model.norm.weight";
    let values: Vec<f32> = (0..32).map(|i| (i as f32 - 7.5) * 0.125).collect();
    let half = |value: &f32| half::f16::from_f32(*value).to_le_bytes();
    let brain = |value: &f32| half::bf16::from_f32(*value).to_le_bytes();
    for (dtype, data) in [
        (
            Dtype::F16,
            values.iter().flat_map(half).collect::<Vec<u8>>(),
        ),
        (Dtype::BF16, values.iter().flat_map(brain).collect()),
    ] {
        let weights = with(&model, name, Some(&(dtype, vec![32], data))).unwrap();
        let norm = weights.arrays().iter().find(|array| array.name == "norm");
        assert_eq!(norm.unwrap().values, values);
    }
}

#[test]
fn wrong_tensors_are_named() {
    let [model, _] = golden();
    let error = |name: &str, tensor: Option<(Dtype, Vec<usize>, Vec<u8>)>| {
        let error = with(&model, name, tensor.as_ref()).unwrap_err();
        error.to_string()
    };
    let missing = error("model.layers.1.mlp.up_proj.weight", None);
    assert!(
        missing.contains("model.safetensors: model.layers.1.mlp.up_proj.weight: missing"),
        "{missing}"
    );
    let shape = error(
        "model.norm.weight",
        Some((Dtype::F32, vec![16], vec![0; 64])),
    );
    assert!(shape.contains("[16] where [32]"), "{shape}");
    let kind = error(
        "model.norm.weight",
        Some((Dtype::I32, vec![32], vec![0; 128])),
    );
    assert!(kind.contains("I32"), "{kind}");
    let unknown = error(
        "model.layers.0.self_attn.q_norm.weight",
        Some((Dtype::F32, vec![8], vec![0; 32])),
    );
    assert!(unknown.contains("q_norm"), "{unknown}");
}

#[test]
fn what_is_not_supported_is_named() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("config.json");
    let read = |changes: serde_json::Value| {
        let [_, model] = golden();
        let mut config = model.json["config"].clone();
        let changes = changes.as_object().unwrap().clone();
        config.as_object_mut().unwrap().extend(changes);
        fs::write(&path, config.to_string()).unwrap();
        Config::read_hugging_face(&path)
    };
    let plain = read(json!({})).unwrap();
    assert_eq!(
        plain,
        Config {
            vocabulary: 48,
            width: 32,
            feed_forward: 56,
            layers: 2,
            heads: 4,
            kv_heads: 2,
            head_width: 8,
            norm_epsilon: 1e-5,
            rope_base: 500_000.0,
            qkv_bias: false,
            tied: false,
        }
    );
    for (field, value) in [
        ("model_type", json!("mistral")),
        ("model_type", json!(null)),
        ("architectures", json!(["LlamaForSequenceClassification"])),
        ("hidden_act", json!("gelu")),
        (
            "rope_scaling",
            json!({ "rope_type": "llama3", "factor": 8.0 }),
        ),
        (
            "rope_parameters",
            json!({ "rope_type": "yarn", "rope_theta": 1e4 }),
        ),
        ("quantization_config", json!({ "bits": 4 })),
        ("attention_bias", json!(true)),
        ("mlp_bias", json!(true)),
        ("use_sliding_window", json!(true)),
        ("partial_rotary_factor", json!(0.5)),
        ("hidden_size", json!(null)),
        ("hidden_size", json!("32")),
        ("num_hidden_layers", json!(-1)),
        ("rms_norm_eps", json!("small")),
        ("tie_word_embeddings", json!(1)),
    ] {
        let error = read(json!({ field: value })).unwrap_err();
        let named = matches!(&error, ModelError::Field { field: named, .. } if named == field);
        assert!(
            named && error.to_string().contains("config.json"),
            "{error}"
        );
    }
    for fine in [
        json!({ "rope_scaling": { "rope_type": "default" }, "architectures": ["LlamaForCausalLM"] }),
        json!({ "rope_theta": null, "rope_parameters": { "rope_type": "default", "rope_theta": 5e5 } }),
        json!({ "head_dim": null, "attention_bias": false, "sliding_window": 4096 }),
    ] {
        assert_eq!(read(fine).unwrap(), plain);
    }
    let error = read(json!({ "num_key_value_heads": 3 })).unwrap_err();
    assert!(error.to_string().contains("evenly"), "{error}");
}
