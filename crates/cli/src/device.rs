//! What computes tensors.

use crate::fault::Fault;

/// The engines of this build, the best first.
const ENGINES: [&str; 1] = ["flex"];

/// The engine for `--device`, which becomes part of every cell's identity.
pub(crate) fn engine(device: &str) -> Result<&'static str, Fault> {
    if device == "auto" {
        return Ok(ENGINES[0]);
    }
    let found = ENGINES.into_iter().find(|engine| *engine == device);
    found.ok_or_else(|| Fault::Device {
        given: device.to_owned(),
        built_in: ENGINES.join(", "),
    })
}
