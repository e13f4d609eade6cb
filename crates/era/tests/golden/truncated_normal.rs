//! The truncated normal against `scipy.stats.truncnorm` on the official support, and against the official code where that does not clip
//! (`sac-era/jaxrl/networks/policies.py:78-145`).
//!
//! The crate implements the exact distribution. The official code clips u, the CDF and the log-density; on the rows that it leaves alone
//! (`core`) both agree.

use crate::{Array, assert_close, fixture};
use era::{TruncatedNormal, WithGradient};
use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct Fixture {
    pub(crate) mean: Array,
    pub(crate) log_std: Array,
    pub(crate) u: Array,
    pub(crate) official: Official,
    pub(crate) exact: Exact,
    exact_pm1: Exact,
    pub(crate) core: Array<bool>,
    pub(crate) interior: Array<bool>,
    multi: Vec<Multi>,
    density: Density,
}

#[derive(Deserialize)]
pub(crate) struct Official {
    pub(crate) sample: Array,
    log_prob: Array,
    dsample_dmean: Array,
    dsample_dlogstd: Array,
}

#[derive(Deserialize)]
pub(crate) struct Exact {
    loc: Array,
    pub(crate) sample: Array,
    pub(crate) log_prob: Array,
    cdf: Array,
    pub(crate) entropy: Array,
    pub(crate) dsample_dmean: Array,
    pub(crate) dsample_dlogstd: Array,
}

#[derive(Deserialize)]
struct Multi {
    temperature: f64,
    mean: Array,
    log_std: Array,
    u: Array,
    sample: Array,
    log_prob_sum: Array,
    dsample_dmean: Array,
    dsample_dlogstd: Array,
}

#[derive(Deserialize)]
struct Density {
    mean: Array,
    scale: Array,
    action: Array,
    official_log_prob: Array,
    exact_log_prob_at_clipped_action: Array,
}

impl Fixture {
    /// The rows where `keep` holds, each evaluated.
    fn rows<'a, T>(
        &'a self,
        keep: &'a Array<bool>,
        evaluate: impl Fn(f64, f64, f64) -> T + 'a,
        expected: &'a Array,
    ) -> impl Iterator<Item = (T, f64)> + 'a {
        (0..self.mean.data.len())
            .filter(|i| keep.data[*i])
            .map(move |i| {
                let value = evaluate(self.mean.data[i], self.log_std.data[i], self.u.data[i]);
                (value, expected.data[i])
            })
    }
}

fn agrees_with_scipy(fixture: &Fixture, policy: TruncatedNormal, exact: &Exact) {
    let keep = &fixture.interior;
    let draw = move |m, s, u| policy.sample_with_gradient(m, s, u);
    let compare = |what: &str, tolerance, get: fn(WithGradient) -> f64, expected| {
        let pairs = fixture.rows(keep, draw, expected).map(|(w, e)| (get(w), e));
        assert_close(what, tolerance, pairs);
    };
    compare("sample", 1e-9, |w| w.value, &exact.sample);
    compare("dsample/dmean", 1e-8, |w| w.d_mean, &exact.dsample_dmean);
    compare(
        "dsample/dlogstd",
        1e-8,
        |w| w.d_log_std,
        &exact.dsample_dlogstd,
    );

    let log_prob = move |m, s, u| policy.sample_log_prob(m, s, u).value;
    assert_close(
        "log_prob",
        1e-9,
        fixture.rows(keep, log_prob, &exact.log_prob),
    );
    let entropy = move |m, s, _| policy.entropy(m, s).value;
    assert_close("entropy", 1e-9, fixture.rows(keep, entropy, &exact.entropy));
    let cdf = move |m, s, u| policy.cdf(m, s, policy.sample_with_gradient(m, s, u).value);
    assert_close("cdf", 1e-9, fixture.rows(keep, cdf, &exact.cdf));
}

#[test]
fn the_distribution_is_scipys_on_the_official_support() {
    let fixture: Fixture = fixture("truncated_normal");
    let policy = TruncatedNormal::default();
    agrees_with_scipy(&fixture, policy, &fixture.exact);

    let mut mode = vec![0.0; fixture.mean.data.len()];
    policy.mode(&fixture.mean.data, &mut mode);
    let expected = fixture.exact.loc.data.iter().copied();
    assert_close("mode", 1e-12, mode.into_iter().zip(expected));
}

#[test]
fn the_distribution_is_scipys_on_the_whole_interval() {
    let fixture: Fixture = fixture("truncated_normal");
    let policy = TruncatedNormal::on(-1.0, 1.0).unwrap();
    agrees_with_scipy(&fixture, policy, &fixture.exact_pm1);
}

#[test]
fn the_official_code_agrees_where_it_clips_nothing() {
    let fixture: Fixture = fixture("truncated_normal");
    let policy = TruncatedNormal::default();
    let (core, official) = (&fixture.core, &fixture.official);
    let draw = move |m, s, u| policy.sample_with_gradient(m, s, u);
    let compare = |what: &str, get: fn(WithGradient) -> f64, expected| {
        let pairs = fixture.rows(core, draw, expected).map(|(w, e)| (get(w), e));
        assert_close(what, 1e-9, pairs);
    };
    compare("official sample", |w| w.value, &official.sample);
    compare(
        "official dsample/dmean",
        |w| w.d_mean,
        &official.dsample_dmean,
    );
    compare(
        "official dsample/dlogstd",
        |w| w.d_log_std,
        &official.dsample_dlogstd,
    );
    let log_prob = move |m, s, u| policy.sample_log_prob(m, s, u).value;
    let pairs = fixture.rows(core, log_prob, &official.log_prob);
    assert_close("official log_prob", 1e-9, pairs);
}

/// The official temperature multiplies sigma: it is added to log sigma. At 0 the official code draws at a scale of 1e-6, this crate takes
/// the mode.
#[test]
fn rows_of_actions_are_the_official_ones() {
    let fixture: Fixture = fixture("truncated_normal");
    let policy = TruncatedNormal::default();
    for case in &fixture.multi {
        let n = case.mean.data.len();
        let mut action = vec![0.0; n];
        if case.temperature == 0.0 {
            policy.mode(&case.mean.data, &mut action);
            let pairs = action.into_iter().zip(case.sample.data.iter().copied());
            assert_close("deterministic action", 1e-5, pairs);
            continue;
        }
        let shift = case.temperature.ln();
        let log_std: Vec<f64> = case.log_std.data.iter().map(|s| s + shift).collect();
        policy.sample(&case.mean.data, &log_std, &case.u.data, &mut action);
        let pairs = action.into_iter().zip(case.sample.data.iter().copied());
        assert_close("actions", 1e-9, pairs);

        let draws: Vec<_> = (0..n)
            .map(|i| policy.sample_with_gradient(case.mean.data[i], log_std[i], case.u.data[i]))
            .collect();
        let pairs = draws
            .iter()
            .map(|d| d.d_mean)
            .zip(case.dsample_dmean.data.iter().copied());
        assert_close("dsample/dmean", 1e-8, pairs);
        let pairs = draws
            .iter()
            .map(|d| d.d_log_std)
            .zip(case.dsample_dlogstd.data.iter().copied());
        assert_close("dsample/dlogstd", 1e-8, pairs);

        let dims = case.mean.shape[1];
        let sums = (0..case.mean.shape[0]).map(|row| {
            (row * dims..(row + 1) * dims)
                .map(|i| {
                    policy
                        .sample_log_prob(case.mean.data[i], log_std[i], case.u.data[i])
                        .value
                })
                .sum()
        });
        assert_close(
            "log_prob sums",
            1e-9,
            sums.zip(case.log_prob_sum.data.iter().copied()),
        );
    }
}

/// Down to -5.5 million nats, where the official code stops at -20. It also moves an action 1e-6 further inside before it takes the
/// density, which the test does for it.
#[test]
fn densities_are_exact_far_from_the_mean() {
    let Density {
        mean,
        scale,
        action,
        official_log_prob,
        exact_log_prob_at_clipped_action,
    } = fixture::<Fixture>("truncated_normal").density;
    let policy = TruncatedNormal::default();
    let (low, high) = policy.support();
    let densities: Vec<f64> = (0..mean.data.len())
        .map(|i| {
            let action = action.data[i].clamp(low + 1e-6, high - 1e-6);
            policy
                .log_prob(mean.data[i], scale.data[i].ln(), action)
                .value
        })
        .collect();
    let exact = exact_log_prob_at_clipped_action.data;
    assert_close("density", 1e-9, densities.iter().copied().zip(exact));
    let clipped = densities.iter().map(|d| d.clamp(-20.0, 20.0));
    assert_close(
        "official density",
        1e-9,
        clipped.zip(official_log_prob.data),
    );
}
