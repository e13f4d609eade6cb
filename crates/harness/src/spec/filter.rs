//! `--only KEY=VALUE`: which cells of a plan are meant.

use std::str::FromStr;

/// `KEY=VALUE` of `--only`: `task`, `method`, `seed` or the name of a parameter, and one value or several with commas
/// between them. A cell passes when its value is one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// What is compared.
    pub key: String,
    /// The values that pass.
    pub values: Vec<String>,
}

/// The text is not `KEY=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not KEY=VALUE (for example task=mini/reacher or method=sac,sac-era)")]
pub struct FilterError(String);

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let wrong = || FilterError(text.to_owned());
        let (key, values) = text.split_once('=').ok_or_else(wrong)?;
        let values: Vec<String> = values
            .split(',')
            .map(|value| value.trim().to_owned())
            .collect();
        if key.trim().is_empty() || values.iter().any(String::is_empty) {
            return Err(wrong());
        }
        Ok(Self {
            key: key.trim().to_owned(),
            values,
        })
    }
}
