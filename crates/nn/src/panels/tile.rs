//! Up to fourteen rows times one panel of 32 columns, in registers.

use super::PANEL;
use crate::conv::lanes::{LANES, Vectors};

/// 32 columns of one row of a matrix.
pub(super) type Columns = [f32; PANEL];

/// What a product is added to.
#[derive(Clone, Copy, Debug)]
pub enum Begin<'a> {
    /// Nothing.
    Zero,
    /// The same for every row: a bias.
    Row(&'a [f32]),
    /// What the result holds already.
    Result,
}

/// One or two panels' part of a product: `rows` rows of `left` times the panels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job<'a, const P: usize> {
    /// Rows begin `left_stride` apart and have as many values as a panel has rows, at least.
    pub(super) left: &'a [f32],
    pub(super) left_stride: usize,
    pub(super) rows: usize,
    pub(super) panels: [&'a [Columns]; P],
    /// What will be read next, and is brought near meanwhile.
    pub(super) next: &'a [Columns],
    /// [`Begin::Row`] has the values of these panels' columns.
    pub(super) begin: Begin<'a>,
    /// Distance of the rows of the result.
    pub(super) stride: usize,
    /// Whether few rows are summed in several chains, because one would wait for itself. The order of a sum then depends on `rows`.
    pub(super) few: bool,
    /// Columns that are written: all of the first panels and at most 32 of the last.
    pub(super) columns: usize,
}

/// Rows that fit in registers beside `panels` panels. Two panels at once read a third less for each product.
pub(super) const fn most_rows<A: Vectors>(panels: usize) -> usize {
    if panels == 1 {
        A::ROWS
    } else {
        A::ROWS * 3 / 7
    }
}

impl<const P: usize> Job<'_, P> {
    /// Writes the result, the first row at the start of `out`. Unless `few`, every number is one chain of `a b + c` over the depth, in
    /// order, so it does not depend on how many rows there are.
    #[inline(always)]
    pub(super) fn run<A: Vectors>(self, arch: A, out: &mut [f32]) {
        let blocks = self.rows.div_ceil(most_rows::<A>(P));
        let mut done = 0;
        for block in 0..blocks {
            // As even as can be: a last block of one row would take as long as one of four.
            let rows = (self.rows - done).div_ceil(blocks - block);
            let left = &self.left[done * self.left_stride..];
            let out = &mut out[done * self.stride..];
            // One line of the cache at every step of the depth.
            let ahead = block * self.panels[0].len() * LANES;
            let ahead = self.next.as_flattened().get(ahead..).unwrap_or(&[]);
            self.block(arch, rows, left, ahead, out);
            done += rows;
        }
    }

    #[inline(always)]
    fn block<A: Vectors>(self, arch: A, rows: usize, left: &[f32], ahead: &[f32], out: &mut [f32]) {
        macro_rules! dispatch {
            ($($n:literal)*) => {
                match rows {
                    1 if self.few && P == 1 => self.tile::<A, 1, 4>(arch, left, ahead, out),
                    2 if self.few && P == 1 => self.tile::<A, 2, 2>(arch, left, ahead, out),
                    3 if self.few && P == 1 && A::ROWS > 2 => self.tile::<A, 3, 2>(arch, left, ahead, out),
                    // The comparison is one of constants: kernels that an instruction set has no registers for are not made.
                    $($n if $n <= most_rows::<A>(P) => self.tile::<A, $n, 1>(arch, left, ahead, out),)*
                    _ => {}
                }
            };
        }
        dispatch!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
    }

    /// `R` rows, `S` chains.
    #[inline(always)]
    fn tile<A: Vectors, const R: usize, const S: usize>(
        self,
        arch: A,
        left: &[f32],
        ahead: &[f32],
        out: &mut [f32],
    ) {
        let depth = self.panels[0].len();
        let mut rows: [&[f32]; R] = [&[]; R];
        for (row, values) in rows.iter_mut().enumerate() {
            *values = &left[row * self.left_stride..][..depth];
        }
        let sums = multiply::<A, R, P, S>(arch, rows, self.panels, ahead);
        for (row, sums) in sums.iter().enumerate() {
            let out = &mut out[row * self.stride..][..self.columns];
            for (panel, sums) in sums.iter().enumerate() {
                for (half, sum) in sums.iter().enumerate() {
                    let start = panel * PANEL + half * LANES;
                    let begin = match self.begin {
                        Begin::Row(row) => row.get(start..),
                        _ => None,
                    };
                    let add = matches!(self.begin, Begin::Result);
                    if let Some(out) = out.get_mut(start..) {
                        finish(arch, *sum, add, begin, out);
                    }
                }
            }
        }
    }
}

/// Writes up to sixteen sums to `out`, added to what is there, or to `begin`.
#[inline(always)]
fn finish<A: Vectors>(arch: A, sum: A::V, add: bool, begin: Option<&[f32]>, out: &mut [f32]) {
    if let Some(out) = out.first_chunk_mut::<LANES>() {
        let mut sum = sum;
        if add {
            sum = arch.add(arch.load(out), sum);
        } else if let Some(begin) = begin.and_then(<[f32]>::first_chunk) {
            sum = arch.add(arch.load(begin), sum);
        }
        arch.store_to(sum, out);
    } else {
        let sums = arch.store(sum);
        for (at, (out, sum)) in out.iter_mut().zip(&sums).enumerate() {
            if add {
                *out += sum;
            } else {
                *out = begin.map_or(0.0, |begin| begin[at]) + sum;
            }
        }
    }
}

/// The products of `R` rows with the panels, as a value, so that the sums stay in registers. Loops and not `map`s of arrays: the compiler
/// does not inline those, and what is not inlined here is not compiled for the instruction set.
#[inline(always)]
fn multiply<A: Vectors, const R: usize, const P: usize, const S: usize>(
    arch: A,
    mut rows: [&[f32]; R],
    mut panels: [&[Columns]; P],
    ahead: &[f32],
) -> [[[A::V; 2]; P]; R] {
    // One length for all: no index below needs a check.
    let depth = panels[0].len();
    for row in &mut rows {
        *row = &row[..depth];
    }
    for panel in &mut panels {
        *panel = &panel[..depth];
    }
    let mut sums = [[[[arch.splat(0.0); 2]; P]; R]; S];
    let whole = depth - depth % S;
    for k in (0..whole).step_by(S) {
        if let Some(line) = ahead.get(k * LANES) {
            prefetch(line);
        }
        for (s, sums) in sums.iter_mut().enumerate() {
            *sums = step(arch, *sums, &rows, &panels, k + s);
        }
    }
    for k in whole..depth {
        sums[0] = step(arch, sums[0], &rows, &panels, k);
    }
    let mut total = sums[0];
    for sums in &sums[1..] {
        for r in 0..R {
            for p in 0..P {
                for half in 0..2 {
                    total[r][p][half] = arch.add(total[r][p][half], sums[r][p][half]);
                }
            }
        }
    }
    total
}

/// Adds the products of one row of the panels.
#[inline(always)]
fn step<A: Vectors, const R: usize, const P: usize>(
    arch: A,
    mut sums: [[[A::V; 2]; P]; R],
    rows: &[&[f32]; R],
    panels: &[&[Columns]; P],
    k: usize,
) -> [[[A::V; 2]; P]; R] {
    let mut columns = [[arch.splat(0.0); 2]; P];
    for (columns, panel) in columns.iter_mut().zip(panels) {
        let (halves, _) = panel[k].as_chunks::<LANES>();
        columns[0] = arch.load(&halves[0]);
        columns[1] = arch.load(&halves[1]);
    }
    for (sums, row) in sums.iter_mut().zip(rows) {
        let value = arch.splat(row[k]);
        for (sums, columns) in sums.iter_mut().zip(&columns) {
            sums[0] = arch.mul_add(value, columns[0], sums[0]);
            sums[1] = arch.mul_add(value, columns[1], sums[1]);
        }
    }
    sums
}

/// Brings what lies there near, if it can.
#[inline(always)]
fn prefetch(line: &f32) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: a hint, which reads nothing, of an address that is valid.
        #[expect(unsafe_code, reason = "there is no safe form of this hint")]
        unsafe {
            _mm_prefetch::<_MM_HINT_T1>(std::ptr::from_ref(line).cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}
