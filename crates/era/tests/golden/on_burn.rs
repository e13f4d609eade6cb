//! The burn adapter in f32 against the same numbers, values and gradients.

use crate::{
    Array, assert_close, era_gaussian, era_softmax, fixture, tanh_normal, truncated_normal,
};
use burn::tensor::{Device, Tensor, TensorData};
use era::burn::{GaussianEra, SoftmaxEra, TanhNormal, TruncatedNormal};

/// A column of a fixture as an f32 tensor `[rows, dims]` that tracks gradients.
fn tracked(values: &[f64], dims: usize) -> Tensor<2> {
    constant(values, dims).require_grad()
}

fn constant(values: &[f64], dims: usize) -> Tensor<2> {
    let device = Device::flex().autodiff();
    let values: Vec<f32> = values.iter().map(|x| *x as f32).collect();
    let rows = values.len() / dims;
    Tensor::from_data(TensorData::new(values, [rows, dims]), &device)
}

fn read(tensor: Tensor<2>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// The rows of `array` where `keep` holds.
fn kept(array: &Array, keep: &[bool]) -> Vec<f64> {
    let rows = array.data.iter().zip(keep);
    rows.filter(|(_, keep)| **keep).map(|(x, _)| *x).collect()
}

fn compare(what: &str, tolerance: f64, actual: Tensor<2>, expected: &[f64]) {
    let actual = read(actual);
    assert_eq!(actual.len(), expected.len(), "{what}");
    assert_close(
        what,
        tolerance,
        actual.into_iter().zip(expected.iter().copied()),
    );
}

/// Official f32: up to 4e-6 from f64 itself; the raw values of the fixture reach 1e4.
#[test]
fn the_activation_and_its_gradient() {
    let fixture: era_gaussian::Fixture = fixture("era_gaussian");
    for (block, case, era) in era_gaussian::feasible(&fixture) {
        let raw = tracked(&block.raw.data, block.action_dim);
        let log_std = GaussianEra::new(era).log_std(raw.clone());
        compare("log_std", 2e-5, log_std.clone(), &case.log_std.data);
        let weights = constant(&block.w.data, block.action_dim);
        let grads = (log_std * weights).sum().backward();
        compare(
            "grad_raw",
            2e-5,
            raw.grad(&grads).unwrap(),
            &case.grad_raw.data,
        );
    }
}

/// Official f32: up to 1.2e-5 from f64 itself.
#[test]
fn the_classification_activation_and_its_gradient() {
    let fixture: era_softmax::Fixture = fixture("era_softmax");
    fixture.each(|block, _, expected| {
        let raw = tracked(&block.logits.data, block.classes);
        let z = SoftmaxEra::new(expected.era).logits(raw.clone());
        compare(&expected.label, 2e-6, z.clone(), &expected.z);
        let Some(gradient) = &expected.gradient else {
            return;
        };
        let (_, upstream) = block.cross_entropy(&expected.z);
        let grads = (z * constant(&upstream, block.classes)).sum().backward();
        compare(&expected.label, 1e-6, raw.grad(&grads).unwrap(), gradient);
    });
}

/// The fixture's inputs are rounded to f32 first, which alone moves a sample by up to 2e-5 where sigma is small and u extreme.
#[test]
fn truncated_normal_samples_and_gradients() {
    let fixture: truncated_normal::Fixture = fixture("truncated_normal");
    let keep = &fixture.core.data;
    let [mean, log_std, u] = [&fixture.mean, &fixture.log_std, &fixture.u].map(|a| kept(a, keep));
    let [mean, log_std] = [mean, log_std].map(|values| tracked(&values, 1));
    let u = constant(&u, 1);
    let policy = TruncatedNormal::default();
    let (action, log_prob) = policy.sample_with_log_prob(mean.clone(), log_std.clone(), u.clone());
    let exact = &fixture.exact;
    compare("sample", 2e-5, action, &kept(&exact.sample, keep));
    compare(
        "official sample",
        2e-5,
        policy.sample(mean.clone(), log_std.clone(), u.clone()),
        &kept(&fixture.official.sample, keep),
    );
    compare("log_prob", 5e-4, log_prob, &kept(&exact.log_prob, keep));

    let action = policy.sample(mean.clone(), log_std.clone(), u);
    let grads = action.sum().backward();
    compare(
        "dsample/dmean",
        2e-5,
        mean.grad(&grads).unwrap(),
        &kept(&exact.dsample_dmean, keep),
    );
    compare(
        "dsample/dlogstd",
        2e-5,
        log_std.grad(&grads).unwrap(),
        &kept(&exact.dsample_dlogstd, keep),
    );
}

#[test]
fn truncated_normal_entropy() {
    let fixture: truncated_normal::Fixture = fixture("truncated_normal");
    let [mean, log_std] = [&fixture.mean, &fixture.log_std].map(|a| tracked(&a.data, 1));
    let entropy = TruncatedNormal::default().entropy(mean, log_std);
    compare("entropy", 1e-6, entropy, &fixture.exact.entropy.data);
}

#[test]
fn tanh_normal_samples_densities_and_gradients() {
    let fixture: tanh_normal::Fixture = fixture("tanh_normal");
    let inputs = || {
        let [mean, log_std] = [&fixture.mean, &fixture.log_std].map(|a| tracked(&a.data, 1));
        let (action, log_prob) = TanhNormal.sample_with_log_prob(
            mean.clone(),
            log_std.clone(),
            constant(&fixture.eps.data, 1),
        );
        (mean, log_std, action, log_prob)
    };
    let (mean, log_std, action, log_prob) = inputs();
    compare("action", 1e-6, action.clone(), &fixture.action.data);
    compare("log_prob", 1e-5, log_prob, &fixture.log_prob.data);
    let grads = action.sum().backward();
    compare(
        "daction/dmean",
        1e-5,
        mean.grad(&grads).unwrap(),
        &fixture.daction_dmean.data,
    );
    compare(
        "daction/dlogstd",
        1e-5,
        log_std.grad(&grads).unwrap(),
        &fixture.daction_dlogstd.data,
    );

    let (mean, log_std, _, log_prob) = inputs();
    let grads = log_prob.sum().backward();
    compare(
        "dlogprob/dmean",
        1e-5,
        mean.grad(&grads).unwrap(),
        &fixture.dlogprob_dmean.data,
    );
    compare(
        "dlogprob/dlogstd",
        1e-5,
        log_std.grad(&grads).unwrap(),
        &fixture.dlogprob_dlogstd.data,
    );
}
