//! The activation against the official `NormalTanhPolicy` (`sac-era/jaxrl/networks/policies.py:43-49`).

use crate::{Array, assert_close, fixture};
use era::{Compensation, Error, GaussianEra, GaussianEraConfig, gaussian_entropy};
use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct Fixture {
    pub(crate) blocks: Vec<Block>,
}

#[derive(Deserialize)]
pub(crate) struct Block {
    #[serde(rename = "D")]
    pub(crate) action_dim: usize,
    pub(crate) raw: Array,
    pub(crate) w: Array,
    pub(crate) cases: Vec<Case>,
}

#[derive(Deserialize)]
pub(crate) struct Case {
    target_per_dim: f64,
    log_std_min: f64,
    log_std_max: f64,
    k: f64,
    feasible: bool,
    pub(crate) log_std: Array,
    pub(crate) grad_raw: Array,
    gauss_entropy: Array,
    min_clip_active: Array<bool>,
}

impl Case {
    pub(crate) fn era(&self, action_dim: usize) -> Result<GaussianEra, Error> {
        GaussianEra::new(GaussianEraConfig {
            action_dim,
            target_per_dim: self.target_per_dim,
            log_std_min: self.log_std_min,
            log_std_max: self.log_std_max,
            compensation: Compensation::None,
        })
    }
}

/// Every feasible case of the fixture with its activation.
pub(crate) fn feasible(fixture: &Fixture) -> impl Iterator<Item = (&Block, &Case, GaussianEra)> {
    fixture.blocks.iter().flat_map(|block| {
        let cases = block.cases.iter().filter(|case| case.feasible);
        cases.map(move |case| {
            let era = case.era(block.action_dim);
            (block, case, era.expect("the case is marked feasible"))
        })
    })
}

fn zip<'a>(actual: &'a [f64], expected: &'a Array) -> impl Iterator<Item = (f64, f64)> + 'a {
    assert_eq!(actual.len(), expected.data.len());
    actual.iter().copied().zip(expected.data.iter().copied())
}

#[test]
fn log_std_and_entropy_are_the_official_codes() {
    let fixture: Fixture = fixture("era_gaussian");
    for (block, case, era) in feasible(&fixture) {
        let label = format!("D {} target {}", block.action_dim, case.target_per_dim);
        assert_close(&format!("slope, {label}"), 1e-12, [(era.slope(), case.k)]);

        let mut log_std = vec![0.0; block.raw.data.len()];
        era.log_std(&block.raw.data, &mut log_std);
        assert_close(
            &format!("log_std, {label}"),
            1e-12,
            zip(&log_std, &case.log_std),
        );

        let entropies: Vec<f64> = log_std
            .chunks(block.action_dim)
            .map(gaussian_entropy)
            .collect();
        assert_close(
            &format!("entropy, {label}"),
            1e-12,
            zip(&entropies, &case.gauss_entropy),
        );
    }
}

#[test]
fn gradients_are_jaxs() {
    let fixture: Fixture = fixture("era_gaussian");
    for (block, case, era) in feasible(&fixture) {
        let mut grad = vec![f64::NAN; block.raw.data.len()];
        era.log_std_vjp(&block.raw.data, &block.w.data, &mut grad);
        let label = format!(
            "grad_raw, D {} target {}",
            block.action_dim, case.target_per_dim
        );
        assert_close(&label, 1e-12, zip(&grad, &case.grad_raw));
    }
}

#[test]
fn the_audit_sees_every_clip() {
    let fixture: Fixture = fixture("era_gaussian");
    let mut both = [0, 0];
    for (block, case, era) in feasible(&fixture) {
        let rows = block.raw.shape[0];
        let flags = case.min_clip_active.data.chunks(block.action_dim);
        for (row, (audit, flags)) in era.audit(&block.raw.data).zip(flags).enumerate() {
            let clipped = flags.iter().filter(|flag| **flag).count();
            assert_eq!(audit.clipped, clipped, "row {row} of {rows}");
            assert_eq!(audit.exact, clipped == 0);
            let expected = case.gauss_entropy.data[row];
            assert_close("audited entropy", 1e-12, [(audit.entropy, expected)]);
            both[usize::from(audit.exact)] += 1;
        }
    }
    assert!(
        both[0] > 0 && both[1] > 0,
        "the fixture must hold clipped and exact rows"
    );
}

#[test]
fn an_infeasible_target_is_refused_with_the_largest_feasible_one() {
    let fixture: Fixture = fixture("era_gaussian");
    let mut refused = 0;
    for block in &fixture.blocks {
        for case in block.cases.iter().filter(|case| !case.feasible) {
            let error = case.era(block.action_dim).unwrap_err();
            assert!(matches!(error, Error::TargetTooHigh { .. }));
            assert!(error.to_string().contains("1.418939"), "{error}");
            refused += 1;
        }
    }
    assert_eq!(refused, fixture.blocks.len());
}
