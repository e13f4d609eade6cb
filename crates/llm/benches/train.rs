//! One pass forward and backward over the responses to a few prompts, as one update of a policy has it; the optimiser is not in it.
//!
//! `cargo xtask bench --bench train`; `docs/PERFORMANCE.md` says how to read it. Tokens are counted as if every response had its own copy of
//! its prompt.

use burn::tensor::Device;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use era_llm::model::{Config, Packed, Policy, Segment, Weights};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// What the binary `era` uses.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Responses to a prompt.
const GROUP: usize = 8;

/// A million parameters, characters as tokens.
const SMALL: Config = Config {
    vocabulary: 30,
    width: 128,
    feed_forward: 512,
    layers: 4,
    heads: 4,
    kv_heads: 4,
    head_width: 32,
    norm_epsilon: 1e-5,
    rope_base: 1e4,
    qkv_bias: false,
    tied: false,
};

/// The shape of SmolLM2-135M.
const SMOL: Config = Config {
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

/// A model and its batch.
struct Bench {
    policy: Policy,
    packed: Packed,
    taken: Vec<u32>,
}

impl Bench {
    fn new(config: &Config, groups: usize, prompt: usize, response: usize, shared: bool) -> Self {
        let weights = Weights::init(config.clone(), &mut ChaCha8Rng::seed_from_u64(0));
        let policy = Policy::from_weights(&weights.expect("a model"), &Device::flex());
        let (mut segments, mut rows, mut start) = (Vec::new(), Vec::new(), 0);
        let mut add = |len: usize, prefix: Option<usize>| {
            segments.push(Segment { start, len, prefix });
            start += len;
            (segments.len() - 1, start - len)
        };
        for _ in 0..groups {
            let before = shared.then(|| add(prompt, None));
            for _ in 0..GROUP {
                if let Some((number, first)) = before {
                    let (_, body) = add(response, Some(number));
                    rows.push(first + prompt - 1);
                    rows.extend(body..body + response - 1);
                } else {
                    let (_, first) = add(prompt + response, None);
                    rows.extend(first + prompt - 1..first + prompt + response - 1);
                }
            }
        }
        let token = |i: usize| (i * 7 % config.vocabulary) as u32;
        let tokens: Vec<u32> = (0..start).map(token).collect();
        Self {
            packed: Packed::new(config, &tokens, segments, &rows).expect("tokens"),
            taken: (0..rows.len()).map(token).collect(),
            policy,
        }
    }

    fn update(&self) {
        let rows = self.packed.rows();
        let mut pass = self.policy.forward(&self.packed);
        pass.entropies();
        pass.log_probs(&self.taken, &vec![1.2; rows], None);
        pass.backward(&vec![1e-3; rows], &vec![1e-3; rows]);
    }
}

fn train(c: &mut Criterion) {
    let mut group = c.benchmark_group("train");
    group.sample_size(10);
    for (name, config, groups, prompt, response) in [
        ("small", SMALL, 32, 16, 32),
        ("smollm2-135m", SMOL, 2, 40, 40),
    ] {
        for (shared, checkpointing) in [(false, false), (true, false), (true, true)] {
            let mut bench = Bench::new(&config, groups, prompt, response, shared);
            bench.policy.checkpointing = checkpointing;
            let tokens = groups * GROUP * (prompt + response);
            group.throughput(Throughput::Elements(tokens as u64));
            let prompts = if shared { "shared" } else { "copied" };
            let kept = if checkpointing { "inputs" } else { "all" };
            group.bench_function(format!("{name}/{prompts} prompts, {kept} kept"), |b| {
                b.iter(|| bench.update());
            });
        }
    }
    group.finish();
}

criterion_group!(benches, train);
criterion_main!(benches);
