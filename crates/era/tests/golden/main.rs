//! Numbers of the official code and of SciPy, from `tests/fixtures`.
//!
//! The fixtures were printed by running the official ERA repository (commit 4b7320b; JAX 0.10.2 and PyTorch 2.13.0 on the CPU), SciPy 1.17.1 and mpmath
//! 1.3.0. Each test names the reference above its numbers. A float64 comparison is |a - b| <= tolerance max(1, |b|).

mod era_gaussian;
mod era_response;
mod era_softmax;
mod tanh_normal;
mod truncated_normal;

#[cfg(feature = "burn")]
mod on_burn;
#[cfg(feature = "candle")]
mod on_candle;
#[cfg(feature = "tch")]
mod on_tch;

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// An array of a fixture, row major.
#[derive(Debug, Deserialize)]
pub(crate) struct Array<T = f64> {
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Vec<T>,
}

pub(crate) fn fixture<T: DeserializeOwned>(name: &str) -> T {
    let path = format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("the fixture is in the repository");
    serde_json::from_str(&text).expect("the fixture has the documented form")
}

/// Fails where `actual` is further than `tolerance` max(1, |expected|) from `expected`, naming the worst element.
pub(crate) fn assert_close(
    what: &str,
    tolerance: f64,
    pairs: impl IntoIterator<Item = (f64, f64)>,
) {
    let mut worst = (0.0, 0, 0.0, 0.0);
    let mut count = 0;
    for (index, (actual, expected)) in pairs.into_iter().enumerate() {
        let error = (actual - expected).abs() / expected.abs().max(1.0);
        if error.is_nan() || error > worst.0 {
            worst = (error, index, actual, expected);
        }
        count += 1;
    }
    let (error, index, actual, expected) = worst;
    assert!(count > 0, "{what}: nothing was compared");
    assert!(
        error <= tolerance,
        "{what}: element {index} is {actual}, expected {expected}, error {error:e}"
    );
}
