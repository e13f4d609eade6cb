//! A decoder in `f64`, one token after another, as plain as it can be written: what the fast ones and the loaders are held against.

use super::{Config, Weights};

/// A text being read or written.
pub(crate) struct Decoder<'a> {
    weights: &'a Weights,
    /// Of every block, a position's keys behind those of the position before; they are rotated.
    keys: Vec<Vec<f64>>,
    values: Vec<Vec<f64>>,
    position: usize,
}

impl<'a> Decoder<'a> {
    pub(crate) fn new(weights: &'a Weights) -> Self {
        let layers = weights.config().layers;
        Self {
            weights,
            keys: vec![Vec::new(); layers],
            values: vec![Vec::new(); layers],
            position: 0,
        }
    }

    /// The logits of what follows `token`.
    pub(crate) fn step(&mut self, token: u32) -> Vec<f64> {
        let config = self.config();
        let at = token as usize * config.width;
        let embed = &self.array("embed")[at..at + config.width];
        let mut stream: Vec<f64> = embed.iter().copied().map(f64::from).collect();
        for layer in 0..config.layers {
            let normed = self.norm(&stream, &format!("layers.{layer}.attention_norm"));
            let attended = self.attend(layer, &normed);
            add(
                &mut stream,
                &self.times(&attended, &format!("layers.{layer}.out")),
            );
            let normed = self.norm(&stream, &format!("layers.{layer}.mlp_norm"));
            let gate_up = self.times(&normed, &format!("layers.{layer}.gate_up"));
            let (gate, up) = gate_up.split_at(config.feed_forward);
            let silu = |x: f64| x / (1.0 + (-x).exp());
            let gated: Vec<f64> = gate.iter().zip(up).map(|(g, u)| silu(*g) * u).collect();
            add(
                &mut stream,
                &self.times(&gated, &format!("layers.{layer}.down")),
            );
        }
        self.position += 1;
        let normed = self.norm(&stream, "norm");
        let head = self.array(if config.tied { "embed" } else { "head" });
        let rows = head.chunks(config.width);
        rows.map(|row| {
            row.iter()
                .zip(&normed)
                .map(|(w, x)| f64::from(*w) * x)
                .sum()
        })
        .collect()
    }

    fn attend(&mut self, layer: usize, normed: &[f64]) -> Vec<f64> {
        let config = self.config();
        let width = config.head_width;
        let mut qkv = self.times(normed, &format!("layers.{layer}.qkv"));
        if config.qkv_bias {
            let bias = self.array(&format!("layers.{layer}.qkv_bias")).iter();
            qkv.iter_mut()
                .zip(bias)
                .for_each(|(x, b)| *x += f64::from(*b));
        }
        let (rotated, value) = qkv.split_at_mut((config.heads + config.kv_heads) * width);
        for head in rotated.chunks_mut(width) {
            rotate(head, self.position, config.rope_base);
        }
        let (query, key) = rotated.split_at(config.attention_width());
        self.keys[layer].extend_from_slice(key);
        self.values[layer].extend_from_slice(value);
        let row = config.kv_heads * width;
        let mut result = Vec::new();
        for (head, query) in query.chunks(width).enumerate() {
            let first = head / (config.heads / config.kv_heads) * width;
            let of = |all: &'_ [f64]| -> Vec<Vec<f64>> {
                let rows = all.chunks(row);
                rows.map(|row| row[first..first + width].to_vec()).collect()
            };
            let (keys, values) = (of(&self.keys[layer]), of(&self.values[layer]));
            let scores = keys
                .iter()
                .map(|key| dot(query, key) / (width as f64).sqrt());
            let scores: Vec<f64> = scores.collect();
            let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let shares: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
            let total: f64 = shares.iter().sum();
            let mut mixed = vec![0.0; width];
            for (share, value) in shares.iter().zip(&values) {
                mixed
                    .iter_mut()
                    .zip(value)
                    .for_each(|(m, v)| *m += share / total * v);
            }
            result.extend(mixed);
        }
        result
    }

    fn norm(&self, x: &[f64], name: &str) -> Vec<f64> {
        let root = (dot(x, x) / x.len() as f64 + self.config().norm_epsilon).sqrt();
        let weight = self.array(name);
        x.iter()
            .zip(weight)
            .map(|(x, w)| x / root * f64::from(*w))
            .collect()
    }

    /// A row times a matrix.
    fn times(&self, x: &[f64], name: &str) -> Vec<f64> {
        let matrix = self.array(name);
        let mut result = vec![0.0; matrix.len() / x.len()];
        for (x, row) in x.iter().zip(matrix.chunks(result.len())) {
            result
                .iter_mut()
                .zip(row)
                .for_each(|(r, w)| *r += x * f64::from(*w));
        }
        result
    }

    fn config(&self) -> &'a Config {
        self.weights.config()
    }

    fn array(&self, name: &str) -> &'a [f32] {
        let mut arrays = self.weights.arrays().iter();
        &arrays
            .find(|array| array.name == name)
            .expect("a parameter")
            .values
    }
}

/// The logits after each token, one row behind the other.
pub(crate) fn logits(weights: &Weights, tokens: &[u32]) -> Vec<f64> {
    let mut decoder = Decoder::new(weights);
    tokens
        .iter()
        .flat_map(|token| decoder.step(*token))
        .collect()
}

/// What is likeliest to follow, up to `most` tokens or one of `stop`, which is not among them.
pub(crate) fn greedy(weights: &Weights, prompt: &[u32], most: usize, stop: &[u32]) -> Vec<u32> {
    let mut decoder = Decoder::new(weights);
    let mut last = Vec::new();
    for token in prompt {
        last = decoder.step(*token);
    }
    let mut written = Vec::new();
    while written.len() < most {
        let best = (0..last.len()).max_by(|a, b| last[*a].total_cmp(&last[*b]));
        let best = best.expect("a vocabulary") as u32;
        if stop.contains(&best) {
            break;
        }
        written.push(best);
        last = decoder.step(best);
    }
    written
}

fn rotate(head: &mut [f64], position: usize, base: f64) {
    let (width, half) = (head.len() as f64, head.len() / 2);
    for i in 0..half {
        let angle = position as f64 * base.powf(-2.0 * i as f64 / width);
        let (a, b) = (head[i], head[i + half]);
        head[i] = a * angle.cos() - b * angle.sin();
        head[i + half] = b * angle.cos() + a * angle.sin();
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f64], what: &[f64]) {
    to.iter_mut().zip(what).for_each(|(to, what)| *to += what);
}
