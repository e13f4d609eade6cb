//! SmolLM2, where it is set up.

use std::env;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::model::Gguf;
use crate::model::reference::greedy;
use crate::text::Text;

/// The file of `cargo xtask setup smollm2`; tests run in their crate's folder, a relative ERA_DATA_DIR counts from the root.
pub(crate) fn file() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let data = env::var_os("ERA_DATA_DIR").filter(|value| !value.is_empty());
    let path = root
        .join(data.unwrap_or_else(|| "data".into()))
        .join("smollm2/SmolLM2-135M-Instruct.Q4_1.gguf");
    if path.exists() {
        return Some(path);
    }
    let note = "SmolLM2 is not set up, so nothing was tested with it (cargo xtask setup smollm2)";
    let _ = writeln!(std::io::stderr(), "{note}");
    None
}

#[test]
fn smollm2_adds() {
    let Some(path) = file() else { return };
    let model = Gguf::open(&path).unwrap();
    let config = model.config();
    let sizes = [
        config.vocabulary,
        config.width,
        config.layers,
        config.heads,
        config.kv_heads,
    ];
    assert_eq!(sizes, [49_152, 576, 30, 9, 3]);
    assert!(config.tied && config.norm_epsilon == 1e-5 && config.rope_base == 1e5);
    let weights = model.weights().unwrap();
    assert_eq!(weights.size(), 134_515_008);
    let text = Text::of_gguf(&model).unwrap();
    let prompt = text.prompt("What is 7 + 5?").unwrap();
    let written = greedy(&weights, &prompt, 40, text.stop());
    let answer = text.decode(&written).unwrap();
    assert!(answer.contains("12"), "{answer}");
}
