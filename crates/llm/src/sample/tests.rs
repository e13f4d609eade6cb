//! Models of transformers 5.23.0 (`tests/golden/transformer.json` and the two files beside it say how they were made): greedy decoding is
//! Hugging Face's `generate`. Probabilities are compared with a forward pass in `f64` over the whole sequence, without any cache.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use safetensors::SafeTensors;
use serde_json::Value;

use super::{Error, Generator, Request, Response, Sampling, generate};
use crate::model::{Array, Config, Weights};

/// `[rows, columns]` of the file, as `[columns, rows]`.
fn transposed(values: &[f32], [rows, columns]: [usize; 2]) -> Vec<f32> {
    let columns_of = (0..columns).flat_map(|c| (0..rows).map(move |r| (r, c)));
    columns_of.map(|(r, c)| values[r * columns + c]).collect()
}

/// A model of the fixture, with the inputs and the greedy tokens that follow them.
struct Golden {
    weights: Weights,
    prompts: Vec<Vec<u32>>,
    greedy: Vec<Vec<u32>>,
    /// Of the last position of each prompt.
    logits: Vec<Vec<f64>>,
}

fn tokens(list: &Value) -> Vec<u32> {
    let list = list.as_array().expect("a list");
    list.iter()
        .map(|token| token.as_u64().expect("a token") as u32)
        .collect()
}

fn golden() -> Vec<Golden> {
    let file: Value =
        serde_json::from_str(include_str!("../../tests/golden/transformer.json")).expect("JSON");
    let models = file["models"].as_array().expect("models");
    models.iter().map(golden_model).collect()
}

fn golden_model(model: &Value) -> Golden {
    let bytes: &[u8] = match model["weights"].as_str() {
        Some("transformer_qwen2.safetensors") => {
            include_bytes!("../../tests/golden/transformer_qwen2.safetensors")
        }
        Some("transformer_llama.safetensors") => {
            include_bytes!("../../tests/golden/transformer_llama.safetensors")
        }
        name => panic!("an unknown file: {name:?}"),
    };
    let file = SafeTensors::deserialize(bytes).expect("safetensors");
    let said = &model["config"];
    let size = |name: &str| said[name].as_u64().expect("a size") as usize;
    let flag = |name: &str| said[name].as_bool().expect("a flag");
    let config = Config {
        vocabulary: size("vocab_size"),
        width: size("hidden_size"),
        feed_forward: size("intermediate_size"),
        layers: size("num_hidden_layers"),
        heads: size("num_attention_heads"),
        kv_heads: size("num_key_value_heads"),
        head_width: size("head_dim"),
        norm_epsilon: said["rms_norm_eps"].as_f64().expect("a number"),
        rope_base: said["rope_theta"].as_f64().expect("a number"),
        qkv_bias: flag("attention_bias_qkv"),
        tied: flag("tie_word_embeddings"),
    };
    let weights = weights(&config, &file);
    let shape = tokens(&model["input_ids"]["shape"]);
    let inputs = tokens(&model["input_ids"]["data"]);
    let width = shape[1] as usize;
    let logits = model["logits"]["data"].as_array().expect("logits");
    let row = |row: usize| {
        let start = (row * width + width - 1) * config.vocabulary;
        let logits = &logits[start..start + config.vocabulary];
        logits
            .iter()
            .map(|x| x.as_f64().expect("a number"))
            .collect()
    };
    let greedy = model["greedy"].as_array().expect("greedy");
    let greedy: Vec<Vec<u32>> = greedy.iter().map(|row| tokens(&row["tokens"])).collect();
    Golden {
        prompts: inputs.chunks(width).map(<[u32]>::to_vec).collect(),
        logits: (0..greedy.len()).map(row).collect(),
        greedy,
        weights,
    }
}

/// Hugging Face keeps `[outputs, inputs]`, and every projection for itself.
fn weights(config: &Config, file: &SafeTensors) -> Weights {
    let read = |name: &str| -> Vec<f32> {
        let tensor = file.tensor(name).expect("a tensor of the file");
        let (chunks, _) = tensor.data().as_chunks::<4>();
        chunks
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect()
    };
    let arrays = config.parameters().into_iter().map(|(name, shape)| {
        let (layer, kind) = name
            .strip_prefix("layers.")
            .and_then(|rest| rest.split_once('.'))
            .unwrap_or(("", &name));
        let inner = |names: &[&str], suffix: &str| -> Vec<f32> {
            let parts = names.iter();
            parts
                .flat_map(|part| read(&format!("model.layers.{layer}.{part}.{suffix}")))
                .collect()
        };
        let qkv = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"];
        let matrix = |names: &[&str]| transposed(&inner(names, "weight"), [shape[1], shape[0]]);
        let values = match kind {
            "embed" => read("model.embed_tokens.weight"),
            "head" => read("lm_head.weight"),
            "norm" => read("model.norm.weight"),
            "attention_norm" => inner(&["input_layernorm"], "weight"),
            "mlp_norm" => inner(&["post_attention_layernorm"], "weight"),
            "qkv" => matrix(&qkv),
            "qkv_bias" => inner(&qkv, "bias"),
            "out" => matrix(&["self_attn.o_proj"]),
            "gate_up" => matrix(&["mlp.gate_proj", "mlp.up_proj"]),
            "down" => matrix(&["mlp.down_proj"]),
            other => panic!("an unknown parameter: {other}"),
        };
        Array {
            name: name.clone(),
            shape,
            values,
        }
    });
    Weights::new(config.clone(), arrays.collect()).expect("weights that fit")
}

/// Logits at every position of one sequence, in `f64`, from formulas and without a cache.
fn reference(weights: &Weights, sequence: &[u32]) -> Vec<Vec<f64>> {
    let c = weights.config();
    let array = |name: &str| -> Vec<f64> {
        let found = weights.arrays().iter().find(|array| array.name == name);
        let values = &found.expect("a parameter").values;
        values.iter().map(|x| f64::from(*x)).collect()
    };
    let norm = |x: &[f64], scale: &[f64]| -> Vec<f64> {
        let mean = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
        let root = (mean + c.norm_epsilon).sqrt();
        x.iter().zip(scale).map(|(x, s)| x / root * s).collect()
    };
    let times = |x: &[f64], matrix: &[f64]| -> Vec<f64> {
        let columns = matrix.len() / x.len();
        let column = |j| (0..x.len()).map(|i| x[i] * matrix[i * columns + j]).sum();
        (0..columns).map(column).collect()
    };
    let turn = |head: &[f64], position: usize| -> Vec<f64> {
        let half = head.len() / 2;
        let mut out = head.to_vec();
        for i in 0..half {
            let angle = position as f64 * c.rope_base.powf(-(i as f64) / half as f64);
            out[i] = head[i] * angle.cos() - head[half + i] * angle.sin();
            out[half + i] = head[half + i] * angle.cos() + head[i] * angle.sin();
        }
        out
    };
    let embed = array("embed");
    let row = |token: &u32| embed[*token as usize * c.width..][..c.width].to_vec();
    let mut stream: Vec<Vec<f64>> = sequence.iter().map(row).collect();
    for layer in 0..c.layers {
        let of = |name: &str| array(&format!("layers.{layer}.{name}"));
        let (qkv_matrix, scale) = (of("qkv"), of("attention_norm"));
        let bias = if c.qkv_bias {
            of("qkv_bias")
        } else {
            vec![0.0; c.qkv_width()]
        };
        let heads = c.heads + 2 * c.kv_heads;
        let projected: Vec<Vec<Vec<f64>>> = stream
            .iter()
            .enumerate()
            .map(|(position, x)| {
                let mut y = times(&norm(x, &scale), &qkv_matrix);
                y.iter_mut().zip(&bias).for_each(|(y, b)| *y += b);
                let head = |h: usize| {
                    let head = &y[h * c.head_width..][..c.head_width];
                    if h < c.heads + c.kv_heads {
                        turn(head, position)
                    } else {
                        head.to_vec()
                    }
                };
                (0..heads).map(head).collect()
            })
            .collect();
        let (out, mlp_norm, gate_up, down) = (of("out"), of("mlp_norm"), of("gate_up"), of("down"));
        for position in 0..sequence.len() {
            let mut mixed = Vec::new();
            for head in 0..c.heads {
                let shared = head / (c.heads / c.kv_heads);
                let key = |at: usize| &projected[at][c.heads + shared];
                let score = |at: usize| -> f64 {
                    let dot: f64 = projected[position][head]
                        .iter()
                        .zip(key(at))
                        .map(|(q, k)| q * k)
                        .sum();
                    (dot / (c.head_width as f64).sqrt()).exp()
                };
                let scores: Vec<f64> = (0..=position).map(score).collect();
                let sum: f64 = scores.iter().sum();
                mixed.extend((0..c.head_width).map(|i| -> f64 {
                    let value = |at: usize| projected[at][c.heads + c.kv_heads + shared][i];
                    (0..=position).map(|at| scores[at] / sum * value(at)).sum()
                }));
            }
            let x = &mut stream[position];
            x.iter_mut()
                .zip(times(&mixed, &out))
                .for_each(|(x, y)| *x += y);
            let hidden = times(&norm(x, &mlp_norm), &gate_up);
            let (gate, up) = hidden.split_at(c.feed_forward);
            let gated: Vec<f64> = gate
                .iter()
                .zip(up)
                .map(|(g, u)| g / (1.0 + (-g).exp()) * u)
                .collect();
            x.iter_mut()
                .zip(times(&gated, &down))
                .for_each(|(x, y)| *x += y);
        }
    }
    let head = if c.tied { embed.clone() } else { array("head") };
    let scale = array("norm");
    let logits = |x: &Vec<f64>| -> Vec<f64> {
        let x = norm(x, &scale);
        let dot = |row: &[f64]| row.iter().zip(&x).map(|(a, b)| a * b).sum();
        head.chunks(c.width).map(dot).collect()
    };
    stream.iter().map(logits).collect()
}

fn greedy(max_tokens: usize) -> Sampling {
    Sampling {
        temperature: 0.0,
        top_p: 1.0,
        top_k: None,
        max_tokens,
        stop: Vec::new(),
    }
}

fn warm(max_tokens: usize) -> Sampling {
    Sampling {
        temperature: 1.0,
        ..greedy(max_tokens)
    }
}

fn rng(request: usize, sample: usize) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64((request * 1_000 + sample) as u64)
}

#[test]
fn greedy_decoding_is_that_of_transformers() {
    for golden in golden() {
        // The reference of these tests is that of the fixture first.
        for (prompt, logits) in golden.prompts.iter().zip(&golden.logits) {
            let last = reference(&golden.weights, prompt)
                .pop()
                .expect("a position");
            for (a, b) in last.iter().zip(logits) {
                assert!((a - b).abs() < 1e-9, "{a} instead of {b}");
            }
        }
        let request = |prompt| Request { prompt, samples: 1 };
        let requests: Vec<Request> = golden.prompts.iter().map(|p| request(p)).collect();
        let found = generate(&golden.weights, &requests, &greedy(10), rng).expect("samples");
        for (found, expected) in found.iter().zip(&golden.greedy) {
            assert_eq!(found[0].tokens, *expected);
            assert!(!found[0].stopped);
        }
    }
}

/// Log-probabilities and entropies to 1e-4 of the reference, over prompts and responses longer than a page, with sizes that fill no register.
#[test]
fn probabilities_are_those_of_a_pass_over_the_whole_sequence() {
    let odd = Config {
        vocabulary: 37,
        width: 20,
        feed_forward: 27,
        layers: 2,
        heads: 6,
        kv_heads: 2,
        head_width: 6,
        norm_epsilon: 1e-5,
        rope_base: 500.0,
        qkv_bias: true,
        tied: true,
    };
    let mut drawn = Weights::init(odd, &mut rng(9, 9)).expect("a configuration");
    for (seed, array) in drawn.arrays_mut().iter_mut().enumerate() {
        let mut noise = vec![0.0; array.values.len()];
        era_nn::standard_normal(&mut rng(8, seed), &mut noise);
        array
            .values
            .iter_mut()
            .zip(noise)
            .for_each(|(x, n)| *x += 0.2 * n);
    }
    let models = golden().into_iter().map(|golden| golden.weights);
    for weights in models.chain([drawn]) {
        let long: Vec<u32> = (0..45).map(|i| (i * i + 3) % 37).collect();
        let requests = [
            Request {
                prompt: &[5],
                samples: 2,
            },
            Request {
                prompt: &long,
                samples: 3,
            },
            Request {
                prompt: &long[..32],
                samples: 1,
            },
            Request {
                prompt: &long[..7],
                samples: 0,
            },
        ];
        for temperature in [1.0, 0.7] {
            let sampling = Sampling {
                temperature,
                ..warm(40)
            };
            let found = generate(&weights, &requests, &sampling, rng).expect("samples");
            for (request, responses) in requests.iter().zip(&found) {
                assert_eq!(responses.len(), request.samples);
                for response in responses {
                    check(&weights, request.prompt, response, temperature);
                }
            }
        }
    }
}

fn check(weights: &Weights, prompt: &[u32], response: &Response, temperature: f64) {
    assert_eq!(response.tokens.len(), 40);
    let sequence = [prompt, &response.tokens].concat();
    let logits = reference(weights, &sequence);
    let log_sum = |row: &[f64], t: f64| row.iter().map(|z| (z / t).exp()).sum::<f64>().ln();
    for (at, token) in response.tokens.iter().enumerate() {
        let row = &logits[prompt.len() - 1 + at];
        let log_prob = row[*token as usize] / temperature - log_sum(row, temperature);
        let found = f64::from(response.log_probs[at]);
        assert!(
            (found - log_prob).abs() < 1e-4,
            "{at}: {found} instead of {log_prob}"
        );
        let sum = log_sum(row, 1.0);
        let entropy: f64 = row.iter().map(|z| (z - sum).exp() * (sum - z)).sum();
        let found = f64::from(response.entropies[at]);
        assert!(
            (found - entropy).abs() < 1e-4,
            "{at}: {found} instead of {entropy}"
        );
    }
}

/// To the last bit: neither the number of rows nor a shared prompt nor what was computed before changes anything.
#[test]
fn a_response_depends_on_its_own_generator_alone() {
    for golden in golden() {
        let weights = &golden.weights;
        let requests: Vec<Request> = golden
            .prompts
            .iter()
            .zip([5, 9])
            .map(|(prompt, samples)| Request { prompt, samples })
            .collect();
        // Stop tokens make rows end at different times.
        let sampling = Sampling {
            stop: vec![3, 7],
            ..warm(70)
        };
        let all = generate(weights, &requests, &sampling, rng).expect("samples");
        let mut generator = Generator::new(3);
        for rows in [1, 2, 7, 14] {
            let found = Generator::new(rows).generate(weights, &requests, &sampling, rng);
            assert_eq!(found.as_ref(), Ok(&all), "{rows} rows");
            let again = generator.generate(weights, &requests, &sampling, rng);
            assert_eq!(again.as_ref(), Ok(&all), "memory that was used before");
        }
        let alone = Request {
            prompt: &golden.prompts[1],
            samples: 1,
        };
        for (sample, expected) in all[1].iter().enumerate() {
            let found = generate(weights, &[alone], &sampling, |_, _| rng(1, sample));
            assert_eq!(found.expect("samples")[0][0], *expected);
        }
        let lengths: Vec<usize> = all.iter().flatten().map(|r| r.tokens.len()).collect();
        assert!(lengths.iter().min() < lengths.iter().max(), "{lengths:?}");
    }
}

#[test]
fn responses_end_at_stop_tokens_or_at_their_length() {
    let golden = &golden()[0];
    let request = Request {
        prompt: &golden.prompts[0],
        samples: 2,
    };
    for max_tokens in [1, 2, 5] {
        let found = generate(&golden.weights, &[request], &greedy(max_tokens), rng);
        for response in &found.expect("samples")[0] {
            assert_eq!(response.tokens, golden.greedy[0][..max_tokens]);
            assert_eq!(response.log_probs.len(), max_tokens);
            assert_eq!(response.entropies.len(), max_tokens);
            assert!(!response.stopped);
        }
    }
    for at in 0..3 {
        let stop = golden.greedy[0][at];
        let sampling = Sampling {
            stop: vec![1_000_000, stop],
            ..greedy(10)
        };
        let found = generate(&golden.weights, &[request], &sampling, rng);
        for response in &found.expect("samples")[0] {
            assert_eq!(response.tokens, golden.greedy[0][..=at]);
            assert!(response.stopped);
        }
    }
}

#[test]
fn what_cannot_be_sampled_is_said() {
    let weights = &golden()[0].weights;
    let request = |prompt| Request { prompt, samples: 1 };
    let sample =
        |requests: &[Request], sampling: &Sampling| generate(weights, requests, sampling, rng);
    assert_eq!(sample(&[], &warm(3)), Ok(vec![]));
    let none = Request {
        prompt: &[1],
        samples: 0,
    };
    assert_eq!(sample(&[none, none], &warm(3)), Ok(vec![vec![], vec![]]));
    let empty = sample(&[request(&[1]), request(&[])], &warm(3));
    assert_eq!(empty, Err(Error::EmptyPrompt { request: 1 }));
    let unknown = sample(&[request(&[1, 48])], &warm(3));
    let (token, vocabulary) = (48, 48);
    assert_eq!(
        unknown,
        Err(Error::Token {
            request: 0,
            token,
            vocabulary
        })
    );
    for sampling in [
        Sampling {
            temperature: -0.1,
            ..warm(3)
        },
        Sampling {
            temperature: f64::NAN,
            ..warm(3)
        },
        Sampling {
            temperature: f64::INFINITY,
            ..warm(3)
        },
        Sampling {
            top_p: 0.0,
            ..warm(3)
        },
        Sampling {
            top_p: 1.1,
            ..warm(3)
        },
        Sampling {
            top_p: f64::NAN,
            ..warm(3)
        },
        Sampling {
            top_k: Some(0),
            ..warm(3)
        },
        warm(0),
    ] {
        let found = sample(&[request(&[1])], &sampling);
        assert!(matches!(found, Err(Error::Setting(_))), "{sampling:?}");
    }
    let mut broken = weights.clone();
    let norm = broken
        .arrays_mut()
        .iter_mut()
        .find(|array| array.name == "norm");
    norm.expect("a norm").values[0] = f32::NAN;
    let found = generate(&broken, &[request(&[1, 2])], &warm(3), rng);
    assert_eq!(
        found,
        Err(Error::NotFinite {
            request: 0,
            position: 2
        })
    );
}
