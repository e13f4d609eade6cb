//! Attention of a few queries over keys and values in pages.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::pool::{Cell, Pool};
use super::tile::{Begin, Job};
use super::{PANEL, with_lanes};
use crate::conv::lanes::{Arrays, Registers, Vectors};
use crate::simd::{LANES, exp, run, total};

/// How much a row of queries sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttendRow {
    /// Positions of the shared sequence, from its start.
    pub shared: usize,
    /// Positions of the row's own sequence, from its start.
    pub own: usize,
    /// Where its own pages begin in [`Attend::own`].
    pub first_page: usize,
}

/// Softmax attention of one head of keys and values. All rows see (part of) one sequence, whose products are shared, and then each its own.
/// What a row gets does not depend on the other rows.
#[derive(Debug)]
pub struct Attend<'a> {
    /// Keys and values.
    pub pool: &'a Pool,
    /// The head.
    pub cell: Cell,
    /// Pages of the sequence that all rows see.
    pub shared: &'a [u32],
    /// Pages of the rows' own sequences, one after another.
    pub own: &'a [u32],
    /// What each row sees; at least one position.
    pub rows: &'a [AttendRow],
    /// `[rows, queries per row, width]`, with the softmax's scale in it.
    pub queries: &'a [f32],
    /// As `queries`; written.
    pub out: &'a mut [f32],
    /// Memory for scores; it grows as it must.
    pub scratch: &'a mut Vec<f32>,
}

impl Attend<'_> {
    /// Computes `out`.
    ///
    /// # Panics
    /// Lengths do not fit, or a page is missing.
    pub fn compute(self) {
        let size = self.rows.len() * self.pool.shape().width;
        assert!(
            self.out.len() == self.queries.len()
                && (size == 0 || self.queries.len().is_multiple_of(size)),
            "queries of every row"
        );
        if size > 0 {
            run(self);
        }
    }

    #[inline(always)]
    fn run<A: Vectors>(self, arch: A) {
        let width = self.pool.shape().width;
        let count = self.queries.len() / width;
        let per = count / self.rows.len();
        let split = self.shared.len() * PANEL;
        let longest = self.rows.iter().map(|row| row.own).max().unwrap_or(0);
        let stride = split + longest.next_multiple_of(PANEL);
        if self.scratch.len() < count * stride {
            self.scratch.resize(count * stride, 0.0);
        }
        let scores = &mut self.scratch[..count * stride];
        for step in [Step::Scores, Step::Mix] {
            if step == Step::Mix {
                for (row, scores) in self.rows.iter().zip(scores.chunks_exact_mut(per * stride)) {
                    for scores in scores.chunks_exact_mut(stride) {
                        softmax(scores, row.shared..split, split + row.own..stride);
                    }
                }
            }
            // First what is shared, then row by row. Both steps are one loop, so that the kernels stand in it once.
            for span in 0..=self.rows.len() {
                let span = Span::new(span, per, self.rows, self.shared, self.own);
                for (at, &page) in span.pages.iter().enumerate() {
                    let seen = span.seen - at * PANEL;
                    let score = span.query * stride + span.offset + at * PANEL;
                    let panels = match step {
                        Step::Scores => 1,
                        Step::Mix => width.div_ceil(PANEL),
                    };
                    for panel in 0..panels {
                        let column = panel * PANEL;
                        let (job, out) = match step {
                            Step::Scores => {
                                let job = Job {
                                    left: &self.queries[span.query * width..],
                                    left_stride: width,
                                    rows: span.queries,
                                    panels: [self.pool.keys(page, self.cell)],
                                    begin: Begin::Zero,
                                    stride,
                                    few: span.own,
                                    next: &[],
                                    columns: PANEL,
                                };
                                (job, &mut scores[score..])
                            }
                            Step::Mix => {
                                let positions = seen.min(PANEL);
                                let first = at == 0 && (split == 0 || span.offset == 0);
                                let job = Job {
                                    left: &scores[score..],
                                    left_stride: stride,
                                    rows: span.queries,
                                    panels: [self.pool.values(page, self.cell, panel, positions)],
                                    begin: if first { Begin::Zero } else { Begin::Result },
                                    stride: width,
                                    few: span.own,
                                    next: &[],
                                    columns: PANEL.min(width - column),
                                };
                                (job, &mut self.out[span.query * width + column..])
                            }
                        };
                        job.run(arch, out);
                    }
                }
            }
        }
    }
}
with_lanes!(Attend);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Queries times keys.
    Scores,
    /// Probabilities times values.
    Mix,
}

/// Queries that see the same pages.
struct Span<'a> {
    query: usize,
    queries: usize,
    /// Those of which something is seen.
    pages: &'a [u32],
    /// Where their scores begin in a row of scores.
    offset: usize,
    seen: usize,
    /// Whether they are one row's, whose queries are always as many.
    own: bool,
}

impl<'a> Span<'a> {
    /// Number 0 is what all rows share, number `i + 1` what row `i` has of its own.
    #[inline(always)]
    fn new(
        number: usize,
        per: usize,
        rows: &[AttendRow],
        shared: &'a [u32],
        own: &'a [u32],
    ) -> Self {
        if let Some(at) = number.checked_sub(1) {
            let row = &rows[at];
            Self {
                query: at * per,
                queries: per,
                pages: &own[row.first_page..][..row.own.div_ceil(PANEL)],
                offset: shared.len() * PANEL,
                seen: row.own,
                own: true,
            }
        } else {
            let seen = rows.iter().map(|row| row.shared).max().unwrap_or(0);
            Self {
                query: 0,
                queries: rows.len() * per,
                pages: &shared[..seen.div_ceil(PANEL)],
                offset: 0,
                seen,
                own: false,
            }
        }
    }
}

/// Probabilities of a row of scores, in place; those in the two ranges are 0. Whole chunks of lanes, so that there is no rest to be done one
/// by one.
#[inline(always)]
fn softmax(scores: &mut [f32], hidden: Range<usize>, hidden_too: Range<usize>) {
    scores[hidden].fill(f32::NEG_INFINITY);
    scores[hidden_too].fill(f32::NEG_INFINITY);
    let (chunks, _) = scores.as_chunks_mut::<LANES>();
    let mut largest = [f32::NEG_INFINITY; LANES];
    for chunk in &*chunks {
        for (largest, score) in largest.iter_mut().zip(chunk) {
            *largest = if *score > *largest { *score } else { *largest };
        }
    }
    let largest = largest.into_iter().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = [0.0; LANES];
    for chunk in &mut *chunks {
        for (sum, score) in sum.iter_mut().zip(chunk) {
            *score = exp(*score - largest);
            *sum += *score;
        }
    }
    let share = 1.0 / total(sum);
    for chunk in chunks {
        for score in chunk {
            *score *= share;
        }
    }
}
