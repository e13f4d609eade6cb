//! Damaged files: an error or a model, never a panic.

use std::fs;

use candle_core::quantized::GgmlDType;
use proptest::prelude::*;
use proptest::sample::Index;
use tempfile::TempDir;

use super::{gguf, golden};
use crate::model::{ModelError, Weights};

/// Cuts the end off, or changes some bytes.
#[derive(Clone, Debug)]
enum Damage {
    Cut(Index),
    Flip(Vec<(Index, u8)>),
}

impl Damage {
    fn any() -> impl Strategy<Value = Self> {
        let flips = proptest::collection::vec((any::<Index>(), 1..=u8::MAX), 1..8);
        prop_oneof![
            any::<Index>().prop_map(Self::Cut),
            flips.prop_map(Self::Flip)
        ]
    }

    /// Bytes to flip are among the first `head`, where a file says what it is.
    fn apply(&self, bytes: &[u8], head: usize) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        match self {
            Self::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Self::Flip(flips) => {
                for (at, mask) in flips {
                    let at = at.index(head.min(bytes.len()));
                    bytes[at] ^= mask;
                }
            }
        }
        bytes
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn hugging_face(damage in Damage::any(), config in any::<bool>(), which in 0..2_usize) {
        let model = &golden()[which];
        let folder = TempDir::new().unwrap();
        model.lay(folder.path());
        let path = folder.path().join(if config { "config.json" } else { "model.safetensors" });
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, damage.apply(&bytes, 4096)).unwrap();
        let opened = Weights::open_hugging_face(folder.path());
        prop_assert!(opened.is_err() || matches!(damage, Damage::Flip(_)));
        if let Err(error) = opened {
            prop_assert!(error.to_string().contains(&*folder.path().to_string_lossy()));
        }
    }

    #[test]
    fn gguf(damage in Damage::any(), which in 0..2_usize) {
        let bytes = gguf::written(&golden()[which], GgmlDType::F32, &[]);
        let damaged = damage.apply(&bytes, 2500);
        let opened = gguf::open(&damaged).and_then(|file| file.weights());
        // The padding behind the last tensor may go.
        prop_assert!(opened.is_err() || matches!(damage, Damage::Flip(_)) || bytes.len() - damaged.len() < 32);
    }

    #[test]
    fn our_own(damage in Damage::any(), anywhere in any::<bool>()) {
        let [model, _] = golden();
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("policy.safetensors");
        let weights = model.weights();
        weights.save(&path).unwrap();
        let bytes = fs::read(&path).unwrap();
        let head = if anywhere { bytes.len() } else { 2000 };
        let damaged = damage.apply(&bytes, head);
        fs::write(&path, &damaged).unwrap();
        match Weights::open(&path) {
            // Spaces at the header's end may change, and flips may cancel; no value may.
            Ok(read) => prop_assert_eq!(read, weights),
            Err(error) => prop_assert!(matches!(error, ModelError::Damaged { .. }), "{}", error),
        }
    }
}

#[test]
fn saved_models_come_back_and_look_the_same() {
    let folder = TempDir::new().unwrap();
    let [one, two] = ["one", "two"].map(|name| folder.path().join(name));
    for model in golden() {
        let weights = model.weights();
        weights.save(&one).unwrap();
        weights.save(&two).unwrap();
        assert_eq!(fs::read(&one).unwrap(), fs::read(&two).unwrap());
        assert_eq!(Weights::open(&one).unwrap(), weights);
    }
    let mut names = fs::read_dir(folder.path()).unwrap();
    assert!(names.all(|file| {
        !file
            .unwrap()
            .file_name()
            .to_string_lossy()
            .ends_with(".tmp")
    }));
}

#[test]
fn the_digest_is_of_the_content() {
    let [qwen, llama] = golden();
    let weights = llama.weights();
    assert_ne!(weights.digest(), qwen.weights().digest());
    assert_eq!(weights.digest(), llama.weights().digest());
    let mut changed = weights.clone();
    changed.arrays_mut()[3].values[5] += 1e-6;
    assert_ne!(changed.digest(), weights.digest());
}

#[test]
fn other_files_are_refused_with_their_path() {
    let [model, _] = golden();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("model.safetensors");
    fs::write(&file, model.tensors).unwrap();
    let error = Weights::open(&file).unwrap_err().to_string();
    assert!(error.contains("no model of this project") && error.contains("model.safetensors"));
    let error = Weights::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("not a file"), "{error}");
    let error = Weights::open_hugging_face(&folder.path().join("none"));
    assert!(matches!(error, Err(ModelError::Io { .. })));
    let weights = model.weights();
    let error = weights
        .save(&folder.path().join("none/policy"))
        .unwrap_err();
    assert!(error.to_string().starts_with("write "), "{error}");
}
