//! The policy against Hugging Face's Llama and Qwen2, and against itself laid out in other ways.

use std::path::PathBuf;

use burn::tensor::{Device, Tensor};
use era_llm::model::{Array, Config, Packed, Policy, Segment, Weights};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::Value;

fn golden(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    std::fs::read(path).expect("a stored reference")
}

fn numbers(value: &Value) -> Vec<f64> {
    let data = value["data"].as_array().expect("an array");
    data.iter().map(|x| x.as_f64().expect("a number")).collect()
}

fn size(value: &Value) -> usize {
    value.as_u64().expect("a size") as usize
}

/// A tensor of a safetensors file, with its shape.
fn stored(file: &[u8], name: &str) -> (Vec<usize>, Vec<f32>) {
    let (length, rest) = file.split_first_chunk::<8>().expect("a header");
    let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let header: Value = serde_json::from_slice(header).expect("a header");
    let entry = &header[name];
    assert_eq!(entry["dtype"], "F32", "{name}");
    let offset = |i: usize| size(&entry["data_offsets"][i]);
    let (chunks, _) = data[offset(0)..offset(1)].as_chunks::<4>();
    let shape = entry["shape"].as_array().expect("a shape");
    (
        shape.iter().map(size).collect(),
        chunks
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect(),
    )
}

/// Names of Hugging Face whose columns lie beside each other in one of our parameters, and whether a matrix is kept transposed.
fn sources(name: &str) -> (Vec<String>, bool) {
    let (prefix, kind) = match name.rsplit_once('.') {
        Some((layer, kind)) => (format!("model.{layer}."), kind),
        None => (String::new(), name),
    };
    let (names, transposed): (&[&str], bool) = match kind {
        "embed" => (&["model.embed_tokens.weight"], false),
        "norm" => (&["model.norm.weight"], false),
        "head" => (&["lm_head.weight"], false),
        "attention_norm" => (&["input_layernorm.weight"], false),
        "mlp_norm" => (&["post_attention_layernorm.weight"], false),
        "qkv" => (
            &[
                "self_attn.q_proj.weight",
                "self_attn.k_proj.weight",
                "self_attn.v_proj.weight",
            ],
            true,
        ),
        "qkv_bias" => (
            &[
                "self_attn.q_proj.bias",
                "self_attn.k_proj.bias",
                "self_attn.v_proj.bias",
            ],
            false,
        ),
        "out" => (&["self_attn.o_proj.weight"], true),
        "gate_up" => (&["mlp.gate_proj.weight", "mlp.up_proj.weight"], true),
        "down" => (&["mlp.down_proj.weight"], true),
        other => panic!("no parameter is called {other}"),
    };
    let names = names.iter().map(|name| format!("{prefix}{name}")).collect();
    (names, transposed)
}

/// Where each source's outputs begin and end among our columns.
fn columns(file: &[u8], name: &str) -> Vec<(String, std::ops::Range<usize>)> {
    let (names, transposed) = sources(name);
    let mut start = 0;
    let place = |source: String| {
        let (shape, _) = stored(file, &source);
        let outputs = if transposed {
            shape[0]
        } else {
            shape[shape.len() - 1]
        };
        start += outputs;
        (source, start - outputs..start)
    };
    names.into_iter().map(place).collect()
}

fn model(index: usize) -> (Value, Vec<u8>, Weights) {
    let all: Value = serde_json::from_slice(&golden("transformer.json")).expect("JSON");
    let case = all["models"][index].clone();
    let file = golden(case["weights"].as_str().expect("a name"));
    let of = |name: &str| size(&case["config"][name]);
    let float = |name: &str| case["config"][name].as_f64().expect("a number");
    let config = Config {
        vocabulary: of("vocab_size"),
        width: of("hidden_size"),
        feed_forward: of("intermediate_size"),
        layers: of("num_hidden_layers"),
        heads: of("num_attention_heads"),
        kv_heads: of("num_key_value_heads"),
        head_width: of("head_dim"),
        norm_epsilon: float("rms_norm_eps"),
        rope_base: float("rope_theta"),
        qkv_bias: case["config"]["attention_bias_qkv"] == true,
        tied: false,
    };
    let arrays = config.parameters().into_iter().map(|(name, shape)| {
        let mut values = vec![f32::NAN; shape[0] * shape[1]];
        for (source, place) in columns(&file, &name) {
            let (_, data) = stored(&file, &source);
            let transposed = sources(&name).1;
            for (i, x) in data.iter().enumerate() {
                let (row, column) = if transposed {
                    (i % shape[0], i / shape[0])
                } else {
                    (i / place.len(), i % place.len())
                };
                values[row * shape[1] + place.start + column] = *x;
            }
        }
        Array {
            name,
            shape,
            values,
        }
    });
    let weights = Weights::new(config.clone(), arrays.collect()).expect("weights");
    (case, file, weights)
}

fn floats(tensor: &Tensor<3>) -> Vec<f32> {
    let data = tensor.clone().into_data();
    data.try_into_vec().expect("32-bit floats")
}

fn own(start: usize, len: usize) -> Segment {
    Segment {
        start,
        len,
        prefix: None,
    }
}

#[test]
fn logits_log_probabilities_and_gradients_are_those_of_hugging_face() {
    for index in 0..2 {
        let (case, file, weights) = model(index);
        let config = weights.config().clone();
        let policy = Policy::from_weights(&weights, &Device::flex());
        assert_eq!(policy.weights(), weights);
        let tokens: Vec<u32> = numbers(&case["input_ids"])
            .iter()
            .map(|x| *x as u32)
            .collect();
        let segments = vec![own(0, 9), own(9, 9)];
        let all: Vec<usize> = (0..18).collect();
        let packed = Packed::new(&config, &tokens, segments.clone(), &all).expect("tokens");
        let logits = floats(&policy.forward(&packed).logits());
        for (a, b) in logits.iter().zip(numbers(&case["logits"])) {
            assert!((f64::from(*a) - b).abs() < 1e-4, "{a} instead of {b}");
        }
        let rows: Vec<usize> = (0..18).filter(|row| row % 9 < 8).collect();
        let taken: Vec<u32> = rows.iter().map(|row| tokens[row + 1]).collect();
        let packed = Packed::new(&config, &tokens, segments, &rows).expect("tokens");
        let mut pass = policy.forward(&packed);
        let log_probs = pass.log_probs(&taken, &[1.0; 16], None);
        for (a, b) in log_probs.iter().zip(numbers(&case["token_log_prob"])) {
            assert!((f64::from(*a) - b).abs() < 1e-4, "{a} instead of {b}");
        }
        let gradients = pass.backward(&[-1.0 / 16.0; 16], &[0.0; 16]);
        for ((name, shape), gradient) in config.parameters().iter().zip(&gradients) {
            assert_eq!(gradient.dims(), [1, shape[0], shape[1]], "{name}");
            let gradient = floats(gradient);
            for (source, place) in columns(&file, name) {
                let squares = gradient
                    .iter()
                    .enumerate()
                    .filter(|(i, _)| place.contains(&(i % shape[1])))
                    .map(|(_, x)| f64::from(*x) * f64::from(*x));
                let norm = squares.sum::<f64>().sqrt();
                let exact = case["grad_norm"][&source].as_f64().expect("a norm");
                assert!(
                    (norm - exact).abs() < 1e-4 * exact.max(1.0),
                    "{source}: {norm} instead of {exact}"
                );
            }
            if name == "norm" {
                for (a, b) in gradient.iter().zip(numbers(&case["grad_final_norm"])) {
                    assert!((f64::from(*a) - b).abs() < 1e-5, "{a} instead of {b}");
                }
            }
        }
    }
}

/// A small model that has everything: shared heads, biases that are not 0, a tied output matrix or not.
fn small(tied: bool) -> Policy {
    let config = Config {
        vocabulary: 23,
        width: 24,
        feed_forward: 40,
        layers: 3,
        heads: 4,
        kv_heads: 2,
        head_width: 8,
        norm_epsilon: 1e-6,
        rope_base: 1e4,
        qkv_bias: true,
        tied,
    };
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut weights = Weights::init(config, &mut rng).expect("weights");
    for array in weights.arrays_mut() {
        let mut noise = vec![0.0; array.values.len()];
        era_nn::standard_normal(&mut rng, &mut noise);
        for (x, noise) in array.values.iter_mut().zip(noise) {
            *x += 0.2 * noise;
        }
    }
    Policy::from_weights(&weights, &Device::flex())
}

/// Two prompts and three responses to each, either sharing the prompt or each with a copy of it. The order of rows is the same.
fn groups(policy: &Policy, shared: bool) -> (Packed, Vec<u32>) {
    let (mut tokens, mut segments) = (Vec::new(), Vec::new());
    let (mut rows, mut taken) = (Vec::new(), Vec::new());
    for (group, prompt_len) in [5_usize, 3].into_iter().enumerate() {
        let prompt: Vec<u32> = (0..prompt_len)
            .map(|i| ((i * 5 + group) % 23) as u32)
            .collect();
        let (first, number) = (tokens.len(), segments.len());
        if shared {
            segments.push(own(first, prompt_len));
            tokens.extend(&prompt);
        }
        for response_len in [4_usize, 1, 6] {
            let response: Vec<u32> = (0..response_len)
                .map(|i| ((i * 7 + response_len + group) % 23) as u32)
                .collect();
            let start = tokens.len();
            let body = if shared {
                segments.push(Segment {
                    start,
                    len: response_len,
                    prefix: Some(number),
                });
                rows.push(first + prompt_len - 1);
                start
            } else {
                segments.push(own(start, prompt_len + response_len));
                tokens.extend(&prompt);
                rows.push(start + prompt_len - 1);
                start + prompt_len
            };
            rows.extend(body..body + response_len - 1);
            taken.extend(&response);
            tokens.extend(&response);
        }
    }
    let packed = Packed::new(policy.config(), &tokens, segments, &rows).expect("tokens");
    (packed, taken)
}

type Results = (Vec<f32>, Vec<f32>, Vec<Tensor<3>>);

fn results(policy: &Policy, packed: &Packed, taken: &[u32], top: Option<usize>) -> Results {
    let rows = packed.rows();
    let factors: Vec<f32> = (0..rows).map(|i| 0.5 + 0.25 * (i % 4) as f32).collect();
    let of_log_probs: Vec<f32> = (0..rows).map(|i| (i as f32).sin()).collect();
    let of_entropies: Vec<f32> = (0..rows).map(|i| 0.3 * (i as f32).cos()).collect();
    let mut pass = policy.forward(packed);
    let entropies = pass.entropies();
    let log_probs = pass.log_probs(taken, &factors, top);
    let evaluation = policy.evaluate(packed, taken, &factors, top);
    assert_eq!(evaluation.log_probs, log_probs);
    assert_eq!(evaluation.entropies, entropies);
    let gradients = pass.backward(&of_log_probs, &of_entropies);
    (log_probs, entropies, gradients)
}

fn assert_same(a: &Results, b: &Results, tolerance: f32) {
    for (a, b) in [(&a.0, &b.0), (&a.1, &b.1)] {
        for (a, b) in a.iter().zip(b) {
            assert!(
                (a - b).abs() < 1e-5 * b.abs().max(1.0),
                "{a} instead of {b}"
            );
        }
    }
    for (index, (a, b)) in a.2.iter().zip(&b.2).enumerate() {
        let (a, b) = (floats(a), floats(b));
        let scale = b.iter().fold(0.0_f32, |max, x| max.max(x.abs()));
        assert!(scale > 0.0, "parameter {index} has no gradient");
        for (a, b) in a.iter().zip(&b) {
            assert!(
                (a - b).abs() <= tolerance * scale,
                "parameter {index}: {a} instead of {b}"
            );
        }
    }
}

#[test]
fn a_shared_prompt_is_the_same_as_copies_of_it() {
    for (tied, top) in [(false, None), (true, Some(9))] {
        let policy = small(tied);
        let (shared, taken) = groups(&policy, true);
        let (copies, _) = groups(&policy, false);
        assert!(shared.tokens() < copies.tokens());
        let shared = results(&policy, &shared, &taken, top);
        assert_same(&shared, &results(&policy, &copies, &taken, top), 1e-5);
    }
}

#[test]
fn checkpointing_changes_nothing() {
    let mut policy = small(true);
    let (packed, taken) = groups(&policy, true);
    let kept = results(&policy, &packed, &taken, None);
    policy.checkpointing = true;
    assert_same(&results(&policy, &packed, &taken, None), &kept, 1e-6);
}

/// The gradients of the whole model along random directions of all parameters, against differences.
#[test]
fn gradients_are_slopes() {
    for tied in [false, true] {
        let policy = small(tied);
        let (packed, taken) = groups(&policy, true);
        let rows = packed.rows();
        let value = |policy: &Policy| {
            let of = policy.evaluate(&packed, &taken, &vec![1.5; rows], None);
            let sum = |x: &[f32]| x.iter().map(|x| f64::from(*x)).sum::<f64>();
            sum(&of.log_probs) - 2.0 * sum(&of.entropies)
        };
        let mut pass = policy.forward(&packed);
        pass.log_probs(&taken, &vec![1.5; rows], None);
        let gradients = pass.backward(&vec![1.0; rows], &vec![-2.0; rows]);
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        for (index, gradient) in gradients.iter().enumerate() {
            let gradient = floats(gradient);
            let mut direction = vec![0.0; gradient.len()];
            era_nn::standard_normal(&mut rng, &mut direction);
            let slope: f64 = gradient
                .iter()
                .zip(&direction)
                .map(|(g, d)| f64::from(*g) * f64::from(*d))
                .sum();
            let length: f64 = gradient
                .iter()
                .map(|g| f64::from(*g).powi(2))
                .sum::<f64>()
                .sqrt();
            assert!(length > 0.0, "parameter {index} has no gradient");
            let step = 1e-3;
            let [above, below] = [step, -step].map(|step| {
                let mut weights = policy.weights();
                let array = &mut weights.arrays_mut()[index];
                for (x, d) in array.values.iter_mut().zip(&direction) {
                    *x += step * d;
                }
                value(&Policy::from_weights(&weights, &Device::flex()))
            });
            let difference = (above - below) / (2.0 * f64::from(step));
            assert!(
                (slope - difference).abs() < 0.03 * length.max(0.5),
                "parameter {index}: {slope} instead of {difference} (length {length})"
            );
        }
    }
}

#[test]
fn tokens_that_do_not_fit_are_refused() {
    let policy = small(true);
    let check = |tokens: &[u32], len: usize, rows: &[usize]| {
        Packed::new(policy.config(), tokens, vec![own(0, len)], rows).is_err()
    };
    assert!(!check(&[1, 2, 3], 3, &[0, 2]));
    assert!(check(&[1, 2, 3], 2, &[0, 1]));
    assert!(check(&[1, 2, 23], 3, &[0]));
    assert!(check(&[1, 2, 3], 3, &[3]));
    assert!(check(&[1, 2, 3], 3, &[]));
}
