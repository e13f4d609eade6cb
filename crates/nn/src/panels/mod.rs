//! Products with matrices that are laid out for it once and then used many times, without burn.
//!
//! A library's product lays its right operand out anew on every call. With few rows on the left (a batch of sequences that grow by one token
//! each) that costs as much as the product itself. Here the matrix is kept as [`Panels`], 32 columns after 32 columns, and
//! [`Panels::product`] reads it in order. Keys and values of earlier positions are the same kind of matrix: [`Pool`] keeps them in pages of
//! 32 positions, and [`Attend`] is attention over them.
//!
//! A row's result does not depend on which other rows are computed with it, to the last bit: sums are taken in an order that the shape of the
//! matrix alone decides.

mod attend;
mod pool;
mod tile;

pub use attend::{Attend, AttendRow};
pub use pool::{Cell, Pool, PoolShape};
pub use tile::Begin;

use pulp::{Simd, WithSimd};

use crate::conv::lanes::{Arrays, Registers, Vectors};
use crate::simd::run;
use tile::{Columns, Job, most_rows};

/// Columns of a panel, and positions of a page of a cache: two AVX-512 registers.
pub const PANEL: usize = 32;

/// Rows of two panels that stay in the first level of cache while all rows of the left operand are multiplied by them.
const DEPTH: usize = 128;

/// A matrix as the right operand of products.
#[derive(Clone, Debug, Default)]
pub struct Panels {
    depth: usize,
    columns: usize,
    /// `[panels, depth]`, with zeros beyond the last column.
    values: Vec<Columns>,
}

impl Panels {
    /// Takes over a matrix of `[depth, columns]`, row by row. Memory is kept from before.
    ///
    /// # Panics
    /// `values` has another length.
    pub fn set(&mut self, values: &[f32], [depth, columns]: [usize; 2]) {
        self.resize(values, depth, columns);
        for (panel, out) in self.values.chunks_exact_mut(depth.max(1)).enumerate() {
            let start = panel * PANEL;
            let width = PANEL.min(columns - start);
            for (row, out) in values.chunks_exact(columns).zip(out) {
                out[..width].copy_from_slice(&row[start..start + width]);
                out[width..].fill(0.0);
            }
        }
    }

    /// Takes over the transpose of a matrix of `[columns, depth]`, row by row.
    ///
    /// # Panics
    /// `values` has another length.
    pub fn set_transposed(&mut self, values: &[f32], [columns, depth]: [usize; 2]) {
        self.resize(values, depth, columns);
        let panels = self.values.chunks_exact_mut(depth.max(1));
        for (rows, out) in values.chunks(PANEL * depth.max(1)).zip(panels) {
            for (k, out) in out.iter_mut().enumerate() {
                out.fill(0.0);
                for (out, row) in out.iter_mut().zip(rows.chunks_exact(depth)) {
                    *out = row[k];
                }
            }
        }
    }

    fn resize(&mut self, values: &[f32], depth: usize, columns: usize) {
        assert_eq!(values.len(), depth * columns, "a matrix must be whole");
        (self.depth, self.columns) = (depth, columns);
        let size = columns.div_ceil(PANEL) * depth;
        self.values.resize(size, [0.0; PANEL]);
    }

    /// Rows of the matrix.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Columns of the matrix.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// `out` (`[rows, columns]`) = `begin` + `left` (`[rows, depth]`) times the matrix. The rows' distance in memory is `depth`; one that is a
    /// multiple of 1,024 is slower, since the rows then share few sets of the cache.
    ///
    /// # Panics
    /// A slice has another length, or [`Begin::Row`] has not one value for each column.
    pub fn product(&self, left: &[f32], begin: Begin, out: &mut [f32]) {
        let rows = out.len() / self.columns.max(1);
        assert!(
            out.len() == rows * self.columns && left.len() == rows * self.depth,
            "operands must be whole"
        );
        if let Begin::Row(row) = begin {
            assert_eq!(row.len(), self.columns, "a bias for every column");
        }
        run(Product {
            matrix: self,
            left,
            rows,
            begin,
            out,
        });
    }
}

struct Product<'a> {
    matrix: &'a Panels,
    left: &'a [f32],
    rows: usize,
    begin: Begin<'a>,
    out: &'a mut [f32],
}

impl Product<'_> {
    #[inline(always)]
    fn run<A: Vectors>(mut self, arch: A) {
        let Panels {
            depth,
            columns,
            ref values,
        } = *self.matrix;
        if depth == 0 || self.rows == 0 {
            return;
        }
        let pairs = if most_rows::<A>(2) > 0 {
            columns / (2 * PANEL)
        } else {
            0
        };
        let (paired, single) = values.split_at(pairs * 2 * depth);
        for (pair, part) in paired.chunks_exact(2 * depth).enumerate() {
            let (first, second) = part.split_at(depth);
            let next = &values[(pair + 1) * 2 * depth..];
            let next = &next[..next.len().min(2 * depth)];
            self.part(arch, pair * 2 * PANEL, [first, second], next);
        }
        for (panel, values) in single.chunks_exact(depth).enumerate() {
            self.part(arch, (2 * pairs + panel) * PANEL, [values], &[]);
        }
    }

    #[inline(always)]
    fn part<A: Vectors, const P: usize>(
        &mut self,
        arch: A,
        start: usize,
        panels: [&[Columns]; P],
        next: &[Columns],
    ) {
        let Panels { depth, columns, .. } = *self.matrix;
        let width = (P * PANEL).min(columns - start);
        for from in (0..depth).step_by(DEPTH) {
            let to = depth.min(from + DEPTH);
            let mut near = panels;
            for panel in &mut near {
                *panel = &panel[from..to];
            }
            let job = Job {
                left: &self.left[from..],
                left_stride: depth,
                rows: self.rows,
                panels: near,
                next: next.get(P * from..P * to).unwrap_or(&[]),
                begin: match self.begin {
                    _ if from > 0 => Begin::Result,
                    Begin::Row(row) => Begin::Row(&row[start..start + width]),
                    begin => begin,
                },
                stride: columns,
                few: false,
                columns: width,
            };
            job.run(arch, &mut self.out[start..]);
        }
    }
}

/// Runs `$self.run(arch)` with registers of sixteen lanes where the machine has them.
macro_rules! with_lanes {
    ($name:ident) => {
        impl WithSimd for $name<'_> {
            type Output = ();

            #[inline(always)]
            fn with_simd<S: Simd>(self, simd: S) {
                if S::F32_LANES == crate::conv::LANES {
                    self.run(Registers(simd));
                } else {
                    self.run(Arrays);
                }
            }
        }
    };
}
with_lanes!(Product);
use with_lanes;

#[cfg(test)]
mod tests;
