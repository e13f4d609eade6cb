//! A tokenizer of single characters for the generated sets in digits.

/// The symbols behind the special ones, in the order of their tokens.
const SYMBOLS: [char; 27] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '+', '-', '*', '/', '=', '(', ')', ' ', '%',
    ':', ',', '.', ';', '?', '#', '>', '\n',
];

/// How many special tokens come first.
const SPECIAL: u32 = 3;

/// Why a text has no tokens, or tokens no text. Reads after "failed to".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// A character is no symbol of the tokenizer.
    #[error("encode character {at}: {symbol:?} is not a symbol of the tokenizer")]
    Symbol {
        /// The character.
        symbol: char,
        /// Which character of the text it is, from 0.
        at: usize,
    },
    /// A number is no token.
    #[error("decode token {at}: {token} is not below {}", Tokenizer::SIZE)]
    Token {
        /// The number.
        token: u32,
        /// Which token of the sequence it is, from 0.
        at: usize,
    },
}

/// 30 tokens: padding, begin, end, digits, operators and the marks that the generated sets use. A symbol is one character. The
/// numbers are part of trained weights and stay as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokenizer;

impl Tokenizer {
    /// How many tokens there are; tokens are below.
    pub const SIZE: u32 = SPECIAL + SYMBOLS.len() as u32;
    /// Fills sequences up to a common length.
    pub const PAD: u32 = 0;
    /// Begins a sequence.
    pub const BOS: u32 = 1;
    /// Ends a sequence.
    pub const EOS: u32 = 2;

    /// The tokens of a text, without special ones.
    ///
    /// # Errors
    ///
    /// A character is no symbol.
    pub fn encode(self, text: &str) -> Result<Vec<u32>, TokenError> {
        let token = |(at, symbol): (usize, char)| {
            let found = (SPECIAL..).zip(SYMBOLS).find(|(_, other)| *other == symbol);
            let found = found.map(|(token, _)| token);
            found.ok_or(TokenError::Symbol { symbol, at })
        };
        text.chars().enumerate().map(token).collect()
    }

    /// The text of tokens up to the first end; beginnings and padding leave nothing.
    ///
    /// # Errors
    ///
    /// A number before the end is no token.
    pub fn decode(self, tokens: &[u32]) -> Result<String, TokenError> {
        let mut text = String::with_capacity(tokens.len());
        for (at, &token) in tokens.iter().enumerate() {
            match token {
                Self::EOS => break,
                Self::PAD | Self::BOS => {}
                _ => {
                    let symbol = SYMBOLS.get((token - SPECIAL) as usize);
                    text.push(*symbol.ok_or(TokenError::Token { token, at })?);
                }
            }
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_symbol_there_and_back() {
        let text: String = SYMBOLS.iter().collect();
        let tokens = Tokenizer.encode(&text).unwrap();
        assert_eq!(tokens, (SPECIAL..Tokenizer::SIZE).collect::<Vec<_>>());
        assert_eq!(Tokenizer.decode(&tokens).unwrap(), text);
        assert_eq!(SYMBOLS.iter().collect::<BTreeSet<_>>().len(), SYMBOLS.len());
        assert_eq!(Tokenizer::SIZE, 30);
        // Trained weights depend on these numbers.
        assert_eq!(Tokenizer.encode("09+= \n"), Ok(vec![3, 12, 13, 17, 20, 29]));
    }

    #[test]
    fn decoding_ends_at_the_end() {
        let tokens = [Tokenizer::BOS, 4, 5, Tokenizer::PAD, Tokenizer::EOS, 999];
        assert_eq!(Tokenizer.decode(&tokens).unwrap(), "12");
    }

    #[test]
    fn the_unknown_is_named_with_its_place() {
        let error = Tokenizer.encode("1+é").unwrap_err();
        assert_eq!(
            error,
            TokenError::Symbol {
                symbol: 'é', at: 2
            }
        );
        assert_eq!(
            error.to_string(),
            "encode character 2: 'é' is not a symbol of the tokenizer"
        );
        let error = Tokenizer.decode(&[3, 30]).unwrap_err();
        assert_eq!(error.to_string(), "decode token 1: 30 is not below 30");
        assert!(Tokenizer.decode(&[u32::MAX]).is_err());
    }
}
