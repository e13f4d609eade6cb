//! The tokenizer inside a GGUF.

use candle_core::quantized::gguf_file::Value;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, SplitDelimiterBehavior, Tokenizer};

use super::Text;
use super::chat::Template;
use super::pieces::{Pieces, merges_fit};
use crate::model::{Gguf, ModelError, whole};

const TOKENS: &str = "tokenizer.ggml.tokens";
const TYPES: &str = "tokenizer.ggml.token_type";
const MERGES: &str = "tokenizer.ggml.merges";
const PRE: &str = "tokenizer.ggml.pre";

/// Types of tokens, as llama.cpp numbers them.
const CONTROL: u64 = 3;
const USER_DEFINED: u64 = 4;

/// What Qwen2 takes a text apart with: contractions, words with one sign before them, single digits, signs, line ends, spaces.
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// As Qwen2, with up to three digits together.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

impl Text {
    /// The tokenizer of a GGUF: byte-level pieces as GPT-2, SmolLM, Qwen2 and Llama 3 have them.
    ///
    /// # Errors
    /// It is another kind of tokenizer, or its tables do not fit together.
    pub fn of_gguf(file: &Gguf) -> Result<Self, ModelError> {
        let wrong = |key: &str, reason: String| ModelError::field(file.path(), key, reason);
        let kind = text(file, "tokenizer.ggml.model")?;
        if kind != Some("gpt2") {
            let reason = format!("{kind:?}; only gpt2 is supported");
            return Err(wrong("tokenizer.ggml.model", reason));
        }
        let tokens = texts(file, TOKENS)?;
        let mut tokenizer = model(file, &tokens)?;
        take_apart(file, &mut tokenizer)?;
        add_special(file, &tokens, &mut tokenizer)?;
        let special = |key: &str| -> Result<Option<u32>, ModelError> {
            let Some(value) = file.value(key) else {
                return Ok(None);
            };
            let token = whole(value).and_then(|token| u32::try_from(token).ok());
            let token = token.filter(|token| (*token as usize) < tokens.len());
            token
                .map(Some)
                .ok_or_else(|| wrong(key, "not a token".to_owned()))
        };
        let begin = special("tokenizer.ggml.bos_token_id")?;
        let end = special("tokenizer.ggml.eos_token_id")?;
        let name = |token: Option<u32>| token.map_or("", |token| tokens[token as usize]).to_owned();
        let key = "tokenizer.chat_template";
        let template = text(file, key)?
            .map(|source| Template::new(source.to_owned(), name(begin), name(end)))
            .transpose()
            .map_err(|reason| wrong(key, reason))?;
        let wants_begin = matches!(
            file.value("tokenizer.ggml.add_bos_token"),
            Some(Value::Bool(true))
        );
        let ends: Vec<u32> = end.into_iter().collect();
        Pieces::new(tokenizer, begin.filter(|_| wants_begin), &ends, template)
            .map(|pieces| Self::Pieces(Box::new(pieces)))
            .map_err(|reason| wrong(TOKENS, reason))
    }
}

fn model(file: &Gguf, tokens: &[&str]) -> Result<Tokenizer, ModelError> {
    let wrong = |key: &str, reason: String| ModelError::field(file.path(), key, reason);
    let mut vocabulary = Vocab::default();
    for (token, text) in (0..).zip(tokens) {
        if vocabulary.insert((*text).to_owned(), token).is_some() {
            return Err(wrong(TOKENS, format!("{text:?} is there twice")));
        }
    }
    let mut merges = Vec::new();
    for merge in texts(file, MERGES)? {
        // Pieces spell their own spaces differently, so the first space is between two.
        let pair = merge.split_once(' ');
        merges.push(pair.ok_or_else(|| wrong(MERGES, format!("{merge:?} is not a pair")))?);
    }
    merges_fit(
        |token| vocabulary.contains_key(token),
        merges.iter().copied(),
    )
    .map_err(|reason| wrong(MERGES, reason))?;
    let merges = merges
        .into_iter()
        .map(|(a, b)| (a.to_owned(), b.to_owned()));
    let builder = BPE::builder()
        .vocab_and_merges(vocabulary, merges.collect())
        .ignore_merges(pre(file)? == Pre::Llama3);
    let model = builder.build();
    Ok(Tokenizer::new(
        model.map_err(|error| wrong(MERGES, error.to_string()))?,
    ))
}

/// How a text is taken apart before pieces are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pre {
    Gpt2,
    SmolLm,
    Qwen2,
    Llama3,
}

fn pre(file: &Gguf) -> Result<Pre, ModelError> {
    match text(file, PRE)? {
        Some("gpt-2" | "gpt2") => Ok(Pre::Gpt2),
        Some("smollm") => Ok(Pre::SmolLm),
        Some("qwen2") => Ok(Pre::Qwen2),
        Some("llama-bpe" | "llama3" | "llama-v3") => Ok(Pre::Llama3),
        other => {
            let reason = format!("{other:?}; gpt-2, smollm, qwen2 and llama-bpe are supported");
            Err(ModelError::field(file.path(), PRE, reason))
        }
    }
}

fn take_apart(file: &Gguf, tokenizer: &mut Tokenizer) -> Result<(), ModelError> {
    let wrong = |error: tokenizers::Error| ModelError::field(file.path(), PRE, error.to_string());
    let bytes = |regex: bool| PreTokenizerWrapper::from(ByteLevel::new(false, true, regex));
    let split = |pattern: &str| -> Result<PreTokenizerWrapper, ModelError> {
        let pattern = SplitPattern::Regex(pattern.to_owned());
        let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false);
        Ok(split.map_err(wrong)?.into())
    };
    let pre = pre(file)?;
    let steps = match pre {
        Pre::Gpt2 => vec![bytes(true)],
        Pre::SmolLm => vec![Digits::new(true).into(), bytes(true)],
        Pre::Qwen2 => vec![split(QWEN2)?, bytes(false)],
        Pre::Llama3 => vec![split(LLAMA3)?, bytes(false)],
    };
    if pre == Pre::Qwen2 {
        tokenizer.with_normalizer(Some(NFC)).map_err(wrong)?;
    }
    tokenizer.with_pre_tokenizer(Some(Sequence::new(steps)));
    tokenizer.with_decoder(Some(ByteLevel::new(false, true, true)));
    Ok(())
}

/// Tokens that are found in a text before it is taken apart.
fn add_special(file: &Gguf, tokens: &[&str], tokenizer: &mut Tokenizer) -> Result<(), ModelError> {
    let wrong = |reason: &str| ModelError::field(file.path(), TYPES, reason);
    let types = match file.value(TYPES) {
        None => return Ok(()),
        Some(Value::Array(types)) if types.len() == tokens.len() => types,
        Some(_) => return Err(wrong("not one number for each token")),
    };
    let mut added = Vec::new();
    for (text, kind) in tokens.iter().zip(types) {
        match whole(kind) {
            Some(CONTROL) => added.push(AddedToken::from(*text, true)),
            Some(USER_DEFINED) => added.push(AddedToken::from(*text, false).normalized(false)),
            Some(_) => {}
            None => return Err(wrong("not one number for each token")),
        }
    }
    let (special, plain): (Vec<_>, Vec<_>) = added.into_iter().partition(|token| token.special);
    let added = tokenizer.add_special_tokens(special);
    added
        .and_then(|_| tokenizer.add_tokens(plain))
        .map_err(|error| wrong(&error.to_string()))?;
    Ok(())
}

fn text<'a>(file: &'a Gguf, key: &str) -> Result<Option<&'a str>, ModelError> {
    match file.value(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(ModelError::field(file.path(), key, "not a text")),
    }
}

fn texts<'a>(file: &'a Gguf, key: &str) -> Result<Vec<&'a str>, ModelError> {
    let wrong = |reason: &str| ModelError::field(file.path(), key, reason);
    let Some(Value::Array(values)) = file.value(key) else {
        return Err(wrong("missing, or not a list"));
    };
    let text = |value: &'a Value| match value {
        Value::String(text) => Ok(text.as_str()),
        _ => Err(wrong("not a list of texts")),
    };
    values.iter().map(text).collect()
}
