//! The activation for classification against the official `ERA` module (`resnet-era/timm/models/resnet.py:390-413`; PyTorch 2.13.0 in
//! float64) and, for the exact inverse, against `scipy.special.lambertw(-h, -1)` of SciPy 1.17.1.

use crate::{Array, assert_close, fixture};
use era::{Error, Inverse, SoftmaxEra, SoftmaxEraConfig, softmax_entropy};
use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct Fixture {
    tau: f64,
    pub(crate) blocks: Vec<Block>,
    infeasible: Vec<Infeasible>,
}

#[derive(Deserialize)]
pub(crate) struct Block {
    #[serde(rename = "n")]
    pub(crate) classes: usize,
    #[serde(rename = "H0_max_for_slope_ge_0")]
    largest_target: f64,
    pub(crate) logits: Array,
    labels: Array<usize>,
    pub(crate) cases: Vec<Case>,
}

#[derive(Deserialize)]
pub(crate) struct Case {
    #[serde(rename = "H0")]
    pub(crate) target: f64,
    #[serde(rename = "C")]
    budget: f64,
    slope: f64,
    /// With the row's minimum `row_shift` subtracted.
    z: Array,
    row_shift: Array,
    entropy: Array,
    max_prob: Array,
    ce_loss: f64,
    grad_logits: Array,
    z_exact: Array,
    entropy_exact: Array,
    ce_loss_exact: f64,
    /// Not printed for 1000 classes.
    grad_logits_exact: Option<Array>,
}

#[derive(Deserialize)]
struct Infeasible {
    n: usize,
    #[serde(rename = "H0")]
    target: f64,
}

/// What the reference says for one inverse.
pub(crate) struct Expected {
    pub(crate) label: String,
    pub(crate) era: SoftmaxEra,
    pub(crate) z: Vec<f64>,
    entropy: Vec<f64>,
    max_prob: Option<Vec<f64>>,
    loss: f64,
    pub(crate) gradient: Option<Vec<f64>>,
}

impl Fixture {
    fn era(&self, classes: usize, target: f64, inverse: Inverse) -> Result<SoftmaxEra, Error> {
        SoftmaxEra::new(SoftmaxEraConfig {
            classes,
            target_entropy: target,
            tau: self.tau,
            inverse,
        })
    }

    /// Each case with each inverse.
    pub(crate) fn each(&self, mut test: impl FnMut(&Block, &Case, Expected)) {
        for block in &self.blocks {
            for case in &block.cases {
                for inverse in [Inverse::Approximate, Inverse::Exact] {
                    let era = self.era(block.classes, case.target, inverse);
                    let label = format!("n {} H0 {} {inverse:?}", block.classes, case.target);
                    let era = era.expect("the case is feasible");
                    test(block, case, case.expected(label, era));
                }
            }
        }
    }
}

impl Case {
    fn expected(&self, label: String, era: SoftmaxEra) -> Expected {
        match era.config().inverse {
            Inverse::Approximate => {
                let rows = self.z.data.chunks(era.classes());
                let shifted = rows.zip(&self.row_shift.data);
                Expected {
                    label,
                    era,
                    z: shifted
                        .flat_map(|(row, shift)| row.iter().map(move |z| z + shift))
                        .collect(),
                    entropy: self.entropy.data.clone(),
                    max_prob: Some(self.max_prob.data.clone()),
                    loss: self.ce_loss,
                    gradient: Some(self.grad_logits.data.clone()),
                }
            }
            Inverse::Exact => Expected {
                label,
                era,
                z: self.z_exact.data.clone(),
                entropy: self.entropy_exact.data.clone(),
                max_prob: None,
                loss: self.ce_loss_exact,
                gradient: self.grad_logits_exact.as_ref().map(|g| g.data.clone()),
            },
        }
    }
}

impl Block {
    /// The mean cross-entropy of new logits and its gradient with respect to them.
    pub(crate) fn cross_entropy(&self, z: &[f64]) -> (f64, Vec<f64>) {
        let rows = self.labels.data.len() as f64;
        let mut loss = 0.0;
        let mut gradient = Vec::with_capacity(z.len());
        for (row, label) in z.chunks(self.classes).zip(&self.labels.data) {
            let probabilities = softmax(row);
            loss -= probabilities[*label].ln() / rows;
            let start = gradient.len();
            gradient.extend(probabilities.iter().map(|p| p / rows));
            gradient[start + label] -= 1.0 / rows;
        }
        (loss, gradient)
    }
}

fn softmax(row: &[f64]) -> Vec<f64> {
    let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mass: f64 = row.iter().map(|z| (z - max).exp()).sum();
    row.iter().map(|z| (z - max).exp() / mass).collect()
}

fn logits(era: &SoftmaxEra, raw: &[f64]) -> Vec<f64> {
    let mut out = vec![f64::NAN; raw.len()];
    era.logits(raw, &mut out);
    out
}

fn zip<'a>(actual: &'a [f64], expected: &'a [f64]) -> impl Iterator<Item = (f64, f64)> + 'a {
    assert_eq!(actual.len(), expected.len());
    actual.iter().copied().zip(expected.iter().copied())
}

#[test]
fn logits_entropies_and_losses_are_the_official_codes() {
    let fixture: Fixture = fixture("era_softmax");
    fixture.each(|block, case, expected| {
        let Expected { label, era, .. } = &expected;
        assert_close(
            &format!("C and slope, {label}"),
            1e-14,
            [(era.budget(), case.budget), (era.slope(), case.slope)],
        );
        let z = logits(era, &block.logits.data);
        assert_close(&format!("z', {label}"), 1e-11, zip(&z, &expected.z));
        let rows = z.chunks(block.classes);
        let entropies: Vec<f64> = rows.clone().map(softmax_entropy).collect();
        assert_close(
            &format!("entropy, {label}"),
            1e-11,
            zip(&entropies, &expected.entropy),
        );
        if let Some(most) = &expected.max_prob {
            let largest: Vec<f64> = rows
                .map(|row| softmax(row).into_iter().fold(0.0, f64::max))
                .collect();
            assert_close(&format!("largest, {label}"), 1e-11, zip(&largest, most));
        }
        let (loss, _) = block.cross_entropy(&z);
        assert_close(&format!("loss, {label}"), 1e-11, [(loss, expected.loss)]);
    });
}

#[test]
fn gradients_are_pytorchs() {
    let fixture: Fixture = fixture("era_softmax");
    let mut compared = 0;
    fixture.each(|block, _, expected| {
        let raw = &block.logits.data;
        let Some(gradient) = &expected.gradient else {
            return;
        };
        let (_, upstream) = block.cross_entropy(&logits(&expected.era, raw));
        let mut grad_raw = vec![f64::NAN; raw.len()];
        expected.era.logits_vjp(raw, &upstream, &mut grad_raw);
        let label = format!("gradient, {}", expected.label);
        assert_close(&label, 1e-11, zip(&grad_raw, gradient));
        compared += 1;
    });
    assert!(compared > 40, "{compared} gradients were compared");
}

#[test]
fn an_infeasible_target_is_refused_with_the_largest_feasible_one() {
    let fixture: Fixture = fixture("era_softmax");
    assert_eq!(fixture.infeasible.len(), 3);
    for case in &fixture.infeasible {
        for inverse in [Inverse::Approximate, Inverse::Exact] {
            let error = fixture.era(case.n, case.target, inverse).unwrap_err();
            assert!(matches!(error, Error::ClassTargetTooHigh { .. }));
            let block = fixture.blocks.iter().find(|block| block.classes == case.n);
            let largest = block.expect("the sizes are the blocks'").largest_target;
            assert!(
                error.to_string().contains(&format!("{largest:.6}")),
                "{error}"
            );
        }
    }
    for block in &fixture.blocks {
        let (_, largest) = SoftmaxEra::range(block.classes, fixture.tau);
        assert_close("range", 1e-14, [(largest, block.largest_target)]);
    }
}
