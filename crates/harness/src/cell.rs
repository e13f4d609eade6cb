//! A cell: task × method × seed with every parameter resolved, and its identity.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Parameters by name, in the order of their names. Values are scalars or lists of scalars, never maps.
pub type Params = BTreeMap<String, serde_json::Value>;

/// The version of `cell.json` that this program writes.
pub const CELL_FORMAT: u32 = 1;

/// One cell, as stored in `cell.json`. Everything in it takes part in its identity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// Version of this format, [`CELL_FORMAT`].
    pub format: u32,
    /// Suite, for example `control`.
    pub suite: String,
    /// Task, for example `gym/half-cheetah`.
    pub task: String,
    /// Method, for example `sac-era`.
    pub method: String,
    /// The method's [`revision`](crate::Method::revision): bumped when its trajectory changes.
    pub revision: u32,
    /// Seed of the run.
    pub seed: u64,
    /// What computes tensors: `flex`, `libtorch`, `wgpu`, `cuda`.
    pub engine: String,
    /// Every parameter of the method, defaults filled in.
    pub params: Params,
    /// Inputs by name (data set, starting policy) with their content hash.
    pub inputs: BTreeMap<String, String>,
}

/// The identity of a cell: `<task>.<method>.s<seed>.<hash>` with `/` in the task as `_`, where the hash is the
/// first 10 hexadecimal digits of BLAKE3 over the cell's canonical JSON. It is also the name of its folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CellId(pub String);

impl fmt::Display for CellId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Cell {
    /// The canonical text that is hashed: JSON with keys in order and no white space.
    pub fn canonical(&self) -> String {
        let map: BTreeMap<&str, serde_json::Value> = BTreeMap::from([
            ("suite", self.suite.clone().into()),
            ("task", self.task.clone().into()),
            ("method", self.method.clone().into()),
            ("revision", self.revision.into()),
            ("seed", self.seed.into()),
            ("engine", self.engine.clone().into()),
            ("params", serde_json::json!(self.params)),
            ("inputs", serde_json::json!(self.inputs)),
        ]);
        serde_json::json!(map).to_string()
    }

    /// The identity of this cell.
    pub fn id(&self) -> CellId {
        let hash = blake3::hash(self.canonical().as_bytes()).to_hex();
        CellId(format!(
            "{}.{}.s{}.{}",
            self.task.replace('/', "_"),
            self.method,
            self.seed,
            &hash[..10]
        ))
    }
}
