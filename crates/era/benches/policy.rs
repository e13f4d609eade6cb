//! What the activation and the policies cost at the sizes of a SAC update: batch 256, 6 actions.
//!
//! `cargo bench -p era --features burn`

use burn::tensor::{Device, Distribution, Tensor};
use criterion::{Criterion, criterion_group, criterion_main};
use era::burn::{GaussianEra, TanhNormal, TruncatedNormal};
use std::hint::black_box;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SHAPE: [usize; 2] = [256, 6];

fn random(distribution: Distribution, device: &Device) -> Tensor<2> {
    Tensor::random(SHAPE, distribution, device)
}

fn policies(criterion: &mut Criterion) {
    let era = era::GaussianEra::new(era::GaussianEraConfig::official(6))
        .expect("the official configuration is valid");
    let activation = GaussianEra::new(era);
    for (name, device) in [
        ("plain", Device::flex()),
        ("autodiff", Device::flex().autodiff()),
    ] {
        let mean = random(Distribution::Normal(0.0, 0.7), &device);
        let raw = random(Distribution::Normal(0.0, 1.0), &device);
        let uniform = random(Distribution::Uniform(0.0, 1.0), &device);
        let noise = random(Distribution::Normal(0.0, 1.0), &device);
        let tracked = |tensor: &Tensor<2>| match name {
            "plain" => tensor.clone(),
            _ => tensor.clone().detach().require_grad(),
        };
        let finish = |loss: Tensor<2>| {
            if name == "plain" {
                black_box(loss);
            } else {
                black_box(loss.sum().backward());
            }
        };
        criterion.bench_function(&format!("{name}/empty"), |bencher| {
            bencher.iter(|| finish(tracked(&mean) + tracked(&raw)));
        });
        criterion.bench_function(&format!("{name}/era"), |bencher| {
            bencher.iter(|| finish(activation.log_std(tracked(&raw))));
        });
        criterion.bench_function(&format!("{name}/era+truncated"), |bencher| {
            bencher.iter(|| {
                let log_std = activation.log_std(tracked(&raw));
                finish(TruncatedNormal::default().sample(tracked(&mean), log_std, uniform.clone()));
            });
        });
        criterion.bench_function(&format!("{name}/era+truncated+log_prob"), |bencher| {
            bencher.iter(|| {
                let log_std = activation.log_std(tracked(&raw));
                let (action, log_prob) = TruncatedNormal::default().sample_with_log_prob(
                    tracked(&mean),
                    log_std,
                    uniform.clone(),
                );
                finish(action + log_prob);
            });
        });
        criterion.bench_function(&format!("{name}/tanh+log_prob"), |bencher| {
            bencher.iter(|| {
                let (action, log_prob) =
                    TanhNormal.sample_with_log_prob(tracked(&mean), tracked(&raw), noise.clone());
                finish(action + log_prob);
            });
        });
    }
}

fn one_observation(criterion: &mut Criterion) {
    let era = era::GaussianEra::new(era::GaussianEraConfig::official(6))
        .expect("the official configuration is valid");
    let raw = [0.3_f32, -0.2, 0.1, 0.9, -1.2, 0.4];
    let mean = [0.1_f32, -0.5, 0.8, 0.0, 1.4, -0.3];
    let uniform = [0.1_f32, 0.5, 0.9, 0.3, 0.7, 0.2];
    criterion.bench_function("slices/act", |bencher| {
        bencher.iter(|| {
            let mut log_std = [0.0_f32; 6];
            let mut action = [0.0_f32; 6];
            era.log_std(black_box(&raw), &mut log_std);
            era::TruncatedNormal::default().sample(&mean, &log_std, &uniform, &mut action);
            black_box(action)
        });
    });
}

criterion_group!(benches, policies, one_observation);
criterion_main!(benches);
