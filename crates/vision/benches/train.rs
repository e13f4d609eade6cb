//! One update of a residual network on one batch: forward, backward and the step of SGD. Loading is not in it.
//!
//! `cargo xtask bench --bench train`; `docs/PERFORMANCE.md` says how to read it.

use burn::tensor::{Device, Tensor};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use era::{SoftmaxEra, SoftmaxEraConfig};
use era_nn::conv::block;
use era_nn::standard_normal;
use era_vision::loss;
use era_vision::nets::{Arch, Plan, ResNet, Sgd, SgdConfig, Stem};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// What the binary `era` uses.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A network and one batch of random images.
struct Bench {
    net: ResNet,
    sgd: Sgd,
    images: Tensor<5>,
    targets: Tensor<2>,
    samples: usize,
}

impl Bench {
    fn new(arch: Arch, stem: Stem, channels: usize, side: usize, samples: usize) -> Self {
        let device = Device::flex();
        let plan = Plan::new(arch, stem, channels, 10);
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let shape = [samples, channels, side, side];
        let mut pixels = vec![0.0; shape.iter().product()];
        standard_normal(&mut rng, &mut pixels);
        let labels: Vec<usize> = (0..samples).map(|sample| sample % 10).collect();
        let net = ResNet::init(plan, true, &mut rng, &device);
        let config = SgdConfig {
            momentum: 0.9,
            nesterov: true,
            weight_decay: 5e-4,
            decay_norms_and_biases: false,
        };
        Self {
            sgd: Sgd::new(config, &net),
            net,
            images: block(&pixels, shape, &device),
            targets: loss::targets(&labels, 10, 0.0, &device).autodiff(),
            samples,
        }
    }

    fn update(&mut self, activation: impl Fn(Tensor<2>) -> Tensor<2>) {
        let pass = self.net.train(self.images.clone(), self.samples);
        let logits = activation(pass.logits(pass.features.clone()));
        let loss = loss::cross_entropy(logits, self.targets.clone());
        let mut gradients = loss.backward();
        let gradients = pass.gradients(&mut gradients);
        self.sgd.step(&mut self.net, gradients, 0.01);
    }
}

fn train(c: &mut Criterion) {
    let mut group = c.benchmark_group("train");
    group.sample_size(10);
    for (name, arch, stem, channels, side, samples) in [
        (
            "resnet-20/32x32/128",
            Arch::ResNet20,
            Stem::Cifar,
            3,
            32,
            128,
        ),
        ("resnet-20/32x32/64", Arch::ResNet20, Stem::Cifar, 3, 32, 64),
        (
            "resnet-20/28x28/128",
            Arch::ResNet20,
            Stem::Cifar,
            1,
            28,
            128,
        ),
        (
            "resnet-18/32x32/128",
            Arch::ResNet18,
            Stem::Cifar,
            3,
            32,
            128,
        ),
        ("resnet-18/32x32/64", Arch::ResNet18, Stem::Cifar, 3, 32, 64),
        (
            "resnet-50/32x32/64",
            Arch::ResNet50,
            Stem::Imagenet,
            3,
            32,
            64,
        ),
    ] {
        let mut bench = Bench::new(arch, stem, channels, side, samples);
        group.throughput(Throughput::Elements(samples as u64));
        group.bench_function(name, |b| b.iter(|| bench.update(|logits| logits)));
    }
    let era = SoftmaxEra::new(SoftmaxEraConfig::official(10))
        .expect("the official settings are in range");
    let era = era::burn::SoftmaxEra::new(era);
    let mut bench = Bench::new(Arch::ResNet20, Stem::Cifar, 3, 32, 128);
    group.throughput(Throughput::Elements(128));
    group.bench_function("resnet-20/32x32/128/era", |b| {
        b.iter(|| bench.update(|raw| era.logits(raw)));
    });
    group.finish();
}

criterion_group!(benches, train);
criterion_main!(benches);
