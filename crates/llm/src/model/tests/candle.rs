//! candle-transformers on the same GGUF: it reads the file with code of its own, the order of queries and keys, rotary positions and a tied
//! head included.

use std::fs;
use std::io::Cursor;

use candle_core::quantized::gguf_file::{self, Content, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Device, Result, Tensor};
use candle_transformers::models::{quantized_llama, quantized_qwen2};

use super::gguf::{open, written};
use super::{assert_close, golden, smollm2_file};
use crate::model::reference::logits;
use crate::model::{Packed, Policy, Segment, Weights};
use crate::text::Text;

/// candle 0.11.1's readers of the two architectures.
enum Candle {
    Llama(quantized_llama::ModelWeights),
    Qwen2(quantized_qwen2::ModelWeights),
}

impl Candle {
    fn open(bytes: &[u8]) -> Result<Self> {
        let (mut reader, device) = (Cursor::new(bytes), Device::Cpu);
        let content = Content::read(&mut reader)?;
        let architecture = content.metadata["general.architecture"].clone();
        Ok(match architecture.to_string()?.as_str() {
            "llama" => Self::Llama(quantized_llama::ModelWeights::from_gguf(
                content,
                &mut reader,
                &device,
            )?),
            _ => Self::Qwen2(quantized_qwen2::ModelWeights::from_gguf(
                content,
                &mut reader,
                &device,
            )?),
        })
    }

    /// The logits after each token of a text, a row each.
    fn logits(&mut self, text: &[u32]) -> Result<Vec<Vec<f64>>> {
        let row = |(position, token): (usize, &u32)| {
            let input = Tensor::new(&[[*token]], &Device::Cpu)?;
            let row = match self {
                Self::Llama(model) => model.forward(&input, position)?,
                Self::Qwen2(model) => model.forward(&input, position)?,
            };
            row.to_dtype(DType::F64)?.flatten_all()?.to_vec1()
        };
        text.iter().enumerate().map(row).collect()
    }
}

/// The log-probability of each token of a text but the first, by rows of logits.
fn log_probs(rows: &[Vec<f64>], text: &[u32]) -> Vec<f64> {
    let pairs = rows.iter().zip(&text[1..]);
    let log_prob = |(row, token): (&Vec<f64>, &u32)| {
        let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = row.iter().map(|logit| (logit - most).exp()).sum();
        row[*token as usize] - most - sum.ln()
    };
    pairs.map(log_prob).collect()
}

/// The same by the policy that is trained.
fn log_probs_of_policy(weights: &Weights, text: &[u32]) -> Vec<f64> {
    let last = text.len() - 1;
    let segment = Segment {
        start: 0,
        len: last,
        prefix: None,
    };
    let rows: Vec<usize> = (0..last).collect();
    let packed = Packed::new(weights.config(), &text[..last], vec![segment], &rows);
    let policy = Policy::from_weights(weights, &burn::tensor::Device::flex());
    let found = policy.evaluate(&packed.unwrap(), &text[1..], &vec![1.0; last], None);
    found.log_probs.into_iter().map(f64::from).collect()
}

#[test]
fn it_says_the_same_of_small_ones() {
    let more = [("qwen2.context_length", Value::U32(256))];
    for model in golden() {
        // With quantised numbers it rounds what it multiplies them with to as few bits.
        for (dtype, tolerance) in [(GgmlDType::F32, 1e-4), (GgmlDType::Q8_0, 0.15)] {
            let bytes = written(&model, dtype, &more);
            let weights = open(&bytes).unwrap().weights().unwrap();
            for text in model.texts() {
                let theirs = Candle::open(&bytes).unwrap().logits(&text).unwrap();
                assert_close(&theirs.concat(), &logits(&weights, &text), tolerance);
                let ours = log_probs_of_policy(&weights, &text);
                assert_close(&log_probs(&theirs, &text), &ours, tolerance);
            }
        }
    }
}

/// A GGUF with the same numbers, but as 32-bit floats, so that candle multiplies without rounding.
fn widened(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut reader = Cursor::new(bytes);
    let content = Content::read(&mut reader)?;
    let mut names: Vec<&String> = content.tensor_infos.keys().collect();
    names.sort();
    let mut tensors = Vec::new();
    for name in names {
        let tensor = content.tensor(&mut reader, name, &Device::Cpu)?;
        let tensor = tensor.dequantize(&Device::Cpu)?;
        tensors.push((name.as_str(), QTensor::quantize(&tensor, GgmlDType::F32)?));
    }
    let tensors: Vec<_> = tensors
        .iter()
        .map(|(name, tensor)| (*name, tensor))
        .collect();
    let mut metadata: Vec<_> = content.metadata.iter().collect();
    metadata.retain(|(key, _)| key.starts_with("llama.") || *key == "general.architecture");
    metadata.sort_by_key(|(key, _)| *key);
    let metadata: Vec<_> = metadata
        .iter()
        .map(|(key, value)| (key.as_str(), *value))
        .collect();
    let mut file = Cursor::new(Vec::new());
    gguf_file::write(&mut file, &metadata, &tensors)?;
    Ok(file.into_inner())
}

#[test]
fn it_says_the_same_of_smollm2() {
    let Some(path) = smollm2_file() else { return };
    let model = crate::model::Gguf::open(&path).unwrap();
    let text = Text::of_gguf(&model).unwrap();
    let prompt = text.prompt("What is 7 + 5?").unwrap();
    let ours = log_probs_of_policy(&model.weights().unwrap(), &prompt);
    let wide = widened(&fs::read(&path).unwrap()).unwrap();
    let mut candle = Candle::open(&wide).unwrap();
    drop(wide);
    let theirs = candle.logits(&prompt).unwrap();
    assert_close(&log_probs(&theirs, &prompt), &ours, 1e-3);
}
