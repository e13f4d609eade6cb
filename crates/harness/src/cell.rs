//! A cell: task × method × seed with every parameter resolved, and its identity.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Parameters by name, in the order of their names. Values are scalars or lists of scalars, never maps.
pub type Params = BTreeMap<String, Value>;

/// The version of `cell.json` that this program writes.
pub const CELL_FORMAT: u32 = 1;

/// One cell, as stored in `cell.json`. Everything in it but `format` takes part in its identity.
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
    /// The canonical text that is hashed: JSON with keys in order and no white space. `format` is not in it: a new
    /// way to store a cell makes no new cell.
    pub fn canonical(&self) -> String {
        let inputs = self
            .inputs
            .iter()
            .map(|(name, hash)| (name.clone(), hash.clone().into()));
        let fields = [
            ("suite", self.suite.clone().into()),
            ("task", self.task.clone().into()),
            ("method", self.method.clone().into()),
            ("revision", self.revision.into()),
            ("seed", self.seed.into()),
            ("engine", self.engine.clone().into()),
            (
                "params",
                Value::Object(self.params.clone().into_iter().collect()),
            ),
            ("inputs", Value::Object(inputs.collect())),
        ];
        let mut text = String::new();
        write_canonical(
            &Value::Object(
                fields
                    .map(|(key, value)| (key.to_owned(), value))
                    .into_iter()
                    .collect(),
            ),
            &mut text,
        );
        text
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

/// Writes JSON in one form only. `serde_json`'s own output depends on features that any crate of a program may switch on
/// (`preserve_order`, `arbitrary_precision`), and an identity must not.
fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => text.push_str(&value.to_string()),
        Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(whole), ..) => text.push_str(&whole.to_string()),
            (_, Some(whole), _) => text.push_str(&whole.to_string()),
            // The shortest digits that read back as the same float, with a point or an exponent: 1.0, 0.0003, 1e-7.
            (_, _, Some(float)) => text.push_str(&format!("{float:?}")),
            (None, None, None) => text.push_str(&number.to_string()),
        },
        Value::Array(items) => write_all(text, ['[', ']'], items, write_canonical),
        Value::Object(map) => {
            let sorted: BTreeMap<&String, &Value> = map.iter().collect();
            write_all(text, ['{', '}'], sorted, |(key, value), text| {
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write_canonical(value, text);
            });
        }
    }
}

/// Writes items between brackets, with commas between them.
fn write_all<T>(
    text: &mut String,
    brackets: [char; 2],
    items: impl IntoIterator<Item = T>,
    write: impl Fn(T, &mut String),
) {
    text.push(brackets[0]);
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        write(item, text);
    }
    text.push(brackets[1]);
}
