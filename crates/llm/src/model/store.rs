//! A model in the project's own layout: one safetensors whose metadata say what it is.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use safetensors::{Dtype, SafeTensors, View};
use serde::{Deserialize, Serialize};

use super::checkpoint::plausible;
use super::config::Config;
use super::error::{ModelError, read_file};
use super::hugging_face::values;
use super::weights::{Array, Weights};

/// The only key of the metadata: safetensors writes several in the order of a hash map.
const KEY: &str = "era.model";
/// Of what stands under the key, and of the layout.
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    format: u32,
    config: Config,
    /// As [`Weights::digest`].
    digest: String,
}

impl Weights {
    /// BLAKE3, in hexadecimal, of configuration, names, shapes and values: equal for equal models wherever they came from.
    pub fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        // Numbers and flags only: this cannot fail.
        let config = serde_json::to_vec(self.config()).unwrap_or_default();
        hasher.update(&(config.len() as u64).to_le_bytes());
        hasher.update(&config);
        for array in self.arrays() {
            for number in [array.name.len(), array.shape[0], array.shape[1]] {
                hasher.update(&(number as u64).to_le_bytes());
            }
            hasher.update(array.name.as_bytes());
            for values in array.values.chunks(4096) {
                hasher.update(&bytes(values));
            }
        }
        hasher.finalize().to_hex().to_string()
    }

    /// Writes one safetensors in the project's layout. The same model gives the same bytes. At every moment the file is its old self
    /// or its new one.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), ModelError> {
        let mut name = path.as_os_str().to_owned();
        name.push(".tmp");
        let temporary = Path::new(&name);
        self.write(temporary)
            .and_then(|()| put_in_place(temporary, path))
            .map_err(|error| {
                // Half a file takes space that may be what is missing; that it cannot be removed changes nothing.
                let _ = fs::remove_file(temporary);
                ModelError::io("write", path)(error)
            })
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        fs::write(path, self.to_bytes().map_err(io::Error::other)?)
    }

    /// What [`Self::save`] writes.
    ///
    /// # Errors
    /// The configuration holds a number that is not finite, which [`Config::check`] refuses.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelError> {
        let failed = |reason: String| ModelError::damaged(Path::new("memory"), reason);
        let about = About {
            format: FORMAT,
            config: self.config().clone(),
            digest: self.digest(),
        };
        let about = serde_json::to_string(&about).map_err(|error| failed(error.to_string()))?;
        let metadata = HashMap::from([(KEY.to_owned(), about)]);
        let tensors = self
            .arrays()
            .iter()
            .map(|array| (&array.name, Stored(array)));
        safetensors::serialize(tensors, Some(metadata)).map_err(|error| failed(error.to_string()))
    }

    /// Reads what [`Self::save`] wrote.
    ///
    /// # Errors
    /// The file cannot be read, is damaged, or is another safetensors.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        Self::from_bytes(&read_file(path)?, path)
    }

    /// Reads what [`Self::to_bytes`] gave; `path` is where it came from, for errors.
    ///
    /// # Errors
    /// It is damaged, or another safetensors.
    pub fn from_bytes(file: &[u8], path: &Path) -> Result<Self, ModelError> {
        let damaged = |reason: String| ModelError::damaged(path, reason);
        let (_, metadata) =
            SafeTensors::read_metadata(file).map_err(|error| damaged(error.to_string()))?;
        let about = metadata.metadata().as_ref().and_then(|map| map.get(KEY));
        let about = about.ok_or_else(|| damaged("no model of this project".to_owned()))?;
        let About {
            format,
            config,
            digest,
        } = serde_json::from_str(about).map_err(|error| damaged(error.to_string()))?;
        if format != FORMAT {
            return Err(damaged(format!(
                "format {format} where {FORMAT} is expected"
            )));
        }
        plausible(&config).map_err(|error| damaged(error.0))?;
        let tensors = SafeTensors::deserialize(file).map_err(|error| damaged(error.to_string()))?;
        let mut arrays = Vec::new();
        for (name, shape) in config.parameters() {
            let wrong = |reason: String| damaged(format!("{name}: {reason}"));
            let tensor = tensors
                .tensor(&name)
                .map_err(|error| wrong(error.to_string()))?;
            if tensor.shape() != shape {
                return Err(wrong(format!("shape {:?}", tensor.shape())));
            }
            let values = values(&tensor).map_err(wrong)?;
            arrays.push(Array {
                name,
                shape,
                values,
            });
        }
        let weights = Self::new(config, arrays).map_err(|error| damaged(error.0))?;
        if weights.digest() != digest {
            return Err(damaged(
                "its contents are not those that were written".to_owned(),
            ));
        }
        Ok(weights)
    }
}

fn put_in_place(temporary: &Path, path: &Path) -> io::Result<()> {
    File::open(temporary)?.sync_all()?;
    fs::rename(temporary, path)?;
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

/// An array as safetensors wants to see it.
struct Stored<'a>(&'a Array);

impl View for Stored<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.0.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        bytes(&self.0.values).into()
    }

    fn data_len(&self) -> usize {
        4 * self.0.values.len()
    }
}
