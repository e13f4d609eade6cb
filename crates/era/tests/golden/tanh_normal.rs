//! The tanh-normal against closed formulas in float64 and quadrature, both checked with mpmath.

use crate::{Array, assert_close, fixture};
use era::{TanhNormal, WithGradient};
use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct Fixture {
    pub(crate) mean: Array,
    pub(crate) log_std: Array,
    pub(crate) eps: Array,
    pub(crate) action: Array,
    pub(crate) log_prob: Array,
    pub(crate) dlogprob_dmean: Array,
    pub(crate) dlogprob_dlogstd: Array,
    pub(crate) daction_dmean: Array,
    pub(crate) daction_dlogstd: Array,
    entropy: Entropy,
}

#[derive(Deserialize)]
struct Entropy {
    mean: Array,
    sigma: Array,
    entropy: Array,
    bias: Array,
    dentropy_dmean: Array,
    dentropy_dlogsigma: Array,
}

#[test]
fn samples_densities_and_gradients_agree() {
    let fixture: Fixture = fixture("tanh_normal");
    let draws: Vec<(WithGradient, WithGradient)> = (0..fixture.mean.data.len())
        .map(|i| {
            TanhNormal.draw(
                fixture.mean.data[i],
                fixture.log_std.data[i],
                fixture.eps.data[i],
            )
        })
        .collect();
    type Get = fn(&(WithGradient, WithGradient)) -> f64;
    let columns: [(&str, Get, &Array); 6] = [
        ("action", |d| d.0.value, &fixture.action),
        ("daction/dmean", |d| d.0.d_mean, &fixture.daction_dmean),
        (
            "daction/dlogstd",
            |d| d.0.d_log_std,
            &fixture.daction_dlogstd,
        ),
        ("log_prob", |d| d.1.value, &fixture.log_prob),
        ("dlogprob/dmean", |d| d.1.d_mean, &fixture.dlogprob_dmean),
        (
            "dlogprob/dlogstd",
            |d| d.1.d_log_std,
            &fixture.dlogprob_dlogstd,
        ),
    ];
    for (what, get, expected) in columns {
        let pairs = draws.iter().map(get).zip(expected.data.iter().copied());
        assert_close(what, 1e-10, pairs);
    }

    let mut action = vec![0.0; draws.len()];
    TanhNormal.sample(
        &fixture.mean.data,
        &fixture.log_std.data,
        &fixture.eps.data,
        &mut action,
    );
    let pairs = action.into_iter().zip(fixture.action.data.iter().copied());
    assert_close("actions", 1e-10, pairs);
}

#[test]
fn the_entropy_is_the_quadratures() {
    let Entropy {
        mean,
        sigma,
        entropy,
        bias,
        dentropy_dmean,
        dentropy_dlogsigma,
    } = fixture::<Fixture>("tanh_normal").entropy;
    let ours: Vec<WithGradient> = (0..mean.data.len())
        .map(|i| TanhNormal.entropy(mean.data[i], sigma.data[i].ln()))
        .collect();
    type Get = fn(&WithGradient) -> f64;
    let columns: [(&str, Get, Array); 3] = [
        ("entropy", |w| w.value, entropy),
        ("dentropy/dmean", |w| w.d_mean, dentropy_dmean),
        ("dentropy/dlogsigma", |w| w.d_log_std, dentropy_dlogsigma),
    ];
    for (what, get, expected) in columns {
        assert_close(what, 1e-9, ours.iter().map(get).zip(expected.data));
    }
    let biases = ours
        .iter()
        .zip(&sigma.data)
        .map(|(w, s)| era::ENTROPY_OF_UNIT_NORMAL + s.ln() - w.value);
    assert_close("bias", 1e-9, biases.zip(bias.data));
}
