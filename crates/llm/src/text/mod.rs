//! Texts and their tokens: what stands between problems, which are texts, and the policy, which reads and writes tokens.

mod chat;
mod gguf;
mod hugging_face;
mod pieces;

use era_problems::{TokenError, Tokenizer};

pub use pieces::Pieces;

/// Why a text has no tokens, or tokens no text. Reads after "failed to".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// Of the tokenizer of single characters.
    #[error(transparent)]
    Symbol(#[from] TokenError),
    /// A text has no tokens.
    #[error("encode a text: {0}")]
    Encode(String),
    /// Tokens have no text.
    #[error("decode tokens: {0}")]
    Decode(String),
    /// The chat template of a model does not work.
    #[error("render the chat template: {0}")]
    Chat(String),
}

/// A tokenizer, and how a model wants to be asked.
#[derive(Clone, Debug)]
pub enum Text {
    /// The 30 symbols of the generated problems in digits.
    Digits,
    /// That of a trained model: [`Text::open_hugging_face`], [`Text::of_gguf`].
    Pieces(Box<Pieces>),
}

impl Text {
    /// How many tokens there are; tokens are below. A model may have some more rows than that.
    pub fn vocabulary(&self) -> usize {
        match self {
            Self::Digits => Tokenizer::SIZE as usize,
            Self::Pieces(pieces) => pieces.vocabulary(),
        }
    }

    /// The token that ends what the model writes.
    pub fn end(&self) -> u32 {
        match self {
            Self::Digits => Tokenizer::EOS,
            Self::Pieces(pieces) => pieces.end(),
        }
    }

    /// All tokens after which a model has finished, in order; [`Self::end`] is among them.
    pub fn stop(&self) -> &[u32] {
        match self {
            Self::Digits => &[Tokenizer::EOS],
            Self::Pieces(pieces) => pieces.stop(),
        }
    }

    /// The token of a piece of text, special or not; `None` if no token is just that.
    pub fn token(&self, piece: &str) -> Option<u32> {
        match self {
            Self::Digits => match Tokenizer.encode(piece).as_deref() {
                Ok([token]) => Some(*token),
                _ => None,
            },
            Self::Pieces(pieces) => pieces.token(piece),
        }
    }

    /// The tokens of a text, without any before or after it. Names of special tokens in the text become those tokens.
    ///
    /// # Errors
    /// There is no token for some character.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TextError> {
        match self {
            Self::Digits => Ok(Tokenizer.encode(text)?),
            Self::Pieces(pieces) => pieces.encode(text),
        }
    }

    /// The text of tokens up to the first of [`Self::stop`]; other special tokens leave nothing. Bytes that are no UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// A number is no token.
    pub fn decode(&self, tokens: &[u32]) -> Result<String, TextError> {
        match self {
            Self::Digits => Ok(Tokenizer.decode(tokens)?),
            Self::Pieces(pieces) => pieces.decode(tokens),
        }
    }

    /// What the model is given so that it answers `user`: the chat template filled in with this one message and the opening of the answer;
    /// without a template, the beginning token, where the model wants one, and the text.
    ///
    /// # Errors
    /// The template does not work, or there is no token for some character.
    pub fn prompt(&self, user: &str) -> Result<Vec<u32>, TextError> {
        match self {
            Self::Digits => {
                let mut tokens = vec![Tokenizer::BOS];
                tokens.extend(Tokenizer.encode(user)?);
                Ok(tokens)
            }
            Self::Pieces(pieces) => pieces.prompt(user),
        }
    }
}

#[cfg(test)]
mod tests;
