//! Tokenizers of trained models: pieces of text, mostly several characters each.

use std::fmt;

use super::TextError;
use super::chat::Template;

/// The tokenizer of a trained model.
#[derive(Clone)]
pub struct Pieces {
    tokenizer: tokenizers::Tokenizer,
    /// Comes before a text where there is no template.
    begin: Option<u32>,
    end: u32,
    stop: Vec<u32>,
    template: Option<Template>,
    /// Which bytes have a token, where a text is taken apart into bytes; without one, they would be left out silently.
    bytes: Option<[bool; 256]>,
    vocabulary: usize,
}

impl fmt::Debug for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pieces")
            .field("vocabulary", &self.vocabulary)
            .field("begin", &self.begin)
            .field("stop", &self.stop)
            .finish_non_exhaustive()
    }
}

/// Names that chat models end a turn or a text with.
const ENDS: [&str; 3] = ["<|im_end|>", "<|endoftext|>", "<|eot_id|>"];

impl Pieces {
    /// `ends` are the ends that the model's files name, the first of them its own.
    pub(super) fn new(
        tokenizer: tokenizers::Tokenizer,
        begin: Option<u32>,
        ends: &[u32],
        template: Option<Template>,
    ) -> Result<Self, String> {
        let largest = tokenizer.get_vocab(true).into_values().max();
        let vocabulary = largest.map_or(0, |token| token as usize + 1);
        let named = ENDS.iter().filter_map(|name| tokenizer.token_to_id(name));
        let mut stop: Vec<u32> = ends.iter().copied().chain(named).collect();
        let end = *stop.first().ok_or("no token ends a text")?;
        stop.sort_unstable();
        stop.dedup();
        let mut known = stop.iter().chain(&begin);
        if let Some(token) = known.find(|token| **token as usize >= vocabulary) {
            return Err(format!("special token {token} is not below {vocabulary}"));
        }
        let bytes = spelled(&tokenizer);
        Ok(Self {
            tokenizer,
            begin,
            end,
            stop,
            template,
            bytes,
            vocabulary,
        })
    }

    pub(super) fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    pub(super) fn end(&self) -> u32 {
        self.end
    }

    pub(super) fn stop(&self) -> &[u32] {
        &self.stop
    }

    pub(super) fn token(&self, piece: &str) -> Option<u32> {
        match self.encode(piece).as_deref() {
            Ok([token]) => Some(*token),
            _ => None,
        }
    }

    pub(super) fn encode(&self, text: &str) -> Result<Vec<u32>, TextError> {
        if let Some(bytes) = &self.bytes {
            let lacking = |byte: &u8| !bytes[usize::from(*byte)];
            if let Some(at) = text.as_bytes().iter().position(lacking) {
                let byte = text.as_bytes()[at];
                return Err(TextError::Encode(format!(
                    "no token for byte {at}, {byte:#04x}"
                )));
            }
        }
        let encoding = self.tokenizer.encode_fast(text, false);
        let encoding = encoding.map_err(|error| TextError::Encode(error.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    pub(super) fn decode(&self, tokens: &[u32]) -> Result<String, TextError> {
        let length = tokens.iter().position(|token| self.stop.contains(token));
        let tokens = &tokens[..length.unwrap_or(tokens.len())];
        for (at, token) in tokens.iter().enumerate() {
            if self.tokenizer.id_to_token(*token).is_none() {
                return Err(TextError::Decode(format!("token {at}, {token}, is none")));
            }
        }
        let text = self.tokenizer.decode(tokens, true);
        text.map_err(|error| TextError::Decode(error.to_string()))
    }

    /// The chat template filled in with one message of the user; the message itself where there is none.
    pub(super) fn chat(&self, user: &str) -> Result<String, TextError> {
        match &self.template {
            Some(template) => template.render(user),
            None => Ok(user.to_owned()),
        }
    }

    pub(super) fn prompt(&self, user: &str) -> Result<Vec<u32>, TextError> {
        let text = self.encode(&self.chat(user)?)?;
        // A template writes it itself.
        let begin = self.begin.filter(|_| self.template.is_none());
        Ok(begin.into_iter().chain(text).collect())
    }
}

/// Which bytes have a token; `None` if the tokenizer does not go by bytes.
fn spelled(tokenizer: &tokenizers::Tokenizer) -> Option<[bool; 256]> {
    use tokenizers::DecoderWrapper;
    if !matches!(tokenizer.get_decoder(), Some(DecoderWrapper::ByteLevel(_))) {
        return None;
    }
    let mut bytes = [false; 256];
    let vocabulary = tokenizer.get_vocab(false);
    for (byte, symbol) in symbols() {
        bytes[usize::from(byte)] = vocabulary.contains_key(symbol.encode_utf8(&mut [0; 4]));
    }
    Some(bytes)
}

/// GPT-2's printable symbols for bytes: a byte that Latin-1 prints stands for itself, the others follow from U+0100.
pub(super) fn symbols() -> impl Iterator<Item = (u8, char)> {
    let mut next = 0x100;
    (0..=u8::MAX).map(move |byte| match byte {
        b'!'..=b'~' | 0xa1..=0xac | 0xae.. => (byte, char::from(byte)),
        _ => {
            next += 1;
            (byte, char::from_u32(next - 1).unwrap_or_default())
        }
    })
}

/// Checks that both parts of every merge and what they make are tokens; the library counts on it.
pub(super) fn merges_fit<'a>(
    has: impl Fn(&str) -> bool,
    merges: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<(), String> {
    for (left, right) in merges {
        if !(has(left) && has(right) && has(&format!("{left}{right}"))) {
            return Err(format!("merge {left:?} {right:?} is not among the tokens"));
        }
    }
    Ok(())
}
