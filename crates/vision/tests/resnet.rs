//! A residual network against torchvision's BasicBlock with the same weights (torchvision 0.28, torch 2.13 in double precision on
//! these 32-bit weights; `golden/resnet.json`).

use std::path::Path;

use burn::tensor::{Device, Tensor};
use era::{Inverse, SoftmaxEra, SoftmaxEraConfig};
use era_nn::conv::block;
use era_vision::loss;
use era_vision::nets::{Pass, Plan, ResNet, Sgd, SgdConfig, Stage, Stem};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::Value;

/// Tolerance for 32-bit floats; later steps of SGD differ more.
const CLOSE: f64 = 1e-4;

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/resnet.json")).expect("as in the golden file")
}

fn numbers(value: &Value) -> Vec<f64> {
    let data = value["data"].as_array().expect("as in the golden file");
    data.iter()
        .map(|x| x.as_f64().expect("as in the golden file"))
        .collect()
}

fn net() -> ResNet {
    let plan = Plan {
        stem: Stem::Cifar,
        stem_width: 8,
        stages: vec![
            Stage {
                blocks: 1,
                width: 8,
                stride: 1,
            },
            Stage {
                blocks: 1,
                width: 16,
                stride: 2,
            },
        ],
        bottleneck: false,
        channels: 3,
        classes: 10,
    };
    let mut net = ResNet::init(
        plan,
        true,
        &mut ChaCha8Rng::seed_from_u64(0),
        &Device::flex(),
    );
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/resnet.safetensors");
    net.load(&file).expect("as in the golden file");
    net
}

fn images(golden: &Value) -> Tensor<5> {
    let pixels: Vec<f32> = numbers(&golden["input"])
        .iter()
        .map(|x| *x as f32)
        .collect();
    block(&pixels, [2, 3, 16, 16], &Device::flex())
}

fn labels(golden: &Value) -> Vec<usize> {
    numbers(&golden["labels"])
        .iter()
        .map(|label| *label as usize)
        .collect()
}

fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    let values: Vec<f32> = tensor
        .into_data()
        .try_into_vec()
        .expect("as in the golden file");
    values.into_iter().map(f64::from).collect()
}

fn assert_close(what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (found - expected).abs();
        assert!(
            error <= tolerance * expected.abs().max(1.0),
            "{what}[{i}]: {found} instead of {expected}"
        );
    }
}

fn targets(golden: &Value, smoothing: f64) -> Tensor<2> {
    loss::targets(&labels(golden), 10, smoothing, &Device::flex()).autodiff()
}

/// Loss and gradients of a pass.
fn differentiate(pass: Pass, loss: &Tensor<1>) -> (f64, Vec<Tensor<1>>) {
    let value = floats(loss.clone())[0];
    let mut gradients = loss.backward();
    (value, pass.gradients(&mut gradients))
}

fn assert_norms(net: &ResNet, gradients: &[Tensor<1>], expected: &Value) {
    for (parameter, gradient) in net.parameters().iter().zip(gradients) {
        let norm = floats(gradient.clone())
            .iter()
            .map(|x| x * x)
            .sum::<f64>()
            .sqrt();
        let expected = expected[&parameter.name]
            .as_f64()
            .expect("as in the golden file");
        assert_close(&parameter.name, &[norm], &[expected], CLOSE);
    }
}

#[test]
fn logits_in_evaluation_are_torchvisions() {
    let golden = golden();
    let logits = floats(net().logits(images(&golden), 2));
    assert_close("logits", &logits, &numbers(&golden["logits_eval"]), CLOSE);
}

#[test]
fn a_pass_of_training_is_torchvisions() {
    let golden = golden();
    let mut net = net();
    let pass = net.train(images(&golden), 2);
    let logits = pass.logits(pass.features.clone());
    assert_close(
        "logits",
        &floats(logits.clone()),
        &numbers(&golden["logits_train"]),
        CLOSE,
    );
    let loss = loss::cross_entropy(logits, targets(&golden, 0.0));
    let (value, gradients) = differentiate(pass, &loss);
    assert_close(
        "loss",
        &[value],
        &[golden["loss_train"]
            .as_f64()
            .expect("as in the golden file")],
        CLOSE,
    );
    assert_norms(&net, &gradients, &golden["grad_norm_train"]);
    assert_close(
        "conv1",
        &floats(gradients[0].clone()),
        &numbers(&golden["grad_conv1"]),
        CLOSE,
    );
    for running in net.running() {
        for (which, found) in [("mean", &running.mean), ("var", &running.variance)] {
            let name = format!("{}.running_{which}", running.name);
            let found: Vec<f64> = found.iter().copied().map(f64::from).collect();
            assert_close(
                &name,
                &found,
                &numbers(&golden["running_after_one_train_forward"][&name]),
                CLOSE,
            );
        }
    }
}

#[test]
fn era_behind_the_network_is_the_official_module() {
    let golden = golden();
    let config = SoftmaxEraConfig {
        target_entropy: golden["era"]["H0"].as_f64().expect("as in the golden file"),
        inverse: Inverse::Approximate,
        ..SoftmaxEraConfig::official(10)
    };
    let era = era::burn::SoftmaxEra::new(SoftmaxEra::new(config).expect("as in the golden file"));
    let mut net = net();
    let pass = net.train(images(&golden), 2);
    let logits = era.logits(pass.logits(pass.features.clone()));
    let loss = loss::cross_entropy(logits, targets(&golden, 0.0));
    let (value, gradients) = differentiate(pass, &loss);
    assert_close(
        "loss",
        &[value],
        &[golden["era"]["loss"]
            .as_f64()
            .expect("as in the golden file")],
        CLOSE,
    );
    assert_norms(&net, &gradients, &golden["era"]["grad_norm"]);
}

#[test]
fn steps_of_sgd_are_pytorchs() {
    let golden = golden();
    for case in golden["sgd"].as_array().expect("as in the golden file") {
        let number = |key: &str| case[key].as_f64().expect("as in the golden file");
        let mut net = net();
        let config = SgdConfig {
            momentum: number("momentum"),
            nesterov: case["nesterov"].as_bool().expect("as in the golden file"),
            weight_decay: number("weight_decay"),
            decay_norms_and_biases: true,
        };
        let mut sgd = Sgd::new(config, &net);
        let losses = case["train_losses_before_each_step"]
            .as_array()
            .expect("as in the golden file");
        for (step, expected) in losses.iter().enumerate() {
            let expected = expected.as_f64().expect("as in the golden file");
            let pass = net.train(images(&golden), 2);
            let logits = pass.logits(pass.features.clone());
            let loss = loss::cross_entropy(logits, targets(&golden, number("label_smoothing")));
            let (value, gradients) = differentiate(pass, &loss);
            let tolerance = if step == 0 { CLOSE } else { 1e-3 };
            assert_close(
                &format!("loss before step {step}"),
                &[value],
                &[expected],
                tolerance,
            );
            sgd.step(&mut net, gradients, number("lr"));
        }
        let logits = floats(net.logits(images(&golden), 2));
        assert_close(
            "logits after the steps",
            &logits,
            &numbers(&case["logits_eval_after_4_steps"]),
            2e-3,
        );
    }
}

#[test]
fn a_file_that_does_not_fit_is_refused_by_name_and_changes_nothing() {
    let folder = tempfile::tempdir().expect("as in the golden file");
    let mut other = net();
    let before = floats(other.parameters()[0].value.clone());
    let missing = other
        .load(&folder.path().join("none.safetensors"))
        .unwrap_err()
        .to_string();
    assert!(
        missing.starts_with("read ") && missing.contains("none.safetensors"),
        "{missing}"
    );
    let file = folder.path().join("broken.safetensors");
    std::fs::write(&file, b"not safetensors at all").expect("as in the golden file");
    let broken = other.load(&file).unwrap_err().to_string();
    assert!(broken.contains("as safetensors"), "{broken}");
    let plan = Plan {
        classes: 7,
        ..other.plan().clone()
    };
    let mut seven = ResNet::init(
        plan,
        true,
        &mut ChaCha8Rng::seed_from_u64(0),
        &Device::flex(),
    );
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/resnet.safetensors");
    let refused = seven.load(&golden).unwrap_err().to_string();
    assert!(
        refused.contains("fc.weight") && refused.contains("[10, 16]"),
        "{refused}"
    );
    assert_eq!(floats(other.parameters()[0].value.clone()), before);
}

/// The numbers of parameters that torchvision's networks have, with their classifier for 1,000 classes.
#[test]
fn sizes_are_torchvisions() {
    use era_vision::nets::Arch;
    let size = |arch, stem, classes| {
        let plan = Plan::new(arch, stem, 3, classes);
        ResNet::init(
            plan,
            true,
            &mut ChaCha8Rng::seed_from_u64(0),
            &Device::flex(),
        )
        .size()
    };
    assert_eq!(size(Arch::ResNet18, Stem::Imagenet, 1000), 11_689_512);
    assert_eq!(size(Arch::ResNet50, Stem::Imagenet, 1000), 25_557_032);
    assert_eq!(size(Arch::ResNet20, Stem::Cifar, 10), 272_474);
}

/// What the conversion of images to the device's form does to a network must not depend on how full the last block is.
#[test]
fn a_sample_is_judged_alike_in_any_company() {
    let golden = golden();
    let pixels: Vec<f32> = numbers(&golden["input"])
        .iter()
        .map(|x| *x as f32)
        .collect();
    let net = net();
    let together = floats(net.logits(images(&golden), 2));
    let mut alone = Vec::new();
    for image in pixels.chunks_exact(3 * 16 * 16) {
        alone.extend(floats(
            net.logits(block(image, [1, 3, 16, 16], &Device::flex()), 1),
        ));
    }
    assert_eq!(together, alone);
}
