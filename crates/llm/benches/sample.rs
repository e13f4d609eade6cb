//! Sampling from a policy with random weights: prompts, all samples to their full length, on one thread.
//!
//! `cargo xtask bench --bench sample`; `docs/PERFORMANCE.md` says how to read it. Throughput is of tokens that were sampled.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use era_llm::model::{Config, Weights};
use era_llm::sample::{Generator, Request, Sampling};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// What the binary `era` uses.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The policy that is trained from scratch.
fn small() -> Config {
    Config {
        vocabulary: 30,
        width: 128,
        feed_forward: 512,
        layers: 4,
        heads: 4,
        kv_heads: 4,
        head_width: 32,
        norm_epsilon: 1e-5,
        rope_base: 10_000.0,
        qkv_bias: false,
        tied: true,
    }
}

/// SmolLM2-135M.
fn smollm2() -> Config {
    Config {
        vocabulary: 49_152,
        width: 576,
        feed_forward: 1_536,
        layers: 30,
        heads: 9,
        kv_heads: 3,
        head_width: 64,
        norm_epsilon: 1e-5,
        rope_base: 100_000.0,
        qkv_bias: false,
        tied: true,
    }
}

fn sample(c: &mut Criterion) {
    let mut group = c.benchmark_group("sample");
    group.sample_size(10);
    for (name, config, prompts, samples, prompt, max_tokens) in [
        ("4x128/32x8/16+32", small(), 32, 8, 16, 32),
        ("smollm2-135m/8x8/40+40", smollm2(), 8, 8, 40, 40),
    ] {
        let prompts: Vec<Vec<u32>> = (0..prompts)
            .map(|i| (0..prompt).map(|j| (i * 7 + j * 3) % 30).collect())
            .collect();
        let requests: Vec<Request> = prompts
            .iter()
            .map(|prompt| Request { prompt, samples })
            .collect();
        let sampling = Sampling {
            temperature: 1.0,
            top_p: 1.0,
            top_k: None,
            max_tokens,
            stop: Vec::new(),
        };
        let rng = |request, sample| ChaCha8Rng::seed_from_u64((request * 8 + sample) as u64);
        let tokens = requests.len() * samples * max_tokens;
        group.throughput(Throughput::Elements(tokens as u64));
        group.bench_function(name, |b| {
            // Here, so that a benchmark that is not chosen costs nothing.
            let weights = Weights::init(config.clone(), &mut ChaCha8Rng::seed_from_u64(0))
                .expect("the sizes fit together");
            let mut generator = Generator::new(256);
            b.iter(|| {
                generator
                    .generate(&weights, &requests, &sampling, rng)
                    .expect("finite logits")
            });
        });
    }
    group.finish();
}

criterion_group!(benches, sample);
criterion_main!(benches);
