use std::fs;

use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::Value;
use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;

use super::pieces::symbols;
use super::{Text, TextError};
use crate::model::tests::{golden, open_gguf, smollm2_file, written_gguf};
use crate::model::{Gguf, ModelError};

const TEMPLATE: &str = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message.content.strip() + '<|im_end|>\\n' }}{% endfor %}\n{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/// Three special tokens, all bytes, and some merges; without the symbol of byte 0.
fn tables() -> (Vec<String>, Vec<u32>, Vec<String>) {
    let special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"].map(str::to_owned);
    let merges = ["h e", "l l", "he ll", "Ġ w", "1 2"].map(str::to_owned);
    let bytes = symbols().skip(1).map(|(_, symbol)| symbol.to_string());
    let merged = merges.iter().map(|merge| merge.replace(' ', ""));
    let tokens: Vec<_> = special.into_iter().chain(bytes).chain(merged).collect();
    let types = (0..tokens.len())
        .map(|at| if at < 3 { 3 } else { 1 })
        .collect();
    (tokens, types, merges.to_vec())
}

fn texts(texts: Vec<String>) -> Value {
    Value::Array(texts.into_iter().map(Value::String).collect())
}

fn metadata(pre: &str) -> Vec<(&'static str, Value)> {
    let (tokens, types, merges) = tables();
    let name = |name: &str| Value::String(name.to_owned());
    vec![
        ("tokenizer.ggml.model", name("gpt2")),
        ("tokenizer.ggml.pre", name(pre)),
        ("tokenizer.ggml.tokens", texts(tokens)),
        (
            "tokenizer.ggml.token_type",
            Value::Array(types.into_iter().map(Value::U32).collect()),
        ),
        ("tokenizer.ggml.merges", texts(merges)),
        ("tokenizer.ggml.bos_token_id", Value::U32(1)),
        ("tokenizer.ggml.eos_token_id", Value::U32(2)),
        ("tokenizer.chat_template", name(TEMPLATE)),
    ]
}

fn of_gguf(metadata: &[(&str, Value)]) -> Result<Text, ModelError> {
    let [model, _] = golden();
    Text::of_gguf(&open_gguf(&written_gguf(&model, GgmlDType::F32, metadata)).unwrap())
}

/// The same tables as a `tokenizer.json` in the manner of SmolLM2's.
fn lay(folder: &TempDir) -> String {
    let (tokens, _, merges) = tables();
    let vocab: serde_json::Map<_, _> = (0..)
        .zip(&tokens)
        .map(|(token, text): (u32, _)| (text.clone(), json!(token)))
        .collect();
    let added: Vec<_> = (0..3_usize)
        .map(|id| json!({ "id": id, "content": tokens[id], "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true }))
        .collect();
    let bytes = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true });
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added, "normalizer": null,
        "pre_tokenizer": { "type": "Sequence", "pretokenizers": [{ "type": "Digits", "individual_digits": true }, bytes] },
        "post_processor": null, "decoder": bytes,
        "model": { "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "vocab": vocab, "merges": merges },
    });
    let config = json!({ "eos_token": "<|im_end|>", "bos_token": { "content": "<|im_start|>" }, "chat_template": TEMPLATE });
    let text = tokenizer.to_string();
    fs::write(folder.path().join("tokenizer.json"), &text).unwrap();
    fs::write(
        folder.path().join("tokenizer_config.json"),
        config.to_string(),
    )
    .unwrap();
    text
}

fn of_folder(folder: &TempDir) -> Result<Text, ModelError> {
    Text::open_hugging_face(folder.path())
}

#[test]
fn digits() {
    let text = Text::Digits;
    assert_eq!(text.prompt("1+2=").unwrap(), [1, 4, 13, 5, 17]);
    assert_eq!(text.decode(&[4, 13, 5, 2, 9]).unwrap(), "1+2");
    assert_eq!(
        (text.vocabulary(), text.end(), text.stop()),
        (30, 2, &[2][..])
    );
    assert_eq!(
        (text.token("="), text.token("=="), text.token("x")),
        (Some(17), None, None)
    );
    assert!(matches!(text.encode("x"), Err(TextError::Symbol(_))));
}

#[test]
fn both_files_make_the_same_tokenizer() {
    let folder = TempDir::new().unwrap();
    lay(&folder);
    let (json, gguf) = (
        of_folder(&folder).unwrap(),
        of_gguf(&metadata("smollm")).unwrap(),
    );
    for text in [&json, &gguf] {
        assert_eq!(
            (text.vocabulary(), text.end(), text.stop()),
            (263, 2, &[0, 2][..])
        );
        let [hell, w] = ["hell", " w"].map(|piece| text.token(piece).unwrap());
        let letter = |letter: &str| text.token(letter).unwrap();
        let tokens = text.encode("hello world 12").unwrap();
        // The digits stay apart though a merge joins them.
        let expected = ["o"].map(letter).into_iter();
        let expected = expected
            .chain([w])
            .chain(["o", "r", "l", "d", " ", "1", "2"].map(letter));
        assert_eq!(
            tokens,
            [hell].into_iter().chain(expected).collect::<Vec<_>>()
        );
        let prompt = text.prompt(" hell ").unwrap();
        assert_eq!(
            (
                prompt[0],
                prompt[6],
                prompt.iter().filter(|token| **token == 1).count()
            ),
            (1, hell_at(text, &prompt), 2)
        );
        assert_eq!(text.token("<|im_end|>"), Some(2));
        assert_eq!(text.decode(&[hell, 1, w, 2, w]).unwrap(), "hell w");
        let error = text.encode("a\0").unwrap_err();
        assert_eq!(
            error.to_string(),
            "encode a text: no token for byte 1, 0x00"
        );
        assert!(matches!(text.decode(&[4000]), Err(TextError::Decode(_))));
    }
}

/// The seventh token of a prompt: behind the special one, `user` and the end of the line.
fn hell_at(text: &Text, prompt: &[u32]) -> u32 {
    assert_eq!(text.decode(&prompt[1..]).unwrap(), "user\nhell");
    text.token("hell").unwrap()
}

#[test]
fn other_ways_to_take_a_text_apart() {
    let joined = |pre: &str| {
        let text = of_gguf(&metadata(pre)).unwrap();
        text.encode("12").unwrap().len()
    };
    assert_eq!(joined("smollm"), 2);
    assert_eq!(joined("gpt-2"), 1);
    assert_eq!(joined("qwen2"), 2);
    assert_eq!(joined("llama-bpe"), 1);
}

#[test]
fn what_does_not_fit_is_named() {
    let changed = |key: &'static str, value: Value| {
        let mut metadata = metadata("smollm");
        metadata.retain(|(other, _)| *other != key);
        metadata.push((key, value));
        of_gguf(&metadata).unwrap_err().to_string()
    };
    let (tokens, types, _) = tables();
    let name = |name: &str| Value::String(name.to_owned());
    let list = |texts: &[&str]| self::texts(texts.iter().map(|text| (*text).to_owned()).collect());
    let mut twice = tokens.clone();
    twice[9] = twice[8].clone();
    for (key, value) in [
        ("tokenizer.ggml.model", name("llama")),
        ("tokenizer.ggml.pre", name("unheard-of")),
        ("tokenizer.ggml.tokens", texts(twice)),
        ("tokenizer.ggml.tokens", Value::U8(1)),
        (
            "tokenizer.ggml.token_type",
            Value::Array(types[1..].iter().copied().map(Value::U32).collect()),
        ),
        ("tokenizer.ggml.merges", list(&["whole"])),
        ("tokenizer.ggml.merges", list(&["h z"])),
        // Longer than any token: the library would write behind its buffer's end.
        (
            "tokenizer.ggml.merges",
            list(&["<|endoftext|> <|endoftext|>"]),
        ),
        ("tokenizer.ggml.eos_token_id", Value::U32(263)),
        ("tokenizer.chat_template", name("{% if %}")),
    ] {
        let error = changed(key, value);
        assert!(
            error.contains(key) && error.contains("model.gguf"),
            "{error}"
        );
    }
}

#[test]
fn a_template_may_fail() {
    let with = |template: &str| {
        let mut metadata = metadata("smollm");
        metadata.pop();
        metadata.push((
            "tokenizer.chat_template",
            Value::String(template.to_owned()),
        ));
        of_gguf(&metadata).unwrap().prompt("x")
    };
    for template in [
        "{{ raise_exception('no system message') }}",
        "{{ messages[0].content.fly() }}",
        "{% for a in range(10000) %}{% for b in range(10000) %}{{ b }}{% endfor %}{% endfor %}",
    ] {
        assert!(
            matches!(with(template), Err(TextError::Chat(_))),
            "{template}"
        );
    }
    assert_eq!(
        with("{{ bos_token }}{{ messages[0].content | tojson }}")
            .unwrap()
            .len(),
        4
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn there_and_back(text in "[^\0<]{0,40}") {
        for pre in ["smollm", "gpt-2", "llama-bpe"] {
            let tokenizer = of_gguf(&metadata(pre)).unwrap();
            let tokens = tokenizer.encode(&text).unwrap();
            prop_assert_eq!(&tokenizer.decode(&tokens).unwrap(), &text);
        }
    }

    #[test]
    fn damaged_files(at in any::<proptest::sample::Index>(), mask in 1..=u8::MAX, cut in any::<bool>()) {
        let folder = TempDir::new().unwrap();
        let mut bytes = lay(&folder).into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= mask;
        if cut {
            bytes.truncate(at);
        }
        fs::write(folder.path().join("tokenizer.json"), &bytes).unwrap();
        if let Ok(text) = of_folder(&folder) {
            let _ = text.prompt("hello 12");
        }
        let [model, _] = golden();
        let mut bytes = written_gguf(&model, GgmlDType::F32, &metadata("smollm"));
        let at = at % 8000.min(bytes.len());
        bytes[at] ^= mask;
        if let Ok(text) = open_gguf(&bytes).and_then(|file| Text::of_gguf(&file)) {
            let _ = text.prompt("hello 12");
        }
    }
}

#[test]
fn smollm2_reads_and_writes() {
    let Some(path) = smollm2_file() else { return };
    let text = Text::of_gguf(&Gguf::open(&path).unwrap()).unwrap();
    assert_eq!(
        (text.vocabulary(), text.end(), text.stop()),
        (49_152, 2, &[0, 2][..])
    );
    assert_eq!(
        (text.token("<|im_start|>"), text.token("<|im_end|>")),
        (Some(1), Some(2))
    );
    let prompt = "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n<|im_start|>user\nWhat is 7 + 5?<|im_end|>\n<|im_start|>assistant\n";
    assert_eq!(
        text.prompt("What is 7 + 5?").unwrap(),
        text.encode(prompt).unwrap()
    );
    for sample in [
        "What is 7 + 5?",
        "  two  spaces\n\nand 12,345 lines\t",
        "Ünïcödé 数学 🎉",
        "it's I'll",
    ] {
        let tokens = text.encode(sample).unwrap();
        assert_eq!(text.decode(&tokens).unwrap(), sample);
    }
    assert_eq!(text.encode("1234").unwrap().len(), 4);
    assert_eq!(text.encode("Hello world").unwrap().len(), 2);
}
