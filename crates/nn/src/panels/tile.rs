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
    /// [`Begin::Row`] has the values of these panels' columns.
    pub(super) begin: Begin<'a>,
    /// Distance of the rows of the result.
    pub(super) stride: usize,
    /// Columns that are written: all of the first panels and at most 32 of the last.
    pub(super) columns: usize,
}

/// Rows that fit in registers beside `panels` panels. Two panels at once need a third less of reads from memory for each product, and are a
/// third faster.
pub(super) const fn most_rows<A: Vectors>(panels: usize) -> usize {
    if panels == 1 {
        A::ROWS
    } else {
        A::ROWS * 3 / 7
    }
}

impl<const P: usize> Job<'_, P> {
    /// Writes the result, the first row at the start of `out`. Every number is one chain of `a b + c` over the depth, in order, so it
    /// does not depend on how many rows there are.
    #[inline(always)]
    pub(super) fn run<A: Vectors>(self, arch: A, out: &mut [f32]) {
        let blocks = self.rows.div_ceil(most_rows::<A>(P));
        let mut done = 0;
        for block in 0..blocks {
            // As even as can be: a last block of one row would take as long as one of four.
            let rows = (self.rows - done).div_ceil(blocks - block);
            let left = &self.left[done * self.left_stride..];
            let out = &mut out[done * self.stride..];
            self.block(arch, rows, left, out);
            done += rows;
        }
    }

    #[inline(always)]
    fn block<A: Vectors>(self, arch: A, rows: usize, left: &[f32], out: &mut [f32]) {
        macro_rules! dispatch {
            ($($n:literal)*) => {
                match rows {
                    // The comparison is one of constants: kernels that an instruction set has no registers for are not made.
                    $($n if $n <= most_rows::<A>(P) => self.tile::<A, $n>(arch, left, out),)*
                    _ => {}
                }
            };
        }
        dispatch!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
    }

    #[inline(always)]
    fn tile<A: Vectors, const R: usize>(self, arch: A, left: &[f32], out: &mut [f32]) {
        let mut sums = [[[arch.splat(0.0); 2]; P]; R];
        match self.begin {
            Begin::Zero => {}
            Begin::Row(row) => {
                let row = self.load(arch, row);
                for sums in &mut sums {
                    *sums = row;
                }
            }
            Begin::Result => {
                for (row, sums) in sums.iter_mut().enumerate() {
                    *sums = self.load(arch, &out[row * self.stride..]);
                }
            }
        }
        let depth = self.panels[0].len();
        let mut rows: [&[f32]; R] = [&[]; R];
        for (row, values) in rows.iter_mut().enumerate() {
            *values = &left[row * self.left_stride..][..depth];
        }
        let sums = multiply(arch, sums, rows, self.panels);
        for (row, sums) in sums.iter().enumerate() {
            let out = &mut out[row * self.stride..][..self.columns];
            for (panel, sums) in sums.iter().enumerate() {
                let out = &mut out[panel * PANEL..];
                let (first, second) = (arch.store(sums[0]), arch.store(sums[1]));
                if out.len() >= PANEL {
                    out[..LANES].copy_from_slice(&first);
                    out[LANES..PANEL].copy_from_slice(&second);
                } else {
                    for (out, value) in out.iter_mut().zip(first.iter().chain(&second)) {
                        *out = *value;
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn load<A: Vectors>(self, arch: A, from: &[f32]) -> [[A::V; 2]; P] {
        let from = &from[..self.columns];
        let mut sums = [[arch.splat(0.0); 2]; P];
        for (panel, sums) in sums.iter_mut().enumerate() {
            let from = &from[panel * PANEL..];
            let mut values = [[0.0; LANES]; 2];
            if from.len() >= PANEL {
                values[0].copy_from_slice(&from[..LANES]);
                values[1].copy_from_slice(&from[LANES..PANEL]);
            } else {
                for (value, from) in values.as_flattened_mut().iter_mut().zip(from) {
                    *value = *from;
                }
            }
            for (sum, value) in sums.iter_mut().zip(&values) {
                *sum = arch.load(value);
            }
        }
        sums
    }
}

/// Takes and returns the sums, so that they stay in registers. Loops and not `map`s of arrays: the compiler does not inline those, and what
/// is not inlined here is not compiled for the instruction set.
#[inline(always)]
fn multiply<A: Vectors, const R: usize, const P: usize>(
    arch: A,
    mut sums: [[[A::V; 2]; P]; R],
    mut rows: [&[f32]; R],
    mut panels: [&[Columns]; P],
) -> [[[A::V; 2]; P]; R] {
    // One length for all: no index below needs a check.
    let depth = panels[0].len();
    for row in &mut rows {
        *row = &row[..depth];
    }
    for panel in &mut panels {
        *panel = &panel[..depth];
    }
    for k in 0..depth {
        let mut columns = [[arch.splat(0.0); 2]; P];
        for (columns, panel) in columns.iter_mut().zip(&panels) {
            let (halves, _) = panel[k].as_chunks::<LANES>();
            columns[0] = arch.load(&halves[0]);
            columns[1] = arch.load(&halves[1]);
        }
        for (sums, row) in sums.iter_mut().zip(&rows) {
            let value = arch.splat(row[k]);
            for (sums, columns) in sums.iter_mut().zip(&columns) {
                sums[0] = arch.mul_add(value, columns[0], sums[0]);
                sums[1] = arch.mul_add(value, columns[1], sums[1]);
            }
        }
    }
    sums
}
