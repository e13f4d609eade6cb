//! The policies that reinforcement learning starts from: one that supervised learning made here, or SmolLM2.

use std::path::PathBuf;

use era_harness::cell::CELL_FORMAT;
use era_harness::method::{self, Method};
use era_harness::run::Run;
use era_harness::{Cell, TrainError};

use crate::methods::sft::Sft;
use crate::model::{Gguf, ModelError, Weights};
use crate::params::Common;
use crate::tasks::TaskInfo;
use crate::text::Text;

/// The part that `cargo xtask setup` fetches for tasks in words.
pub(crate) const SMOLLM2: &str = "smollm2";

/// SHA-256 of SmolLM2-135M-Instruct.Q4_1.gguf.
pub(crate) const SMOLLM2_SHA256: &str =
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";

/// The folder with data that the user brings: the environment variable `ERA_DATA_DIR`, else `data` in the working directory.
pub(crate) fn data_folder() -> PathBuf {
    let chosen = std::env::var_os("ERA_DATA_DIR").filter(|value| !value.is_empty());
    chosen.map_or_else(|| PathBuf::from("data"), PathBuf::from)
}

/// Where SmolLM2 lies.
pub(crate) fn smollm2() -> PathBuf {
    data_folder().join("smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
}

/// The cell whose run makes the policy that `cell` starts from; none where it starts from a published one.
pub(crate) fn required(cell: &Cell, task: &TaskInfo, params: &Common) -> Option<Cell> {
    if !task.symbols() {
        return None;
    }
    // Its own parameters resolve, as those of `cell` were checked with them.
    let given = serde_json::to_value(params.start()).ok()?;
    let given = serde_json::from_value(given).ok()?;
    Some(Cell {
        format: CELL_FORMAT,
        suite: cell.suite.clone(),
        task: cell.task.clone(),
        method: Sft.name().to_owned(),
        revision: Sft.revision(),
        // One start for the runs of all seeds: what differs between them is the reinforcement learning alone.
        seed: 0,
        engine: cell.engine.clone(),
        params: Sft.resolve(&cell.task, &given).ok()?,
        inputs: cell.inputs.clone(),
    })
}

/// The starting policy of a run, and how it reads and writes.
pub(crate) fn open(
    cell: &Cell,
    task: &TaskInfo,
    params: &Common,
    run: &Run,
) -> Result<(Weights, Text), TrainError> {
    let refused = |error: ModelError| TrainError::Other(error.to_string());
    if let Some(required) = required(cell, task, params) {
        let bytes = run.left_by(&required)?;
        let from = PathBuf::from(required.id().to_string());
        let weights = Weights::from_bytes(&bytes, &from).map_err(refused)?;
        return Ok((weights, Text::Digits));
    }
    let file = Gguf::open(&smollm2()).map_err(refused)?;
    let text = Text::of_gguf(&file).map_err(refused)?;
    Ok((file.weights().map_err(refused)?, text))
}

/// Reads a method's parameters far enough to say what it requires.
pub(crate) fn requires<P: method::ParamSet>(
    cell: &Cell,
    common: impl Fn(&P) -> Common,
) -> Vec<Cell> {
    let params = method::typed::<P>(&cell.task, &cell.params).ok();
    let task = crate::tasks::find(&cell.task);
    let found = params.zip(task);
    let required = found.and_then(|(params, task)| required(cell, task, &common(&params)));
    required.into_iter().collect()
}
