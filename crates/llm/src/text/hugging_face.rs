//! The tokenizer beside a model of Hugging Face: `tokenizer.json` and what the files around it say.

use std::path::Path;

use serde_json::Value;
use tokenizers::Tokenizer;

use super::Text;
use super::chat::Template;
use super::pieces::{Pieces, merges_fit};
use crate::model::{ModelError, read_file};

impl Text {
    /// Opens the `tokenizer.json` of a folder, with the chat template and the tokens that end a text from `tokenizer_config.json`,
    /// `chat_template.jinja` and `generation_config.json` as far as they are there.
    ///
    /// # Errors
    /// A file cannot be read or is damaged, the template is none, or no token is known to end a text.
    pub fn open_hugging_face(folder: &Path) -> Result<Self, ModelError> {
        let path = folder.join("tokenizer.json");
        let tokenizer = tokenizer(&path)?;
        let config_path = folder.join("tokenizer_config.json");
        let config = optional_json(&config_path)?;
        let generation_path = folder.join("generation_config.json");
        let generation = optional_json(&generation_path)?;
        let (begin, end) = (name(&config["bos_token"]), name(&config["eos_token"]));
        let template = template(folder, &config)?
            .map(|source| Template::new(source, begin.clone(), end.clone()))
            .transpose()
            .map_err(|reason| ModelError::field(&config_path, "chat_template", reason))?;
        let wants_begin = config["add_bos_token"].as_bool().unwrap_or(false);
        let begin = tokenizer.token_to_id(&begin).filter(|_| wants_begin);
        let own = tokenizer.token_to_id(&end);
        let ends = own.into_iter().chain(ends(&generation["eos_token_id"]));
        let ends: Vec<u32> = ends.collect();
        Pieces::new(tokenizer, begin, &ends, template)
            .map(|pieces| Self::Pieces(Box::new(pieces)))
            .map_err(|reason| ModelError::field(&path, "tokens", reason))
    }
}

fn tokenizer(path: &Path) -> Result<Tokenizer, ModelError> {
    let bytes = read_file(path)?;
    let damaged = |reason: String| ModelError::damaged(path, reason);
    let json: Value = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    check_merges(&json["model"]).map_err(damaged)?;
    let tokenizer = Tokenizer::from_bytes(&bytes);
    let mut tokenizer = tokenizer.map_err(|error| damaged(error.to_string()))?;
    // A prompt is never cut or filled up without a word.
    tokenizer.with_padding(None);
    let whole = tokenizer.with_truncation(None);
    whole.map_err(|error| damaged(error.to_string()))?;
    Ok(tokenizer)
}

/// Merges are texts with a space, or pairs.
fn check_merges(model: &Value) -> Result<(), String> {
    let (Some(vocabulary), Some(merges)) = (model["vocab"].as_object(), model["merges"].as_array())
    else {
        return Ok(());
    };
    let pair = |merge: &'_ Value| -> Option<(String, String)> {
        match merge {
            Value::String(text) => {
                let (left, right) = text.split_once(' ')?;
                Some((left.to_owned(), right.to_owned()))
            }
            _ => Some((merge[0].as_str()?.to_owned(), merge[1].as_str()?.to_owned())),
        }
    };
    let pairs: Option<Vec<_>> = merges.iter().map(pair).collect();
    let pairs = pairs.ok_or("a merge is not a pair")?;
    // Behind the first, pieces of some kinds carry a prefix that a merge leaves out.
    let prefix = model["continuing_subword_prefix"].as_str().unwrap_or("");
    if !prefix.is_empty() {
        return Err("continuing_subword_prefix is not supported".to_owned());
    }
    let pairs = pairs
        .iter()
        .map(|(left, right)| (left.as_str(), right.as_str()));
    merges_fit(|token| vocabulary.contains_key(token), pairs)
}

/// Null where the file is not there.
fn optional_json(path: &Path) -> Result<Value, ModelError> {
    if !path.exists() {
        return Ok(Value::Null);
    }
    let bytes = read_file(path)?;
    serde_json::from_slice(&bytes).map_err(|error| ModelError::damaged(path, error.to_string()))
}

/// A token is given as its text or as an object around it; empty where it is not given.
fn name(token: &Value) -> String {
    let text = token.as_str().or_else(|| token["content"].as_str());
    text.unwrap_or_default().to_owned()
}

/// One token or several.
fn ends(value: &Value) -> Vec<u32> {
    let one = |value: &Value| value.as_u64().and_then(|token| u32::try_from(token).ok());
    match value {
        Value::Array(all) => all.iter().filter_map(one).collect(),
        _ => one(value).into_iter().collect(),
    }
}

/// In a file of its own, or a field; several are told apart by name.
fn template(folder: &Path, config: &Value) -> Result<Option<String>, ModelError> {
    let path = folder.join("chat_template.jinja");
    if path.exists() {
        let text = String::from_utf8(read_file(&path)?);
        return text
            .map(Some)
            .map_err(|error| ModelError::damaged(&path, error.to_string()));
    }
    let field = &config["chat_template"];
    let named = field.as_array().and_then(|all| {
        let default = all.iter().find(|one| one["name"] == "default");
        default.and_then(|one| one["template"].as_str())
    });
    Ok(field.as_str().or(named).map(str::to_owned))
}
