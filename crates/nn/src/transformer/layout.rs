//! Which tokens of a packed batch attend to which.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::rows::RopeTable;

/// A run of consecutive tokens: a prompt, a response, or both together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its first token.
    pub start: usize,
    /// Number of tokens.
    pub len: usize,
    /// An earlier segment, itself without a prefix, that all its tokens attend to as well, and behind which its positions go on.
    pub prefix: Option<usize>,
}

/// Why segments or heads do not fit together. Reads after "failed to".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayoutError(String);

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lay out the tokens: {}", self.0)
    }
}

impl std::error::Error for LayoutError {}

/// Heads, positions and segments of causal attention over packed tokens.
#[derive(Clone, Debug)]
pub struct Layout {
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_width: usize,
    pub(crate) rope: Arc<RopeTable>,
    pub(crate) segments: Vec<Segment>,
    /// Of each token.
    pub(crate) positions: Vec<usize>,
}

impl Layout {
    /// `heads` queries share `kv_heads` keys and values. Heads are as wide as the table's.
    ///
    /// # Errors
    /// Heads cannot be shared evenly; segments have gaps or overlap; a prefix is not an earlier segment without one; the table has too few
    /// positions.
    pub fn new(
        heads: usize,
        kv_heads: usize,
        rope: Arc<RopeTable>,
        segments: Vec<Segment>,
    ) -> Result<Self, LayoutError> {
        if kv_heads == 0 || !heads.is_multiple_of(kv_heads) {
            let message = format!("{heads} heads cannot share {kv_heads} keys and values evenly");
            return Err(LayoutError(message));
        }
        let mut positions = Vec::new();
        for (index, segment) in segments.iter().enumerate() {
            if segment.start != positions.len() {
                return Err(LayoutError(format!(
                    "segment {index} starts at token {} instead of {}",
                    segment.start,
                    positions.len()
                )));
            }
            let first = match segment.prefix.map(|prefix| segments[..index].get(prefix)) {
                None => 0,
                Some(Some(prefix)) if prefix.prefix.is_none() => prefix.len,
                Some(_) => {
                    return Err(LayoutError(format!(
                        "the prefix of segment {index} is not an earlier one without a prefix"
                    )));
                }
            };
            let end = first + segment.len;
            if end > rope.positions() {
                return Err(LayoutError(format!(
                    "segment {index} reaches position {end} of {}",
                    rope.positions()
                )));
            }
            positions.extend(first..end);
        }
        Ok(Self {
            heads,
            kv_heads,
            head_width: rope.head_width(),
            rope,
            segments,
            positions,
        })
    }

    /// Number of tokens, N.
    pub fn tokens(&self) -> usize {
        self.positions.len()
    }

    /// The position of each token.
    pub fn positions(&self) -> &[usize] {
        &self.positions
    }

    /// Whether a token attends to another.
    pub(crate) fn attends(&self) -> impl Fn(usize, usize) -> bool {
        let mut of = Vec::with_capacity(self.tokens());
        for (index, segment) in self.segments.iter().enumerate() {
            of.extend(std::iter::repeat_n(
                (index, segment.prefix.unwrap_or(index)),
                segment.len,
            ));
        }
        move |from, to| {
            let ((own, prefix), (other, _)) = (of[from], of[to]);
            (own == other && to <= from) || (prefix != own && prefix == other)
        }
    }

    /// The tokens in runs of whole segments that no attention crosses; as many in a run as fit in [`SPAN`] tokens, at least those that
    /// belong together.
    pub(crate) fn spans(&self) -> Vec<Range<usize>> {
        let mut spans: Vec<Range<usize>> = Vec::new();
        // The tokens that belong together, from the last ones: none before them is attended to from among them or from behind.
        let (mut end, mut earliest) = (self.tokens(), usize::MAX);
        for (index, segment) in self.segments.iter().enumerate().rev() {
            earliest = earliest.min(segment.prefix.unwrap_or(index));
            if earliest < index {
                continue;
            }
            match spans.last_mut() {
                Some(span) if span.end - segment.start <= SPAN => span.start = segment.start,
                _ if segment.start < end => spans.push(segment.start..end),
                _ => {}
            }
            end = segment.start;
        }
        spans.reverse();
        spans
    }

    /// Query heads that share a key and value head.
    pub(crate) fn sharing(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// Width of queries, keys and values beside each other.
    pub(crate) fn qkv_width(&self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.head_width
    }

    /// Width of all heads' results.
    pub(crate) fn width(&self) -> usize {
        self.heads * self.head_width
    }

    /// The work of attention in parts that fit in a cache.
    pub(crate) fn blocks(&self) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        for segment in &self.segments {
            let prefix = segment
                .prefix
                .map(|prefix| (self.segments[prefix].start, self.segments[prefix].len))
                .filter(|(_, len)| *len > 0);
            let end = segment.start + segment.len;
            for start in (segment.start..end).step_by(PIECE) {
                let piece = Piece {
                    start,
                    len: PIECE.min(end - start),
                    keys: segment.start,
                };
                match blocks.last_mut() {
                    Some(block)
                        if prefix.is_some()
                            && block.prefix == prefix
                            && block.end() == start
                            && block.len + piece.len <= BLOCK =>
                    {
                        block.len += piece.len;
                        block.pieces.push(piece);
                    }
                    _ => blocks.push(Block {
                        start,
                        len: piece.len,
                        prefix,
                        pieces: vec![piece],
                    }),
                }
            }
        }
        blocks
    }
}

/// Tokens of a span at most, where they do not belong together: its scores are as many as its tokens squared, but a few short ones leave a
/// graphics card idle.
const SPAN: usize = 512;
/// Tokens of a piece at most.
const PIECE: usize = 128;
/// Tokens of a block at most.
const BLOCK: usize = 256;

/// Consecutive tokens with one prefix, whose products with it are one product.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) start: usize,
    pub(crate) len: usize,
    /// Start and length.
    pub(crate) prefix: Option<(usize, usize)>,
    pub(crate) pieces: Vec<Piece>,
}

impl Block {
    fn end(&self) -> usize {
        self.start + self.len
    }

    /// Number of keys of the prefix.
    pub(crate) fn shared(&self) -> usize {
        self.prefix.map_or(0, |(_, len)| len)
    }

    /// The most keys that a token meets.
    pub(crate) fn keys(&self) -> usize {
        let own = self.pieces.iter().map(Piece::key_count).max();
        self.shared() + own.unwrap_or(0)
    }
}

/// Consecutive tokens of one segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    pub(crate) start: usize,
    pub(crate) len: usize,
    /// Where the segment starts.
    pub(crate) keys: usize,
}

impl Piece {
    /// Keys of the segment up to the piece's last token.
    pub(crate) fn key_count(&self) -> usize {
        self.start + self.len - self.keys
    }
}

/// Which token was taken in each row, and with which factor on the logits.
#[derive(Clone, Debug)]
pub struct Targets {
    /// Of each row.
    pub taken: Arc<[u32]>,
    /// Of each row; positive and finite.
    pub factors: Arc<[f32]>,
    /// Only this many largest logits take part in the log-probability; none for all of them.
    pub top: Option<usize>,
}
