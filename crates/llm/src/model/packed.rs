//! Sequences of tokens packed one after another, and the rows whose predictions are wanted.

use std::sync::Arc;

use era_nn::transformer::{Layout, RopeTable, Segment};

use super::config::{Config, ConfigError};

/// Tokens for one pass through a model.
#[derive(Clone, Debug)]
pub struct Packed {
    pub(crate) tokens: Arc<[u32]>,
    pub(crate) layout: Arc<Layout>,
    pub(crate) rows: Arc<[u32]>,
}

impl Packed {
    /// `segments` say which of the `tokens` belong together; what the model predicts after token `rows[i]` is row i of its logits. A token
    /// may be named several times, as the last of a prompt predicts the first of every response to it.
    ///
    /// # Errors
    /// Segments do not cover the tokens, or do not fit together; a token is not of the vocabulary; a row is none of the tokens, or none is wanted.
    pub fn new(
        config: &Config,
        tokens: &[u32],
        segments: Vec<Segment>,
        rows: &[usize],
    ) -> Result<Self, ConfigError> {
        config.check()?;
        if rows.is_empty() {
            return Err(ConfigError("no token's prediction is wanted".to_owned()));
        }
        let before = |segment: &Segment| {
            let prefix = segment.prefix.and_then(|prefix| segments.get(prefix));
            prefix.map_or(0, |prefix| prefix.len)
        };
        let positions = segments.iter().map(|segment| before(segment) + segment.len);
        let positions = positions.max().unwrap_or(0);
        let rope = RopeTable::new(config.rope_base, config.head_width, positions);
        let layout = Layout::new(config.heads, config.kv_heads, Arc::new(rope), segments)
            .map_err(|error| ConfigError(error.to_string()))?;
        if layout.tokens() != tokens.len() {
            return Err(ConfigError(format!(
                "segments of {} tokens where there are {}",
                layout.tokens(),
                tokens.len()
            )));
        }
        let vocabulary = config.vocabulary;
        if let Some(token) = tokens.iter().find(|token| **token as usize >= vocabulary) {
            return Err(ConfigError(format!(
                "token {token} is not in a vocabulary of {vocabulary}"
            )));
        }
        if let Some(row) = rows.iter().find(|row| **row >= tokens.len()) {
            return Err(ConfigError(format!(
                "row {row} is none of {} tokens",
                tokens.len()
            )));
        }
        Ok(Self {
            tokens: tokens.into(),
            layout: Arc::new(layout),
            rows: rows.iter().map(|row| *row as u32).collect(),
        })
    }

    /// Number of tokens.
    pub fn tokens(&self) -> usize {
        self.tokens.len()
    }

    /// Number of rows whose predictions are wanted.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }
}
