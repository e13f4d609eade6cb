//! One update of a residual network on one batch: forward, backward and the step of SGD. Loading is not in it.
//!
//! `cargo xtask bench --bench train`; `docs/PERFORMANCE.md` says how to read it. `ERA_BENCH_ENGINE` names the engine, Flex by default.

use std::hint::black_box;

use burn::tensor::{Device, Tensor, TensorData};
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

/// The device that is measured.
fn device() -> Device {
    let engine = era_nn::bench_device();
    engine.unwrap_or_else(|error| panic!("failed to {error}")).1
}

/// Waits until the device has done what it was given.
fn finish(device: &Device) {
    device.sync().expect("the device works");
}

/// A network and one batch of random images.
struct Bench {
    device: Device,
    net: ResNet,
    sgd: Sgd,
    images: Tensor<5>,
    targets: Tensor<2>,
    samples: usize,
}

impl Bench {
    fn new(arch: Arch, stem: Stem, channels: usize, side: usize, samples: usize) -> Self {
        let device = device();
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
            device,
        }
    }

    fn update(&mut self, activation: impl Fn(Tensor<2>) -> Tensor<2>) {
        let pass = self.net.train(self.images.clone(), self.samples);
        let logits = activation(pass.logits(pass.features.clone()));
        let loss = loss::cross_entropy(logits, self.targets.clone());
        let mut gradients = loss.backward();
        let gradients = pass.gradients(&mut gradients);
        self.sgd.step(&mut self.net, gradients, 0.01);
        finish(&self.device);
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
        group.throughput(Throughput::Elements(samples as u64));
        group.bench_function(name, |b| {
            // Here, so that a benchmark that is not chosen costs nothing.
            let mut bench = Bench::new(arch, stem, channels, side, samples);
            b.iter(|| bench.update(|logits| logits));
        });
    }
    let era = era();
    group.throughput(Throughput::Elements(128));
    group.bench_function("resnet-20/32x32/128/era", |b| {
        let mut bench = Bench::new(Arch::ResNet20, Stem::Cifar, 3, 32, 128);
        b.iter(|| bench.update(|raw| era.logits(raw)));
    });
    group.finish();
}

fn era() -> era::burn::SoftmaxEra {
    let era = SoftmaxEra::new(SoftmaxEraConfig::official(10));
    era::burn::SoftmaxEra::new(era.expect("the official settings are in range"))
}

/// The activation alone, as an update computes it: forward and backward on the logits of a batch of 128. The same graph without it comes
/// beside it; the difference is what ERA costs.
fn activation(c: &mut Criterion) {
    let device = device();
    let random = |seed| {
        let mut values = vec![0.0; 128 * 10];
        standard_normal(&mut ChaCha8Rng::seed_from_u64(seed), &mut values);
        Tensor::<2>::from_data(TensorData::new(values, [128, 10]), &device).autodiff()
    };
    let (raw, upstream, era) = (random(0), random(1), era());
    let mut group = c.benchmark_group("era/softmax/128x10");
    let mut measure = |name: &str, activation: &dyn Fn(Tensor<2>) -> Tensor<2>| {
        group.bench_function(name, |b| {
            b.iter(|| {
                let logits = activation(raw.clone().require_grad());
                black_box((logits * upstream.clone()).sum().backward());
                finish(&device);
            });
        });
    };
    measure("with", &|raw| era.logits(raw));
    measure("without", &|raw| raw);
    group.finish();
}

criterion_group!(benches, train, activation);
criterion_main!(benches);
