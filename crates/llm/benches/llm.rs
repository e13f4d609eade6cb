//! Sampling from a policy, updating it, and both one after the other, on one thread, with random weights.
//!
//! `cargo xtask bench --bench llm`; `docs/PERFORMANCE.md` says how to read it, `baselines/peers/transformers_llm.py` has the same cases with
//! other libraries. Sampling counts new tokens; updates and steps count prompts and answers, as if every answer had its own copy of its
//! prompt. `ERA_BENCH_ENGINE` names the engine of the updates, Flex by default; sampling is on the processor whichever it is.

use std::hint::black_box;

use burn::tensor::Device;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use era::{ResponseEra, ResponseEraConfig};
use era_llm::model::{Config, Packed, Policy, Segment, Weights};
use era_llm::optimiser::AdamW;
use era_llm::sample::{Generator, Request, Sampling};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// What the binary `era` uses.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Answers to a prompt.
const GROUP: usize = 8;

/// The policy that is trained here.
const SMALL: Config = Config {
    vocabulary: 30,
    width: 128,
    feed_forward: 384,
    layers: 4,
    heads: 4,
    kv_heads: 2,
    head_width: 32,
    norm_epsilon: 1e-5,
    rope_base: 1e4,
    qkv_bias: false,
    tied: true,
};

/// The shape of SmolLM2-135M.
const SMOLLM2: Config = Config {
    vocabulary: 49_152,
    width: 576,
    feed_forward: 1_536,
    layers: 30,
    heads: 9,
    kv_heads: 3,
    head_width: 64,
    norm_epsilon: 1e-5,
    rope_base: 1e5,
    qkv_bias: false,
    tied: true,
};

/// What is sampled from the small policy, and what it is updated with.
const SMALL_SIZE: Size = Size {
    groups: 32,
    prompt: 16,
    answer: 32,
};

/// How many prompts, of how many tokens, with answers of how many.
#[derive(Clone, Copy)]
struct Size {
    groups: usize,
    prompt: usize,
    answer: usize,
}

impl Size {
    fn answers(self) -> usize {
        self.groups * GROUP
    }

    fn tokens(self) -> usize {
        self.answers() * (self.prompt + self.answer)
    }
}

/// The device that is measured.
fn device() -> Device {
    let engine = era_nn::bench_device();
    engine.unwrap_or_else(|error| panic!("failed to {error}")).1
}

/// Waits until the device has done what it was given.
fn finish(device: &Device) {
    device.sync().expect("the device works");
}

fn weights(config: &Config) -> Weights {
    let weights = Weights::init(config.clone(), &mut ChaCha8Rng::seed_from_u64(0));
    weights.expect("the sizes fit together")
}

/// A sampler and what it is asked.
struct Sampler {
    generator: Generator,
    prompts: Vec<Vec<u32>>,
    sampling: Sampling,
}

impl Sampler {
    fn new(size: Size) -> Self {
        let token = |i: usize| (i * 7 % 30) as u32;
        let prompts = 0..size.groups;
        Self {
            generator: Generator::new(256),
            prompts: prompts
                .map(|i| (0..size.prompt).map(|j| token(i + j)).collect())
                .collect(),
            sampling: Sampling {
                temperature: 1.0,
                top_p: 1.0,
                top_k: None,
                max_tokens: size.answer,
                // Every answer has its full length.
                stop: Vec::new(),
            },
        }
    }

    fn run(&mut self, weights: &Weights) {
        let requests: Vec<Request<'_>> = self
            .prompts
            .iter()
            .map(|prompt| Request {
                prompt,
                samples: GROUP,
            })
            .collect();
        let rng = |request, sample| ChaCha8Rng::seed_from_u64((request * GROUP + sample) as u64);
        self.generator
            .generate(weights, &requests, &self.sampling, rng)
            .expect("finite logits");
    }
}

/// A policy, its optimiser and a batch.
struct Trainer {
    policy: Policy,
    adam: AdamW,
    packed: Packed,
    taken: Vec<u32>,
    /// Tokens of an answer.
    answer: usize,
    device: Device,
}

/// What `grpo-era` makes of the tokens' entropies: the factor on each one's logits, and its advantage where it was 1.
fn scaled(era: &ResponseEra, entropies: &[f32], answer: usize) -> [Vec<f32>; 2] {
    let entropies: Vec<f64> = entropies.iter().copied().map(f64::from).collect();
    let advantages = vec![1.0; entropies.len()];
    let mut factors = advantages.clone();
    let mut scaled = advantages.clone();
    for start in (0..entropies.len()).step_by(answer) {
        let of = start..start + answer;
        era.scale_response(
            &entropies[of.clone()],
            &advantages[of.clone()],
            &mut factors[of.clone()],
            &mut scaled[of],
        );
    }
    [factors, scaled].map(|values| values.into_iter().map(|value| value as f32).collect())
}

fn response_era() -> ResponseEra {
    ResponseEra::new(ResponseEraConfig::formula()).expect("the official settings are in range")
}

impl Trainer {
    fn new(config: &Config, size: Size, shared: bool) -> Self {
        let device = device();
        let policy = Policy::from_weights(&weights(config), &device);
        let (mut segments, mut rows, mut start) = (Vec::new(), Vec::new(), 0);
        let mut add = |len: usize, prefix: Option<usize>| {
            segments.push(Segment { start, len, prefix });
            start += len;
            (segments.len() - 1, start - len)
        };
        for _ in 0..size.groups {
            let before = shared.then(|| add(size.prompt, None));
            for _ in 0..GROUP {
                if let Some((number, first)) = before {
                    let (_, body) = add(size.answer - 1, Some(number));
                    rows.push(first + size.prompt - 1);
                    rows.extend(body..body + size.answer - 1);
                } else {
                    let (_, first) = add(size.prompt + size.answer - 1, None);
                    rows.extend(first + size.prompt - 1..first + size.prompt + size.answer - 1);
                }
            }
        }
        let token = |i: usize| (i * 7 % config.vocabulary) as u32;
        let tokens: Vec<u32> = (0..start).map(token).collect();
        Self {
            packed: Packed::new(config, &tokens, segments, &rows).expect("tokens"),
            taken: (0..rows.len()).map(token).collect(),
            adam: AdamW::new(&policy.parameters),
            policy,
            answer: size.answer,
            device,
        }
    }

    /// An update: that of `grpo` with every advantage 1, or that of `grpo-era`.
    fn run(&mut self, era: Option<&ResponseEra>) {
        let rows = self.packed.rows();
        let mut pass = self.policy.forward(&self.packed);
        let (factors, slopes) = match era {
            Some(era) => {
                let [factors, advantages] = scaled(era, &pass.entropies(), self.answer);
                (factors, advantages.iter().map(|a| 1e-3 * a).collect())
            }
            None => (vec![1.0; rows], vec![1e-3; rows]),
        };
        pass.log_probs(&self.taken, &factors, None);
        let gradients = pass.backward(&slopes, &vec![0.0; rows]);
        self.adam
            .step(&mut self.policy.parameters, gradients, 1e-6, 0.0, 1.0);
        finish(&self.device);
    }
}

fn bench(c: &mut Criterion) {
    let mut group = c.benchmark_group("llm");
    group.sample_size(10);
    let small = SMALL_SIZE;
    let large = |groups| Size {
        groups,
        prompt: 40,
        answer: 40,
    };
    for (name, config, size) in [("small", &SMALL, small), ("smollm2", &SMOLLM2, large(8))] {
        group.throughput(Throughput::Elements((size.answers() * size.answer) as u64));
        group.bench_function(format!("sample/{name}"), |b| {
            // Here, so that a benchmark that is not chosen costs nothing.
            let (weights, mut sampler) = (weights(config), Sampler::new(size));
            b.iter(|| sampler.run(&weights));
        });
    }
    group.throughput(Throughput::Elements(
        (small.answers() * small.answer) as u64,
    ));
    group.bench_function("sample/small/policy", |b| {
        // With the parameters copied from the device, as a run has it.
        let policy = Policy::from_weights(&weights(&SMALL), &device());
        let mut sampler = Sampler::new(small);
        b.iter(|| sampler.run(&policy.weights()));
    });
    for (name, config, size) in [("small", &SMALL, small), ("smollm2", &SMOLLM2, large(2))] {
        group.throughput(Throughput::Elements(size.tokens() as u64));
        for (suffix, shared) in [("", true), ("/copied", false)] {
            group.bench_function(format!("train/{name}{suffix}"), |b| {
                let mut trainer = Trainer::new(config, size, shared);
                b.iter(|| trainer.run(None));
            });
        }
    }
    group.throughput(Throughput::Elements(small.tokens() as u64));
    group.bench_function("train/small/era", |b| {
        let (mut trainer, era) = (Trainer::new(&SMALL, small, true), response_era());
        b.iter(|| trainer.run(Some(&era)));
    });
    let step = Size {
        groups: 8,
        prompt: 16,
        answer: 24,
    };
    for (name, config, size) in [("small", &SMALL, step), ("smollm2", &SMOLLM2, large(8))] {
        group.throughput(Throughput::Elements(size.tokens() as u64));
        group.bench_function(format!("step/{name}"), |b| {
            let (mut sampler, mut trainer) = (Sampler::new(size), Trainer::new(config, size, true));
            b.iter(|| {
                sampler.run(&trainer.policy.weights());
                trainer.run(None);
            });
        });
    }
    group.finish();
}

/// The activation alone, as an update of the small policy computes it: the entropies of the logits that are there, and what follows from
/// them. Backward it costs nothing: its factors are part of the log-probabilities, with or without it.
fn activation(c: &mut Criterion) {
    c.bench_function("era/response/small", |b| {
        let (trainer, era) = (Trainer::new(&SMALL, SMALL_SIZE, true), response_era());
        let rows = trainer.packed.rows();
        let mut pass = trainer.policy.forward(&trainer.packed);
        b.iter(|| {
            // What `Pass::entropies` does the first time; then it remembers.
            pass.log_probs(&vec![0; rows], &vec![1.0; rows], None);
            black_box(scaled(&era, &pass.entropies(), trainer.answer));
        });
    });
}

criterion_group!(benches, bench, activation);
criterion_main!(benches);
