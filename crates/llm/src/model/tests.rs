//! Loaders against each other, against the golden logits and against candle.

mod candle;
mod damaged;
mod gguf;
mod hugging_face;
mod smollm2;

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::Weights;

pub(crate) use gguf::{open as open_gguf, written as written_gguf};
pub(crate) use smollm2::file as smollm2_file;

/// Tiny models with random weights by transformers 5.23.0, and what they say: logits by a decoder in float64 that agrees to 2e-6 with
/// transformers in float32.
pub(crate) struct Golden {
    pub(crate) json: Value,
    pub(crate) tensors: &'static [u8],
}

pub(crate) fn golden() -> [Golden; 2] {
    let text = include_str!("../../tests/golden/transformer.json");
    let json: Value = serde_json::from_str(text).expect("JSON");
    let model = |index: usize, tensors| Golden {
        json: json["models"][index].clone(),
        tensors,
    };
    [
        model(
            0,
            include_bytes!("../../tests/golden/transformer_qwen2.safetensors"),
        ),
        model(
            1,
            include_bytes!("../../tests/golden/transformer_llama.safetensors"),
        ),
    ]
}

impl Golden {
    pub(crate) fn is_llama(&self) -> bool {
        self.json["config"]["model_type"] == "llama"
    }

    /// Lays the model out as Hugging Face does.
    pub(crate) fn lay(&self, folder: &Path) {
        let config = self.json["config"].to_string();
        fs::write(folder.join("config.json"), config).expect("a file");
        fs::write(folder.join("model.safetensors"), self.tensors).expect("a file");
    }

    pub(crate) fn weights(&self) -> Weights {
        let folder = TempDir::new().expect("a folder");
        self.lay(folder.path());
        Weights::open_hugging_face(folder.path()).expect("a model")
    }

    /// The tokens of its texts.
    pub(crate) fn texts(&self) -> Vec<Vec<u32>> {
        let ids = &self.json["input_ids"];
        let length = ids["shape"][1].as_u64().expect("a length") as usize;
        let token = |token: &Value| token.as_u64().expect("a token") as u32;
        let ids: Vec<u32> = list(&ids["data"]).iter().map(token).collect();
        ids.chunks(length).map(<[u32]>::to_vec).collect()
    }
}

fn list(array: &Value) -> &Vec<Value> {
    array.as_array().expect("a list")
}

fn numbers(array: &Value) -> Vec<f64> {
    let number = |x: &Value| x.as_f64().expect("a number");
    list(&array["data"]).iter().map(number).collect()
}

fn assert_close(ours: &[f64], theirs: &[f64], tolerance: f64) {
    assert_eq!(ours.len(), theirs.len());
    for (at, (a, b)) in ours.iter().zip(theirs).enumerate() {
        let difference = (a - b).abs();
        assert!(
            difference <= tolerance * b.abs().max(1.0),
            "{at}: {a} against {b}"
        );
    }
}
