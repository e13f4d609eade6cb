//! Checkpoints: a safetensors file and a manifest, which is what makes it count.
//!
//! `checkpoint/000007.safetensors` is written first, `checkpoint/000007.json` last; the number grows with every
//! checkpoint of the cell, so no write ever touches one that is whole. The last two are kept.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors, View};
use serde::{Deserialize, Serialize};

use super::RunError;
use super::rows::Mark;
use crate::cell::CellId;
use crate::files::{self, failed};
use crate::protocol::warn;

/// Version of the manifest.
const FORMAT: u32 = 1;
/// Name of the folder in a run's folder.
pub(crate) const FOLDER: &str = "checkpoint";
/// The key of the safetensors metadata under which [`Checkpoint::meta`] is stored as JSON.
const META_KEY: &str = "meta";

/// State of a run at a step: named arrays, and small values as JSON.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint {
    /// Step of the run after which the state was taken.
    pub step: u64,
    /// Small values (counters, the learner's own clock).
    pub meta: BTreeMap<String, serde_json::Value>,
    /// Arrays by name.
    pub arrays: BTreeMap<String, Array>,
}

/// One array of a checkpoint, row major.
#[derive(Clone, Debug, PartialEq)]
pub enum Array {
    /// 32-bit floats.
    F32(Vec<usize>, Vec<f32>),
    /// 64-bit floats.
    F64(Vec<usize>, Vec<f64>),
    /// Whole numbers.
    U64(Vec<usize>, Vec<u64>),
    /// Bytes.
    U8(Vec<usize>, Vec<u8>),
}

/// What is known of a checkpoint besides its state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    pub(crate) format: u32,
    pub(crate) cell: CellId,
    pub(crate) step: u64,
    /// BLAKE3 of the safetensors file.
    pub(crate) state: String,
    /// The logs at that step.
    pub(crate) metrics: Mark,
    pub(crate) timings: Mark,
    /// Length of the TensorBoard file at that step.
    pub(crate) events: u64,
    /// BLAKE3 of this manifest with this field empty.
    pub(crate) check: String,
}

impl Manifest {
    /// The manifest with its own check filled in.
    fn checked(mut self) -> Self {
        self.check.clear();
        let text = serde_json::json!(self).to_string();
        self.check = blake3::hash(text.as_bytes()).to_hex().to_string();
        self
    }
}

/// The checkpoints of one run.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    folder: PathBuf,
    cell: CellId,
    /// Number of the newest one.
    last: u64,
}

/// How far the files beside the state are.
#[derive(Debug)]
pub(crate) struct Marks {
    pub(crate) metrics: Mark,
    pub(crate) timings: Mark,
    pub(crate) events: u64,
}

impl Checkpoints {
    pub(crate) fn new(run_folder: &Path, cell: CellId) -> Self {
        Self {
            folder: run_folder.join(FOLDER),
            cell,
            last: 0,
        }
    }

    /// Writes a checkpoint and drops all but it and the one before.
    pub(crate) fn save(&mut self, checkpoint: &Checkpoint, marks: Marks) -> Result<(), RunError> {
        files::create_folder(&self.folder)?;
        let number = self.last + 1;
        let state = encode(checkpoint).map_err(|error| {
            failed("write", &self.state_path(number))(std::io::Error::other(error))
        })?;
        let manifest = Manifest {
            format: FORMAT,
            cell: self.cell.clone(),
            step: checkpoint.step,
            state: blake3::hash(&state).to_hex().to_string(),
            metrics: marks.metrics,
            timings: marks.timings,
            events: marks.events,
            check: String::new(),
        }
        .checked();
        files::write_whole(&self.state_path(number), &state)?;
        files::write_whole(
            &self.manifest_path(number),
            serde_json::json!(manifest).to_string().as_bytes(),
        )?;
        self.last = number;
        self.keep_only(|other| other + 1 >= number)
    }

    /// The newest checkpoint that is whole and that `accept` takes; those newer than it are said to be unusable, and
    /// dropped.
    pub(crate) fn load<T>(
        &mut self,
        mut accept: impl FnMut(&Manifest) -> Result<Result<T, String>, RunError>,
    ) -> Result<Option<(Checkpoint, T)>, RunError> {
        for number in self.numbers()?.into_iter().rev() {
            let found = match self.read(number)? {
                Ok((manifest, checkpoint)) => {
                    accept(&manifest)?.map(|accepted| (checkpoint, accepted))
                }
                Err(reason) => Err(reason),
            };
            match found {
                Ok(found) => {
                    self.last = number;
                    self.keep_only(|other| other <= number)?;
                    return Ok(Some(found));
                }
                Err(reason) => {
                    warn(format_args!(
                        "checkpoint {number} of {} is not usable: {reason}; trying the one before",
                        self.cell
                    ));
                }
            }
        }
        files::remove_folder(&self.folder)?;
        Ok(None)
    }

    /// The step of the newest checkpoint, judged by its manifest alone.
    pub(crate) fn newest_step(&self) -> Result<Option<u64>, RunError> {
        for number in self.numbers()?.into_iter().rev() {
            if let Ok(manifest) = self.read_manifest(number)? {
                return Ok(Some(manifest.step));
            }
        }
        Ok(None)
    }

    /// Reads one checkpoint; the reason when it is not usable.
    fn read(&self, number: u64) -> Result<Result<(Manifest, Checkpoint), String>, RunError> {
        let manifest = match self.read_manifest(number)? {
            Ok(manifest) => manifest,
            Err(reason) => return Ok(Err(reason)),
        };
        let Some(state) = files::read_if_there(&self.state_path(number))? else {
            return Ok(Err("its state is not there".into()));
        };
        if blake3::hash(&state).to_hex().as_str() != manifest.state {
            return Ok(Err("its state is damaged".into()));
        }
        Ok(decode(&state, manifest.step).map(|checkpoint| (manifest, checkpoint)))
    }

    fn read_manifest(&self, number: u64) -> Result<Result<Manifest, String>, RunError> {
        let path = self.manifest_path(number);
        let Some(text) = files::read_if_there(&path)? else {
            return Ok(Err("its manifest is not there".into()));
        };
        let Ok(value) = serde_json::from_slice::<serde_json::Value>(&text) else {
            return Ok(Err("its manifest is damaged".into()));
        };
        if let Some(found) = value["format"]
            .as_u64()
            .filter(|found| *found > u64::from(FORMAT))
        {
            return Err(RunError::Newer {
                path,
                found,
                known: FORMAT,
            });
        }
        let Ok(manifest) = serde_json::from_value::<Manifest>(value) else {
            return Ok(Err("its manifest is damaged".into()));
        };
        Ok(if manifest.clone().checked().check != manifest.check {
            Err("its manifest is damaged".into())
        } else if manifest.cell != self.cell {
            Err(format!("it belongs to {}", manifest.cell))
        } else {
            Ok(manifest)
        })
    }

    /// The numbers of all checkpoints, in order.
    fn numbers(&self) -> Result<Vec<u64>, RunError> {
        let names = files::names(&self.folder)?;
        Ok(names
            .iter()
            .filter_map(|name| name.strip_suffix(".json")?.parse().ok())
            .collect())
    }

    /// Drops the files whose number `keep` refuses. The manifest goes first, so that none is without its state.
    fn keep_only(&self, keep: impl Fn(u64) -> bool) -> Result<(), RunError> {
        for name in files::names(&self.folder)? {
            let number = name
                .split('.')
                .next()
                .and_then(|number| number.parse().ok());
            if number.is_some_and(|number| !keep(number)) || name.ends_with(".tmp") {
                files::remove_file(&self.folder.join(name))?;
            }
        }
        Ok(())
    }

    fn state_path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:06}.safetensors"))
    }

    fn manifest_path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:06}.json"))
    }
}

impl View for &Array {
    fn dtype(&self) -> Dtype {
        match self {
            Array::F32(..) => Dtype::F32,
            Array::F64(..) => Dtype::F64,
            Array::U64(..) => Dtype::U64,
            Array::U8(..) => Dtype::U8,
        }
    }

    fn shape(&self) -> &[usize] {
        match self {
            Array::F32(shape, _)
            | Array::F64(shape, _)
            | Array::U64(shape, _)
            | Array::U8(shape, _) => shape,
        }
    }

    fn data(&self) -> Cow<'_, [u8]> {
        match self {
            Array::F32(_, values) => values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
            Array::F64(_, values) => values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
            Array::U64(_, values) => values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
            Array::U8(_, values) => values.into(),
        }
    }

    fn data_len(&self) -> usize {
        match self {
            Array::F32(_, values) => size_of_val(&values[..]),
            Array::F64(_, values) => size_of_val(&values[..]),
            Array::U64(_, values) => size_of_val(&values[..]),
            Array::U8(_, values) => values.len(),
        }
    }
}

/// The bytes of the state file.
fn encode(checkpoint: &Checkpoint) -> Result<Vec<u8>, String> {
    for (name, array) in &checkpoint.arrays {
        let (shape, values) = (
            array.shape(),
            array.data_len() / (array.dtype().bitsize() / 8),
        );
        if shape.iter().product::<usize>() != values {
            return Err(format!(
                "array `{name}` has shape {shape:?} and {values} values"
            ));
        }
    }
    let meta = HashMap::from([(
        META_KEY.to_owned(),
        serde_json::json!(checkpoint.meta).to_string(),
    )]);
    safetensors::serialize(&checkpoint.arrays, Some(meta)).map_err(|error| error.to_string())
}

/// The checkpoint in the bytes of a state file.
fn decode(bytes: &[u8], step: u64) -> Result<Checkpoint, String> {
    let wrong = |error: safetensors::SafeTensorError| error.to_string();
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(wrong)?;
    let meta = metadata
        .metadata()
        .as_ref()
        .and_then(|meta| meta.get(META_KEY))
        .ok_or("its state has no metadata")?;
    let meta = serde_json::from_str(meta).map_err(|error| format!("its state: {error}"))?;
    let tensors = SafeTensors::deserialize(bytes).map_err(wrong)?;
    let mut arrays = BTreeMap::new();
    for (name, tensor) in tensors.tensors() {
        let (shape, data) = (tensor.shape().to_vec(), tensor.data());
        let array = match tensor.dtype() {
            Dtype::F32 => Array::F32(shape, numbers(data, f32::from_le_bytes)),
            Dtype::F64 => Array::F64(shape, numbers(data, f64::from_le_bytes)),
            Dtype::U64 => Array::U64(shape, numbers(data, u64::from_le_bytes)),
            Dtype::U8 => Array::U8(shape, data.to_vec()),
            other => return Err(format!("array `{name}` has type {other:?}")),
        };
        arrays.insert(name, array);
    }
    Ok(Checkpoint { step, meta, arrays })
}

/// Numbers of `N` bytes each; safetensors has checked that they come out even.
fn numbers<T, const N: usize>(data: &[u8], from_le_bytes: fn([u8; N]) -> T) -> Vec<T> {
    let (chunks, _) = data.as_chunks::<N>();
    chunks.iter().map(|chunk| from_le_bytes(*chunk)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn checkpoint(step: u64) -> Checkpoint {
        Checkpoint {
            step,
            meta: BTreeMap::from([
                ("updates".into(), serde_json::json!(step * 2)),
                ("x".into(), serde_json::json!(0.1)),
            ]),
            arrays: BTreeMap::from([
                (
                    "actor/0/weight".into(),
                    Array::F32(
                        vec![2, 3],
                        vec![0.1, -0.0, f32::NAN, f32::MIN_POSITIVE, 1e30, 3.0],
                    ),
                ),
                ("a".into(), Array::F64(vec![1], vec![std::f64::consts::PI])),
                ("empty".into(), Array::F32(vec![0, 4], vec![])),
                ("scalar".into(), Array::U64(vec![], vec![u64::MAX])),
                ("bytes".into(), Array::U8(vec![3], vec![1, 2, 3])),
            ]),
        }
    }

    fn marks(bytes: u64) -> Marks {
        let mark = Mark {
            bytes,
            rows: 1,
            hash: "h".into(),
        };
        Marks {
            metrics: mark.clone(),
            timings: mark,
            events: 7,
        }
    }

    fn checkpoints(folder: &Path) -> Checkpoints {
        Checkpoints::new(folder, CellId("cell".into()))
    }

    fn load(folder: &Path) -> Option<u64> {
        let found = checkpoints(folder)
            .load(|manifest| Ok(Ok(manifest.metrics.bytes)))
            .unwrap();
        found.map(|(checkpoint, _)| checkpoint.step)
    }

    #[test]
    fn state_comes_back_bit_for_bit() {
        let state = encode(&checkpoint(5)).unwrap();
        assert_eq!(
            state,
            encode(&checkpoint(5)).unwrap(),
            "the same state gives the same bytes"
        );
        let back = decode(&state, 5).unwrap();
        // Compared as bytes: the state holds a NaN.
        assert_eq!(encode(&back).unwrap(), state);
        assert_eq!(back.meta, checkpoint(5).meta);
        let wrong = Checkpoint {
            arrays: [("a".into(), Array::F32(vec![2], vec![1.0]))].into(),
            ..checkpoint(1)
        };
        assert_eq!(
            encode(&wrong).unwrap_err(),
            "array `a` has shape [2] and 1 values"
        );
    }

    #[test]
    fn the_last_two_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut all = checkpoints(folder.path());
        for step in [10, 20, 30] {
            all.save(&checkpoint(step), marks(step)).unwrap();
        }
        let names = files::names(&folder.path().join(FOLDER)).unwrap();
        assert_eq!(
            names,
            [
                "000002.json",
                "000002.safetensors",
                "000003.json",
                "000003.safetensors"
            ]
        );
        assert_eq!(checkpoints(folder.path()).newest_step().unwrap(), Some(30));
    }

    #[test]
    fn a_damaged_or_foreign_checkpoint_gives_way_to_the_one_before() {
        for file in ["000002.json", "000002.safetensors"] {
            let folder = tempfile::tempdir().unwrap();
            let mut all = checkpoints(folder.path());
            all.save(&checkpoint(10), marks(1)).unwrap();
            all.save(&checkpoint(20), marks(2)).unwrap();
            let path = folder.path().join(FOLDER).join(file);
            let whole = fs::read(&path).unwrap();
            for length in (0..whole.len()).step_by(whole.len() / 17 + 1) {
                fs::write(&path, &whole[..length]).unwrap();
                let read = checkpoints(folder.path()).read(2).unwrap();
                assert!(read.is_err(), "{file} cut to {length}");
            }
            for position in 0..whole.len() {
                let mut flipped = whole.clone();
                flipped[position] ^= 1;
                fs::write(&path, &flipped).unwrap();
                let read = checkpoints(folder.path()).read(2);
                assert!(!matches!(read, Ok(Ok(_))), "{file} flipped at {position}");
            }
            fs::write(&path, &whole[..whole.len() - 1]).unwrap();
            assert_eq!(load(folder.path()), Some(10));
            assert!(
                !folder.path().join(FOLDER).join("000002.json").exists(),
                "what is unusable is dropped"
            );
        }
        let folder = tempfile::tempdir().unwrap();
        Checkpoints::new(folder.path(), CellId("other".into()))
            .save(&checkpoint(10), marks(1))
            .unwrap();
        assert_eq!(load(folder.path()), None);
    }

    #[test]
    fn a_newer_format_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        checkpoints(folder.path())
            .save(&checkpoint(10), marks(1))
            .unwrap();
        let path = folder.path().join(FOLDER).join("000001.json");
        let text = fs::read_to_string(&path)
            .unwrap()
            .replace("\"format\":1", "\"format\":2");
        fs::write(&path, text).unwrap();
        let error = checkpoints(folder.path()).load(|_| Ok(Ok(()))).unwrap_err();
        assert!(
            matches!(
                error,
                RunError::Newer {
                    found: 2,
                    known: 1,
                    ..
                }
            ),
            "{error}"
        );
    }
}
