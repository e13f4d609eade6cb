//! What a suite offers: its tasks and its methods.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cell::{Cell, Params};
use crate::run::Run;

/// The tasks and methods of one domain.
#[derive(Clone, Debug)]
pub struct Suite {
    /// Name, as in experiment files: `control`, `vision`, `llm`, `mock`.
    pub name: &'static str,
    /// One line for people.
    pub about: &'static str,
    /// What is solved.
    pub tasks: Vec<Task>,
    /// What solves it.
    pub methods: Vec<&'static dyn Method>,
}

/// What is solved.
#[derive(Clone, Debug)]
pub struct Task {
    /// Name, for example `gym/half-cheetah`.
    pub name: &'static str,
    /// One line for people.
    pub about: &'static str,
    /// The native part it needs, as `cargo xtask setup NAME` names it.
    pub needs: Option<&'static str>,
    /// Whether this build has that part.
    pub available: bool,
    /// What its cells are made of besides their parameters: names of data sets with a hash of their content. It takes part in the
    /// identity of cells, so for a data set that others have too it must not depend on whether it is at hand here.
    pub inputs: fn() -> BTreeMap<String, String>,
}

/// Of a task that reads no data.
pub fn no_inputs() -> BTreeMap<String, String> {
    BTreeMap::new()
}

/// One algorithm.
pub trait Method: Sync + fmt::Debug {
    /// Name, as in experiment files.
    fn name(&self) -> &'static str;
    /// One line for people.
    fn about(&self) -> &'static str;
    /// Part of a cell's identity; bumped when the trajectory of the method changes.
    fn revision(&self) -> u32;
    /// Whether the method can run `task`.
    ///
    /// # Errors
    /// Why it cannot, as a lowercase fragment that reads after "sac-era cannot run mini/pendulum: ".
    fn supports(&self, task: &str) -> Result<(), String>;
    /// Fills in defaults and checks names, types and ranges. Most methods call [`resolve`].
    ///
    /// # Errors
    /// The first parameter that is unknown, of the wrong type or out of range.
    fn resolve(&self, task: &str, given: &Params) -> Result<Params, ParamError>;
    /// Cells that have to be finished before `cell` can begin, because it reads what they made ([`Run::left_by`]): a starting policy,
    /// say. What decides them must be among the parameters or inputs of `cell`.
    fn requires(&self, _cell: &Cell) -> Vec<Cell> {
        Vec::new()
    }
    /// What a run is expected to cost, before anything was measured.
    fn cost(&self, task: &str, params: &Params) -> Cost;
    /// Trains the cell to its end, or until [`Run::cancelled`].
    ///
    /// # Errors
    /// Why the run did not finish.
    fn train(&self, cell: &Cell, run: &mut Run) -> Result<(), TrainError>;
}

/// What a run is expected to cost on one core of a present-day machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Wall-clock seconds with one thread.
    pub seconds: f64,
    /// Peak memory in bytes.
    pub memory: u64,
}

/// Why a parameter was refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ParamError {
    /// No parameter has this name.
    #[error("unknown parameter `{key}`")]
    Unknown {
        /// The name given.
        key: String,
        /// All valid names, in order.
        valid: Vec<String>,
    },
    /// The value has the wrong type.
    #[error("parameter `{key}` {message}")]
    Type {
        /// The parameter.
        key: String,
        /// A fragment, for example "must be a whole number, not `fast`".
        message: String,
    },
    /// The value has the right type and a wrong value.
    #[error("parameter `{key}` {message}")]
    Range {
        /// The parameter.
        key: String,
        /// A fragment, for example "must be at least 1, not -5".
        message: String,
    },
}

impl ParamError {
    /// The parameter that was refused.
    pub fn key(&self) -> &str {
        match self {
            Self::Unknown { key, .. } | Self::Type { key, .. } | Self::Range { key, .. } => key,
        }
    }
}

/// A method's typed parameters: a flat struct of scalars and lists with `#[serde(default, deny_unknown_fields)]`.
pub trait ParamSet: Default + Serialize + DeserializeOwned {
    /// Parameters that came after runs had been recorded, with a default that does what was done before. At its default such a
    /// parameter is not part of a cell, so those runs stay what they are.
    const ADDED: &'static [&'static str] = &[];

    /// Checks ranges.
    ///
    /// # Errors
    /// The first parameter out of range.
    fn validate(&self, task: &str) -> Result<(), ParamError>;
}

/// Fills in the defaults of `P`, checks `given` against them and returns every parameter.
///
/// What is returned has one form for each value, so that equal settings make equal cells: `1` for a parameter of type
/// `f64` becomes `1.0`, `1e5` for a whole number becomes `100000`, and a float is the shortest text that reads back
/// as the same `f64`. (Parameters of type `f32` would show the digits of their rounding: use `f64`.)
///
/// A parameter of [`ParamSet::ADDED`] at its default is left out.
///
/// # Errors
/// The first parameter that is unknown, of the wrong type or out of range.
pub fn resolve<P: ParamSet>(task: &str, given: &Params) -> Result<Params, ParamError> {
    let mut fields = fields_of(&typed::<P>(task, given)?)?;
    if !P::ADDED.is_empty() {
        let defaults = fields_of(&P::default())?;
        fields.retain(|key, value| {
            !P::ADDED.contains(&key.as_str()) || defaults.get(key) != Some(value)
        });
    }
    Ok(fields)
}

/// Reads resolved parameters back into their type; one that is absent takes its default.
///
/// # Errors
/// As [`resolve`]; for resolved parameters only when a `cell.json` was changed by hand.
pub fn typed<P: ParamSet>(task: &str, params: &Params) -> Result<P, ParamError> {
    let mut merged = fields_of(&P::default())?;
    if let Some(key) = params.keys().find(|key| !merged.contains_key(*key)) {
        return Err(ParamError::Unknown {
            key: key.clone(),
            valid: merged.into_keys().collect(),
        });
    }
    merged.extend(
        params
            .iter()
            .map(|(key, value)| (key.clone(), whole_numbers(value))),
    );
    let fields = serde_json::Value::Object(merged.into_iter().collect());
    let params: P =
        serde_path_to_error::deserialize(fields).map_err(|error| type_error(&error, params))?;
    params.validate(task)?;
    Ok(params)
}

/// The fields of a parameter struct by name.
fn fields_of<P: ParamSet>(params: &P) -> Result<Params, ParamError> {
    let refused = |message: String| ParamError::Type {
        key: std::any::type_name::<P>().to_owned(),
        message,
    };
    match serde_json::to_value(params) {
        Ok(serde_json::Value::Object(fields)) => Ok(fields.into_iter().collect()),
        Ok(_) => Err(refused("is not a struct with named fields".to_owned())),
        Err(error) => Err(refused(error.to_string())),
    }
}

/// Floats without a fraction as integers, which serde takes for either type (`steps: 1e5`). Up to 2^53, where every
/// whole number has its own float; the sign of `-0.0` is kept.
fn whole_numbers(value: &serde_json::Value) -> serde_json::Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        serde_json::Value::Array(items) => items.iter().map(whole_numbers).collect(),
        serde_json::Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() <= EXACT => {
                if float == 0.0 && float.is_sign_negative() {
                    value.clone()
                } else {
                    (float as i64).into()
                }
            }
            _ => value.clone(),
        },
        _ => value.clone(),
    }
}

/// Serde's "invalid type: string \"fast\", expected u64" in a user's words, with the parameter that it is about.
fn type_error(error: &serde_path_to_error::Error<serde_json::Error>, given: &Params) -> ParamError {
    use serde_path_to_error::Segment;
    let mut path = error.path().iter();
    let key = path.next().map(ToString::to_string).unwrap_or_default();
    let mut value = given.get(&key);
    let mut place = String::new();
    if let Some(Segment::Seq { index }) = path.next() {
        value = value.and_then(|value| value.get(index));
        place = format!("item {} ", index + 1);
    }
    let text = error.inner().to_string();
    let message = match (text.rsplit_once(", expected "), value) {
        (Some((_, expected)), Some(value)) => {
            format!(
                "{place}must be {}, not {}",
                in_words(expected),
                shown(value)
            )
        }
        _ => format!("{place}is refused: {text}"),
    };
    ParamError::Type { key, message }
}

/// What serde calls an expected type, in words.
fn in_words(expected: &str) -> String {
    match expected {
        "u8" => "a whole number from 0 to 255".to_owned(),
        "u16" => "a whole number from 0 to 65535".to_owned(),
        "u32" => format!("a whole number from 0 to {}", u32::MAX),
        "u64" | "usize" => "a whole number of at least 0".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a string" => "a text".to_owned(),
        "a sequence" => "a list".to_owned(),
        other => other.to_owned(),
    }
}

/// A value as a user would write it.
fn shown(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => format!("`{text}`"),
        other => other.to_string(),
    }
}

/// Why a run ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// Cancelled; a checkpoint was written and the run can be resumed.
    #[error("interrupted at step {step}; it resumes from there")]
    Interrupted {
        /// Step of the checkpoint.
        step: u64,
    },
    /// A loss, a parameter or an observation is not a number.
    #[error("{what} is not finite at step {step}")]
    Diverged {
        /// What is not finite.
        what: String,
        /// Step at which it was seen.
        step: u64,
    },
    /// The run's own folder could not be read or written.
    #[error(transparent)]
    Run(#[from] crate::run::RunError),
    /// Anything else, as a lowercase fragment.
    #[error("{0}")]
    Other(String),
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Old {
        rate: f64,
    }

    impl Default for Old {
        fn default() -> Self {
            Self { rate: 0.5 }
        }
    }

    impl ParamSet for Old {
        fn validate(&self, _task: &str) -> Result<(), ParamError> {
            Ok(())
        }
    }

    /// `Old` with a parameter more.
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct New {
        rate: f64,
        clip: f64,
    }

    impl Default for New {
        fn default() -> Self {
            Self {
                rate: 0.5,
                clip: 0.0,
            }
        }
    }

    impl ParamSet for New {
        const ADDED: &'static [&'static str] = &["clip"];

        fn validate(&self, _task: &str) -> Result<(), ParamError> {
            Ok(())
        }
    }

    #[test]
    fn a_parameter_that_was_added_makes_new_cells_only_where_it_is_set() {
        let given = |text: &str| serde_json::from_str::<Params>(text).unwrap();
        let old = resolve::<Old>("", &given("{}")).unwrap();
        // Set to its default, in whatever form, it is as good as not set.
        for text in ["{}", r#"{"clip": 0}"#, r#"{"clip": 0.0}"#] {
            assert_eq!(resolve::<New>("", &given(text)).unwrap(), old, "{text}");
        }
        let set = resolve::<New>("", &given(r#"{"clip": 1}"#)).unwrap();
        assert_eq!(set["clip"], 1.0);
        // What was recorded reads back whole.
        assert_eq!(typed::<New>("", &old).unwrap(), New::default());
        assert_eq!(typed::<New>("", &set).unwrap().clip, 1.0);
    }
}
